"""std/csv against Python's csv."""

from __future__ import annotations

import csv
import io
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.stdlib.host import csv_read, csv_write
from tests.stdlib.conftest import Library

PARSE = 'import "std/csv" as csv\nfn f(text) => csv.parse(text)\n'
FORMAT = 'import "std/csv" as csv\nfn f(rows) => csv.format(rows)\n'
RECORDS = 'import "std/csv" as csv\nfn f(text, types, missing) => csv.records(text, types: types, missing: missing)\n'
PIECES = """
import "std/csv" as csv
fn f(pieces) {
  let left = pieces.reversed()
  let reader = csv.Reader(source: fn() => if left.is_empty() { nil } else { left.pop() }, header: false)
  let out = []
  var row = reader.next()
  while row != nil {
    out.push(row)
    row = reader.next()
  }
  return out
}
"""
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
FIELDS = st.text(st.sampled_from('ab1 ,;"\n\r\té\x00\u2028'), max_size=6)
ROWS = st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=8)
RAW = st.text(st.sampled_from('ab,,""\n\n\r'), max_size=30)


@pytest.fixture(params=["whole", "steps"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with steps of the usual size, once with tiny ones."""
    if request.param == "steps":
        monkeypatch.setattr(csv_read, "WINDOW", 4)
        monkeypatch.setattr(csv_write, "STEP_FIELDS", 2)


def python(text: str) -> list[list[str]] | None:
    """What Python reads, None when it refuses."""
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        return None


@SHARED
@given(ROWS)
def test_round_trip(hold: Library, size: None, rows: list[list[str]]) -> None:
    """Any texts in any rows are written so that Python reads them, and so do we."""
    written = hold.call(FORMAT, rows)
    assert python(written) == rows
    assert hold.call(PARSE, written) == rows


@SHARED
@given(RAW)
def test_reads_as_python_does(hold: Library, size: None, text: str) -> None:
    """Well-formed or not: what Python reads is read the same, what it refuses is a ValueError with the line."""
    found = hold.call(PARSE, text)
    wanted = python(text)
    if wanted is None:
        assert isinstance(found, str) and found.startswith("ValueError: CSV, line "), (text, found)
    else:
        assert found == wanted


@SHARED
@given(ROWS, st.lists(st.integers(0, 200), max_size=8))
def test_pieces(hold: Library, size: None, rows: list[list[str]], cuts: list[int]) -> None:
    """It does not matter where the data are cut into pieces."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    text = out.getvalue()
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    assert hold.call(PIECES, pieces) == [row for row in rows if row]


def test_types(hold: Library, size: None) -> None:
    """Each type converts what it says; what is missing is nil."""
    text = "i,f,b,t,a,x\n 12 ,1.5,yes,07,07,NA\n-3,2,0,,1e3,5\n,,,NA,x,7.25\n"
    types = {"i": "int", "f": "float", "b": "bool", "a": "auto", "x": "auto"}
    assert hold.call(RECORDS, text, types, ["", "NA"]) == [
        {"i": 12, "f": 1.5, "b": True, "t": "07", "a": "07", "x": None},
        {"i": -3, "f": 2.0, "b": False, "t": None, "a": 1000.0, "x": 5},
        {"i": None, "f": None, "b": None, "t": None, "a": "x", "x": 7.25},
    ]
    assert hold.call(RECORDS, "a,t\n,\n", {"a": "int"}, None) == [{"a": None, "t": ""}]


@pytest.mark.parametrize(
    ("text", "types", "error"),
    [
        ('a,b\n1,2\n"x"y,3', None, 'ValueError: CSV, line 3: a closing " must be followed by ","'),
        ('a,b\n1,2\n\n"x,3\n4', None, "ValueError: CSV, line 4: the text ends inside of quotation marks"),
        ('a,b\n"1\n2",3\n1', None, "ValueError: CSV, line 4: a row of 1 field, but there are 2 columns"),
        ("a,a\n1,2", None, "ValueError: CSV, line 1: two columns have the same name"),
        ("a,b\n1,2\n3,x", {"b": "int"}, 'ValueError: CSV, line 3: column "b": "x" is no Int'),
        ("a,b\n1,1e999", {"b": "float"}, 'ValueError: CSV, line 2: column "b": "1e999" is too large for a Float'),
        ("a,b\n1,2", {"c": "int"}, "KeyError: types names 'c', which is no column"),
        ("a,b\n1,2", {"b": "ints"}, 'ValueError: "ints" is no type of a column: use "text", "int"'),
        ('a\n"' + "x" * 200_000, None, "ValueError: CSV, line 2: a field of more than 131_072 characters"),
    ],
)
def test_messages(hold: Library, size: None, text: str, types: Any, error: str) -> None:
    """A message names the line and what is wrong with it."""
    assert hold.call(RECORDS, text, types, None).startswith(error)


def test_rows_before_the_wrong_one_are_given(hold: Library) -> None:
    """What stands before a malformed row can be worked with."""
    program = """
import "std/csv" as csv
fn f(text) {
  let seen = []
  try { csv.each(text, fn(row) => seen.push(row.a)) } catch error { seen.push(error.message) }
  return seen
}
"""
    assert hold.call(program, 'a\n1\n2\n"x"y\n3\n')[:2] == ["1", "2"]


def test_headers(hold: Library) -> None:
    """The names of columns may be given; a mark of the byte order in front of the data is no part of them."""
    program = 'import "std/csv" as csv\nfn f(text, header) => csv.Reader(source: text, header: header).rest()\n'
    assert hold.call(program, "1,2\n", ["a", "b"]) == [{"a": "1", "b": "2"}]
    assert hold.call(program, "\ufeffa,b\n1,2\n", True) == [{"a": "1", "b": "2"}]
    assert hold.call(program, "", True) == []


def test_what_cannot_be_written(hold: Library) -> None:
    """A field is a scalar, and a key of a Map a column."""
    assert hold.call(FORMAT, [[["x"]]]).startswith(
        "TypeError: a field must be a Text, a number, a Bool or nil, not List"
    )
    assert hold.call(FORMAT, [{"a": 1}]).startswith("TypeError: csv.format needs the names of the columns")
    program = 'import "std/csv" as csv\nfn f() => csv.format([{b: 1}], columns: ["a"])\n'
    assert hold.call(program) == 'ValueError: a row has the key "b", which is no column'
