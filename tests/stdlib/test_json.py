"""std/json against Python's json."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.stdlib.host import json_read, json_write
from tests.stdlib.conftest import Library

PARSE = 'import "std/json" as json\nfn f(text) => json.parse(text)\n'
WRITE = 'import "std/json" as json\nfn f(value, indent, keys) => json.stringify(value, indent, keys)\n'
AROUND = 'import "std/json" as json\nfn f(value) => json.parse(json.stringify(value))\n'

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXTS, inner, max_size=6), max_leaves=40
)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SMALL = {"STEP_CHARACTERS": 3, "WINDOW": 24, "RUN_MIN": 4, "FAILURES_GAP": 8, "FAILURES_MAX": 2}


@pytest.fixture(params=["whole", "steps"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with steps and windows of the usual size, once with tiny ones, so that every path is gone."""
    if request.param == "steps":
        for name, value in SMALL.items():
            monkeypatch.setattr(json_read, name, value)
        monkeypatch.setattr(json_write, "STEP_VALUES", 2)


def strict(text: str) -> Any:
    """What Python reads, without what JSON does not have; ValueError when it reads nothing."""

    def refuse(_: str) -> Any:
        raise ValueError

    def number(text: str) -> float:
        if math.isinf(float(text)):
            raise ValueError
        return float(text)

    value = json.loads(text, parse_constant=refuse, parse_float=number)
    json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate
    return value


@SHARED
@given(VALUES, st.sampled_from([None, 0, 1, "\t"]), st.booleans())
def test_reads_what_python_writes(hold: Library, size: None, value: Any, indent: Any, ascii: bool) -> None:
    """Any value that Python writes, in any layout, is read the same."""
    assert exact(hold.call(PARSE, json.dumps(value, indent=indent, ensure_ascii=ascii))) == exact(value)


@SHARED
@given(VALUES)
def test_python_reads_what_it_writes(hold: Library, size: None, value: Any) -> None:
    """What is written is what Python writes in the shortest form, and reads back as the same value."""
    written = hold.call(WRITE, value, None, False)
    assert written == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert exact(hold.call(AROUND, value)) == exact(value)


@SHARED
@given(VALUES)
def test_pretty_form(hold: Library, size: None, value: Any) -> None:
    """With an indentation and sorted keys it is Python's form too."""
    assert hold.call(WRITE, value, 2, True) == json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


PIECES = ["[", "]", "{", "}", ",", ":", '"', "a", '"k"', "1", "-", "0", ".5", "e9", "true", "null", "tru", " ", "\n",
          "\\n", "\\u00e9", "\\ud83d\\ude00", "\\ud800", "\t", "NaN", "1e999", "[1,2,3]", '{"a":[]}',
          "\x01", "é"]  # fmt: skip


@SHARED
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_malformed_texts(hold: Library, size: None, text: str) -> None:
    """What Python refuses is a ValueError with line and column, and nothing else is."""
    found = hold.call(PARSE, text)
    try:
        wanted = strict(text)
    except ValueError:
        assert isinstance(found, str) and found.startswith("ValueError: JSON, line "), (text, found)
    else:
        assert exact(found) == exact(wanted)


def exact(value: Any) -> Any:
    """Tells 1, 1.0 and True apart; the order of keys too."""
    return repr(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1,\n 2,]", "line 2, column 4: expected a value, but found ']'"),
        ('{"a" 1}', "line 1, column 6: expected ':' behind the key, but found '1'"),
        ('{"a": 1 "b"}', "line 1, column 9: expected ',' or '}', but found '\"'"),
        ("{a: 1}", "line 1, column 2: expected a key in double quotes, but found 'a'"),
        ("[1, 2", "line 1, column 6: expected ',' or ']', but the text ends"),
        ("", "line 1, column 1: expected a value, but the text ends"),
        ("1 2", "line 1, column 3: expected the end of the text, but found '2'"),
        ('["abc', "line 1, column 2: the string that begins here does not end"),
        ('["\\q"]', "line 1, column 3: a string holds an escape that JSON does not have"),
        ('["\\ud800"]', "line 1, column 2: a string holds \\ud800, which is half of a surrogate pair"),
        ("[NaN]", "line 1, column 2: expected a value, but found 'NaN'"),
        ("[1e999]", "line 1, column 2: the number 1e999 is too large for a Float"),
        ("[" * 501, "line 1, column 501: Lists and Maps are nested deeper than 500"),
        ("9" * 400_000, "line 1, column 1: a number has 400_000 digits; the most are 300_000"),
    ],
)
def test_messages(hold: Library, size: None, text: str, message: str) -> None:
    """A message says where, what was expected, and what stands there."""
    assert hold.call(PARSE, text).startswith("ValueError: JSON, " + message)


def test_depth(hold: Library, size: None) -> None:
    """The depth that can be read can be written, one more cannot; a hundred thousand do no harm."""
    deepest: Any = []
    for _ in range(json_read.DEPTH_MAX - 1):
        deepest = [deepest]
    assert hold.call(AROUND, deepest) == deepest
    assert hold.call(WRITE, [deepest], None, False).startswith("ValueError: JSON is written up to a depth")
    assert hold.call(PARSE, "[" * 100_000).startswith("ValueError")
    assert hold.call(PARSE, '[{"a":' * 100_000).startswith("ValueError")


def test_large_ints(hold: Library, size: None) -> None:
    """Ints keep all their digits."""
    number = 7**20_000
    found = hold.call('import "std/json" as json\nfn f(n) => json.parse(json.stringify([n]))[0] == n\n', number)
    assert found is True


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("let x = []\n x.push(x)\n return json.stringify(x)", "ValueError: JSON has no form for a List that contains"),
        ("return json.stringify({(1): 2})", "TypeError: JSON has Texts as keys only, not 1"),
        ("return json.stringify([Set([1])])", "TypeError: JSON has no form for a value of Set: write List(x)"),
        ('return json.stringify([Float("nan")])', "ValueError: JSON has no form for the Float nan"),
        ("return json.stringify(1, indent: 99)", "ValueError: the indentation must be up to 16"),
        ("return json.parse(nil)", "TypeError: json.parse needs a Text, not Nil"),
    ],
)
def test_what_has_no_form(hold: Library, program: str, error: str) -> None:
    """What JSON cannot say is refused by name."""
    found = hold.call(f'import "std/json" as json\nfn f() {{\n {program}\n}}\n')
    assert found.startswith(error)


def test_the_same_list_twice_is_no_cycle(hold: Library, size: None) -> None:
    """A List may stand in several places."""
    program = 'import "std/json" as json\nfn f() {\n let x = [1]\n return json.stringify([x, [x], x])\n}\n'
    assert hold.call(program) == "[[1],[[1]],[1]]"
