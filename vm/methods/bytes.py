"""Methods of Bytes: immutable; an item is an Int from 0 to 255."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.vm import limits
from holdfast.vm.methods.arguments import cut, items_of, need_bytes, need_count, needs, table
from holdfast.vm.objects import fail, kind_name
from holdfast.vm.ops import bounds
from holdfast.vm.runtime import Runtime


def text(self: bytes) -> str:
    """The Text of which this is the UTF-8 encoding; a ValueError if it is none.

    > b"f\\xc3\\xbcr".text() == "für"
    """
    try:
        return self.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
    fail("ValueError", f"this is no UTF-8: the byte 0x{self[at]:02x} at index {at} does not fit")


def hex_(self: bytes) -> str:
    """Two hexadecimal digits for each byte.

    > b"\\x00\\xff".hex() == "00ff"
    """
    limits.check_text(2 * len(self))
    return self.hex()


def len_(self: bytes) -> int:
    """The number of bytes, as ``len(bytes)``.

    > b"abc".len() == 3
    """
    return len(self)


def is_empty(self: bytes) -> bool:
    """Whether there is no byte.

    > b"".is_empty() == true
    """
    return not self


def slice(self: bytes, start: Any = 0, end: Any = None) -> bytes:
    """The part from ``start`` to before ``end``; negative ones count from the end, those outside are cut.

    > b"abcd".slice(1, -1) == b"bc"
    """
    low, high = bounds(start, end, closed=False)
    return self[low:high]


def first(self: bytes) -> int | None:
    """The first byte, nil if there is none.

    > b"abc".first() == 97
    """
    return self[0] if self else None


def last(self: bytes) -> int | None:
    """The last byte, nil if there is none.

    > b"abc".last() == 99
    """
    return self[-1] if self else None


def reversed_(self: bytes) -> bytes:
    """The bytes in reverse order.

    > b"abc".reversed() == b"cba"
    """
    return self[::-1]


def repeat(self: bytes, count: Any) -> bytes:
    """The Bytes ``count`` times.

    > b"ab".repeat(2) == b"abab"
    """
    number = need_count("Bytes.repeat", count)
    limits.check_bytes(len(self) * number)
    return self * number if self else b""


def contains(self: bytes, sub: Any) -> bool:
    """Whether ``sub`` is somewhere in it.

    > b"abc".contains(b"bc") == true
    """
    return need_bytes("Bytes.contains", sub) in self


def starts_with(self: bytes, prefix: Any) -> bool:
    """Whether it starts with ``prefix``.

    > b"abc".starts_with(b"ab") == true
    """
    return self.startswith(need_bytes("Bytes.starts_with", prefix))


def ends_with(self: bytes, suffix: Any) -> bool:
    """Whether it ends with ``suffix``.

    > b"abc".ends_with(b"bc") == true
    """
    return self.endswith(need_bytes("Bytes.ends_with", suffix))


def index(self: bytes, sub: Any, default: Any = None) -> Any:
    """Where ``sub`` is found first; ``default`` if nowhere.

    > b"abcbc".index(b"bc") == 1
    """
    at = self.find(need_bytes("Bytes.index", sub))
    return at if at >= 0 else default


def count(self: bytes, sub: Any) -> int:
    """How often ``sub`` is in it, without overlaps.

    > b"abcbc".count(b"bc") == 2
    """
    return self.count(need_bytes("Bytes.count", sub))


def replace(self: bytes, old: Any, new: Any) -> bytes:
    """With each ``old`` replaced by ``new``.

    > b"a-b".replace(b"-", b"") == b"ab"
    """
    old, new = need_bytes("Bytes.replace", old), need_bytes("Bytes.replace", new)
    limits.check_bytes(len(self) + self.count(old) * (len(new) - len(old)))
    return self.replace(old, new)


def join(self: bytes, items: Any) -> bytes:
    """The Bytes of a collection with these between them.

    > b",".join([b"a", b"b"]) == b"a,b"
    """
    parts = items_of("Bytes.join", items)
    for part in parts:
        if type(part) is not bytes:
            fail("TypeError", f"Bytes.join needs Bytes as items, not {kind_name(part)}: convert with Bytes(x)")
    limits.check_bytes(sum(map(len, parts)) + len(self) * max(0, len(parts) - 1))
    return self.join(parts)


PURE = table(
    text, hex_, len_, is_empty, slice, first, last, reversed_, repeat, contains, starts_with, ends_with, index, count,
    replace, needs("r", items="r")(join),
)  # fmt: skip


def methods(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """All methods of Bytes in one world."""
    new_list = runtime.new_list

    def list_(self: bytes) -> Any:
        """The bytes as a List of Ints.

        > b"ab".list() == [97, 98]
        """
        limits.check_bulk("a Bytes", len(self))
        return new_list(list(self))

    def split(self: bytes, sep: Any, max: Any = None) -> Any:
        """The parts between ``sep``, at most ``max`` of them.

        > b"a,b".split(b",") == [b"a", b"b"]
        """
        sep = need_bytes("Bytes.split", sep)
        splits = -1 if max is None else cut(need_count("Bytes.split", max)) - 1
        if not sep or (max is not None and splits < 0):
            fail("ValueError", "Bytes.split needs at least one byte to split at, and max of at least 1")
        if splits < 0 or splits > limits.BULK_ITEMS:
            limits.check_bulk("the parts of a Bytes", self.count(sep) + 1)
        return new_list(self.split(sep, splits))

    return PURE | table(list_, split)
