"""Methods of Int and Float (a Bool has those of Int: true is 1).

Rounding is to the nearest, halves away from zero, and exact: ``2.675.round(2)`` is decided by the number that the
literal stands for, which is a little below.
"""

from __future__ import annotations

import decimal
import math
from typing import Any

from holdfast.vm import bigint, limits
from holdfast.vm.methods.arguments import need_count, need_int, need_number, table
from holdfast.vm.objects import fail
from holdfast.vm.show import brief, to_text

_EXACT = decimal.Context(prec=2_000, rounding=decimal.ROUND_HALF_UP)  # a double has at most 1,075 digits

_COMMON_BASE = 10


def _digits(where: str, digits: Any) -> int:
    number = need_int(where, digits)
    if not -limits.DIGITS <= number <= limits.DIGITS:
        limits.over(f"{where}: {brief(number)} digits", limits.DIGITS, "a Float has about 17 of them")
    return number


def _whole(what: str, value: float) -> float:
    """Refuse inf and nan, which no Int stands for."""
    if not math.isfinite(value):
        fail("ArithmeticError", f"cannot take the {what} of {value}: test it with is_finite()")
    return value


def round_half_up(value: Any, digits: Any) -> Any:
    """Rounded to so many decimal digits; nil gives an Int."""
    if digits is None:
        if type(value) is not float:
            return int(value)
        whole = _EXACT.create_decimal(_whole("rounding", value)).to_integral_value(decimal.ROUND_HALF_UP)
        return int(whole)
    places = _digits("round", digits)
    if type(value) is float:
        if not math.isfinite(value) or places > 330:  # beyond, a double has no digits to round
            return value
        exact = decimal.Decimal(value).quantize(decimal.Decimal(1).scaleb(-places), context=_EXACT)
        result = float(exact)
        return result if math.isfinite(result) else fail("ArithmeticError", f"{value} rounds to more than a Float")
    if places >= 0:
        return int(value)
    unit = 10**-places
    half, sign = unit // 2, -1 if value < 0 else 1
    return limits.check_int(sign * bigint.div_mod(abs(int(value)) + half, unit)[0] * unit)


def abs_(self: Any) -> Any:
    """The distance from 0.

    > (-3).abs() == 3
    """
    return abs(self)


def sign(self: Any) -> Any:
    """-1, 0 or 1.

    > (-2.5).sign() == -1
    """
    if self != self:
        fail("ArithmeticError", "nan has no sign: test it with is_nan()")
    return (self > 0) - (self < 0)


def floor(self: Any) -> int:
    """The greatest Int that is not above.

    > (-2.5).floor() == -3
    """
    return math.floor(_whole("floor", self)) if type(self) is float else int(self)


def ceil(self: Any) -> int:
    """The least Int that is not below.

    > 2.1.ceil() == 3
    """
    return math.ceil(_whole("ceil", self)) if type(self) is float else int(self)


def truncate(self: Any) -> int:
    """Without the fraction, as ``Int(x)``.

    > (-2.5).truncate() == -2
    """
    return math.trunc(_whole("truncation", self)) if type(self) is float else int(self)


def round_(self: Any, digits: Any = None) -> Any:
    """The nearest Int; with ``digits``, the nearest number of so many decimal digits; halves go away from zero.

    > 2.5.round() == 3
    > 3.14159.round(2) == 3.14
    > 1250.round(-2) == 1300
    """
    return round_half_up(self, digits)


def fixed(self: Any, digits: Any = 2) -> str:
    """As a Text with exactly so many decimal digits.

    > 2.5.fixed(2) == "2.50"
    > 7.fixed(1) == "7.0"
    """
    places = need_count("fixed", _digits("fixed", digits))
    if type(self) is float:
        if not math.isfinite(self):
            return to_text(self)
        return format(decimal.Decimal(self).quantize(decimal.Decimal(1).scaleb(-places), context=_EXACT), "f")
    return bigint.to_decimal(int(self)) + ("." + "0" * places if places else "")


def min_(self: Any, other: Any) -> Any:
    """The lesser of the two.

    > 3.min(5) == 3
    """
    other = need_number("min", other)
    return other if other < self else self


def max_(self: Any, other: Any) -> Any:
    """The greater of the two.

    > 3.max(5) == 5
    """
    other = need_number("max", other)
    return other if other > self else self


