"""Collections in pieces do what the host's dict and list do, and one change writes one piece."""

from __future__ import annotations

import operator
import random
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.vm import checkpoint, ids, maintenance
from holdfast.vm.codec import DamagedRecord, bare_codec, seal_record
from holdfast.vm.equality import equal
from holdfast.vm.piecelist import CHUNK, PieceList
from holdfast.vm.piecemap import PieceMap
from holdfast.vm.pieces import PIECES_ABOVE, find_key_bytes, key_bytes
from holdfast.vm.world import World as WholeWorld
from tests.vm.worlds import POINT, World, closure, plain

MANY_MAP = PIECES_ABOVE[ids.MAP] + 1
MANY_LIST = PIECES_ABOVE[ids.LIST] + 1


@pytest.fixture(scope="module")
def large() -> Any:
    """A world with a large Map, List and Set."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "w")
        root = world.touch(world.heap.root)
        root.v["m"] = world.new("Map", {n: str(n) for n in range(MANY_MAP)})
        root.v["s"] = world.new("Set", dict.fromkeys(range(MANY_MAP)))
        root.v["l"] = world.new("List", list(range(MANY_LIST)))
        world.save()
        assert isinstance(root.v["m"].v, PieceMap)
        assert isinstance(root.v["s"].v, PieceMap)
        assert isinstance(root.v["l"].v, PieceList)
        yield world
        world.close()


def cold(world: World, name: str) -> Any:
    """The collection with nothing of it in memory."""
    for _ in world.heap.sweep(0):
        pass
    found = world.heap.root.v[name]
    found.v.trim()
    return found


KEYS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.sampled_from([0.0, -0.0, 1.0, float(2**53), 2.0**70, 1e300, float("inf")]),
    st.text(max_size=3),
    st.sampled_from(["x" * 199, "x" * 200, "y" * 300, "y" * 301, b"y" * 300]),
    st.binary(max_size=3),
    st.builds(range, st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 3)),
)


@given(KEYS, KEYS)
def test_key_bytes_agree_with_equality(left: Any, right: Any) -> None:
    """Two keys have the same bytes exactly when they are equal, whatever their types."""
    heap: Any = None
    assert (find_key_bytes(heap, left) == find_key_bytes(heap, right)) == (left == right)
    assert len(find_key_bytes(heap, left) or b"") <= 210


def test_key_bytes_of_objects(large: World) -> None:
    """Instances and functions are keys by identity; one without an id is in no store, and no look-up gives it one."""
    heap = large.heap
    points = [large.new(POINT, n, 0, 0, 0) for n in range(2)]
    function = closure(1)
    assert [find_key_bytes(heap, key) for key in (*points, function)] == [None] * 3
    assert points[0] not in heap.root.v["m"].v
    heap.found = {}
    made = [key_bytes(heap, key) for key in (*points, function)]
    heap.found = None
    assert len(set(made)) == 3
    assert [find_key_bytes(heap, key) for key in (*points, function)] == made


@pytest.mark.parametrize("name", ["m", "s"])
def test_map_reads(large: World, name: str) -> None:
    """Length, membership, look-up and iteration in order need no more than they use."""
    found = cold(large, name).v
    large.store._ahead._credit = 0.0  # for reading ahead, from what was read before
    assert len(found) == MANY_MAP
    assert bool(found)
    assert dict.__len__(found) == 0
    assert 77 in found
    assert 77.0 in found
    assert "77" not in found
    assert found.get(MANY_MAP) is None
    assert found[78.0] == (None if name == "s" else "78")
    assert dict.__len__(found) < 5
    with pytest.raises(KeyError):
        found[-1]
    with pytest.raises(TypeError):
        found[[]]
    assert list(found) == list(found.keys()) == list(range(MANY_MAP))
    assert next(reversed(found)) == MANY_MAP - 1
    assert [type(key) for key in found if key < 2] == [int, int]
    assert found == found.copy()
    assert found != {1: 2}
    assert {**found} == dict(found.items()) == dict(found)


def test_map_values_and_equality(large: World) -> None:
    """Values come with their keys, and content equality sees no difference to a raw dict."""
    found = cold(large, "m")
    assert list(found.v.values()) == [str(n) for n in range(MANY_MAP)]
    assert equal(found, large.new("Map", {n: str(n) for n in range(MANY_MAP)}))
    assert not equal(found, large.new("Map", {n: str(n) for n in range(1, MANY_MAP + 1)}))
    assert equal(cold(large, "l"), large.new("List", list(range(MANY_LIST))))


def test_one_change_writes_one_entry(large: World) -> None:
    """The bytes of a checkpoint after one change do not depend on the size of the collection."""
    for name, change in (("m", lambda v: operator.setitem(v, 5, "five")), ("l", lambda v: operator.setitem(v, 5, 5))):
        change(large.touch(cold(large, name)).v)
        made = large.save()
        assert made.records <= 4
        assert made.bytes < 5_000
    large.touch(large.heap.root.v["m"]).v[5] = "5"
    large.save()


def test_iteration_goes_on_over_a_checkpoint(large: World) -> None:
    """What is iterated over while a checkpoint takes and writes the changes is met once, in order."""
    found = large.touch(cold(large, "m"))
    del found.v[3]
    found.v["new"] = 1
    walk = iter(found.v)
    met = [next(walk) for _ in range(10)]
    opened = large.checkpoints.begin()
    large.touch(found).v["newer"] = 2
    met += [next(walk) for _ in range(600)]
    opened.run()
    met += walk
    assert met == [0, 1, 2, *range(4, MANY_MAP), "new", "newer"]
    large.touch(found).v.clear()
    found.v.update({n: str(n) for n in range(MANY_MAP)})
    large.save()


def test_clear_and_refill_in_one_checkpoint(large: World) -> None:
    """Clearing deletes every piece, and what is put in afterwards is all there is."""
    found = large.touch(cold(large, "s"))
    found.v.clear()
    found.v["only"] = None
    assert list(found.v) == ["only"]
    opened = large.checkpoints.begin()
    assert "only" in large.touch(found).v
    assert 5 not in found.v
    found.v[5] = None
    opened.run()
    large.save()
    found = cold(large, "s")
    assert list(found.v) == ["only", 5]
    prefix = b"P" + found._i.to_bytes(8, "big")
    assert len(list(large.store.scan(prefix))) == 4
    large.touch(found).v.clear()
    found.v.update(dict.fromkeys(range(MANY_MAP)))
    large.save()


MAP_ACTIONS = "set set new del pop clear read miss trim begin step finish atomic commit abort abort".split()


class MapDriver:
    """Random actions on a Map in pieces, and on dicts: one for each level of ``atomic``."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.map = world.touch(world.heap.root).v["driven"] = world.new("Map", {n: n for n in range(4_300)})
        self.models: list[dict[Any, Any]] = [dict.fromkeys(range(4_300))]
        self.models[0].update((n, n) for n in range(4_300))
        if rng.random() < 0.5:
            world.save()
        self.opened: Any = None

    def act(self, action: str) -> None:
        """One action, on both; then what programs read from is looked at."""
        heap, model = self.world.heap, self.models[-1]
        key = self.rng.choice([*list(model)[:3], self.rng.randrange(4_400), "new"])
        if action in ("set", "new", "del", "pop", "clear"):
            if action == "clear" and self.rng.random() < 0.7:
                return
            for target in (self.world.touch(self.map).v, model):
                change_map(action, target, key, len(model) + 5_000 if action == "new" else len(model))
        elif action == "trim" and self.rng.random() < 0.2 and isinstance(self.map.v, PieceMap):
            self.map.v.trim()
        elif action == "begin" and heap.open is None and len(self.models) == 1:
            self.opened = self.world.checkpoints.begin()
        elif action == "step" and heap.open is not None:
            for _ in range(self.rng.randrange(400)):
                if heap.open is not None:
                    self.opened.step()
        elif action == "finish" and heap.open is not None:
            self.opened.run()
        elif action == "atomic" and len(self.models) < 4:
            heap.begin_atomic()
            self.models.append(model.copy())
        elif action in ("commit", "abort") and len(self.models) > 1:
            self.end_atomic(action)
        self.compare(key)

    def end_atomic(self, action: str) -> None:
        """Close a level."""
        inner = self.models.pop()
        if action == "commit":
            self.world.heap.commit_atomic()
            self.models[-1] = inner
        else:
            self.world.heap.abort_atomic()

    def compare(self, key: Any) -> None:
        """A key is, or is not, in what programs read from; now and then all keys are compared, in order."""
        model, read = self.models[-1], self.map.e
        try:
            assert read[key] == model[key]
        except KeyError:
            assert key not in model
            assert key not in self.map.v
        if read is not self.map.v:
            assert type(read) is dict
            assert read == model
        if self.rng.random() < 0.05:
            assert list(self.map.v.items()) == list(model.items())


