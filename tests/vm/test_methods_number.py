"""Methods of Int, Float and Range, and the built-in functions."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pace import within

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAN, INF = math.nan, math.inf


@given(FINITE | st.integers(), st.integers(-5, 20))
def test_rounding_is_exact(bench, value, digits):
    """Rounding looks at the exact number: nearest, halves away from zero."""
    kind = "Int" if type(value) is int else "Float"
    exact = abs(Fraction(value)) * Fraction(10) ** digits
    nearest = Fraction(math.floor(exact + Fraction(1, 2))) / Fraction(10) ** digits * (-1 if value < 0 else 1)
    result = bench.call(kind, "round", value, digits)
    if isinstance(result, str):
        assert abs(nearest) > 1.7e308
    else:
        assert type(result) is type(value) and result == (int(nearest) if kind == "Int" else float(nearest))
    if digits >= 0:
        text = bench.call(kind, "fixed", value, digits)
        assert Fraction(text) == (nearest if kind == "Float" else value)
        assert len(text.partition(".")[2]) == digits


@given(FINITE)
def test_whole_numbers(bench, value):
    """floor, ceil, round and truncate give Ints that stand around the number."""
    low, high = bench.call("Float", "floor", value), bench.call("Float", "ceil", value)
    assert low <= value <= high <= low + 1 and type(low) is type(high) is int
    assert bench.call("Float", "round", value) in (low, high)
    assert bench.call("Float", "truncate", value) == int(value)


@given(st.integers(), st.integers(), st.integers(0, 200))
def test_bits(bench, a, b, count):
    """Bit operations are those of two's complement."""
    assert bench.call("Int", "bit_and", a, b) == a & b
    assert bench.call("Int", "bit_or", a, b) == a | b
    assert bench.call("Int", "bit_xor", a, b) == a ^ b
    assert bench.call("Int", "bit_not", a) == ~a
    assert bench.call("Int", "shift_left", a, count) == a << count
    assert bench.call("Int", "shift_right", a, count) == a >> count
    assert bench.call("Int", "bit_length", a) == a.bit_length()
    assert bench.call("Int", "is_even", a) is not bench.call("Int", "is_odd", a)


@given(st.integers(), st.integers(2, 36))
def test_text_in_a_base_reads_back(bench, number, base):
    """``Int(text, base)`` undoes ``to_text(base)``."""
    text = bench.call("Int", "to_text", number, base)
    assert bench.outcome(bench.builtins["Int"], text, base=base) == number
    assert bench.outcome(bench.builtins["Int"], f" {text.upper()}\n", base=base) == number


@given(st.integers())
def test_grouping(bench, number):
    """Groups of three, from the right."""
    assert bench.call("Int", "grouped", number) == f"{number:,}"
    assert bench.call("Int", "grouped", number, "_") == f"{number:_}"


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(-25, 25), st.none() | st.integers(-25, 25))
def test_ranges(bench, low, high, at, end):
    """A Range answers as the list of its Ints would."""
    r = range(low, high)
    items = list(r)
    assert bench.call("Range", "len", r) == len(items)
    assert bench.call("Range", "list", r) == items
    assert bench.call("Range", "reversed", r) == items[::-1]
    assert bench.call("Range", "sum", r) == sum(items)
    assert bench.call("Range", "contains", r, at) is (at in items)
    assert bench.call("Range", "index", r, at) == (items.index(at) if at in items else None)
    assert list(bench.call("Range", "slice", r, at, end)) == items[at:end]
    assert bench.call("Range", "first", r) == (items[0] if items else None)
    assert bench.call("Range", "last", r) == (items[-1] if items else None)
    assert bench.call("Range", "step", r, 3) == items[::3]
    assert bench.outcome(bench.builtins["min"], r) == min(items, default=None)
    assert bench.outcome(bench.builtins["max"], r) == max(items, default=None)


