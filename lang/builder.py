"""Makes the nodes of the tree, one method for each alias of ``grammar.lark``.

Purpose: the parser calls ``method(values, span)`` when it has recognised a rule: ``values`` are what the symbols of the
rule stand for (tokens themselves for terminals), ``span`` is where the rule was found.  What a grammar cannot say
(targets of assignments, order of parameters, what belongs to the top level) is checked here.

Invariants
----------
* The methods report through ``report`` and always give a node, so that one run finds many errors.
* No method looks deeper than its own values: building is linear and never recursive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from holdfast.lang import tree
from holdfast.lang.diagnostics import quoted
from holdfast.lang.lexer_core import Token
from holdfast.lang.tokens import SPELLING
from holdfast.lang.tree import Span

Values = list[Any]
Report = Callable[[str, str, Span, str], None]
"""Takes code, message, span and hint."""

_CONSTANTS: dict[str, bool | None] = {"NIL": None, "TRUE": True, "FALSE": False}
_BLOCK_EXPRESSION = re.compile(r"(?:if|match)\b")
_TOP_ONLY = {tree.ClassDef: "a class", tree.Import: "an import", tree.TestDef: "a test"}


def _token_span(token: Token) -> Span:
    return (token[1], token[2])


class Builder:
    """One parse: holds the source text, its doc comments and where to report."""

    def __init__(self, text: str, docs: dict[int, str], file_doc: str | None, report: Report) -> None:
        self.text = text
        self.docs = docs
        self.file_doc = file_doc
        self.report = report

    # ------------------------------------------------------------------ lists and pieces

    def list_empty(self, values: Values, span: Span) -> Values:
        """Brackets with nothing in between."""
        return []

    def list_first(self, values: Values, span: Span) -> Values:
        """The first element of a list."""
        return [values[0]]

    def list_append(self, values: Values, span: Span) -> Values:
        """A list and a further element."""
        values[0].append(values[1])
        return values[0]  # type: ignore[no-any-return]

    def list_after_end(self, values: Values, span: Span) -> Values:
        """A list, a separator and a further element."""
        values[0].append(values[2])
        return values[0]  # type: ignore[no-any-return]

    def list_pair(self, values: Values, span: Span) -> Values:
        """The first piece of an interpolated text and the expression after it."""
        return [values[0][3], values[1]]

    def list_append_pair(self, values: Values, span: Span) -> Values:
        """A further piece of an interpolated text and the expression after it."""
        values[0] += (values[1][3], values[2])
        return values[0]  # type: ignore[no-any-return]

    def list_entry(self, values: Values, span: Span) -> tuple[tree.Expr, tree.Expr]:
        """An entry of a Map."""
        return values[0], values[2]

    def pick_nothing(self, values: Values, span: Span) -> None:
        """An optional part that is missing."""

    def pick_second(self, values: Values, span: Span) -> Any:
        """What stands between parentheses or after a keyword."""
        return values[1]

    def pick_negative(self, values: Values, span: Span) -> Token:
        """A negative number, as a token."""
        _, _, end, value = values[1]
        return (values[1][0], values[0][1], end, -value)

    # ------------------------------------------------------------------ program, blocks

    def program_empty(self, values: Values, span: Span) -> tree.Program:
        """A file without statements."""
        return tree.Program(span, [], self.file_doc)

    def program(self, values: Values, span: Span) -> tree.Program:
        """A whole file."""
        statements: list[tree.Statement] = values[0]
        doc = self.file_doc
        if doc is None and not isinstance(
            statements[0], (tree.FunctionDef, tree.ClassDef, tree.Let)
        ):  # a doc comment at the top that stands before no definition is about the file
            doc = self.docs.get(statements[0].span[0])
        return tree.Program((0, len(self.text)), statements, doc)

    def block_empty(self, values: Values, span: Span) -> tree.Block:
        """``{}`` where a block stands."""
        return tree.Block(span, [])

    def block(self, values: Values, span: Span) -> tree.Block:
        """``{ … }``."""
        for statement in values[1]:
            what = _TOP_ONLY.get(type(statement))
            if what:
                word = what.split()[1]
                at = statement.span[0]
                message = f"{what} belongs to the top level of a file"
                self.report("E0305", message, (at, at + len(word)), "move it out of the block")
        return tree.Block(span, values[1])

    # ------------------------------------------------------------------ statements

    def expression_statement(self, values: Values, span: Span) -> tree.Statement:
        """An expression for its effect."""
        self._check_start(span)
        return tree.ExprStatement(span, values[0])

    def compound_expression(self, values: Values, span: Span) -> tree.Statement:
        """``if`` and ``match`` as statements."""
        return tree.ExprStatement(span, values[0])

    def _check_start(self, span: Span) -> None:
        """A statement that begins with if or match ends at its last brace: an operator after it is a slip."""
        match = _BLOCK_EXPRESSION.match(self.text, span[0])
        if match:
            word = match[0]
            hint = "put it in parentheses, or give its value a name with let"
            self.report("E0306", f"a statement that begins with '{word}' ends at its last '}}'", match.span(), hint)

    def assign(self, values: Values, span: Span) -> tree.Assign:
        """``target = value`` and the like."""
        target, operator, value = values
        self._check_start(span)
        text = SPELLING[operator[0]][:-1] or "="
        optional = isinstance(target, (tree.Field, tree.Index)) and target.optional
        if optional or not isinstance(target, (tree.Name, tree.Field, tree.Index)):
            hint = "test for nil first" if optional else "names, fields (a.b) and elements (a[i]) can be assigned"
            self.report("E0303", f"{_what(target)} cannot be assigned", target.span, hint)
        return tree.Assign(span, target, text, value)

    def let(self, values: Values, span: Span) -> tree.Let:
        """``let`` and ``var`` with a value."""
        word, name, _, value = values
        return tree.Let(span, name[3], _token_span(name), value, word[0] == "VAR", self.docs.get(span[0]))

    def var_empty(self, values: Values, span: Span) -> tree.Let:
        """``var x``."""
        name = values[1]
        return tree.Let(span, name[3], _token_span(name), None, True, self.docs.get(span[0]))

    def return_nothing(self, values: Values, span: Span) -> tree.Return:
        """``return``."""
        return tree.Return(span, None)

    def return_value(self, values: Values, span: Span) -> tree.Return:
        """``return value``."""
        return tree.Return(span, values[1])

    def break_(self, values: Values, span: Span) -> tree.Break:
        """``break``."""
        return tree.Break(span)

    def continue_(self, values: Values, span: Span) -> tree.Continue:
        """``continue``."""
        return tree.Continue(span)

    def throw(self, values: Values, span: Span) -> tree.Throw:
        """``throw value``."""
        return tree.Throw(span, values[1])

    def assertion(self, values: Values, span: Span) -> tree.Assert:
        """``assert condition, message``."""
        return tree.Assert(span, values[1], values[3] if len(values) > 2 else None)

    def while_(self, values: Values, span: Span) -> tree.While:
        """``while``."""
        return tree.While(span, values[1], values[2])

    def for_one(self, values: Values, span: Span) -> tree.For:
        """``for x in xs``."""
        name = values[1]
        return tree.For(span, [(name[3], _token_span(name))], values[3], values[4])

    def for_two(self, values: Values, span: Span) -> tree.For:
        """``for key, value in m``."""
        names = [(name[3], _token_span(name)) for name in (values[1], values[3])]
        return tree.For(span, names, values[5], values[6])

    def try_catch(self, values: Values, span: Span) -> tree.Try:
        """``try`` with catches."""
        return tree.Try(span, values[1], values[2], values[4] if len(values) > 3 else None)

    def try_finally(self, values: Values, span: Span) -> tree.Try:
        """``try`` with ``finally`` alone."""
        return tree.Try(span, values[1], [], values[3])

    def catch_any(self, values: Values, span: Span) -> tree.Catch:
        """``catch { … }``."""
        return tree.Catch(span, None, None, values[1])

    def catch_named(self, values: Values, span: Span) -> tree.Catch:
        """``catch e { … }``."""
        return tree.Catch(span, values[1][3], None, values[2])

    def catch_type(self, values: Values, span: Span) -> tree.Catch:
        """``catch is KeyError { … }``."""
        return tree.Catch(span, None, values[2], values[3])

    def catch_both(self, values: Values, span: Span) -> tree.Catch:
        """``catch e is KeyError { … }``."""
        return tree.Catch(span, values[1][3], values[3], values[4])

    def atomic(self, values: Values, span: Span) -> tree.Atomic:
        """``atomic { … }``."""
        return tree.Atomic(span, values[1])

    def on_behalf(self, values: Values, span: Span) -> tree.OnBehalf:
        """``on_behalf(m) { … }``."""
        return tree.OnBehalf(span, values[2], values[4])

    # ------------------------------------------------------------------ definitions

    def function_block(self, values: Values, span: Span) -> tree.FunctionDef:
        """``fn name(…) { … }``."""
        return self._function_def(values[1], values[2], values[3], span)

    def function_arrow(self, values: Values, span: Span) -> tree.FunctionDef:
        """``fn name(…) => value``."""
        return self._function_def(values[1], values[2], values[4], span)

    def _function_def(
        self, name: Token, parameters: list[tree.Parameter], body: tree.Block | tree.Expr, span: Span
    ) -> tree.FunctionDef:
        function = tree.Function(span, name[3], parameters, body)
        return tree.FunctionDef(span, name[3], _token_span(name), function, self.docs.get(span[0]))

    def class_empty(self, values: Values, span: Span) -> tree.ClassDef:
        """A class without members."""
        return self._class(values[1], values[2], values[3], [], span)

    def class_(self, values: Values, span: Span) -> tree.ClassDef:
        """A class."""
        return self._class(values[1], values[2], values[3], values[5], span)

    def _class(
        self, name: Token, base: tree.Dotted | None, was: Token | None, members: Values, span: Span
    ) -> tree.ClassDef:
        fields = [member for member in members if isinstance(member, tree.FieldDef)]
        methods = [member for member in members if isinstance(member, tree.MethodDef)]
        doc = self.docs.get(span[0])
        return tree.ClassDef(span, name[3], _token_span(name), base, was[3] if was else None, fields, methods, doc)

    def field_bare(self, values: Values, span: Span) -> tree.FieldDef:
        """A field without default."""
        return tree.FieldDef(span, values[0][3], None, self.docs.get(span[0]))

    def field_default(self, values: Values, span: Span) -> tree.FieldDef:
        """A field with a default."""
        return tree.FieldDef(span, values[0][3], values[2], self.docs.get(span[0]))

    def method_block(self, values: Values, span: Span) -> tree.MethodDef:
        """A method."""
        return self._method(values[1], values[2], values[3], span)

    def method_arrow(self, values: Values, span: Span) -> tree.MethodDef:
        """A method with ``=>``."""
        return self._method(values[1], values[2], values[4], span)

    def _method(
        self, name: Token, parameters: list[tree.Parameter], body: tree.Block | tree.Expr, span: Span
    ) -> tree.MethodDef:
        function = tree.Function(span, name[3], parameters, body)
        return tree.MethodDef(span, name[3], _token_span(name), function, self.docs.get(span[0]))

    def parameters(self, values: Values, span: Span) -> list[tree.Parameter]:
        """The parameters of a function."""
        parameters: list[tree.Parameter] = values[1]
        for parameter in parameters[:-1]:
            if parameter.rest:
                message = f"...{parameter.name} takes all arguments that are left"
                self.report("E0308", message, parameter.span, "put it last")
        return parameters

    def parameter_bare(self, values: Values, span: Span) -> tree.Parameter:
        """``name``."""
        return tree.Parameter(span, values[0][3], None, False)

    def parameter_default(self, values: Values, span: Span) -> tree.Parameter:
        """``name = default``."""
        return tree.Parameter(span, values[0][3], values[2], False)

    def parameter_rest(self, values: Values, span: Span) -> tree.Parameter:
        """``...name``."""
        return tree.Parameter(span, values[1][3], None, True)

    def import_as(self, values: Values, span: Span) -> tree.Import:
        """``import "path" as name``."""
        return tree.Import(span, values[1][3], _token_span(values[1]), values[3][3], None)

    def import_names(self, values: Values, span: Span) -> tree.Import:
        """``import { a, b } from "path"``."""
        names = [(name[3], _token_span(name)) for name in values[2]]
        return tree.Import(span, values[-1][3], _token_span(values[-1]), None, names)

    def test(self, values: Values, span: Span) -> tree.TestDef:
        """``test "name" { … }``."""
        name = values[1][3]
        return tree.TestDef(span, name, tree.Function(span, name, [], values[2]))

    def dotted_first(self, values: Values, span: Span) -> tree.Dotted:
        """The first name of a dotted one."""
        return tree.Dotted(span, [values[0][3]])

    def dotted_more(self, values: Values, span: Span) -> tree.Dotted:
        """A further name of a dotted one."""
        values[0].parts.append(values[2][3])
        values[0].span = span
        return values[0]  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ if, match

    def if_(self, values: Values, span: Span) -> tree.If:
        """``if`` with or without ``else``."""
        return tree.If(span, values[1], values[2], values[4] if len(values) > 3 else None)

    def match_empty(self, values: Values, span: Span) -> tree.Match:
        """``match x {}``."""
        return tree.Match(span, values[1], [])

    def match(self, values: Values, span: Span) -> tree.Match:
        """``match x { … }``."""
        return tree.Match(span, values[1], values[3])

    def arm(self, values: Values, span: Span) -> tree.Arm:
        """``pattern => body``."""
        return tree.Arm(span, values[0], values[2])

    def pattern_literal(self, values: Values, span: Span) -> tree.Pattern:
        """A text, bytes or a word like ``nil``."""
        kind, _, _, value = values[0]
        return tree.LiteralPattern(span, _CONSTANTS.get(kind, value))

    def pattern_number(self, values: Values, span: Span) -> tree.Pattern:
        """A number, perhaps negative."""
        return tree.LiteralPattern(span, values[0][3])

    def pattern_range(self, values: Values, span: Span) -> tree.Pattern:
        """``1..5``."""
        low, operator, high = values
        for token in (low, high):
            if token[0] != "INT":
                hint = "write Int numbers, or bind a name and compare"
                self.report("E0311", "a range pattern has a Float", _token_span(token), hint)
                return tree.WildPattern(span)
        return tree.RangePattern(span, low[3], high[3], operator[0] == "DOTDOTEQ")

    def pattern_name(self, values: Values, span: Span) -> tree.Pattern:
        """A name: capitalised or dotted it is a type, ``_`` fits all, else it is bound."""
        name: tree.Dotted = values[0]
        first = name.parts[0]
        if len(name.parts) > 1 or first[0].isupper():
            return tree.TypePattern(span, name)
        if first == "_":
            return tree.WildPattern(span)
        return tree.BindPattern(span, first)

    def pattern_list_empty(self, values: Values, span: Span) -> tree.Pattern:
        """``[]``."""
        return tree.ListPattern(span, [])

    def pattern_list(self, values: Values, span: Span) -> tree.Pattern:
        """``[p, q]``."""
        return tree.ListPattern(span, values[1])

    # ------------------------------------------------------------------ expressions

    def logic(self, values: Values, span: Span) -> tree.Expr:
        """``and``, ``or``, ``??``."""
        return tree.Logic(span, SPELLING[values[1][0]], values[0], values[2])

    def unary(self, values: Values, span: Span) -> tree.Expr:
        """``not x`` and ``-x``."""
        return tree.Unary(span, SPELLING[values[0][0]], values[1])

    def binary(self, values: Values, span: Span) -> tree.Expr:
        """Arithmetic and comparison."""
        left, operator, right = values
        return tree.Binary(span, SPELLING[operator[0]], left, right, (operator[1], operator[2]))

    def not_in(self, values: Values, span: Span) -> tree.Expr:
        """``a not in b``."""
        return tree.Binary(span, "not in", values[0], values[3], (values[1][1], values[2][2]))

    def is_test(self, values: Values, span: Span) -> tree.Expr:
        """``a is B``."""
        return tree.IsTest(span, values[0], values[2], False)

    def is_not_test(self, values: Values, span: Span) -> tree.Expr:
        """``a is not B``."""
        return tree.IsTest(span, values[0], values[3], True)

    def range_(self, values: Values, span: Span) -> tree.Expr:
        """``a..b`` and ``a..=b``."""
        return tree.RangeExpr(span, values[0], values[2], values[1][0] == "DOTDOTEQ")

    def spawn(self, values: Values, span: Span) -> tree.Spawn:
        """``spawn f()``."""
        return self._spawn(values[1], None, None, span)

    def spawn_with(self, values: Values, span: Span) -> tree.Spawn:
        """``spawn f() with {…}``."""
        return self._spawn(values[1], values[3], None, span)

    def spawn_budget(self, values: Values, span: Span) -> tree.Spawn:
        """``spawn f() budget {…}``."""
        return self._spawn(values[1], None, values[3], span)

    def spawn_both(self, values: Values, span: Span) -> tree.Spawn:
        """``spawn f() with {…} budget {…}``."""
        return self._spawn(values[1], values[3], values[5], span)

    def _spawn(
        self, call: tree.Expr, grants: tree.MapLiteral | None, budget: tree.MapLiteral | None, span: Span
    ) -> tree.Spawn:
        if not isinstance(call, tree.Call):
            hint = "write spawn work(…); of a longer expression the last call runs in the new thread"
            self.report("E0309", "spawn needs a call", call.span, hint)
        return tree.Spawn(span, call, self._named_entries(grants, "with"), self._named_entries(budget, "budget"))

    def _named_entries(self, literal: tree.MapLiteral | None, word: str) -> list[tuple[str, tree.Expr]] | None:
        if literal is None:
            return None
        entries = []
        seen: set[str] = set()
        for key, value in literal.entries:
            if not (isinstance(key, tree.Literal) and isinstance(key.value, str)):
                hint = f"write {word} {{ name: value }}"
                self.report("E0310", f"an entry of {word} needs a plain name", key.span, hint)
                continue
            if key.value in seen:
                self.report("E0307", f"{quoted(key.value)} is given twice", key.span, "take one of them out")
            seen.add(key.value)
            entries.append((key.value, value))
        return entries

    def get_field(self, values: Values, span: Span) -> tree.Expr:
        """``a.b`` and ``a?.b``."""
        name = values[2]
        return tree.Field(span, values[0], name[3], (name[1], name[2]), values[1][0] == "QDOT")

    def index(self, values: Values, span: Span) -> tree.Expr:
        """``a[i]`` and ``a?[i]``."""
        return tree.Index(span, values[0], values[2], values[1][0] == "QLBRACK")

    def call(self, values: Values, span: Span) -> tree.Expr:
        """``f(…)``."""
        return tree.Call(span, values[0], values[1])

    def super_call(self, values: Values, span: Span) -> tree.Expr:
        """``super.f(…)``."""
        word, _, name, arguments = values
        field_span = (span[0], name[2])
        function = tree.Field(field_span, tree.Super(_token_span(word)), name[3], _token_span(name), False)
        return tree.Call(span, function, arguments)

    def arguments(self, values: Values, span: Span) -> list[tree.Argument]:
        """The arguments of a call."""
        return values[1]  # type: ignore[no-any-return]

    def argument(self, values: Values, span: Span) -> tree.Argument:
        """A positional argument."""
        return tree.Argument(span, None, values[0])

    def argument_named(self, values: Values, span: Span) -> tree.Argument:
        """``name: value``."""
        return tree.Argument(span, values[0][3], values[2])

    def name(self, values: Values, span: Span) -> tree.Expr:
        """A name."""
        return tree.Name(span, values[0][3])

    def literal(self, values: Values, span: Span) -> tree.Expr:
        """A number, text or bytes."""
        return tree.Literal(span, values[0][3])

    def constant(self, values: Values, span: Span) -> tree.Expr:
        """``nil``, ``true``, ``false``."""
        return tree.Literal(span, _CONSTANTS[values[0][0]])

    def interpolation(self, values: Values, span: Span) -> tree.Expr:
        """A text with expressions in it."""
        parts = [part for part in values[0] if part != ""]
        if values[1][3]:
            parts.append(values[1][3])
        return tree.Interpolation(span, parts)

    def list_literal_empty(self, values: Values, span: Span) -> tree.Expr:
        """``[]``."""
        return tree.ListLiteral(span, [])

    def list_literal(self, values: Values, span: Span) -> tree.Expr:
        """``[a, b]``."""
        return tree.ListLiteral(span, values[1])

    def map_empty(self, values: Values, span: Span) -> tree.Expr:
        """``{}`` where a Map stands."""
        return tree.MapLiteral(span, [])

    def map_literal(self, values: Values, span: Span) -> tree.Expr:
        """``{a: 1}``."""
        return tree.MapLiteral(span, values[1])

    def key_name(self, values: Values, span: Span) -> tree.Expr:
        """A bare name as key: a Text."""
        return tree.Literal(span, values[0][3])

    def key_number(self, values: Values, span: Span) -> tree.Expr:
        """A number as key, perhaps negative."""
        return tree.Literal(span, values[0][3])

    def lambda_arrow(self, values: Values, span: Span) -> tree.Expr:
        """``fn(x) => value``."""
        return tree.Function(span, None, values[1], values[3])

    def lambda_block(self, values: Values, span: Span) -> tree.Expr:
        """``fn(x) { … }``."""
        return tree.Function(span, None, values[1], values[2])


def _what(node: tree.Expr) -> str:
    """What a message calls an expression."""
    if isinstance(node, (tree.Field, tree.Index)):
        return "what comes after '?'"
    names: dict[type, str] = {
        tree.Call: "the result of a call",
        tree.Literal: "a literal",
        tree.Interpolation: "a text",
        tree.ListLiteral: "a List",
        tree.MapLiteral: "a Map",
        tree.If: "an if",
        tree.Match: "a match",
        tree.Function: "a function",
    }
    return names.get(type(node), "this expression")
