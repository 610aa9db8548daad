"""The generic operators: Python's meaning where it is Hold's, Hold's words for every error, and no bombs."""

from __future__ import annotations

import math
import sys
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vm import bigint, limits, ops, order
from holdfast.vm.objects import ERRORS, make_error
from tests.pace import within

NAN = float("nan")
INTS = st.one_of(st.integers(), st.integers(-10, 10), st.sampled_from([2**63, -(2**63), 2**1100, -(2**1100)]))
NUMBERS = st.one_of(INTS, st.floats(), st.booleans())
REAL = st.one_of(INTS, st.floats(allow_nan=False), st.booleans())
TEXTS = st.text(max_size=5)
NESTED = st.recursive(st.integers(0, 2), lambda inner: st.lists(inner, max_size=3), max_leaves=6)


def same(a, b):
    """Equal in value and kind; NaN equals NaN."""
    return type(a) is type(b) and (a == b or (a != a and b != b))


# --------------------------------------------------------------------------- arithmetic


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("o_add", lambda a, b: a + b),
        ("o_sub", lambda a, b: a - b),
        ("o_mul", lambda a, b: a * b),
        ("o_div", lambda a, b: a / b),
        ("o_fdiv", lambda a, b: a // b),
        ("o_mod", lambda a, b: a % b),
    ],
)
@given(NUMBERS, NUMBERS)
def test_arithmetic_is_pythons(bench, name, python, a, b):
    """On numbers an operator gives what Python gives, or an ArithmeticError where Python raises."""
    try:
        expected = python(a, b)
    except (ZeroDivisionError, OverflowError):
        assert bench.op(name, a, b).startswith("ArithmeticError: ")
    else:
        assert same(bench.op(name, a, b), expected)


@given(st.one_of(st.integers(-20, 20), st.floats(-10, 10)), st.one_of(st.integers(-20, 20), st.floats(-10, 10)))
def test_powers_are_pythons_but_never_complex(bench, a, b):
    """``**`` gives what Python gives, if that is a real number."""
    try:
        expected = a**b
    except (ZeroDivisionError, OverflowError):
        expected = None
    if expected is None or isinstance(expected, complex):
        assert bench.op("o_pow", a, b).startswith("ArithmeticError: ")
    else:
        assert same(bench.op("o_pow", a, b), expected)


@given(TEXTS, st.integers(-2, 4))
def test_text_and_bytes_repeat(bench, text, times):
    """A Text or Bytes times an Int, from both sides, is Python's."""
    assert bench.op("o_mul", text, times) == bench.op("o_mul", times, text) == text * times
    data = text.encode()
    assert bench.op("o_mul", data, times) == data * times
    assert bench.op("o_mul", list(text), times) == list(text) * times


@given(st.lists(st.integers()), st.lists(st.integers()))
def test_lists_add_to_a_new_one(bench, a, b):
    """List + List has the items of both, and leaves both as they are."""
    x, y = bench.value(a), bench.value(b)
    assert bench.operators["o_add"](x, y).v == a + b
    assert (x.v, y.v) == (a, b)