TABLE = [
    ("Float", "round", (2.5,), 3),
    ("Float", "round", (-2.5,), -3),
    ("Float", "round", (0.49999999999999994,), 0),
    ("Float", "round", (2.675, 2), 2.67),
    ("Float", "round", (1e308, 400), 1e308),
    ("Float", "round", (INF, 2), INF),
    ("Float", "round", (INF,), "ArithmeticError: cannot take the rounding of inf: test it with is_finite()"),
    ("Float", "floor", (NAN,), "ArithmeticError: cannot take the floor of nan: test it with is_finite()"),
    (
        "Float",
        "round",
        (1.5, 10**9),
        "LimitError: round: 1000000000 digits is over the limit of 400: a Float has about 17 of them",
    ),
    ("Float", "fixed", (0.125, 2), "0.13"),
    ("Float", "fixed", (-0.001, 2), "-0.00"),
    ("Float", "fixed", (1e22, 1), "10000000000000000000000.0"),
    ("Float", "fixed", (NAN,), "nan"),
    ("Int", "fixed", (7, 0), "7"),
    ("Int", "abs", (-3,), 3),
    ("Bool", "abs", (True,), 1),
    ("Int", "min", (3, 2.5), 2.5),
    ("Float", "max", (1.0, "a"), "TypeError: max needs a number, not Text: convert with Int(x) or Float(x)"),
    ("Int", "clamp", (5, 7, 6), "ValueError: clamp needs low <= high, not 7 and 6"),
    ("Int", "clamp", (12, 0, 10), 10),
    ("Float", "sign", (-2.5,), -1),
    ("Float", "sign", (NAN,), "ArithmeticError: nan has no sign: test it with is_nan()"),
    ("Float", "is_nan", (NAN,), True),
    ("Float", "is_finite", (INF,), False),
    ("Float", "to_text", (2.0,), "2.0"),
    ("Float", "to_text", (2.0, 16), "ValueError: a Float has no form in base 16: use floor() first"),
    ("Int", "to_text", (5, 1), "ValueError: the base must be from 2 to 36, not 1"),
    ("Int", "hex", (-255,), "-ff"),
    ("Int", "bin", (5,), "101"),
    ("Float", "grouped", (-1234567.25,), "-1,234,567.25"),
    ("Float", "grouped", (1e300,), "1e300"),
    ("Int", "grouped", (1, "--"), 'ValueError: the separator must be a Text of at most one character, not "--"'),
    ("Int", "shift_left", (1, -1), "ValueError: shift_left needs a number of at least 0, not -1"),
    ("Int", "shift_left", (0, 10**30), 0),
    ("Int", "shift_right", (-5, 10**30), -1),
    ("Range", "sum", (range(10**30),), 10**30 * (10**30 - 1) // 2),
    ("Range", "len", (range(10**30),), 10**30),
    ("Range", "step", (range(3), 0), "ValueError: Range.step needs a step of at least 1"),
    ("Range", "index", (range(3), "a"), None),
]


@pytest.mark.parametrize("row", TABLE, ids=[f"{row[0]}.{row[1]}" for row in TABLE])
def test_table(bench, row):
    """Results and errors worth writing down."""
    kind, name, arguments, expected = row
    result = bench.call(kind, name, *arguments)
    assert result == expected and type(expected) in (type(result), str)


BUILTINS = [
    ("Int", ("42",), 42),
    ("Int", (" -1_000\n",), -1000),
    ("Int", ("0xff",), 255),
    ("Int", ("+0b101",), 5),
    ("Int", ("007",), 7),
    ("Int", (2.7,), 2),
    ("Int", (-2.7,), -2),
    ("Int", (True,), 1),
    ("Int", ("4x",), 'ValueError: cannot convert "4x" to Int: write digits, as in "42"'),
    ("Int", ("",), 'ValueError: cannot convert "" to Int: write digits, as in "42"'),
    ("Int", ("1__0",), 'ValueError: cannot convert "1__0" to Int: write digits, as in "42"'),
    ("Int", ("\u0664\u0662",), 'ValueError: cannot convert "\u0664\u0662" to Int: write digits, as in "42"'),
    ("Int", ("fg", 16), 'ValueError: cannot convert "fg" to Int in base 16'),
    ("Int", ("", 16), 'ValueError: cannot convert "" to Int in base 16'),
    ("Int", ("1", 40), "ValueError: the base must be from 2 to 36, not 40"),
    ("Int", (NAN,), "ValueError: cannot convert nan to Int: no Int stands for it"),
    ("Int", (None,), "ValueError: cannot convert Nil to Int: give a default with ??"),
    ("Int", ([1],), "ValueError: cannot convert List to Int"),
    ("Float", ("2.5",), 2.5),
    ("Float", ("1_000.5e-3",), 1.0005),
    ("Float", ("-inf",), -INF),
    ("Float", (3,), 3.0),
    ("Float", ("2.5.1",), 'ValueError: cannot convert "2.5.1" to Float: write a number, as in "2.5"'),
    ("Float", ("infinity",), 'ValueError: cannot convert "infinity" to Float: write a number, as in "2.5"'),
    ("Float", ([],), "ValueError: cannot convert List to Float"),
    ("Float", (10**400,), "ArithmeticError: an Int of 1_329 bits is too large for a Float: use Int"),
    ("Text", ([1, "a"],), '[1, "a"]'),
    ("Text", ("a",), "a"),
    ("Bytes", ("é",), b"\xc3\xa9"),
    ("Bytes", ([1, 255],), b"\x01\xff"),
    ("Bytes", (range(3),), b"\x00\x01\x02"),
    ("Bytes", ([256],), "ValueError: cannot convert 256 to a byte: an Int from 0 to 255 is needed"),
    ("Bytes", (["a"],), 'ValueError: cannot convert "a" to a byte: an Int from 0 to 255 is needed'),
    ("Bytes", (5,), "ValueError: cannot convert Int to Bytes"),
    ("List", (), []),
    ("List", ("ab",), ["a", "b"]),
    ("List", (range(3),), [0, 1, 2]),
    ("List", ({"a": 1},), ["a"]),
    ("List", (5,), "ValueError: cannot convert Int to List"),
    ("Set", ([1, 1.0, True, 2],), {1, 2}),
    ("Set", ([[1]],), "TypeError: a List cannot be a key of a Set: it can change; use Text(x), or an instance"),
    ("Set", ([NAN],), "ValueError: nan cannot be a key of a Set: it equals nothing, not even itself"),
    ("Map", ([["a", 1], ["b", 2]],), {"a": 1, "b": 2}),
    ("Map", ({"a": 1},), {"a": 1}),
    ("Map", ([1],), "ValueError: cannot convert 1 to a Map entry: pairs like [key, value] are needed"),
    ("Map", ([[[], 1]],), "TypeError: a List cannot be a key of a Map: it can change; use Text(x), or an instance"),
    ("Map", ("ab",), "ValueError: cannot convert Text to Map"),
    ("len", ({"a": 1},), 1),
    ("len", (5,), "TypeError: Int has no length: Text, Bytes, Range, List, Map and Set have"),
    ("abs", (-2.5,), 2.5),
    ("abs", ("a",), "TypeError: abs needs a number, not Text"),
    ("round", (2.5,), 3),
    ("round", (3.14159, 2), 3.14),
    ("round", ("a",), "TypeError: round needs a number, not Text"),
    ("min", (3, 1, 2), 1),
    ("max", ([3, 1],), 3),
    ("max", ([],), None),
    ("min", ("b", "a"), "a"),
    ("min", (1, "a"), "TypeError: cannot order Int and Text: "),
    ("min", (5,), "TypeError: min needs a List, Set, Map, Range, Text or Bytes, not Int"),
    ("sum", ([1, 2.5, True],), 4.5),
    ("sum", ([],), 0),
    ("sum", (["a"],), "TypeError: cannot sum Text: numbers are needed, or join"),
    ("sum", ([10**400, 0.5],), "ArithmeticError: the sum is too large for a Float: use Int, or smaller numbers"),
    ("ord", ("a",), 97),
    ("ord", ("ab",), 'ValueError: ord needs a Text of one code point, not "ab"'),
    ("chr", (0x1F9AD,), "🦭"),
    ("chr", (0xD800,), "ValueError: 55296 is no code point: 0 to 0x10ffff without 0xd800 to 0xdfff"),
    ("chr", (10**30,), f"ValueError: {10**30} is no code point: 0 to 0x10ffff without 0xd800 to 0xdfff"),
    ("type_name", (range(3),), "Range"),
]


@pytest.mark.parametrize("row", BUILTINS, ids=[f"{row[0]}-{n}" for n, row in enumerate(BUILTINS)])
def test_builtins(bench, row):
    """The functions that every program has."""
    name, arguments, expected = row
    result = bench.outcome(bench.builtins[name], *arguments)
    if type(expected) is str and expected.endswith(": "):
        assert result.startswith(expected)
    else:
        assert result == expected and type(expected) in (type(result), str)


@given(st.lists(st.one_of(st.integers(), st.floats(), st.booleans())))
def test_sums(bench, items):
    """A sum is what adding from left to right gives."""
    expected: float = 0
    for item in items:
        try:
            expected += item
        except OverflowError:
            return
    result = bench.outcome(bench.builtins["sum"], items)
    assert result == expected or (result != result and expected != expected)


BOMBS = [
    ("shift", lambda b: b.call("Int", "shift_left", 1, 10**12)),
    ("huge shift", lambda b: b.call("Int", "shift_left", 1, 1 << 100)),
    ("digits", lambda b: b.outcome(b.builtins["Int"], "9" * 400_000)),
    ("more digits", lambda b: b.outcome(b.builtins["Int"], "9" * 60_000_000)),
    ("zeros", lambda b: b.outcome(b.builtins["Int"], "0" * 60_000_000)),
    ("digits in base 35", lambda b: b.outcome(b.builtins["Int"], "z" * 1_000_000, 36)),
    ("digits of a Float", lambda b: b.outcome(b.builtins["Float"], "9" * 60_000_000)),
    ("a Range as List", lambda b: b.outcome(b.builtins["List"], range(10**18))),
    ("a Range as Set", lambda b: b.outcome(b.builtins["Set"], range(10**30))),
    ("a Range reversed", lambda b: b.call("Range", "reversed", range(10**18))),
    ("a sum", lambda b: b.outcome(b.builtins["sum"], [1 << 999_999] * 1_000_000)),
    ("keys that collide", lambda b: b.outcome(b.builtins["Set"], [n * (2**61 - 1) for n in range(100_000)])),
    (
        "Ranges that collide",
        lambda b: b.outcome(b.builtins["Set"], [range(n * (2**61 - 1), n * (2**61 - 1) + 1) for n in range(50_000)]),
    ),
    (
        "keys of a Map that collide",
        lambda b: b.outcome(b.builtins["Map"], [[n * (2**61 - 1), n] for n in range(100_000)]),
    ),
]


@pytest.mark.parametrize("bomb", [row[1] for row in BOMBS], ids=[row[0] for row in BOMBS])
def test_bombs(bench, bomb):
    """Threat 23: what would be too large, or take too long, is a LimitError, and soon."""
    began = time.process_time()
    result = bomb(bench)
    assert isinstance(result, str) and result.startswith("LimitError: ")
    assert within(time.process_time() - began, 2)


@pytest.mark.parametrize(
    "slow",
    [
        lambda b: b.outcome(b.builtins["Int"], "9" * 301_000),
        lambda b: b.call("Int", "to_text", (1 << 999_999) - 1, 3),
        lambda b: b.call("Int", "round", (1 << 999_999) - 1, -400),
        lambda b: b.outcome(b.builtins["Float"], "0." + "0" * 9_000 + "1"),
        lambda b: b.call("Int", "grouped", 1 << 999_998),
    ],
    ids=["from text", "to base 3", "round", "float", "grouped"],
)
def test_the_slowest(bench, slow):
    """What is within the limits ends soon."""
    began = time.process_time()
    assert not str(type(slow(bench))).endswith("Failure'>")
    assert within(time.process_time() - began, 1.5)
