"""Text: what needs the tables of Unicode, and encodings."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import unicodedata
import urllib.parse
import zlib
from collections.abc import Callable
from typing import Any

from holdfast.vm import limits
from holdfast.vm.library import takes
from holdfast.vm.methods.arguments import need_bytes, need_text
from holdfast.vm.objects import fail
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief

STEP_CHARACTERS = 250_000
"""Characters that one call takes, where it looks at each."""
ESCAPE_CHARACTERS = 4_000_000
"""Characters that are escaped in one call."""
DIGEST_BYTES = 16 * 1024 * 1024
"""Bytes that are hashed in one call."""
MARKS_MAX = 100
"""Marks on one letter: CPython sorts them in quadratic time when it normalises."""
_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_HASHES = ("sha256", "sha512", "sha1", "md5", "blake2b")


def functions(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The functions of one world."""
    unicode = (text_width, text_normalize, text_fold, text_without_marks)
    encodings = (base64_encode, base64_decode, hex_decode, url_encode, url_decode, html_escape, digest, crc32)
    return {function.__name__: function for function in (*unicode, *encodings)}


def _bounded(where: str, value: Any, limit: int = STEP_CHARACTERS) -> Any:
    """A Text that is not too long for one call."""
    text = need_text(where, value)
    if len(text) > limit:
        limits.over(f"{where} of {limits.count(len(text))} characters", limit, "do it in parts")
    return text


# --------------------------------------------------------------------------- Unicode


@takes(text="")
def text_width(text: Any) -> int:
    """The columns that a text takes in a terminal."""
    value: str = _bounded("text.width", text)
    if value.isascii():
        return len(value)
    width = 0
    for character in value:
        if not unicodedata.combining(character) and unicodedata.category(character) not in ("Cf", "Mn", "Me"):
            width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return width


def _few_marks(where: str, value: Any) -> str:
    """A text that can be normalised in one call."""
    text: str = _bounded(where, value)
    run = 0
    for character in "" if text.isascii() else text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > MARKS_MAX:
            limits.over(f"{where} of a letter with more marks", MARKS_MAX, "this is no text of any language")
    return text


@takes(text="", form="")
def text_normalize(text: Any, form: Any) -> str:
    """One of the normal forms of Unicode."""
    value = _few_marks("text.normalize", text)
    if form not in _FORMS:
        fail("ValueError", f"{brief(form)} is no normal form: use {', '.join(_FORMS)}")
    return unicodedata.normalize(form, value)


@takes(text="")
def text_fold(text: Any) -> str:
    """Folded for comparison."""
    return _bounded("text.fold", text).casefold()  # type: ignore[no-any-return]


@takes(text="")
def text_without_marks(text: Any) -> str:
    """Without combining marks."""
    apart = unicodedata.normalize("NFD", _few_marks("text.without_marks", text))
    return unicodedata.normalize("NFC", "".join([c for c in apart if not unicodedata.combining(c)]))


# --------------------------------------------------------------------------- encodings


@takes(data="", url="")
def base64_encode(data: Any, url: Any) -> str:
    """Base64 as Text."""
    value = need_bytes("encoding.base64", data)
    limits.check_text(len(value) * 4 // 3 + 4)
    encoded = base64.urlsafe_b64encode(value).rstrip(b"=") if url is True else base64.b64encode(value)
    return encoded.decode("ascii")


@takes(text="")
def base64_decode(text: Any) -> bytes:
    """Bytes from base64 of either alphabet, with or without padding."""
    value = need_text("encoding.from_base64", text).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        pass
    fail("ValueError", f"{brief(text)} is no base64")


@takes(text="")
def hex_decode(text: Any) -> bytes:
    """Bytes from hexadecimal digits."""
    value = need_text("encoding.from_hex", text)
    try:
        return binascii.unhexlify(value)
    except ValueError:
        pass
    fail("ValueError", f"{brief(text)} is no Text of pairs of hexadecimal digits")


@takes(text="", safe="")
def url_encode(text: Any, safe: Any) -> str:
    """Percent encoding."""
    value = _bounded("encoding.url", text)
    return urllib.parse.quote(value, safe=need_text("encoding.url", safe))


@takes(text="", plus="")
def url_decode(text: Any, plus: Any) -> str:
    """Percent decoding; the bytes must be UTF-8."""
    value = _bounded("encoding.from_url", text)
    try:
        return urllib.parse.unquote(value.replace("+", " ") if plus is True else value, errors="strict")
    except UnicodeDecodeError:
        pass
    fail("ValueError", f"{brief(text)} does not encode a Text in UTF-8")


@takes(text="")
def html_escape(text: Any) -> str:
    """With the characters that have a meaning in HTML replaced."""
    return html.escape(_bounded("encoding.html", text, ESCAPE_CHARACTERS))


@takes(data="", kind="")
def digest(data: Any, kind: Any) -> bytes:
    """A hash of Bytes."""
    value = need_bytes("encoding.digest", data)
    if len(value) > DIGEST_BYTES:
        limits.over(f"hashing {limits.count(len(value))} bytes in one step", DIGEST_BYTES, "hash the hashes of parts")
    if kind not in _HASHES:
        fail("ValueError", f"{brief(kind)} is no hash: use {', '.join(_HASHES)}")
    return hashlib.new(kind, value, usedforsecurity=False).digest()


@takes(data="")
def crc32(data: Any) -> int:
    """The checksum of zip files."""
    return zlib.crc32(need_bytes("encoding.crc32", data))