ERRORS_OF_ARITHMETIC = [
    ("o_add", 1, "a", 'TypeError: cannot add Int and Text: convert with Text(x) or write "{a}{b}"'),
    ("o_add", "a", 1, 'TypeError: cannot add Text and Int: convert with Text(x) or write "{a}{b}"'),
    ("o_add", None, 1, "TypeError: cannot add Nil and Int: the left side is nil; give it a value with ??"),
    ("o_add", [1], 1, "TypeError: cannot add List and Int: use push for an item, extend for many"),
    ("o_add", {}, {}, "TypeError: cannot add Map and Map: write a.copy(), then update(b)"),
    ("o_add", "a", b"a", "TypeError: cannot add Text and Bytes: convert with text.bytes() or bytes.text()"),
    ("o_sub", 1, "a", "TypeError: cannot subtract Text from Int: convert with Int(x) or Float(x)"),
    ("o_sub", {1}, {2}, "TypeError: cannot subtract Set from Set: use union, intersection or difference"),
    ("o_mod", "%s", 1, "TypeError: cannot take Text modulo Int: convert with Int(x) or Float(x)"),
    ("o_mod", "%s", "a", "TypeError: cannot take Text modulo Text: numbers are needed"),
    ("o_mul", "a", 1.5, "TypeError: cannot multiply Text and Float: convert with Int(x) or Float(x)"),
    ("o_div", 1, 0, "ArithmeticError: cannot divide 1 by zero: test the divisor first"),
    ("o_fdiv", 2.5, 0, "ArithmeticError: cannot divide 2.5 by zero: test the divisor first"),
    ("o_mod", 1, 0, "ArithmeticError: cannot divide 1 by zero: test the divisor first"),
    ("o_div", 10**400, 3, "ArithmeticError: the result is too large for a Float: use Int, or smaller numbers"),
    ("o_add", 10**400, 0.5, "ArithmeticError: the result is too large for a Float: use Int, or smaller numbers"),
    ("o_pow", 10.0, 400, "ArithmeticError: the result is too large for a Float: use Int, or smaller numbers"),
    ("o_pow", 0, -1, "ArithmeticError: cannot raise 0 to the power of -1: that divides by zero"),
    (
        "o_pow", -8, 0.5,
        "ArithmeticError: (-8) ** 0.5 is no real number: a negative number has whole powers only",
    ),
    ("o_pow", "a", 2, "TypeError: cannot raise Text to the power of Int: convert with Int(x) or Float(x)"),
    ("o_lt", 1, "a", "TypeError: cannot compare Int < Text: convert with Int(x) or Float(x)"),
    ("o_ge", {}, {}, "TypeError: cannot compare Map >= Map: only numbers, Texts, Bytes and Lists have an order"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "a", "b", "message"), ERRORS_OF_ARITHMETIC, ids=[row[-1][:40] for row in ERRORS_OF_ARITHMETIC]
)
def test_errors_say_what_and_what_to_do(bench, name, a, b, message):
    """An operand that does not fit is named, with the way out."""
    assert bench.op(name, a, b) == message


def test_negation(bench):
    """Minus is for numbers."""
    assert bench.op("o_neg", 2) == -2
    assert same(bench.op("o_neg", True), -1)
    assert bench.op("o_neg", "a") == "TypeError: cannot negate Text: a number is needed"
    assert bench.op("o_pos", "a").startswith("TypeError: ")


# --------------------------------------------------------------------------- order and equality


@given(REAL, REAL, REAL)
def test_order_of_numbers_is_total(bench, a, b, c):
    """Of two numbers exactly one of <, == and > holds, and < is transitive."""
    assert [bench.op(name, a, b) for name in ("o_lt", "o_eq", "o_gt")].count(True) == 1
    assert bench.op("o_le", a, b) is (not bench.op("o_gt", a, b))
    if bench.op("o_lt", a, b) and bench.op("o_lt", b, c):
        assert bench.op("o_lt", a, c)


@given(st.lists(NESTED), st.lists(NESTED))
def test_order_of_lists_is_pythons(bench, a, b):
    """Lists are ordered item by item as in Python, and a kind without an order is an error in both."""
    for name, python in (("o_lt", "__lt__"), ("o_le", "__le__"), ("o_gt", "__gt__"), ("o_ge", "__ge__")):
        try:
            expected = getattr(a, python)(b)
        except TypeError:
            assert bench.op(name, a, b).startswith("TypeError: cannot order ")
        else:
            assert bench.op(name, a, b) is expected


@given(TEXTS, TEXTS)
def test_order_of_texts_is_by_code_points(bench, a, b):
    """Texts and Bytes are ordered as in Python."""
    assert bench.op("o_lt", a, b) is (a < b)
    assert bench.op("o_ge", a.encode(), b.encode()) is (a.encode() >= b.encode())


def test_nan_is_neither_less_nor_greater(bench):
    """NaN compares false with everything, inside Lists too, and is in no collection."""
    for name in ("o_lt", "o_le", "o_gt", "o_ge", "o_eq"):
        assert bench.op(name, NAN, NAN) is False
        assert bench.op(name, [NAN], [1]) is False
    nan = bench.new_list([NAN])
    assert bench.operators["o_in"](nan.v[0], nan) is False


def test_cyclic_lists_compare(bench):
    """Comparison ends on Lists that contain themselves: no difference can be found, so neither is less."""
    a, b = bench.new_list([1]), bench.new_list([1])
    a.v.append(a)
    b.v.append(b)
    assert bench.operators["o_eq"](a, b)
    assert not bench.operators["o_lt"](a, b)
    b.v.append(1)
    assert bench.operators["o_lt"](a, b) is True


