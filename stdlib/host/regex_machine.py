"""Regular expressions: running a program, in linear time, in steps.

A search has up to three phases, each of which goes over the text once, character by character:

* *forwards* a lazily built deterministic automaton finds where the leftmost match ends that the pattern prefers;
* *backwards* another one, of the mirrored program, finds where it begins;
* *captures* follows the threads of the program, each with its slots (Pike's machine), over the match alone.

A state of the automaton is the threads as they stand behind the last character, in order of preference, before
anchors are looked at: those need the next character too.  So whether a match ends at a place is known one character
later, and is noted in the state that this character leads to.

Automata are caches: they are dropped when they grow too large, and can be lost at any time.  What a search has to
remember between steps is a list of numbers (:class:`Search`).
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.stdlib.host.regex_parse import (
    LINE_END,
    LINE_START,
    NO_WORD_EDGE,
    TEXT_END,
    TEXT_START,
    WORD_EDGE,
    is_word,
    parse,
)
from holdfast.stdlib.host.regex_program import CHARS, JUMP, LOOK, MATCH, SAVE, SPLIT, Program, build

STEP_WORK = 150_000
"""Work of one step, in about 60 ns."""
SLICE = 8_192
"""Characters between two looks at the work that is left."""
MISS_WORK = 40
"""Work of a transition that is not known yet, besides its threads."""
CACHE_THREADS = 50_000
"""Threads in the states that an automaton keeps."""
CLASSES_MAX = 10_000
"""Characters whose class an automaton keeps."""

EDGE, NEWLINE, WORD, OTHER = range(4)
"""What anchors see of a character; EDGE is the end of the text."""


class OutOfWork(Exception):
    """The step has used up its work."""


class Budget:
    """The work that is left in this step."""

    __slots__ = ("left",)

    def __init__(self, left: int = STEP_WORK) -> None:
        self.left = left

    def take(self, work: int) -> None:
        """Use some work; the step ends when there is none left before it.  So each step gets on."""
        if self.left <= 0:
            raise OutOfWork
        self.left -= work


def kind_of(character: str) -> int:
    """What anchors see of a character."""
    if not character:
        return EDGE
    if character == "\n":
        return NEWLINE
    return WORD if is_word(character) else OTHER


def holds(look: int, before: int, after: int) -> bool:
    """The anchor fits between two characters."""
    if look == TEXT_START:
        return before == EDGE
    if look == TEXT_END:
        return after == EDGE
    if look == LINE_START:
        return before in (EDGE, NEWLINE)
    if look == LINE_END:
        return after in (EDGE, NEWLINE)
    assert look in (WORD_EDGE, NO_WORD_EDGE)
    return ((before == WORD) != (after == WORD)) == (look == WORD_EDGE)


class State(dict[str, "State"]):
    """A state; as a dict it maps the next character to the next state."""

    __slots__ = ("automaton", "before", "by_class", "dead", "flag", "matched", "searching", "threads")

    def __init__(
        self, automaton: Automaton, threads: tuple[int, ...], before: int, searching: bool, matched: bool
    ) -> None:
        super().__init__()
        self.automaton = automaton
        self.threads = threads
        self.before = before
        self.searching = searching
        """A match may still begin at any place."""
        self.matched = matched
        """A match ended before the character that led here."""
        self.dead = not threads and not searching
        self.flag = matched or self.dead
        self.by_class: dict[int, State] = {}

    def __missing__(self, character: str) -> State:
        return self.automaton.follow(self, character)


class Automaton:
    """The deterministic automaton of a program, as far as it has been needed."""

    def __init__(self, program: Program, backwards: bool) -> None:
        self.program = program
        self.backwards = backwards
        self.budget = Budget()
        self.states: dict[tuple[tuple[int, ...], int, bool, bool], State] = {}
        self.size = 0
        self.classes: dict[str, tuple[int, int]] = {}
        self.signatures: dict[tuple[int, int], int] = {}
        self.next_class = 0
        """Numbers of classes are not used again: a state that has been forgotten may still be the current one."""

    def state(self, threads: tuple[int, ...], before: int, searching: bool, matched: bool = False) -> State:
        """The state, made if it is not there."""
        if not self.program.anchors:
            before = EDGE
        key = (threads, before, searching, matched)
        found = self.states.get(key)
        if found is None:
            self.size += len(threads) + 4
            if self.size > CACHE_THREADS:
                self.states.clear()
                self.size = len(threads) + 4
            found = self.states[key] = State(self, threads, before, searching, matched)
        return found

    def class_of(self, character: str) -> tuple[int, int]:
        """The number of the character's class (all its members lead to the same states), and its kind."""
        found = self.classes.get(character)
        if found is None:
            kind = kind_of(character) if self.program.anchors else OTHER
            self.budget.take(len(self.program.sets))
            members = "".join(["1" if chars[character] else "0" for chars in self.program.sets])
            signature = kind, int("1" + members, 2)
            number = self.signatures.get(signature, -1)
            if number < 0:
                number = self.signatures[signature] = self.next_class
                self.next_class += 1
            if len(self.classes) >= CLASSES_MAX:
                self.classes.clear()
                self.signatures.clear()
            found = self.classes[character] = number, kind
        return found

    def follow(self, state: State, character: str) -> State:
        """The state behind the character, which is not known yet."""
        number, kind = self.class_of(character)
        found = state.by_class.get(number)
        if found is None:
            threads, matched = self.closure(state, kind)
            program = self.program
            following = dict.fromkeys(pc + 1 for pc in threads if program.sets[program.x[pc]][character])
            searching = state.searching and not matched
            found = state.by_class[number] = self.state(tuple(following), kind, searching, matched)
        state[character] = found
        self.size += 1
        return found

    def ends(self, state: State) -> bool:
        """A match ends here, if here is the end of the text."""
        return self.closure(state, EDGE)[1]

    def closure(self, state: State, after: int) -> tuple[list[int], bool]:
        """The CHARS that the threads reach in front of a character of a kind, and whether one reaches MATCH."""
        program = self.program
        ops, xs, ys = program.ops, program.x, program.y
        out: list[int] = []
        matched = False
        stack = [0] if state.searching else []
        stack.extend(reversed(state.threads))
        seen: set[int] = set()
        while stack:
            pc = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            op = ops[pc]
            if op == CHARS:
                out.append(pc)
            elif op == SPLIT:
                stack.append(ys[pc])
                stack.append(xs[pc])
            elif op == JUMP:
                stack.append(xs[pc])
            elif op == SAVE:
                stack.append(pc + 1)
            elif op == MATCH:
                matched = True
                if not self.backwards:
                    break  # what comes later is less preferred
            else:
                before, behind = (after, state.before) if self.backwards else (state.before, after)
                if holds(xs[pc], before, behind):
                    stack.append(pc + 1)
        self.budget.take(MISS_WORK + 4 * len(seen))
        return out, matched


