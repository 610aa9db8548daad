"""``holdfast world …``: the care of a world."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TextIO

import click

from holdfast.repl import exits
from holdfast.repl.care import care_for
from holdfast.repl.commands import SETTINGS, examples
from holdfast.repl.console import escaped, say
from holdfast.repl.exits import Failure
from holdfast.repl.files import reason
from holdfast.repl.options import json_option, world_option
from holdfast.repl.progress import Progress
from holdfast.repl.signals import Signals

if TYPE_CHECKING:
    from holdfast.repl.care import Care, Findings

COLLECTED_CLASSES = 20
"""So many classes are listed by ``stat``, the largest first."""


@click.group(
    context_settings=SETTINGS, epilog=examples("holdfast world check", "holdfast world backup /media/stick/monday")
)
def world() -> None:
    """Check, clean, copy and measure worlds."""


def plural(number: int, noun: str) -> str:
    """``1 object``, ``2 objects``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@world.command(epilog=examples("holdfast world check", "holdfast world check --repair"))
@world_option
@json_option
@click.option("--repair", is_flag=True, help="Give up what follows a damaged spot in the log, and tell what is lost.")
@click.pass_obj
def check(signals: Signals, world: str, as_json: bool, repair: bool) -> int:
    """Verify every record and reference of a world.

    Every record must decode, and every reference lead to an object.  Exit code 1 if something is wrong.
    """
    from holdfast.vm import maintenance

    if repair:
        done = maintenance.repair(world)
        if done.lost:
            say(f"lost: checkpoints {done.lost.start} to {done.lost.stop - 1}; the world is at checkpoint {done.kept}")
        else:
            say(f"no checkpoint is lost; the world is at checkpoint {done.kept}")
    with Progress() as progress:
        found = care_for(world, signals, lambda care: care.check(progress))
    if as_json:
        _print_json(found, "disk_bytes")
    else:
        _problems(found)
        result = plural(found.problem_count, "problem") if found.problem_count else "no problems"
        objects = f"{plural(found.objects, 'object')}, {found.garbage:,} of them garbage"
        print(f"checkpoint {found.checkpoint}: {objects}; {result}")
    return exits.FAILED if found.problem_count else exits.OK


@world.command(epilog=examples("holdfast world gc"))
@world_option
@json_option
@click.pass_obj
def gc(signals: Signals, world: str, as_json: bool) -> int:
    """Delete what nothing reaches, and give its space back."""
    with Progress() as progress:
        found = care_for(world, signals, lambda care: care.collect(progress))
    if as_json:
        _print_json(found)
    else:
        _problems(found)
        if found.problem_count:
            print("nothing was deleted: where something cannot be read, what it refers to is not known")
        sources = f"{plural(found.sources, 'old version')} of files deleted; " if found.sources else ""
        objects = f"{plural(found.deleted, 'object')} deleted, {found.live:,} alive"
        print(f"{objects}; {sources}{size(found.disk_bytes)} on disk")
    return exits.FAILED if found.problem_count else exits.OK


@world.command(epilog=examples("holdfast world backup /media/stick/monday"))
@world_option
@click.argument("target", type=click.Path())
@click.pass_obj
def backup(signals: Signals, world: str, target: str) -> int:
    """Copy a world to a folder that does not exist yet."""
    number = care_for(world, signals, lambda care: care.backup(os.path.abspath(target)))
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
@click.pass_obj
def export(signals: Signals, world: str, target: str) -> int:
    """Write a world as text, to a new file.

    It has one JSON value a line.  With - as TARGET it goes to stdout.
    """
    if target == "-":
        with Progress() as progress:
            count = care_for(world, signals, lambda care: care.export(sys.stdout.write, progress))
    elif os.path.lexists(target):
        raise Failure(f"{target} exists already; give another name", exits.USAGE)
    else:
        try:
            with Progress() as progress:
                count = care_for(world, signals, lambda care: _export_file(care, target, progress))
        except OSError as error:
            raise Failure(f"cannot write {target}: {reason(error)}", exits.FAILED) from None
    say(f"{plural(count, 'line')} written")
    return exits.OK


