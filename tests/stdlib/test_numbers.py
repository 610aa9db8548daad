"""std/math against Python's math, and the numbers of std/random."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stdlib.conftest import Library

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
REAL = ["sqrt", "exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
        "cosh", "tanh", "asinh", "acosh", "atanh", "gamma", "erf", "degrees", "radians"]  # fmt: skip
BIG = st.integers(-(10**60), 10**60)


def program(name: str, parameters: str = "x") -> str:
    """A module whose ``f`` is a function of std/math."""
    return f'import "std/math" as math\nfn f({parameters}) => math.{name}({parameters})\n'


@SHARED
@given(st.sampled_from(REAL), st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000))
def test_real_functions(hold: Library, name: str, x: float) -> None:
    """Where Python has a number, it is the same; where it has none, there is an ArithmeticError."""
    found = hold.call(program(name), x)
    try:
        wanted = getattr(math, name)(x)
    except (ValueError, OverflowError):
        assert isinstance(found, str) and found.startswith("ArithmeticError: ")
    else:
        assert math.isclose(found, wanted, rel_tol=1e-14, abs_tol=1e-300)


@SHARED
@given(BIG, BIG)
def test_divisors(hold: Library, a: int, b: int) -> None:
    """Greatest common divisor and least common multiple."""
    assert hold.call(program("gcd", "a, b"), a, b) == math.gcd(a, b)
    assert hold.call(program("lcm", "a, b"), a, b) == math.lcm(a, b)


@SHARED
@given(st.integers(0, 10**60) | st.integers(2**17_000, 2**17_001) | st.integers(2, 300).map(lambda n: n**5_000))
def test_isqrt(hold: Library, n: int) -> None:
    """The whole root, of large numbers too."""
    assert hold.call(program("isqrt", "n"), n) == math.isqrt(n)
    assert hold.call(program("isqrt", "n"), n * n) == n


def test_large_gcd(hold: Library) -> None:
    """Numbers that are too large for one step are halved until they are not."""
    common = 3**30_000
    a, b = common * (2**8_000 + 1), common * (2**8_000 - 1)
    assert hold.call(program("gcd", "a, b"), a, b) == math.gcd(a, b)


def test_primes(hold: Library) -> None:
    """Small numbers as a sieve has them; large ones as they are known to be."""
    sieve = [n for n in range(3000) if n > 1 and all(n % p for p in range(2, math.isqrt(n) + 1))]
    small = 'import "std/math" as math\nfn f() => List(0..3000).filter(fn(n) => math.is_prime(n))\n'
    assert hold.call(small) == sieve
    assert hold.call(program("is_prime", "n"), 2**127 - 1) is True
    assert hold.call(program("is_prime", "n"), 3825123056546413051) is False  # a strong pseudoprime to nine bases
    assert hold.call(program("is_prime", "n"), (2**61 - 1) * (2**89 - 1)) is False
    assert hold.call(program("factors", "n"), 2**5 * 97 * 10007) == [2] * 5 + [97, 10007]


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("sqrt", [-1], "ArithmeticError: sqrt(-1) is no real number"),
        ("exp", [1000], "ArithmeticError: exp(1000) is too large for a Float"),
        ("sqrt", ["4"], "TypeError: math.sqrt needs a number, not Text"),
        ("sqrt", [10**400], "ArithmeticError: "),
        ("factorial", [100_000], "LimitError: the factorial of 100000 is over the limit"),
        ("factorial", [-1], "ValueError: math.factorial needs a number of at least 0"),
        ("power_mod", [3, 5, 0], "ArithmeticError: math.power_mod cannot work modulo 0"),
        ("power_mod", [2, -1, 4], "ArithmeticError: 2 has no inverse modulo 4"),
        ("power_mod", [3, 2**5000, 7], "LimitError: a number of 5_001 bits in math.power_mod"),
        ("mean", [[]], "ValueError: mean needs one number at least"),
        ("quantile", [[1], 2], "ValueError: a share is from 0 to 1, not 2"),
    ],
)
def test_messages(hold: Library, name: str, arguments: list[Any], error: str) -> None:
    """What cannot be computed is refused in words."""
    names = ", ".join("abc"[: len(arguments)])
    assert hold.call(program(name, names), *arguments).startswith(error)


# --------------------------------------------------------------------------- random

GOLDEN = [5078821545088642652, 13693160887917304158, 857338494034856758]
"""The first outputs of the seed 1."""


def drawn(hold: Library, expression: str, seed: Any, count: int) -> list[Any]:
    """So many values of an expression with the generator ``g``."""
    source = (
        'import "std/random" as random\nfn f(seed, n) {\n let g = random.Generator(seed)\n'
        f" return List(0..n).map(fn(_) => {expression})\n}}\n"
    )
    return hold.call(source, seed, count)


def test_the_same_numbers_for_ever(hold: Library) -> None:
    """A seed stands for one sequence: programs may rely on it over versions."""
    assert drawn(hold, "g.bits()", 1, 3) == GOLDEN
    assert drawn(hold, "g.bits()", "a", 3) != drawn(hold, "g.bits()", b"b", 3)


@pytest.mark.parametrize("seed", [0, 1, -1, 2**200, "x", b""])
def test_numbers_are_spread_evenly(hold: Library, seed: Any) -> None:
    """Each value comes about as often as it should (chi-squared, far beyond chance), from any seed."""
    values = drawn(hold, "g.int(0..20)", seed, 4000)
    assert set(values) == set(range(20))
    assert sum((n - 200) ** 2 / 200 for n in Counter(values).values()) < 60
    bits = drawn(hold, "g.bits()", seed, 2000)
    for bit in range(64):
        assert 850 < sum(n >> bit & 1 for n in bits) < 1150


def test_neighbouring_seeds_have_nothing_in_common(hold: Library) -> None:
    """The first numbers of many seeds are as random as those of one."""
    first = [drawn(hold, "g.below(1000)", seed, 1)[0] for seed in range(300)]
    assert 200 < len(set(first)) < 300


def test_distributions(hold: Library) -> None:
    """Mean and deviation are what was asked for."""
    for expression, mean, deviation in (
        ("g.float()", 0.5, 0.2887),
        ("g.normal(10, 3)", 10, 3),
        ("g.exponential(2)", 0.5, 0.5),
        ("(if g.chance(0.25) { 1 } else { 0 })", 0.25, 0.433),
        ('(if g.weighted(["a", "b"], [3, 1]) == "a" { 1 } else { 0 })', 0.75, 0.433),
    ):
        values = drawn(hold, expression, 5, 5000)
        found = sum(values) / len(values)
        assert abs(found - mean) < 5 * deviation / math.sqrt(len(values)), expression
        assert abs(math.sqrt(sum((x - found) ** 2 for x in values) / len(values)) / deviation - 1) < 0.1, expression


def test_large_ranges(hold: Library) -> None:
    """Numbers beyond 64 bits reach their whole range."""
    values = drawn(hold, "g.below(10 ** 40)", 3, 200)
    assert max(values) > 9 * 10**39 and min(values) < 10**39 and len(set(values)) == 200


def test_samples(hold: Library) -> None:
    """Samples and shuffles keep what they are given."""
    assert all(len(set(s)) == 3 and set(s) < set(range(10)) for s in drawn(hold, "g.sample(0..10, 3)", 4, 200))
    assert len({tuple(s) for s in drawn(hold, "g.shuffled([1, 2, 3])", 4, 200)}) == 6
