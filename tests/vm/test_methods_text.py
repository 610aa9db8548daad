"""Methods of Text and Bytes: Python's meaning where it is Hold's, and no bombs."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vm import limits
from tests.pace import best_of_three, within

SHORT = st.text(st.sampled_from("ab-\n\r é🦭"), max_size=12)
PART = st.text(st.sampled_from("ab-"), min_size=1, max_size=2)


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("upper", str.upper),
        ("lower", str.lower),
        ("trim", str.strip),
        ("trim_start", str.lstrip),
        ("trim_end", str.rstrip),
        ("reversed", lambda s: s[::-1]),
        ("split", str.split),
        ("chars", list),
        ("code_points", lambda s: list(map(ord, s))),
        ("bytes", str.encode),
        ("len", len),
        ("is_empty", lambda s: not s),
        ("is_alpha", str.isalpha),
        ("is_space", str.isspace),
        ("is_upper", str.isupper),
        ("is_lower", str.islower),
        ("first", lambda s: s[0] if s else None),
        ("last", lambda s: s[-1] if s else None),
    ],
)
@given(st.one_of(SHORT, st.text()))
def test_as_in_python(bench, name, python, text):
    """A method without arguments gives what Python's counterpart gives."""
    assert bench.call("Text", name, text) == python(text)


@given(SHORT, PART)
def test_searching(bench, text, part):
    """The places of a part, from both ends, its number, and what begins and ends with it."""
    found = text.find(part)
    assert bench.call("Text", "index", text, part) == (found if found >= 0 else None)
    assert bench.call("Text", "index", text, part, default=-1) == found
    last = text.rfind(part)
    assert bench.call("Text", "last_index", text, part) == (last if last >= 0 else None)
    assert bench.call("Text", "contains", text, part) is (part in text)
    assert bench.call("Text", "count", text, part) == text.count(part)
    assert bench.call("Text", "starts_with", text, part) is text.startswith(part)
    assert bench.call("Text", "ends_with", text, part) is text.endswith(part)
    assert bench.call("Text", "remove_prefix", text, part) == text.removeprefix(part)
    assert bench.call("Text", "remove_suffix", text, part) == text.removesuffix(part)
    for start in (-3, 2, 10**30):
        found = text.find(part, start)
        assert bench.call("Text", "find", text, part, start=start) == (found if found >= 0 else None)


@given(SHORT, PART, st.integers(1, 4))
def test_splitting_and_joining(bench, text, part, most):
    """Parts joined again give the text; ``max`` is the number of parts."""
    parts = bench.call("Text", "split", text, part)
    assert parts == text.split(part)
    assert bench.call("Text", "join", part, parts) == bench.call("List", "join", parts, part) == text
    assert bench.call("Text", "split", text, part, max=most) == text.split(part, most - 1)
    assert len(bench.call("Text", "split", text, max=most)) <= most


@given(SHORT, PART, st.text(max_size=3), st.none() | st.integers(0, 3))
def test_replacing(bench, text, old, new, most):
    """All, or the first ``max``."""
    expected = text.replace(old, new) if most is None else text.replace(old, new, most)
    assert bench.call("Text", "replace", text, old, new, max=most) == expected


