"""std/regex against Python's re, on what both have; and its running time on patterns that are made to take long."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from holdfast.stdlib.host import regex_automaton, regex_machine
from holdfast.stdlib.host.regex_parse import Choice, Group, Repeat, Sequence, Tree, parse
from holdfast.stdlib.host.regex_program import nullable
from tests.stdlib.conftest import Library

FIND = """
import "std/regex" as regex
fn f(pattern, flags, text, start) {
  let r = regex.compile(pattern, flags: flags)
  return [places(r.search(text, start)), places(r.match(text, start)), places(r.full_match(text)), r.test(text)]
}
fn places(m) => if m == nil { nil } else { [m.start, m.end, m.text, m.groups] }
"""
ALL = """
import "std/regex" as regex
fn f(pattern, text) {
  let r = regex.compile(pattern)
  let groups = r.find_all(text).map(fn(m) => m.groups)
  return [r.find_texts(text), r.split(text), r.replace(text, "<$0>"), groups, r.count(text)]
}
"""
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)

ATOMS = st.sampled_from(
    ["a", "b", "c", ".", "[ab]", "[^a]", r"\w", r"\W", r"\s", r"\d", r"\D", "1", " ", r"\n", "[a-c1]"]
)
ANCHORS = st.sampled_from(["^", "$", r"\b", r"\B"])
COUNTS = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "{1,3}", "*?", "+?", "??", "{0,2}?"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Patterns made of smaller ones."""
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}|{p[1]})"),
        inner.map(lambda p: f"({p})"),
        st.tuples(inner, COUNTS).map(lambda p: f"(?:{p[0]}){p[1]}"),
        st.tuples(inner, COUNTS).map(lambda p: f"({p[0]}){p[1]}"),
    )


PATTERNS = st.recursive(ATOMS | ANCHORS, grown, max_leaves=8)
SUBJECTS = st.text(st.sampled_from("aabbc1 \nAB"), max_size=12)


