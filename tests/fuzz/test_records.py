"""Records that somebody has edited, with right checksums: the world opens or is refused, a program that meets one gets
an error of Hold, and every tool ends with words.

Findings are kept in ``FOUND``: seeds that once did something else.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import ormsgpack
import pytest

from holdfast.lang.diagnostics import CompileError
from holdfast.stdlib import library
from holdfast.vm import ids, maintenance, pieces, transfer
from holdfast.vm.codec import DamagedRecord, bare_codec, open_record, seal_record
from holdfast.vm.objects import Thrown
from holdfast.vm.store import FORMAT_KEY, Store, StoreError
from holdfast.vm.world import World
from tests.fuzz.budget import seeds

FOUND = [0, 2, 3, 5, 18, 42, 94, 98, 123, 1_000_051]

WORLD = """
import "std/list" as lists
class P { x; y = 1; next = nil
  fn go(n) => self.x + n
  fn init_() => P(x: 1) }
class Q extends P { z = [] }
class Odd extends Error { more = 1 }
fn make(k) { var c = 0; return fn() { c += k; return c } }
fn twice(f) => fn(x) => f(f(x))
root.p = P(x: 1, next: Q(x: 2, z: [1, 2.5, "text", b"bytes", nil, true, 2 ** 100, 1..5, 0..9]))
root.f = make(3)
root.g = twice(twice(fn(x) => x + 1))
root.s = Set([1, "a", root.p])
root.e = Odd("wrong")
root.names = [P, make, len, lists.generate, KeyError]
root.me = root
root.long = List(0..200).map(fn(i) => if i % 50 == 0 { P(x: i) } else { i })
root.wide = Map(List(0..150).map(fn(i) => [i, "v{i}"]))
root.many = Set(List(0..150))
root.keys_ = {1: 2, (root.p): 3, nil: 4, 2.5: 5, true: 6}
"""

VISIT = """
fn visit(x, seen, depth) {
  try {
    if x in seen or depth > 30 { return }
    seen.add(x)
  } catch e { }
  try { "{x}" } catch e { print(e.kind) }
  try { x.go(1) } catch e { }
  try { x() } catch e { }
  try { x.x = x.y } catch e { }
  try { visit(x.next, seen, depth + 1) } catch e { }
  try { visit(x.z, seen, depth + 1) } catch e { }
  try { if x is List { x.push(1); x[0] = x[-1]; x.sorted() } } catch e { }
  var n = 0
  try { if x is Map { for k, v in x { n += 1; if depth < 3 and n < 40 { visit(v, seen, depth + 1) } } } } catch e { }
  n = 0
  try { for y in x { n += 1; if depth < 3 and n < 40 { visit(y, seen, depth + 1) } } } catch e { }
}
for name in ["p", "f", "g", "s", "e", "names", "me", "long", "wide", "many", "keys_"] {
  try { visit(root[name], Set([]), 0) } catch e { print(e.kind, e.message) }
}
try { root.g(1) } catch e { print(e.kind) }
try { root.wide[3] = 4; root.wide.remove(7); root.wide.new = 1 } catch e { print(e.kind) }
try { root.long.push(1); root.long[70] = 2; root.long.pop() } catch e { print(e.kind) }
try { throw root.e } catch e { print(e.kind) }
"""

SMALL_PIECES = mock.patch.dict(pieces.PIECES_ABOVE, {ids.LIST: 40, ids.MAP: 30, ids.SET: 30})
"""So that small collections have records of their own."""

ODD: list[Any] = [
    None, True, -1, 0, 1, 2, 3, 5, 256, 257, 2**40, 2**63 - 1, -(2**63), 1.5, float("nan"), "", "x", "b", "P",
    b"", b"x",
    [], [[]], {}, {"a": 1}, [1] * 10, "a" * 5000, b"\x00" * 16, b"\x00" * 32,
]  # fmt: skip


def parts(value: Any) -> list[tuple[list[Any], int]]:
    """Every place inside nested arrays."""
    found: list[tuple[list[Any], int]] = []
    pending = [value]
    while pending:
        for place, item in enumerate(top := pending.pop()):
            found.append((top, place))
            if type(item) is list:
                pending.append(item)
    return found


def structural(rng: Random, payload: bytes, others: list[bytes]) -> bytes:
    """The payload with some of its values exchanged, left out or doubled."""
    codec = bare_codec()
    values = ormsgpack.unpackb(payload, ext_hook=codec.ext_hook)
    donor = ormsgpack.unpackb(rng.choice(others), ext_hook=codec.ext_hook)
    for _ in range(rng.choice([1, 1, 2, 4])):
        places = parts(values)
        if not places:
            return payload
        top, place = rng.choice(places)
        match rng.randrange(5):
            case 0 | 1:
                top[place : place + 1] = [rng.choice(ODD)]
            case 2:
                donors = parts(donor)
                other, at = rng.choice(donors) if donors else (values, 0)
                top[place : place + 1] = [other[at]]
            case 3:
                del top[place]
            case 4:
                top.insert(place, top[place])
    return codec.pack(values) if type(values) is list else payload


def changed(rng: Random, key: bytes, record: bytes, others: list[bytes]) -> bytes | None:
    """A record in place of this one; None: it is gone."""
    payload = open_record(key, record)
    kind = rng.randrange(10)
    if kind == 0:
        return None
    if kind == 1:
        return seal_record(key, rng.choice(others))
    if kind < 6:
        try:
            return seal_record(key, structural(rng, payload, others))
        except Exception:  # a record of text, or what the codec refuses to write: bytes will do
            pass
    data = bytearray(payload)
    for _ in range(rng.choice([1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        data[at : at + rng.choice([0, 1, 1, 3])] = rng.choice([b"", b"\xc1", b"\x00", b"0", b"9", b'"', b"}", b"x" * 9])
    return seal_record(key, bytes(data))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, bytes]]:
    """All records of a world."""
    folder = tmp_path_factory.mktemp("records") / "w"
    with SMALL_PIECES, World.open(folder, durability="process", library=library()) as world:
        world.run_source(WORLD, "w.hold")
    store = Store(folder)
    found = list(store.scan(b""))
    store.close()
    return found


def check(records: list[tuple[bytes, bytes]], seed: int) -> None:
    """The law of the module, for one edit."""
    rng = Random(seed)
    sealed = [(key, record) for key, record in records if key != FORMAT_KEY]
    meta = [pair for pair in sealed if pair[0][:1] == b"M"]
    others = [open_record(key, record) for key, record in rng.sample(sealed, 20)]
    edits = {rng.choice(rng.choice([sealed, meta]))[0] for _ in range(rng.choice([1, 1, 2, 3]))}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "w"
        store = Store(folder, durability="process")
        batch = store.batch()
        for key, record in records:
            made = changed(rng, key, record, others) if key in edits else record
            if made is not None:
                batch.put(key, made)
        store.write(batch)
        store.close()
        use(folder)


def use(folder: Path) -> None:
    """Open the world, walk through it, change it, save it, and have every tool look at it."""
    told: list[str] = []
    try:
        with SMALL_PIECES, World.open(folder, durability="process", library=library()) as world:
            world.write = told.append
            try:
                world.run_source(VISIT, "visit.hold")
            except Thrown as thrown:
                told.append(thrown.error.f_message)
            world.checkpoint()
    except (StoreError, DamagedRecord, CompileError) as error:
        told.append(str(error))
    assert "machine failed" not in "".join(told), told
    for tool in (tools_check, tools_export, tools_statistics):
        try:
            store = Store(folder, create=False)
            try:
                tool(store)
            finally:
                store.close()
        except (StoreError, DamagedRecord) as error:
            told.append(str(error))
    for text in told:
        assert "Traceback" not in text


def tools_check(store: Store) -> None:
    list(maintenance.check(store))


def tools_export(store: Store) -> None:
    transfer.export_world(store, io.StringIO())


def tools_statistics(store: Store) -> None:
    list(maintenance.statistics(store))


def fuzz(records: list[tuple[bytes, bytes]], numbers: Iterator[int]) -> None:
    """Try edits until the time is over."""
    for seed in numbers:
        try:
            check(records, seed)
        except BaseException as error:
            error.add_note(f"HOLDFAST_FUZZ_FROM={seed}")
            raise


def test_records(records: list[tuple[bytes, bytes]]) -> None:
    """The law of the module, for as many edits as there is time for."""
    fuzz(records, seeds())


@pytest.mark.slow
def test_records_long(records: list[tuple[bytes, bytes]]) -> None:
    """The same for longer."""
    fuzz(records, seeds(slow=True))


@pytest.mark.parametrize("seed", FOUND)
def test_found(records: list[tuple[bytes, bytes]], seed: int) -> None:
    """What the fuzzer has found stays mended."""
    check(records, seed)