def test_shared_lists_compare_in_linear_time(bench):
    """Lists that share structure sixty levels deep, two branches each, are walked once."""
    a, b = bench.new_list([1]), bench.new_list([1])
    for _ in range(60):
        a, b = bench.new_list([a, a]), bench.new_list([b, b])
    assert bench.operators["o_le"](a, b) and bench.operators["o_ge"](a, b)


def test_deep_lists_compare(bench):
    """Nesting of 100,000 levels neither recurses in C nor fails."""
    a, b = bench.new_list([1]), bench.new_list([2])
    for _ in range(100_000):
        a, b = bench.new_list([a]), bench.new_list([b])
    assert bench.operators["o_lt"](a, b)


@given(st.lists(st.one_of(st.integers(-5, 5), st.floats(allow_nan=False), st.booleans())))
def test_sort_is_stable_and_ordered(items):
    """Sorting gives what Python's stable sort gives, in both directions."""
    for reverse in (False, True):
        raw = list(items)
        order.sort(raw, reverse=reverse)
        assert list(map(repr, raw)) == list(map(repr, sorted(items, reverse=reverse)))


@given(st.lists(st.lists(st.integers(0, 3), max_size=3)))
def test_sort_of_lists(bench, items):
    """Lists sort item by item."""
    raw = [bench.value(x) for x in items]
    order.sort(raw)
    assert [x.v for x in raw] == sorted(items)


def test_sort_puts_nan_last():
    """The order of a sorted List does not depend on where its NaNs were."""
    raw = [3, NAN, 1.5, NAN, 2]
    order.sort(raw)
    assert raw[:3] == [1.5, 2, 3] and all(x != x for x in raw[3:])
    order.sort(raw, reverse=True)
    assert raw[2:] == [3, 2, 1.5] and all(x != x for x in raw[:2])


@pytest.mark.parametrize(
    ("items", "kinds"),
    [([1, "a"], "Int and Text"), (["a", None], "Text and Nil"), ([{}], "Map and Map"), ([b"", ""], "Bytes and Text")],
)
def test_kinds_without_a_common_order_are_named(bench, items, kinds):
    """Sorting a List of mixed kinds names the two."""
    assert bench.call("List", "sorted_by_keys", items, None).startswith(f"TypeError: cannot order {kinds}: ")


@given(st.lists(st.sampled_from(["a", "b" * 5_000, "b" * 5_000 + "a", "c" * 5_000]), min_size=1))
def test_large_texts_sort_by_rank(items):
    """The way that large Texts are sorted gives the same as the short one."""
    short, long = list(items), list(items)
    order.sort(short)
    ranks = order._ranks(long, "Text")
    assert sorted(long, key=lambda x: ranks[id(x)]) == short


# --------------------------------------------------------------------------- items


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(-8, 8))
def test_index_is_pythons(bench, items, at):
    """An index from either end gives what Python gives; one outside is an IndexError that names both sizes."""
    text = "".join(map(str, items))
    for value in (items, text, bytes(items), range(len(items))):
        try:
            expected = value[at]
        except IndexError:
            name = {list: "List", str: "Text", bytes: "Bytes", range: "Range"}[type(value)]
            assert bench.op("o_index", value, at) == f"IndexError: index {at} is outside a {name} of {len(items)}"
        else:
            assert bench.op("o_index", value, at) == expected


@given(
    st.lists(st.integers(0, 9), max_size=6),
    st.integers(-9, 9) | st.sampled_from([10**30, -(10**30)]),
    st.integers(-9, 9) | st.sampled_from([10**30, -(10**30)]),
)
def test_slices_are_pythons(bench, items, low, high):
    """A slice has Python's bounds, negative ones and those outside too; ``..=`` takes the end with it."""
    text = "".join(map(str, items))
    for value in (items, text, bytes(items), range(len(items))):
        assert bench.op("o_slice", value, low, high) == value[low:high]
    if -len(items) <= high < len(items):
        end = high % len(items) if items else 0
        assert bench.op("o_slice", items, low, high, True) == items[low : end + 1]


@given(st.lists(st.integers()), st.integers(0, 9), st.integers(0, 9))
def test_a_range_as_index_slices(bench, items, low, high):
    """``xs[r]`` is ``xs[a..b]``."""
    assert bench.op("o_index", items, range(low, high)) == bench.op("o_slice", items, low, high) == items[low:high]


