"""Code that a restricted program has left behind stays code of its domain, which is kept for it: over collections, and
in copies of the world."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from holdfast.vm import ids, importing, maintenance, transfer
from holdfast.vm.codec import bare_codec, seal_record
from holdfast.vm.store import Store
from holdfast.vm.world import World


def restricted(world: World, name: str, text: str) -> None:
    """Run a program in a domain of its own, which is granted the root, and ends with it."""
    domain = world.authority.domain(name, {"hub": world.heap.root})
    unit = world.modules.program(text, "main.hold", ids.kid(domain._i))
    world.run_thread(world.authority.start(unit, domain))
    world.authority.close(domain)


CODE = """
class P {{
    n
    fn more(x) => self.n + x + {0}
}}
fn top(x) => x * {0}
let k = {0}
caps.hub.top{0} = top
caps.hub.class{0} = P
caps.hub.thing{0} = P(10)
caps.hub.closure{0} = fn(x) => x + k
"""
USE = """
let found = []
for k in [2, 3, 4] {
    let p = root["class{k}"](1)
    found.push([root["top{k}"](10), p.more(0), root["thing{k}"].more(0), root["closure{k}"](1)])
}
Text(found)
"""
WANTED = "[[20, 3, 12, 3], [30, 4, 13, 4], [40, 5, 14, 5]]"


def test_code_keeps_its_domain(tmp_path: Path) -> None:
    """What restricted programs have left in shared objects works when they are gone: after a collection, and in a copy,
    where their domains have other ids.  Each belongs to the domain that it came from, and no other one."""
    path = tmp_path / "w"
    with World.open(path, durability="process") as world:
        for number in (2, 3, 4):
            restricted(world, f"p{number}", CODE.format(number))
        assert world.run_source(USE, "use.hold") == WANTED
    for _ in range(2):
        with World.open(path, durability="process") as world:
            *_, report = maintenance.collect(world.heap)
            assert not report.problem_count
    with World.open(path, durability="process") as world:
        assert world.run_source(USE, "use.hold") == WANTED
        text = io.StringIO()
        transfer.export_world(world.store, text)
    (tmp_path / "text").write_text(text.getvalue(), encoding="utf-8")
    importing.import_world(tmp_path / "text", tmp_path / "copy")
    with World.open(tmp_path / "copy", durability="process") as world:
        *_, report = maintenance.collect(world.heap)
        assert not report.problem_count
        assert world.run_source(USE, "use.hold") == WANTED
        *_, checked = maintenance.check(world.store)
        assert checked.problems == []
        owners = [world.monitor.owner(world.heap.root.v[f"closure{k}"]) for k in (2, 3, 4)]
        assert [domain.name for domain in owners] == ["p2", "p3", "p4"]
        again = io.StringIO()
        transfer.export_world(world.store, again)
        tops = [line for line in again.getvalue().splitlines() if '"function"' in line]
        assert len({line[line.index("K-") : line.index("!")] for line in tops if "!main.hold" in line}) == 3


def test_code_without_its_domain_is_left_out(tmp_path: Path) -> None:
    """What nobody can reach does not come along, nor does its code; and no number in a text makes code of a domain out
    of other code."""
    with World.open(tmp_path / "w", durability="process") as world:
        restricted(world, "p", "fn f(x) => x\nf(1)")
        world.checkpoint()
        text = io.StringIO()
        transfer.export_world(world.store, text)
    assert "K-" not in "".join(line for line in text.getvalue().splitlines() if '"meta"' in line)
    root = json.loads(text.getvalue().splitlines()[1])["roots"]["root"]
    forged = text.getvalue() + f'{{"bytes":"MTIz","meta":"module:K-{root:x}!main.hold"}}\n'
    (tmp_path / "text").write_text(forged, encoding="utf-8")
    with pytest.raises(importing.BadText, match="no domain"):
        importing.import_world(tmp_path / "text", tmp_path / "copy")


def test_a_lost_domain_is_found(tmp_path: Path) -> None:
    """A check says what is missing where code has lost its domain; and a function's record of another shape is one of
    its findings."""
    with World.open(tmp_path / "w", durability="process") as world:
        restricted(world, "p2", CODE.format(2))
    store, codec = Store(tmp_path / "w"), bare_codec()
    records = {key: codec.unpack(key, record) for key, record in store.scan(b"O")}
    domain = next(key for key, values in records.items() if values[0] == ids.DOMAIN and "p2" in values)
    function = next(key for key, values in records.items() if values[0] == ids.FUNCTION)
    batch = store.batch()
    batch.delete(domain)
    store.write(batch)
    *_, report = maintenance.check(store)
    missing = f"the domain that loaded its code, {ids.kid(int.from_bytes(domain[1:], 'big'))}, does not exist"
    assert sum(problem.reason == missing for problem in report.problems) >= 2  # functions, and who has the class
    batch = store.batch()
    batch.put(function, seal_record(function, codec.pack(records[function][:6])))
    store.write(batch)
    *_, report = maintenance.check(store)
    assert any("not that of a function" in problem.reason for problem in report.problems)
    store.close()