def change_map(action: str, target: Any, key: Any, value: Any) -> None:
    """One change of a dict, of the host's or in pieces."""
    if action == "set":
        target[key] = value
    elif action == "new":
        target[value] = value
    elif action == "del" and key in target:
        del target[key]
    elif action == "pop":
        target.pop(key, None)
    elif action == "clear":
        target.clear()
        target.update({n: -n for n in range(4_300)})


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_map_is_a_map(large: World, seed: int) -> None:
    """Whatever is done to a large Map, in ``atomic`` and beside checkpoints, it is what a dict is; and while it is in
    memory as a whole, programs read from an exact dict."""
    driver = MapDriver(large, random.Random(seed))
    with mock.patch.object(checkpoint, "SLICE_S", 0.0):
        for action in driver.rng.choices(MAP_ACTIONS, k=250):
            driver.act(action)
    while len(driver.models) > 1:
        driver.end_atomic("abort")
    large.save()
    found = cold(large, "driven")
    assert found.e is found.v
    assert list(found.v.items()) == list(driver.models[0].items())
    assert type(found.e) is dict
    assert found.e == driver.models[0]


LIST_ACTIONS = "append pop pop0 insert set del slice setslice extend reverse sort index count remove iadd clear".split()


def change_list(action: str, target: Any, at: int, to: int, value: Any) -> Any:
    """One action on a list, of the host's or in pieces; gives what it gives, or the type of its error."""
    try:
        return list_action(action, target, at, to, value)
    except (IndexError, ValueError) as error:
        return type(error)


