"""Large Ints in bounded time: division, decimal text, other bases.

CPython 3.11 divides and prints large integers in quadratic time (an Int of 1,000,000 bits prints in a second), and
refuses more than 4,300 digits by an exception of its own.  Both would stop every thread of the world.  Here both
are done by divide and conquer on top of fast multiplication; measured for 1,000,000 bits: text 80 ms, from text
80 ms, division 100 ms.  All take and give Ints within :data:`holdfast.vm.limits.INT_BITS`.
"""

from __future__ import annotations

import decimal

SMALL_BITS = 8_192
"""Up to here CPython's own conversions are fast (and below its limit of 4,300 digits)."""

SMALL_DIGITS = 2_000
"""The same bound in decimal digits, for reading."""

DIVIDE_BITS = 16_000
"""Divisors and quotients below this go to CPython's quadratic division."""

LEAF_BITS = 200
"""Size of the pieces that become a Decimal at once."""

LEAF_LEVEL = 5
"""``to_base`` makes the last ``2 ** LEAF_LEVEL`` digits one by one."""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def div_mod(a: int, b: int) -> tuple[int, int]:
    """``divmod(a, b)``, in subquadratic time; the caller has tested ``b`` for zero."""
    bits = b.bit_length()
    if bits < DIVIDE_BITS or a.bit_length() - bits < DIVIDE_BITS:
        return divmod(a, b)
    if b < 0:
        q, r = div_mod(-a, -b)
        return q, -r
    if a < 0:
        q, r = div_mod(~a, b)
        return ~q, b + ~r
    return _divide(a, b)


def _divide(a: int, b: int) -> tuple[int, int]:
    """Long division with digits as wide as ``b`` (Burnikel and Ziegler); both positive."""
    width = b.bit_length()
    mask = (1 << width) - 1
    digits = []
    while a:
        digits.append(a & mask)
        a >>= width
    remainder = 0
    quotient = 0
    for digit in reversed(digits):
        part, remainder = _two_by_one((remainder << width) | digit, b, width)
        quotient = (quotient << width) | part
    return quotient, remainder


def _two_by_one(a: int, b: int, width: int) -> tuple[int, int]:
    """Divide ``a`` of at most two digits by ``b`` of one digit of ``width`` bits; the quotient fits in one digit.

    Recursion halves ``width`` down to DIVIDE_BITS, so it is at most a dozen levels deep.
    """
    if a.bit_length() - width <= DIVIDE_BITS:
        return divmod(a, b)
    odd = width & 1
    if odd:
        a <<= 1
        b <<= 1
        width += 1
    half = width >> 1
    mask = (1 << half) - 1
    b1, b2 = b >> half, b & mask
    q1, r = _three_by_two(a >> width, (a >> half) & mask, b, b1, b2, half)
    q2, r = _three_by_two(r, a & mask, b, b1, b2, half)
    if odd:
        r >>= 1
    return q1 << half | q2, r


def _three_by_two(a12: int, a3: int, b: int, b1: int, b2: int, width: int) -> tuple[int, int]:
    """Divide three half digits by two."""
    if a12 >> width == b1:
        q, r = (1 << width) - 1, a12 - (b1 << width) + b1
    else:
        q, r = _two_by_one(a12, b1, width)
    r = (r << width | a3) - q * b2
    while r < 0:
        q -= 1
        r += b
    return q, r


def to_decimal(value: int) -> str:
    """The Int in decimal; never CPython's error about the number of digits."""
    if value.bit_length() <= SMALL_BITS:
        return str(value)
    sign = "-" if value < 0 else ""
    value = abs(value)
    powers: dict[int, decimal.Decimal] = {}

    def power(width: int) -> decimal.Decimal:
        result = powers.get(width)
        if result is None:
            half = width >> 1
            result = decimal.Decimal(2) ** width if width <= LEAF_BITS else power(half) * power(width - half)
            powers[width] = result
        return result

    def convert(number: int, width: int) -> decimal.Decimal:
        if width <= LEAF_BITS:
            return decimal.Decimal(number)
        half = width >> 1
        high = number >> half
        return convert(number & ((1 << half) - 1), half) + convert(high, width - half) * power(half)

    with decimal.localcontext(_exact()):
        return sign + str(convert(value, value.bit_length()))


def _exact() -> decimal.Context:
    """A context in which every operation on integers is exact, or an error of ours."""
    return decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.Inexact])


def from_digits(digits: str, base: int) -> int:
    """The Int that ASCII ``digits`` of ``base`` stand for.

    The caller has tested each digit, and the number of digits against the limit.
    """
    if len(digits) <= SMALL_DIGITS or base & (base - 1) == 0:
        return int(digits, base)
    powers: dict[int, int] = {}

    def power(count: int) -> int:
        result = powers.get(count)
        if result is None:
            half = count >> 1
            result = base**count if count <= SMALL_DIGITS else power(half) * power(count - half)
            powers[count] = result
        return result

    def convert(start: int, end: int) -> int:
        if end - start <= SMALL_DIGITS:
            return int(digits[start:end], base)
        middle = (start + end + 1) >> 1
        return convert(start, middle) * power(end - middle) + convert(middle, end)

    return convert(0, len(digits))


def to_base(value: int, base: int) -> str:
    """The Int in a base from 2 to 36, lower-case digits, without a prefix."""
    if base == 10:
        return to_decimal(value)
    sign, value = ("-", -value) if value < 0 else ("", value)
    if base in (2, 8, 16):
        return sign + format(value, {2: "b", 8: "o", 16: "x"}[base])
    powers = [base]  # base, base**2, base**4, …: recursion over them is at most 20 levels deep
    while powers[-1] <= value or len(powers) <= LEAF_LEVEL:
        powers.append(powers[-1] * powers[-1])

    def convert(number: int, level: int) -> str:
        """``2 ** level`` digits, padded with zeros."""
        if level <= LEAF_LEVEL:
            out = []
            for _ in range(1 << level):
                number, digit = divmod(number, base)
                out.append(DIGITS[digit])
            return "".join(reversed(out))
        high, low = div_mod(number, powers[level - 1])
        return convert(high, level - 1) + convert(low, level - 1)

    return sign + (convert(value, len(powers) - 1).lstrip("0") or "0")
