"""Values as text: the forms of print and the REPL, their limits, and what a terminal gets to see."""

from __future__ import annotations

import math
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.lang import tree
from holdfast.lang.diagnostics import Source
from holdfast.lang.parser import parse
from holdfast.vm import limits, show
from holdfast.vm.objects import Obj, make_class, make_error, seal
from tests.pace import within

IMMUTABLES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(),
    st.builds(range, st.integers(-99, 99), st.integers(-99, 99)),
)


def literal(expression):
    """The value of a literal expression."""
    if isinstance(expression, tree.Literal):
        return expression.value
    if isinstance(expression, tree.Unary):
        return -literal(expression.operand)
    if isinstance(expression, tree.RangeExpr):
        return range(literal(expression.low), literal(expression.high))
    assert isinstance(expression, tree.ListLiteral)
    return [literal(item) for item in expression.items]


def read(text):
    """Parse a literal."""
    program = parse(Source("test", f"let x = {text}\n"))
    return literal(program.statements[0].value)


@given(IMMUTABLES)
def test_source_of_an_immutable_parses_back(value):
    """What is printed of an immutable is a literal of the same kind and value."""
    again = read(show.to_source(value))
    assert type(again) is type(value) and again == value


@given(st.lists(IMMUTABLES, max_size=5))
def test_source_of_a_list_parses_back(bench, items):
    """So is a List of them."""
    assert read(show.to_source(bench.new_list(items))) == items


@given(st.text())
def test_text_is_bare(text):
    """A Text is converted to itself; any other value as in source."""
    assert show.to_text(text) is text


FORMS = [
    (None, "nil"),
    (True, "true"),
    (2.0, "2.0"),
    (1e300, "1e300"),
    (1.5e-7, "1.5e-7"),
    (math.inf, "inf"),
    (-0.0, "-0.0"),
    ('a\n\t"\\{}\x1b\u202e\u00e9', '"a\\n\\t\\"\\\\{{}}\\u{1b}\\u{202e}\u00e9"'),
    (b'\x00"\\\n{\xff', 'b"\\x00\\"\\\\\\n{\\xff"'),
    (range(3), "0..3"),
    ([], "[]"),
    (["a", 1, None, True, 2.0], '["a", 1, nil, true, 2.0]'),
    ({}, "{}"),
    ({"a": 1, 2: [3], None: {}}, '{"a": 1, 2: [3], nil: {}}'),
    ({1, 2}, "Set([1, 2])"),
    (set(), "Set([])"),
]


@pytest.mark.parametrize(("plain", "text"), FORMS, ids=[row[1][:20] for row in FORMS])
def test_forms(bench, plain, text):
    """The form of each kind."""
    assert show.to_source(bench.value(plain)) == text


def instance(cls, **fields):
    """An instance with fields."""
    obj = cls()
    obj._t, obj._i = None, 0
    for name, value in fields.items():
        setattr(obj, "f_" + name, value)
    return obj


def test_instances_and_functions(bench):
    """An instance shows class and fields, one that it is just being given is left out; a function its name."""
    account = make_class("Account", 300, Obj, ["owner", "balance"])
    ada = instance(account, owner="Ada", balance=5)
    assert show.to_text(ada) == 'Account(owner: "Ada", balance: 5)'
    assert show.to_text(instance(account, owner="Ada")) == 'Account(owner: "Ada")'
    ada._x = {"rate": 0.5}
    assert show.to_text(ada) == 'Account(owner: "Ada", balance: 5, rate: 0.5)'
    assert show.to_text(bench.new_map({ada: 1})) == "{Account(…): 1}"
    assert show.to_text(read) == "fn read"
    made = lambda: None  # noqa: E731
    assert show.to_text(made) == "fn"
    made.__dict__["__hold_class__"] = account
    assert show.to_text(made) == "class Account"


def test_errors():
    """An error is printed as kind and message, and inside a collection like an instance."""
    error = make_error("KeyError", "no")
    assert show.to_text(error) == "KeyError: no"
    assert show.to_source(error) == 'KeyError(message: "no")'


def test_kinds_of_the_machine():
    """A kind of the machine says itself how it looks; without that, class and KID."""

    @seal
    class Plain(Obj):
        __slots__ = ()
        _k = 6
        _name = "Thread"

    @seal
    class Own(Plain):
        __slots__ = ()
        _show = staticmethod(lambda obj: "Thread worker")

    plain, own = Plain(), Own()
    plain._i = (6 << 40) + 1
    assert show.to_text(plain) == "Thread K-60000000001"
    assert show.to_text(own) == "Thread worker"


def test_nothing_of_the_host_is_shown():
    """A host object, which no guest should ever hold, shows neither type nor address."""
    assert show.to_text(object()) == show.to_text(len) == "Value"


