"""The standard library: modules in Hold (``*.hold`` here), and host functions for what Hold cannot do fast enough.

Give :func:`library` to :meth:`holdfast.vm.world.World.open`; programs then ``import "std/json" as json``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from holdfast.vm.library import PREFIX, Library
from holdfast.vm.runtime import Runtime

FOLDER = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
"""Longer ones are no names of files everywhere."""


def library() -> Library:
    """The standard library, for a world."""
    return Library(module_text, host_functions)


def module_names() -> list[str]:
    """The names of all modules: ``std/csv``, ``std/iter``, …"""
    return [PREFIX + file.stem for file in sorted(FOLDER.glob("*.hold"))]


def module_text(name: str) -> str | None:
    """The source of a module, None when there is none of this name."""
    stem = name.removeprefix(PREFIX)
    file = FOLDER / f"{stem}.hold"
    if _NAME.fullmatch(stem) is None or not file.is_file():
        return None
    return file.read_text("utf-8")


def host_functions(runtime: Runtime) -> Mapping[str, Callable[..., Any]]:
    """The host functions, which only these modules can name; all names begin with ``host_``."""
    from holdfast.stdlib import host  # with a world, not with the package: commands that open none start faster

    return host.functions(runtime)
