"""Each sentence of the language's description, as small programs with their output beside them, in both shapes,
and under torture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.cases import Bench, Case, check, read_cases

FILES = sorted(Path(__file__).parent.glob("*.hold"))
CASES = [case for path in FILES for case in read_cases(path)]


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Bench]]:
    """One world for each file and way to run it."""
    made: dict[tuple[str, str], Bench] = {}
    yield made
    for bench in made.values():
        bench.close()


TORTURE_SHARE = 5
"""One case of so many is run under torture in the quick tests."""
DEEP = re.compile("StackError|recurs|deep|endless")


def name_of(case: Case) -> str:
    return f"{case.file}:{case.line} {case.name}"


@pytest.mark.parametrize("way", ["direct", "resumable"])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_case(case: Case, way: str, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The program does what the comments beside it say, and nothing else."""
    run(case, way, benches, tmp_path_factory)


WHOLE = [case for case in CASES if case.file != "capabilities"]
"""Programs that do not ask what they may do."""
RESTRICTED = ["guarded", "sandbox", "guarded-resumable", "sandbox-torture"]
"""As code of the whole world and of the domain itself; in each shape."""


@pytest.mark.parametrize("case", WHOLE[::TORTURE_SHARE], ids=name_of)
def test_i10_same_code(case: Case, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A program that touches only its own objects does the same in a restricted domain."""
    for way in ("guarded", "sandbox"):
        run_restricted(case, way, benches, tmp_path_factory)


@pytest.mark.slow
@pytest.mark.parametrize("way", RESTRICTED)
@pytest.mark.parametrize("case", WHOLE, ids=name_of)
def test_i10_same_code_of_all(case: Case, way: str, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As above, for all, in both shapes and under torture."""
    run_restricted(case, way, benches, tmp_path_factory)


def run_restricted(case: Case, way: str, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Run a case in a domain of its own; code of such a domain imports the standard library alone."""
    if not (way.startswith("sandbox") and case.files):
        run(case, way, benches, tmp_path_factory)


QUICK = [case for case in CASES[::TORTURE_SHARE] if not DEEP.search(case.name)]


@pytest.mark.parametrize("case", QUICK, ids=name_of)
def test_torture(case: Case, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A program does not notice that its stack is thrown away and made anew at every safepoint."""
    run(case, "torture", benches, tmp_path_factory)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case not in QUICK], ids=name_of)
def test_torture_of_all(case: Case, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As above, for all the others, deep recursion included."""
    run(case, "torture", benches, tmp_path_factory)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_torture_at_every_seventh(case: Case, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """At some safepoints alone, so that a thread is captured with frames of both kinds."""
    run(case, "torture7", benches, tmp_path_factory)


def run(case: Case, way: str, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Run a case in the world of its file and way."""
    key = case.file, way
    if key not in benches:
        benches[key] = Bench(tmp_path_factory.mktemp("world") / "w", way)
    check(case, benches[key].run(case.text, case.files))
