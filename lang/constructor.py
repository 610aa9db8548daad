"""Constructors: a class value is a generated function, never ``type.__call__``, so that no host frame stands between
the caller and ``init``.

The body of ``init`` is spliced in (its ``return`` gives the instance): one call instead of two, and rest parameters
need no second passing.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

from holdfast.lang import ir


@dataclass(slots=True, frozen=True)
class ConstructorField:
    """A field with its default: none (``required``), a constant, or the global key of a function."""

    name: str
    required: bool
    constant: Any
    function: str | None


def clone(nodes: list[ir.Node], me: str) -> list[ir.Node]:
    """A deep copy of nodes in which every Return gives ``me``."""
    out: list[ir.Node] = []
    for node in nodes:
        new: Any = copy(node)
        match node:
            case ir.Return():
                new.value = me
            case ir.If():
                new.then, new.other = clone(node.then, me), clone(node.other, me)
            case ir.Logic():
                new.right = clone(node.right, me)
            case ir.Loop() | ir.For() | ir.Try():
                new.body = clone(node.body, me)
        out.append(new)
    return out


class _Builder:
    def __init__(self) -> None:
        self.nodes: list[ir.Node] = []
        self.temps = 10_000_000  # beyond any that lowering gives out, since init's body is spliced in

    def temp(self) -> str:
        self.temps += 1
        return f"t{self.temps}"

    def op(self, op: str, dst: str | None, args: tuple[ir.Operand, ...], data: Any = None) -> None:
        self.nodes.append(ir.Op(0, op, dst, args, data))


def constructor(
    name: str,
    class_global: str,
    fields: list[ConstructorField],
    init: ir.Function | None,
    index: int,
    blank: tuple[str, ...] = (),
) -> ir.Function:
    """The IR of a class's constructor.  ``blank`` are slots that are no fields (an error's place and trace): nil.

    Defaults are evaluated before the object is made, so that it is complete when a checkpoint can first see it.
    Without ``init`` the parameters are the fields, in order, those of base classes first.
    """
    build = _Builder()
    values: list[ir.Operand] = []
    parameters: list[ir.Parameter] = []
    optional = False
    for field in fields:
        if init is not None:
            values.append(_default(build, field))
            continue
        py = f"v_{field.name}"
        if field.required and optional:  # Python's parameter list cannot say so
            parameters.append(ir.Parameter(field.name, py, True, None, False))
            build.op("required", None, (py,), (name, field.name))
            values.append(py)
            continue
        optional = optional or not field.required
        constant = None if field.required or field.function else ir.Const(field.constant)
        parameters.append(ir.Parameter(field.name, py, not field.required, constant, False))
        values.append(py)
        if field.function is not None:
            unset = build.temp()
            build.op("isunset", unset, (py,))
            call = ir.Op(0, "callg", py, (), (field.function, 0, ()))
            build.nodes.append(ir.If(0, unset, [call], []))
    me = "v_self" if init is not None else build.temp()
    build.op("alloc", me, (), class_global)
    for field, value in zip(fields, values, strict=True):
        build.op("setfield", None, (me, value), field.name)
    for slot in blank:
        build.op("setfield", None, (me, ir.Const(None)), slot)
    before = len(ir.walk(build.nodes))
    if init is not None:
        parameters = init.parameters[1:]
        build.nodes.extend(clone(init.body, me))
    build.nodes.append(ir.Return(0, me))
    nodes = ir.walk(build.nodes)
    for number, node in enumerate(nodes, 1):
        node.n = number
    return ir.Function(
        name,
        index,
        parameters,
        list(init.captures) if init is not None else [],
        build.nodes,
        len(nodes) + 1,
        {before + n: span for n, span in init.spans.items()} if init is not None else {},
        dict(init.variables) if init is not None else {p.py: p.name for p in parameters},
        init.boxed if init is not None else frozenset(),
        init.doc if init is not None else None,
        handling={before + n: errors for n, errors in init.handling.items()} if init is not None else {},
        scopes=dict(init.scopes) if init is not None else {},
    )


def _default(build: _Builder, field: ConstructorField) -> ir.Operand:
    if field.function is None:
        return ir.Const(None if field.required else field.constant)
    value = build.temp()
    build.op("callg", value, (), (field.function, 0, ()))
    return value
