"""Writing JSON, in steps, with an explicit stack.

State between steps: a List ``[nil, outermost frame, …, innermost frame]``; at first ``[value]``.  A frame is a List
``[container, index]``, or ``[container, index, keys]`` for a Map, whose keys were taken when it was begun.
"""

from __future__ import annotations

import json.encoder
from collections.abc import Callable
from math import isfinite
from typing import Any, NoReturn

from holdfast.vm import bigint, limits
from holdfast.vm.library import takes
from holdfast.vm.methods.arguments import need_count
from holdfast.vm.objects import ListBase, MapBase, fail, kind_name
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief

DEPTH_MAX = 500
"""Lists and Maps inside each other: what can be read again."""
STEP_VALUES = 10_000
"""Values that one step writes, about."""
WORK_SHIFT = 6
"""A text of ``2 ** WORK_SHIFT`` characters counts like a value more."""
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

    __slots__ = ("container", "index", "kept", "keys", "written")

    def __init__(self, container: Any, index: int, keys: list[str] | None, kept: Any = None) -> None:
        self.container = container
        self.index = index
        self.keys = keys
        self.kept = kept
        """The keys as a List of the world, when a step has ended inside this Map."""
        self.written = index > 0


class Writer:
    """One step of the writer."""

    def __init__(self, runtime: Runtime, state: Any, indent: Any, sort_keys: bool) -> None:
        self.runtime = runtime
        self.state = state
        self.sort_keys = sort_keys
        self.parts: list[str] = []
        self.stack: list[_Frame] = []
        self.open: set[int] = set()
        """The ids of the containers on the stack: one that is met again contains itself."""
        self.left = STEP_VALUES
        self.indent = _indent(indent)
        self.colon = ": " if self.indent else ":"

    def step(self, out: Any) -> bool:
        """Write about STEP_VALUES more; False at the end."""
        first, *saved = self.state.v
        if saved:
            for frame in saved:
                container, index, *keys = frame.v
                self.push(_Frame(container, index, list(keys[0].v) if keys else None, keys[0] if keys else None))
        else:
            self.value(first)
        while self.stack and self.left > 0:
            frame = self.stack[-1]
            self.items(frame) if frame.keys is None else self.entries(frame, frame.keys)
        heap = self.runtime.heap
        for target in (self.state, out):
            if target._t is not heap.token:
                heap.barrier(target)
        out.v.append("".join(self.parts))
        self.state.v[:] = [None, *map(self.kept, self.stack)]
        return bool(self.stack)

    def kept(self, frame: _Frame) -> Any:
        """A frame as a value of the world."""
        new_list = self.runtime.new_list
        if frame.keys is None:
            return new_list([frame.container, frame.index])
        kept = frame.kept if frame.kept is not None else new_list(frame.keys)
        return new_list([frame.container, frame.index, kept])

    # ------------------------------------------------------------------ values

    def value(self, value: Any) -> None:
        """Write a scalar, or begin with a container."""
        scalar = _SCALARS.get(type(value))
        if scalar is not None:
            self.parts.append(scalar(value))
            return
        value = self.runtime.readable(value)
        if isinstance(value, ListBase):
            self.parts.append("[")
            self.push(_Frame(value, 0, None))
        elif isinstance(value, MapBase):
            self.parts.append("{")
            self.push(_Frame(value, 0, self.keys(value)))
        else:
            _no_form(value)

    def push(self, frame: _Frame) -> None:
        """Go into a container."""
        if id(frame.container) in self.open:
            fail("ValueError", f"JSON has no form for a {kind_name(frame.container)} that contains itself")
        if len(self.stack) >= DEPTH_MAX:
            fail("ValueError", f"JSON is written up to a depth of {DEPTH_MAX} Lists and Maps inside each other")
        self.open.add(id(frame.container))
        self.stack.append(frame)

    def pop(self, bracket: str, filled: bool) -> None:
        """The container is complete."""
        self.open.discard(id(self.stack.pop().container))
        self.parts.append((self.line(len(self.stack)) if filled else "") + bracket)

    def line(self, depth: int) -> str:
        """A new line, if lines are wanted."""
        return "\n" + self.indent * depth if self.indent else ""

    def keys(self, value: Any) -> list[str]:
        """The keys of a Map, all Texts."""
        keys = list(value.v)
        if set(map(type, keys)) - {str}:
            wrong = next(key for key in keys if type(key) is not str)
            fail("TypeError", f"JSON has Texts as keys only, not {brief(wrong)}: convert it with Text(key)")
        if self.sort_keys:
            if len(keys) > limits.SORT_ITEMS:
                limits.over(
                    f"sorting {limits.count(len(keys))} keys in one step", limits.SORT_ITEMS, "leave out sort_keys"
                )
            keys.sort()
        return keys

    def items(self, frame: _Frame) -> None:
        """Write items of a List up to its end, the next container in it, or the end of the step."""
        raw, parts, separator = frame.container.v, self.parts, "," + self.line(len(self.stack))
        while frame.index < len(raw) and self.left > 0:
            item = raw[frame.index]
            parts.append(separator if frame.index else separator[1:])
            frame.index += 1
            self.left -= 1
            scalar = _SCALARS.get(type(item))
            if scalar is None:
                self.value(item)
                return
            text = scalar(item)
            parts.append(text)
            self.left -= len(text) >> WORK_SHIFT
        if frame.index >= len(raw):
            self.pop("]", frame.index > 0)

    def entries(self, frame: _Frame, keys: list[str]) -> None:
        """Write entries of a Map, likewise; a key that was removed since the last step is left out."""
        raw, parts, separator, colon = frame.container.v, self.parts, "," + self.line(len(self.stack)), self.colon
        while frame.index < len(keys) and self.left > 0:
            key = keys[frame.index]
            frame.index += 1
            self.left -= 1
            item = raw.get(key, _GONE)
            if item is _GONE:
                continue
            parts.append(f"{separator if frame.written else separator[1:]}{_quoted(key)}{colon}")
            frame.written = True
            scalar = _SCALARS.get(type(item))
            if scalar is None:
                self.value(item)
                return
            text = scalar(item)
            parts.append(text)
            self.left -= len(text) >> WORK_SHIFT
        if frame.index >= len(keys):
            self.pop("}", frame.written)


_GONE = object()


def _indent(value: Any) -> str:
    """What each level is indented by."""
    if value is None:
        return ""
    indent = value if type(value) is str else " " * min(need_count("json.stringify", value), INDENT_MAX + 1)
    if len(indent) > INDENT_MAX or indent.strip(" \t"):
        fail("ValueError", f"the indentation must be up to {INDENT_MAX} spaces or tabs, not {brief(value)}")
    return indent


def _no_form(value: Any) -> NoReturn:
    """Throw: there is no such value in JSON."""
    name = kind_name(value)
    way_out = {"Set": "write List(x)", "Range": "write List(x)", "Bytes": "write x.hex()"}.get(name)
    fail("TypeError", f"JSON has no form for a value of {name}: {way_out or 'give a Map of what should be kept'}")
