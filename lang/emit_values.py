"""Pure operations: templates of expressions.

What a speculation must never do is *succeed* wrongly: hence ``+`` in front of operands that might be Text
(``"%s" % x``, ``"a" * n`` and doubling are bombs), and the size test behind ``*``.
"""

from __future__ import annotations

from holdfast.lang import ir
from holdfast.lang.emit_lines import LARGE, SMALL, LineEmitter
from holdfast.lang.infer import ANY, NUMBERS
from holdfast.lang.lines import Pending, literal

TEXT_MAX = 64 * 1024 * 1024
PRODUCTS_MAX = 4
"""Multiplications in one expression before its size is tested: each operand is within the limit of an Int, so what
comes in between is bounded too."""
INLINE_JOIN_MAX = 4
"""Parts of an interpolation that are joined before the size is tested; each is within the limit."""
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
COLLECTION_TESTS = {"List": "_List", "Map": "_Map", "Set": "_Set", "Function": "_Function"}
"""Kinds whose values a capability may stand for."""
COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "fdiv": "//", "mod": "%"}


def doubts(operation: str, kinds: tuple[str, ...]) -> tuple[bool, bool]:
    """Which operands of arithmetic must be shown to be numbers, by a plus sign in front: where a Text or List would
    succeed wrongly."""
    left, right = (kind not in NUMBERS for kind in kinds)
    if operation == "add":
        return left and right, False
    if operation == "mod":
        return left, False
    return (left, right) if operation == "mul" else (False, False)


