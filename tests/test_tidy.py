"""The habits of the project, as tests: what a linter does not know."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOP = Path(__file__).parent.parent
THIS = Path(__file__).name
PACKAGES = ("api", "lang", "vm", "stdlib", "repl")
FOLDERS = (*PACKAGES, "capnp", "tests", "bench", "docs", ".ci")
TEXT = {".capnp", ".hold", ".lark", ".md", ".py", ".toml"}
NOT_OURS = {"__pycache__", "results"}

MODULE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
LINE_LENGTH_MAX = 120

BANNED = {
    r"\bTODO\b|\bFIXME\b|\bXXX\b": "do it now, or say in the docs what is missing",
    r"except(\s+(Base)?Exception)?\s*:\s*pass\b": "name the error, and say why it may be dropped",
    r"\btime\.sleep\(": "wait for the event itself",
    r"/(?:home|root|Users)/\w": "a path below the project, or one that the caller gives",
    r"\b(?:black|white)list": "allow list, deny list",
    r"\butilize": "use",
    r"\bsanity\b": "name what is checked",
}
"""Patterns that no file may contain, and what to do instead."""


@cache
def files() -> dict[str, str]:
    """The text of every file of the project, by its path from the top."""
    paths = [path for path in TOP.iterdir() if path.is_file()]
    for folder in FOLDERS:
        paths += [path for path in (TOP / folder).rglob("*") if path.is_file()]
    paths = [path for path in paths if path.suffix in TEXT or path.name in ("Makefile", "run")]
    names = {path.relative_to(TOP): path for path in sorted(paths)}
    return {str(name): path.read_text("utf-8") for name, path in names.items() if not NOT_OURS & set(name.parts)}


@cache
def modules() -> dict[str, ast.Module]:
    """The syntax tree of every module of the packages."""
    return {name: ast.parse(text, name) for name, text in files().items() if in_packages(name, *PACKAGES)}


def in_packages(name: str, *packages: str) -> bool:
    """Whether this is a Python file of one of the packages."""
    return name.endswith(".py") and name.partition("/")[0] in packages


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions of the module and methods of its classes whose names have no leading underscore."""
    owners: list[ast.Module | ast.ClassDef] = [tree]
    for owner in owners:
        for node in owner.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners.append(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                yield node


def imported(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a module imports, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def check_none(offences: Iterable[str]) -> None:
    """Fail with one line for each offence."""
    lines = list(offences)
    assert not lines, "\n".join(["", *lines])


def test_modules_are_short() -> None:
    """A module fits into one head: it has at most 600 lines."""
    sizes = {name: len(files()[name].splitlines()) for name in modules()}
    check_none(f"{name}: {size} lines" for name, size in sizes.items() if size > MODULE_LINES_MAX)


def test_functions_are_short() -> None:
    """A function fits on one screen: it has at most 70 lines."""
    sizes = {
        f"{name}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, tree in modules().items()
        for node in functions(tree)
    }
    check_none(f"{name}: {size} lines" for name, size in sizes.items() if size > FUNCTION_LINES_MAX)


def test_lines_are_short() -> None:
    """A line has at most 120 characters, but for the tables and links of documents."""
    check_none(
        f"{name}:{number}"
        for name, text in files().items()
        if not name.endswith(".md")
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > LINE_LENGTH_MAX
    )


def test_no_banned_words() -> None:
    """No file holds what the project does without."""
    check_none(
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found.group()!r}; instead: {instead}"
        for name, text in files().items()
        if not name.endswith(THIS)
        for pattern, instead in BANNED.items()
        for found in re.finditer(pattern, text)
    )


def test_public_functions_are_documented() -> None:
    """Every public function of the language and the machine says what it does."""
    check_none(
        f"{name}:{node.lineno} {node.name}"
        for name, tree in modules().items()
        if in_packages(name, "lang", "vm")
        for node in public_functions(tree)
        if not ast.get_docstring(node)
    )


def test_modules_are_documented() -> None:
    """Every module that is not empty says what it is for."""
    check_none(name for name, tree in modules().items() if tree.body and not ast.get_docstring(tree))


def test_no_dead_files() -> None:
    """Every module is imported by another file, or loaded by its name; every grammar and schema is opened by one."""
    python = {name: text for name, text in files().items() if name.endswith(".py")}
    imports = {name: set(imported(ast.parse(text, name))) for name, text in python.items()}

    def used(name: str) -> bool:
        path = Path(name)
        if path.suffix in (".lark", ".capnp"):
            return any(path.name in text for text in python.values())
        if name not in modules() or path.stem in ("__init__", "__main__"):
            return True
        parts = path.with_suffix("").parts
        module = ".".join(("holdfast", *(parts[1:] if parts[0] == "api" else parts)))
        by_name = re.compile(rf"""(["']|-m ){re.escape(module)}\b""")
        return any(
            module in imports.get(other, ()) or by_name.search(text) for other, text in files().items() if other != name
        )

    check_none(name for name in files() if not used(name))


def test_imports_are_declared() -> None:
    """The packages import nothing but the standard library, each other, and what pyproject.toml declares."""
    project = tomllib.loads(files()["pyproject.toml"])["project"]
    declared = {re.split(r"[^\w.-]", dependency)[0] for dependency in project["dependencies"]}
    known = {"capnp" if name == "pycapnp" else name for name in declared} | {"holdfast"} | sys.stdlib_module_names
    used = {(name, found.partition(".")[0]) for name, tree in modules().items() for found in imported(tree)}
    check_none(f"{name}: {found}" for name, found in sorted(used) if found not in known)
