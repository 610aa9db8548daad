"""Hold against CPython on the same algorithms: twelve programs of are-we-fast-yet and four of ours.

The Python side of the twelve is the published one where it can be had (``--awfy DIR`` or ``$HOLDFAST_AWFY``: a
checkout, its ``benchmarks/Python`` or a git directory; else fetched from GitHub and kept in ``bench/results``), else
equal twins of ours (``bench/programs/*.py``).  With the published side, the Hold program Json parses the published
document too.

Each program has three processes, CPython, Hold, and Hold with the data under ``root``, which run in turns for
several rounds after one round to warm up.  The figure is the ratio of the medians.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from bench import report
from bench.awfy_sides import published_document
from bench.programs.json_document import hold_source
from bench.report import PROGRAMS, RESULTS, Row
from bench.worker import GC_THRESHOLD, Worker, WorkerError

SUITE = "speed"
REPOSITORY = "https://github.com/smarr/are-we-fast-yet"
COMMIT = "50e34b17e5fced7b8fe7afd14dc04b0ebd84a75a"
FETCH_TIMEOUT = 20.0
MEAN_LIMIT = 1.5
WORST_LIMIT = 2.7
AMBITION = 1.3


@dataclass(slots=True, frozen=True)
class Program:
    """A measured program and how often a round does it; ``quick`` is for a short look."""

    name: str
    class_name: str | None
    inner: int
    quick: int


PROGRAM_LIST = (
    Program("richards", "Richards", 5, 1),
    Program("deltablue", "DeltaBlue", 3000, 500),
    Program("json", "Json", 20, 3),
    Program("bounce", "Bounce", 200, 30),
    Program("list", "List", 300, 40),
    Program("permute", "Permute", 120, 15),
    Program("queens", "Queens", 200, 30),
    Program("sieve", "Sieve", 300, 40),
    Program("storage", "Storage", 100, 15),
    Program("towers", "Towers", 100, 15),
    Program("nbody", "NBody", 250_000, 20_000),
    Program("mandelbrot", "Mandelbrot", 500, 100),
    Program("fib", None, 100, 20),
    Program("binary_trees", None, 150, 20),
    Program("text_building", None, 300, 40),
    Program("word_count", None, 100, 15),
)


@dataclass(slots=True)
class Figures:
    """What was measured of one side of one program."""

    seconds: list[float] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.seconds)


# ------------------------------------------------------------------ the published side


def published_directory(given: str | None, fetch: bool) -> Path | None:
    """Where the published Python programs are, or None when they cannot be had."""
    given = given or os.environ.get("HOLDFAST_AWFY")
    if given:
        path = Path(given).resolve()
        for candidate in (path, path / "benchmarks" / "Python"):
            if (candidate / "richards.py").is_file():
                return candidate
        if (path / "HEAD").is_file():
            return extract(path, "HEAD")
        raise FileNotFoundError(f"{path} holds no are-we-fast-yet: name a checkout or a git directory")
    kept = RESULTS / "are-we-fast-yet" / "benchmarks" / "Python"
    if (kept / "richards.py").is_file():
        return kept
    return fetch_published() if fetch else None


def extract(git_directory: Path, commit: str) -> Path:
    """The programs of a git directory, copied to the results."""
    command = ["git", f"--git-dir={git_directory}", "archive", commit, "benchmarks/Python"]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    target = RESULTS / "are-we-fast-yet"
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(target, filter="data")
    return target / "benchmarks" / "Python"


def fetch_published() -> Path | None:
    """Fetch the programs from GitHub; None when it does not answer soon."""
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0"}
    with tempfile.TemporaryDirectory(prefix="holdfast-awfy-") as directory:
        for arguments in (["init", "-q", "--bare"], ["fetch", "-q", "--depth", "1", REPOSITORY, COMMIT]):
            try:
                subprocess.run(
                    ["git", f"--git-dir={directory}", *arguments],
                    env=environment,
                    capture_output=True,
                    check=True,
                    timeout=FETCH_TIMEOUT,
                )
            except (OSError, subprocess.SubprocessError):
                return None
        return extract(Path(directory), "FETCH_HEAD")


def hold_programs(published: Path | None, directory: Path) -> Path:
    """The Hold programs; with the published side in a copy that holds the published document."""
    if published is None:
        return PROGRAMS
    for path in PROGRAMS.glob("*.hold"):
        shutil.copy(path, directory)
    (directory / "json_document.hold").write_text(hold_source(published_document(published)), encoding="utf-8")
    return directory


# ------------------------------------------------------------------ measuring


def measure(
    program: Program, sides: dict[str, tuple[str, dict[str, Any]]], rounds: int, inner: int
) -> dict[str, Figures]:
    """Run the sides of a program in turns; the side that begins changes from round to round."""
    figures = {name: Figures() for name in sides}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(side, **config)) for name, (side, config) in sides.items()}
        order = list(workers)
        for turn in range(rounds + 1):
            for name in order:
                result = workers[name].call("measure", inner=inner)
                if not result["verified"]:
                    raise ValueError(f"{program.name}: the result of {name} did not verify")
                if turn:
                    figures[name].seconds.append(result["seconds"])
            order.append(order.pop(0))
        for name, worker in workers.items():
            if name.startswith("Hold"):
                figures[name].counters = worker.call("counters")
    return figures


def sides_of(
    program: Program, published: Path | None, holds: Path, scratch: str | None
) -> dict[str, tuple[str, dict[str, Any]]]:
    """The three sides of a program, by the name of their column."""
    path = str(holds / f"{program.name}.hold")
    python: dict[str, Any] = {"name": program.name}
    if published is not None and program.class_name is not None:
        python |= {"published": str(published), "class_name": program.class_name}
    hold = {"path": path, "scratch": scratch}
    return {
        "CPython": ("bench.awfy_sides:PythonSide", python),
        "Hold": ("bench.awfy_sides:HoldSide", hold | {"under_root": False}),
        "Hold root": ("bench.awfy_sides:HoldSide", hold | {"under_root": True}),
    }


def twins_of(program: Program, published: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Our twin beside the published program: they must agree and take the same time."""
    side = "bench.awfy_sides:PythonSide"
    return {
        "CPython": (side, {"name": program.name, "published": str(published), "class_name": program.class_name}),
        "twin": (side, {"name": program.name}),
    }


