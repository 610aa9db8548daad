"""The values of :mod:`tests.lang.reference`: their equality, order, arithmetic and text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from holdfast.lang import tree as t

STEPS_MAX = 60_000
SIZE_MAX = 4_000
BITS_MAX = 8_000
DEPTH_MAX = 12


class Skip(Exception):
    """This program cannot be compared."""


class Raised(Exception):
    """An error of Hold."""

    def __init__(self, error: RError) -> None:
        super().__init__(error.kind)
        self.error = error


class Jump(Exception):
    """``break``, ``continue`` or ``return``."""

    def __init__(self, kind: str, value: Any = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.value = value


class RList:
    """A List."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items


class RMap:
    """A Map: key as given, by what makes keys equal."""

    def __init__(self) -> None:
        self.entries: dict[Any, tuple[Any, Any]] = {}


class RSet(RMap):
    """A Set."""


class RClass:
    """A class."""

    def __init__(self, node: t.ClassDef, base: RClass | None) -> None:
        self.name = node.name
        self.node = node
        self.base = base
        fields = dict(base.fields) if base else {}
        fields.update({f.name: f.default for f in node.fields})
        self.fields: dict[str, t.Expr | None] = fields
        self.methods = {m.name: (m.function, self) for m in node.methods}

    def method(self, name: str) -> tuple[t.Function, RClass] | None:
        """The nearest method."""
        current: RClass | None = self
        while current is not None:
            if name in current.methods:
                return current.methods[name]
            current = current.base
        return None


class RInstance:
    """An instance."""

    def __init__(self, cls: RClass) -> None:
        self.cls = cls
        self.fields: dict[str, Any] = {}


class RError:
    """An error."""

    def __init__(self, kind: str, message: Any = None, cause: Any = None) -> None:
        self.kind = kind
        self.message = message
        self.cause = cause

    def because(self, cause: RError | None) -> None:
        """Note the error that was being handled when this one was thrown, unless that makes a cycle."""
        link = cause
        while link is not None and link is not self:
            link = link.cause
        if self.cause is None and link is None:
            self.cause = cause


class RFunction:
    """A function with the names around it."""

    def __init__(self, node: t.Function, env: Env, name: str, owner: RClass | None = None, me: Any = None) -> None:
        self.node = node
        self.env = env
        self.name = name
        self.owner = owner
        self.me = me


class RThread:
    """A thread that has not run."""

    def __init__(self, function: Any, args: list[Any], named: dict[str, Any]) -> None:
        self.function, self.args, self.named = function, args, named


class RBuiltin:
    """A built-in function: least and greatest number of arguments."""

    def __init__(self, name: str, call: Callable[..., Any], least: int, most: int) -> None:
        self.name, self.call, self.least, self.most = name, call, least, most


class Env:
    """One block's names."""

    def __init__(self, parent: Env | None) -> None:
        self.parent = parent
        self.names: dict[str, list[Any]] = {}

    def cell(self, name: str) -> list[Any]:
        """The variable."""
        env: Env | None = self
        while env is not None:
            if name in env.names:
                return env.names[name]
            env = env.parent
        raise Skip(f"name {name}")


NUMBERS = (bool, int, float)
UNSET = object()
KNOWN_METHODS = frozenset(
    "push pop contains reversed sorted map filter reduce get has keys values remove add upper split".split()
)
"""Methods that one kind has here, and other kinds may have in the machine."""


def fail(kind: str) -> Any:
    """Throw an error of Hold."""
    raise Raised(RError(kind))


def number(value: Any) -> bool:
    """Is it a number (or Bool)?"""
    return type(value) in NUMBERS


def bounded(value: Any) -> Any:
    """The value, unless it is too large for a comparison."""
    if type(value) is int and value.bit_length() > BITS_MAX:
        raise Skip("large Int")
    if type(value) in (str, bytes) and len(value) > SIZE_MAX:
        raise Skip("long Text")
    if type(value) is RList and len(value.items) > SIZE_MAX:
        raise Skip("long List")
    if type(value) is float and (value != value or math.isinf(value)):
        raise Skip("no finite Float")
    return value


def key_of(value: Any) -> Any:
    """What makes two keys equal; a TypeError for what can be no key."""
    if isinstance(value, RList | RMap):
        fail("TypeError")
    if type(value) in NUMBERS or value is None or type(value) is str:
        return value
    if type(value) is bytes:
        return "bytes", value
    if type(value) is range:
        return "range", tuple(value) if len(value) < 100 else (value.start, value.stop)
    return "object", id(value)


