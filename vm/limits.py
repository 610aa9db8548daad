"""The limits of values and of single host steps.

A guest operation that runs in C cannot be preempted, so each has a bound on what it may build (memory) and on
what it may look at (time).  A limit that is met is a ``LimitError`` which names the value, the limit and the way
out; nothing is computed first and measured afterwards where the size can be known before.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from holdfast.vm.objects import Error, fail, make_error

CALL_DEPTH = 110_000
"""Calls that may be nested; CPython's Python-to-Python calls take no C stack."""

LEND_DEPTH = 1_000
"""A thread may run on the stack of one whose calls are nested less deeply: 100,000 of its own must still fit, and each
such thread takes some C stack."""

STACK_RESERVE = 200
"""Calls that the host must be able to nest where it begins what it cannot leave half done."""

INT_BITS = 1_000_000
"""Bits of an Int."""

TEXT_LENGTH = 64 * 1024 * 1024
"""Code points of a Text."""

BYTES_LENGTH = 64 * 1024 * 1024
"""Bytes of a Bytes."""

LIST_LENGTH = 50_000_000
"""Items of a List, keys of a Map or Set."""

BULK_ITEMS = 10_000_000
"""New items that one step may make out of something compact (a Range, the parts of a Text)."""

BULK_OBJECTS = 1_000_000
"""New objects that one step may make (the pairs of a Map's items)."""

SORT_ITEMS = 500_000
"""Items that one step sorts; ``sorted`` in ``prelude/list.hold`` takes several steps for a longer List."""

SORT_WEIGHT = 64 * 1024 * 1024
"""Code points, bytes or words that a sort may compare per pass before equal objects are merged first."""

COMPARE_STEPS = 5_000_000
"""Items that one sort of Lists may compare, where they are not a few scalars each."""

SUM_BITS = 100_000_000_000
"""Number of items times the bits of the largest, in the sum of a List."""

UNIQUE_COLLECTIONS = 1_000
"""Lists, Maps and Sets among which ``unique`` looks for equal ones (each is compared with each)."""

SAME_HASH = 64
"""Keys of one bulk operation that may share a hash: more is an attack, and quadratic."""

NUMBER_TEXT = 10_000
"""Characters of a Text that is converted to a Float."""

SHOW_DEPTH = 20
"""Nesting that is printed."""

SHOW_ITEMS = 1_000
"""Items that are printed of one collection."""

SHOW_CHARACTERS = 1_000_000
"""Characters that are printed of one value that is no bare Text."""

DIGITS = 400
"""Decimal digits that ``round`` and ``fixed`` take."""

BRIEF_BITS = 200
"""Bits of an Int that is written out in an error message."""

LENGTH_MAX = (1 << 62) - 1
"""Beyond every length; CPython takes counts and indices up to twice this."""


def reserve_stack() -> None:
    """Raise RecursionError unless :data:`STACK_RESERVE` more calls can be nested here."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit - STACK_RESERVE)  # CPython refuses a limit below the depth that has been reached
    sys.setrecursionlimit(limit)


def count(number: int) -> str:
    """A number as Hold writes it: ``1_000_000``.  Of one that is too long to read (CPython refuses to write more than
    4,300 digits) only its size."""
    bits = number.bit_length()
    return f"{number:_}" if bits <= BRIEF_BITS else f"at least 2 ** {bits - 1:_}"


def brief_int(number: int) -> str:
    """An Int for an error message, however large."""
    return str(number) if number.bit_length() <= BRIEF_BITS else f"an Int of {count(number.bit_length())} bits"


def too_deep() -> Error:
    """The error of calls that are nested too deeply."""
    return make_error(
        "StackError", f"calls are nested deeper than {count(CALL_DEPTH)}: end the recursion, or use a loop"
    )


def over(what: str, limit: int, way_out: str) -> NoReturn:
    """Throw the LimitError: ``what`` names the value with its size, ``way_out`` what to do instead."""
    fail("LimitError", f"{what} is over the limit of {count(limit)}: {way_out}")


def check_int(value: int) -> int:
    """The Int itself, if it is within the limit."""
    if value.bit_length() > INT_BITS:
        int_too_large(value.bit_length())
    return value


def check_product(value: int | float) -> int | float:
    """The product itself, if it is a Float or an Int within the limit."""
    return check_int(value) if type(value) is int else value


def int_too_large(bits: int) -> NoReturn:
    """The result of an arithmetic operation has too many bits."""
    over(f"an Int of {count(bits)} bits", INT_BITS, "use Float, or work modulo a number")


def check_text(length: int) -> None:
    """A Text of this length may be made."""
    if length > TEXT_LENGTH:
        over(f"a Text of {count(length)} code points", TEXT_LENGTH, "keep the parts in a List")


def check_bytes(length: int) -> None:
    """A Bytes of this length may be made."""
    if length > BYTES_LENGTH:
        over(f"a Bytes of {count(length)} bytes", BYTES_LENGTH, "keep the parts in a List")


def check_items(kind: str, length: int) -> None:
    """A collection of this length may be made."""
    if length > LIST_LENGTH:
        over(f"a {kind} of {count(length)} items", LIST_LENGTH, "split it into several")


def check_bulk(what: str, length: int) -> None:
    """One step may make this many items."""
    if length > BULK_ITEMS:
        over(f"{what} of {count(length)} items in one step", BULK_ITEMS, "take it in slices, or walk it with for")


def check_objects(what: str, length: int) -> None:
    """One step may make this many objects."""
    if length > BULK_OBJECTS:
        over(f"{what} of {count(length)} objects in one step", BULK_OBJECTS, "take it in slices, or walk it with for")
