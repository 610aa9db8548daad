"""Trees as S-expressions, so that an assertion about one is a line."""

from __future__ import annotations

from typing import Any

from holdfast.lang import tree
from holdfast.lang.diagnostics import CompileError, Source
from holdfast.lang.parser import parse


def dump(text: str) -> str:
    """The statements of a program, dumped, one after the other."""
    return " ".join(tree_dump(statement) for statement in parse(Source("test.hold", text)).statements)


def codes(text: str) -> list[str]:
    """The codes of the errors in a program; empty if it parses."""
    try:
        parse(Source("test.hold", text))
    except CompileError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]
    return []


def tree_dump(node: Any) -> str:
    """A node as an S-expression."""
    writer = _WRITERS.get(type(node))
    if writer is not None:
        return str(writer(node))
    if isinstance(node, list):
        return "[" + _all(node) + "]"
    raise TypeError(f"no dump for {type(node).__name__}")


def _all(nodes: Any) -> str:
    return " ".join(map(tree_dump, nodes))


def _form(word: str, *parts: Any) -> str:
    """``(word part …)``; parts that are None are left out."""
    texts = [part if isinstance(part, str) else tree_dump(part) for part in parts if part is not None]
    return "(" + " ".join([word, *filter(None, texts)]) + ")"


def _constant(value: Any) -> str:
    if isinstance(value, bytes):
        return repr(value)
    if isinstance(value, str):
        return '"' + value.replace("\n", "\\n") + '"'
    return {None: "nil", True: "true", False: "false"}.get(value, repr(value)) if not _number(value) else repr(value)


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _entries(word: str, entries: Any) -> str | None:
    if entries is None:
        return None
    return _form(word, *(f"({name} {tree_dump(value)})" for name, value in entries))


def _function(node: tree.Function) -> str:
    return _form("fn", "[" + _all(node.parameters) + "]", node.body)


def _parameter(node: tree.Parameter) -> str:
    if node.default is not None:
        return _form("=", node.name, node.default)
    return ("..." if node.rest else "") + node.name


def _class(node: tree.ClassDef) -> str:
    base = None if node.base is None else _form("extends", node.base)
    was = None if node.was is None else _form("was", node.was)
    return _form("class", node.name, base, was, *node.fields, *node.methods)


def _import(node: tree.Import) -> str:
    if node.names is None:
        return _form("import", f'"{node.path}"', "as", node.alias)
    return _form("import", f'"{node.path}"', "[" + " ".join(name for name, _ in node.names) + "]")


def _spawn(node: tree.Spawn) -> str:
    return _form("spawn", node.call, _entries("with", node.grants), _entries("budget", node.budget))


def _interpolation(node: tree.Interpolation) -> str:
    return _form("text", *(_constant(part) if isinstance(part, str) else part for part in node.parts))


def _catch(node: tree.Catch) -> str:
    return _form("catch", node.name, None if node.type_name is None else _form("is", node.type_name), node.body)


def _try(node: tree.Try) -> str:
    return _form("try", node.body, *node.catches, None if node.final is None else _form("finally", node.final))


def _let(node: tree.Let) -> str:
    return _form("var" if node.mutable else "let", node.name, node.value)


_WRITERS: dict[type, Any] = {
    tree.Literal: lambda n: _constant(n.value),
    tree.Interpolation: _interpolation,
    tree.Name: lambda n: n.id,
    tree.ListLiteral: lambda n: _form("list", *n.items),
    tree.MapLiteral: lambda n: _form("map", *(part for entry in n.entries for part in entry)),
    tree.Unary: lambda n: _form(n.op, n.operand),
    tree.Binary: lambda n: _form(n.op.replace(" ", "-"), n.left, n.right),
    tree.Logic: lambda n: _form(n.op, n.left, n.right),
    tree.IsTest: lambda n: _form("is-not" if n.negated else "is", n.operand, n.type_name),
    tree.RangeExpr: lambda n: _form("..=" if n.closed else "..", n.low, n.high),
    tree.Field: lambda n: _form("?." if n.optional else ".", n.object, n.name),
    tree.Index: lambda n: _form("?[]" if n.optional else "[]", n.object, n.index),
    tree.Argument: lambda n: tree_dump(n.value) if n.name is None else _form(":", n.name, n.value),
    tree.Call: lambda n: _form("call", n.function, *n.arguments),
    tree.Super: lambda _: "super",
    tree.Spawn: _spawn,
    tree.Parameter: _parameter,
    tree.Function: _function,
    tree.If: lambda n: _form("if", n.condition, n.then, n.otherwise),
    tree.Match: lambda n: _form("match", n.subject, *n.arms),
    tree.Arm: lambda n: _form("=>", n.pattern, n.body),
    tree.Dotted: lambda n: ".".join(n.parts),
    tree.LiteralPattern: lambda n: _constant(n.value),
    tree.RangePattern: lambda n: f"{n.low}{'..=' if n.closed else '..'}{n.high}",
    tree.TypePattern: lambda n: f"<{tree_dump(n.type_name)}>",
    tree.BindPattern: lambda n: "?" + n.name,
    tree.WildPattern: lambda _: "_",
    tree.ListPattern: lambda n: tree_dump(n.items),
    tree.Block: lambda n: "{" + _all(n.statements) + "}",
    tree.ExprStatement: lambda n: tree_dump(n.value),
    tree.Let: _let,
    tree.Assign: lambda n: _form(n.op if n.op == "=" else n.op + "=", n.target, n.value),
    tree.While: lambda n: _form("while", n.condition, n.body),
    tree.For: lambda n: _form("for", " ".join(name for name, _ in n.names), n.iterable, n.body),
    tree.Return: lambda n: _form("return", n.value),
    tree.Break: lambda _: "(break)",
    tree.Continue: lambda _: "(continue)",
    tree.Throw: lambda n: _form("throw", n.value),
    tree.Catch: _catch,
    tree.Try: _try,
    tree.Atomic: lambda n: _form("atomic", n.body),
    tree.OnBehalf: lambda n: _form("on_behalf", n.message, n.body),
    tree.Assert: lambda n: _form("assert", n.condition, n.message),
    tree.FunctionDef: lambda n: _form("def", n.name, n.function),
    tree.FieldDef: lambda n: _form("field", n.name, n.default),
    tree.MethodDef: lambda n: _form("method", n.name, n.function),
    tree.ClassDef: _class,
    tree.Import: _import,
    tree.TestDef: lambda n: _form("test", f'"{n.name}"', n.function.body),
    tree.Program: lambda n: _all(n.statements),
}