def test_ghosts_are_loaded(bench):
    """A ghost is read before it is shown."""
    xs = bench.value([1, 2])

    class Loader:
        def load(self, obj):
            obj.__class__ = bench.classes.List
            obj.v = [1, 2]

    del xs.v
    xs._t = Loader()
    xs.__class__ = bench.classes.List._ghost
    assert show.to_text(bench.new_list([xs])) == "[[1, 2]]"


# --------------------------------------------------------------------------- limits


def test_cycles_are_an_ellipsis(bench):
    """A collection inside itself is shown as an ellipsis; one that is there twice is shown twice."""
    xs = bench.value([1])
    xs.v.append(xs)
    assert show.to_source(xs) == "[1, …]"
    one = bench.value([1])
    assert show.to_source(bench.new_list([one, one])) == "[[1], [1]]"


def test_depth_and_width_are_limited(bench):
    """Depth beyond 20 is an ellipsis, items beyond 1,000 are counted."""
    deep = bench.value([])
    for _ in range(100_000):
        deep = bench.new_list([deep])
    assert show.to_source(deep) == "[" * 20 + "[…]" + "]" * 20
    wide = bench.new_list(list(range(2_500)))
    assert show.to_source(wide).endswith("998, 999, … 1_500 more]")
    assert show.to_source(bench.new_map(dict.fromkeys(range(1_001)))).endswith("999: nil, … 1 more}")


@pytest.mark.parametrize(
    "make",
    [
        lambda bench: tower(bench, 60),
        lambda bench: bench.new_list([1 << 999_999] * 1_000),
        lambda bench: bench.new_map({(1 << 999_000) + n: None for n in range(1_000)}),
        lambda bench: bench.new_list(["a" * 60_000_000] * 1_000),
        lambda bench: bench.new_map({"\x00" * 10_000_000: "\x00" * 10_000_000}),
        lambda bench: bench.new_list([b"\x00" * 60_000_000] * 1_000),
    ],
    ids=["shared structure", "large Ints", "large keys", "large Texts", "escapes", "large Bytes"],
)
def test_bombs_are_cut(bench, make):
    """Threat 23: whatever the value, its text is bounded, and soon there."""
    value = make(bench)
    began = time.process_time()
    text = show.to_source(value)
    assert within(time.process_time() - began, 3)
    assert len(text) < 12 * limits.SHOW_CHARACTERS
    assert len(show.brief(value)) <= 200


def tower(bench, levels):
    """Levels of Lists, each of which holds the next one three times."""
    value = bench.value([1])
    for _ in range(levels):
        value = bench.new_list([value] * 3)
    return value


def test_the_largest_int_prints():
    """An Int of 1,000,000 bits prints all its digits."""
    began = time.process_time()
    assert len(show.to_text(1 << (limits.INT_BITS - 1))) == 301_030
    assert within(time.process_time() - began, 1)


# --------------------------------------------------------------------------- terminal and REPL


@given(st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x07\r\x7f\u202e\u2066\u200f\u2028\ufeff"))))
def test_a_terminal_gets_no_control_characters(text):
    """Threat 20: controls, direction overrides and separators arrive escaped, all else as it is."""
    safe = show.safe_for_terminal(text)
    for character in safe:
        assert character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in (
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )
    plain = [c for c in text if c.isprintable() or c in "\n\t"]
    assert [c for c in plain if c not in safe] == []


def test_escaped_for_the_terminal():
    """The escape is the one of Text literals."""
    assert show.safe_for_terminal("a\x1b[31m\nb\u202e") == "a\\u{1b}[31m\nb\\u{202e}"


def test_pretty_fits_the_width(bench):
    """What fits stays on one line; else each entry has a line, and scalars fill theirs."""
    assert show.pretty(bench.value({"a": [1, 2], "b": "x"}), 40) == '{"a": [1, 2], "b": "x"}'
    value = bench.value({"numbers": list(range(12)), "empty": [], "names": [["ada"], ["bob"]]})
    assert show.pretty(value, 24).split("\n") == [
        "{",
        '  "numbers": [',
        "    0, 1, 2, 3, 4, 5, 6,",
        "    7, 8, 9, 10, 11",
        "  ],",
        '  "empty": [],',
        '  "names": [',
        '    ["ada"],',
        '    ["bob"]',
        "  ]",
        "}",
    ]
    assert show.pretty("a\nb") == '"a\\nb"'


@given(
    st.recursive(st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=30),
    st.integers(1, 80),
)
def test_pretty_is_the_source_with_white_space(bench, plain, width):
    """Layout adds line breaks and indentation, nothing else."""
    value = bench.value(plain)
    joined = "".join(line.strip(" ") for line in show.pretty(value, width).split("\n"))
    assert joined.replace(" ", "") == show.to_source(value).replace(" ", "")
