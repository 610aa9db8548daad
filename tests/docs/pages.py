"""The form of the code blocks of the documents, and the runner of one page.

All blocks of a page share a folder and the world ``.holdfast`` in it.  What a block is stands behind its fence:

======================  =======================================================================================
``hold``                a program: it runs
``hold file=NAME``      a file in the page's folder, for later imports and commands; it must compile
``hold continued``      a program that begins with the text of the block before it
``repl``                entries behind ``hold> `` and what the REPL answers
``sh``                  commands, run by ``sh -e``; ``holdfast`` is this tree's
``python``              a Python program, in a process of its own; it can import ``holdfast``
``text``                right behind one of the above: what that one shows, to the letter
======================  =======================================================================================

``new`` in front of any further words begins a new folder and world; ``skip="reason"`` leaves a block out, and the tests
report it with its reason.  In a program, comments say what must happen as well: ``// prints: 3`` for each line that it
prints, ``// error: KeyError: message`` (or only the kind) on the line that ends it, ``// error: E0102`` on each line
that the compiler reports.  Nothing else may happen.  In what commands and the REPL show, ``…`` stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from holdfast.lang.diagnostics import CompileError, Source
from holdfast.lang.parser import parse
from holdfast.repl.grants import DEFAULT, Grant
from holdfast.stdlib import library
from holdfast.vm.objects import Thrown
from holdfast.vm.world import World

TOP = Path(__file__).parent.parent.parent
PAGES = [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))]
RUN = frozenset({"hold", "python", "repl", "sh"})
LANGUAGES = RUN | {"text", "lark", "json"}
COMMAND_S_MAX = 120
PROGRAM = "example.hold"
"""What a program without a name is called in errors."""

_FENCE = re.compile(r"^( *)```(.*)$")
_SKIP = re.compile(r'\bskip="([^"]+)"')
_FILE = re.compile(r"\bfile=(\S+)")
_PRINTS = re.compile(r"// prints: ?(.*)$")
_ERROR = re.compile(r"// error: (.+)$")
_CODE = re.compile(r"E\d{4}")


@dataclass
class Block:
    """One code block."""

    page: str
    line: int
    language: str
    words: str
    text: str
    shown: str | None = None
    """The ``text`` block right behind it."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def skip(self) -> str:
        """Why it does not run; "" if it does."""
        found = _SKIP.search(self.words)
        return found[1] if found else ""

    @property
    def file(self) -> str:
        """The name of the file that it is; "" if it is none."""
        found = _FILE.search(self.words)
        return found[1] if found else ""

    def has(self, word: str) -> bool:
        """Whether the word stands behind the fence."""
        return word in self.words.split()


def read_page(path: Path) -> list[Block]:
    """The blocks of a page that run, each with what it shows."""
    name = str(path.relative_to(TOP))
    blocks: list[Block] = []
    last: Block | None = None
    for line, info, text in fences(path.read_text("utf-8")):
        if info is None:  # prose
            last = last if not text.strip() else None
            continue
        language, _, words = info.partition(" ")
        assert language in LANGUAGES, f"{name}:{line}: a block needs one of {sorted(LANGUAGES)} behind its fence"
        if language == "text" and last is not None:
            last.shown = text
        last = None
        if language in RUN:
            last = Block(name, line, language, words, text)
            blocks.append(last)
    return blocks


def fences(text: str) -> Iterator[tuple[int, str | None, str]]:
    """Line, fence words and content of each block; lines between blocks come with None."""
    info: str | None = None
    start, indent = 0, ""
    content: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        found = _FENCE.match(line)
        if info is None and found is None:
            yield number, None, line
        elif info is None and found is not None:
            indent, info, start, content = found[1], found[2].strip(), number, []
        elif info is not None and found is not None and not found[2].strip():
            yield start, info, "\n".join(content)
            info = None
        else:
            content.append(line.removeprefix(indent))
    assert info is None, f"the block in line {start} is not closed"


# --------------------------------------------------------------------------- what must happen


@dataclass
class Outcome:
    """What a program must do, or has done."""

    prints: list[str] = field(default_factory=list)
    error: tuple[str, int] | None = None
    """``Kind: message``, and the line."""
    codes: list[tuple[int, str]] = field(default_factory=list)
    report: str = ""
    """What the compiler says."""


def expected(text: str) -> Outcome:
    """What the comments of a program promise."""
    out = Outcome()
    for number, line in enumerate(text.split("\n"), 1):
        found = _PRINTS.search(line)
        if found is not None:
            out.prints.append(found[1])
        found = _ERROR.search(line)
        if found is not None and _CODE.match(found[1]):
            out.codes += [(number, code) for code in found[1].split()]
        elif found is not None:
            assert out.error is None, f"line {number}: a program ends with one error"
            out.error = found[1], number
    return out


