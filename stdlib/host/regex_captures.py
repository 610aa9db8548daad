"""Regular expressions: what the groups of a match have captured.

This is Pike's machine: the threads of the program go over the match, each with slots for where groups begin and end; of
threads that meet, the preferred one goes on.  How threads move on a character does not depend on their slots, so it is
worked out once for each set of threads: a transition says for every thread that goes on which thread it comes from, and
which slots it sets.  Mostly each comes from itself and sets none.
"""

from __future__ import annotations

from holdfast.stdlib.host.regex_automaton import (
    CACHE_THREADS,
    EDGE,
    MISS_WORK,
    Budget,
    ClassTable,
    holds,
)
from holdfast.stdlib.host.regex_program import CHARS, JUMP, LOOK, SAVE, SPLIT, Program

Slots = tuple[int, ...]
Move = tuple[int, tuple[int, ...]]
"""The index of the thread that it comes from, and the slots that are set."""


class Threads(dict[str, "tuple[Threads, tuple[Move, ...] | None]"]):
    """A set of threads, in order of preference; as a dict it maps the next character to what becomes of them.

    None for the moves says that each thread comes from itself.
    """

    __slots__ = ("before", "by_class", "captures", "threads")

    def __init__(self, captures: Captures, threads: tuple[int, ...], before: int) -> None:
        super().__init__()
        self.captures = captures
        self.threads = threads
        self.before = before
        self.by_class: dict[int, tuple[Threads, tuple[Move, ...] | None]] = {}

    def __missing__(self, character: str) -> tuple[Threads, tuple[Move, ...] | None]:
        return self.captures.follow(self, character)


class Captures:
    """The captures of one program."""

    def __init__(self, program: Program, slots: int) -> None:
        self.program = program
        self.slots = slots
        self.budget = Budget()
        self.classes = ClassTable(program)
        self.states: dict[tuple[tuple[int, ...], int], Threads] = {}
        self.size = 0

    def state(self, threads: tuple[int, ...], before: int) -> Threads:
        """The set of threads, made if it is not there."""
        if not self.program.anchors:
            before = EDGE
        found = self.states.get((threads, before))
        if found is None:
            if self.size > CACHE_THREADS:
                self.states.clear()
                self.size = 0
            self.size += len(threads) + 4
            found = self.states[threads, before] = Threads(self, threads, before)
        return found

    def follow(self, state: Threads, character: str) -> tuple[Threads, tuple[Move, ...] | None]:
        """What becomes of the threads on a character, which is not known yet."""
        number, kind = self.classes.of(character, self.budget)
        found = state.by_class.get(number)
        if found is None:
            program = self.program
            reached, _ = self.expand(state, kind)
            going = [one for one in reached if program.sets[program.x[one[0]]][character]]
            moves = tuple((source, sets) for _, source, sets in going)
            still = len(moves) == len(state.threads) and all(move == (i, ()) for i, move in enumerate(moves))
            self.size += len(moves)
            found = state.by_class[number] = (
                self.state(tuple(pc + 1 for pc, _, _ in going), kind),
                None if still else moves,
            )
        state[character] = found
        self.size += 1
        return found

    def expand(self, state: Threads, after: int) -> tuple[list[tuple[int, int, tuple[int, ...]]], Move | None]:
        """The threads at CHARS in front of a character of a kind, and the one at MATCH, behind which none counts."""
        program = self.program
        ops, xs, ys = program.ops, program.x, program.y
        stack: list[tuple[int, int, tuple[int, ...]]] = []
        stack.extend((pc, i, ()) for i, pc in reversed(list(enumerate(state.threads))))
        seen: set[int] = set()
        out = []
        found = None
        while stack:
            pc, source, sets = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            op = ops[pc]
            if op == CHARS:
                out.append((pc, source, sets))
            elif op == SPLIT:
                stack.append((ys[pc], source, sets))
                stack.append((xs[pc], source, sets))
            elif op == JUMP:
                stack.append((xs[pc], source, sets))
            elif op == SAVE:
                stack.append((pc + 1, source, (*sets, xs[pc])))
            elif op == LOOK:
                if holds(xs[pc], state.before, after):
                    stack.append((pc + 1, source, sets))
            else:
                found = source, sets
                break
        self.budget.take(MISS_WORK + 6 * len(seen))
        return out, found

    # ------------------------------------------------------------------ slots

    @staticmethod
    def moved(slots: list[Slots], moves: tuple[Move, ...], at: int) -> list[Slots]:
        """The slots of the threads behind a transition."""
        out = []
        for source, sets in moves:
            one = slots[source]
            if sets:
                changed = list(one)
                for slot in sets:
                    changed[slot] = at
                one = tuple(changed)
            out.append(one)
        return out

    def match(self, state: Threads, slots: list[Slots], at: int, after: int) -> Slots:
        """The slots of the thread that matches at the end."""
        _, found = self.expand(state, after)
        assert found is not None, "the automaton has found a match that no thread has"
        return self.moved(slots, (found,), at)[0]

    def restored(self, numbers: tuple[int, ...], before: int) -> tuple[Threads, list[Slots]]:
        """Threads and slots as they were saved; at first one thread at the beginning."""
        width = self.slots + 1
        saved = numbers or (0, *[-1] * self.slots)
        starts = range(0, len(saved), width)
        return self.state(tuple(saved[i] for i in starts), before), [saved[i + 1 : i + width] for i in starts]

    @staticmethod
    def saved(state: Threads, slots: list[Slots]) -> tuple[int, ...]:
        """Threads and slots as numbers."""
        return tuple(n for pc, one in zip(state.threads, slots, strict=True) for n in (pc, *one))