class ValueEmitter(LineEmitter):
    """Operations without an effect."""

    def simple(self, op: ir.Op, template: str, atoms: frozenset[int] = frozenset(), untested: bool = False) -> None:
        """A pure operation by a template with {0}, {1} …; ``untested`` where its result is small whatever it takes."""
        texts, first = self.take(op.args, op.n, atoms, untested)
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
            self.simple(op, f"{{0}} {COMPARE[op.op]} {{1}}", untested=op.op not in ("eq", "ne"))
        else:
            self.helper(op, "o_" + op.op)

    def arithmetic(self, op: ir.Op) -> None:
        """See the module's docstring for what the plus signs do."""
        left, right = self.kind(op.n, 0), self.kind(op.n, 1)
        numbers = (left in NUMBERS, right in NUMBERS)
        known = not all(kind in NUMBERS or kind == ANY for kind in (left, right))
        if (known and op.op != "add") or "list" in (left, right) or not (self.speculative(op.n) or all(numbers)):
            self.arithmetic_tested(op, left, right)
            return
        if op.op == "add" and "text" in (left, right):
            self.concat(op, left, right)
            return
        signs = ["+" if doubted else "" for doubted in doubts(op.op, (left, right))]
        texts, first = self.take(op.args, op.n, untested=True)
        text = f"{signs[0]}{texts[0]} {ARITHMETIC[op.op]} {signs[1]}{texts[1]}"
        bound = SMALL if "int" in (left, right) or self.bound == SMALL else LARGE
        divisor = op.args[1]
        if "float" in (left, right) or op.op == "div" or (op.op == "mod" and isinstance(divisor, ir.Const)):
            self.value(op, text, first)  # no large Int can come of it
        else:
            self.sized(op, text, first, self.products + (op.op == "mul"), bound)

    def sized(self, op: ir.Op, text: str, first: int, products: int, bound: str) -> None:
        """A number with untested multiplications in it: tested where it is kept, or where there are too many."""
        assert op.dst is not None
        if not products:
            self.value(op, text, first)
        elif products <= PRODUCTS_MAX and self.uses.get(op.dst) == (1, 1) and op.dst.startswith("t"):
            self.pending.append(Pending(op.dst, f"({text})", ANY, first, products, bound))
        else:
            self.flush()
            name = self.unseen(op)
            self.line(f"{name} = {text}", first)
            self.test_size(name, bound, first)
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
        self.join_two(op, texts[0], texts[1], first)

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
        self.line(f"else: {op.dst} = {self.added(op, a, b)}", first)

    def added(self, op: ir.Op, a: str, b: str) -> str:
        """The sum of whatever there may be."""
        return f"o_add({a}, {b})"

    def op_pow(self, op: ir.Op) -> None:
        """Always generic: a bomb otherwise."""
        self.helper(op, "o_pow")

    def op_neg(self, op: ir.Op) -> None:
        """Raw: a Text raises."""
        if not self.speculative(op.n):
            self.helper(op, "o_neg")
            return
        texts, first = self.take(op.args, op.n, untested=True)
        self.sized(op, f"-{texts[0]}", first, self.products, self.bound)

    def truth(self, operand: ir.Operand, kind: str) -> tuple[str, int | None]:
        """A Python condition that holds when the operand is neither nil nor false."""
        if isinstance(operand, ir.Const):
            return str(operand.value is not None and operand.value is not False), None
        if kind in ("bool", "err"):
            texts, first = self.take((operand,), 1 << 30)
            return (texts[0] if kind == "bool" else f"{texts[0]} is not None"), None if first == 1 << 30 else first
        texts, first = self.take((operand,), 1 << 30, frozenset((0,)))
        # False first: nearly everything that is tested is a Bool.
        return f"{texts[0]} is not False and {texts[0]} is not None", None if first == 1 << 30 else first

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

    def op_isinst(self, op: ir.Op) -> None:
        """A kind by exact type, a class by isinstance (ghosts are subclasses)."""
        name = op.data.removeprefix("b:")
        if name == "Number":
            self.simple(op, "type({0}) is int or type({0}) is float", frozenset((0,)))
        elif name not in KIND_TESTS:
            cls = self.names.name("C:" + name)
            self.simple(
                op, f"isinstance({{0}}, {cls}) or (isinstance({{0}}, _Cap) and _capis({{0}}, {cls}))", frozenset((0,))
            )
        elif name in COLLECTION_TESTS:
            cls = COLLECTION_TESTS[name]
            self.simple(
                op, f"{KIND_TESTS[name]} or (isinstance({{0}}, _Cap) and _capis({{0}}, {cls}))", frozenset((0,))
            )
        else:
            self.simple(op, KIND_TESTS[name])

    def op_in(self, op: ir.Op) -> None:
        """Membership: hashing and equality of what can stand in a collection run no guest code.

        CPython looks for identity before equality, and so finds a NaN: what was found is tested for being one.
        """
        perhaps_nan = self.kind(op.n, 0) in (ANY, "num", "float")
        found, nan = ("{0} in ", " and {0} == {0}") if op.op == "in" else ("{0} not in ", " or {0} != {0}")
        end, atoms = (nan, frozenset((0,))) if perhaps_nan else ("", frozenset())
        if self.speculative(op.n) and self.kind(op.n, 1) not in ("text", "range", "bytes"):
            self.simple(op, f"{found}{{1}}.k{end}", atoms)
        elif not self.tested and op.n not in self.hopeless and self.kind(op.n, 1) in (ANY, "text"):
            self.simple(op, f"{found}({{1}} if type({{1}}) is str else {{1}}.k){end}", atoms | {1})
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
            cls = self.names.name("C:" + name)
            self.simple(op, f"isinstance({{0}}, {cls}) and _catchable({{0}})", frozenset((0,)))

    def op_inrange(self, op: ir.Op) -> None:
        """A range pattern: false for what is no number."""
        low, high, closed = op.data
        self.helper(op, "_inrange", str(low), str(high), str(closed))

    def op_islist(self, op: ir.Op) -> None:
        """A List of that length?"""
        self.simple(op, f"isinstance({{0}}, _List) and _len({{0}}.v) == {int(op.data)}", frozenset((0,)))

    def op_getfield(self, op: ir.Op) -> None:
        """A slot; on a Map a property that reads the key; on a ghost it loads."""
        if self.tested:
            self.helper(op, "o_getfield", repr(op.data))
        else:
            self.simple(op, self.field(op, self.text_of(op.args[0])))

    def field(self, op: ir.Op, text: str) -> str:
        """The template of a field of what has this text."""
        if self.speculative(op.n) and text == self.names.keys.get("root"):
            return f"{{0}}.g[{op.data!r}]"  # the root is a Map, unless a program has made it something else
        return f"{{0}}.f_{op.data}"

    def items(self, op: ir.Op) -> bool:
        """Does the direct shape take the first operand of an ``index`` or ``len`` for a collection?"""
        return self.speculative(op.n) and self.kind(op.n, 0) not in ("text", "range", "bytes")

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
        elif self.items(op):
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
                kind = self.kind(op.n, number)
                # An Int of too many digits for ``str`` raises: the generic conversion has its own limit.
                pieces.append(self.interpolated(kind, texts[number]))
        parts = f"({', '.join(pieces)},)"
        if len(texts) > INLINE_JOIN_MAX:
            self.value(op, f"_join({parts})", first, "text")
            return
        self.flush()
        name = self.unseen(op)
        self.line(f"{name} = ''.join({parts})", first)
        self.line(f"if _len({name}) > {TEXT_MAX}: _too_long({name})", first)
        self.settle(op, name, first)

    def interpolated(self, kind: str, text: str) -> str:
        """How a part of an interpolation becomes a Text."""
        return text if kind == "text" else f"str({text})" if kind == "int" and not self.tested else f"_text({text})"

    def op_global(self, op: ir.Op) -> None:
        """A definition, or the root."""
        self.value(op, self.names.name(op.data), op.n)

    def op_getbox(self, op: ir.Op) -> None:
        """A captured variable; one that may not be set yet is tested."""
        checked, name, _ = op.data
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
