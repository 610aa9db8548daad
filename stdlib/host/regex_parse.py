"""Regular expressions: from the text of a pattern to a tree.

The syntax is the common part of Python's, JavaScript's, Java's and RE2's.  What no automaton can do in linear time
(references back, looking around, possessive repetition) is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from holdfast.vm import limits
from holdfast.vm.objects import fail
from holdfast.vm.show import quote

PATTERN_MAX = 10_000
"""Characters of a pattern."""
GROUPS_MAX = 100
"""Groups that capture."""
REPEAT_MAX = 1_000
"""The largest number in ``{m,n}``."""
NEST_MAX = 100
"""Groups inside each other."""
FLAGS = "ims"
MEMO_MAX = 4_096
"""Characters whose membership a class remembers."""

TEXT_START, TEXT_END, LINE_START, LINE_END, WORD_EDGE, NO_WORD_EDGE = range(6)
"""What an anchor asks of its place."""

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}
_ANCHORS = {"A": TEXT_START, "z": TEXT_END, "Z": TEXT_END, "b": WORD_EDGE, "B": NO_WORD_EDGE}
_CLASSES = frozenset("dDwWsS")


class CharSet(dict[str, bool]):
    """A set of characters; as a dict it remembers which characters it was asked for."""

    def __init__(self, ranges: tuple[tuple[int, int], ...], classes: frozenset[str], negated: bool, fold: bool) -> None:
        super().__init__()
        self.ranges = ranges
        self.classes = classes
        self.negated = negated
        self.fold = fold
        self.key = (ranges, classes, negated, fold)

    def __missing__(self, character: str) -> bool:
        found = self.has(character) or (self.fold and any(self.has(other) for other in variants(character)))
        result = found != self.negated
        if len(self) < MEMO_MAX:
            self[character] = result
        return result

    def has(self, character: str) -> bool:
        """The character is named, itself or through a class."""
        code = ord(character)
        if any(low <= code <= high for low, high in self.ranges):
            return True
        return any(in_class(character, name) for name in self.classes)


def in_class(character: str, name: str) -> bool:
    """The classes behind a backslash."""
    kind = name.lower()
    if kind == "d":
        found = "0" <= character <= "9"
    elif kind == "w":
        found = is_word(character)
    else:
        found = character.isspace()
    return found == (name == kind)


def is_word(character: str) -> bool:
    """A letter, a digit or ``_``."""
    return character.isalnum() or character == "_"


def variants(character: str) -> set[str]:
    """The forms of a character that are the same when case is ignored."""
    lower, upper = character.lower(), character.upper()
    return {form for form in (lower, upper, lower.upper(), upper.lower()) if len(form) == 1}


# --------------------------------------------------------------------------- the tree


@dataclass(slots=True, frozen=True)
class Chars:
    """One character out of a set."""

    set: CharSet


@dataclass(slots=True, frozen=True)
class Look:
    """An anchor."""

    kind: int


@dataclass(slots=True, frozen=True)
class Sequence:
    """One after the other; the empty pattern is one without parts."""

    parts: tuple[Tree, ...]


@dataclass(slots=True, frozen=True)
class Choice:
    """The first that fits, in order of preference."""

    options: tuple[Tree, ...]


@dataclass(slots=True, frozen=True)
class Repeat:
    """From ``least`` to ``most`` times (None: without end)."""

    part: Tree
    least: int
    most: int | None
    lazy: bool


@dataclass(slots=True, frozen=True)
class Group:
    """A part that is captured."""

    number: int
    part: Tree


Tree = Chars | Look | Sequence | Choice | Repeat | Group


@dataclass(slots=True)
class Parsed:
    """A pattern, understood."""

    tree: Tree
    groups: int
    names: dict[str, int]


def parse(pattern: str, flags: str) -> Parsed:
    """The tree of a pattern; a ValueError of Hold tells what is wrong with it, and where."""
    if len(pattern) > PATTERN_MAX:
        limits.over(f"a pattern of {limits.count(len(pattern))} characters", PATTERN_MAX, "match in several steps")
    return _Parser(pattern, flags).run()


class _Parser:
    """Recursive descent; NEST_MAX bounds the depth."""

    def __init__(self, pattern: str, flags: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.flags = frozenset(flags)
        self.groups = 0
        self.names: dict[str, int] = {}
        self.depth = 0

    def run(self) -> Parsed:
        """The whole pattern."""
        if self.pattern.startswith("(?"):
            end = self.pattern.find(")")
            letters = self.pattern[2:end] if end > 0 else ""
            if letters and not set(letters) - set(FLAGS):
                self.flags |= set(letters)
                self.at = end + 1
        tree = self.choice()
        if self.at < len(self.pattern):
            self.wrong("')' without '(': write \\) for the character")
        return Parsed(tree, self.groups, self.names)

    def wrong(self, message: str, at: int | None = None) -> NoReturn:
        """Throw the ValueError of a malformed pattern."""
        shown = self.pattern if len(self.pattern) <= 60 else self.pattern[:60] + "…"
        fail("ValueError", f"the pattern {quote(shown)}, at index {self.at if at is None else at}: {message}")

    def peek(self, text: str) -> bool:
        """The text stands here."""
        return self.pattern.startswith(text, self.at)

    def take(self, text: str) -> bool:
        """Move behind the text, if it stands here."""
        if self.peek(text):
            self.at += len(text)
            return True
        return False

    def next(self, what: str) -> str:
        """The next character."""
        if self.at >= len(self.pattern):
            self.wrong(f"{what} is cut off")
        self.at += 1
        return self.pattern[self.at - 1]

    # ------------------------------------------------------------------ structure

    def choice(self) -> Tree:
        """Options between ``|``."""
        options = [self.sequence()]
        while self.take("|"):
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self) -> Tree:
        """Parts up to ``|``, ``)`` or the end."""
        parts: list[Tree] = []
        while self.at < len(self.pattern) and not self.peek("|") and not self.peek(")"):
            start = self.at
            part = self.atom()
            parts.append(self.repeated(part, start))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def repeated(self, part: Tree, start: int) -> Tree:
        """The part with the repetition that follows it, if one does."""
        bounds = self.bounds()
        if bounds is None:
            return part
        if isinstance(part, Look) and self.pattern[start] != "(":
            self.wrong("an anchor cannot be repeated: leave out the repetition", start)
        lazy = self.take("?")
        if self.peek("+") and not lazy:
            self.wrong("possessive repetition is not supported: matching takes linear time without it")
        again = self.at
        if self.bounds() is not None:
            self.wrong("a repetition cannot be repeated: put the first into (?:…)", again)
        return Repeat(part, *bounds, lazy)

    def bounds(self) -> tuple[int, int | None] | None:
        """``*``, ``+``, ``?`` or ``{m,n}``; a brace that is no repetition stands for itself."""
        if self.take("*"):
            return 0, None
        if self.take("+"):
            return 1, None
        if self.take("?"):
            return 0, 1
        if not self.peek("{"):
            return None
        end = self.pattern.find("}", self.at)
        inside = self.pattern[self.at + 1 : end] if end > 0 else ""
        low, comma, high = inside.partition(",")
        digits = [text for text in (low, high) if text]
        if not digits or not all(text.isascii() and text.isdigit() and len(text) < 10 for text in digits):
            return None
        least = int(low or 0)
        most = int(high) if high else None if comma else least
        if max(least, most or 0) > REPEAT_MAX:
            self.wrong(f"a repetition of more than {limits.count(REPEAT_MAX)}: use * or +, or match in several steps")
        if most is not None and most < least:
            self.wrong(f"the repetition {{{inside}}} has its numbers in the wrong order")
        self.at = end + 1
        return least, most

    def atom(self) -> Tree:
        """One part without its repetition."""
        start = self.at
        character = self.next("the pattern")
        if character == "(":
            return self.group(start)
        if character == "[":
            return Chars(self.class_(start))
        if character == ".":
            newline = () if "s" in self.flags else ((10, 10),)
            return Chars(self.members(newline, negated=True))
        if character == "^":
            return Look(LINE_START if "m" in self.flags else TEXT_START)
        if character == "$":
            return Look(LINE_END if "m" in self.flags else TEXT_END)
        if character in "*+?":
            self.wrong(f"there is nothing before '{character}' to repeat: write \\{character} for the character", start)
        if character == "\\":
            return self.escape(start)
        return Chars(self.members(((ord(character), ord(character)),)))

    def members(
        self, ranges: tuple[tuple[int, int], ...], classes: frozenset[str] = frozenset(), negated: bool = False
    ) -> CharSet:
        """A set under the flags that hold here."""
        return CharSet(ranges, classes, negated, "i" in self.flags)

    def group(self, start: int) -> Tree:
        """Behind an opening parenthesis."""
        self.depth += 1
        if self.depth > NEST_MAX:
            self.wrong(f"more than {NEST_MAX} groups inside each other", start)
        number = 0
        flags = self.flags
        if not self.take("?"):
            number = self.capture(start)
        elif self.take("P<") or (self.peek("<") and not self.peek("<=") and not self.peek("<!") and self.take("<")):
            number = self.capture(start)
            self.name(number)
        else:
            self.modifiers(start)
        part = self.choice()
        if not self.take(")"):
            self.wrong("'(' without ')': write \\( for the character", start)
        self.depth -= 1
        self.flags = flags
        return Group(number, part) if number else part

    def capture(self, start: int) -> int:
        """The number of a new group."""
        self.groups += 1
        if self.groups > GROUPS_MAX:
            self.wrong(f"more than {GROUPS_MAX} groups: write (?:…) for those that need not be captured", start)
        return self.groups

    def name(self, number: int) -> None:
        """The name of a group."""
        end = self.pattern.find(">", self.at)
        name = self.pattern[self.at : end] if end > 0 else ""
        if not (name.isascii() and name.isidentifier()):
            self.wrong("the name of a group needs letters, digits and _, and a '>' behind it")
        if name in self.names:
            self.wrong(f"two groups are called {name}")
        self.names[name] = number
        self.at = end + 1

    def modifiers(self, start: int) -> None:
        """``?:``, ``?i:`` and the like; what cannot be had is named."""
        for sign in ("=", "!", "<=", "<!"):
            if self.peek(sign):
                self.wrong("looking around is not supported: matching takes linear time without it", start)
        if self.peek(">"):
            self.wrong("atomic groups are not supported: matching never goes back, so they are not needed", start)
        end = self.at
        while self.pattern[end : end + 1] in tuple(FLAGS):
            end += 1
        if self.pattern[end : end + 1] != ":":
            self.wrong("a group begins with (, (?:, (?<name> or (?i: with flags out of i, m and s", start)
        self.flags = self.flags | set(self.pattern[self.at : end])
        self.at = end + 1

    # ------------------------------------------------------------------ characters

    def escape(self, start: int) -> Tree:
        """Behind a backslash, outside of a class."""
        character = self.pattern[self.at : self.at + 1]
        if character in _ANCHORS:
            self.at += 1
            return Look(_ANCHORS[character])
        if character in _CLASSES:
            self.at += 1
            return Chars(self.members((), frozenset(character)))
        if character.isdigit() and character != "0":
            self.wrong("references to groups are not supported: matching takes linear time without them", start)
        code = self.escaped(start)
        return Chars(self.members(((code, code),)))

    def escaped(self, start: int) -> int:
        """The code point of an escape."""
        character = self.next("an escape")
        if character in _ESCAPES:
            return ord(_ESCAPES[character])
        if character == "x":
            return self.hexadecimal(start, self.pattern[self.at : self.at + 2], 2)
        if character == "u":
            if self.peek("{"):
                end = self.pattern.find("}", self.at)
                digits = self.pattern[self.at + 1 : end] if end > 0 else ""
                return self.hexadecimal(start, digits, len(digits) if len(digits) <= 6 else 0, len(digits) + 2)
            return self.hexadecimal(start, self.pattern[self.at : self.at + 4], 4)
        if character.isascii() and character.isalnum():
            self.wrong(f"there is no escape \\{character}", start)
        return ord(character)

    def hexadecimal(self, start: int, digits: str, length: int, skip: int | None = None) -> int:
        """A code point in hexadecimal digits."""
        if len(digits) != length or not digits or digits.strip("0123456789abcdefABCDEF"):
            self.wrong("an escape needs hexadecimal digits: \\x41, \\u0041 or \\u{1F600}", start)
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            self.wrong("an escape beyond the code points of Unicode", start)
        self.at += length if skip is None else skip
        return code

    def class_(self, start: int) -> CharSet:
        """Behind an opening bracket."""
        negated = self.take("^")
        ranges: list[tuple[int, int]] = []
        classes: set[str] = set()
        first = True
        while first or not self.peek("]"):
            first = False
            here = self.at
            low = self.member(start, classes)
            if self.peek("-") and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.member(start, classes)
                if low is None or high is None:
                    self.wrong("a range cannot begin or end with a class such as \\d", here)
                if high < low:
                    self.wrong("a range has its ends in the wrong order", here)
                ranges.append((low, high))
            elif low is not None:
                ranges.append((low, low))
        self.at += 1
        return self.members(tuple(sorted(set(ranges))), frozenset(classes), negated)

    def member(self, start: int, classes: set[str]) -> int | None:
        """One member of a class: its code point, or None when it is a class itself."""
        if self.at >= len(self.pattern):
            self.wrong("'[' without ']': write \\[ for the character", start)
        here = self.at
        character = self.next("the class")
        if character != "\\":
            return ord(character)
        following = self.pattern[self.at : self.at + 1]
        if following in _CLASSES:
            self.at += 1
            classes.add(following)
            return None
        if following == "b":
            self.wrong("\\b has no meaning inside brackets", here)
        return self.escaped(here)