@pytest.fixture(params=["whole", "steps"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with steps of the usual size, once with tiny ones, and with a cache that is always full."""
    if request.param == "steps":
        monkeypatch.setattr(regex_automaton.Budget.__init__, "__defaults__", (300,))
        monkeypatch.setattr(regex_machine, "SLICE", 3)
        monkeypatch.setattr(regex_automaton, "CACHE_THREADS", 10)
        monkeypatch.setattr(regex_automaton, "CLASSES_MAX", 2)


def repeats_nothing(tree: Tree) -> bool:
    """Some part that can be empty is repeated: engines that go back differ there, also from each other."""
    if isinstance(tree, Repeat):
        return nullable(tree.part) or repeats_nothing(tree.part)
    if isinstance(tree, Group):
        return repeats_nothing(tree.part)
    parts = tree.parts if isinstance(tree, Sequence) else tree.options if isinstance(tree, Choice) else ()
    return any(map(repeats_nothing, parts))


def compiled(pattern: str, flags: str = "") -> re.Pattern[str]:
    """Python's pattern; its ``$`` also stands before a last newline, which ours does only with the flag m."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        python = pattern if "m" in flags else pattern.replace("$", r"\Z")
        return re.compile(python, sum({"i": re.I, "m": re.M, "s": re.S}[flag] for flag in flags))


def places(match: re.Match[str] | None) -> Any:
    """A match as the program in FIND gives it."""
    return None if match is None else [match.start(), match.end(), match[0], list(match.groups())]


@SHARED
@given(PATTERNS, st.sampled_from(["", "i", "m", "s", "ims"]), SUBJECTS, st.integers(0, 12))
def test_finds_what_python_finds(hold: Library, size: None, pattern: str, flags: str, text: str, start: int) -> None:
    """The same match, from the same place to the same place, with the same groups."""
    assume(not repeats_nothing(parse(pattern, flags).tree))
    assume(text or r"\B" not in pattern)  # Python finds no \B in an empty text
    python = compiled(pattern, flags)
    start = min(start, len(text))
    found = hold.call(FIND, pattern, flags, text, start)
    wanted = [python.search(text, start), python.match(text, start), python.fullmatch(text)]
    assert found == [*map(places, wanted), python.search(text) is not None]


@SHARED
@given(PATTERNS, SUBJECTS)
def test_all_matches(hold: Library, size: None, pattern: str, text: str) -> None:
    """Matches follow each other: behind an empty one the next place is looked at."""
    tree = parse(pattern, "").tree
    assume(not repeats_nothing(tree) and not (r"\B" in pattern and not text))
    python = compiled(pattern)
    matches: list[re.Match[str]] = []
    at = 0
    while at <= len(text) and (match := python.search(text, at)) is not None:
        matches.append(match)
        at = match.end() + (match.start() == match.end())
    ends = [0, *[m.end() for m in matches]]
    between = [text[a:b] for a, b in zip(ends, [*[m.start() for m in matches], len(text)], strict=True)]
    replaced = "".join(part + found for part, found in zip(between, [*[f"<{m[0]}>" for m in matches], ""], strict=True))
    assert hold.call(ALL, pattern, text) == [
        [m[0] for m in matches],
        between,
        replaced,
        [list(m.groups()) for m in matches],
        len(matches),
    ]


EVIL = [
    (r"(a+)+$", "a" * 30_000 + "b", False),
    (r"(x+x+)+y", "x" * 30_000, False),
    (r"(a|aa)+$", "a" * 30_000 + "b", False),
    (r"(a*)*b", "a" * 30_000, False),
    (r"(.*)(.*)(.*)(.*)(.*)[^a]x", "b" * 20_000, False),
    (r"(?:a?){200}a{200}", "a" * 399, True),
    (r"^(\s+|\S+)*$", "ab " * 10_000, True),
    (r"(?:[ab]*a[ab]{12})c", "abaabbb" * 3_000, False),
    (r"([a-z]+\.)+[a-z]+@x", "a." * 15_000, False),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("pattern", "text", "found"), EVIL)
def test_evil_patterns(hold: Library, pattern: str, text: str, found: bool) -> None:
    """Patterns that take engines that go back for ages take no longer than others."""
    assert hold.call('import "std/regex" as regex\nfn f(p, t) => regex.test(p, t)\n', pattern, text) is found


@pytest.mark.parametrize(("pattern", "text", "found"), EVIL)
def test_work_grows_with_the_text(pattern: str, text: str, found: bool) -> None:
    """Four times the text takes about four times the work."""

    def work(text: str) -> int:
        machine = regex_machine.Machine(pattern, "", False)
        budget = regex_automaton.Budget(1 << 60)
        machine.run(machine.begin(text, 0, True), text, budget, True)
        return (1 << 60) - budget.left

    assert work(text * 4) < 5 * work(text) + 10_000


def test_steps_are_short() -> None:
    """One step does a bounded amount of work, whatever the pattern."""
    pattern = "(?:" + "|".join(f"[^{chr(c)}]{{1,3}}" for c in range(0x3B1, 0x3C9)) + ")+$"
    machine = regex_machine.Machine(pattern, "", False)
    text = "".join(map(chr, range(0x100, 0x2000)))
    search = machine.begin(text, 0, True)
    for _ in range(50):
        budget = regex_automaton.Budget()
        try:
            machine.run(search, text, budget, True)
            break
        except regex_automaton.OutOfWork:
            assert budget.left > -regex_automaton.STEP_WORK


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "at index 0: '(' without ')'"),
        ("a)", "at index 1: ')' without '('"),
        ("*a", "at index 0: there is nothing before '*' to repeat"),
        ("a**", "at index 2: a repetition cannot be repeated"),
        ("^*", "at index 0: an anchor cannot be repeated"),
        ("[a", "at index 0: '[' without ']'"),
        ("[z-a]", "at index 1: a range has its ends in the wrong order"),
        (r"[\d-z]", "at index 1: a range cannot begin or end with a class"),
        (r"(a)\1", "at index 3: references to groups are not supported"),
        ("(?=a)", "at index 0: looking around is not supported"),
        ("(?<!a)", "at index 0: looking around is not supported"),
        ("(?>a)", "at index 0: atomic groups are not supported"),
        ("a++", "at index 2: possessive repetition is not supported"),
        ("a{3,2}", "at index 1: the repetition {3,2} has its numbers in the wrong order"),
        ("a{1001}", "at index 1: a repetition of more than 1_000"),
        ("(?<1>a)", "at index 3: the name of a group"),
        ("(?<n>a)(?<n>b)", "at index 10: two groups are called n"),
        (r"\q", "at index 0: there is no escape \\q"),
        (r"\x4", "at index 0: an escape needs hexadecimal digits"),
        (r"\u{110000}", "at index 0: an escape beyond the code points of Unicode"),
        ("a\\", "at index 2: an escape is cut off"),
        ("(" * 101 + ")" * 101, "at index 100: more than 100 groups"),
    ],
)
def test_messages(hold: Library, pattern: str, message: str) -> None:
    """What is no pattern is refused with the place and the reason."""
    found = hold.call('import "std/regex" as regex\nfn f(p) => regex.compile(p)\n', pattern)
    assert found.startswith("ValueError: the pattern ") and message in found


@pytest.mark.parametrize("pattern", ["(?:(?:a{100}){100}){100}", "((a{1000}){1000}){1000}", "(?:(?:){1000}){1000}"])
def test_size_of_programs(hold: Library, pattern: str) -> None:
    """What repetitions multiply is bounded before it is built."""
    found = hold.call('import "std/regex" as regex\nfn f(p) => regex.compile(p)\n', pattern)
    assert found.startswith("LimitError: a pattern that takes ")


@pytest.mark.parametrize(
    ("pattern", "text", "by", "result"),
    [
        (r"(\w+) (\w+)", "a b", "$2 $1", "b a"),
        (r"(?<x>a)(b)?", "ac", "[$<x>$2]", "[a]c"),
        ("a", "aa", "$$", "$$"),
        ("a", "a", "$$1", "$1"),
        ("a", "a", "$", "$"),
        ("a", "a", "x$ y", "x$ y"),
        ("b*", "abc", "-", "-a--c-"),
        ("", "ab", "-", "-a-b-"),
        ("(a)", "a", "$2", "IndexError: the pattern has no group 2"),
        ("(a)", "a", "$<n>", "KeyError: the pattern has no group called n"),
    ],
)
def test_replacement(hold: Library, pattern: str, text: str, by: str, result: str) -> None:
    """Groups are put in by number and name."""
    assert (
        hold.call('import "std/regex" as regex\nfn f(p, t, by) => regex.replace(p, t, by)\n', pattern, text, by)
        == result
    )
