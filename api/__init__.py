"""Holdfast from Python: open a world, run programs that nobody fully trusts in it, and look at what they left.

::

    import holdfast

    with holdfast.World("shop") as world:
        world.root["inbox"] = []
        done = world.run(source, grants={"out": world.root["inbox"].only("rw")}, budget={"cpu_ms": 500})
        print(done.output, done.stopped)

See :mod:`holdfast.embedding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.embedding import Error, Function, Reference, Result, World

__all__ = ["Error", "Function", "Reference", "Result", "World"]


def __getattr__(name: str) -> Any:
    """Loaded when it is first asked for, so that the command line does not pay for it."""
    if name not in __all__:
        raise AttributeError(f"module 'holdfast' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("holdfast.embedding"), name)
