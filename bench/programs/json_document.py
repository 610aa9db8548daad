"""The document that the Json program parses, and its form as a Hold module.

It has the shape of the suite's own document: one line of 25 to 26 thousand characters, a ``head`` and 156
``operations``, most of them the rows of a table.  ``python -m bench.programs.json_document`` writes
``json_document.hold`` anew; with the published Python side, the harness writes one with the published document, so
that both sides parse the same text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.programs.som import Random

ROWS = 118
LITERAL_LENGTH = 108
PART_LINES = 16
PART_NAMES = 8
SYLLABLES = ("al", "bla", "cor", "da", "fu", "gi", "lam", "mo", "nor", "pel", "ri", "sac", "tho", "ul", "va", "zo")
GROUPS = ("Brown alga", "Red alga", "Green alga", "Seagrass", "Kelp, deep water", "Drifting")
EVENTS = ("Selection", "DefaultSelection", "MouseDown", "MouseUp", "KeyDown", "Modify")


def name(random: Random) -> str:
    """A made-up name of three syllables."""
    return "".join(SYLLABLES[random.next() // 16 % len(SYLLABLES)] for _ in range(3)).capitalize()


def row(number: int, random: Random) -> list[Any]:
    """The operation that makes one row of the table."""
    group = random.next() % len(GROUPS)
    colour = [238 - 9 * group, 203 + 7 * group, 79 + 19 * group, 255]
    full = name(random)
    texts = [str(number + 1), full[:3], full, GROUPS[group], str(group + 1), str(random.next() % 7 + 1)]
    return [
        "create",
        f"h{number + 108}",
        "holdfast.ui.TableRow",
        {"parent": "h99", "index": number, "texts": texts, "cellBackgrounds": [None, None, None, colour, None, None]},
    ]


def listen(target: str, random: Random) -> list[Any]:
    """The operation that asks for some events."""
    first = random.next() % 3
    return ["listen", target, dict.fromkeys(EVENTS[first : first + 1 + random.next() % 3], True)]


def panel(number: int, random: Random) -> list[Any]:
    """The operation that makes one panel, with numbers, names and truth values."""
    place = [random.next() % 1000, random.next() % 600, random.next() % 1000, random.next() % 600]
    fields = {"parent": f"h{number - 1}", "style": ["BORDER", "SINGLE"], "bounds": place, "tabIndex": -1}
    if number % 2:
        fields |= {"activeKeys": ["CTRL+#70", "CTRL+#78", "#13", "#27"], "markupEnabled": False, "text": name(random)}
    return ["create", f"h{number}", "holdfast.ui.Panel", fields]


def build() -> str:
    """The document, on one line and without spaces between its tokens."""
    random = Random()
    operations: list[list[Any]] = [["destroy", "h54"], ["set", "h2", {"activeControl": "h99"}]]
    for number in range(90, 108):
        operations.append(panel(number, random))
        operations.append(listen(f"h{number}", random))
    operations.extend(row(number, random) for number in range(ROWS))
    return json.dumps({"head": {"requestCounter": 4}, "operations": operations}, separators=(",", ":"))


def literals(text: str) -> Iterator[str]:
    """The text as Hold literals, each short enough for a line."""
    escapes = {"\\": "\\\\", '"': '\\"', "{": "{{", "}": "}}", "\n": "\\n", "\t": "\\t"}
    literal = ""
    for ch in text:
        if len(literal) >= LITERAL_LENGTH:
            yield f'"{literal}"'
            literal = ""
        literal += escapes.get(ch, ch)
    yield f'"{literal}"'


def hold_source(text: str) -> str:
    """A Hold module whose constant ``document`` is the text, put together from parts of some lines each."""
    lines = list(literals(text))
    parts = [" +\n  ".join(lines[at : at + PART_LINES]) for at in range(0, len(lines), PART_LINES)]
    names = [f"part_{number}" for number in range(1, len(parts) + 1)]
    sums = [" + ".join(names[at : at + PART_NAMES]) for at in range(0, len(names), PART_NAMES)]
    return "\n".join(
        (
            "/// The document that json.hold parses; written by json_document.py.\n",
            *(f"let {name} =\n  {part}\n" for name, part in zip(names, parts, strict=True)),
            "let document =\n  " + " +\n  ".join(sums) + "\n",
        )
    )


DOCUMENT = build()

if __name__ == "__main__":
    Path(__file__).with_suffix(".hold").write_text(hold_source(DOCUMENT), encoding="utf-8")