def list_action(action: str, target: Any, at: int, to: int, value: Any) -> Any:
    if action == "pop":
        return target.pop(at)
    if action == "pop0":
        return target.pop()
    if action == "set":
        target[at] = value
    elif action == "del":
        del target[at:to:3]
    elif action == "slice":
        return target[at:to], target[at:to:7], target[::-1][:5], target[at]
    elif action == "setslice":
        target[at:to] = [value] * 700
    elif action == "extend":
        target.extend(range(at))
    elif action == "insert":
        target.insert(at, value)
    elif action == "sort":
        target.sort(key=lambda known: -known, reverse=bool(at % 2))
    elif action == "iadd":
        target += [value, value]
    elif action == "clear":
        if at % 10 == 0:
            target.clear()
    elif action in ("index", "count", "remove", "append"):
        return getattr(target, action)(value)
    else:
        getattr(target, action)()
    return None


@given(st.integers(0, 2**32))
def test_list_is_a_list(large: World, seed: int) -> None:
    """Every method of list gives the same on a list in pieces, errors included."""
    rng = random.Random(seed)
    found = large.touch(large.heap.root.v["l"])
    pieces = found.v
    pieces[:] = model = list(range(rng.randint(0, 3 * CHUNK)))
    for _ in range(25):
        action = rng.choice(LIST_ACTIONS)
        size = len(model)
        at, to, value = rng.randint(-size - 1, size + 1), rng.randint(-size, size + 1), rng.choice([*model[:3], 5])
        assert change_list(action, pieces, at, to, value) == change_list(action, model, at, to, value), action
        assert len(pieces) == len(model)
    assert list(pieces) == model == list(reversed(pieces))[::-1]
    assert pieces == model
    assert operator.add(pieces, [1]) == [*pieces, 1]


