"""The heap and its checkpoints against a model that knows nothing of epochs, ghosts or records."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import FunctionType
from typing import Any
from unittest import mock

from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.vm import checkpoint, ids, piecelist, pieces
from holdfast.vm.objects import Obj, live
from tests.vm.worlds import LINK, POINT, World, closure, plain

SMALL = [
    mock.patch.object(checkpoint, "SLICE_S", 0.0),
    mock.patch.object(checkpoint, "AHEAD_MAX", 5),
    mock.patch.object(checkpoint, "TOGETHER_MAX", 3),
    mock.patch.object(checkpoint, "LARGE", 4),
    mock.patch.dict(pieces.PIECES_ABOVE, {ids.LIST: 7, ids.MAP: 6, ids.SET: 6}),
    mock.patch.object(pieces, "CHUNK_SCAN", 3),
    mock.patch.object(piecelist, "CHUNK", 3),
    mock.patch.object(piecelist, "PAGE_CHUNKS", 2),
]
"""Limits so small that every path is taken."""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**63, 2**64, -(2**70), 10**40]),
    st.sampled_from([0.0, -0.0, 1.0, 2.5, float("inf")]),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.sampled_from([range(0), range(2, 2), range(0, 5), range(0, 6, 5), range(0, 2**70)]),
)


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


class HeapMachine(RuleBasedStateMachine):
    """Any order of writes, checkpoints in slices, atomic blocks, evictions and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        for patch in SMALL:
            patch.start()
        self.world = World(self.folder / "w")
        self.root = Node("Map", {})
        self.pairs: list[tuple[Any, Node]] = [(self.world.heap.root, self.root)]
        self.levels: list[list[tuple[Node, Any]]] = []
        self.saved: list[Any] = [("Map", [])]
        self.begun: list[Any] = []
        self.held: list[tuple[Any, Any]] = []
        self.world.save()

    def teardown(self) -> None:
        self.world.close()
        for patch in SMALL:
            patch.stop()
        shutil.rmtree(self.folder)

    # ------------------------------------------------------------------ values

    def value(self, data: st.DataObject, *, key: bool = False) -> tuple[Any, Any]:
        """A value, in the world and in the model."""
        usable = [pair for pair in self.pairs if not key or pair[1].kind not in ("List", "Map", "Set")]
        if usable and data.draw(st.booleans()):
            return usable[data.draw(st.integers(0, len(usable) - 1))]
        scalar = data.draw(SCALARS)
        return scalar, scalar

    def pick(self, data: st.DataObject, *kinds: str) -> tuple[Any, Node]:
        """One of the objects of the kinds."""
        usable = [pair for pair in self.pairs if pair[1].kind in kinds]
        assume(usable)
        return usable[data.draw(st.integers(0, len(usable) - 1))]

    def touch(self, obj: Any, node: Node) -> Any:
        self.world.touch(obj)
        return obj

    # ------------------------------------------------------------------ rules: objects

    @rule(data=st.data(), kind=st.sampled_from(["Point", "Link", "List", "Map", "Set", "function"]))
    def create(self, data: st.DataObject, kind: str) -> None:
        """A new object; most are put somewhere at once."""
        if kind in ("Point", "Link"):
            cls = {"Point": POINT, "Link": LINK}[kind]
            values = [self.value(data) for _ in cls._slots]
            obj = self.world.new(cls, *(value[0] for value in values))
            node = Node(kind, [value[1] for value in values])
        elif kind == "function":
            values = [self.value(data) for _ in range(data.draw(st.integers(0, 3)))]
            obj = closure(*(value[0] for value in values))
            node = Node(kind, [value[1] for value in values])
        elif kind == "List":
            values = [self.value(data) for _ in range(data.draw(st.integers(0, 12)))]
            obj, node = self.world.new(kind, [v[0] for v in values]), Node(kind, [v[1] for v in values])
        else:
            size = data.draw(st.integers(0, 10))
            keys = [self.value(data, key=True) for _ in range(size)]
            values = [self.value(data) if kind == "Map" else (None, None) for _ in range(size)]
            obj = self.world.new(kind, {k[0]: v[0] for k, v in zip(keys, values, strict=True)})
            node = Node(kind, {k[1]: v[1] for k, v in zip(keys, values, strict=True)})
        self.pairs.append((obj, node))
        if data.draw(st.booleans()):
            name = data.draw(st.sampled_from("pqrstuvwxyz"))
            self.touch(*self.pairs[0]).v[name] = obj
            self.root.data[name] = node

    @rule(data=st.data())
    def set_field(self, data: st.DataObject) -> None:
        obj, node = self.pick(data, "Point", "Link")
        value = self.value(data)
        place = data.draw(st.integers(0, len(obj._slots) - 1))
        setattr(self.touch(obj, node), obj._slots[place], value[0])
        node.data[place] = value[1]

    @rule(data=st.data(), what=st.sampled_from("append set insert delete extend slice clear reverse pop".split()))
    def change_list(self, data: st.DataObject, what: str) -> None:
        obj, node = self.pick(data, "List")
        value = self.value(data)
        v, model = self.touch(obj, node).v, node.data
        place = data.draw(st.integers(0, max(0, len(model) - 1)))
        stop = data.draw(st.integers(0, len(model)))
        many = data.draw(st.integers(0, 8))
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
            elif what == "clear":
                target.clear()
            else:
                target.reverse()

    @rule(data=st.data(), what=st.sampled_from("set set set old delete pop clear".split()))
    def change_map(self, data: st.DataObject, what: str) -> None:
        obj, node = self.pick(data, "Map", "Set")
        assume(node is not self.root)
        v, model = self.touch(obj, node).v, node.data
        key, value = self.value(data, key=True), self.value(data)
        if what == "old" and model:
            place = data.draw(st.integers(0, len(model) - 1))
            known = [k for k in v if not isinstance(k, Obj | FunctionType)]
            if known:
                key = (known[place % len(known)],) * 2
        if node.kind == "Set":
            value = (None, None)
        for target, k, item in ((v, key[0], value[0]), (model, key[1], value[1])):
            if what in ("set", "old"):
                target[k] = item
            elif what == "clear":
                target.clear()
            elif what == "pop":
                target.pop(k, None)
            elif k in target:
                del target[k]

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """Let go of an object: what is reached again later is a ghost."""
        if len(self.pairs) > 1:
            del self.pairs[data.draw(st.integers(1, len(self.pairs) - 1))]

    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        """As a frame does that iterates over a raw container: nobody may put another one in its place."""
        obj, node = self.pick(data, "List", "Map", "Set")
        self.held.append((obj, live(obj).v))

    @rule()
    def let_go(self) -> None:
        self.held.clear()

    # ------------------------------------------------------------------ rules: checkpoints

    @precondition(lambda self: self.world.heap.open is None and not self.levels)
    @rule()
    def begin(self) -> None:
        self.checkpoint = self.world.checkpoints.begin()
        self.begun = model_canonical(self.root)

    @precondition(lambda self: self.world.heap.open is not None)
    @rule(count=st.integers(1, 6))
    def step(self, count: int) -> None:
        for _ in range(count):
            if not self.checkpoint.step():
                self.saved = self.begun
                return

    @precondition(lambda self: self.world.heap.open is not None)
    @rule()
    def finish(self) -> None:
        self.checkpoint.run()
        self.saved = self.begun

    @rule()
    def sweep(self) -> None:
        for _ in self.world.heap.sweep(0):
            pass

    @precondition(lambda self: not self.levels)
    @rule()
    def crash(self) -> None:
        """End without a word, open again: the world is as at the beginning of the last finished checkpoint."""
        self.world.close()
        self.pairs.clear()
        self.held.clear()
        self.world = World(self.folder / "w")
        self.root = Node("Map", {})
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
            elif kind == "Set":
                node.data = {meet(key, mark): None for key, mark in zip(list(obj.v), contents, strict=True)}
            elif kind == "List":
                assert len(obj.v) == len(contents)
                node.data = [meet(v, m) for v, m in zip(obj.v, contents, strict=True)]
            else:
                fields = [getattr(obj, name) for name in obj._slots]
                node.data = [meet(v, m) for v, m in zip(fields, contents, strict=True)]
        return list(zip(found, nodes, strict=True))

    # ------------------------------------------------------------------ rules: atomic

    @precondition(lambda self: len(self.levels) < 3)
    @rule()
    def begin_atomic(self) -> None:
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

    @precondition(lambda self: self.levels)
    @rule()
    def commit_atomic(self) -> None:
        self.world.heap.commit_atomic()
        self.levels.pop()

    @precondition(lambda self: self.levels)
    @rule()
    def abort_atomic(self) -> None:
        self.world.heap.abort_atomic()
        for node, data in self.levels.pop():
            node.data = data

    # ------------------------------------------------------------------ what always holds

    @initialize()
    def first(self) -> None:
        self.check()

    @invariant()
    def check(self) -> None:
        """What is in memory, or can be loaded, is what the model says; held containers are still in place."""
        for obj, container in self.held:
            assert live(obj).v is container

    @rule()
    def compare(self) -> None:
        self.pair_up(self.world.heap.root, model_canonical(self.root))
        for obj, node in self.pairs:
            self.pair_up(obj, model_canonical(node))


TestHeap = HeapMachine.TestCase
TestHeap.settings = settings(stateful_step_count=60)
