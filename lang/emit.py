"""Straight-line code: IR operations to lines of Python, with one table of templates for both shapes.

Each line belongs to a *group* of consecutive instructions and carries the number of the group's first one.  A group
reads, and has at most one effect, at its end; so when it fails it may be run again from its first instruction.
That is what makes the direct shape fast: its templates are *speculative* (``x.v[i]`` takes x for a List or Map),
tests are left out, and what does not fit ends in a Python TypeError or AttributeError.  The frame then goes on in
the resumable shape at the group's first instruction, with templates that test (deoptimisation, as in Self and
HotSpot).  Wrong programs take the same way: so the generic operators are the only place that words errors.

What a speculation must never do is *succeed* wrongly: hence ``+`` in front of operands that might be Text
(``"%s" % x``, ``"a" * n`` and doubling are bombs), and the size test behind ``*``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from holdfast.lang import ir
from holdfast.lang.infer import ANY, NUMBERS

FUSED_MAX = 400
"""Characters of an expression; longer ones are cut by a temporary, since CPython compiles by recursion."""
TEXT_MAX = 64 * 1024 * 1024
SMALL = (1 << 30) - 1
"""The largest Int of one digit, as CPython keeps them."""
INLINE_JOIN_MAX = 4
"""Parts of an interpolation that are joined before the size is tested; each is within the limit."""
TEXT_INLINE = {"starts_with": "startswith", "ends_with": "endswith"}
"""Methods of Text that are a method of ``str`` when their one argument is a Text."""
_ATOM = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\Z")

KIND_TESTS = {
    "Nil": "{0} is None",
    "Bool": "type({0}) is bool",
    "Int": "type({0}) is int",
    "Float": "type({0}) is float",
    "Text": "type({0}) is str",
    "Bytes": "type({0}) is bytes",
    "Range": "type({0}) is range",
    "Function": "type({0}) is _Function",
    "List": "isinstance({0}, _List)",
    "Map": "isinstance({0}, _Map)",
    "Set": "isinstance({0}, _Set)",
}
COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "fdiv": "//", "mod": "%"}
PURE = frozenset(
    "lt le gt ge eq ne in notin add sub mul div fdiv mod neg not truthy isnil isinst isunset getfield index "
    "global getbox inrange islist len matches pow range slice text getfield_or_nil index_or_nil pairgone pairkey "
    "pairvalue".split()
)
"""Operations without an effect: they may be repeated, and moved down to their only use."""
CALLS = frozenset(("call", "callg", "callm", "calls", "spawn"))
METHOD_CALL_MAX = 255


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


@dataclass(slots=True, frozen=True)
class RawMethods:
    """Names of methods of the kinds whose values are bare Python objects, and of those that are not."""

    raw: frozenset[str]
    boxed: frozenset[str]
    text: frozenset[str] = frozenset()
    """Those of Text: they have globals of their own."""


class Emitter:
    """Lines of one function; subclasses add control flow.

    ``tested``: no speculation at all.  ``failed``: instructions whose speculation has failed before.
    """

    def __init__(self, function: ir.Function, names: NameTable, methods: RawMethods, tested: bool) -> None:
        self.function = function
        self.names = names
        self.methods = methods
        self.tested = tested
        self.failed: frozenset[int] = frozenset()
        self.hopeless: frozenset[int] = frozenset()
        """Instructions whose cheap test has failed too: these use the generic operators."""
        self.truths: frozenset[str] = frozenset()
        """Temporaries of which only the truth is asked."""
        self.kinds: dict[int, tuple[str, ...]] = {}
        self.lines: list[Line] = []
        self.depth = 0
        self.pending: list[Pending] = []
        self.current: set[str] = set()
        """Locals whose object has passed the barrier since the last point where a checkpoint may begin."""
        self.uses = count_uses(function.body)
        self.handles = any(isinstance(node, ir.Try) for node in ir.walk(function.body))
        self.here = 0
        """The instruction that is being emitted."""
        self.returned: str | None = None
        """A temporary that is only returned, by the next instruction."""
        self.repeated: dict[str, str] = {}
        """A List literal that is only repeated, by the next instruction: the raw items."""

    # ------------------------------------------------------------------ lines and pending values

    def line(self, text: str, n: int) -> None:
        """Append a line."""
        self.lines.append(Line(self.depth, text, n, max(n, self.here)))

    def flush(self, keep: int = 0) -> None:
        """Assign what is pending to its temporaries, save the last ``keep``."""
        count = len(self.pending) - keep
        for value in self.pending[:count]:
            self.line(f"{value.temp} = {value.text}", value.first)
        del self.pending[:count]

    def take(self, args: tuple[ir.Operand, ...], n: int, atoms: frozenset[int] = frozenset()) -> tuple[list[str], int]:
        """Texts of the operands, and the first instruction of the group that they form with instruction n.

        Pending values are used in place when they are the last ones, in order, and each is used once.
        ``atoms``: operands that the template names more than once.
        """
        wanted = [a for a in args if isinstance(a, str) and any(p.temp == a for p in self.pending)]
        tail = self.pending[len(self.pending) - len(wanted) :]
        in_order = [p.temp for p in tail] == wanted
        long = sum(len(p.text) for p in tail) > FUSED_MAX
        if not in_order or long or len(set(wanted)) != len(wanted):
            self.flush()
            return [self.atom(a) for a in args], n
        for i, a in enumerate(args):
            if i in atoms and a in wanted and not _ATOM.match(self.text_of(a)):
                # The template names the operand more than once: it and what stands before it get names.
                self.flush(len(wanted) - 1 - wanted.index(a))  # type: ignore[arg-type]
                return self.take(args, n, atoms)
        self.flush(len(wanted))
        first = min([p.first for p in tail], default=n)
        found = {p.temp: p.text for p in tail}
        self.pending.clear()
        return [found.get(a) or self.atom(a) if isinstance(a, str) else self.atom(a) for a in args], first

    def text_of(self, operand: ir.Operand) -> str:
        """The pending text of an operand, or its name."""
        for p in self.pending:
            if p.temp == operand:
                return p.text
        return self.atom(operand)

    def atom(self, operand: ir.Operand) -> str:
        """A local's name or a literal."""
        return operand if isinstance(operand, str) else literal(operand.value)

    def value(self, op: ir.Op, text: str, first: int, kind: str = ANY) -> None:
        """The result of a pure operation: pending when it is a temporary with one use, else assigned."""
        dst = op.dst
        assert dst is not None
        if self.uses.get(dst) == (1, 1) and dst.startswith("t"):
            self.pending.append(Pending(dst, f"({text})" if not _ATOM.match(text) else text, kind, first))
            return
        self.flush()
        self.assign(dst, text, first)

    def assign(self, dst: str, text: str, n: int) -> None:
        """dst = text."""
        self.current.discard(dst)
        self.line(f"{dst} = {text}", n)

    def kind(self, n: int, position: int) -> str:
        """The inferred type of an operand."""
        kinds = self.kinds.get(n)
        return kinds[position] if kinds is not None and position < len(kinds) else ANY

    def speculative(self, n: int) -> bool:
        """May instruction n leave out its tests?"""
        return not self.tested and n not in self.failed

    # ------------------------------------------------------------------ operations

    def op(self, op: ir.Op) -> None:
        """Emit one operation."""
        name = op.op
        self.here = op.n
        if name in COMPARE:
            self.compare(op)
        elif name in ARITHMETIC:
            self.arithmetic(op)
        elif name in CALLS:
            self.call(op)
        else:
            getattr(self, "op_" + name)(op)

    def simple(self, op: ir.Op, template: str, atoms: frozenset[int] = frozenset()) -> None:
        """A pure operation by a template with {0}, {1} …"""
        texts, first = self.take(op.args, op.n, atoms)
        self.value(op, template.format(*texts), first)

    def helper(self, op: ir.Op, function: str, *extra: str) -> None:
        """A pure operation that a host function does."""
        texts, first = self.take(op.args, op.n)
        self.value(op, f"{function}({', '.join([*texts, *extra])})", first)

    def compare(self, op: ir.Op) -> None:
        """Raw comparison is safe for all kinds: what has no order raises, and collections compare in host code."""
        nil = any(isinstance(a, ir.Const) and a.value is None for a in op.args)
        if op.op in ("eq", "ne") and nil:
            self.simple(op, "{0} is {1}" if op.op == "eq" else "{0} is not {1}")
        elif op.op in ("eq", "ne") or self.speculative(op.n):
            self.simple(op, "{0} %s {1}" % COMPARE[op.op])
        else:
            self.helper(op, "o_" + op.op)

    def arithmetic(self, op: ir.Op) -> None:
        """See the module's docstring for what the plus signs do."""
        left, right = self.kind(op.n, 0), self.kind(op.n, 1)
        if op.op == "mul" and self.repeated.get(str(op.args[0])):
            self.repeat(op)
            return
        numbers = (left in NUMBERS, right in NUMBERS)
        known = not all(kind in NUMBERS or kind == ANY for kind in (left, right))
        if (known and op.op != "add") or "list" in (left, right) or not (self.speculative(op.n) or all(numbers)):
            self.arithmetic_tested(op, left, right)
            return
        symbol = ARITHMETIC[op.op]
        if op.op == "add" and "text" in (left, right):
            self.concat(op, left, right)
        elif op.op in ("sub", "div", "fdiv") or (op.op in ("add", "mod") and any(numbers)):
            safe = op.op != "mod" or numbers[0]
            self.simple(op, ("{0} %s {1}" if safe else "+{0} %s {1}") % symbol)
        elif op.op in ("add", "mod"):
            self.simple(op, "+{0} %s {1}" % symbol)
        else:
            self.multiply(op, numbers)

    def repeat(self, op: ir.Op) -> None:
        """``[nil] * n``: the literal is not made as a List of its own; the size is tested."""
        raw = self.repeated.pop(str(op.args[0]))
        texts, first = self.take(op.args[1:], op.n)
        self.flush()
        count = op.args[1]
        small = isinstance(count, ir.Const) and type(count.value) is int and count.value < 1 << 16
        self.container(op, "_List", f"{raw} * {texts[0]}" if small else f"_repeat({raw}, {texts[0]})", first)

    def multiply(self, op: ir.Op, numbers: tuple[bool, bool]) -> None:
        """A product of large integers is tested: repeated squaring is a bomb.  Small factors add few bits."""
        template = ("{0}" if numbers[0] else "+{0}") + " * " + ("{1}" if numbers[1] else "+{1}")
        kinds = self.kind(op.n, 0), self.kind(op.n, 1)
        small = any(isinstance(a, ir.Const) and type(a.value) is int and abs(a.value) < 1 << 30 for a in op.args)
        if "float" in kinds or small:
            self.simple(op, template)
            return
        texts, first = self.take(op.args, op.n)
        self.flush()
        name = self.unseen(op)
        self.line(f"{name} = {template.format(*texts)}", first)
        # Comparing with a small Int is fastest: it decides for most products.
        self.line(f"if not (-{SMALL} < {name} < {SMALL} or -1e18 < {name} < 1e18): _product({name})", first)
        self.settle(op, name, first)

    def unseen(self, op: ir.Op) -> str:
        """Where a result waits until its size has been tested: a handler must not find it in a variable."""
        assert op.dst is not None
        return op.dst if op.dst.startswith("t") or not self.handles else "_r"

    def settle(self, op: ir.Op, name: str, n: int) -> None:
        """The tested result goes where it belongs."""
        assert op.dst is not None
        self.current.discard(op.dst)
        if name != op.dst:
            self.assign(op.dst, name, n)

    def concat(self, op: ir.Op, left: str, right: str) -> None:
        """Text + Text, kept in CPython's in-place form; the size is tested."""
        # A wrong kind on one side raises TypeError: "a" + 1.
        texts, first = self.take(op.args, op.n, frozenset((1,)) if self.handles else frozenset())
        self.flush()
        self.join_two(op, *texts, first)

    def join_two(self, op: ir.Op, a: str, b: str, n: int) -> None:
        """The sum of two Texts.  ``s = s + t`` stays in one variable, since CPython then extends s in place."""
        name = self.unseen(op)
        if name == "_r" and a == op.dst != b:
            self.assign(a, f"{a} + {b}", n)
            self.line(f"if _len({a}) > {TEXT_MAX}: _r = {a}; {a} = _without({a}, {b}); _too_long(_r)", n)
            return
        self.line(f"{name} = {a} + {b}", n)
        self.line(f"if _len({name}) > {TEXT_MAX}: _too_long({name})", n)
        self.settle(op, name, n)

    def arithmetic_tested(self, op: ir.Op, left: str, right: str) -> None:
        """With tests, or by the generic operator."""
        if op.op != "add":
            self.helper(op, "o_" + op.op)
            return
        texts, first = self.take(op.args, op.n, frozenset((0, 1)))
        self.flush()
        a, b = texts
        assert op.dst is not None
        self.line(f"if type({a}) is str and type({b}) is str:", first)
        self.depth += 1
        self.join_two(op, a, b, first)
        self.depth -= 1
        self.line(f"else: {op.dst} = o_add({a}, {b})", first)

    def op_pow(self, op: ir.Op) -> None:
        """Always generic: a bomb otherwise."""
        self.helper(op, "o_pow")

    def op_neg(self, op: ir.Op) -> None:
        """Raw: a Text raises."""
        self.simple(op, "-{0}") if self.speculative(op.n) else self.helper(op, "o_neg")

    def truth(self, operand: ir.Operand, kind: str) -> tuple[str, int | None]:
        """A Python condition that holds when the operand is neither nil nor false."""
        if isinstance(operand, ir.Const):
            return str(operand.value is not None and operand.value is not False), None
        if kind in ("bool", "err"):
            texts, first = self.take((operand,), 1 << 30)
            return (texts[0] if kind == "bool" else f"{texts[0]} is not None"), None if first == 1 << 30 else first
        texts, first = self.take((operand,), 1 << 30, frozenset((0,)))
        return f"{texts[0]} is not None and {texts[0]} is not False", None if first == 1 << 30 else first

    def op_not(self, op: ir.Op) -> None:
        """True for nil and false."""
        if self.kind(op.n, 0) == "bool":
            self.simple(op, "not {0}")
        else:
            self.simple(op, "{0} is None or {0} is False", frozenset((0,)))

    def op_isnil(self, op: ir.Op) -> None:
        """Identity."""
        self.simple(op, "{0} is None")

    def op_isunset(self, op: ir.Op) -> None:
        """Was a parameter left out?"""
        self.simple(op, "{0} is _U")

    def op_required(self, op: ir.Op) -> None:
        """A field without default behind one with: the constructor tests that it was given."""
        self.statement(op, "_required", repr(op.data[0]), repr(op.data[1]))

    def op_isinst(self, op: ir.Op) -> None:
        """A kind by exact type, a class by isinstance (ghosts are subclasses)."""
        name = op.data.removeprefix("b:")
        if name == "Number":
            self.simple(op, "type({0}) is int or type({0}) is float", frozenset((0,)))
        elif name in KIND_TESTS:
            self.simple(op, KIND_TESTS[name])
        else:
            self.simple(op, "isinstance({0}, %s)" % self.names.name("C:" + name))

    def op_in(self, op: ir.Op) -> None:
        """Membership: hashing and equality of what can stand in a collection run no guest code."""
        if self.speculative(op.n) and self.kind(op.n, 1) not in ("text", "range", "bytes"):
            self.simple(op, "{0} in {1}.k" if op.op == "in" else "{0} not in {1}.k")
        elif not self.tested and op.n not in self.hopeless and self.kind(op.n, 1) in (ANY, "text"):
            template = "{0} %s ({1} if type({1}) is str else {1}.k)"
            self.simple(op, template % ("in" if op.op == "in" else "not in"), frozenset((1,)))
        else:
            self.helper(op, "o_" + op.op)

    op_notin = op_in

    def op_range(self, op: ir.Op) -> None:
        """A Range; int operands need no test."""
        if self.kind(op.n, 0) == "int" == self.kind(op.n, 1):
            self.simple(op, "range({0}, {1} + 1)" if op.data else "range({0}, {1})")
        else:
            self.helper(op, "o_range", str(op.data))

    def op_matches(self, op: ir.Op) -> None:
        """A catch clause; a killed thread's unwinding is caught by none."""
        if op.data is None:
            self.simple(op, "_catchable({0})")
        else:
            name = op.data.removeprefix("b:")
            self.simple(op, "isinstance({0}, %s) and _catchable({0})" % self.names.name("C:" + name), frozenset((0,)))

    def op_inrange(self, op: ir.Op) -> None:
        """A range pattern: false for what is no number."""
        low, high, closed = op.data
        self.helper(op, "_inrange", str(low), str(high), str(closed))

    def op_islist(self, op: ir.Op) -> None:
        """A List of that length?"""
        self.simple(op, "isinstance({0}, _List) and _len({0}.v) == %d" % op.data, frozenset((0,)))

    def op_getfield(self, op: ir.Op) -> None:
        """A slot; on a Map a property that reads the key; on a ghost it loads."""
        if self.tested:
            self.helper(op, "o_getfield", repr(op.data))
        else:
            self.simple(op, "{0}.f_" + op.data)

    def op_getfield_or_nil(self, op: ir.Op) -> None:
        """For ``??=``: a missing key is nil."""
        self.helper(op, "_getfield_or_nil", repr(op.data))

    def op_index_or_nil(self, op: ir.Op) -> None:
        """For ``??=``: a missing key is nil."""
        self.helper(op, "_index_or_nil")

    def op_index(self, op: ir.Op) -> None:
        """List and Map keep their raw container in ``v``; Text, Bytes and Range are raw themselves."""
        kind = self.kind(op.n, 0)
        if kind in ("text", "bytes", "range") and self.kind(op.n, 1) == "int" and not self.tested:
            self.simple(op, "{0}[{1}]")
        elif self.speculative(op.n) and kind not in ("text", "bytes", "range"):
            self.simple(op, "{0}.e[{1}]")
        elif not self.tested and op.n not in self.hopeless and kind in (ANY, "text"):
            self.simple(op, "({0} if type({0}) is str else {0}.e)[{1}]", frozenset((0,)))
        else:
            self.helper(op, "o_index")

    def op_slice(self, op: ir.Op) -> None:
        """Always generic: bounds are clamped, sizes tested."""
        self.helper(op, "o_slice", str(op.data))

    def op_text(self, op: ir.Op) -> None:
        """Interpolation: conversion of values runs no guest code."""
        texts, first = self.take(op.args, op.n)
        pieces: list[str] = []
        for number, piece in enumerate(op.data):
            if piece:
                pieces.append(literal(piece))
            if number < len(texts):
                known = self.kind(op.n, number) == "text"
                pieces.append(texts[number] if known else f"_text({texts[number]})")
        parts = f"({', '.join(pieces)},)"
        if len(texts) > INLINE_JOIN_MAX:
            self.value(op, f"_join({parts})", first, "text")
            return
        self.flush()
        name = self.unseen(op)
        self.line(f"{name} = ''.join({parts})", first)
        self.line(f"if _len({name}) > {TEXT_MAX}: _too_long({name})", first)
        self.settle(op, name, first)

    def op_global(self, op: ir.Op) -> None:
        """A definition, or the root."""
        self.value(op, self.names.name(op.data), op.n)

    def op_getbox(self, op: ir.Op) -> None:
        """A captured variable; one that may not be set yet is tested."""
        checked, name = op.data
        if checked:
            self.helper(op, "_getbox", repr(name))
        else:
            self.simple(op, "{0}.v")

    def op_pairgone(self, op: ir.Op) -> None:
        """Has the key been removed since the walk began?"""
        self.helper(op, "_pairgone")

    def op_pairkey(self, op: ir.Op) -> None:
        """Key or index of a turn."""
        self.helper(op, "_pairkey")

    def op_pairvalue(self, op: ir.Op) -> None:
        """Value of a turn."""
        self.helper(op, "_pairvalue")

    # ------------------------------------------------------------------ effects

    def op_move(self, op: ir.Op) -> None:
        """A copy; fused with a pending value."""
        texts, first = self.take(op.args, op.n)
        assert op.dst is not None
        self.flush()
        self.assign(op.dst, texts[0], first)
        source = op.args[0]
        if isinstance(source, str) and source in self.current:
            self.current.add(op.dst)

    def barrier(self, obj: str, n: int) -> None:
        """The write barrier, unless the object has passed it since the last safepoint."""
        if obj not in self.current:
            self.line(f"if {obj}._t is not _T: _dirty({obj})", n)
            self.current.add(obj)

    def op_setfield(self, op: ir.Op) -> None:
        """Barrier and store."""
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        if self.tested:
            self.line(f"o_setfield({texts[0]}, {op.data!r}, {texts[1]})", first)
            return
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.f_{op.data} = {texts[1]}", first)

    def op_setindex(self, op: ir.Op) -> None:
        """Barrier and store; a bad key raises before anything is changed."""
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        if not self.speculative(op.n):
            self.line(f"o_setindex({', '.join(texts)})", first)
            return
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.e[{texts[1]}] = {texts[2]}", first)

    def op_setbox(self, op: ir.Op) -> None:
        """A captured variable."""
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.v = {texts[1]}", first)

    def made(self, dst: str, cls: str, n: int) -> None:
        """Header of a new object: the current token, no id."""
        self.assign(dst, f"{cls}()", n)
        self.line(f"{dst}._t = _T", n)
        self.line(f"{dst}._i = 0", n)
        self.current.add(dst)

    def fresh_name(self, op: ir.Op) -> str:
        """Where a new object is built: never the destination while that is still an operand."""
        return "_n" if op.dst is None or op.dst in op.args else op.dst

    def op_list(self, op: ir.Op) -> None:
        """A new List."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        if op.dst in self.repeated:
            self.repeated[op.dst] = f"[{', '.join(texts)}]"  # type: ignore[index]
            return
        self.container(op, "_List", f"[{', '.join(texts)}]", first)

    def container(self, op: ir.Op, cls: str, raw: str, first: int) -> None:
        """A new collection around a raw container, which is built before the destination is touched."""
        name = self.fresh_name(op)
        if raw not in ("[]", "{}"):
            self.line(f"_r = {raw}", first)
            raw = "_r"
        self.made(name, cls, first)
        self.line(f"{name}.v = {raw}", first)
        if name != op.dst and op.dst is not None:
            self.assign(op.dst, name, first)
            self.current.add(op.dst)

    def op_map(self, op: ir.Op) -> None:
        """A new Map; keys that cannot be keys raise TypeError in the literal."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        if self.tested and not all(isinstance(a, ir.Const) for a in op.args[::2]):
            assert op.dst is not None
            self.assign(op.dst, f"_map(({', '.join(texts)},))", first)
            return
        pairs = ", ".join(f"{k}: {v}" for k, v in zip(texts[::2], texts[1::2], strict=True))
        self.container(op, "_Map", f"{{{pairs}}}", first)

    def op_restlist(self, op: ir.Op) -> None:
        """The rest arguments, a Python tuple until here, as a List."""
        assert op.dst is not None
        self.flush()
        self.line(f"_r = list({op.dst})", op.n)
        self.made(op.dst, "_List", op.n)
        self.line(f"{op.dst}.v = _r", op.n)

    def op_box(self, op: ir.Op) -> None:
        """A new Box."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        name = self.fresh_name(op)
        value = texts[0] if texts else "_U"
        assert op.dst is not None
        if value != "_U" and not _ATOM.match(value):
            self.line(f"_r = {value}", first)
            value = "_r"
        self.made(name, "_Box", first)
        self.line(f"{name}.v = {value}", first)
        if name != op.dst:
            self.assign(op.dst, name, first)

    def op_alloc(self, op: ir.Op) -> None:
        """A new instance."""
        self.flush()
        assert op.dst is not None
        self.made(op.dst, self.names.name("C:" + op.data), op.n)

    def op_closure(self, op: ir.Op) -> None:
        """A function value: the maker binds the captures."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        assert op.dst is not None
        self.assign(op.dst, f"{self.names.name(self.names.maker(op.data))}({', '.join(texts)})", first)

    def op_iter(self, op: ir.Op) -> None:
        """The iterator of a for loop."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        assert op.dst is not None
        if self.kind(op.n, 0) == "range" and op.data == 1:
            self.assign(op.dst, f"iter({texts[0]})", first)
        elif self.kind(op.n, 0) == "list" and op.data == 1:
            self.assign(op.dst, f"iter({texts[0]}.v)", first)
        else:
            self.assign(op.dst, f"_iter{op.data}({texts[0]})", first)

    def statement(self, op: ir.Op, function: str, *extra: str) -> None:
        """A host function called for its effect."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        self.line(f"{function}({', '.join([*texts, *extra])})", first)
        self.current.clear()

    def op_safepoint(self, op: ir.Op) -> None:
        """Once a turn: two instructions while nobody asks."""
        self.flush()
        self.line("if _poll: _safepoint()", op.n)
        self.current.clear()

    def op_throw(self, op: ir.Op) -> None:
        """Host code makes the exception; ``raise`` stands here, so that the frame's line is the instruction's."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        self.line(f"raise _throw({texts[0]})", first)

    def op_rethrow(self, op: ir.Op) -> None:
        """The pending error of a finally or an unmatched catch."""
        self.flush()
        self.line(f"raise _rethrow({self.atom(op.args[0])})", op.n)

    def op_assert(self, op: ir.Op) -> None:
        """A failed assertion."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        self.line(f"raise _assertion({literal(op.data)}, {', '.join(texts)})", first)

    def op_atomic_begin(self, op: ir.Op) -> None:
        """A new level of undo."""
        self.statement(op, "_atomic_begin")

    def op_atomic_commit(self, op: ir.Op) -> None:
        """Keep what the level wrote."""
        self.statement(op, "_atomic_commit")

    def op_atomic_abort(self, op: ir.Op) -> None:
        """Undo what the level wrote."""
        self.statement(op, "_atomic_abort")

    def op_behalf_begin(self, op: ir.Op) -> None:
        """Rights cut down to those of a message's sender."""
        self.statement(op, "_behalf_begin")

    def op_behalf_end(self, op: ir.Op) -> None:
        """The end of that."""
        self.statement(op, "_behalf_end")

    # ------------------------------------------------------------------ calls

    def call(self, op: ir.Op) -> None:
        """A guest call: alone in its statement, so that nothing but locals is live while it runs."""
        if op.op == "spawn":
            self.spawn(op)
            return
        if op.op == "callg" and self.intrinsic(op):
            return
        target, positional, names = op.data
        skip = {"call": 1, "callg": 0, "callm": 1, "calls": 1}[op.op]
        if op.op == "callm":
            self.method_call(op, target, positional, names)
            return
        texts, first = self.take(op.args, op.n, frozenset((0,)) if self.tested else frozenset())
        self.flush()
        head = {
            "call": texts[0] if op.op == "call" else "",
            "callg": self.names.name(target) if op.op == "callg" else "",
            "calls": self.names.name("S:{}.{}".format(*target)) if op.op == "calls" else "",
        }[op.op]
        args = arguments(texts[skip:], positional, names)
        if op.op == "calls":
            args = ", ".join(filter(None, [texts[0], args]))
        if self.tested:
            self.line(f"_check({head}, {positional + (op.op == 'calls')}, {names!r})", first)
        self.result(op, f"{head}({args})", first)

    def result(self, op: ir.Op, text: str, n: int) -> None:
        """Store, return or drop the result of a call."""
        if op.dst is not None and op.dst == self.returned:
            self.line(f"return {text}", n)
            self.returned = None
        elif op.dst is None:
            self.line(text, n)
        else:
            self.assign(op.dst, text, n)
        self.current.clear()

    def intrinsic(self, op: ir.Op) -> bool:
        """Built-in functions that are one Python operation."""
        target, positional, names = op.data
        if target != "b:len" or positional != 1 or names or op.dst is None:
            return False
        kind = self.kind(op.n, 0)
        if kind == "text":
            self.simple(op, "_len({0})")
        elif self.speculative(op.n) and kind not in ("range", "bytes"):
            self.simple(op, "_len({0}.v)")
        elif not self.tested and op.n not in self.hopeless and kind == ANY:
            self.simple(op, "_len({0} if type({0}) is str else {0}.v)", frozenset((0,)))
        else:
            self.simple(op, "o_len({0})")
        return True

    def method_call(self, op: ir.Op, method: str, positional: int, names: tuple[str, ...]) -> None:
        """``o.m(…)``: an attribute where the object has one; bare kinds are tested for where the name is theirs."""
        kind = self.kind(op.n, 0)
        if method == "push" and positional == 1 and not names and self.speculative(op.n):
            self.push(op)
            return
        raw_only = method in self.methods.raw and method not in self.methods.boxed
        tested = not self.speculative(op.n) or (raw_only and kind not in ("list", "map", "obj"))
        texts, first = self.take(op.args, op.n, frozenset((0,)) if tested else frozenset())
        self.flush()
        args = arguments(texts[1:], positional, names)
        if self.tested:
            self.method_call_checked(op, texts[0], args, first)
            return
        if not tested:
            self.result(op, f"{texts[0]}.m_{method}({args})", first)
            return
        with_self = ", ".join(filter(None, [texts[0], args]))
        dst = f"{op.dst} = " if op.dst is not None else ""
        if raw_only and method in self.methods.text and kind in (ANY, "text") and op.n not in self.hopeless:
            text_call = f"{self.names.name('M:Text.' + method)}({with_self})"
            if method in TEXT_INLINE and positional == 1 and not names and self.kind(op.n, 1) == "text":
                text_call = f"{texts[0]}.{TEXT_INLINE[method]}({args})"
            if kind == "text":
                self.result(op, text_call, first)
                return
            self.line(f"if type({texts[0]}) is str: {dst}{text_call}", first)
            self.line("else:", first)
            self.depth += 1
            self.method_call_tested(op, texts[0], method, args, with_self, first)
            self.depth -= 1
        else:
            self.method_call_tested(op, texts[0], method, args, with_self, first)
        if op.dst is not None:
            self.current.discard(op.dst)
        self.current.clear()

    def method_call_tested(self, op: ir.Op, obj: str, method: str, args: str, with_self: str, first: int) -> None:
        """A call that looks at the receiver first."""
        dst = f"{op.dst} = " if op.dst is not None else ""
        # _method gives None where the class has the method, so that a call leaves no host frame in between.
        self.line(f"_m = _method({obj}, {method!r})", first)
        self.line(f"if _m is None: {dst}{obj}.m_{method}({args})", first)
        self.line(f"else: {dst}_m({with_self})", first)

    def method_call_checked(self, op: ir.Op, obj: str, args: str, first: int) -> None:
        """The generic call: looked up and checked by host code, so that every error is worded there."""
        method, positional, names = op.data
        dst = f"{op.dst} = " if op.dst is not None else ""
        with_self = ", ".join(filter(None, [obj, args]))
        self.line(f"_m = _lookup({obj}, {method!r}, {positional}, {names!r})", first)
        self.line(f"if type(_m) is _Field: {dst}_m.function({args})", first)
        self.line(f"else: {dst}_m({with_self})", first)
        if op.dst is not None:
            self.current.discard(op.dst)
        self.current.clear()

    def push(self, op: ir.Op) -> None:
        """``xs.push(v)`` on a List: only a raw list has ``append``, so anything else deoptimises."""
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.v.append({texts[1]})", first)
        if op.dst is not None:
            self.assign(op.dst, "None", first)

    def spawn(self, op: ir.Op) -> None:
        """A new thread: the callee is looked up here, called there."""
        kind, target, positional, names, grants, budget = op.data
        texts, first = self.take(op.args, op.n)
        self.flush()
        skip = {"call": 1, "callg": 0, "callm": 1, "calls": 1}[kind]
        count = positional + len(names)
        args, extra = texts[skip : skip + count], texts[skip + count :]
        if kind == "callg":
            head = self.names.name(target)
        elif kind == "calls":
            head = self.names.name("S:{}.{}".format(*target))
        else:
            head = texts[0]
        method = repr(target) if kind == "callm" else "None"
        receiver = f"({texts[0]},)" if kind == "calls" else "()"
        self.result(
            op,
            f"_spawn({head}, {method}, {receiver}, ({''.join(a + ', ' for a in args)}), {positional}, {names!r}, "
            f"{grants!r}, {budget!r}, ({''.join(e + ', ' for e in extra)}))",
            first,
        )


def arguments(texts: list[str], positional: int, names: tuple[str, ...]) -> str:
    """The arguments of a call; named ones get the prefix of parameters."""
    named = [f"v_{name}={text}" for name, text in zip(names, texts[positional:], strict=True)]
    return ", ".join([*texts[:positional], *named])


def literal(value: Any) -> str:
    """A constant as Python source.  Large integers in hexadecimal: decimal conversion is quadratic."""
    if type(value) is int and value.bit_length() > 64:
        return f"({hex(value)})"
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