@given(SHORT)
def test_lines(bench, text):
    """Lines end with any of the three line ends, and only with those; a last empty one does not count."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert bench.call("Text", "lines", text) == (plain if plain[-1] else plain[:-1])
    assert bench.call("Text", "lines", "a\x0bb\u2028c") == ["a\x0bb\u2028c"]


@given(SHORT, st.integers(-3, 20), PART)
def test_padding(bench, text, width, fill):
    """A padded Text has the width, or is the Text itself."""
    start, end = bench.call("Text", "pad_start", text, width, fill), bench.call("Text", "pad_end", text, width, fill)
    assert len(start) == len(end) == max(width, len(text))
    assert start.endswith(text) and end.startswith(text)
    assert bench.call("Text", "pad_start", text, width) == text.rjust(width)


@given(SHORT, st.integers(-15, 15), st.none() | st.integers(-15, 15))
def test_slices(bench, text, low, high):
    """``slice`` is the operator, on Text and Bytes."""
    assert bench.call("Text", "slice", text, low, high) == text[low:high]
    assert bench.call("Bytes", "slice", text.encode(), start=low, end=high) == text.encode()[low:high]


@given(st.binary(max_size=8), st.binary(min_size=1, max_size=2))
def test_bytes(bench, data, part):
    """Bytes have the same methods."""
    found = data.find(part)
    assert bench.call("Bytes", "index", data, part) == (found if found >= 0 else None)
    assert bench.call("Bytes", "count", data, part) == data.count(part)
    assert bench.call("Bytes", "split", data, part) == data.split(part)
    assert bench.call("Bytes", "join", part, data.split(part)) == data
    assert bench.call("Bytes", "hex", data) == data.hex()
    assert bench.call("Bytes", "list", data) == list(data)
    assert bench.call("Bytes", "replace", data, part, b"xy") == data.replace(part, b"xy")
    assert bench.call("Bytes", "reversed", data) == data[::-1]


@given(st.text())
def test_encoding_round_trip(bench, text):
    """A Text's bytes give the Text."""
    assert bench.call("Bytes", "text", bench.call("Text", "bytes", text)) == text


@given(st.integers())
def test_is_digit_is_what_int_takes(bench, number):
    """A Text of digits is what ``Int`` converts; other scripts' digits are none."""
    text = str(abs(number))
    assert bench.call("Text", "is_digit", text) is True
    assert bench.outcome(bench.builtins["Int"], text) == abs(number)
    for other in ("\u0664\u0662", "\u00b2", "-1", ""):
        assert bench.call("Text", "is_digit", other) is False


TABLE = [
    ("Text", "title", ("don't PANIC, éa",), "Don't Panic, Éa"),
    ("Text", "title", ("ßa  b",), "Ssa  B"),
    ("Text", "capitalize", ("éA b",), "ÉA b"),
    ("Text", "capitalize", ("",), ""),
    ("Text", "trim", ("--x-", "-"), "x"),
    ("Text", "repeat", ("ab", 2), "abab"),
    ("Text", "repeat", ("", 10**30), ""),
    ("Text", "join", (", ", ["a", 1, None, [2]]), "a, 1, nil, [2]"),
    ("Text", "join", ("-", range(3)), "0-1-2"),
    ("Text", "join", ("-", "abc"), "a-b-c"),
    ("Text", "join", ("-", []), ""),
    ("Text", "upper", ("ß",), "SS"),
    ("Text", "contains", ("a", 1), "TypeError: Text.contains needs a Text, not Int: convert with Text(x)"),
    ("Text", "split", ("a", ""), "ValueError: Text.split cannot split at an empty Text: use chars()"),
    ("Text", "split", ("a", ",", 0), "ValueError: Text.split cannot give 0 parts: max must be at least 1"),
    ("Text", "split", ("a,b", ",", 10**30), ["a", "b"]),
    ("Text", "repeat", ("a", -1), "ValueError: Text.repeat needs a number of at least 0, not -1"),
    ("Text", "repeat", ("a", 1.0), "TypeError: Text.repeat needs an Int, not Float: convert with Int(x)"),
    (
        "Text",
        "pad_end",
        ("a", 9, ""),
        "ValueError: Text.pad_end cannot fill with an empty Text: give one or more characters",
    ),
    ("Text", "join", (",", 5), "TypeError: Text.join needs a List, Set, Map, Range, Text or Bytes, not Int"),
    ("Bytes", "text", (b"a\xff",), "ValueError: this is no UTF-8: the byte 0xff at index 1 does not fit"),
    ("Bytes", "text", (b"\xed\xa0\x80",), "ValueError: this is no UTF-8: the byte 0xed at index 0 does not fit"),
    ("Bytes", "join", (b"", ["a"]), "TypeError: Bytes.join needs Bytes as items, not Text: convert with Bytes(x)"),
    ("Bytes", "index", (b"a", "a"), "TypeError: Bytes.index needs Bytes, not Text: convert with Bytes(x)"),
    (
        "Bytes",
        "split",
        (b"a", b""),
        "ValueError: Bytes.split needs at least one byte to split at, and max of at least 1",
    ),
    ("Bytes", "repeat", (b"ab", 2), b"abab"),
    ("Bytes", "first", (b"a",), 97),
    ("Bytes", "last", (b"",), None),
]


