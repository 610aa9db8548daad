"""Colours of Hold source, for everything that shows it: the prompt, values, errors.

There is one lexer.  Here its kinds of tokens become the colours of a terminal, as SGR codes for plain output and as
class names for prompt_toolkit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TextIO

from holdfast.lang.lexer import tokens
from holdfast.lang.tokens import STYLES, style

LENGTH_MAX = 20_000
"""Longer texts are left without colours: reading them at each key would be felt."""

SGR = {
    "keyword": "35",
    "name": "",
    "number": "36",
    "text": "32",
    "comment": "90",
    "operator": "",
    "bracket": "",
    "error": "31",
}
"""Style to the terminal's code; "" for the terminal's own colour."""

PROMPT = {
    "keyword": "ansimagenta",
    "name": "",
    "number": "ansicyan",
    "text": "ansigreen",
    "comment": "ansibrightblack",
    "operator": "",
    "bracket": "",
    "error": "ansired",
}
"""Style to prompt_toolkit's name of the same colour."""

BOLD, RED, DIM = "1", "31", "90"

_CODE = re.compile(r"^error\[E\d+\]", re.MULTILINE)
_CARETS = re.compile(r"^( +\| *)(\^.*)$", re.MULTILINE)
"""A line of source has its number in front of the bar."""


def wanted(stream: TextIO) -> bool:
    """Whether colours may be written to the stream: a terminal, and nobody said no (``NO_COLOR``)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, code: str, on: bool = True) -> str:
    """The text in a colour."""
    return f"\x1b[{code}m{text}\x1b[0m" if on and code else text


def spans(text: str) -> Iterator[tuple[str, str]]:
    """The text as (style, piece): all of it, in order; what stands between tokens has the style ""."""
    if len(text) > LENGTH_MAX:
        yield "", text
        return
    position = 0
    for piece in tokens(text):
        if piece.start > position:
            yield "", text[position : piece.start]
        if piece.start >= position:
            yield style(piece.kind), piece.text
            position = piece.end
    if position < len(text):
        yield "", text[position:]


def source(text: str, on: bool = True) -> str:
    """Source, or a value as it is written in source, with its colours."""
    if not on:
        return text
    return "".join(paint(piece, SGR.get(name, "")) for name, piece in spans(text))


def diagnostics(text: str, on: bool = True) -> str:
    """What the compiler said, with its colours: the code, and the carets with the hint."""
    if not on:
        return text
    text = _CODE.sub(lambda found: paint(found[0], RED), text)
    return _CARETS.sub(lambda found: found[1] + paint(found[2], RED), text)


assert set(SGR) == set(PROMPT) == set(STYLES)
