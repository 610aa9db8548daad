"""Writing JSON, in steps, with an explicit stack.

State between steps: a List of frames, outermost first; a frame is a List ``[container, index]``, or
``[container, index, keys]`` for a Map, whose keys were taken when it was begun.  At first the state is one List
``[value]``.
"""

from __future__ import annotations

import json.encoder
from collections.abc import Callable
from math import isfinite
from typing import Any, NoReturn

from holdfast.vm import bigint, limits
from holdfast.vm.methods.arguments import need_int, need_text, takes
from holdfast.vm.objects import ListBase, MapBase, fail, kind_name
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief

DEPTH_MAX = 500
"""Lists and Maps inside each other: what can be read again."""
STEP_VALUES = 20_000
"""Values that one step writes, about."""
INDENT_MAX = 16
"""Spaces of indentation for each level."""

_quoted: Callable[[str], str] = json.encoder.c_encode_basestring  # type: ignore[attr-defined]


def _float(value: float) -> str:
    if not isfinite(value):
        fail("ValueError", f"JSON has no form for the Float {value}: write nil for it")
    return repr(value)


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: bigint.to_decimal,
    float: _float,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
}


def functions(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The writer of one world."""

    @takes(state="rw", out="rw", indent="", sort_keys="")
    def json_write(state: Any, out: Any, indent: Any, sort_keys: Any) -> bool:
        """Write on, into the List of parts; True while there is more to write."""
        return Writer(runtime, state, indent, sort_keys is not None and sort_keys is not False).step(out)

    return {"json_write": json_write}


class _Frame:
    """A container that is being written."""

    __slots__ = ("container", "index", "keys", "kept")

    def __init__(self, container: Any, index: int, keys: list[str] | None, kept: Any = None) -> None:
        self.container = container
        self.index = index
        self.keys = keys
        self.kept = kept
        """The keys as a List of the world, when a step has ended inside this Map."""


class Writer:
    """One step of the writer."""

    def __init__(self, runtime: Runtime, state: Any, indent: Any, sort_keys: bool) -> None:
        self.runtime = runtime
        self.state = state
        self.sort_keys = sort_keys
        self.parts: list[str] = []
        self.indent = ""
        if type(indent) is str:
            self.indent = indent
        elif indent is not None:
            self.indent = " " * need_int("json.stringify", indent)
        if len(self.indent) > INDENT_MAX or self.indent.strip(" \t"):
            fail("ValueError", f"the indentation must be up to {INDENT_MAX} spaces or tabs, not {brief(indent)}")
        self.colon = ": " if self.indent else ":"

    def step(self, out: Any) -> bool:
        """Write about STEP_VALUES more; False at the end."""
        stack = self.begin()
        left = STEP_VALUES
        while stack and left > 0:
            left = self.fill(stack, left)
        heap = self.runtime.heap
        for target in (self.state, out):
            if target._t is not heap.token:
                heap.barrier(target)
        out.v.append("".join(self.parts))
        self.state.v[:] = [self.kept(frame) for frame in stack]
        return bool(stack)

    def begin(self) -> list[_Frame]:
        """The frames as the last step left them."""
        stack: list[_Frame] = []
        for number, saved in enumerate(list(self.state.v)):
            if number == 0 and not isinstance(saved, ListBase):
                self.root(saved, stack)
                continue
            raw = saved.v
            if number == 0 and len(raw) == 1:
                self.root(raw[0], stack)
            else:
                stack.append(_Frame(raw[0], raw[1], raw[2].v if len(raw) == 3 else None, raw[2] if len(raw) == 3 else None))
        return stack

    def root(self, value: Any, stack: list[_Frame]) -> None:
        """Begin with the value itself."""
        self.value(value, stack)

    def kept(self, frame: _Frame) -> Any:
        """A frame as a value of the world."""
        if frame.keys is None:
            return self.runtime.new_list([frame.container, frame.index])
        kept = frame.kept if frame.kept is not None else self.runtime.new_list(frame.keys)
        return self.runtime.new_list([frame.container, frame.index, kept])
