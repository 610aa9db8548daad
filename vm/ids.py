"""Object ids, class numbers and KIDs.

An id is a positive 64-bit integer: the class number in the high 24 bits, a serial number (from 1) in the low 40.
So a reference tells the class of what it refers to without a read, and the instances of one class are one key
range.  Ids are never reused.  The numbers of built-in classes are in every store and must never change.
"""

from __future__ import annotations

SERIAL_BITS = 40
SERIAL_MASK = (1 << SERIAL_BITS) - 1
CLASS_MAX = (1 << 23) - 1  # ids stay positive as signed 64-bit integers

LIST, MAP, SET, BOX, FUNCTION, THREAD, MODULE, SESSION = 1, 2, 3, 4, 5, 6, 7, 8
CAPABILITY, DOMAIN, REVOKER, DEVICE_DIR, DEVICE_READER, MESSAGE, TEXT = 9, 10, 11, 12, 13, 14, 15
ERROR_FIRST, ERROR_LAST = 16, 47
ERRORS = range(ERROR_FIRST, ERROR_LAST + 1)
CONSOLE, REVOCABLE = 48, 49
DEVICE_CLOCK, DEVICE_RANDOM, DEVICE_ENV, DEVICE_CONSOLE = 50, 51, 52, 53
USER_FIRST = 256
"""The first class number given to a class written in Hold."""


def make_id(class_number: int, serial: int) -> int:
    """The id of the serial-th instance of a class."""
    return class_number << SERIAL_BITS | serial


def class_of(oid: int) -> int:
    """The class number in an id."""
    return oid >> SERIAL_BITS


def serial_of(oid: int) -> int:
    """The serial number in an id."""
    return oid & SERIAL_MASK


def kid(oid: int) -> str:
    """The printed name of anything: ``K-`` and hexadecimal digits."""
    return f"K-{oid:x}"


KID_MAX = 18
"""Characters of the longest one."""


def parse_kid(text: str) -> int:
    """The id that a KID names.

    Raises ValueError when the text is none.
    """
    if not text.startswith("K-") or not 3 <= len(text) <= KID_MAX:
        raise ValueError(text)
    return int(text[2:], 16)
