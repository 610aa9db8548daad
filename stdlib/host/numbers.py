"""Mathematics: the functions of ``std/math`` that Hold has no operators for.

Results that are no real number are ArithmeticErrors; whole numbers are bounded before they are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from holdfast.vm import bigint, limits
from holdfast.vm.library import takes
from holdfast.vm.methods.arguments import need_count, need_int, need_number
from holdfast.vm.objects import fail
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief

GCD_BITS = 20_000
"""Bits of numbers whose greatest common divisor is computed in one step; ``std/math`` halves larger ones first."""
BINOMIAL_BITS = 400_000
"""Bits of a binomial coefficient, about."""
CUBES = 1 << 50
"""Cube roots below this are tested for being whole."""
POWER_BITS = 3_072
"""Bits of the numbers that ``power_mod`` takes."""


def _cbrt(x: float) -> float:
    """The cube root; exact for cubes, which not every system's own function is."""
    root = math.cbrt(x)
    whole = round(root) if abs(root) < CUBES else 0
    return float(whole) if whole**3 == x else root


_REAL: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt, "cbrt": _cbrt, "exp": math.exp, "expm1": math.expm1, "log1p": math.log1p,
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "asinh": math.asinh, "acosh": math.acosh,
    "atanh": math.atanh, "gamma": math.gamma, "erf": math.erf,
}  # fmt: skip


def functions(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The functions of one world."""
    table = {name: _real(name, function) for name, function in _REAL.items()}
    for function in (log, atan2, hypot, isqrt, gcd, factorial, binomial, power_mod):
        table[function.__name__] = function
    return table


def _no_real(name: str, *arguments: Any) -> Any:
    shown = ", ".join(map(brief, arguments))
    fail("ArithmeticError", f"{name}({shown}) is no real number")


def _too_large(name: str, *arguments: Any) -> Any:
    shown = ", ".join(map(brief, arguments))
    fail("ArithmeticError", f"{name}({shown}) is too large for a Float")


def _float(name: str, x: Any) -> float:
    need_number(f"math.{name}", x)
    try:
        return float(x)
    except OverflowError:
        pass
    fail("ArithmeticError", f"{brief(x)} is too large for a Float")


def _real(name: str, function: Callable[[float], float]) -> Callable[..., Any]:
    """A function from Float to Float."""

    @takes(x="")
    def real(x: Any) -> float:
        value = _float(name, x)
        try:
            return function(value)
        except ValueError:
            pass
        except OverflowError:
            return _too_large(name, x)  # type: ignore[no-any-return]
        return _no_real(name, x)  # type: ignore[no-any-return]

    return real


@takes(x="", base="")
def log(x: Any, base: Any) -> float:
    """The logarithm to a base, nil for e; of Ints of any size."""
    need_number("math.log", x)
    if x <= 0 or x != x:
        return _no_real("log", x)  # type: ignore[no-any-return]
    if base is None:
        return math.log(x)
    if _float("log", base) <= 0 or base == 1:
        return _no_real("log", x, base)  # type: ignore[no-any-return]
    return math.log2(x) if base == 2 else math.log10(x) if base == 10 else math.log(x) / math.log(base)


@takes(y="", x="")
def atan2(y: Any, x: Any) -> float:
    """The angle of the point (x, y)."""
    return math.atan2(_float("atan2", y), _float("atan2", x))


@takes(x="", y="")
def hypot(x: Any, y: Any) -> float:
    """The length of the vector (x, y)."""
    value = math.hypot(_float("hypot", x), _float("hypot", y))
    return _too_large("hypot", x, y) if math.isinf(value) else value


@takes(n="")
def isqrt(n: Any) -> int:
    """The whole part of the square root: Newton's method, with twice the digits each time."""
    value = need_int("math.isqrt", n)
    if value < 0:
        return _no_real("isqrt", n)  # type: ignore[no-any-return]
    if value.bit_length() <= bigint.DIVIDE_BITS:
        return math.isqrt(value)
    half = (value.bit_length() - 1) // 2
    root, done = 1, 0
    for shift in reversed(range(half.bit_length())):
        before, done = done, half >> shift
        quotient, _ = bigint.div_mod(value >> 2 * half - before - done + 1, root)
        root = (root << done - before - 1) + quotient
    return root - (root * root > value)


@takes(a="", b="")
def gcd(a: Any, b: Any) -> int | None:
    """The greatest common divisor; nil when the numbers are too large for one step."""
    x, y = need_int("math.gcd", a), need_int("math.gcd", b)
    return math.gcd(x, y) if max(x.bit_length(), y.bit_length()) <= GCD_BITS else None


@takes(n="")
def factorial(n: Any) -> int:
    """The product of the numbers from 1 to n."""
    value = need_count("math.factorial", n)
    if value > limits.INT_BITS or math.lgamma(value + 1) / math.log(2) > limits.INT_BITS:
        limits.over(f"the factorial of {brief(value)}", limits.INT_BITS, "the limit is in bits; use its logarithm")
    return math.factorial(value)


@takes(n="", k="")
def binomial(n: Any, k: Any) -> int:
    """The number of ways to choose k out of n."""
    total, part = need_count("math.binomial", n), need_count("math.binomial", k)
    part = min(part, total - part)
    if part < 0:
        return 0
    if part * max(1, total.bit_length()) > BINOMIAL_BITS:
        limits.over(f"choosing {brief(k)} out of {brief(n)}", BINOMIAL_BITS, "the limit is in bits; use logarithms")
    return math.comb(total, part)


@takes(base="", exponent="", modulus="")
def power_mod(base: Any, exponent: Any, modulus: Any) -> int:
    """``base ** exponent % modulus``, without ever computing the power."""
    numbers = [need_int("math.power_mod", value) for value in (base, exponent, modulus)]
    bits = max(value.bit_length() for value in numbers)
    if bits > POWER_BITS:
        limits.over(f"a number of {limits.count(bits)} bits in math.power_mod", POWER_BITS, "use smaller numbers")
    if numbers[2] == 0:
        fail("ArithmeticError", "math.power_mod cannot work modulo 0")
    try:
        return pow(*numbers)
    except ValueError:
        pass
    fail("ArithmeticError", f"{brief(base)} has no inverse modulo {brief(modulus)}")