ITEMS = [
    ("o_index", [1, 2, 3], 7, "IndexError: index 7 is outside a List of 3"),
    ("o_index", "abc", -4, "IndexError: index -4 is outside a Text of 3"),
    ("o_index", [1], "a", "TypeError: the index of a List must be an Int or a Range, not Text"),
    ("o_index", [1], 1.0, "TypeError: the index of a List must be an Int or a Range, not Float"),
    ("o_index", {"alpha": 1}, "alpah", "KeyError: the Map has no key \"alpah\" (did you mean 'alpha'?)"),
    ("o_index", {"alpha": 1}, 7, "KeyError: the Map has no key 7: use get(key, default) or ??="),
    ("o_index", {}, [1], "TypeError: a List cannot be a key of a Map: it can change; use Text(x), or an instance"),
    ("o_index", {}, NAN, "ValueError: nan cannot be a key of a Map: it equals nothing, not even itself"),
    ("o_index", {1}, 0, "TypeError: a Set has no items by index: use in, or List(set)"),
    ("o_index", None, 0, "TypeError: nil has no items: use ?[ where there may be nothing"),
    ("o_index", 5, 0, "TypeError: Int has no items: Text, Bytes, Range, List and Map have"),
    ("o_index", [1, 2, 3], True, 2),
    ("o_index", {1: "a"}, True, "a"),
    ("o_index", range(10**30), 10**29, 10**29),
    ("o_index", range(10**30), -1, 10**30 - 1),
    ("o_len", range(10**30), 10**30),
    ("o_len", range(5, 1), 0),
    ("o_len", 5, "TypeError: Int has no length: Text, Bytes, Range, List, Map and Set have"),
    ("o_in", "b", "abc", True),
    ("o_in", 5, "abc", "TypeError: cannot look for Int in a Text: convert with Text(x)"),
    ("o_in", 98, b"abc", True),
    ("o_in", 998, b"abc", False),
    ("o_in", "a", b"abc", False),
    ("o_in", 2.0, range(3), True),
    ("o_in", 2.5, range(3), False),
    ("o_in", math.inf, range(3), False),
    ("o_in", [2], [1, [2]], True),
    ("o_in", 1, {1: 2}, True),
    ("o_in", 1, {1}, True),
    ("o_in", [1], {1: 2}, "TypeError: a List cannot be a key of a Map: it can change; use Text(x), or an instance"),
    ("o_in", 1, 5, "TypeError: cannot look into Int with in: Text, Bytes, Range, List, Map and Set can be"),
    ("o_notin", 1, [2], True),
    ("o_range", 1, 4, range(1, 4)),
    ("o_range", 1, 2.5, "TypeError: the bounds of a Range must be Ints, not Float: convert with Int(x)"),
    ("o_slice", {}, 1, 2, "KeyError: the Map has no key 1..2: use get(key, default) or ??="),
    ("o_slice", [1], "a", 2, "TypeError: the bounds of a slice must be Ints, not Text"),
]


@pytest.mark.parametrize("row", ITEMS)
def test_items(bench, row):
    """What an operator on items gives, or says."""
    name, *arguments, expected = row
    assert bench.op(name, *arguments) == expected


def test_assignment_to_an_item(bench):
    """The barrier runs before a store; what cannot be changed says so."""
    xs, m = bench.value([1, 2]), bench.value({"a": 1})
    bench.heap.written.clear()
    bench.operators["o_setindex"](xs, -1, 5)
    bench.operators["o_setindex"](m, "b", 2)
    assert (xs.v, m.v, bench.heap.written) == ([1, 5], {"a": 1, "b": 2}, [xs, m])
    assert bench.op("o_setindex", [1], 1, 0) == "IndexError: index 1 is outside a List of 1; push adds an item"
    assert bench.op("o_setindex", "abc", 0, "x") == "TypeError: a Text cannot be changed: make a new one"
    assert bench.op("o_setindex", {}, [1], 0).startswith("TypeError: a List cannot be a key of a Map")


def test_instances_are_keys_by_identity(bench):
    """An instance is a key of its own, whatever it holds."""
    first, second = make_error("Error", "x"), make_error("Error", "x")
    table = bench.new_map({first: 1})
    assert bench.operators["o_in"](first, table) and not bench.operators["o_in"](second, table)
    assert ERRORS["Error"] is type(first)


def test_truth():
    """Only nil and false are falsy."""
    assert [x for x in (None, False, 0, "", 0.0, b"") if not ops.truthy(x)] == [None, False]


