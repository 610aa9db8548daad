"""What the suites share: rows of the final table, statistics, tables and files of results."""

from __future__ import annotations

import json
import math
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAMS = HERE / "programs"
RESULTS = HERE / "results"


@dataclass(slots=True, frozen=True)
class Row:
    """One line of the final table: what was asked, what was measured, and whether that is enough.

    ``ok`` is None where a figure is only printed beside the others.
    """

    suite: str
    name: str
    asked: str
    measured: str
    value: float
    ok: bool | None


def at_most(suite: str, name: str, value: float, limit: float, unit: str = "×") -> Row:
    """A row whose value must not exceed the limit."""
    return Row(suite, name, f"≤ {limit:g}{unit}", f"{value:.2f}{unit}", value, value <= limit)


def at_least(suite: str, name: str, value: float, limit: float, unit: str = "×") -> Row:
    """A row whose value must reach the limit."""
    return Row(suite, name, f"≥ {limit:g}{unit}", f"{value:.2f}{unit}", value, value >= limit)


def note(suite: str, name: str, measured: str, value: float) -> Row:
    """A row that only tells."""
    return Row(suite, name, "", measured, value, None)


def geometric_mean(values: Iterable[float]) -> float:
    """The mean for ratios; 0 of nothing."""
    logs = [math.log(value) for value in values]
    return math.exp(statistics.fmean(logs)) if logs else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` (0 to 1) of all do not exceed; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def machine() -> dict[str, str]:
    """Where the figures come from."""
    return {"python": platform.python_version(), "system": platform.platform(), "processor": platform.machine()}


def write_json(name: str, data: dict[str, Any]) -> Path:
    """Keep the results of a suite in ``bench/results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(data | {"machine": machine()}, indent=1) + "\n", encoding="utf-8")
    return path


def rows_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as they stand in a file of results."""
    return [asdict(row) for row in rows]


def size(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def show_table(title: str, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is left aligned, the others right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(table)


def show_rows(title: str, rows: Sequence[Row]) -> None:
    """Print the final table ``asked | measured | ok``."""
    marks = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}
    lines = [(f"{row.suite}: {row.name}", row.asked, row.measured, marks[row.ok]) for row in rows]
    show_table(title, ("what", "asked", "measured", "ok"), lines)
