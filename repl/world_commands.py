"""``holdfast world …``: the care of a world."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from holdfast.repl import exits
from holdfast.repl.commands import SETTINGS, examples
from holdfast.repl.console import Console, escaped, say
from holdfast.repl.exits import Failure
from holdfast.repl.files import reason
from holdfast.repl.options import json_option, world_option
from holdfast.repl.progress import Progress
from holdfast.repl.signals import Signals

if TYPE_CHECKING:
    from holdfast.vm.maintenance import Report
    from holdfast.vm.store import Store

COLLECTED_CLASSES = 20
"""So many classes are listed by ``stat``, the largest first."""


@click.group(
    context_settings=SETTINGS, epilog=examples("holdfast world check", "holdfast world backup /media/stick/monday")
)
def world() -> None:
    """Check, clean, copy and measure worlds."""


def opened(path: str) -> Store:
    """The store of a world that must exist."""
    from holdfast.vm.store import Store

    return Store(path, create=False)


def last(reports: Iterator[Report]) -> Report:
    """The complete report."""
    return deque(reports, maxlen=1).pop()


def plural(number: int, noun: str) -> str:
    """``1 object``, ``2 objects``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@world.command(epilog=examples("holdfast world check", "holdfast world check --repair"))
@world_option
@json_option
@click.option("--repair", is_flag=True, help="Give up what follows a damaged spot in the log, and tell what is lost.")
def check(world: str, as_json: bool, repair: bool) -> int:
    """Verify a world: every record decodes, every reference leads to an object.

    Exit code 1 if something is wrong.
    """
    from holdfast.vm import maintenance

    if repair:
        done = maintenance.repair(world)
        if done.lost:
            say(f"lost: checkpoints {done.lost.start} to {done.lost.stop - 1}; the world is at checkpoint {done.kept}")
        else:
            say(f"no checkpoint is lost; the world is at checkpoint {done.kept}")
    store = opened(world)
    try:
        with Progress() as progress:
            report = last(maintenance.check(store, progress))
    finally:
        store.close()
    if as_json:
        _print_json(report)
    else:
        for problem in report.problems:
            print(escaped(f"{problem.name}: {problem.reason}"))
        if report.problem_count > len(report.problems):
            print(f"… {report.problem_count - len(report.problems):,} more problems")
        found = plural(report.problem_count, "problem") if report.problem_count else "no problems"
        objects = f"{plural(report.objects, 'object')}, {report.garbage:,} of them garbage"
        print(f"checkpoint {report.checkpoint}: {objects}; {found}")
    return exits.FAILED if report.problem_count else exits.OK


@world.command(epilog=examples("holdfast world gc"))
@world_option
@json_option
@click.pass_obj
def gc(signals: Signals, world: str, as_json: bool) -> int:
    """Delete the objects that nothing reaches, and give their space back."""
    from holdfast.repl.local import LocalHost, Options
    from holdfast.vm import maintenance

    with LocalHost(Options(world, create=False), Console(), signals) as local:
        local.world.checkpoint()
        with Progress() as progress:
            report = last(maintenance.collect(local.world.heap, progress))
        local.world.store.flush()
        local.world.store.compact()
        disk = local.world.store.statistics()["disk_bytes"]
    if as_json:
        _print_json(report, disk_bytes=disk)
    else:
        for problem in report.problems:
            print(escaped(f"{problem.name}: {problem.reason}"))
        if report.problem_count:
            print("nothing was deleted: where something cannot be read, what it refers to is not known")
        print(f"{plural(report.deleted, 'object')} deleted, {report.live:,} alive; {size(disk)} on disk")
    return exits.FAILED if report.problem_count else exits.OK


@world.command(epilog=examples("holdfast world backup /media/stick/monday"))
@world_option
@click.argument("target", type=click.Path())
def backup(world: str, target: str) -> int:
    """Copy a world to TARGET, a folder that does not exist yet."""
    from holdfast.vm import maintenance

    store = opened(world)
    try:
        maintenance.backup(store, target)
        number = maintenance.commit_number(store)
    finally:
        store.close()
    say(f"checkpoint {number} of {world} is copied to {target}")
    return exits.OK


@world.command(epilog=examples("holdfast world restore /media/stick/monday --world ./again"))
@world_option
@click.argument("source", type=click.Path())
def restore(world: str, source: str) -> int:
    """Make a world from a backup; there must be none at its place."""
    from holdfast.vm import maintenance

    try:
        number = maintenance.restore(source, world)
    except OSError as error:
        raise Failure(f"cannot restore {source}: {reason(error)}", exits.WORLD) from None
    say(f"the world {world} is at checkpoint {number}")
    return exits.OK