def test_list_iterator_tells_its_place(large: World) -> None:
    """An iterator over a list in pieces says where it is in the way of a list's, and meets what is appended."""
    pieces = large.touch(cold(large, "l")).v
    pieces[:] = range(1_000)
    walk = iter(pieces)
    for _ in range(600):
        next(walk)
    assert walk.__reduce__() == (iter, (pieces,), 600)
    again = iter(pieces)
    again.__setstate__(600)
    assert next(again) == next(walk) == 600
    pieces.append("late")
    assert list(walk)[-1] == "late"
    pieces.append("later")
    assert list(walk) == []
    assert walk.__reduce__() == iter([]).__reduce__() or walk.__reduce__() == (iter, ((),))
    pieces[:] = range(MANY_LIST)
    large.save()


def test_a_held_container_is_not_replaced(tmp_path: Path) -> None:
    """A raw container that a frame holds stays raw, and is put in pieces when the frame has let go of it."""
    world = World(tmp_path / "w")
    root = world.touch(world.heap.root)
    root.v["l"] = world.new("List", list(range(MANY_LIST)))
    held = iter(root.v["l"].v)
    world.save()
    assert type(root.v["l"].v) is list
    del held
    world.touch(root.v["l"]).v.append(1)
    world.save()
    assert isinstance(root.v["l"].v, PieceList)
    assert root.v["l"].v[-1] == 1
    world.close()


def test_growth_of_a_stored_map(tmp_path: Path) -> None:
    """A Map that grows past the limit after it was stored moves into pieces, and its order stays."""
    world = World(tmp_path / "w")
    root = world.touch(world.heap.root)
    root.v["m"] = world.new("Map", {"a": 1, 1: "one"})
    world.save()
    for number in range(MANY_MAP):
        world.touch(root.v["m"]).v[number] = number
    opened = world.checkpoints.begin()
    while root.v["m"].v is not None and not isinstance(root.v["m"].v, PieceMap):
        opened.step()
    world.touch(root.v["m"]).v[7] = "seven"
    del root.v["m"].v[8]
    assert root.v["m"].v[9] == 9
    opened.run()
    world.save()
    world.close()
    world = World(tmp_path / "w")
    found = world.heap.root.v["m"].v
    expected = {"a": 1, 1: 1, 0: 0} | {n: n for n in range(2, MANY_MAP)}
    expected[7] = "seven"
    del expected[8]
    assert [plain(key) for key in found] == [plain(key) for key in expected]
    assert dict(found.items()) == expected
    world.close()