# --------------------------------------------------------------------------- searching


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
        self.slots = 2 * parsed.groups + 2

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
        if not search.numbers:
            search.at = search.low
            search.numbers = (0, *[-1] * self.slots)
        return self.run_captures(search, text, budget)

    def run_forwards(self, search: Search, text: str, budget: Budget) -> None:
        """To the end of the match, in ``high``."""
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

    # ------------------------------------------------------------------ captures

    def run_captures(self, search: Search, text: str, budget: Budget) -> list[int]:
        """The slots of the match, whose beginning and end are known."""
        width = self.slots + 1
        numbers = search.numbers
        threads = [(numbers[i], numbers[i + 1 : i + width]) for i in range(0, len(numbers), width)]
        at = search.at
        program = self.program
        sets, xs = program.sets, program.x
        try:
            while True:
                before = kind_of(text[at - 1 : at]) if at else EDGE
                character = text[at : at + 1]
                reached, slots = self.expand(threads, at, before, kind_of(character), budget)
                if at >= search.high:
                    assert slots is not None, "the automaton found a match that its threads do not"
                    return [search.low, search.high, *slots[2:]]
                threads = [(pc + 1, slots) for pc, slots in reached if sets[xs[pc]][character]]
                at += 1
        except OutOfWork:
            search.at = at
            search.numbers = tuple(number for pc, slots in threads for number in (pc, *slots))
            raise

    def expand(
        self, threads: list[tuple[int, tuple[int, ...]]], at: int, before: int, after: int, budget: Budget
    ) -> tuple[list[tuple[int, tuple[int, ...]]], tuple[int, ...] | None]:
        """The threads at CHARS, and the slots of the one at MATCH, behind which none counts."""
        program = self.program
        ops, xs, ys = program.ops, program.x, program.y
        stack = threads[::-1]
        seen: set[int] = set()
        out = []
        found = None
        while stack:
            pc, slots = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            op = ops[pc]
            if op == CHARS:
                out.append((pc, slots))
            elif op == SPLIT:
                stack.append((ys[pc], slots))
                stack.append((xs[pc], slots))
            elif op == JUMP:
                stack.append((xs[pc], slots))
            elif op == SAVE:
                slot = xs[pc]
                stack.append((pc + 1, (*slots[:slot], at, *slots[slot + 1 :])))
            elif op == LOOK:
                if holds(xs[pc], before, after):
                    stack.append((pc + 1, slots))
            else:
                found = slots
                break
        budget.take(10 + len(seen) * (3 + self.slots // 8))
        return out, found
