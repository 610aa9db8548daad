"""Regular expressions: from the tree to the program of an automaton.

A program is a list of instructions; a thread stands at one of them and takes no time for all but CHARS.  SPLIT prefers
its first way.  Forwards the program has the preferences of the pattern, and SAVE notes where groups begin and end.
Backwards it is the mirror image, without groups: it is there to find where a match begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.stdlib.host.regex_parse import (
    TEXT_END,
    Chars,
    CharSet,
    Choice,
    Group,
    Look,
    Parsed,
    Repeat,
    Sequence,
    Tree,
)
from holdfast.vm import limits

PROGRAM_MAX = 10_000
"""Instructions of a program: what ``{m,n}`` inside ``{m,n}`` multiplies."""

CHARS, SPLIT, JUMP, SAVE, LOOK, MATCH = range(6)


@dataclass(slots=True)
class Program:
    """The instructions, in columns: operation, operands."""

    ops: list[int] = field(default_factory=list)
    x: list[int] = field(default_factory=list)
    """Way to go (SPLIT, JUMP), slot (SAVE), anchor (LOOK), index of the set (CHARS)."""
    y: list[int] = field(default_factory=list)
    """The second way of SPLIT."""
    sets: list[CharSet] = field(default_factory=list)
    anchors: bool = False
    """Some instruction is LOOK."""

    def add(self, op: int, x: int = 0, y: int = 0) -> int:
        """Append an instruction; gives its index."""
        self.ops.append(op)
        self.x.append(x)
        self.y.append(y)
        return len(self.ops) - 1


def build(parsed: Parsed, *, backwards: bool = False, whole: bool = False) -> Program:
    """The program of a pattern; ``whole`` ones match at the end of the text only."""
    count = _size(parsed.tree)
    if count > PROGRAM_MAX:
        limits.over(f"a pattern that takes {limits.count(count)} states", PROGRAM_MAX, "use smaller repetitions")
    builder = _Builder(backwards)
    if whole and backwards:
        builder.look(TEXT_END)
    builder.tree(parsed.tree)
    if whole and not backwards:
        builder.look(TEXT_END)
    builder.program.add(MATCH)
    return builder.program


def _size(tree: Tree) -> int:
    """How many instructions a tree takes, at most; counted before any is made."""
    if isinstance(tree, Chars | Look):
        return 1
    if isinstance(tree, Sequence):
        return sum(map(_size, tree.parts))
    if isinstance(tree, Choice):
        return sum(map(_size, tree.options)) + 2 * len(tree.options)
    if isinstance(tree, Group):
        return _size(tree.part) + 2
    copies = max(tree.least, tree.most if tree.most is not None else tree.least + 1, 1)
    return (_size(tree.part) + 1) * copies + 1


def nullable(tree: Tree) -> bool:
    """It can match without taking a character."""
    if isinstance(tree, Chars):
        return False
    if isinstance(tree, Look):
        return True
    if isinstance(tree, Sequence):
        return all(map(nullable, tree.parts))
    if isinstance(tree, Choice):
        return any(map(nullable, tree.options))
    if isinstance(tree, Group):
        return nullable(tree.part)
    return tree.least == 0 or nullable(tree.part)


def prefix(tree: Tree) -> str:
    """The text that every match begins with, as far as it is known."""
    parts = tree.parts if isinstance(tree, Sequence) else (tree,)
    found = ""
    for part in parts:
        if not isinstance(part, Chars):
            return found + (prefix(part.part) if isinstance(part, Group) else "")
        chars = part.set
        if chars.negated or chars.fold or chars.classes or len(chars.ranges) != 1 or len(set(chars.ranges[0])) > 1:
            return found
        found += chr(chars.ranges[0][0])
    return found


class _Builder:
    def __init__(self, backwards: bool) -> None:
        self.backwards = backwards
        self.program = Program()
        self.places: dict[object, int] = {}

    def look(self, kind: int) -> None:
        """An anchor."""
        self.program.add(LOOK, kind)
        self.program.anchors = True

    def tree(self, tree: Tree) -> None:
        """Append the instructions of a tree; afterwards a thread stands behind them."""
        program = self.program
        if isinstance(tree, Chars):
            place = self.places.get(tree.set.key)
            if place is None:
                place = self.places[tree.set.key] = len(program.sets)
                program.sets.append(tree.set)
            program.add(CHARS, place)
        elif isinstance(tree, Look):
            self.look(tree.kind)
        elif isinstance(tree, Sequence):
            for part in reversed(tree.parts) if self.backwards else tree.parts:
                self.tree(part)
        elif isinstance(tree, Choice):
            self.choice(tree)
        elif isinstance(tree, Group):
            if not self.backwards:
                program.add(SAVE, 2 * tree.number)
            self.tree(tree.part)
            if not self.backwards:
                program.add(SAVE, 2 * tree.number + 1)
        else:
            self.repeat(tree)

    def choice(self, tree: Choice) -> None:
        """Each option but the last behind a SPLIT, and a JUMP to the end behind it."""
        program = self.program
        ends = []
        for option in tree.options[:-1]:
            split = program.add(SPLIT)
            program.x[split] = split + 1
            self.tree(option)
            ends.append(program.add(JUMP))
            program.y[split] = len(program.ops)
        self.tree(tree.options[-1])
        for jump in ends:
            program.x[jump] = len(program.ops)

    def split(self, lazy: bool) -> int:
        """A SPLIT whose way in is the next instruction; the way out is set later."""
        split = self.program.add(SPLIT)
        (self.program.y if lazy else self.program.x)[split] = split + 1
        return split

    def out(self, split: int, lazy: bool) -> None:
        """The way out of a SPLIT leads here."""
        (self.program.x if lazy else self.program.y)[split] = len(self.program.ops)

    def repeat(self, tree: Repeat) -> None:
        """Copies that must be, then a loop, or copies that may be."""
        program = self.program
        if tree.most == 0:
            return
        if tree.most is not None:
            for _ in range(tree.least):
                self.tree(tree.part)
            splits = []
            for _ in range(tree.most - tree.least):
                splits.append(self.split(tree.lazy))
                self.tree(tree.part)
            for split in splits:
                self.out(split, tree.lazy)
            return
        for _ in range(tree.least - 1):
            self.tree(tree.part)
        # x* is (x+)? : a part that can be empty then prefers to leave, as it does in engines that go back.
        optional = self.split(tree.lazy) if tree.least == 0 else None
        again = len(program.ops)
        self.tree(tree.part)
        split = program.add(SPLIT)
        (program.y if tree.lazy else program.x)[split] = again
        self.out(split, tree.lazy)
        if optional is not None:
            self.out(optional, tree.lazy)
