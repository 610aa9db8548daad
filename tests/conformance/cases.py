"""The form of the conformance files, and the runner of one case.

A file holds cases.  Each begins with a line ``--- what the language says`` and is a program; behind a line
``+++ name.hold`` stands another file of the same case, which it can import.  What must happen stands in comments:

=============================  ==============================================================
``//> text``                   the program prints this line (in the order of the comments)
``//! KindError: message``     the program ends with this error, thrown on the line of the comment
``//! KindError``              as above, whatever the message
``//? E0101``                  the compiler reports this code on the line of the comment
=============================  ==============================================================

Nothing else may happen: no other output, no other error, no other diagnostic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.lang.diagnostics import CompileError
from holdfast.vm import ids
from holdfast.vm.objects import Thrown
from holdfast.vm.world import World

_MARK = re.compile(r"//([>!?])(?: (.*))?$")

HOST_NAMES = re.compile(
    r"<(?:class|function|hold|built|frozen|bound|method|module)|Traceback|object at 0x|\bNoneType\b|\bdict\b|\bstr\b"
    r"|'(?:int|float|bool|bytes|list|tuple|set|function|type)'|\b[vmfk][0-9]*_[a-z]|\bo_[a-z]+\b|__|\bPython\b|\.py\b"
    r"|\btuple\b|unhashable|positional argument|the machine failed"
)
"""What no text that a guest can see may contain: names of the host."""


@dataclass
class Case:
    """One program and what must become of it."""

    file: str
    name: str
    line: int
    text: str = ""
    files: dict[str, str] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)
    error: tuple[str, str | None, int] | None = None
    """Kind, message (None: any) and line."""
    diagnostics: list[tuple[str, int, str]] = field(default_factory=list)
    """File, line and code."""

    def expect(self) -> None:
        """Read the comments."""
        for number, line in enumerate(self.text.split("\n"), 1):
            found = _MARK.search(line)
            if found is None:
                continue
            mark, rest = found[1], found[2] or ""
            if mark == ">":
                self.output.append(rest)
            elif mark == "!":
                assert self.error is None, f"{self.file}:{self.line}: two errors"
                kind, colon, message = rest.partition(": ")
                self.error = kind, message if colon else None, number
            else:
                self.diagnostics += [("main.hold", number, code) for code in rest.split()]
        for name, text in sorted(self.files.items()):
            for number, line in enumerate(text.split("\n"), 1):
                found = _MARK.search(line)
                if found is not None and found[1] == "?":
                    self.diagnostics += [(name, number, code) for code in (found[2] or "").split()]


def read_cases(path: Path) -> list[Case]:
    """The cases of a file."""
    cases: list[Case] = []
    current: list[str] = []
    other: str | None = None

    def end() -> None:
        text = "\n".join(current)
        current.clear()
        if other is not None:
            cases[-1].files[other] = text
        elif cases:
            cases[-1].text = text

    for number, line in enumerate(path.read_text().split("\n"), 1):
        if line.startswith("--- "):
            end()
            other = None
            cases.append(Case(path.stem, line[4:].strip(), number))
        elif line.startswith("+++ "):
            end()
            other = line[4:].strip()
        else:
            current.append(line)
    end()
    for case in cases:
        case.expect()
    names = [case.name for case in cases]
    double = {name for name in names if names.count(name) > 1}
    assert not double, f"{path.name}: two cases are named {double}"
    return cases


@dataclass
class Outcome:
    """What has happened."""

    output: list[str]
    error: tuple[str, str, int] | None
    diagnostics: list[tuple[str, int, str]]
    place: str = ""
    trace: list[str] = field(default_factory=list)


class Bench:
    """A world that runs one case after another.

    The way is a shape of code, or ``torture``: at every safepoint the thread's stack is replaced by what was captured
    of it, or at every seventh (``torture7``).  ``guarded`` runs it in a domain of its own, as code of the whole world,
    and ``sandbox`` as code of that domain; either with a root that is the domain's own, which the program must not
    notice (I10).
    """

    def __init__(self, path: Path, way: str) -> None:
        _, _, every = way.partition("torture")
        self.domain = way.split("-")[0] if way.split("-")[0] in ("guarded", "sandbox") else ""
        shape = "resumable" if way.endswith("resumable") else "direct"
        self.world = World.open(path, durability="process", shape=shape)
        if "torture" in way:
            self.world.scheduler.torture = int(every or 1)
            self.world.globals["_poll"] = True
        self.root: Any = self.world.heap.root
        """What the last program had as its root."""
        self.written: list[str] = []
        self.world.write = self.written.append
        self.count = 0

    def close(self) -> None:
        self.world.close()

    def run(self, text: str, files: dict[str, str] | None = None) -> Outcome:
        """Run one program; root is empty before it."""
        world = self.world
        self.count += 1
        folder = f"case{self.count}"
        table = {f"{folder}/{name}": content for name, content in (files or {}).items()}
        world.modules.loader = table.get
        world.run_source("for k in root.keys() { root.remove(k) }", "reset.hold")
        self.written.clear()
        error: Any = None
        diagnostics: list[tuple[str, int, str]] = []
        place, trace = "", []
        try:
            if self.domain:
                self.run_restricted(text, f"{folder}/main.hold")
            else:
                world.run_source(text, f"{folder}/main.hold")
        except CompileError as wrong:
            for d in wrong.diagnostics:
                diagnostics.append((d.source.name.removeprefix(f"{folder}/"), d.source.position(d.span[0])[0], d.code))
            self.check_words(str(wrong), text)
        except Thrown as thrown:
            e = thrown.error
            place = e.f_at or ""
            trace = list(e.f_trace.v) if e.f_trace is not None else []
            error = (e._name, e.f_message, int(place.rpartition(":")[2] or 0))
            self.check_words(f"{e.f_message}\n{place}\n{trace}", text)
        world.checkpoint()
        printed = "".join(self.written)
        self.check_words(printed, text)
        assert printed == "" or printed.endswith("\n")
        return Outcome(printed.split("\n")[:-1], error, diagnostics, place, trace)

    def run_restricted(self, text: str, name: str) -> None:
        """The same in a domain that owns its root."""
        world = self.world
        domain = world.authority.domain("main", {})
        self.root = root = world.new_map({})
        root._o = domain
        world.monitor.name(domain, "root", root)
        unit = world.modules.program(text, name, ids.kid(domain._i) if self.domain == "sandbox" else "")
        world.run_thread(world.authority.start(unit, domain))

    @staticmethod
    def check_words(text: str, source: str) -> None:
        """Nothing that a guest sees names anything of the host, save what its own source has named."""
        for found in HOST_NAMES.finditer(text):
            assert found[0].strip("'") in source, f"{found[0]!r} shows through: {text}"


def check(case: Case, outcome: Outcome) -> None:
    """Compare what happened with what must happen."""
    assert sorted(outcome.diagnostics) == sorted(case.diagnostics)
    assert (outcome.output, outcome.error and outcome.error[:2]) == (
        case.output,
        case.error and (case.error[0], case.error[1] if case.error[1] is not None else (outcome.error or "??")[1]),
    )
    if case.error is not None and outcome.error is not None:
        assert outcome.error[2] == case.error[2], f"thrown at line {outcome.error[2]}, not {case.error[2]}"
