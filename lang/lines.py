"""Lines of generated code, and what their writers share: names of globals, literals, counts of uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from holdfast.lang import ir

PURE = frozenset(
    "lt le gt ge eq ne in notin add sub mul div fdiv mod neg not isnil isinst isunset getfield index "
    "global getbox inrange islist len matches pow range slice text getfield_or_nil index_or_nil pairgone pairkey "
    "pairvalue".split()
)
"""Operations without an effect: they may be repeated, and moved down to their only use."""
CALLS = frozenset(("call", "callg", "callm", "calls", "spawn"))


@dataclass(slots=True)
class Line:
    """One line of generated code; ``n`` becomes its line number."""

    depth: int
    text: str
    n: int
    last: int = 0
    """The last instruction of the group."""


@dataclass(slots=True)
class Pending:
    """A pure value that waits for its only use."""

    temp: str
    text: str
    kind: str
    first: int
    products: int = 0
    """Multiplications in it whose size nobody has tested yet."""
    bound: str = ""
    """What the test compares with."""
    items: bool = False
    """The text is that of a List's raw items, and becomes a List when it is assigned."""


@dataclass(slots=True, frozen=True)
class RawMethods:
    """What the generator knows of the machine: names of methods of the kinds whose values are bare Python objects, and
    of those that are not; and what follows."""

    raw: frozenset[str]
    boxed: frozenset[str]
    text: frozenset[str] = frozenset()
    """Those of Text: they have globals of their own."""
    computed: frozenset[str] = frozenset()
    """Fields that are worked out when they are read: they change though nobody stores them."""
    ahead: bool = True
    """May a loop read ahead?  Not where a read may run code of a program (:mod:`holdfast.vm.upgrade`)."""


def arguments(texts: list[str], positional: int, names: tuple[str, ...]) -> str:
    """The arguments of a call; named ones get the prefix of parameters."""
    named = [f"v_{name}={text}" for name, text in zip(names, texts[positional:], strict=True)]
    return ", ".join([*texts[:positional], *named])


def literal(value: Any) -> str:
    """A constant as Python source.  Large integers in hexadecimal: decimal conversion is quadratic."""
    if type(value) is int and value.bit_length() > 64:
        return f"({hex(value)})"
    if type(value) is float and value - value != 0:  # inf and nan: a sum of constants may be one
        return "(1e999 - 1e999)" if value != value else "1e999" if value > 0 else "(-1e999)"
    text = repr(value)
    return f"({text})" if type(value) is int or text.startswith("-") else text  # 5.x would be a number to Python


def count_uses(nodes: list[ir.Node]) -> dict[str, tuple[int, int]]:
    """For each local: how many instructions assign it, and how many operands read it."""
    defs: dict[str, int] = {}
    reads: dict[str, int] = {}

    def read(operand: ir.Operand) -> None:
        if isinstance(operand, str):
            reads[operand] = reads.get(operand, 0) + 1

    for node in ir.walk(nodes):
        match node:
            case ir.Op():
                for arg in node.args:
                    read(arg)
                    if node.op == "iter":  # and who brings the frame back reads it, so it must have a name
                        read(arg)
                if node.dst is not None:
                    defs[node.dst] = defs.get(node.dst, 0) + 1
            case ir.If():
                read(node.cond)
            case ir.Logic():
                read(node.left)
                read(node.result)
                defs[node.dst] = defs.get(node.dst, 0) + 1
            case ir.Return():
                read(node.value)
            case ir.For():
                read(node.iterator)
            case ir.Try():
                defs[node.error] = defs.get(node.error, 0) + 2
    return {name: (count, reads.get(name, 0)) for name, count in defs.items()}


class NameTable:
    """Globals of generated code under names that Python's parser takes; the real keys go in afterwards."""

    def __init__(self, module_key: str) -> None:
        self.module_key = module_key
        self.keys: dict[str, str] = {}

    def name(self, key: str) -> str:
        """The stand-in for a global's key."""
        found = self.keys.get(key)
        if found is None:
            found = self.keys[key] = f"g_{len(self.keys)}"
        return found

    def maker(self, index: int) -> str:
        """The key of the function that makes closures of a function of this file."""
        return f"K:{self.module_key}:{index}"

    def real(self) -> dict[str, str]:
        """Stand-in to key."""
        return {name: key for key, name in self.keys.items()}
