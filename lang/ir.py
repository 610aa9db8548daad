"""The intermediate representation: structured, in A-normal form.

A function's body is a list of nodes.  A leaf (:class:`Op`) does one thing; its operands are locals (``str``) or
constants (:class:`Const`).  Every call stands alone, so at any call nothing but locals is live: a frame is its
instruction number and its locals, and can be saved and entered again.

Numbers: each node has a number ``n``, unique in its function and growing in program order.  Generated code uses it
as the Python line number, so the frame of a parked thread tells its instruction (``f_lineno``).  Number 0 is the
entry.

==========================  ==========================================================================
operation                   meaning (args → dst); ``data`` in brackets
==========================  ==========================================================================
``move`` a                  dst = a
``add sub mul div fdiv      arithmetic
mod pow`` a b
``neg not`` a
``lt le gt ge eq ne`` a b   comparison (a Bool)
``in notin`` a b            membership (a Bool)
``range`` a b               [closed]
``isinst`` a                [global name of the class, or kind name] (a Bool)
``isnil`` a                 (a Bool)
``matches`` e               [class or None] may a catch clause take this error?
``getfield`` o              [name]
``setfield`` o v            [name]
``index`` o i, ``setindex`` o i v, ``slice`` o a b [closed]
``call`` f a…               [(number of positional arguments, names of the others)]
``callg`` a…                [(global name, …as for call)] a definition, by name
``callm`` o a…              [(method, …)]
``calls`` self a…           [(class, method, …)] super
``list`` a…, ``map`` k v…, ``text`` a… [literal pieces around them]
``global``                  [global name] the definition as a value
``closure`` c…              [function index] captures in order of the function's capture list
``box``                     a new Box; a… its value if given
``getbox`` b                [(checked, name, may change)], ``setbox`` b v
``iter`` x                  [1 or 2 variables] the iterator of a ``for``
``alloc``                   [class global] a new, empty instance
``param`` a                 [Const default or None]: parameter default test, see lower
``spawn``                   [call data] a…
``safepoint``               once a turn of a loop: where a thread may be preempted, saved and killed
``throw`` e, ``assert`` m   never fall through
``atomic_begin``, ``atomic_commit``, ``atomic_abort``
``restlist`` a              the rest arguments as a List
``required`` a              [class, field]: error unless the constructor's parameter was given
``behalf_begin`` m          goes on with the rights of a message's sender; dst = the domain before that
``behalf_end`` d            goes on in that domain again
==========================  ==========================================================================

The operand of ``iter`` is a temporary that stays what it is throughout the loop: a frame on disk has the position of
the iterator only, and what it walks over is found there.

:mod:`holdfast.lang.plain` has the form in which the world keeps a function that has a frame on disk; ``IR_VERSION`` is
kept beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

IR_VERSION = 3


@dataclass(slots=True, frozen=True)
class Const:
    """A constant operand: nil, Bool, Int, Float, Text or Bytes."""

    value: Any

    def __repr__(self) -> str:
        return f"#{self.value!r}"


Operand = str | Const


@dataclass(slots=True, eq=False)
class Op:
    """One instruction."""

    n: int
    op: str
    dst: str | None
    args: tuple[Operand, ...]
    data: Any = None


@dataclass(slots=True, eq=False)
class If:
    """Two ways; the condition is a Hold value (only nil and false are false)."""

    n: int
    cond: Operand
    then: list[Node]
    other: list[Node]


@dataclass(slots=True, eq=False)
class Logic:
    """``and`` / ``or``: dst = left; if that decides not, run ``right`` and dst = result."""

    n: int
    op: str
    dst: str
    left: Operand
    right: list[Node]
    result: Operand


@dataclass(slots=True, eq=False)
class Loop:
    """``while true``; ``once`` for a region that is left by Break and never repeats (no safepoint)."""

    n: int
    body: list[Node]
    once: bool = False


@dataclass(slots=True, eq=False)
class For:
    """Turns of an iterator (made by ``iter`` and kept in a local); binds one or two locals."""

    n: int
    iterator: str
    names: tuple[str, ...]
    body: list[Node]


@dataclass(slots=True, eq=False)
class Try:
    """Runs the body; an error goes to the local ``error`` (nil before) and execution goes on after the node."""

    n: int
    body: list[Node]
    error: str


@dataclass(slots=True, eq=False)
class Break:
    """Leave the innermost Loop or For."""

    n: int


@dataclass(slots=True, eq=False)
class Continue:
    """Next turn of the innermost For, or of a Loop that is not ``once``."""

    n: int


@dataclass(slots=True, eq=False)
class Return:
    """Leave the function."""

    n: int
    value: Operand


Node = Op | If | Logic | Loop | For | Try | Break | Continue | Return


@dataclass(slots=True, eq=False)
class Parameter:
    """``default`` is a Const, or None; ``optional``: may be left out (it is then ``UNSET`` unless a Const default)."""

    name: str
    py: str
    optional: bool
    default: Const | None
    rest: bool


@dataclass(slots=True, eq=False)
class Function:
    """One function, complete."""

    name: str
    index: int
    parameters: list[Parameter]
    captures: list[str]
    body: list[Node]
    size: int
    """One more than the largest instruction number."""
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Instruction number to the place in the source."""
    variables: dict[str, str] = field(default_factory=dict)
    """Python local to the variable's name, for those that a person may see."""
    boxed: frozenset[str] = frozenset()
    """Python locals that hold a Box."""
    doc: str | None = None
    method: bool = False
    handling: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Instruction number, in a ``catch`` or ``finally`` body, to the locals of the errors handled there, innermost
    first: what is thrown there has such an error as its cause."""
    domain: str = ""
    """How its code knows the domain that it runs in: one of :mod:`holdfast.lang.guard`; "" for the plain variant."""
    definer: str = ""
    """Where it finds the domain that made it: the key of a global, or a capture."""
    scopes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Python local of a variable to the part of the source in which it is in scope; without one it is everywhere."""


def walk(nodes: list[Node]) -> list[Node]:
    """All nodes below, in program order."""
    out: list[Node] = []
    stack: list[Node] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        out.append(node)
        for inner in reversed(children(node)):
            stack.extend(reversed(inner))
    return out


def children(node: Node) -> list[list[Node]]:
    """The node lists inside a node."""
    match node:
        case If():
            return [node.then, node.other]
        case Logic():
            return [node.right]
        case Loop() | For() | Try():
            return [node.body]
    return []


def assigned(nodes: list[Node]) -> set[str]:
    """Every local that some node below may assign."""
    out: set[str] = set()
    for node in walk(nodes):
        match node:
            case Op() | Logic():
                if node.dst is not None:
                    out.add(node.dst)
            case For():
                out.update(node.names)
            case Try():
                out.add(node.error)
    return out