def check(promised: Outcome, done: Outcome, shown: str | None) -> None:
    """Compare a program's outcome with the comments in it, and with the block behind it."""
    if shown is not None and done.report:
        assert done.report.split("\n") == shown.split("\n"), done.report
        assert not promised.codes or done.codes == promised.codes
        return
    assert done.codes == promised.codes, done.report
    printed = [line.rstrip() for line in done.prints]
    lines = [line.rstrip() for line in (promised.prints if shown is None else shown.split("\n"))]
    promised_error = promised.error
    if shown is not None and lines and lines[-1].startswith("error: "):
        promised_error = lines.pop().removeprefix("error: "), 0
    assert printed == lines, f"it prints {printed}, not {lines}; {done.error or 'no error'}"
    assert (done.error is None) == (promised_error is None), f"it ends with {done.error or 'no error'}"
    if done.error is not None and promised_error is not None:
        error, line = promised_error
        thrown = done.error[0] if ":" in error else done.error[0].partition(":")[0]
        assert thrown == error
        assert line in (0, done.error[1]), f"thrown in line {done.error[1]}"


def matches(shown: str, output: str) -> bool:
    """Whether what a command shows is as promised, ``…`` standing for anything."""
    pattern = "\n".join(
        ".*?".join(map(re.escape, line.rstrip().split("…"))) if line.strip() != "…" else ".*"
        for line in shown.strip().split("\n")
    )
    output = "\n".join(line.rstrip() for line in output.strip().split("\n"))
    return re.fullmatch(pattern, output, re.DOTALL) is not None


# --------------------------------------------------------------------------- running


class PageRun:
    """One page, block after block."""

    def __init__(self, folder: Path) -> None:
        self.base = folder
        self.count = 0
        self.before = ""
        self.folder = folder
        self.world: World | None = None
        self.new_folder()

    def new_folder(self) -> None:
        """Begin with nothing."""
        self.close()
        self.count += 1
        self.folder = self.base / f"part{self.count}"
        self.folder.mkdir()

    def run(self, block: Block) -> None:
        """Run one block, and compare."""
        if block.has("new"):
            self.new_folder()
        if block.language == "hold" and block.file:
            self.close()  # what runs next is a new process, as for a reader
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text + "\n", "utf-8")
            parse(Source(block.file, block.text))
        elif block.language == "hold":
            text = f"{self.before}\n{block.text}" if block.has("continued") else block.text
            self.before = text
            check(expected(text), self.program(text, PROGRAM), block.shown)
        elif block.language == "sh":
            self.commands(block, ["sh", "-e", "-c", block.text])
        elif block.language == "python":
            self.commands(block, [sys.executable, "-c", block.text])
        else:
            self.transcript(block)

    def program(self, text: str, name: str) -> Outcome:
        """Run a program in the page's world."""
        done = Outcome()
        written: list[str] = []

        def load(module: str) -> str | None:
            path = self.folder / module
            return path.read_text("utf-8") if path.is_file() else None

        if self.world is None:
            self.world = World.open(self.folder / ".holdfast", durability="process", library=library())
            for device in DEFAULT:  # as on the command line
                self.world.grant(device, Grant(device, device).device())
        world = self.world
        world.write = written.append
        world.modules.loader = load
        try:
            world.run_source(text, name)
        except CompileError as wrong:
            done.report = str(wrong)
            done.codes = [(d.source.position(d.span[0])[0], d.code) for d in wrong.diagnostics]
        except Thrown as thrown:
            error = thrown.error
            line = int((error.f_at or ":0").rpartition(":")[2])
            done.error = f"{error._name}: {error.f_message}", line
        world.checkpoint()
        done.prints = "".join(written).split("\n")[:-1]
        return done

    def close(self) -> None:
        """Let go of the world, as a command needs it."""
        if self.world is not None:
            self.world.close()
        self.world = None

    def commands(self, block: Block, command: list[str]) -> None:
        """Run what a block says as a process."""
        result = self.call(command, "")
        if block.shown is not None:
            assert matches(block.shown, result), f"{block} shows:\n{result}"
        else:
            assert result.strip() == "", f"{block} shows:\n{result}"

    def transcript(self, block: Block) -> None:
        """Give entries to the REPL."""
        entries, answers, inside = [], [], False
        for line in block.text.split("\n"):
            if line.startswith("hold> "):
                entries.append(line.removeprefix("hold> "))
                inside = True
            elif line.startswith("  ... ") and inside:
                entries.append(line.removeprefix("  ... "))
            else:
                answers.append(line)
                inside = False
        result = self.call(["holdfast", "repl"], "\n".join([*entries, ""]))
        assert matches("\n".join(answers), result), f"{block} shows:\n{result}"

    def call(self, command: list[str], given: str) -> str:
        """Run a command in the page's folder; what it shows."""
        self.close()
        tools = self.base / "bin"
        if not tools.exists():
            tools.mkdir()
            shim = tools / "holdfast"
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m holdfast.repl.cli "$@"\n')
            shim.chmod(0o755)
        home = self.base / "home"
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST")}
        env = kept | {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(home), "COLUMNS": "80", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            command, input=given, cwd=self.folder, env=env, text=True, timeout=COMMAND_S_MAX, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.stdout


def has_command_line() -> bool:
    """Whether this tree has the command ``holdfast``."""
    return find_spec("holdfast.repl.cli") is not None
