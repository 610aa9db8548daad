"""Definitions in a source: where they stand, and their text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from holdfast.lang import tree as t
from holdfast.lang.diagnostics import CompileError, Source
from holdfast.lang.parser import parse


def definition(source: Source, span: tuple[int, int] | None, name: str) -> t.Node | None:
    """What defines a name in a source; of several the smallest around a span.  Without a span it is a class."""
    try:
        program = parse(source)
    except CompileError:
        return None
    best: t.Node | None = None
    for node in nodes(program):
        if not isinstance(node, t.FunctionDef | t.ClassDef | t.MethodDef | t.Function):
            continue
        if span is None:
            fits = isinstance(node, t.ClassDef) and node.name == name
        else:
            fits = not isinstance(node, t.ClassDef) and node.span[0] <= span[0] and span[1] <= node.span[1]
        size = node.span[1] - node.span[0]
        if fits and (best is None or size < best.span[1] - best.span[0]):
            best = node
    for node in nodes(program):  # the definition, where the function is that of one
        if isinstance(node, t.FunctionDef | t.MethodDef) and node.function is best:
            return node
    return best


def excerpt(source: Source, span: tuple[int, int] | None, name: str) -> str:
    """The text of a definition, with its doc comment; all of the source where there is none."""
    found = definition(source, span, name)
    if found is None:
        return source.text.rstrip("\n")
    start, end = found.span
    line, _ = source.position(start)
    first = line
    while first > 1 and source.line_text(first - 1).lstrip().startswith("///"):
        first -= 1
    above = [source.line_text(number).strip() for number in range(first, line)]
    return "\n".join([*above, source.text[start:end].rstrip()])


def nodes(program: t.Node) -> Iterator[t.Node]:
    """All nodes of a tree."""
    stack: list[Any] = [program]
    while stack:
        node = stack.pop()
        if isinstance(node, t.Node):
            yield node
        if isinstance(node, list | tuple):
            stack.extend(node)
        elif isinstance(node, t.Node) and is_dataclass(node):
            stack.extend(getattr(node, field.name) for field in fields(node) if field.name not in ("span", "variable"))
