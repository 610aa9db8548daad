"""Each sentence of the language's description, as small programs with their output beside them, in both shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.cases import Bench, Case, check, read_cases

FILES = sorted(Path(__file__).parent.glob("*.hold"))
CASES = [case for path in FILES for case in read_cases(path)]


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Bench]]:
    """One world for each file and shape."""
    made: dict[tuple[str, str], Bench] = {}
    yield made
    for bench in made.values():
        bench.close()


@pytest.mark.parametrize("shape", ["direct", "resumable"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}:{case.line} {case.name}")
def test_case(case: Case, shape: str, benches: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The program does what the comments beside it say, and nothing else."""
    key = case.file, shape
    if key not in benches:
        benches[key] = Bench(tmp_path_factory.mktemp("world") / "w", shape)
    check(case, benches[key].run(case.text, case.files))
