"""How far the loops of a frame have come.

The iterator of a ``for`` is an object of the host, which no record can hold.  What is kept of it is a
:class:`Position`; what it walks over is the value of another local of the same frame (see
:mod:`holdfast.lang.ir`).  A loop over a Map or Set walks over the keys that were there at its beginning: these become a
List, which belongs to the position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from holdfast.lang import ir
from holdfast.vm import ids
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.domains import Cap
from holdfast.vm.objects import Obj, live


class Loop(NamedTuple):
    """A ``for`` of a function."""

    iterator: str
    """The local that holds the iterator, """
    source: str
    """and the one that holds what it walks over."""
    names: int
    """Of one or two variables."""
    first: int
    last: int
    """The instructions of its body, and its own number: where the iterator matters."""


def loops_of(function: ir.Function) -> list[Loop]:
    """The loops of a function that have an iterator."""
    nodes = ir.walk(function.body)
    made = {node.dst: node for node in nodes if isinstance(node, ir.Op) and node.op == "iter"}
    found = []
    for node in nodes:
        if isinstance(node, ir.For):
            op = made[node.iterator]
            last = max((inner.n for inner in ir.walk(node.body)), default=node.n)
            found.append(Loop(node.iterator, str(op.args[0]), op.data, min(node.n, last), max(node.n, last)))
    return found


class Position:
    """How many turns an iterator has made, and for a Map or Set the keys that it walks over."""

    __slots__ = ("keys", "turns")

    def __init__(self, turns: int, keys: Any = None) -> None:
        self.turns = turns
        self.keys = keys


def position(iterator: Any, source: Any, keys_of: Callable[[list[Any]], Any]) -> Position:
    """The position of an iterator over the value; ``keys_of`` gives the List for the keys of a Map or Set."""
    iterator = getattr(iterator, "inner", iterator)
    cls = type(iterator)
    if cls is enumerate:
        iterator = iterator.__reduce__()[1][0]
        cls = type(iterator)
    if isinstance(source, Cap):
        source = live(source.target)
    if type(source) is range:
        return Position(len(source) - iterator.__length_hint__())
    state = iterator.__reduce__()
    turns = state[2] if len(state) > 2 else 0
    if getattr(type(source), "_k", 0) in (ids.MAP, ids.SET):
        return Position(turns, keys_of(state[1][0]))
    return Position(turns)


def iterator_at(source: Any, names: int, at: Position, domain: Any) -> Iterator[Any]:
    """The iterator again, of a frame that runs in a domain (None in plain code).

    Raises DamagedRecord when there is none over such a value.
    """
    inner: Any
    if domain is not None and isinstance(source, Obj) and not isinstance(source, Cap):
        monitor = getattr(type(source), "_monitor", None)  # of a collection
        if monitor is not None and not monitor.counts(domain, source):
            source = monitor.out(domain, source)  # the thread has given up its rights meanwhile
    if isinstance(source, Cap):
        monitor = source._monitor
        over = iterator_at(live(source.target), names, at, None)
        found: Iterator[Any] = monitor.guarded.over(domain or monitor.top, source, over, names == 2)
        return found
    if at.keys is not None:
        inner = _over(live(at.keys).v, at.turns)
    elif type(source) is range:
        inner = iter(source[at.turns :])
    elif type(source) in (str, bytes):
        inner = iter(source)
        inner.__setstate__(at.turns)
    elif getattr(type(live(source)), "_k", 0) == ids.LIST:
        inner = _over(source.v, at.turns)
    else:
        raise DamagedRecord("a frame", "a loop over what cannot be walked over")
    if names == 2 and at.keys is None:
        return enumerate(inner, at.turns)
    return inner  # type: ignore[no-any-return]


def _over(raw: Any, turns: int) -> Iterator[Any]:
    """An iterator over a raw container that has made so many turns; it may have become shorter meanwhile."""
    made: Any = iter(raw)
    missing = turns - len(raw)
    if missing > 0 and type(raw) is list:  # else the iterator would stand at the end, and see what comes behind that
        raw.extend([None] * missing)
        made.__setstate__(turns)
        del raw[len(raw) - missing :]
    else:
        made.__setstate__(turns)
    found: Iterator[Any] = made
    return found
