"""Regular expressions: the functions that ``std/regex`` calls.

State of a search between steps: ``[place, searching]`` before it begins; then ``[version, …]`` with the fields of
:class:`holdfast.stdlib.host.regex_machine.Search`; ``[-1]`` at the end.  A state of another version of this file begins
its search again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.stdlib.host.regex_automaton import Budget, OutOfWork
from holdfast.stdlib.host.regex_machine import Machine, Search
from holdfast.stdlib.host.regex_parse import FLAGS
from holdfast.vm.library import takes
from holdfast.vm.methods.arguments import need_text
from holdfast.vm.objects import fail
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief

VERSION = 1
"""Of what a saved search means; raised whenever patterns become other programs."""
MACHINES_MAX = 16
"""Compiled patterns that a world keeps."""
MATCH_WORK = 60
"""Work of beginning a search and noting its match."""


def functions(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The functions of one world."""
    machines: dict[tuple[str, str, bool], Machine] = {}

    def machine(pattern: str, flags: str, whole: bool) -> Machine:
        """The compiled pattern; the ones that were used last are kept."""
        key = (pattern, flags, whole)
        found = machines.pop(key, None) or Machine(pattern, flags, whole)
        machines[key] = found
        if len(machines) > MACHINES_MAX:
            del machines[next(iter(machines))]
        return found

    @takes(pattern="", flags="")
    def regex_compile(pattern: Any, flags: Any) -> Any:
        """Throw unless it is a pattern; the names of its groups, in their order, nil for those without."""
        need_text("regex.compile", pattern)
        if set(need_text("regex.compile", flags)) - set(FLAGS):
            fail(
                "ValueError",
                f"{brief(flags)} are no flags: i ignores case, m has ^ and $ at lines, s lets . be a newline",
            )
        made = machine(pattern, flags, False)
        names = {number: name for name, number in made.names.items()}
        return runtime.new_list([names.get(number) for number in range(1, made.groups + 1)])

    @takes(pattern="", flags="", text="", whole="", captures="", most="", state="rw", found="rw")
    def regex_find(
        pattern: Any, flags: Any, text: Any, whole: Any, captures: Any, most: Any, state: Any, found: Any
    ) -> bool:
        """Look on for matches; each is appended to ``found`` as a List of places.  True while there is more to do."""
        made = machine(pattern, flags, whole is True)
        heap = runtime.heap
        for target in (state, found):
            if target._t is not heap.token:
                heap.barrier(target)
        raw = state.v
        search = _restored(raw)
        if search is None:
            start, searching = raw[:2] if len(raw) == 2 else (raw[2], raw[3])
            search = made.begin(need_text("regex", text), start, searching)
        budget = Budget()
        try:
            while search is not None:
                budget.take(MATCH_WORK)
                slots = made.run(search, text, budget, captures is True)
                if slots is None:
                    break
                found.v.append(runtime.new_list([place if place >= 0 else None for place in slots]))
                start = slots[1] if slots[1] > slots[0] else slots[1] + 1
                more = search.searching and (most is None or len(found.v) < most) and start <= len(text)
                search = made.begin(text, start, True) if more else None
        except OutOfWork:
            assert search is not None
            raw[:] = _saved(search)
            return True
        raw[:] = [-1]
        return False

    return {"regex_compile": regex_compile, "regex_find": regex_find}


def _saved(search: Search) -> list[Any]:
    return [
        VERSION, search.phase, search.start, search.searching, search.at, search.low, search.high, search.before,
        *search.numbers,
    ]  # fmt: skip


def _restored(raw: list[Any]) -> Search | None:
    """The search that was under way; None when it has to begin (again)."""
    if len(raw) < 8 or raw[0] != VERSION:
        return None
    _, phase, start, searching, at, low, high, before, *numbers = raw
    return Search(start, searching, phase, at, low, high, before, tuple(numbers))
