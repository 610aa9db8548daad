"""The functions that every program has by name: conversions, ``len``, and a little arithmetic.

They are plain functions with the parameter names that Hold callers use, and docstrings of the same form as methods
(:mod:`holdfast.vm.methods`).  A conversion of something that has no such form is a ValueError.  ``Int``, ``Text``
and the other kinds are also what ``is`` and patterns test; that is the compiler's work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from holdfast.vm import bigint, limits, order
from holdfast.vm.methods.arguments import declared, items_of, key_table, need_int, needs, readable
from holdfast.vm.methods.number import round_half_up
from holdfast.vm.objects import ListBase, MapBase, SetBase, fail, kind_name
from holdfast.vm.ops import check_key, length
from holdfast.vm.order import NUMBERS
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief, to_text

_INT = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|0[bB]([01]+(?:_[01]+)*)|([0-9]+(?:_[0-9]+)*))")
_FLOAT = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+)?|inf|nan)"
)
# Digits of the largest Int in decimal; leading zeros count, which bounds the work (threat 23).
_INT_TEXT = limits.INT_BITS + limits.INT_BITS // 4


# --------------------------------------------------------------------------- conversions


def int_(x: Any, base: Any = 10) -> int:
    """An Int from a number (without its fraction) or from a Text.

    > Int("42") == 42
    > Int("ff", base: 16) == 255
    > Int(-2.7) == -2
    """
    kind = type(x)
    if kind is int:
        return x  # type: ignore[no-any-return]
    if kind is bool:
        return int(x)
    if kind is float:
        if not math.isfinite(x):
            fail("ValueError", f"cannot convert {x} to Int: no Int stands for it")
        return int(x)
    if kind is str:
        if type(base) is int and base == 10 and len(x) < 19 and x.isascii() and x.isdigit():
            return int(x)
        return _parse_int(x, need_int("Int", base))
    return _not_converted("Int", x)  # type: ignore[no-any-return]


def _parse_int(text: str, base: int) -> int:
    if not 2 <= base <= 36:
        fail("ValueError", f"the base must be from 2 to 36, not {brief(base)}")
    if len(text) > _INT_TEXT:
        limits.over(f"a Text of {limits.count(len(text))} characters as an Int", _INT_TEXT, "use Float, or parts of it")
    stripped = text.strip()
    if base == 10:
        match = _INT.fullmatch(stripped)
        if match is None:
            fail("ValueError", f'cannot convert {brief(text)} to Int: write digits, as in "42"')
        sign, hexadecimal, binary, decimal = match.groups()
        digits, base = (hexadecimal, 16) if hexadecimal else (binary, 2) if binary else (decimal, 10)
    else:
        sign = stripped[:1] if stripped[:1] in ("+", "-") else ""
        digits = stripped[len(sign) :].lower()
        if not digits or digits.strip(bigint.DIGITS[:base]):
            fail("ValueError", f"cannot convert {brief(text)} to Int in base {base}")
        bad = set(digits).difference(bigint.DIGITS[:base])
        if bad:
            fail("ValueError", f"cannot convert {brief(text)} to Int in base {base}")
    digits = digits.replace("_", "").lstrip("0") or "0"
    if len(digits) * math.log2(base) > limits.INT_BITS + base:
        limits.int_too_large(int(len(digits) * math.log2(base)))
    value = limits.check_int(bigint.from_digits(digits, base))
    return -value if sign == "-" else value


def float_(x: Any) -> float:
    """A Float from a number or from a Text.

    > Float("2.5") == 2.5
    > Float(2) == 2.0
    """
    if type(x) in NUMBERS:
        try:
            return float(x)
        except OverflowError:
            pass
        fail("ArithmeticError", f"{brief(x)} is too large for a Float: use Int")
    if type(x) is str:
        if len(x) > limits.NUMBER_TEXT:
            limits.over(
                f"a Text of {limits.count(len(x))} characters as a Float", limits.NUMBER_TEXT, "give fewer digits"
            )
        stripped = x.strip()
        if _FLOAT.fullmatch(stripped) is None:
            fail("ValueError", f'cannot convert {brief(x)} to Float: write a number, as in "2.5"')
        return float(stripped)
    return _not_converted("Float", x)  # type: ignore[no-any-return]


@needs(x="r")
def text(x: Any) -> str:
    """Any value as a Text, as ``print`` writes it.

    > Text([1, "a"]) == "[1, \\"a\\"]"
    > Text("a") == "a"
    """
    return to_text(x)


@needs(x="r")
def bytes_(x: Any) -> bytes:
    """Bytes from a Text (as UTF-8), or from Ints from 0 to 255.

    > Bytes([104, 105]) == b"hi"
    > Bytes("hi") == b"hi"
    """
    if type(x) is bytes:
        return x
    if type(x) is str:
        encoded = x.encode("utf-8")
        limits.check_bytes(len(encoded))
        return encoded
    if type(x) is not range and not isinstance(x, (ListBase, SetBase)):
        _not_converted("Bytes", x)
    items = items_of("Bytes", x)
    limits.check_bytes(len(items))
    for item in items:
        if type(item) not in (int, bool) or not 0 <= item <= 255:
            fail("ValueError", f"cannot convert {brief(item)} to a byte: an Int from 0 to 255 is needed")
    return bytes(items)


def _not_converted(kind: str, value: Any) -> Any:
    name = kind_name(value)
    fail("ValueError", f"cannot convert {name} to {kind}" + ("" if value is not None else ": give a default with ??"))


# --------------------------------------------------------------------------- functions


@needs(x="r")
def len_(x: Any) -> int:
    """The number of items, keys, code points or bytes.

    > len("für") == 3
    > len([1, 2]) == 2
    """
    return length(x)


def abs_(x: Any) -> Any:
    """The distance of a number from 0.

    > abs(-3) == 3
    """
    if type(x) not in NUMBERS:
        fail("TypeError", f"abs needs a number, not {kind_name(x)}")
    return abs(x)


def round_(x: Any, digits: Any = None) -> Any:
    """The nearest Int, or with ``digits`` the nearest number of so many decimal digits; halves go away from zero.

    > round(2.5) == 3
    > round(3.14159, 2) == 3.14
    """
    if type(x) not in NUMBERS:
        fail("TypeError", f"round needs a number, not {kind_name(x)}")
    return round_half_up(x, digits)


@needs(x="r", others="r")
def min_(x: Any, *others: Any) -> Any:
    """The least of several values, or of the items of one collection.

    > min(3, 1, 2) == 1
    > min(["b", "a"]) == "a"
    """
    return _extreme("min", x, others, greatest=False)


@needs(x="r", others="r")
def max_(x: Any, *others: Any) -> Any:
    """The greatest of several values, or of the items of one collection.

    > max(3, 1, 2) == 3
    > max([]) == nil
    """
    return _extreme("max", x, others, greatest=True)


def _extreme(name: str, x: Any, others: tuple[Any, ...], *, greatest: bool) -> Any:
    if others:
        return order.extreme([x, *others], greatest=greatest)
    if type(x) is range:
        return (x.stop - 1 if greatest else x.start) if x.start < x.stop else None
    items = items_of(name, x)
    return order.extreme(items, greatest=greatest) if items else None


@needs(items="r")
def sum_(items: Any) -> Any:
    """The sum of the numbers in a collection; 0 if there is none.

    > sum([1, 2, 3]) == 6
    """
    return order.total(items_of("sum", items))


def ord_(x: Any) -> int:
    """The code point of a Text of one character.

    > ord("a") == 97
    """
    if type(x) is not str or len(x) != 1:
        fail("ValueError", f"ord needs a Text of one code point, not {brief(x)}")
    return ord(x)


def chr_(code: Any) -> str:
    """The Text of one code point.

    > chr(97) == "a"
    """
    number = need_int("chr", code)
    if not 0 <= number <= 0x10FFFF or 0xD800 <= number <= 0xDFFF:  # a surrogate could never be stored
        fail("ValueError", f"{brief(number)} is no code point: 0 to 0x10ffff without 0xd800 to 0xdfff")
    return chr(number)


def type_name(x: Any) -> str:
    """The name of a value's kind or class.

    > type_name(2.5) == "Float"
    """
    return kind_name(x)


# --------------------------------------------------------------------------- the table


def builtins(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The functions of one world by name."""

    @needs(items="r")
    def list_(items: Any = ()) -> Any:
        """A new List of the items of a collection, the keys of a Map, or the code points of a Text.

        > List(0..3) == [0, 1, 2]
        > List("ab") == ["a", "b"]
        """
        return runtime.new_list([] if items == () else _items("List", items))

    @needs(items="r")
    def set_(items: Any = ()) -> Any:
        """A new Set of the items of a collection.

        > Set([1, 1, 2]) == Set([1, 2])
        """
        return runtime.new_set({} if items == () else key_table("Set", _items("Set", items)))

    @needs(items="r")
    def map_(items: Any = ()) -> Any:
        """A new Map from another, or from pairs of key and value.

        > Map([["a", 1], ["b", 2]]) == {"a": 1, "b": 2}
        """
        return runtime.new_map({} if items == () else _map(items))

    functions: dict[str, Callable[..., Any]] = {
        "Int": int_, "Float": float_, "Text": text, "Bytes": bytes_, "List": list_, "Set": set_, "Map": map_,
        "len": len_, "abs": abs_, "round": round_, "min": min_, "max": max_, "sum": sum_, "ord": ord_, "chr": chr_,
        "type_name": type_name,
    }  # fmt: skip
    return {name: declared(function) for name, function in functions.items()}


def _items(kind: str, value: Any) -> list[Any]:
    """The items of what a collection can be made of."""
    value = readable(value)
    if type(value) in (str, bytes, range) or isinstance(value, (ListBase, MapBase, SetBase)):
        return items_of(kind, value)
    return _not_converted(kind, value)  # type: ignore[no-any-return]


def _map(value: Any) -> dict[Any, Any]:
    """The raw dict of a Map that is made of another or of pairs."""
    value = readable(value)
    if isinstance(value, MapBase):
        return dict(value.v)
    if not isinstance(value, ListBase):
        _not_converted("Map", value)
    pairs: list[tuple[Any, Any]] = []
    for item in value.v:
        if not isinstance(item, ListBase) or len(item.v) != 2:
            fail("ValueError", f"cannot convert {brief(item)} to a Map entry: pairs like [key, value] are needed")
        check_key(item.v[0])
        pairs.append((item.v[0], item.v[1]))
    key_table("Map", [key for key, _ in pairs])  # refuses keys that were made to collide
    return dict(pairs)
