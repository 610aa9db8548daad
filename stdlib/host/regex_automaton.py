"""Regular expressions: the automata that run a program.

A state of an automaton is the threads of the program as they stand behind the last character, in order of preference,
before anchors are looked at: those need the next character too.  So whether a match ends at a place is known one
character later, and is noted in the state that this character leads to.

States are made when they are first needed.  They are a cache: they are dropped when they grow too many, and can be lost
at any time.
"""

from __future__ import annotations

from holdfast.stdlib.host.regex_parse import (
    LINE_END,
    LINE_START,
    NO_WORD_EDGE,
    TEXT_END,
    TEXT_START,
    WORD_EDGE,
    is_word,
)
from holdfast.stdlib.host.regex_program import CHARS, JUMP, MATCH, SAVE, SPLIT, Program

STEP_WORK = 150_000
"""Work of one step, in about 60 ns."""
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


class ClassTable:
    """The characters that a program cannot tell apart, as numbered classes."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.classes: dict[str, tuple[int, int]] = {}
        self.signatures: dict[tuple[int, int], int] = {}
        self.next = 0
        """Numbers are not used again: a state that was dropped may still be the current one."""

    def of(self, character: str, budget: Budget) -> tuple[int, int]:
        """The number of the character's class (all its members lead to the same states), and its kind."""
        found = self.classes.get(character)
        if found is None:
            budget.take(len(self.program.sets))
            kind = kind_of(character) if self.program.anchors else OTHER
            members = "".join(["1" if chars[character] else "0" for chars in self.program.sets])
            signature = kind, int("1" + members, 2)
            number = self.signatures.get(signature, -1)
            if number < 0:
                number = self.signatures[signature] = self.next
                self.next += 1
            if len(self.classes) >= CLASSES_MAX:
                self.classes.clear()
                self.signatures.clear()
            found = self.classes[character] = number, kind
        return found


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
        self.classes = ClassTable(program)

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

    def follow(self, state: State, character: str) -> State:
        """The state behind the character, which is not known yet."""
        number, kind = self.classes.of(character, self.budget)
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
