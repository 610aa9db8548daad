"""The documents do not drift from the implementation: code runs, tables are current, links lead on."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from holdfast.lang import lexer, lexer_core, parser, resolve
from holdfast.lang.diagnostics import CODES
from holdfast.lang.format import format_source
from holdfast.repl.exits import TABLE
from holdfast.vm import lifetimes, limits, messages, threads
from tests.docs.pages import PAGES, TOP, Block, PageRun, has_command_line, read_page

NO_COMMAND_LINE = "the command line does not exist yet"
BLOCKS = {path: read_page(path) for path in PAGES}


def left_out(block: Block) -> str:
    """Why a block does not run; "" if it does."""
    if block.skip:
        return block.skip
    return NO_COMMAND_LINE if block.language in ("python", "sh", "repl") and not has_command_line() else ""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TOP)))
def test_page(path: Path, tmp_path: Path) -> None:
    """Every block of the page that can run does what the page says."""
    run = PageRun(tmp_path)
    wrong = []
    for block in BLOCKS[path]:
        if left_out(block):
            continue
        try:
            run.run(block)
        except Exception as error:  # one run shows every block that is wrong
            wrong.append(f"{block}: {type(error).__name__}: {error}")
    run.close()
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("block", [block for page in BLOCKS.values() for block in page if left_out(block)], ids=str)
def test_left_out(block: Block) -> None:
    """A block that does not run says why, in the report of each test run."""
    pytest.skip(left_out(block))


def test_generated_pages_are_current() -> None:
    """Tables of methods, the library's pages and the grammar are what the sources say."""
    tool = TOP / "docs" / "tools" / "reference.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_diagnostic_is_documented() -> None:
    """Each code of the compiler has a section under its title."""
    text = (TOP / "docs" / "errors.md").read_text("utf-8")
    sections = dict(re.findall(r"^#### (E\d{4}): (.*)$", text, re.MULTILINE))
    assert sections == CODES
    assert list(sections) == sorted(sections)


def test_every_example_of_a_diagnostic_shows_it() -> None:
    """The example in the section of a code is reported under that code."""
    text = (TOP / "docs" / "errors.md").read_text("utf-8")
    wrong = []
    for code, section in re.findall(r"^#### (E\d{4}): [^\n]*\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL):
        if "```hold" in section and f"error: {code}" not in section and f"error[{code}]" not in section:
            wrong.append(code)
    assert not wrong, wrong


def test_files_in_examples_have_the_one_layout() -> None:
    """A file that a page shows is written as ``holdfast fmt`` writes it."""
    wrong = []
    for block in [block for page in BLOCKS.values() for block in page if block.file and block.language == "hold"]:
        formatted = format_source(block.text + "\n", block.file)
        if formatted != block.text + "\n":
            wrong.append(f"{block}:\n{formatted}")
    assert not wrong, "\n".join(wrong)


def test_constants_are_current() -> None:
    """The constants in the account of the design have the values that it says."""
    text = (TOP / "docs" / "design.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)/(\w+)\.py` \| `(\w+)` \| ([\d.]+) \|$", text, re.MULTILINE)
    assert rows
    wrong = []
    for package, module, name, value in rows:
        found = getattr(import_module(f"holdfast.{package}.{module}"), name)
        if found != float(value):
            wrong.append(f"{package}/{module}.py: {name} is {found}, not {value}")
    assert not wrong, "\n".join(wrong)


def test_limits_are_current() -> None:
    """The limits in the language's page are those of the machine and the compiler."""
    table = (TOP / "docs" / "language.md").read_text("utf-8").partition("## Limits")[2].partition("## Grammar")[0]
    shown = [re.sub(r"[^\d]", "", number) for number in re.findall(r"[\d,]*\d", table.partition("|---|---|")[2])]
    values = (
        limits.INT_BITS, limits.TEXT_LENGTH, limits.LIST_LENGTH, limits.BULK_ITEMS, limits.BULK_OBJECTS,
        limits.CALL_DEPTH, threads.ATOMIC_S, lexer.SOURCE_BYTES_MAX, lexer.TOKENS_MAX,
        lexer_core.BRACKET_DEPTH_MAX, lexer.COMMENT_DEPTH_MAX, parser.MAX_DEPTH, resolve.BASES_MAX,
        lifetimes.THREADS_MAX, messages.MAILBOX_MAX,
    )  # fmt: skip
    assert shown == [f"{value:g}" if value < 10 else str(value) for value in values]


def test_named_files_exist() -> None:
    """A file of the project that a page names is there."""
    wrong = []
    for path in PAGES:
        for name in re.findall(r"`((?:lang|vm|stdlib|repl|capnp|tests|bench|docs)/[\w/.*]+)`", path.read_text("utf-8")):
            if not name.endswith("/") and not list(TOP.glob(name)) and name != "bench/results":
                wrong.append(f"{path.relative_to(TOP)}: {name}")
    assert not wrong, "\n".join(wrong)


def test_exit_codes_are_current() -> None:
    """The table of exit codes is that of ``holdfast --help``."""
    text = (TOP / "docs" / "guides" / "operations.md").read_text("utf-8").partition("## Exit codes")[2]
    shown = re.findall(r"^\| (\d+) \| (.*?) \|$", text, re.MULTILINE)
    assert shown == re.findall(r"^  (\d+) +(.*)$", TABLE, re.MULTILINE)


def test_links_lead_somewhere() -> None:
    """A link to a file or to a heading of a page finds it."""
    wrong = []
    for path in PAGES:
        text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            found = (path.parent / name).resolve() if name else path
            if not found.exists():
                wrong.append(f"{path.relative_to(TOP)}: {target}")
            elif anchor and anchor not in anchors(found):
                wrong.append(f"{path.relative_to(TOP)}: {target} (no such heading)")
    assert not wrong, "\n".join(wrong)


def anchors(path: Path) -> set[str]:
    """The anchors that the headings of a page get."""
    found = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}