@pytest.mark.parametrize("row", TABLE, ids=[f"{row[0]}.{row[1]}" for row in TABLE])
def test_table(bench, row):
    """Results and errors that Python words, or gives, otherwise."""
    kind, name, arguments, expected = row
    assert bench.call(kind, name, *arguments) == expected


def test_no_formatting(bench):
    """Threat 3: no method formats, translates or looks up attributes by a text; names are Hold's alone."""
    for kind, methods in bench.methods.items():
        assert not {"format", "format_map", "translate", "encode", "decode"} & set(methods)
        assert all(name.isidentifier() and not name.startswith("_") for name in methods), kind
    assert bench.op("o_mod", "%(a)s {0.__class__}", {"a": 1}).startswith("TypeError: ")


HALF = limits.TEXT_LENGTH // 2

BOMBS = [
    ("Text", "repeat", lambda: ("ab", 10**10)),
    ("Text", "repeat", lambda: ("ab", 10**30)),
    ("Text", "pad_start", lambda: ("", 10**12)),
    ("Text", "pad_end", lambda: ("", 10**30, "ab")),
    ("Text", "replace", lambda: ("a" * 100_000, "a", "b" * 100_000)),
    ("Text", "replace", lambda: ("a" * 100_000, "", "b" * 100_000)),
    ("Text", "join", lambda: ("a" * HALF, ["b"] * 4)),
    ("Text", "join", lambda: ("", ["a" * HALF] * 4)),
    ("Text", "join", lambda: ("", [1 << 999_999] * 10_000)),
    ("Text", "join", lambda: ("", range(10**12))),
    ("Text", "split", lambda: ("," * 20_000_000, ",")),
    ("Text", "split", lambda: ("a " * 20_000_000,)),
    ("Text", "split", lambda: ("a " * 20_000_000, None, 10**30)),
    ("Text", "lines", lambda: ("\n" * 20_000_000,)),
    ("Text", "chars", lambda: ("a" * HALF,)),
    ("Text", "code_points", lambda: ("a" * HALF,)),
    ("Text", "title", lambda: ("a " * 20_000_000,)),
    ("Text", "upper", lambda: ("\u0390" * HALF,)),
    ("Text", "bytes", lambda: ("é" * (HALF + 1),)),
    ("Bytes", "repeat", lambda: (b"ab", 10**10)),
    ("Bytes", "replace", lambda: (b"a" * 100_000, b"a", b"b" * 100_000)),
    ("Bytes", "join", lambda: (b"a" * HALF, [b"b"] * 4)),
    ("Bytes", "split", lambda: (b"," * 20_000_000, b",")),
    ("Bytes", "list", lambda: (b"," * 20_000_000,)),
    ("Bytes", "hex", lambda: (b"," * (HALF + 1),)),
]


@pytest.mark.parametrize("row", BOMBS, ids=[f"{row[0]}.{row[1]}" for row in BOMBS])
def test_bombs(bench, row):
    """Threat 23: what would be too large is a LimitError, and soon."""
    kind, name, make = row
    arguments = make()
    bound = 2.0
    result, took = best_of_three(lambda: bench.call(kind, name, *arguments), bound)
    assert isinstance(result, str) and result.startswith("LimitError: ") and " is over the limit of " in result
    assert took < bound


@pytest.mark.parametrize("name", ["index", "last_index", "find", "count", "contains", "replace", "split"])
@pytest.mark.parametrize(("text", "part"), [("a", "ab"), ("ab", "ba"), ("aab", "aba")])
def test_search_is_linear(bench, name, text, part):
    """A text and a part that repeat, and nearly meet everywhere, are searched in linear time."""
    text = text * 2_000_000
    for long in (part * 300_000 + "c", "c" + part * 300_000):
        began = time.process_time()
        bench.call("Text", name, text, long, *(["x"] if name == "replace" else []))
        assert within(time.process_time() - began, 1)
