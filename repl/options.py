"""Options that several commands share, and their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from holdfast.repl.exits import Failure
from holdfast.repl.grants import parse_grants
from holdfast.repl.local import Options

F = TypeVar("F", bound=Callable[..., Any])

WORLD_VARIABLE = "HOLDFAST_WORLD"
WORLD_DEFAULT = ".holdfast"

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
MEMORY_MIN = 1 << 20


class Size(click.ParamType[int]):
    """A number of bytes: ``512M``, ``2G``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        found = _SIZE.fullmatch(str(value).strip())
        size = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
        if size < MEMORY_MIN:
            self.fail(f"{value!r} is no size of memory: write 512M or 2G (at least 1M)", param, ctx)
        return size


def world_option(command: F) -> F:
    """``--world``."""
    return click.option(
        "--world",
        "-w",
        metavar="DIR",
        envvar=WORLD_VARIABLE,
        default=WORLD_DEFAULT,
        type=click.Path(),
        help=f"The folder of the world.  [default: ${WORLD_VARIABLE}, else {WORLD_DEFAULT}]",
    )(command)


def opening_options(command: F) -> F:
    """``--world`` and how to open it."""
    for option in (
        click.option(
            "--grant",
            "grants",
            metavar="NAME=dir:PATH:r|rw",
            multiple=True,
            help="Let programs read (r), or read and write (rw), a folder, as caps.NAME.  May be given several times.",
        ),
        click.option(
            "--memory", type=Size(), metavar="SIZE", help="Keep objects in memory up to this size (512M, 2G)."
        ),
        click.option(
            "--durability",
            type=click.Choice(["power", "process"]),
            default="power",
            show_default=True,
            help="What an acknowledged change survives: a power cut, or only the end of the process (faster).",
        ),
    ):
        command = option(command)
    return world_option(command)


def json_option(command: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON, for scripts.")(command)


def opening(world: str, durability: str, memory: int | None, grants: tuple[str, ...]) -> Options:
    """The options as one value.

    Raises Failure.
    """
    try:
        parsed = parse_grants(grants)
    except ValueError as error:
        raise Failure(str(error)) from None
    return Options(world, "process" if durability == "process" else "power", memory, parsed)