def clamp(self: Any, low: Any, high: Any) -> Any:
    """The nearest number from ``low`` to ``high``.

    > 12.clamp(0, 10) == 10
    """
    low, high = need_number("clamp", low), need_number("clamp", high)
    if low > high:
        fail("ValueError", f"clamp needs low <= high, not {brief(low)} and {brief(high)}")
    return low if self < low else high if self > high else self


def is_nan(self: Any) -> bool:
    """Whether it is nan, the Float that is no number.

    > 1.is_nan() == false
    """
    return bool(self != self)


def is_finite(self: Any) -> bool:
    """Whether it is neither nan nor inf nor -inf.

    > 1.5.is_finite() == true
    """
    return type(self) is not float or math.isfinite(self)


def to_text_(self: Any, base: Any = _COMMON_BASE) -> str:
    """As a Text; an Int in a base from 2 to 36.

    > 255.to_text(16) == "ff"
    """
    if type(self) is float:
        if base != _COMMON_BASE:
            fail("ValueError", f"a Float has no form in base {brief(base)}: use floor() first")
        return to_text(self)
    number = need_int("to_text", base)
    if not 2 <= number <= 36:
        fail("ValueError", f"the base must be from 2 to 36, not {brief(number)}")
    return bigint.to_base(int(self), number)


def grouped(self: Any, sep: Any = ",") -> str:
    """In decimal, a separator between thousands.

    > 1234567.grouped() == "1,234,567"
    > (-1234.5).grouped("_") == "-1_234.5"
    """
    if type(sep) is not str or len(sep) > 1:
        fail("ValueError", f"the separator must be a Text of at most one character, not {brief(sep)}")
    text = to_text(self) if type(self) is float else bigint.to_decimal(int(self))
    whole, point, rest = text.partition(".")
    if not whole.lstrip("-").isdigit():  # inf, nan, or an exponent
        return text
    minus = "-" if whole.startswith("-") else ""
    whole = whole.lstrip("-")
    lead = len(whole) % 3
    groups = ([whole[:lead]] if lead else []) + [whole[n : n + 3] for n in range(lead, len(whole), 3)]
    return minus + sep.join(groups) + point + rest


# --------------------------------------------------------------------------- Int only


def hex_(self: Any) -> str:
    """In base 16, without a prefix.

    > 255.hex() == "ff"
    """
    return bigint.to_base(int(self), 16)


def bin_(self: Any) -> str:
    """In base 2, without a prefix.

    > 5.bin() == "101"
    """
    return bigint.to_base(int(self), 2)


def is_even(self: Any) -> bool:
    """Whether 2 divides it.

    > 4.is_even() == true
    """
    return not self & 1


def is_odd(self: Any) -> bool:
    """Whether 2 does not divide it.

    > 4.is_odd() == false
    """
    return bool(self & 1)


def bit_and(self: Any, other: Any) -> int:
    """The bits that are in both (of two's complement).

    > 12.bit_and(10) == 8
    """
    return int(self) & need_int("bit_and", other)


def bit_or(self: Any, other: Any) -> int:
    """The bits that are in either.

    > 12.bit_or(10) == 14
    """
    return int(self) | need_int("bit_or", other)


def bit_xor(self: Any, other: Any) -> int:
    """The bits that are in one of the two.

    > 12.bit_xor(10) == 6
    """
    return int(self) ^ need_int("bit_xor", other)


def bit_not(self: Any) -> int:
    """All bits turned over: ``-x - 1``.

    > 5.bit_not() == -6
    """
    return limits.check_int(~int(self))


def bit_length(self: Any) -> int:
    """The number of bits without the sign.

    > 255.bit_length() == 8
    """
    return int(self).bit_length()


def shift_left(self: Any, count: Any) -> int:
    """Times ``2 ** count``.

    > 3.shift_left(4) == 48
    """
    bits = need_count("shift_left", count)
    value = int(self)
    if value and value.bit_length() + bits > limits.INT_BITS:
        limits.int_too_large(value.bit_length() + bits)
    return value << bits if value else 0


def shift_right(self: Any, count: Any) -> int:
    """Divided by ``2 ** count``, rounded down.

    > 48.shift_right(4) == 3
    """
    return int(self) >> min(need_count("shift_right", count), limits.INT_BITS)


_BOTH = table(
    abs_, sign, floor, ceil, truncate, round_, fixed, min_, max_, clamp, is_nan, is_finite, grouped, to_text_,
)  # fmt: skip

FLOAT = _BOTH

INT = _BOTH | table(hex_, bin_, is_even, is_odd, bit_and, bit_or, bit_xor, bit_not, bit_length, shift_left, shift_right)
