"""Constant expressions: what a module may hold besides definitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.lang import tree as t
from holdfast.lang.scope import Variable

BITS_MAX = 4096
"""Folded integers stay below this; the machine computes larger ones, under its own limits."""
TEXT_MAX = 65536


@dataclass(slots=True, frozen=True)
class Folded:
    """A value found at compile time (None is a value)."""

    value: t.Constant | range


def fold(expr: t.Expr, find: Callable[[str], Variable | None]) -> Folded | None:
    """The expression's constant value, or None when it is none."""
    match expr:
        case t.Literal():
            return Folded(expr.value)
        case t.Name():
            variable = find(expr.id)
            return Folded(variable.value) if variable is not None and variable.constant else None
        case t.Unary(op="-"):
            inner = fold(expr.operand, find)
            if inner is not None and isinstance(inner.value, int | float) and not isinstance(inner.value, bool):
                return Folded(-inner.value)
            return None
        case t.RangeExpr():
            low, high = fold(expr.low, find), fold(expr.high, find)
            if low and high and type(low.value) is int and type(high.value) is int:
                return Folded(range(low.value, high.value + expr.closed))
        case t.Binary(op="+" | "-" | "*" | "/"):
            left, right = fold(expr.left, find), fold(expr.right, find)
            if left is not None and right is not None:
                return _binary(expr.op, left.value, right.value)
    return None


def _binary(op: str, left: object, right: object) -> Folded | None:
    if op == "+" and isinstance(left, str) and isinstance(right, str):
        return Folded(left + right) if len(left) + len(right) <= TEXT_MAX else None
    if not (isinstance(left, int | float) and isinstance(right, int | float)):
        return None
    if isinstance(left, bool) or isinstance(right, bool):
        return None
    if any(isinstance(v, int) and v.bit_length() > BITS_MAX for v in (left, right)):
        return None
    if op == "/":
        try:
            return Folded(left / right)
        except (ZeroDivisionError, OverflowError):
            return None  # the machine says so when the line runs
    return Folded(left + right if op == "+" else left - right if op == "-" else left * right)
