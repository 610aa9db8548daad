"""Lowering of expressions: each gives an operand (a local or a constant)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.lang import ir
from holdfast.lang import tree as t
from holdfast.lang.scope import FunctionInfo, Kind, Variable

if TYPE_CHECKING:
    from holdfast.lang.lower import UnitLowerer

NIL = ir.Const(None)
NESTED_ARMS_MAX = 16
"""More arms of a match, or links of an ``else if`` chain, become a flat sequence inside a one-turn region."""


class ExprLowerer:
    """State of one function being lowered, and its expressions."""

    BINARY: ClassVar = {
        "+": "add",
        "-": "sub",
        "*": "mul",
        "/": "div",
        "~/": "fdiv",
        "%": "mod",
        "**": "pow",
        "==": "eq",
        "!=": "ne",
        "<": "lt",
        "<=": "le",
        ">": "gt",
        ">=": "ge",
        "in": "in",
        "not in": "notin",
    }

    def __init__(self, unit: UnitLowerer, info: FunctionInfo, index: int) -> None:
        self.unit = unit
        self.info = info
        self.index = index
        self.out: list[ir.Node] = []
        self.spans: dict[int, t.Span] = {}
        self.keep: list[ir.Node] = []
        self.temps = 0
        self.here: t.Span = info.span
        self.declared: list[Variable] = []
        self.variables: dict[str, str] = {}
        self.scopes: dict[str, t.Span] = {}
        self.blocks: list[t.Span] = []
        """The blocks around what is lowered."""
        self.parameters: set[str] = set()
        self.handlers_of: list[tuple[list[ir.Node], str]] = []
        """Bodies of ``catch`` and ``finally``, inner ones first, with the local of the error that each handles."""
        self.exprs: dict[type, Callable[[Any], ir.Operand]] = {
            t.Literal: lambda node: ir.Const(node.value),
            t.Interpolation: self.interpolation,
            t.Name: self.name,
            t.ListLiteral: lambda node: self.emit("list", self.temp(), self.operands(node.items), span=node.span),
            t.MapLiteral: self.map_literal,
            t.Unary: self.unary,
            t.Binary: self.binary,
            t.Logic: self.logic,
            t.IsTest: self.is_test,
            t.RangeExpr: self.range,
            t.Field: self.postfix,
            t.Index: self.postfix,
            t.Call: self.postfix,
            t.Spawn: self.spawn,
            t.Function: lambda node: self.closure(node, None),
            t.If: self.if_value,
            t.Match: self.match_value,
        }

    # ------------------------------------------------------------------ emitting

    def temp(self) -> str:
        """A new temporary; it is assigned once on each path."""
        self.temps += 1
        return f"t{self.temps}"

    def note(self, node: ir.Node, span: t.Span | None = None) -> ir.Node:
        """Remember where a node comes from."""
        self.spans[id(node)] = span or self.here
        self.keep.append(node)  # ids are the keys: the nodes must live as long
        return node

    def add(self, node: ir.Node, span: t.Span | None = None) -> None:
        """Append a node."""
        self.out.append(self.note(node, span))

    def emit(
        self, op: str, dst: str | None, args: Sequence[ir.Operand], data: Any = None, span: t.Span | None = None
    ) -> str:
        """Append an operation; returns its destination."""
        self.add(ir.Op(0, op, dst, tuple(args), data), span)
        return dst or ""

    def fetched(self, value: ir.Operand) -> ir.Operand:
        """A local with the value: Python folds constants, and warns of those that are called or tested by identity."""
        return self.emit("move", self.temp(), (value,)) if isinstance(value, ir.Const) else value

    def move(self, dst: str, value: ir.Operand) -> None:
        """dst = value, unless that is nothing to do."""
        if dst != value:
            self.emit("move", dst, (value,))

    def nested(self, body: Callable[[], Any]) -> list[ir.Node]:
        """The nodes that ``body`` emits, as a list of their own."""
        saved, self.out = self.out, []
        body()
        nodes, self.out = self.out, saved
        return nodes

    def declare(self, variable: Variable, first: int | None = None) -> None:
        """A variable of this function comes into being (for inspection, and for undo): it is in scope from a place in
        the source to the end of the innermost block, or in all of that."""
        self.declared.append(variable)
        self.variables[variable.py] = variable.name
        if self.blocks:
            start, end = self.blocks[-1]
            self.scopes[variable.py] = start if first is None else first, end

    @contextmanager
    def within(self, span: t.Span) -> Iterator[None]:
        """Lower a part of the source in which variables have their scope."""
        self.blocks.append(span)
        yield
        self.blocks.pop()

    def local(self, variable: Variable) -> str:
        """The Python local that holds the variable (or its Box) in this function."""
        return self.info.captures.get(variable) or variable.py

    def operands(self, nodes: Sequence[t.Expr]) -> list[ir.Operand]:
        """Several operands, left to right; one that a later one would change is copied in time."""
        values: list[ir.Operand] = []
        positions: list[int] = []
        for node in nodes:
            values.append(self.expr(node))
            positions.append(len(self.out))
        changed: set[str] = set()
        end = len(self.out)
        for i in range(len(values) - 1, -1, -1):  # from the right, so that each node is looked at once
            changed |= ir.assigned(self.out[positions[i] : end])
            end = positions[i]
            values[i] = self.kept(values[i], end, changed)
        return values

    def protect(self, values: tuple[ir.Operand, ...], position: int) -> tuple[ir.Operand, ...]:
        """The values as they were at the position: variables assigned since then are copied there."""
        changed = ir.assigned(self.out[position:])
        return tuple(self.kept(value, position, changed) for value in values)

    def kept(self, value: ir.Operand, position: int, changed: set[str]) -> ir.Operand:
        """A local with the value at the position, if what stands behind that assigns it."""
        if not isinstance(value, str) or value not in changed or value.startswith("t"):
            return value
        copy = self.temp()
        self.out.insert(position, self.note(ir.Op(0, "move", copy, (value,))))
        return copy

    # ------------------------------------------------------------------ expressions

    def expr(self, node: t.Expr, unused: bool = False) -> ir.Operand:
        """Lower an expression."""
        value = self.exprs[type(node)](node)
        if unused and self.out:
            last = self.out[-1]
            if isinstance(last, ir.Op) and last.dst == value and last.op in ("call", "callg", "callm", "calls"):
                last.dst = None
        return value

    def expr_into(self, node: t.Expr, dst: str) -> None:
        """Lower an expression and leave its value in dst."""
        before = len(self.out)
        value = self.expr(node)
        last = self.out[-1] if len(self.out) > before else None
        if isinstance(last, ir.Op) and last.dst == value and value.startswith("t"):
            last.dst = dst
            return
        self.move(dst, value)

    def name(self, node: t.Name) -> ir.Operand:
        """A variable, constant or definition."""
        variable = node.variable
        assert variable is not None
        if variable.constant and type(variable.value) is not range:
            return ir.Const(variable.value)
        if variable.kind in (Kind.GLOBAL, Kind.BUILTIN):
            return self.emit("global", self.temp(), (), variable.py, node.span)
        if variable.boxed:
            data = (variable.early, variable.name, variable.mutable or variable.assignments > 0)
            return self.emit("getbox", self.temp(), (self.local(variable),), data, node.span)
        return self.local(variable)

    def interpolation(self, node: t.Interpolation) -> ir.Operand:
        """The literal pieces go into data: one more than there are expressions."""
        pieces = [""]
        exprs = []
        for part in node.parts:
            if isinstance(part, str):
                pieces[-1] += part
            else:
                exprs.append(part)
                pieces.append("")
        return self.emit("text", self.temp(), self.operands(exprs), tuple(pieces), node.span)

    def map_literal(self, node: t.MapLiteral) -> ir.Operand:
        """Keys and values, alternating."""
        flat = [part for entry in node.entries for part in entry]
        return self.emit("map", self.temp(), self.operands(flat), span=node.span)

    def unary(self, node: t.Unary) -> ir.Operand:
        """Negation; a negative literal is a constant."""
        operand = self.expr(node.operand)
        if isinstance(operand, ir.Const) and node.op == "-" and type(operand.value) in (int, float):
            return ir.Const(-operand.value)
        if node.op == "not":
            return self.emit("not", self.temp(), (self.fetched(operand),), span=node.span)
        return self.emit("neg", self.temp(), (self.fetched(operand),), span=node.span)

    def binary(self, node: t.Binary) -> ir.Operand:
        """A left-deep chain is lowered in a loop, as it may be long."""
        chain: list[t.Binary] = []
        current: t.Expr = node
        while isinstance(current, t.Binary):
            chain.append(current)
            current = current.left
        left = self.expr(current)
        repeated = self.constant_list(left) if chain[-1].op == "*" else []
        while chain:
            link = chain.pop()
            position = len(self.out)
            right = self.expr(link.right)
            self.out += repeated
            repeated = []
            (left,) = self.protect((left,), position)
            if isinstance(right, ir.Const):
                left = self.fetched(left)
            left = self.emit(self.BINARY[link.op], self.temp(), (left, right), span=link.span)
        return left

    def constant_list(self, value: ir.Operand) -> list[ir.Node]:
        """Take back the instruction that has made a List of one constant: when that is done nobody can tell, and next
        to the multiplication the List need not be made at all."""
        last = self.out[-1] if self.out else None
        if isinstance(last, ir.Op) and last.op == "list" and last.dst == value and len(last.args) == 1:
            return [self.out.pop()] if isinstance(last.args[0], ir.Const) else []
        return []

    def logic(self, node: t.Logic) -> ir.Operand:
        """Short circuits."""
        head = node.left
        while node.op != "??" and isinstance(head, t.Logic) and head.op == node.op:
            head = head.left
        left = self.expr(head)
        dst = self.temp()
        if node.op == "??":
            self.move(dst, left)
            nil = self.emit("isnil", self.temp(), (dst,))
            self.add(ir.If(0, nil, self.nested(lambda: self.move(dst, self.expr(node.right))), []), node.span)
            return dst
        # a and b and c: one destination for the whole chain, nested to the right, which means the same.
        chain = [node.right]
        first = node.left
        while isinstance(first, t.Logic) and first.op == node.op:
            chain.append(first.right)
            first = first.left
        self.logic_chain(node, dst, left, chain)
        return dst

    def logic_chain(self, node: t.Logic, dst: str, left: ir.Operand, rest: list[t.Expr]) -> None:
        """dst = left and (rest[-1] and (… rest[0]))."""
        result: list[ir.Operand] = []

        def right() -> None:
            value = self.expr(rest[-1])
            if len(rest) == 1:
                result.append(value)
                return
            inner = self.temp()
            self.logic_chain(node, inner, value, rest[:-1])
            result.append(inner)

        nodes = self.nested(right)
        self.add(ir.Logic(0, node.op, dst, left, nodes, result[0]), node.span)

    def is_test(self, node: t.IsTest) -> ir.Operand:
        """``x is A``."""
        operand = self.expr(node.operand)
        assert node.type_name.variable is not None
        value = self.emit("isinst", self.temp(), (self.fetched(operand),), node.type_name.variable.py, node.span)
        return self.emit("not", self.temp(), (value,)) if node.negated else value

    def range(self, node: t.RangeExpr) -> ir.Operand:
        """``a..b`` as a value."""
        return self.emit("range", self.temp(), self.operands([node.low, node.high]), node.closed, node.span)

    # ------------------------------------------------------------------ fields, elements, calls

    def postfix(self, node: t.Field | t.Index | t.Call) -> ir.Operand:
        """A chain of accesses; a ``?.`` or ``?[`` on nil makes the whole rest of the chain nil."""
        if not self.has_optional(node):
            return self.link(node)
        dst = self.temp()

        def body() -> None:
            self.move(dst, NIL)
            self.move(dst, self.link(node))

        region: Callable[..., None] = self.region  # type: ignore[attr-defined]
        region(body, lambda: None, node.span)
        return dst

    @staticmethod
    def has_optional(node: t.Expr) -> bool:
        """Does some link of the chain below stand behind a question mark?"""
        while True:
            if isinstance(node, t.Field | t.Index):
                if node.optional:
                    return True
                node = node.object
            elif isinstance(node, t.Call):
                node = node.function
            else:
                return False

    def head(self, node: t.Expr) -> ir.Operand:
        """The object of a link: the chain goes on inside the same region."""
        return self.link(node) if isinstance(node, t.Field | t.Index | t.Call) else self.expr(node)

    def optional(self, value: ir.Operand, node: t.Field | t.Index) -> None:
        """Leave the chain's region when the value is nil."""
        if node.optional:
            nil = self.emit("isnil", self.temp(), (self.fetched(value),))
            self.add(ir.If(0, nil, [self.note(ir.Break(0), node.span)], []), node.span)

    def link(self, node: t.Field | t.Index | t.Call) -> ir.Operand:
        """One link of a chain."""
        if isinstance(node, t.Call):
            return self.call(node)
        if isinstance(node, t.Field):
            if node.member is not None:
                return self.emit("global", self.temp(), (), node.member.py, node.span)
            value = self.head(node.object)
            self.optional(value, node)
            self.unit.names.add(node.name)
            return self.emit("getfield", self.temp(), (value,), node.name, node.span)
        value = self.head(node.object)
        self.optional(value, node)
        position = len(self.out)
        if isinstance(node.index, t.RangeExpr):
            bounds = self.operands([node.index.low, node.index.high])
            (value,) = self.protect((value,), position)
            return self.emit("slice", self.temp(), (value, *bounds), node.index.closed, node.span)
        index = self.expr(node.index)
        (value,) = self.protect((value,), position)
        if isinstance(index, ir.Const):
            value = self.fetched(value)
        return self.emit("index", self.temp(), (value, index), span=node.span)

    def arguments(self, nodes: list[t.Argument]) -> tuple[list[ir.Operand], tuple[int, tuple[str, ...]]]:
        """The values, and (number of positional ones, names of the others)."""
        names = tuple(a.name for a in nodes if a.name is not None)
        return self.operands([a.value for a in nodes]), (len(nodes) - len(names), names)

    def callee(self, node: t.Call) -> tuple[str, list[ir.Operand], Any]:
        """What is called: the operation, its first operands, and the target for ``data``."""
        function = node.function
        if isinstance(function, t.Field) and isinstance(function.object, t.Super):
            variable = function.object.variable
            assert variable is not None
            return "calls", [self.local(variable)], (function.class_name, function.name)
        if isinstance(function, t.Field) and function.member is not None:
            return "callg", [], function.member.py
        if isinstance(function, t.Field):
            value = self.head(function.object)
            self.optional(value, function)
            self.unit.names.add(function.name)
            return "callm", [value], function.name
        if isinstance(function, t.Name) and function.variable is not None:
            variable = function.variable
            if variable.kind in (Kind.GLOBAL, Kind.BUILTIN) and not variable.constant:
                return "callg", [], variable.py
        return "call", [self.fetched(self.head(function))], None

    def call(self, node: t.Call) -> ir.Operand:
        """A call of any kind."""
        op, first, target = self.callee(node)
        position = len(self.out)
        values, shape = self.arguments(node.arguments)
        first = list(self.protect(tuple(first), position))
        return self.emit(op, self.temp(), [*first, *values], (target, *shape), node.span)

    def spawn(self, node: t.Spawn) -> ir.Operand:
        """``spawn``: callee and arguments are evaluated here; grants and budget behind them."""
        assert isinstance(node.call, t.Call)
        op, first, target = self.callee(node.call)
        position = len(self.out)
        values, shape = self.arguments(node.call.arguments)
        first = list(self.protect(tuple(first), position))
        grants = [value for _, value in node.grants or []]
        budget = [value for _, value in node.budget or []]
        extra = self.operands([*grants, *budget])
        names = tuple(n for n, _ in node.grants) if node.grants is not None else None
        limits = tuple(n for n, _ in node.budget) if node.budget is not None else None
        data = (op, target, *shape, names, limits)
        return self.emit("spawn", self.temp(), [*first, *values, *extra], data, node.span)

    def closure(self, node: t.Function, doc: str | None) -> ir.Operand:
        """A function value: its captures are values, or Boxes."""
        assert node.info is not None
        index = self.unit.function(node, doc)
        captures = [self.local(variable) for variable in node.info.captures]
        return self.emit("closure", self.temp(), captures, index, node.span)

    # ------------------------------------------------------------------ if and match

    def if_value(self, node: t.If) -> ir.Operand:
        """``if`` as a value."""
        dst = self.temp()
        self.if_chain(node, lambda block: self.block_value(block, dst), lambda: self.move(dst, NIL))
        return dst

    def if_statement(self, node: t.If) -> None:
        """``if`` for its effect."""
        self.if_chain(node, self.block, lambda: None)

    def if_chain(self, node: t.If, body: Callable[[t.Block], None], otherwise: Callable[[], None]) -> None:
        """An ``else if`` chain; a long one becomes flat, so that no later pass nests deeply."""
        length = 0
        link: t.If | t.Block | None = node
        while isinstance(link, t.If):
            length += 1
            link = link.otherwise
        if length <= NESTED_ARMS_MAX:
            self.if_nested(node, body, otherwise)
            return

        def flat() -> None:
            current: t.If | t.Block | None = node
            while isinstance(current, t.If):
                condition = self.expr(current.condition)
                then = self.nested(partial(self.arm_body, partial(body, current.then)))
                self.add(ir.If(0, condition, then, []))
                current = current.otherwise
            if current is not None:
                body(current)
            else:
                otherwise()

        region: Callable[..., None] = self.region  # type: ignore[attr-defined]
        region(flat, lambda: None, node.span)

    def arm_body(self, body: Callable[[], None]) -> None:
        """One arm of a flat chain: run it and leave the region."""
        body()
        self.add(ir.Break(0))

    def if_nested(self, node: t.If, body: Callable[[t.Block], None], otherwise: Callable[[], None]) -> None:
        """A short chain."""
        condition = self.expr(node.condition)

        def rest() -> None:
            if isinstance(node.otherwise, t.If):
                self.if_nested(node.otherwise, body, otherwise)
            elif node.otherwise is not None:
                body(node.otherwise)
            else:
                otherwise()

        then = self.nested(lambda: body(node.then))
        self.add(ir.If(0, condition, then, self.nested(rest)), node.span)

    def match_value(self, node: t.Match) -> ir.Operand:
        """``match`` as a value."""
        dst = self.temp()
        self.match(node, dst)
        return dst

    def match(self, node: t.Match, dst: str | None) -> None:
        """Arms are tried in order; the subject is evaluated once."""
        subject = self.temp()
        self.move(subject, self.expr(node.subject))
        if len(node.arms) <= NESTED_ARMS_MAX:
            self.arms(node.arms, subject, dst)
            return

        def flat() -> None:
            for arm in node.arms:
                with self.within(arm.span):
                    test = self.pattern(arm.pattern, subject)
                    body = self.nested(partial(self.arm_body, partial(self.arm, arm, dst)))
                self.add(ir.If(0, test, body, []), arm.span)
            if dst is not None:
                self.move(dst, NIL)

        region: Callable[..., None] = self.region  # type: ignore[attr-defined]
        region(flat, lambda: None, node.span)

    def arms(self, arms: list[t.Arm], subject: str, dst: str | None) -> None:
        """Nested tests for few arms."""
        if not arms:
            if dst is not None:
                self.move(dst, NIL)
            return
        with self.within(arms[0].span):
            test = self.pattern(arms[0].pattern, subject)
            if test == ir.Const(True):
                self.arm(arms[0], dst)
                return
            then = self.nested(lambda: self.arm(arms[0], dst))
        other = self.nested(lambda: self.arms(arms[1:], subject, dst))
        self.add(ir.If(0, test, then, other), arms[0].span)

    def arm(self, arm: t.Arm, dst: str | None) -> None:
        """The body of an arm."""
        body = arm.body
        if isinstance(body, t.Block):
            if dst is None:
                self.block(body)
            else:
                self.block_value(body, dst)
        elif isinstance(body, t.Jump):
            self.statement(body)
        elif dst is None:
            self.expr_statement(t.ExprStatement(body.span, body))
        else:
            self.move(dst, self.expr(body))

    def pattern(self, node: t.Pattern, subject: ir.Operand) -> ir.Operand:
        """A Bool: does the subject fit?  Binds on the way."""
        match node:
            case t.LiteralPattern(value=None):
                return self.emit("isnil", self.temp(), (subject,), span=node.span)
            case t.LiteralPattern():
                return self.emit("eq", self.temp(), (subject, ir.Const(node.value)), span=node.span)
            case t.RangePattern():
                data = (node.low, node.high, node.closed)
                return self.emit("inrange", self.temp(), (subject,), data, node.span)
            case t.TypePattern():
                assert node.type_name.variable is not None
                return self.emit("isinst", self.temp(), (subject,), node.type_name.variable.py, node.span)
            case t.BindPattern():
                assert node.variable is not None
                self.declare(node.variable)
                if node.variable.boxed:
                    self.emit("box", node.variable.py, (subject,))
                else:
                    self.move(node.variable.py, subject)
            case t.ListPattern():
                return self.list_pattern(node, subject)
        return ir.Const(True)

    def list_pattern(self, node: t.ListPattern, subject: ir.Operand) -> ir.Operand:
        """A List of that length whose elements fit."""
        fits = self.emit("islist", self.temp(), (subject,), len(node.items), node.span)
        for number, item in enumerate(node.items):
            if isinstance(item, t.WildPattern):
                continue
            before, fits = fits, self.temp()
            result: list[ir.Operand] = []

            def inner(item: t.Pattern = item, number: int = number, result: list[ir.Operand] = result) -> None:
                value = self.emit("index", self.temp(), (subject, ir.Const(number)), span=item.span)
                result.append(self.pattern(item, value))

            right = self.nested(inner)
            self.add(ir.Logic(0, "and", fits, before, right, result[0]), item.span)
        return fits

    # ------------------------------------------------------------------ provided by the statement lowerer

    def block(self, block: t.Block) -> None:
        """See :class:`holdfast.lang.lower_body.BodyLowerer`."""
        raise AssertionError

    def block_value(self, block: t.Block, dst: str) -> None:
        """See :class:`holdfast.lang.lower_body.BodyLowerer`."""
        raise AssertionError

    def statement(self, node: t.Statement) -> None:
        """See :class:`holdfast.lang.lower_body.BodyLowerer`."""
        raise AssertionError

    def expr_statement(self, node: t.ExprStatement) -> None:
        """See :class:`holdfast.lang.lower_body.BodyLowerer`."""
        raise AssertionError
