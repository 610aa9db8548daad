"""The heap and its checkpoints against a model that knows nothing of epochs, ghosts or records."""

from __future__ import annotations

import random
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.vm import checkpoint, ids, mapchanges, piecelist, piecemap, pieces, prefetch, readahead
from holdfast.vm.heap import Heap
from holdfast.vm.objects import Obj, live
from tests.vm.worlds import LINK, POINT, Machine, World, closure, plain

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = [
    mock.patch.object(checkpoint, "SLICE_S", 0.0),
    mock.patch.object(checkpoint, "AHEAD_MAX", 5),
    mock.patch.object(checkpoint, "TOGETHER_MAX", 3),
    mock.patch.object(checkpoint, "LARGE", 4),
    mock.patch.dict(pieces.PIECES_ABOVE, {ids.LIST: 7, ids.MAP: 6, ids.SET: 6}),
    mock.patch.object(piecemap, "CHUNK_SCAN", 3),
    mock.patch.object(mapchanges, "PAGE_KEYS", 3),
    mock.patch.object(mapchanges, "BULK_STRIDE", 1),
    mock.patch.object(piecelist, "CHUNK", 3),
    mock.patch.object(piecelist, "PAGE_CHUNKS", 2),
]
"""Limits so small that every path is taken."""
TINY = [mock.patch.dict(pieces.PIECES_ABOVE, {ids.LIST: 2, ids.MAP: 2, ids.SET: 2})]
"""Nearly every collection is in pieces."""
EAGER = [
    mock.patch.object(readahead, "MISSES", 1),
    mock.patch.object(readahead, "LATER", 0),
    mock.patch.object(readahead, "MISS_CREDIT", 10_000),
    mock.patch.object(prefetch, "PROBES", 3),
    mock.patch.object(prefetch, "CROWDED", 1e9),
]
"""Every look-up reads ahead, and decodes what it can."""

SCALARS: list[Any] = [None, True, False, 0, 1, 2, -1, 3, 2**63, 2**64, -(2**70), 10**40, 0.0, -0.0, 1.0, 2.5, 1e300]
SCALARS += [float("inf"), "", "a", "b", "ü", "\U0001f600", b"", b"a", "a" * 300, b"a" * 300, "a" * 301]
SCALARS += [range(0), range(2, 2), range(5), range(0, 6, 5), range(0, 9, 5), range(2**70)]


class Node:
    """An object of the model.  ``data`` is a list of fields or elements, or a dict; nodes stand for references."""

    def __init__(self, kind: str, data: Any) -> None:
        self.kind = kind
        self.data = data


def model_canonical(root: Node) -> list[Any]:
    """What :func:`tests.vm.worlds.canonical` says of the same graph, from the model."""
    numbers: dict[int, int] = {}
    queue: list[Node] = []

    def mark(value: Any) -> Any:
        if isinstance(value, Node):
            if id(value) not in numbers:
                numbers[id(value)] = len(queue)
                queue.append(value)
            return ("ref", numbers[id(value)])
        return plain(value)

    mark(root)
    found: list[Any] = []
    place = 0
    while place < len(queue):
        node = queue[place]
        place += 1
        if node.kind == "Map":
            found.append(("Map", [(mark(key), mark(value)) for key, value in node.data.items()]))
        else:
            found.append((node.kind, [mark(value) for value in node.data]))
    return found


