"""What host functions need of the world that they work for.

Methods and operators that write a collection, or make one, get a :class:`Runtime`; everything else is a plain
function of its arguments.  So host functions hold no global state, and two worlds in one process never meet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Heap(Protocol):
    """The part of the world's heap that writers use.

    A writer runs ``if obj._t is not heap.token: heap.barrier(obj)`` before it mutates ``obj``: the barrier loads a
    ghost, keeps the pre-image for a checkpoint or an ``atomic``, and marks the object as changed.
    """

    @property
    def token(self) -> object:
        """The current epoch token."""

    def barrier(self, obj: Any) -> None:
        """Prepare the object for being written."""


class Runtime(Protocol):
    """A world, as host functions see it."""

    @property
    def heap(self) -> Heap:
        """The heap: its token and its write barrier."""

    def readable(self, value: Any) -> Any:
        """A collection as it may be read by whom a host function works for; any other value as it is."""

    def opened(self, value: Any) -> tuple[Any, Callable[[Any], Any]]:
        """An object, and what its parts are to whom a host function works for."""

    def new_list(self, raw: list[Any]) -> Any:
        """A new List object around the raw list, which the caller gives away."""

    def new_map(self, raw: dict[Any, Any]) -> Any:
        """A new Map object around the raw dict, which the caller gives away."""

    def new_set(self, raw: dict[Any, None]) -> Any:
        """A new Set object around the raw dict, which the caller gives away."""