# --------------------------------------------------------------------------- large numbers


@given(st.data())
def test_large_division(data):
    """Division of large Ints agrees with Python's, for all signs and sizes."""
    bits = st.integers(1, 120_000)
    a = data.draw(st.randoms(use_true_random=False)).getrandbits(data.draw(bits)) * data.draw(st.sampled_from([1, -1]))
    b = data.draw(st.randoms(use_true_random=False)).getrandbits(data.draw(bits)) * data.draw(st.sampled_from([1, -1]))
    if b:
        assert bigint.div_mod(a, b) == divmod(a, b)


@given(st.integers(0, 60_000), st.integers(-1, 1), st.integers(2, 36))
def test_large_numbers_as_text(bits, delta, base):
    """An Int in any base reads back as itself."""
    value = (1 << bits) + delta
    digits = bigint.to_base(value, base)
    assert bigint.from_digits(digits.removeprefix("-"), base) == abs(value)
    assert bigint.to_base(-value, base) == ("-" + digits if value else digits)


def test_decimal_text_of_the_largest_int():
    """All 301,030 digits, without CPython's limit on digits showing through."""
    value = (1 << limits.INT_BITS) - 1
    text = bigint.to_decimal(value)
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        assert text == str(value)
    finally:
        sys.set_int_max_str_digits(before)


# --------------------------------------------------------------------------- bombs

BIG = 1 << (limits.INT_BITS - 1)
LONG = "a" * (limits.TEXT_LENGTH // 2 + 1)

BOMBS = [
    ("10 ** 10 ** 8", "o_pow", (10, 10**8)),
    ("2 ** 10 ** 30", "o_pow", (2, 10**30)),
    ("(-2) ** 10 ** 30", "o_pow", (-2, 10**30)),
    ("squaring", "o_mul", (BIG, BIG)),
    ("text * n", "o_mul", ("a", 10**10)),
    ("n * text", "o_mul", (10**30, "ab")),
    ("bytes * n", "o_mul", (b"a", 10**10)),
    ("text + text", "o_add", (LONG, LONG)),
    ("list * n", "o_mul", ([1], 10**10)),
]


@pytest.mark.parametrize(("name", "arguments"), [row[1:] for row in BOMBS], ids=[row[0] for row in BOMBS])
def test_bombs_are_refused_before_they_go_off(bench, name, arguments):
    """Threat 23: a result that is too large is a LimitError, at once, and without the memory of the result."""
    tracemalloc.start()
    began = time.process_time()
    try:
        result = bench.op(name, *arguments)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert result.startswith("LimitError: ") and " is over the limit of " in result
    assert within(time.process_time() - began, 1)
    assert peak < 1 << 20


def test_trivial_powers_have_no_limit(bench):
    """0, 1 and -1 to any power are small."""
    huge = 10**1000
    assert [bench.op("o_pow", n, huge) for n in (0, 1, -1, True)] == [0, 1, 1, 1]
    assert bench.op("o_pow", -1, huge + 1) == -1


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("o_mul", 1 << 499_999, (1 << 500_000) - 1),
        ("o_fdiv", (1 << 999_999) - 1, (1 << 500_000) + 12345),
        ("o_mod", (1 << 999_999) - 1, (1 << 250_000) + 12345),
        ("o_pow", 3, 600_000),
        ("o_in", "a", range(10**18)),
    ],
    ids=["product", "quotient", "remainder", "power", "text in a range"],
)
def test_the_slowest_single_operations(bench, name, a, b):
    """What is within the limits ends soon: a time slice is all that other threads wait."""
    began = time.process_time()
    bench.op(name, a, b)
    assert within(time.process_time() - began, 1)


def test_one_huge_text_many_times(bench):
    """A List of a million references to two huge Texts is searched and sorted without comparing them each time."""
    a, b, c = "a" * 5_000_000, "a" * 4_999_999 + "b", "a" * 4_999_999 + "b"
    raw = [a, b] * 100_000
    began = time.process_time()
    assert ops.position(raw, c) == 1
    assert sum(1 for _ in ops.positions(raw, c)) == 100_000
    assert bench.methods["List"]["unique"](bench.new_list([a, b, c] * 100_000)).v == [a, b]
    order.sort(raw)
    assert raw[0] is a and raw[-1] is b
    assert within(time.process_time() - began, 3)
