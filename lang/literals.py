"""What literals stand for: numbers, escapes in texts and bytes.

Purpose: the lexer finds where a literal begins and ends; here its value is worked out.  A malformed one raises
:class:`LiteralError` with the offset inside the literal, which the lexer turns into a diagnostic.

Invariants
----------
* No Int literal has more than :data:`INT_BITS_MAX` bits, and the refusal costs no big arithmetic (the threat is a short
  source that keeps the compiler busy for minutes).
* A Text never holds a surrogate: the codec of the store refuses them, so no door may let one in.
"""

from __future__ import annotations

import math
import re

INT_BITS_MAX = 1_000_000
"""The largest Int, in bits; the machine has the same limit at run time."""

INT_DIGITS_MAX = 301_030
"""No decimal number with more digits than this fits :data:`INT_BITS_MAX` bits."""

INT_CHUNK_DIGITS = 4_000
"""CPython refuses to convert more than 4,300 decimal digits at once, so longer numbers are joined from chunks."""

_DECIMAL = re.compile(r"[0-9]+(?:_[0-9]+)*")
_HEX = re.compile(r"0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*")
_BINARY = re.compile(r"0[bB][01]+(?:_[01]+)*")
_FLOAT = re.compile(r"[0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?(?:[eE][+-]?[0-9]+(?:_[0-9]+)*)?")
_ESCAPE = re.compile(r'\\(?:u\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|(u\{[^{}"\n]{0,20}\}?|.)?)', re.DOTALL)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


class LiteralError(Exception):
    """A malformed literal: ``code``, ``message``, ``hint``, and where in the literal (``start``, ``end``)."""

    def __init__(self, code: str, message: str, hint: str, start: int, end: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.start = start
        self.end = end


def number_value(text: str) -> int | float:
    """The value of a number literal."""
    if text[:2] in ("0x", "0X"):
        if not _HEX.fullmatch(text):
            raise _bad_number(text, "hexadecimal digits are 0-9 and a-f, as in 0xff or 0xff_ff")
        return _based_int(text, 16, 4)
    if text[:2] in ("0b", "0B"):
        if not _BINARY.fullmatch(text):
            raise _bad_number(text, "binary digits are 0 and 1, as in 0b101")
        return _based_int(text, 2, 1)
    if _DECIMAL.fullmatch(text):
        return _decimal_int(text)
    if _FLOAT.fullmatch(text):
        value = float(text.replace("_", ""))
        if math.isinf(value):
            raise LiteralError("E0010", "number is too large for a Float", "the largest is about 1.8e308", 0, len(text))
        return value
    raise _bad_number(text, _number_hint(text))


def _number_hint(text: str) -> str:
    if text[:2] in ("0o", "0O"):
        return "there are no octal numbers; write it in decimal or as 0x…"
    if "__" in text or text.endswith("_"):
        return "'_' stands between two digits, as in 1_000"
    mantissa = re.match(r"[0-9_]*(?:\.[0-9_]*)?", text)
    rest = text[mantissa.end() :] if mantissa else text
    if rest[:1] in ("e", "E") and not rest[1:].strip("+-"):
        return "an exponent needs digits, as in 1e-9"
    if "_." in text or "._" in text or "_e" in text or "_E" in text:
        return "'_' stands between two digits, as in 1_000"
    return "a number and a name need a space or an operator between them; a name cannot begin with a digit"


def _bad_number(text: str, hint: str) -> LiteralError:
    return LiteralError("E0009", "malformed number", hint, 0, len(text))


def _too_large(text: str) -> LiteralError:
    return LiteralError(
        "E0010", "number is too large for an Int", f"an Int has at most {INT_BITS_MAX:,} bits", 0, len(text)
    )


def _based_int(text: str, base: int, bits_per_digit: int) -> int:
    digits = text[2:].replace("_", "").lstrip("0") or "0"
    if (len(digits) - 1) * bits_per_digit > INT_BITS_MAX:
        raise _too_large(text)
    value = int(digits, base)
    if value.bit_length() > INT_BITS_MAX:
        raise _too_large(text)
    return value


def _decimal_int(text: str) -> int:
    if len(text) > 1 and text[0] == "0":
        raise _bad_number(text, "a number does not begin with 0; there are no octal numbers")
    digits = text.replace("_", "")
    if len(digits) <= INT_CHUNK_DIGITS:
        return int(digits)
    if len(digits) > INT_DIGITS_MAX:
        raise _too_large(text)
    value = _join_decimal(digits)
    if value.bit_length() > INT_BITS_MAX:
        raise _too_large(text)
    return value


def _join_decimal(digits: str) -> int:
    """Decimal digits of any number to an int: neighbouring chunks are joined pairwise, so the work stays low."""
    head = len(digits) % INT_CHUNK_DIGITS
    pieces = [int(digits[:head])] if head else []
    pieces += [int(digits[at : at + INT_CHUNK_DIGITS]) for at in range(head, len(digits), INT_CHUNK_DIGITS)]
    scale: int = 10**INT_CHUNK_DIGITS
    while len(pieces) > 1:
        if len(pieces) % 2:
            pieces.insert(0, 0)
        pieces = [pieces[at] * scale + pieces[at + 1] for at in range(0, len(pieces), 2)]
        scale *= scale
    return pieces[0]


def escape_value(text: str, position: int, *, in_bytes: bool) -> tuple[str, int]:
    """The character that the escape at ``position`` stands for, and where the escape ends."""
    match = _ESCAPE.match(text, position)
    if match is None:
        raise ValueError("no escape at this position")
    code_point, byte, simple = match.groups()
    end = match.end()
    if simple is not None:
        value = _SIMPLE_ESCAPES.get(simple)
        if value is None:
            raise LiteralError("E0007", "unknown escape in a text", _escape_hint(simple[0], in_bytes), position, end)
        return value, end
    if byte is not None:
        if not in_bytes:
            hint = f'write \\u{{{byte}}}; \\x is for bytes, as in b"\\x00"'
            raise LiteralError("E0007", "\\x escape in a text", hint, position, end)
        return chr(int(byte, 16)), end
    if code_point is not None:
        return _code_point(code_point, position, end, in_bytes), end
    raise LiteralError("E0007", "backslash at the end", "write \\\\ for a backslash", position, end)


def _code_point(digits: str, start: int, end: int, in_bytes: bool) -> str:
    number = int(digits, 16)
    if in_bytes:
        raise LiteralError("E0007", "\\u escape in bytes", "bytes are written \\x00 to \\xff", start, end)
    if number > 0x10FFFF:
        raise LiteralError("E0007", "no such code point", "the last one is \\u{10FFFF}", start, end)
    if 0xD800 <= number <= 0xDFFF:
        hint = "a surrogate is half a character; write the whole one, as in \\u{1F600}"
        raise LiteralError("E0007", "surrogate in a text", hint, start, end)
    return chr(number)


def _escape_hint(character: str, in_bytes: bool) -> str:
    if character == "u" and not in_bytes:
        return "write a code point as \\u{1F600}: one to six hexadecimal digits in braces"
    if character == "x":
        return "write \\x and two hexadecimal digits, as in \\x0a" if in_bytes else "write \\u{0A}"
    if character in "{}" and not in_bytes:
        return f"write {character * 2} for a brace"
    if character == "0":
        return "write \\x00" if in_bytes else "write \\u{0}"
    known = '\\n \\t \\r \\" \\\\'
    return f"known escapes: {known} " + ("\\x00" if in_bytes else "\\u{…}") + "; write \\\\ for a backslash"
