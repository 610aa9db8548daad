"""Completion: what may stand at the cursor, from the objects that are there.

Nothing of a program runs, a path loads at most one object a step, and of a large collection only the first keys are
looked at; so it can be asked for at every key.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from holdfast.lang.lexer import tokens
from holdfast.lang.tokens import CONTEXTUAL, KEYWORDS
from holdfast.repl.exits import Failure
from holdfast.repl.host import Candidate
from holdfast.repl.inspector import Inspector
from holdfast.repl.members import kind_classes, members, method_names, text_keys
from holdfast.repl.paths import MISSING, Module, follow, parse_path
from holdfast.vm import ids
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.objects import Obj, live
from holdfast.vm.show import quote
from holdfast.vm.store import StoreError

CANDIDATES_MAX = 200
TEXT_MAX = 5_000
"""So many characters before the cursor are looked at."""
FILES_MAX = 200

_PATH = r"[A-Za-z_][A-Za-z0-9_]*(?:\s*\??\.\s*[A-Za-z_][A-Za-z0-9_]*|\?*\[(?:-?[0-9]+|\"[^\"\\{}\n]*\")\])*"
_MEMBER = re.compile(rf"({_PATH})\s*\??\.\s*([A-Za-z_][A-Za-z0-9_]*)?$")
_KEY = re.compile(rf"({_PATH})\[(\"[^\"\\{{}}\n]*)?$")
_LITERAL_MEMBER = re.compile(r"(\"|\]|[0-9]\s)\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)?$")
_IMPORT = re.compile(r"(?:^|[;\n])\s*import\s+(?:\{[^}]*\}\s*from\s+)?\"([^\"\n]*)$")
_WORD = re.compile(r"(?:^|[^A-Za-z0-9_.\"])([A-Za-z_][A-Za-z0-9_]*)$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Candidates:
    """Completes input for one session."""

    def __init__(self, inspector: Inspector, folder: Path) -> None:
        self.inspector = inspector
        self.world = inspector.world
        self.folder = folder
        """Where imports are looked for."""

    def complete(self, before: str, names: Iterable[tuple[str, str]]) -> list[Candidate]:
        """How to go on; ``names`` are the session's, each with a word about it."""
        before = before[-TEXT_MAX:]
        try:
            found = self.found(before, names)
        except (Failure, StoreError, DamagedRecord):
            return []  # a path that leads nowhere, or an object that cannot be read: there is nothing to offer
        out: dict[str, Candidate] = {}
        for candidate in found:
            out.setdefault(candidate.text, candidate)
            if len(out) >= CANDIDATES_MAX:
                break
        return list(out.values())

    def found(self, before: str, names: Iterable[tuple[str, str]]) -> Iterator[Candidate]:
        """The first rule that fits the text decides."""
        imported = _IMPORT.search(before)
        if imported is not None:
            return self.files(imported[1])
        key = _KEY.search(before)
        if key is not None:
            return self.keys(key[1], key[2])
        if inside_text(before):
            return iter(())
        member = _MEMBER.search(before)
        if member is not None:
            return self.members(member[1], member[2] or "")
        literal = _LITERAL_MEMBER.search(before)
        if literal is not None:
            kind: Any = {'"': str, "]": self.world.collections.List}.get(literal[1], int)
            return self.methods(kind, literal[2] or "")
        word = _WORD.search(before)
        if word is not None:
            return self.words(word[1], names)
        return iter(())

    # ------------------------------------------------------------------ rules

    def value(self, text: str) -> Any:
        """What a path stands for."""
        path = parse_path(text.replace("?.", ".").replace("?[", "["))
        if path is None:
            return MISSING
        head = self.inspector.lookup(path[0])
        return head if head is MISSING else follow(self.world, head, path[1])

    def members(self, text: str, start: str) -> Iterator[Candidate]:
        """Behind a dot."""
        value = self.value(text)
        kind = kind_classes(self.world).get(text)
        if value is MISSING and kind is None:
            return
        for name, what in members(self.world, value):
            if name.startswith(start):
                yield Candidate(name, -len(start), what)

    def methods(self, kind: Any, start: str) -> Iterator[Candidate]:
        """Behind the dot after a literal."""
        for name in self.world.helpers.methods.get(kind) or method_names(kind):
            if name.startswith(start):
                yield Candidate(name, -len(start), "method")

    def keys(self, text: str, start: str | None) -> Iterator[Candidate]:
        """Behind ``map[``."""
        value = self.value(text)
        if not isinstance(value, Obj) or value._k != ids.MAP:
            return
        for key in text_keys(live(value)):
            shown = quote(key)
            if shown.startswith(start or ""):
                yield Candidate(shown + "]", -len(start or ""), "key")

    def words(self, start: str, names: Iterable[tuple[str, str]]) -> Iterator[Candidate]:
        """A name or keyword."""
        for name, what in names:
            if name.startswith(start):
                yield Candidate(name, -len(start), what)
        for name in self.world.builtin_names:
            if name.startswith(start):
                yield Candidate(name, -len(start), "built-in")
        for word in (*KEYWORDS, *CONTEXTUAL):
            if word.startswith(start):
                yield Candidate(word, -len(start), "keyword")

    def files(self, start: str) -> Iterator[Candidate]:
        """A module to import: of the library, of the world, or a file."""
        from holdfast.stdlib import module_names

        known = [*module_names(), *(name for name, _ in self.world.modules.stored("module:"))]
        for name in known:
            if name.startswith(start) and (name.endswith(".hold") or name.startswith("std/")):
                yield Candidate(name + '"', -len(start), "module")
        head, _, tail = start.rpartition("/")
        if ".." in head or head.startswith("/"):
            return
        folder = self.folder / head
        entries = sorted(folder.iterdir())[:FILES_MAX] if folder.is_dir() else []
        for entry in entries:
            if not entry.name.startswith(tail) or entry.name.startswith("."):
                continue
            if entry.suffix == ".hold" and entry.is_file():
                yield Candidate(entry.name + '"', -len(tail), "file")
            elif entry.is_dir():
                yield Candidate(entry.name + "/", -len(tail), "folder")


def inside_text(before: str) -> bool:
    """Whether the cursor stands in a text or comment."""
    last = next(iter(deque(tokens(before), maxlen=1)), None)
    if last is None or last.end < len(before):
        return False
    if last.kind in ("COMMENT", "DOC"):
        return "\n" not in before[last.end :] and not last.text.endswith("*/")
    if last.kind in ("TEXT", "BYTES", "TEXT_HEAD", "TEXT_MID", "TEXT_TAIL"):
        closed = len(last.text) > 1 and last.text.endswith('"')
        return not closed and last.kind not in ("TEXT_HEAD", "TEXT_MID")
    return False


__all__ = ["Candidates", "Module", "inside_text"]