def _export_file(care: Care, target: str, progress: Progress) -> int:
    """Write a file that is not there; it is made when the world has been opened."""
    with ExitStack() as stack:
        file: list[TextIO] = []

        def write(text: str) -> None:
            if not file:
                file.append(stack.enter_context(open(target, "x", encoding="utf-8", newline="\n")))
            file[0].write(text)

        count = care.export(write, progress)
        file[0].flush()
        os.fsync(file[0].fileno())
    return count


@world.command(name="import", epilog=examples("holdfast world import world.jsonl --world ./again"))
@world_option
@click.argument("source", type=click.Path())
def import_(world: str, source: str) -> int:
    """Make a world from a text; there must be none at its place."""
    from holdfast.vm.importing import import_world

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
@click.pass_obj
def stat(signals: Signals, world: str, as_json: bool) -> int:
    """Count the objects of a world, and measure it.

    Where a process has it open, that one's numbers come too: its threads, and what its checkpoints cost.
    """
    with Progress() as progress:
        found = care_for(world, signals, lambda care: care.measure(progress))
    if as_json:
        classes = {name: {"objects": n, "bytes": b} for name, n, b in found.classes}
        _print_json(found, "waiting", classes=classes, waiting_writes=dict(found.waiting))
        return exits.OK
    print(f"{'checkpoint':<14}{found.checkpoint:>16,}")
    for name in ("objects", "pieces"):
        print(f"{name:<14}{getattr(found, name):>16,}")
    print(f"{'records':<14}{size(found.bytes):>16}\n{'on disk':<14}{size(found.disk_bytes):>16}")
    rows = sorted(found.classes, key=lambda row: -row[2])
    for name, count, total in rows[:COLLECTED_CLASSES]:
        print(escaped(f"  {name:<30}{count:>16,}{size(total):>12}"))
    if len(rows) > COLLECTED_CLASSES:
        print(f"  … {len(rows) - COLLECTED_CLASSES} more classes")
    for folder, number in found.waiting:
        print(escaped(f"{plural(number, 'write')} for {folder}: done when that folder is granted with :rw"))
    if found.running is not None:
        _running(found.running)
    return exits.OK


def _running(found: dict[str, Any]) -> None:
    """The numbers of the process that has the world open."""
    states = ", ".join(f"{number:,} {escaped(state)}" for state, number in sorted(found["states"].items()))
    print(f"{'threads':<14}{found['threads']:>16,}  {states}".rstrip())
    print(f"{'switches':<14}{found['switches']:>16,}")
    made = found["checkpoints"]
    print(f"{'checkpoints':<14}{made['count']:>16,}  since the world was opened")
    for name in ("pause", "flush"):
        shares = ", ".join(f"{share} {made[f'{name}_{share}_ms']:.1f} ms" for share in ("p50", "p99", "max"))
        print(f"  {name:<12}{'':16}  {shares}")
    objects = ", ".join(f"{found[name]:,} {name}" for name in ("evicted", "dirty"))
    print(f"{'loaded':<14}{found['loaded']:>16,}  {objects}")


def _problems(found: Findings) -> None:
    for name, why in found.problems:
        print(escaped(f"{name}: {why}"))
    if found.problem_count > len(found.problems):
        print(f"… {found.problem_count - len(found.problems):,} more problems")


def _print_json(found: Findings, *without: str, **more: Any) -> None:
    data: dict[str, Any] = found._asdict()
    for name in ("classes", *without):
        del data[name]
    if data["running"] is None:
        del data["running"]
    data["problems"] = [{"name": name, "reason": why} for name, why in found.problems]
    print(json.dumps(data | more))


def size(number: int) -> str:
    """A number of bytes for people."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