class Driver:
    """Any order of writes, checkpoints in slices, atomic blocks, evictions and crashes, by a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.world = World(folder)
        self.root = Node("Map", {})
        self.pairs: list[tuple[Any, Node]] = [(self.world.heap.root, self.root)]
        self.levels: list[list[tuple[Node, Any]]] = []
        self.saved: list[Any] = [("Map", [])]
        self.begun: list[Any] = []
        self.held: list[tuple[Any, Any]] = []
        self.quick = 0
        self.world.save()

    def run(self, steps: int) -> None:
        """Do random actions, the likelier the more often they are in the list; then compare all there is."""
        actions: list[Callable[[], None]] = [self.change] * 12 + [self.create] * 5 + [self.step] * 6
        actions += [self.begin] * 3 + [self.finish, self.sweep, self.hold, self.let_go, self.forget, self.compare]
        actions += [self.begin_atomic, self.end_atomic, self.end_atomic]
        for count in range(steps):
            self.rng.choice(actions)()
            if count % 40 == 39:
                self.crash()
        self.compare()
        self.crash()
        self.world.close()

    # ------------------------------------------------------------------ values

    def value(self, *, key: bool = False) -> tuple[Any, Any]:
        """A value, in the world and in the model."""
        usable = [pair for pair in self.pairs if not key or pair[1].kind not in ("List", "Map", "Set")]
        if usable and self.rng.random() < 0.4:
            return self.rng.choice(usable)
        scalar = self.rng.choice(SCALARS)
        return scalar, scalar

    def values(self, most: int, *, key: bool = False) -> list[tuple[Any, Any]]:
        return [self.value(key=key) for _ in range(self.rng.randint(0, most))]

    def pick(self, *kinds: str) -> tuple[Any, Node] | None:
        """One of the objects of the kinds."""
        usable = [pair for pair in self.pairs if pair[1].kind in kinds and pair[1] is not self.root]
        return self.rng.choice(usable) if usable else None

    # ------------------------------------------------------------------ objects

    def create(self) -> None:
        """A new object; most are put somewhere at once."""
        kind = self.rng.choice("Point Link List Map Map Set function".split())
        if kind in ("Point", "Link"):
            cls = {"Point": POINT, "Link": LINK}[kind]
            values = [self.value() for _ in cls._slots]
            obj = self.world.new(cls, *(value[0] for value in values))
            node = Node(kind, [value[1] for value in values])
        elif kind == "function":
            values = self.values(3)
            obj, node = closure(*(value[0] for value in values)), Node(kind, [value[1] for value in values])
        elif kind == "List":
            values = self.values(14)
            obj, node = self.world.new(kind, [v[0] for v in values]), Node(kind, [v[1] for v in values])
        else:
            keys = self.values(10, key=True)
            values = [self.value() if kind == "Map" else (None, None) for _ in keys]
            obj = self.world.new(kind, {k[0]: v[0] for k, v in zip(keys, values, strict=True)})
            node = Node(kind, {k[1]: v[1] for k, v in zip(keys, values, strict=True)})
        self.pairs.append((obj, node))
        if self.rng.random() < 0.7:
            name = self.rng.choice("pqrs")
            self.world.touch(self.world.heap.root).v[name] = obj
            self.root.data[name] = node

    def change(self) -> None:
        """Change one object."""
        picked = self.pick("Point", "Link", "List", "Map", "Set")
        if picked is None:
            return
        obj, node = picked
        self.world.touch(obj)
        if node.kind in ("Point", "Link"):
            value, place = self.value(), self.rng.randrange(len(obj._slots))
            setattr(obj, obj._slots[place], value[0])
            node.data[place] = value[1]
        elif node.kind == "List":
            self.change_list(obj.v, node.data)
        else:
            self.change_map(obj.v, node)

    def change_list(self, v: Any, model: list[Any]) -> None:
        what = self.rng.choice("append append set insert delete extend slice cut reverse pop clear sort".split())
        value = self.value()
        place = self.rng.randint(0, max(0, len(model) - 1))
        stop = self.rng.randint(0, len(model))
        many = self.rng.randint(0, 8)
        step = self.rng.choice([1, 1, 2, 3])
        if what in ("set", "delete", "pop") and not model:
            return
        for target, item in ((v, value[0]), (model, value[1])):
            if what == "append":
                target.append(item)
            elif what == "set":
                target[place - len(model)] = item
            elif what == "insert":
                target.insert(place, item)
            elif what == "delete":
                del target[place]
            elif what == "pop":
                target.pop(place)
            elif what == "extend":
                target.extend([item] * many)
            elif what == "slice":
                target[place:stop] = [item] * many
            elif what == "cut":
                del target[place:stop:step]
            elif what == "reverse":
                target.reverse()
            elif what == "sort":
                target.sort(key=lambda known: -1 if isinstance(known, Obj | Node | FunctionType) else len(str(known)))
            elif many == 0:
                target.clear()

    def change_map(self, v: Any, node: Node) -> None:
        what = self.rng.choice("set set set old old delete pop drop drop clear".split())
        model = node.data
        key, value = self.value(key=True), self.value()
        many = self.rng.randint(0, 3)
        if what in ("old", "drop"):
            known = [k for k in v if not isinstance(k, Obj | FunctionType)]
            if known:
                key = (self.rng.choice(known),) * 2
        if node.kind == "Set":
            value = (None, None)
        for target, k, item in ((v, key[0], value[0]), (model, key[1], value[1])):
            if what in ("set", "old"):
                target[k] = item
            elif what == "clear":
                if many == 0:
                    target.clear()
            elif what == "pop":
                target.pop(k, None)
            elif k in target:
                del target[k]

    def forget(self) -> None:
        """Let go of most objects: what is reached again later is a ghost."""
        self.pairs[1:] = self.rng.sample(self.pairs[1:], len(self.pairs) // 3)
        if self.rng.random() < 0.5 and not self.levels:
            self.pairs = self.pair_up(self.world.heap.root, model_canonical(self.root))
            self.root = self.pairs[0][1]

    def hold(self) -> None:
        """As a frame does that iterates over a raw container: nobody may put another one in its place."""
        picked = self.pick("List", "Map", "Set")
        if picked is not None:
            self.held.append((picked[0], live(picked[0]).v))

    def let_go(self) -> None:
        self.held.clear()

    # ------------------------------------------------------------------ checkpoints

    def begin(self) -> None:
        if self.world.heap.open is None and not self.levels:
            self.checkpoint = self.world.checkpoints.begin()
            self.begun = model_canonical(self.root)

    def step(self) -> None:
        if self.world.heap.open is not None and not self.checkpoint.step():
            self.written()

    def finish(self) -> None:
        if self.world.heap.open is not None:
            self.checkpoint.run()
            self.written()

    def written(self) -> None:
        """The store now holds the world as it was at the beginning of the checkpoint: ask another heap."""
        self.saved = self.begun
        self.pair_up(Heap(self.world.store, Machine()).root, self.saved)
        self.world.store.decode_ahead(self.world.heap.prefetch.take)  # a store reads ahead for one heap

    def sweep(self) -> None:
        for _ in self.world.heap.sweep(0):
            if self.rng.random() < 0.1:
                self.step()

    def crash(self) -> None:
        """End without a word, open again: the world is as at the beginning of the last finished checkpoint."""
        self.world.close()
        self.levels.clear()
        self.held.clear()
        self.world = World(self.folder)
        self.pairs = self.pair_up(self.world.heap.root, self.saved)
        self.root = self.pairs[0][1]

    def pair_up(self, root: Any, expected: list[Any]) -> list[tuple[Any, Node]]:
        """Compare a world with what was saved; gives its objects with new nodes for them."""
        found: list[Any] = [root]
        nodes = [Node(kind, {} if kind in ("Map", "Set") else []) for kind, _ in expected]

        def meet(value: Any, mark: Any) -> Any:
            if mark[0] != "ref":
                assert plain(value) == mark
                return value
            if mark[1] == len(found):
                found.append(value)
            assert found[mark[1]] is value
            return nodes[mark[1]]

        for place, (kind, contents) in enumerate(expected):
            obj, node = found[place], nodes[place]
            if kind == "function":
                assert isinstance(obj, FunctionType)
                node.data = [meet(v, m) for v, m in zip(obj.__defaults__ or (), contents, strict=True)]
                continue
            live(obj)
            assert obj._name == kind
            if kind == "Map":
                assert len(obj.v) == len(contents)
                for key, (key_mark, value_mark) in zip(list(obj.v), contents, strict=True):
                    marked = meet(key, key_mark)
                    node.data[marked] = meet(obj.v[key], value_mark)
                self.read_quickly(obj)
            elif kind == "Set":
                node.data = {meet(key, mark): None for key, mark in zip(list(obj.v), contents, strict=True)}
            elif kind == "List":
                assert len(obj.v) == len(contents)
                node.data = [meet(v, m) for v, m in zip(obj.v, contents, strict=True)]
            else:
                fields = [getattr(obj, name) for name in obj._slots]
                node.data = [meet(v, m) for v, m in zip(fields, contents, strict=True)]
        return list(zip(found, nodes, strict=True))

    # ------------------------------------------------------------------ atomic

    def read_quickly(self, obj: Any) -> None:
        """What programs read a Map's entries from has what the Map has, and nothing else."""
        assert all(obj.e[key] is obj.v[key] for key in list(obj.v))
        assert all(key in obj.v for key in list(dict.keys(obj.e)))
        self.quick += obj.e is not obj.v
        if obj.e is not obj.v:
            assert type(obj.e) is dict and len(obj.e) == len(obj.v) and obj.e is obj.v.all

    def begin_atomic(self) -> None:
        if len(self.levels) >= 3:
            return
        self.world.heap.begin_atomic()
        reached: dict[int, Node] = {id(node): node for _, node in self.pairs}
        queue = list(reached.values())
        while queue:
            data = queue.pop().data
            for value in [*data, *(data.values() if isinstance(data, dict) else ())]:
                if isinstance(value, Node) and id(value) not in reached:
                    reached[id(value)] = value
                    queue.append(value)
        self.levels.append([(node, node.data.copy()) for node in reached.values()])

    def end_atomic(self) -> None:
        if not self.levels:
            return
        saved = self.levels.pop()
        if self.rng.random() < 0.4:
            self.world.heap.commit_atomic()
            return
        self.world.heap.abort_atomic()
        for node, data in saved:
            node.data = data
        older = {id(node) for node, _ in saved}
        self.pairs = [pair for pair in self.pairs if id(pair[1]) in older]  # nobody can reach what was made inside
        if self.rng.random() < 0.3:
            self.compare()

    def compare(self) -> None:
        """What is in memory, or can be loaded, is what the model says; held containers are still in place."""
        self.pair_up(self.world.heap.root, model_canonical(self.root))
        for obj, node in self.pairs:
            self.pair_up(obj, model_canonical(node))
        for obj, container in self.held:
            assert live(obj).v is container


@given(st.integers(0, 2**32))
@settings(max_examples=settings().max_examples // 2)
def test_heap_is_the_model(seed: int) -> None:
    """Whatever happens, the world in memory is the model's, and the one on disk that of the last checkpoint."""
    drive(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 400, 20))
def test_heap_is_the_model_long(first: int) -> None:
    """The same, for more seeds; large Maps that are in memory as a whole are among them."""
    assert sum(drive(seed) for seed in range(first, first + 20))


def drive(seed: int) -> int:
    """One run of the driver under small limits; gives how many exact dicts of large Maps were met."""
    with ExitStack() as stack:
        for patch in SMALL + EAGER * (seed % 2) + TINY * (seed % 4 > 1):
            stack.enter_context(patch)
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        driver = Driver(Path(folder) / "w", seed)
        driver.run(160)
        return driver.quick