def ratio(figures: dict[str, Figures], side: str) -> float:
    """How much longer the side takes than CPython."""
    return figures[side].median / figures["CPython"].median


def spread(figures: dict[str, Figures], side: str) -> str:
    """The smallest and the largest ratio of single rounds."""
    pairs = zip(figures[side].seconds, figures["CPython"].seconds, strict=True)
    ratios = sorted(ours / theirs for ours, theirs in pairs)
    return f"{ratios[0]:.2f}–{ratios[-1]:.2f}"


def chosen(only: Sequence[str]) -> list[Program]:
    """The programs of these names; all when none is named."""
    unknown = set(only) - {program.name for program in PROGRAM_LIST}
    if unknown:
        raise ValueError(f"no such program: {', '.join(sorted(unknown))}")
    return [program for program in PROGRAM_LIST if not only or program.name in only]


def run(
    rounds: int = 7,
    quick: bool = False,
    awfy: str | None = None,
    fetch: bool = True,
    only: Sequence[str] = (),
    scratch: str | None = None,
) -> list[Row]:
    """Measure, print the table, write ``awfy.json``; the rows for the final table."""
    published = published_directory(awfy, fetch)
    measured: dict[str, dict[str, Figures]] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="holdfast-programs-") as directory:
        holds = hold_programs(published, Path(directory))
        for program in chosen(only):
            inner = program.quick if quick else program.inner
            try:
                measured[program.name] = measure(program, sides_of(program, published, holds, scratch), rounds, inner)
            except (WorkerError, ValueError) as error:  # the others are still worth measuring
                failed[program.name] = str(error)
    show(measured, failed, published)
    rows = rows_of(measured, failed)
    report.write_json("awfy", as_json(measured, failed, published, rounds, rows))
    return rows


def check_twins(rounds: int, awfy: str | None, fetch: bool, quick: bool) -> list[Row]:
    """Compare our twins with the published programs: the same results in the same time."""
    published = published_directory(awfy, fetch)
    if published is None:
        raise FileNotFoundError("the published programs cannot be had: name their place with --awfy")
    rows = []
    for program in PROGRAM_LIST:
        if program.class_name is not None:
            inner = program.quick if quick else program.inner
            value = ratio(measure(program, twins_of(program, published), rounds, inner), "twin")
            rows.append(report.note("twins", program.name, f"{value:.2f}×", value))
    return rows


def rows_of(measured: dict[str, dict[str, Figures]], failed: dict[str, str]) -> list[Row]:
    """The suite's lines of the final table; a program that failed is one that is not fast enough."""
    failures = [Row(SUITE, name, "runs", "failed", 0.0, False) for name in failed]
    if not measured:
        return failures
    plain = {name: ratio(figures, "Hold") for name, figures in measured.items()}
    root = {name: ratio(figures, "Hold root") for name, figures in measured.items()}
    mean = report.geometric_mean(plain.values())
    root_mean = report.geometric_mean(root.values())
    worst = max(plain, key=lambda name: plain[name])
    return [
        report.at_most(SUITE, "geometric mean against CPython", mean, MEAN_LIMIT),
        report.at_most(SUITE, f"slowest program ({worst})", plain[worst], WORST_LIMIT),
        report.note(SUITE, f"geometric mean, worth having under {AMBITION}×", f"{mean:.2f}×", mean),
        report.note(SUITE, "geometric mean with the data under root", f"{root_mean:.2f}×", root_mean),
        *failures,
    ]


def show(measured: dict[str, dict[str, Figures]], failed: dict[str, str], published: Path | None) -> None:
    """Print one line for each program, and why some failed."""
    lines = []
    for name, figures in measured.items():
        line = [name]
        for side in ("Hold", "Hold root"):
            counters = figures[side].counters
            line += [f"{ratio(figures, side):.2f}×", spread(figures, side)]
            line += [str(counters["checkpoints"]), report.size(counters["bytes"])]
        lines.append(line)
    means = [report.geometric_mean(ratio(f, side) for f in measured.values()) for side in ("Hold", "Hold root")]
    lines.append(["geometric mean", f"{means[0]:.2f}×", "", "", "", f"{means[1]:.2f}×", "", "", ""])
    against = "published programs" if published else "equal programs of ours"
    columns = ("ratio", "rounds", "ckpts", "written")
    report.show_table(
        f"Hold against CPython ({against}); at the right with the data under root",
        ("program", *columns, *columns),
        lines,
    )
    for name, reason in failed.items():
        print(f"{name} failed: {reason.strip()}")


def as_json(
    measured: dict[str, dict[str, Figures]],
    failed: dict[str, str],
    published: Path | None,
    rounds: int,
    rows: Sequence[Row],
) -> dict[str, Any]:
    """All figures, for the file of results."""
    programs = {
        name: {
            side: {"seconds": f.seconds, "median": f.median, "ratio": ratio(figures, side), **f.counters}
            for side, f in figures.items()
        }
        for name, figures in measured.items()
    }
    return {
        "python_side": "published" if published else "twins",
        "rounds": rounds,
        "gc_threshold": GC_THRESHOLD,
        "programs": programs,
        "failed": failed,
        "rows": report.rows_json(rows),
    }