@world.command(epilog=examples("holdfast world export world.jsonl", "holdfast world export - | gzip > world.jsonl.gz"))
@world_option
@click.argument("target", type=click.Path())
def export(world: str, target: str) -> int:
    """Write a world as text, one JSON value a line, to a new file (or - for stdout)."""
    from holdfast.vm.transfer import export_world

    store = opened(world)
    try:
        with Progress() as progress:
            if target == "-":
                count = export_world(store, sys.stdout, progress.count("writing lines"))
            else:
                try:
                    with open(target, "x", encoding="utf-8", newline="\n") as file:
                        count = export_world(store, file, progress.count("writing lines"))
                        file.flush()
                        os.fsync(file.fileno())
                except FileExistsError:
                    raise Failure(f"{target} exists already; give another name", exits.USAGE) from None
                except OSError as error:
                    raise Failure(f"cannot write {target}: {reason(error)}", exits.FAILED) from None
    finally:
        store.close()
    say(f"{plural(count, 'line')} written")
    return exits.OK


@world.command(name="import", epilog=examples("holdfast world import world.jsonl --world ./again"))
@world_option
@click.argument("source", type=click.Path())
def import_(world: str, source: str) -> int:
    """Make a world from a text; there must be none at its place."""
    from holdfast.vm.transfer import import_world

    try:
        with Progress() as progress:
            count = import_world(source, world, progress.count("reading lines"))
    except OSError as error:
        raise Failure(f"cannot read {source}: {reason(error)}") from None
    except UnicodeDecodeError:
        raise Failure(f"{source} is not UTF-8, so it is no export of a world") from None
    say(f"{plural(count, 'object')} in the world {world}")
    return exits.OK


@world.command(epilog=examples("holdfast world stat", "holdfast world stat --json"))
@world_option
@json_option
def stat(world: str, as_json: bool) -> int:
    """Count the objects of a world, and measure it."""
    from holdfast.vm import maintenance

    store = opened(world)
    try:
        with Progress() as progress:
            report = last(maintenance.statistics(store, progress))
        disk = store.statistics()["disk_bytes"]
        names = class_names(store)
    finally:
        store.close()
    if as_json:
        classes = {names.get(k, f"class {k}"): {"objects": n, "bytes": b} for k, (n, b) in report.classes.items()}
        _print_json(report, disk_bytes=disk, classes=classes)
        return exits.OK
    print(f"{'checkpoint':<14}{report.checkpoint:>16,}")
    for name in ("objects", "pieces"):
        print(f"{name:<14}{getattr(report, name):>16,}")
    print(f"{'records':<14}{size(report.bytes):>16}\n{'on disk':<14}{size(disk):>16}")
    rows = sorted(report.classes.items(), key=lambda row: -row[1][1])
    for number, (count, total) in rows[:COLLECTED_CLASSES]:
        print(escaped(f"  {names.get(number, f'class {number}'):<30}{count:>16,}{size(total):>12}"))
    if len(rows) > COLLECTED_CLASSES:
        print(f"  … {len(rows) - COLLECTED_CLASSES} more classes")
    return exits.OK


def class_names(store: Store) -> dict[int, str]:
    """The names of classes by number, those of the world and the built-in ones."""
    from holdfast.vm import ids
    from holdfast.vm.objects import ERRORS
    from holdfast.vm.side import class_row, text_of

    found = {ids.LIST: "List", ids.MAP: "Map", ids.SET: "Set", ids.BOX: "variable", ids.FUNCTION: "Function"}
    found |= {ids.THREAD: "Thread"} | {cls._k: name for name, cls in ERRORS.items()}
    prefix = b"Mclass:"
    for key, record in store.scan(prefix):
        number, row = class_row(key[len(prefix) :].decode(errors="replace"), text_of(key, record))
        found[number] = f"{row['module']}:{row['name']}"
    return found


def _print_json(report: Report, **more: Any) -> None:
    data = {name: value for name, value in vars(report).items() if name not in ("problems", "classes", "problem_count")}
    data["problems"] = [{"name": problem.name, "reason": problem.reason} for problem in report.problems]
    data["problem_count"] = report.problem_count
    print(json.dumps(data | more))


def size(number: int) -> str:
    """A number of bytes for people."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
