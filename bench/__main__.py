"""``python -m bench``: run the suites and print one table of what was asked and what was measured.

Results are kept as JSON in ``bench/results``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from bench import awfy, guarded, report, store, threads, zodb
from bench.report import Row
from bench.worker import WorkerError

SUITES = ("awfy", "guarded", "zodb", "store", "threads")
PROGRAMS = [program.name for program in awfy.PROGRAM_LIST]


def run_suite(name: str, action: Callable[[], list[Row]]) -> list[Row]:
    """The rows of a suite; one that fails leaves the others their results."""
    try:
        return action()
    except FileNotFoundError as error:
        raise click.UsageError(str(error)) from error
    except WorkerError as error:
        click.echo(f"{name} failed: {error}", err=True)
        return [Row(name, "the whole suite", "runs", "failed", 0.0, False)]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("suites", nargs=-1, type=click.Choice(SUITES))
@click.option("--rounds", type=click.IntRange(1), help="Rounds of each comparison (default: 7, and 5 with ZODB).")
@click.option("--quick", is_flag=True, help="Small sizes and few rounds: a look, not a measurement.")
@click.option("--only", multiple=True, type=click.Choice(PROGRAMS), metavar="PROGRAM", help="Only this one of awfy.")
@click.option("--awfy", "awfy_path", metavar="DIR", help="The published are-we-fast-yet programs ($HOLDFAST_AWFY).")
@click.option("--fetch/--no-fetch", default=True, help="Fetch the published programs if they are not at hand.")
@click.option("--scratch", type=click.Path(file_okay=False, writable=True), help="Where the measured worlds are put.")
@click.option("--check-twins", is_flag=True, help="Compare our Python twins with the published programs instead.")
@click.option("--strict", is_flag=True, help="Exit with 1 when a figure is not what was asked.")
def main(
    suites: tuple[str, ...],
    rounds: int | None,
    quick: bool,
    only: tuple[str, ...],
    awfy_path: str | None,
    fetch: bool,
    scratch: str | None,
    check_twins: bool,
    strict: bool,
) -> None:
    """Measure Holdfast: SUITES are awfy, guarded, zodb, store and threads; all without any.

    Every figure is a ratio taken within one run, or an absolute one where that was asked.
    """
    few = 2 if quick else None
    if scratch is not None:  # the workers have another current directory
        Path(scratch).mkdir(parents=True, exist_ok=True)
        scratch = str(Path(scratch).resolve())
    if check_twins:
        rows = run_suite("twins", lambda: awfy.check_twins(rounds or few or 5, awfy_path, fetch, quick))
        report.show_rows("Our twins against the published programs", rows)
        return
    runs: dict[str, Callable[[], list[Row]]] = {
        "awfy": lambda: awfy.run(rounds or few or 7, quick, awfy_path, fetch, only, scratch),
        "guarded": lambda: guarded.run(rounds or few or 5, quick, scratch),
        "zodb": lambda: zodb.run(rounds or few or 5, quick, scratch),
        "store": lambda: store.run(quick, scratch),
        "threads": lambda: threads.run(rounds or few or 5, quick, scratch),
    }
    rows = [row for name in SUITES if name in (suites or SUITES) for row in run_suite(name, runs[name])]
    report.show_rows("Asked and measured" + (" (small sizes: a look only)" if quick else ""), rows)
    report.write_json("summary", {"quick": quick, "rows": report.rows_json(rows)})
    if strict and any(row.ok is False for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
