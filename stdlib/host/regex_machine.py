"""Regular expressions: searching a text, in linear time, in steps.

A search has up to three phases, each of which goes over the text once, character by character:

* *forwards* an automaton finds where the leftmost match ends that the pattern prefers;
* *backwards* another one, of the mirrored program, finds where it begins;
* *captures* follows the threads of the program, each with its slots, over the match alone.

What a search has to remember between steps is a list of numbers (:class:`Search`).
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.stdlib.host.regex_automaton import EDGE, Automaton, Budget, OutOfWork, kind_of
from holdfast.stdlib.host.regex_captures import Captures
from holdfast.stdlib.host.regex_parse import parse
from holdfast.stdlib.host.regex_program import build, prefix

SLICE = 8_192
"""Characters between two looks at the work that is left."""
FIND_SPEED = 64
"""Characters that are looked over for a fixed beginning in the time of one unit of work."""


@dataclass(slots=True)
class Search:
    """A search that is under way: what must be remembered between steps."""

    start: int
    """Where it began to look."""
    searching: bool
    """The match may begin anywhere, not just at ``start``."""
    phase: int
    at: int
    low: int = -1
    """The best beginning so far (backwards); the beginning (captures)."""
    high: int = -1
    """The best end so far (forwards); the end."""
    before: int = EDGE
    numbers: tuple[int, ...] = ()
    """Threads; in phase captures each with its slots."""


FORWARDS, BACKWARDS, CAPTURES, DONE = range(4)


class Machine:
    """A compiled pattern."""

    def __init__(self, pattern: str, flags: str, whole: bool) -> None:
        parsed = parse(pattern, flags)
        self.groups = parsed.groups
        self.names = parsed.names
        self.program = build(parsed, whole=whole)
        self.forwards = Automaton(self.program, backwards=False)
        self.backwards = Automaton(build(parsed, backwards=True, whole=whole), backwards=True)
        self.captures = Captures(self.program, 2 * parsed.groups + 2)
        self.prefix = prefix(parsed.tree)

    def begin(self, text: str, start: int, searching: bool) -> Search:
        """A new search from a place on."""
        before = kind_of(text[start - 1 : start]) if start else EDGE
        return Search(start, searching, FORWARDS, start, before=before, numbers=() if searching else (0,))

    def run(self, search: Search, text: str, budget: Budget, captures: bool) -> list[int] | None:
        """Go on until it is known: the slots of the match, or None when there is none; raises OutOfWork."""
        if search.phase == FORWARDS:
            self.run_forwards(search, text, budget)
            if search.high < 0:
                search.phase = DONE
                return None
            if search.searching:
                search.phase, search.at = BACKWARDS, search.high
                search.before = kind_of(text[search.high : search.high + 1])
                search.numbers = (0,)
            else:
                search.phase, search.low, search.numbers = CAPTURES, search.start, ()
        if search.phase == BACKWARDS:
            self.run_backwards(search, text, budget)
            search.phase, search.at = CAPTURES, search.low
            search.numbers = ()
        if not captures or not self.groups:
            return [search.low, search.high]
        return self.run_captures(search, text, budget)

    def run_forwards(self, search: Search, text: str, budget: Budget) -> None:
        """To the end of the match, in ``high``."""
        if self.prefix and search.searching and search.high < 0 and not search.numbers:
            # No match has begun: it can only begin where its fixed beginning stands.
            found = text.find(self.prefix, search.at)
            budget.take(((found if found >= 0 else len(text)) - search.at) // FIND_SPEED)
            if found < 0:
                return
            search.at = found
            search.before = kind_of(text[found - 1 : found]) if found else EDGE
        automaton = self.forwards
        automaton.budget = budget
        state = automaton.state(search.numbers, search.before, search.searching and search.high < 0)
        at = search.at
        try:
            while at < len(text):
                part = text[at : at + SLICE]
                budget.take(len(part))
                for character in part:
                    state = state[character]
                    if state.flag:
                        if state.matched:
                            search.high = at
                        if state.dead:
                            return
                    at += 1
            if automaton.ends(state):
                search.high = at
        except OutOfWork:
            search.at, search.before, search.numbers = at, state.before, state.threads
            raise

    def run_backwards(self, search: Search, text: str, budget: Budget) -> None:
        """From the end back to the first beginning, in ``low``."""
        automaton = self.backwards
        automaton.budget = budget
        state = automaton.state(search.numbers, search.before, False)
        at = search.at
        try:
            while at > search.start:
                part = text[max(search.start, at - SLICE) : at]
                budget.take(len(part))
                for character in reversed(part):
                    state = state[character]
                    if state.flag:
                        if state.matched:
                            search.low = at
                        if state.dead:
                            return
                    at -= 1
            character = text[at - 1 : at] if at else ""
            if automaton.closure(state, kind_of(character))[1]:
                search.low = at
        except OutOfWork:
            search.at, search.before, search.numbers = at, state.before, state.threads
            raise

    def run_captures(self, search: Search, text: str, budget: Budget) -> list[int]:
        """The slots of the match, whose beginning and end are known."""
        captures = self.captures
        captures.budget = budget
        if not search.numbers:
            search.at = search.low
            search.before = kind_of(text[search.low - 1 : search.low]) if search.low else EDGE
        state, slots = captures.restored(search.numbers, search.before)
        at = search.at
        try:
            while at < search.high:
                part = text[at : min(at + SLICE, search.high)]
                budget.take(2 * len(part))
                for character in part:
                    following, moves = state[character]
                    if moves is not None:
                        budget.take(2 * len(moves))
                        slots = captures.moved(slots, moves, at)
                    state = following
                    at += 1
            found = captures.match(state, slots, at, kind_of(text[at : at + 1]))
        except OutOfWork:
            search.at, search.before, search.numbers = at, state.before, captures.saved(state, slots)
            raise
        return [search.low, search.high, *found[2:]]
