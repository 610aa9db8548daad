"""Paths to objects: ``root.accounts["ada"].history[0]``, read without running any code of a program.

A path is a name, then fields, elements and keys.  Following it loads the objects on the way and nothing else, so it
is cheap and changes nothing, however large the world is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.repl.exits import FAILED, Failure

if TYPE_CHECKING:
    from holdfast.lang import tree as t
    from holdfast.vm.world import World

STEPS_MAX = 50
"""Steps of a path, so objects that following it may load."""

MISSING = type("Missing", (), {"__slots__": ()})()
"""What a lookup gives that finds nothing."""

Step = tuple[str, Any]
"""``field`` and its name, or ``index`` and the key or number."""


class Module:
    """An imported module as a step of a path."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def parse_path(text: str) -> tuple[str, list[Step]] | None:
    """The name at the head, and the steps; None when the text is no path."""
    from holdfast.lang import tree as t
    from holdfast.lang.diagnostics import CompileError, Source
    from holdfast.lang.parser import parse

    try:
        program = parse(Source("<path>", text))
    except CompileError:
        return None
    if len(program.statements) != 1 or not isinstance(program.statements[0], t.ExprStatement):
        return None
    node: t.Expr = program.statements[0].value
    steps: list[Step] = []
    while not isinstance(node, t.Name):
        if isinstance(node, t.Field):
            steps.append(("field", node.name))
        elif isinstance(node, t.Index):
            key = _literal(node.index)
            if key is MISSING:
                return None
            steps.append(("index", key))
        else:
            return None
        node = node.object
    steps.reverse()
    return (node.id, steps) if len(steps) <= STEPS_MAX else None


def _literal(node: t.Expr) -> Any:
    from holdfast.lang import tree as t

    if isinstance(node, t.Literal):
        return node.value
    if isinstance(node, t.Unary) and node.op == "-" and isinstance(node.operand, t.Literal):
        value = node.operand.value
        return -value if isinstance(value, int | float) else MISSING
    return MISSING


def follow(world: World, head: Any, steps: list[Step]) -> Any:
    """Go the steps from a value.

    Raises Failure, which says where the path ends.
    """
    value = head
    for kind, key in steps:
        found = _field(world, value, key) if kind == "field" else _element(value, key)
        if found is MISSING:
            from holdfast.vm.show import brief

            what = f"field or key '{key}'" if kind == "field" else f"element {brief(key)}"
            raise Failure(f"{_kind(value)} has no {what}", FAILED)
        value = found
    return value


def _kind(value: Any) -> str:
    from holdfast.vm.objects import kind_name

    return f"the module {value.name}" if isinstance(value, Module) else kind_name(value)


def _field(world: World, value: Any, name: str) -> Any:
    from holdfast.vm import ids
    from holdfast.vm.objects import Obj, live

    if isinstance(value, Module):
        world.modules.load_stored(value.name)
        return world.globals.get(f"{value.name}:{name}", MISSING)
    if not isinstance(value, Obj):
        return MISSING
    live(value)
    if value._k == ids.MAP:
        return value.v.get(name, MISSING)  # type: ignore[attr-defined]
    try:
        return getattr(value, "f_" + name)
    except (AttributeError, KeyError):
        return MISSING


def _element(value: Any, key: Any) -> Any:
    from holdfast.vm import ids
    from holdfast.vm.objects import Obj, live

    if not isinstance(value, Obj):
        return MISSING
    live(value)
    try:
        if value._k == ids.MAP:
            return value.v.get(key, MISSING)  # type: ignore[attr-defined]
        if value._k == ids.LIST and type(key) is int:
            return value.v[key]  # type: ignore[attr-defined]
    except (IndexError, TypeError):
        pass  # there is no such element
    return MISSING


Lookup = Callable[[str], Any]
"""A name at the head of a path to its value, or MISSING."""
