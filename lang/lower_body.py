"""Lowering of one function: frame, statements, and jumps through ``finally``.

Jumps.  ``return``, ``break`` and ``continue`` that leave a region (a ``finally``, an ``atomic``, an optional chain)
cannot jump: what stands behind the region must run.  They note a *completion* in a local (1 return, 2 break,
3 continue) and leave the region's one-turn loop; behind it the completion is tested and the jump is made again.
Loops between the jump and the region are left one by one, each followed by a test of the completion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from holdfast.lang import ir
from holdfast.lang import tree as t
from holdfast.lang.lower_expr import ExprLowerer
from holdfast.lang.scope import FunctionInfo, Variable

if TYPE_CHECKING:
    from holdfast.lang.lower import UnitLowerer

RETURN, BREAK, CONTINUE = 1, 2, 3
NIL = ir.Const(None)


@dataclass(slots=True, eq=False)
class Frame:
    """A loop (``region`` False) or a one-turn region around the code being lowered."""

    region: bool
    completion: str = ""
    value: str = ""
    kinds: set[int] = field(default_factory=set)
    crossed_by: list[Frame] = field(default_factory=list)
    """Regions further out that some jump inside this loop leaves."""


class BodyLowerer(ExprLowerer):
    """Statements."""

    def __init__(self, unit: UnitLowerer, info: FunctionInfo, index: int) -> None:
        super().__init__(unit, info, index)
        self.frames: list[Frame] = []
        self.made: set[Variable] = set()
        """Boxed variables whose Box exists already when their definition runs."""
        self.handlers: dict[type, Callable[[Any], None]] = {
            t.ExprStatement: self.expr_statement,
            t.Let: self.let,
            t.Assign: self.assign,
            t.While: self.while_,
            t.For: self.for_,
            t.Return: lambda node: self.return_(self.expr(node.value) if node.value is not None else NIL),
            t.Break: lambda node: self.jump(BREAK),
            t.Continue: lambda node: self.jump(CONTINUE),
            t.Throw: self.throw,
            t.Try: self.try_,
            t.Atomic: self.atomic,
            t.OnBehalf: self.on_behalf,
            t.Assert: self.assert_,
            t.FunctionDef: self.function_def,
        }

    # ------------------------------------------------------------------ functions

    def function(self, node: t.Function, doc: str | None, method: bool) -> ir.Function:
        """A function literal, definition or method."""
        parameters = []
        if method:
            parameters.append(ir.Parameter("self", "v_self", False, None, False))
        for parameter in node.parameters:
            parameters.append(self.parameter(parameter))
        if isinstance(node.body, t.Block):
            self.block(node.body)
        else:
            self.emit_return(self.expr(node.body))
        return self.finish(parameters, doc, method)

    def main(
        self, statements: list[t.Statement], closures: list[t.FunctionDef], arguments: Variable | None
    ) -> ir.Function:
        """Top-level code: Boxes first, then the closures, then the statements.  Its value is the last expression's.
        A program takes its ``args`` as a parameter."""
        session = self.info.parent is not None
        parameters = []
        if arguments is not None:
            parameters.append(self.parameter(t.Parameter((0, 0), "args", None, False, arguments)))
        if not session:
            for statement in [*closures, *statements]:
                if isinstance(statement, t.FunctionDef | t.Let):
                    variable = statement.variable
                    if variable is not None and variable.boxed:
                        self.made.add(variable)
                        self.emit("box", variable.py, ())
        with self.within((0, len(self.unit.source.text))):
            for definition in closures:
                self.function_def(definition)
            for statement in statements[:-1]:
                self.statement(statement)
            if statements and isinstance(statements[-1], t.ExprStatement):
                self.emit_return(self.expr(statements[-1].value))
            elif statements:
                self.statement(statements[-1])
        return self.finish(parameters, None, False)

    def parameter(self, node: t.Parameter) -> ir.Parameter:
        """Prologue code of one parameter; a parameter that must be a Box is put into one."""
        variable = node.variable
        assert variable is not None
        py = variable.py
        self.parameters.add(py)
        default = ir.Const(node.default.value) if isinstance(node.default, t.Literal) else None
        if node.rest:
            self.emit("restlist", py, (py,))
        elif node.default is not None and default is None:
            unset = self.emit("isunset", self.temp(), (py,))
            then = self.nested(lambda: self.move(py, self.expr(node.default or t.Literal((0, 0), None))))
            self.add(ir.If(0, unset, then, []), node.span)
        if variable.boxed:
            variable.py = "b" + py
            self.declare(variable)
            self.emit("box", variable.py, (py,))
        return ir.Parameter(node.name, py, node.default is not None, default, node.rest)

    def finish(self, parameters: list[ir.Parameter], doc: str | None, method: bool) -> ir.Function:
        """Number the instructions and make the function."""
        nodes = ir.walk(self.out)
        spans = {}
        for number, node in enumerate(nodes, 1):
            node.n = number
            span = self.spans.get(id(node))
            if span is not None:
                spans[number] = span
        handling: dict[int, tuple[str, ...]] = {}
        for body, error in self.handlers_of:
            for node in ir.walk(body):
                handling[node.n] = (*handling.get(node.n, ()), error)
        captures = list(self.info.captures.values())
        variables = {py: v.name for v, py in self.info.captures.items()} | self.variables
        boxed = frozenset(
            [py for v, py in self.info.captures.items() if v.boxed] + [v.py for v in self.declared if v.boxed]
        )
        for p in parameters:
            variables.setdefault(p.py, p.name)
        return ir.Function(
            self.info.name,
            self.index,
            parameters,
            captures,
            self.out,
            len(nodes) + 1,
            spans,
            variables,
            boxed,
            doc,
            method,
            handling,
            scopes=self.scopes,
        )

    # ------------------------------------------------------------------ statements

    def statement(self, node: t.Statement) -> None:
        """Lower one statement."""
        self.here = node.span
        self.handlers[type(node)](node)

    def block(self, block: t.Block) -> None:
        """Statements for their effect."""
        with self.within(block.span):
            self.hoist(block)
            for statement in block.statements:
                self.statement(statement)

    def block_value(self, block: t.Block, dst: str) -> None:
        """Statements; the value of the last expression (else nil) goes to dst."""
        with self.within(block.span):
            self.hoist(block)
            last = block.statements[-1] if block.statements else None
            for statement in block.statements[: -1 if isinstance(last, t.ExprStatement) else None]:
                self.statement(statement)
            self.move(dst, self.expr(last.value) if isinstance(last, t.ExprStatement) else NIL)

    def hoist(self, block: t.Block) -> None:
        """Functions of a block that are captured before they are defined get their Box at its start."""
        for statement in block.statements:
            if isinstance(statement, t.FunctionDef) and statement.variable and statement.variable.boxed:
                self.made.add(statement.variable)
                self.emit("box", statement.variable.py, ())

    def expr_statement(self, node: t.ExprStatement) -> None:
        """An expression whose value nobody wants."""
        value = node.value
        if isinstance(value, t.If):
            self.if_statement(value)
        elif isinstance(value, t.Match):
            self.match(value, None)
        else:
            self.expr(value, unused=True)

    def let(self, node: t.Let) -> None:
        """A new variable, or a Box for it."""
        variable = node.variable
        if variable is None or variable.constant:
            return
        if not variable.boxed:
            self.declare(variable, node.span[1])
            if node.value is None:
                self.move(variable.py, NIL)
            else:
                self.expr_into(node.value, variable.py)
            return
        box = self.local(variable)
        self.declare(variable, node.span[1])
        existing = variable in self.made or variable in self.info.captures
        if not existing and variable.early:
            self.emit("box", box, ())
            existing = True
        value = self.expr(node.value) if node.value is not None else NIL
        if existing:
            self.emit("setbox", None, (box, value), span=node.span)
        else:
            self.emit("box", box, (value,))

    def function_def(self, node: t.FunctionDef) -> None:
        """A function inside a block (or a closure of main): a variable that holds a function."""
        variable = node.variable
        assert variable is not None
        self.declare(variable, None if variable.boxed else node.span[1])
        value = self.closure(node.function, node.doc)
        if not variable.boxed:
            self.move(variable.py, value)
        elif variable in self.made or variable in self.info.captures:
            self.emit("setbox", None, (self.local(variable), value), span=node.span)
        else:
            self.emit("box", variable.py, (value,))

    def assign(self, node: t.Assign) -> None:
        """``target op= value``; the parts of the target are evaluated once, and first."""
        target = node.target
        if isinstance(target, t.Name):
            self.assign_name(target, node)
        elif isinstance(target, t.Field):
            obj = self.hold([target.object])
            self.assign_place(node, obj, "getfield", "setfield", target.name)
            self.unit.names.add(target.name)
        elif isinstance(target, t.Index):
            self.assign_place(node, self.hold([target.object, target.index]), "index", "setindex", None)

    def hold(self, exprs: list[t.Expr]) -> tuple[ir.Operand, ...]:
        """Operands that stay as they are while the right side runs: variables are copied where that could matter."""
        return tuple(self.operands(exprs))

    def assign_name(self, target: t.Name, node: t.Assign) -> None:
        """Assignment to a variable."""
        variable = target.variable
        assert variable is not None
        if node.op == "??":
            old = self.expr(target)
            nil = self.emit("isnil", self.temp(), (old,))
            then = self.nested(lambda: self.store(variable, self.expr(node.value), node.span))
            self.add(ir.If(0, nil, then, []), node.span)
        elif node.op == "=":
            if variable.boxed:
                self.store(variable, self.expr(node.value), node.span)
            else:
                self.expr_into(node.value, self.local(variable))
        else:
            left, right = self.operands([target, node.value])
            dst = self.temp() if variable.boxed else self.local(variable)
            self.emit(self.BINARY[node.op], dst, (left, right), span=node.span)
            if variable.boxed:
                self.store(variable, dst, node.span)

    def store(self, variable: Variable, value: ir.Operand, span: t.Span) -> None:
        """Write a variable, wherever it lives."""
        if variable.boxed:
            self.emit("setbox", None, (self.local(variable), value), span=span)
        else:
            self.move(self.local(variable), value)

    def assign_place(self, node: t.Assign, place: tuple[ir.Operand, ...], get: str, put: str, data: Any) -> None:
        """Assignment to a field or element whose object (and index) are evaluated."""
        span = node.target.span
        position = len(self.out)
        if node.op == "??":
            old = self.emit(get + "_or_nil", self.temp(), place, data, span)
            nil = self.emit("isnil", self.temp(), (old,))

            def then() -> None:
                self.emit(put, None, (*place, self.expr(node.value)), data, span)

            self.add(ir.If(0, nil, self.nested(then), []), span)
            return
        if node.op == "=":
            value = self.expr(node.value)
            place = self.protect(place, position)
            self.emit(put, None, (*place, value), data, span)
            return
        old = self.emit(get, self.temp(), place, data, span)
        position = len(self.out)
        right = self.expr(node.value)
        place = self.protect(place, position)
        value = self.emit(self.BINARY[node.op], self.temp(), (old, right), span=node.span)
        self.emit(put, None, (*place, value), data, span)

    # ------------------------------------------------------------------ loops and jumps

    def while_(self, node: t.While) -> None:
        """A loop that tests first."""

        def body() -> None:
            condition = self.expr(node.condition)
            self.add(ir.If(0, condition, [], [self.note(ir.Break(0), node.span)]), node.condition.span)
            self.emit("safepoint", None, (), span=node.body.span)  # where the variables of the loop are in scope
            self.block(node.body)

        self.loop(body, lambda nodes: ir.Loop(0, nodes), node.span)

    def loop(self, body: Callable[[], None], make: Callable[[list[ir.Node]], ir.Node], span: t.Span) -> None:
        """A loop node around what ``body`` emits, and the tests behind it for jumps that crossed it."""
        frame = Frame(False)
        self.frames.append(frame)
        nodes = self.nested(body)
        self.frames.pop()
        self.add(make(nodes), span)
        self.leave_again(frame)

    def leave_again(self, frame: Frame) -> None:
        """Behind a loop: go on leaving the regions that a jump inside it is on the way out of."""
        for region in frame.crossed_by:
            test = self.emit("ne", self.temp(), (region.completion, ir.Const(0)))
            self.add(ir.If(0, test, self.nested(lambda: self.add(ir.Break(0))), []))

    def for_(self, node: t.For) -> None:
        """Turns over an iterator that is kept in a local of its own, so that a saved frame has its position."""
        iterable = self.expr(node.iterable)
        two = len(node.variables) == 2
        if not (isinstance(iterable, str) and iterable.startswith("t")):  # a variable may be assigned in the loop
            copy = self.temp()
            self.move(copy, iterable)
            iterable = copy
        iterator = "i" + self.temp()
        self.emit("iter", iterator, (iterable,), len(node.variables), node.iterable.span)
        start = node.body.span[0]
        turn = self.temp() if two else node.variables[0].py
        boxes = [v for v in node.variables if v.boxed]

        def body() -> None:
            for variable in node.variables:
                self.declare(variable, start + two)  # two are assigned behind the safepoint
            self.emit("safepoint", None, (), span=node.body.span)
            if two:
                gone = self.emit("pairgone", self.temp(), (iterable, turn))
                self.add(ir.If(0, gone, [self.note(ir.Continue(0), node.span)], []), node.span)
                self.emit("pairkey", node.variables[0].py, (iterable, turn))
                self.emit("pairvalue", node.variables[1].py, (iterable, turn))
            for variable in boxes:
                raw = variable.py
                variable.py = "b" + raw
                self.declare(variable, start + 1)
                self.emit("box", variable.py, (raw,))
            self.block(node.body)

        with self.within(node.body.span):
            self.loop(body, lambda nodes: ir.For(0, iterator, (turn,), nodes), node.span)

    def return_(self, value: ir.Operand) -> None:
        """Leave the function, through every region around."""
        region = next((f for f in reversed(self.frames) if f.region), None)
        if region is None:
            self.add(ir.Return(0, value))
            return
        self.completion(region, RETURN)
        self.move(region.value, value)
        self.leave(region)

    def emit_return(self, value: ir.Operand) -> None:
        """The end of an expression body."""
        self.add(ir.Return(0, value))

    def jump(self, kind: int) -> None:
        """``break`` or ``continue`` of the innermost loop, through the regions inside it."""
        region = next((f for f in reversed(self.frames)), None)
        if region is None or not region.region:
            self.add(ir.Break(0) if kind == BREAK else ir.Continue(0))
            return
        self.completion(region, kind)
        self.leave(region)

    def completion(self, region: Frame, kind: int) -> None:
        """Note how the region is being left."""
        if not region.completion:
            region.completion, region.value = self.temp(), self.temp()
        region.kinds.add(kind)
        self.move(region.completion, ir.Const(kind))

    def leave(self, region: Frame) -> None:
        """Break out of all loops up to and including the region's one-turn loop."""
        for frame in reversed(self.frames):
            if frame is region:
                break
            if region not in frame.crossed_by:
                frame.crossed_by.append(region)
        self.add(ir.Break(0))

    def region(self, body: Callable[[], None], after: Callable[[], None], span: t.Span) -> None:
        """Run ``body`` inside a one-turn loop, then what ``after`` emits, then any jump that left the body."""
        frame = Frame(True)
        self.frames.append(frame)

        def inside() -> None:
            body()
            self.add(ir.Break(0))

        nodes = self.nested(inside)
        self.frames.pop()
        if frame.kinds:
            self.move(frame.completion, ir.Const(0))
            self.move(frame.value, NIL)
        self.add(ir.Loop(0, nodes, once=True), span)
        after()
        for kind in sorted(frame.kinds):
            test = self.emit("eq", self.temp(), (frame.completion, ir.Const(kind)))
            again = self.nested(partial(self.jump_again, frame, kind))
            self.add(ir.If(0, test, again, []), span)

    def jump_again(self, frame: Frame, kind: int) -> None:
        """Behind a region: make the jump that left it."""
        if kind == RETURN:
            self.return_(frame.value)
        else:
            self.jump(kind)

    # ------------------------------------------------------------------ try and atomic

    def throw(self, node: t.Throw) -> None:
        """``throw value``."""
        self.emit("throw", None, (self.expr(node.value),), span=node.span)

    def try_(self, node: t.Try) -> None:
        """Handlers stand behind the try; ``finally`` is a region around both."""
        if node.final is None:
            self.try_catch(node)
            return
        error = self.temp()
        final = node.final

        def body() -> None:
            inner = self.nested(lambda: self.try_catch(node) if node.catches else self.block(node.body))
            self.add(ir.Try(0, inner, error), node.span)

        def after() -> None:
            nodes = self.nested(lambda: self.block(final))
            self.handlers_of.append((nodes, error))
            self.out += nodes
            self.rethrow(error, node.span)

        self.move(error, NIL)
        self.region(body, after, node.span)

    def rethrow(self, error: str, span: t.Span) -> None:
        """Throw the pending error, if there is one."""
        self.add(ir.If(0, error, self.nested(lambda: self.emit("rethrow", None, (error,), span=span)), []), span)

    def try_catch(self, node: t.Try) -> None:
        """Body, then the first clause that takes the error."""
        error = self.temp()
        self.move(error, NIL)
        self.add(ir.Try(0, self.nested(lambda: self.block(node.body)), error), node.span)

        def clauses(rest: list[t.Catch]) -> None:
            if not rest:
                self.emit("rethrow", None, (error,), span=node.span)
                return
            clause = rest[0]
            variable = clause.type_name.variable if clause.type_name is not None else None
            test = self.emit("matches", self.temp(), (error,), variable.py if variable else None)

            def then() -> None:
                if clause.variable is not None:
                    with self.within(clause.body.span):
                        self.declare(clause.variable)
                    if clause.variable.boxed:
                        self.emit("box", clause.variable.py, (error,))
                    else:
                        self.move(clause.variable.py, error)
                self.block(clause.body)

            handler = self.nested(then)
            self.handlers_of.append((handler, error))
            self.add(ir.If(0, test, handler, self.nested(lambda: clauses(rest[1:]))), clause.span)

        self.add(ir.If(0, error, self.nested(lambda: clauses(node.catches)), []), node.span)

    def atomic(self, node: t.Atomic) -> None:
        """All or nothing: objects are undone by the machine, variables of this frame here."""
        error = self.temp()
        self.emit("atomic_begin", None, (), span=node.span)
        body = len(self.out)
        known = {v.py for v in self.declared if not v.boxed} | {p for p in self.parameters if not p.startswith("b")}

        def inside() -> None:
            nodes = self.nested(lambda: self.block(node.body))
            self.add(ir.Try(0, nodes, error), node.span)

        saved: list[tuple[str, str]] = []

        def after() -> None:
            changed = sorted(ir.assigned(self.out[body:]) & known)
            saved.extend((name, self.temp()) for name in changed)

            def undo() -> None:
                self.emit("atomic_abort", None, (), span=node.span)
                for name, copy in saved:
                    self.move(name, copy)
                self.emit("rethrow", None, (error,), span=node.span)

            self.add(ir.If(0, error, self.nested(undo), []), node.span)
            self.emit("atomic_commit", None, (), span=node.span)

        self.move(error, NIL)
        self.region(inside, after, node.span)
        self.out[body:body] = [ir.Op(0, "move", copy, (name,)) for name, copy in saved]

    def on_behalf(self, node: t.OnBehalf) -> None:
        """A block with the rights of a message's sender; lowered as a region that always ends the lending."""
        error, lender = self.temp(), self.temp()
        message = self.expr(node.message)
        self.emit("behalf_begin", lender, (message,), span=node.span)
        self.move(error, NIL)

        def inside() -> None:
            self.add(ir.Try(0, self.nested(lambda: self.block(node.body)), error), node.span)

        def after() -> None:
            self.emit("behalf_end", None, (lender,), span=node.span)
            self.rethrow(error, node.span)

        self.region(inside, after, node.span)

    def assert_(self, node: t.Assert) -> None:
        """A failed assertion shows its source and, for a comparison, both values."""
        condition = node.condition
        shown: tuple[ir.Operand, ...] = ()
        if isinstance(condition, t.Binary) and condition.op in self.BINARY:
            left, right = self.operands([condition.left, condition.right])
            shown = (self.fetched(left), right)
            value: ir.Operand = self.emit(self.BINARY[condition.op], self.temp(), shown, span=condition.span)
        else:
            value = self.expr(condition)
        text = self.unit.source.text[condition.span[0] : condition.span[1]]

        def failed() -> None:
            message = self.expr(node.message) if node.message is not None else NIL
            self.emit("assert", None, (message, *shown), text[:200], node.span)

        self.add(ir.If(0, value, [], self.nested(failed)), node.span)