def equal(a: Any, b: Any, depth: int = 0) -> bool:
    """``a == b``."""
    if depth > DEPTH_MAX:
        raise Skip("deep")
    if number(a) and number(b):
        return bool(a == b)
    if isinstance(a, RSet) != isinstance(b, RSet):
        return False
    if isinstance(a, RMap) and isinstance(b, RMap):
        if a.entries.keys() != b.entries.keys():
            return False
        return all(equal(v, b.entries[k][1], depth + 1) for k, (_, v) in a.entries.items())
    if isinstance(a, RList) and isinstance(b, RList):
        return len(a.items) == len(b.items) and all(
            equal(x, y, depth + 1) for x, y in zip(a.items, b.items, strict=True)
        )
    if type(a) is type(b) and type(a) in (str, bytes, range):
        return bool(a == b)
    return a is b


def order(a: Any, b: Any, depth: int = 0) -> int:
    """-1, 0 or 1; a TypeError for what has no order."""
    if depth > DEPTH_MAX:
        raise Skip("deep")
    if (number(a) and number(b)) or (type(a) is type(b) and type(a) in (str, bytes)):
        return (a > b) - (a < b)
    if isinstance(a, RList) and isinstance(b, RList):
        for x, y in zip(a.items, b.items, strict=False):
            if not equal(x, y, depth + 1):
                return order(x, y, depth + 1)
        return (len(a.items) > len(b.items)) - (len(a.items) < len(b.items))
    return int(fail("TypeError"))


def arithmetic(op: str, a: Any, b: Any) -> Any:
    """``a op b``."""
    if number(a) and number(b):
        try:
            if op == "+":
                return a + b
            if op == "-":
                return a - b
            if op == "*":
                return a * b
            if op == "/":
                return a / b
            if op == "~/":
                return a // b
            if op == "%":
                return a % b
            if type(a) is not float and type(b) is not float and b > 200:
                raise Skip("large power")
            result = int(a) ** int(b) if type(a) is not float and type(b) is not float else a**b
            return fail("ArithmeticError") if type(result) is complex else result
        except (ZeroDivisionError, OverflowError):
            return fail("ArithmeticError")
    if op == "+":
        if type(a) is type(b) and type(a) in (str, bytes):
            return a + b
        if isinstance(a, RList) and isinstance(b, RList):
            return RList(a.items + b.items)
    if op == "*":
        if type(a) in (int, bool):
            a, b = b, a
        if type(b) in (int, bool) and (type(a) in (str, bytes) or isinstance(a, RList)):
            count = max(0, int(b))
            size = len(a.items) if isinstance(a, RList) else len(a)
            if size * count > SIZE_MAX:
                raise Skip("long repetition")
            return RList(a.items * count) if isinstance(a, RList) else a * count
    return fail("TypeError")


def show(value: Any, top: bool = False, depth: int = 0) -> str:
    """A value as ``print`` writes it."""
    if depth > DEPTH_MAX:
        raise Skip("deep")
    if value is None:
        return "nil"
    if value is True or value is False:
        return "true" if value else "false"
    if type(value) is str:
        if top:
            return value
        if not value.isalnum() and not all(c.isalnum() or c in " _.,-" for c in value):
            raise Skip("escapes")
        return f'"{value}"'
    if type(value) is bytes:
        return f'b"{value.decode()}"'
    if type(value) is float:
        mantissa, e, exponent = repr(value).partition("e")
        return f"{mantissa}e{int(exponent)}" if e else mantissa
    if type(value) is range:
        return f"{value.start}..{value.stop}"
    if isinstance(value, RList):
        if len(value.items) > 900:
            raise Skip("long")
        return "[" + ", ".join(show(x, False, depth + 1) for x in value.items) + "]"
    if isinstance(value, RSet):
        return "Set([" + ", ".join(show(k, False, depth + 1) for k, _ in value.entries.values()) + "])"
    if isinstance(value, RMap):
        if any(isinstance(k, RInstance) for k, _ in value.entries.values()):
            raise Skip("instance as key")
        inner = (f"{show(k, False, depth + 1)}: {show(v, False, depth + 1)}" for k, v in value.entries.values())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, RInstance):
        fields = ", ".join(f"{n}: {show(v, False, depth + 1)}" for n, v in value.fields.items())
        return f"{value.cls.name}({fields})"
    if isinstance(value, RClass):
        return f"class {value.name}"
    if isinstance(value, RFunction | RBuiltin):
        return f"fn {value.name}" if value.name else "fn"
    if isinstance(value, RError):
        raise Skip("error as text")
    return str(value)


KINDS: dict[str, Callable[[Any], bool]] = {
    "Nil": lambda v: v is None,
    "Bool": lambda v: type(v) is bool,
    "Int": lambda v: type(v) is int,
    "Float": lambda v: type(v) is float,
    "Text": lambda v: type(v) is str,
    "Bytes": lambda v: type(v) is bytes,
    "Range": lambda v: type(v) is range,
    "List": lambda v: type(v) is RList,
    "Map": lambda v: type(v) is RMap,
    "Set": lambda v: type(v) is RSet,
    "Function": lambda v: isinstance(v, RFunction | RBuiltin | RClass),
    "Error": lambda v: isinstance(v, RError),
}