def test_a_new_key_of_a_growing_map_is_not_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a checkpoint puts a Map in pieces, and after it, new keys are known to be new without a look-up."""
    world = World(tmp_path / "w")
    root = world.touch(world.heap.root)
    root.v["m"] = world.new("Map", {number: number for number in range(MANY_MAP)})
    asked: list[bytes] = []
    monkeypatch.setattr(world.store, "read", asked.append)
    opened = world.checkpoints.begin()
    while not isinstance(root.v["m"].v, PieceMap):
        opened.step()
    going, number = True, MANY_MAP
    while going:
        world.touch(root.v["m"]).v[number] = number
        number += 1
        going = opened.step()
    for late in range(number, number + 100):
        world.touch(root.v["m"]).v[late] = late
    assert asked == []
    assert list(root.v["m"].v) == list(range(number + 100))
    world.save()
    assert asked == []
    world.close()


@pytest.mark.parametrize(
    "values",
    [
        {"k": [0]},
        {"k": ["x", 1]},
        {"k": [0, [1]]},
        {"q": [[1]]},
        {"c": [1]},
        {"c": [[1]]},
        {"c": [[[1]] * CHUNK]},
    ],
    ids=repr,
)
def test_forged_pieces(large: World, values: dict[str, Any]) -> None:
    """A forged piece is refused when it is read, and harms nothing else."""
    ((letter, payload),) = values.items()
    found = cold(large, "l" if letter == "c" else "m")
    prefix = b"P" + found._i.to_bytes(8, "big") + letter.encode()
    key, record = next(large.store.scan(prefix))
    batch = large.store.batch()
    batch.put(key, seal_record(key, bare_codec().pack(payload)))
    large.store.write(batch)
    with pytest.raises(DamagedRecord, match=ids.kid(found._i)):
        list(found.v)
        list(found.v.values())
    batch = large.store.batch()
    batch.put(key, record)
    large.store.write(batch)
    assert list(found.v)[:3] == [0, 1, 2]


def test_forged_headers(large: World) -> None:
    """A header that its pieces do not bear out is refused."""
    heap = large.heap
    for header in ([], [1], [5, 3], ["x", 1], [-1, 5]):
        with pytest.raises(DamagedRecord):
            PieceMap.from_header(heap, 5, header)
    for header in ([], [1, 1, 1], [5, 1, 10**9], [0, "x", 0], [-1, 1, 0]):
        with pytest.raises(DamagedRecord):
            PieceList.from_header(heap, 5, header)


def test_pieces_of_an_abandoned_split(tmp_path: Path) -> None:
    """Pieces that went ahead of a commit which never came are ignored, and gone after the next, different split."""
    world = World(tmp_path / "w")
    root = world.touch(world.heap.root)
    root.v["m"] = world.new("Map", {"a": 1})
    world.save()
    for attempt in range(2):
        found = world.touch(world.heap.root.v["m"]).v
        for number in range(MANY_MAP - attempt):
            found[f"{attempt} {number}"] = number
        del found
        opened = world.checkpoints.begin()
        while not opened.records:
            opened.step()
        if attempt == 0:
            world.close()
            world = World(tmp_path / "w")
            assert world.heap.root.v["m"].v == {"a": 1}
            assert list(world.store.scan(b"P"))
            assert list(maintenance.check(world.store))[-1].problems == []
        else:
            seen = list(world.heap.root.v["m"].v)
            assert seen == ["a", *(f"1 {number}" for number in range(MANY_MAP - 1))]
            assert "0 5" not in world.heap.root.v["m"].v
            opened.run()
    world.close()
    world = World(tmp_path / "w")
    found = world.heap.root.v["m"].v
    assert isinstance(found, PieceMap)
    assert list(found) == ["a", *(f"1 {number}" for number in range(MANY_MAP - 1))]
    assert "0 5" not in found
    assert list(maintenance.check(world.store))[-1].problems == []
    world.close()


def test_undone_changes_leave_the_key_as_it_was(tmp_path: Path) -> None:
    """An ``atomic`` that is undone has not made 1.0 of the key 1."""
    with WholeWorld.open(tmp_path / "w", durability="process") as world:
        printed: list[str] = []
        world.write = printed.append
        world.run_source("root.m = {}\nfor i in 0..5_000 { root.m[i] = i }\nroot.m[0 - 1] = 1", "make.hold")
        world.checkpoint()
        world.run_source(
            'root.m[9999] = "new"\ntry { atomic { root.m[9999.0] = "undone"\n throw "x" } } catch e { }\n'
            "let keys = root.m.keys()\nprint(keys[len(keys) - 1], root.m[9999])",
            "undo.hold",
        )
        world.checkpoint()
        assert "".join(printed) == "9999 new\n"


def test_undoing_reads_nothing(large: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """To undo what was written to a Map that is in memory as a whole takes no look into the store."""
    found = cold(large, "m")
    expected = dict(found.v.items())
    assert type(found.e) is dict
    large.heap.begin_atomic()
    for key in range(0, MANY_MAP, 7):
        large.touch(found).v[key] = "undone"
        found.v.pop(key + 1, None)
    found.v["new"] = 1
    with monkeypatch.context() as patch:
        patch.setattr(PieceMap, "_older", lambda self, key: pytest.fail(f"{key} was looked up"))
        large.heap.abort_atomic()
        assert found.e == expected
    assert list(found.v.items()) == list(expected.items())
