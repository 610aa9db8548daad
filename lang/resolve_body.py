"""The resolver's walk over statements and expressions inside functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.lang import tree as t
from holdfast.lang.scope import TYPE_NAMES, FunctionInfo, Kind, Scope, Variable
from holdfast.lang.spelling import hint

if TYPE_CHECKING:
    from holdfast.lang.resolve import Resolver


class Walker:
    """Walks one function body after another; the current scope and function stand in the resolver."""

    def __init__(self, resolver: Resolver, bodies: Bodies) -> None:
        self.r = resolver
        self.bodies = bodies
        self.handlers: dict[type, Callable[[Any], None]] = {
            t.Literal: lambda node: None,
            t.Interpolation: self.interpolation,
            t.Name: self.name,
            t.ListLiteral: lambda node: self.exprs(node.items),
            t.MapLiteral: self.map_literal,
            t.Unary: lambda node: self.expr(node.operand),
            t.Binary: self.pair,
            t.Logic: self.pair,
            t.IsTest: self.is_test,
            t.RangeExpr: lambda node: self.exprs([node.low, node.high]),
            t.Field: self.field,
            t.Index: lambda node: self.exprs([node.object, node.index]),
            t.Call: self.call,
            t.Super: self.super_,
            t.Spawn: self.spawn,
            t.Function: lambda node: self.bodies.function(node, node.name or "fn"),
            t.If: self.if_,
            t.Match: self.match,
            t.ExprStatement: lambda node: self.expr(node.value),
            t.Let: self.let,
            t.Assign: self.assign,
            t.While: self.while_,
            t.For: self.for_,
            t.Return: self.return_,
            t.Break: self.loop_jump,
            t.Continue: self.loop_jump,
            t.Throw: lambda node: self.expr(node.value),
            t.Try: self.try_,
            t.Atomic: lambda node: self.block(node.body),
            t.OnBehalf: self.on_behalf,
            t.Assert: self.assert_,
            t.FunctionDef: self.function_def,
            t.ClassDef: self.not_here,
            t.Import: self.not_here,
            t.TestDef: self.not_here,
        }

    def expr(self, node: t.Expr) -> None:
        """Resolve one expression."""
        self.handlers[type(node)](node)

    def statement(self, node: t.Statement) -> None:
        """Resolve one statement."""
        self.handlers[type(node)](node)

    def exprs(self, nodes: list[t.Expr]) -> None:
        """Resolve several expressions in order."""
        for node in nodes:
            self.expr(node)

    def block(self, block: t.Block, own_scope: bool = True) -> None:
        """Resolve a block.  Functions that it defines are visible in all of it (inside other functions)."""
        r = self.r
        saved = r.scope
        if own_scope:
            r.scope = Scope(saved, r.function)
        for statement in block.statements:
            if isinstance(statement, t.FunctionDef):
                statement.variable = r.declare(statement.name, statement.name_span, what="function")
                statement.variable.ready = False
        for statement in block.statements:
            self.statement(statement)
        r.scope = saved

    # ------------------------------------------------------------------ expressions

    def name(self, node: t.Name) -> None:
        """A name as a value; a module alone is none."""
        node.variable = self.r.lookup(node.id, node.span)
        if node.variable is not None and node.variable.kind is Kind.MODULE:
            self.r.error(
                "E0115", f"'{node.id}' is a module, not a value", node.span, f"name what you need: {node.id}.something"
            )

    def interpolation(self, node: t.Interpolation) -> None:
        """The expressions among the parts."""
        for part in node.parts:
            if not isinstance(part, str):
                self.expr(part)

    def map_literal(self, node: t.MapLiteral) -> None:
        """Keys and values in order."""
        for key, value in node.entries:
            self.expr(key)
            self.expr(value)

    def pair(self, node: t.Binary | t.Logic) -> None:
        """Both sides; left-deep chains are walked in a loop, as they may be long."""
        chain: list[t.Expr] = []
        current: t.Expr = node
        while isinstance(current, t.Binary | t.Logic):
            chain.append(current.right)
            current = current.left
        self.expr(current)
        while chain:
            self.expr(chain.pop())

    def is_test(self, node: t.IsTest) -> None:
        """The operand and the class."""
        self.expr(node.operand)
        self.type_name(node.type_name)

    def type_name(self, node: t.Dotted) -> None:
        """A class or kind, perhaps of an imported module."""
        r = self.r
        first = node.parts[0]
        found = r.scope.find(first)
        if len(node.parts) == 1:
            if found is not None and (found.what == "class" or (found.what == "built-in" and first in TYPE_NAMES)):
                node.variable = found
                r.use(found, node.span)
                return
            if found is None and first in TYPE_NAMES:
                node.variable = Variable(first, Kind.BUILTIN, (0, 0), what="built-in", py=first)
                return
            text = hint(first, [*TYPE_NAMES, *set(r.scope.visible()) - {first}]).strip(" ()")
            r.error("E0116", f"'{first}' is no class or kind", node.span, text or "name a class here")
            return
        if found is not None and found.kind is Kind.MODULE and len(node.parts) == 2:
            node.variable = self.member(found, node.parts[1], node.span)
            if node.variable is None or node.variable.what == "class":
                return
        r.error("E0116", f"'{'.'.join(node.parts)}' is no class", node.span, "name a class of an imported module")

    def error_class(self, node: t.Dotted) -> None:
        """What ``catch`` names can be the class of an error: a kind of other values never fits."""
        kind = node.variable
        if kind is not None and kind.kind is Kind.BUILTIN and not kind.name.endswith("Error"):
            self.r.error("E0116", f"'{kind.name}' is no class of errors", node.span, "catch e, and test what it holds")

    def member(self, module: Variable, name: str, span: t.Span) -> Variable | None:
        """The definition ``module.name``."""
        interface = module.interface
        if interface is None:
            return None  # its import failed, and was reported
        export = interface.exports.get(name)
        if export is None:
            near = hint(name, interface.exports).strip(" ()")
            self.r.error(
                "E0113", f"module '{module.name}' has no '{name}'", span, near or "see what the module defines"
            )
            return None
        what = {"fn": "function", "class": "class"}.get(export.kind, "constant")
        return Variable(name, Kind.GLOBAL, span, what=what, py=export.global_name)

    def field(self, node: t.Field) -> None:
        """A field, or a definition of a module."""
        if isinstance(node.object, t.Name):
            found = self.r.scope.find(node.object.id)
            if found is not None and found.kind is Kind.MODULE:
                node.object.variable = found
                node.member = self.member(found, node.name, node.name_span)
                return
        self.expr(node.object)

    def call(self, node: t.Call) -> None:
        """The function, then the arguments."""
        r = self.r
        function = node.function
        if isinstance(function, t.Field) and isinstance(function.object, t.Super):
            self.super_call(function, function.object)
        else:
            self.expr(function)
        seen: set[str] = set()
        for argument in node.arguments:
            self.expr(argument.value)
            if argument.name is None:
                if seen:
                    r.error(
                        "E0120",
                        "an argument without a name stands after a named one",
                        argument.span,
                        "put the arguments without names first",
                    )
            elif argument.name in seen:
                r.error("E0120", f"argument '{argument.name}' is given twice", argument.span, "drop one")
            else:
                seen.add(argument.name)

    def super_call(self, node: t.Field, base: t.Super) -> None:
        """``super.m(…)`` needs a class that extends another."""
        r = self.r
        if r.class_def is None or r.scope.find("self") is None:
            r.error("E0108", "'super' stands outside a method", node.span, "it calls a method of the base class")
        elif r.class_def.base is None:
            r.error(
                "E0108",
                f"class {r.class_def.name} extends nothing, so it has no 'super'",
                node.span,
                f"write class {r.class_def.name} extends Base",
            )
        else:
            node.class_name = r.class_def.variable.py if r.class_def.variable else None
            base.variable = r.lookup("self", node.span)

    def super_(self, node: t.Super) -> None:
        """``super`` alone is no value."""
        self.r.error("E0118", "'super' can only be called: super.name(…)", node.span, "name a base method")

    def spawn(self, node: t.Spawn) -> None:
        """The call, the grants, the budget."""
        if not isinstance(node.call, t.Call):
            self.r.error("E0121", "spawn needs a call", node.span, "write spawn work(…)")
        self.expr(node.call)
        for _, value in [*(node.grants or []), *(node.budget or [])]:
            self.expr(value)

    def if_(self, node: t.If) -> None:
        """Condition and branches; a long ``else if`` chain is walked in a loop."""
        current: t.If | t.Block | None = node
        while isinstance(current, t.If):
            self.expr(current.condition)
            self.block(current.then)
            current = current.otherwise
        if current is not None:
            self.block(current)

    def match(self, node: t.Match) -> None:
        """Each arm has a scope of its own."""
        r = self.r
        self.expr(node.subject)
        for arm in node.arms:
            saved = r.scope
            r.scope = Scope(saved, r.function)
            self.pattern(arm.pattern)
            body = arm.body
            if isinstance(body, t.Block):
                self.block(body)
            elif isinstance(body, t.Jump):
                self.statement(body)
            else:
                self.expr(body)
            r.scope = saved

    def pattern(self, node: t.Pattern) -> None:
        """Declare what a pattern binds."""
        match node:
            case t.BindPattern():
                node.variable = self.r.declare(node.name, node.span)
            case t.TypePattern():
                self.type_name(node.type_name)
            case t.ListPattern():
                for item in node.items:
                    self.pattern(item)
            case _:
                pass

    # ------------------------------------------------------------------ statements

    def let(self, node: t.Let) -> None:
        """The initialiser sees the outer meaning of the name, save in function literals (recursion)."""
        r = self.r
        variable = node.variable
        if variable is not None and variable.kind is Kind.GLOBAL:
            return  # a constant
        if variable is not None and variable.owner is r.outer:
            if node.value is not None:
                self.expr(node.value)
            r.capture(r.function, variable, node.span)
            return
        if variable is None and not isinstance(node.value, t.Function):
            if node.value is not None:
                self.expr(node.value)
            node.variable = r.declare(node.name, node.name_span, mutable=node.mutable)
            return
        if variable is None:
            variable = node.variable = r.declare(node.name, node.name_span, mutable=node.mutable)
        variable.ready = False
        if node.value is not None:
            self.expr(node.value)
        variable.ready = True

    def assign(self, node: t.Assign) -> None:
        """Target and value; only a ``var`` (or parameter) can be assigned."""
        self.expr(node.target)
        self.expr(node.value)
        target = node.target
        if (isinstance(target, t.Field) and target.optional) or (isinstance(target, t.Index) and target.optional):
            self.r.error("E0122", "a target with '?' cannot be assigned", target.span, "test for nil first")
        if isinstance(target, t.Field) and target.member is not None:
            self.r.error("E0104", "what a module defines cannot be assigned", target.span, "change the module's file")
        if not isinstance(target, t.Name) or target.variable is None:
            return
        variable = target.variable
        if variable.kind is not Kind.LOCAL or variable.what == "function":
            text = {"built-in": "choose another name with let or var", "constant": "bind it with var to assign again"}
            code = "E0102" if variable.what == "constant" else "E0104"
            message = f"assignment to '{variable.name}', which is a {variable.what}"
            if variable.what == "constant":
                message = f"assignment to '{variable.name}', which was bound with let"
            self.r.error(code, message, target.span, text.get(variable.what, "definitions cannot be assigned"))
        elif not variable.mutable:
            self.r.error(
                "E0102",
                f"assignment to '{variable.name}', which was bound with let",
                target.span,
                "bind it with var to assign again",
            )
        variable.assignments += 1

    def while_(self, node: t.While) -> None:
        """Condition and body."""
        self.expr(node.condition)
        self.loop_body(node.body)

    def loop_body(self, body: t.Block) -> None:
        """A body in which break and continue may stand."""
        self.r.loops += 1
        self.block(body)
        self.r.loops -= 1

    def for_(self, node: t.For) -> None:
        """Each turn binds the variables anew, so they are in a scope of their own."""
        r = self.r
        self.expr(node.iterable)
        saved = r.scope
        r.scope = Scope(saved, r.function)
        node.variables = [r.declare(name, span) for name, span in node.names]
        self.loop_body(node.body)
        r.scope = saved

    def return_(self, node: t.Return) -> None:
        """Only inside a function."""
        if self.r.function is self.r.main:
            self.r.error("E0106", "'return' outside a function", node.span, "a program ends after its last statement")
        if node.value is not None:
            self.expr(node.value)

    def loop_jump(self, node: t.Break | t.Continue) -> None:
        """Only inside a loop."""
        if self.r.loops == 0:
            word = "break" if isinstance(node, t.Break) else "continue"
            self.r.error("E0105", f"'{word}' outside a loop", node.span, "it belongs into while or for")

    def try_(self, node: t.Try) -> None:
        """Body, handlers, finally."""
        r = self.r
        self.block(node.body)
        for catch in node.catches:
            saved = r.scope
            r.scope = Scope(saved, r.function)
            if catch.type_name is not None:
                self.type_name(catch.type_name)
                self.error_class(catch.type_name)
            if catch.name is not None:
                catch.variable = r.declare(catch.name, catch.span)
            self.block(catch.body)
            r.scope = saved
        if node.final is not None:
            self.block(node.final)

    def on_behalf(self, node: t.OnBehalf) -> None:
        """The message, then the block."""
        self.expr(node.message)
        self.block(node.body)

    def assert_(self, node: t.Assert) -> None:
        """Condition and message."""
        self.expr(node.condition)
        if node.message is not None:
            self.expr(node.message)

    def function_def(self, node: t.FunctionDef) -> None:
        """A function inside a block; at the top of a file :class:`Definitions` has declared it."""
        self.bodies.function(node.function, node.name)
        if node.variable is not None:
            node.variable.ready = True

    def not_here(self, node: t.ClassDef | t.Import | t.TestDef) -> None:
        """Classes, imports and tests stand at the top of a file."""
        word = {t.ClassDef: "class", t.Import: "import", t.TestDef: "test"}[type(node)]
        self.r.error("E0119", f"'{word}' stands only at the top of a file", node.span, "move it out of the block")


class Bodies:
    """Statements and expressions inside functions."""

    def __init__(self, resolver: Resolver) -> None:
        self.r = resolver
        self.functions: list[FunctionInfo] = []
        self.walker = Walker(resolver, self)
        self.statement = self.walker.statement
        self.type_name = self.walker.type_name

    def function(self, function: t.Function, name: str, class_def: t.ClassDef | None = None) -> None:
        """Resolve a function: its own scope, parameters, body."""
        r = self.r
        if function.info is None:
            function.info = FunctionInfo(name, r.function, function.span)
        info = function.info
        info.class_name = class_def.name if class_def else None
        self.functions.append(info)
        saved = r.scope, r.function, r.loops
        r.scope, r.function, r.loops = Scope(r.scope, info), info, 0
        if class_def is not None:
            me = r.declare("self", function.span, what="parameter")
            me.assignments = 0
        self.parameters(function)
        if isinstance(function.body, t.Block):
            self.walker.block(function.body, own_scope=False)
        else:
            self.walker.expr(function.body)
        r.scope, r.function, r.loops = saved

    def default(self, member: t.FieldDef, class_def: t.ClassDef) -> None:
        """The default of a field: an expression evaluated for each instance, as a function without parameters."""
        r = self.r
        assert member.default is not None
        function = t.Function(member.default.span, None, [], member.default)
        member.function = function
        self.function(function, f"{class_def.name}.{member.name}")
        assert function.info is not None
        function.info.class_name = class_def.name
        if function.info.captures and r.mode != "session":  # a session's variables are in the world, as instances are
            name = next(iter(function.info.captures)).name
            r.error(
                "E0109",
                f"a class cannot use '{name}', a variable of the program",
                member.span,
                "an instance outlives the program: pass the value in, or keep it under root",
            )

    def parameters(self, function: t.Function) -> None:
        """Declare the parameters; a default may use those before it."""
        r = self.r
        optional = False
        for parameter in function.parameters:
            if parameter.default is not None:
                self.walker.expr(parameter.default)
                optional = True
            elif optional and not parameter.rest:
                r.error(
                    "E0112",
                    f"parameter '{parameter.name}' needs a default, since one before it has one",
                    parameter.span,
                    "put the parameters that must be given first",
                )
            parameter.variable = r.declare(parameter.name, parameter.span, what="parameter", mutable=True)
