"""Writes the parts of the documents that repeat what the sources say.

``python docs/tools/reference.py`` writes them anew; with ``--check`` it only says which are not current, and fails.

================  ==================================================================================
builtins.md       functions and methods of built-in kinds, from the docstrings of ``vm/builtins.py`` and
                  ``vm/methods`` and the doc comments of ``vm/prelude``
library.md        the standard library, from the doc comments of ``stdlib``
language.md       the grammar, from ``lang/grammar.lark``
================  ==================================================================================
"""

from __future__ import annotations

import inspect
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from holdfast.lang import tree
from holdfast.lang.diagnostics import Source
from holdfast.lang.parser import parse
from holdfast.stdlib import library, module_names, module_text
from holdfast.vm import devices
from holdfast.vm.methods import methods
from holdfast.vm.preludes import FOLDER as PRELUDE
from holdfast.vm.preludes import KIND_FILES
from holdfast.vm.show import to_source
from holdfast.vm.world import World

DOCS = Path(__file__).parent.parent
GRAMMAR = DOCS.parent / "lang" / "grammar.lark"
NOTE = "<!-- Written by docs/tools/reference.py: do not edit. -->\n"

KINDS = {
    "Int": "Numbers: Int and Float",
    "Text": "Text",
    "Bytes": "Bytes",
    "Range": "Range",
    "List": "List",
    "Map": "Map",
    "Set": "Set",
}
"""Kinds that have a section, with its heading; Float and Bool share the one of Int."""

FOLDERS = """\
What `--grant NAME=dir:PATH:r` puts into `caps.NAME`, and what its `open` gives: see [security](guides/security.md).
Paths are names separated by `/`, below the folder.

What changes something needs a grant with `rw`, and returns when it is done: the checkpoint that it depends on is on
disk, and the change behind it. What goes wrong is thrown there, a `ValueError`, or a `LimitError` where the host has no
space left. In an `atomic` nothing can wait: there changes are done at its end, in their order, or never if it throws;
what goes wrong is thrown behind it, with its assignments kept. To read from a folder behind a change in the same
`atomic` is an `AtomicError`. A change that a crash has cut short is done when the folder is granted the next time; see
[operations](guides/operations.md#files-of-the-host).
"""

_STATES = re.compile(r"^(?!let |var |for ).* (==|<|<=|>|>=|in|is|and) ")
"""An example that is true, rather than one that does something."""

Entry = tuple[str, str]
"""Signature and doc text."""


# --------------------------------------------------------------------------- doc texts


def parts(doc: str) -> tuple[str, list[str]]:
    """The words of a doc text in one paragraph a line, and its examples."""
    lines = inspect.cleandoc(doc).split("\n")
    examples = [line[2:] for line in lines if line.startswith("> ")]
    words = "\n".join(line for line in lines if not line.startswith("> ")).strip()
    return re.sub(r"(?<!\n)\n(?!\n)", " ", words).replace("``", "`").replace("  ", " "), examples


def host_signature(name: str, function: Callable[..., Any], method: bool) -> str:
    """How a host function is called."""
    shown = []
    for parameter in list(inspect.signature(function).parameters.values())[int(method) :]:
        plain = parameter.name.removeprefix("v_")
        if parameter.kind is parameter.VAR_POSITIONAL:
            shown.append("..." + plain)
        elif parameter.default is parameter.empty:
            shown.append(plain)
        elif type(parameter.default) is tuple:  # "nothing was given"
            shown.append(f"{plain} = []")
        else:
            shown.append(f"{plain} = {to_source(parameter.default)}")
    return f"{name}({', '.join(shown)})"


def hold_signature(name: str, function: tree.Function, text: str, method: bool) -> str:
    """How a function that is written in Hold is called."""
    given = [text[p.span[0] : p.span[1]] for p in function.parameters[int(method) :]]
    return f"{name}({', '.join(given)})"


def cell(text: str) -> str:
    """A text in a table."""
    return text.replace("\n\n", "<br>").replace("\n", " ").replace("|", "\\|")


def table(entries: list[Entry]) -> str:
    """Signatures with what they do and an example."""
    lines = ["| call | gives or does | example |", "|---|---|---|"]
    for signature, doc in entries:
        words, examples = parts(doc)
        shown = "<br>".join(f"`{example}`" for example in examples)
        lines.append(f"| `{cell(signature)}` | {cell(words)} | {cell(shown)} |")
    return "\n".join(lines)


# --------------------------------------------------------------------------- built-in kinds


def prelude(kind: str) -> Iterator[Entry]:
    """The methods of a kind that are written in Hold."""
    if kind not in KIND_FILES:
        return
    file = PRELUDE / f"{KIND_FILES[kind]}.hold"
    text = file.read_text("utf-8")
    for definition in parse(Source(file.name, text)).statements:
        if isinstance(definition, tree.FunctionDef):
            function = definition.function
            if [p.name for p in function.parameters[:1]] == ["self"]:
                yield hold_signature(definition.name, function, text, method=True), definition.doc or ""


def builtin_page(world: World) -> str:
    """builtins.md."""
    functions: list[Entry] = []
    for name, key in world.builtin_names.items():
        function = world.globals.get(key)
        if inspect.isfunction(function) and not name.endswith("Error"):
            functions.append((host_signature(name, function, method=False), function.__doc__ or ""))
    out = [
        "# Built-in functions and methods\n",
        NOTE,
        "Every program has these without an import. Parameters may be given by name. What a call "
        "refuses, and the limits of "
        "what it makes, are in [the language](language.md#errors); modules to import are in [the "
        "library](library.md).\n",
        "`print` writes its arguments; how values are written is in [the "
        "language](language.md#how-values-are-written).\n",
        "## Functions\n",
        table(functions) + "\n",
    ]
    host = methods(world)
    for kind, heading in KINDS.items():
        found = {entry[0].partition("(")[0]: entry for entry in prelude(kind)}
        found |= {name: (host_signature(name, f, method=True), f.__doc__ or "") for name, f in host[kind].items()}
        out += [f"## {heading}\n", intro(kind, host), table([found[name] for name in sorted(found)]) + "\n"]
    out += [
        "## Thread\n",
        "What `spawn` gives. Its fields are in [the language](language.md#threads).\n",
        table(host_methods(world.thread_class)) + "\n",
        "## Message\n",
        "What `receive` gives. Its fields are in [the language](language.md#messages).\n",
        table(host_methods(world.message_class)) + "\n",
        "## Console\n",
        "What a thread and those that it has started have printed: `t.output`.\n",
        table(host_methods(world.consoles.console_class)) + "\n",
        "## threads\n",
        "The threads of the world.\n",
        table(host_methods(type(world.globals["threads"]))) + "\n",
        "## Folders of the host\n",
        FOLDERS,
        table(device_methods(world, devices.Dir, "folder")) + "\n",
        table(device_methods(world, devices.Reader, "reader")),
    ]
    return "\n".join(out) + "\n"


def device_methods(world: World, kind: type, owner: str) -> list[Entry]:
    """The methods of a kind of device."""
    functions = {name: value for name, value in vars(world.device_classes[kind]).items() if name.startswith("m_")}
    return [
        (host_signature(f"{owner}.{name[2:]}", function, method=True), function.__doc__ or "")
        for name, function in functions.items()
    ]


def host_methods(kind: type) -> list[Entry]:
    """The methods of a class of the machine."""
    functions = {name[2:]: value for name, value in vars(kind).items() if name.startswith("m_")}
    return [(host_signature(name, f, method=True), f.__doc__ or "") for name, f in sorted(functions.items())]


def intro(kind: str, host: dict[str, dict[str, Callable[..., Any]]]) -> str:
    """A sentence in front of a kind's table."""
    if kind != "Int":
        return ""
    only_float = sorted(set(host["Float"]) - set(host["Int"]))
    only_int = sorted(set(host["Int"]) - set(host["Float"]))
    words = "A Bool has the methods of Int: `true` is 1, `false` is 0."
    if only_int:
        words += f" Of Int alone: {', '.join(f'`{name}`' for name in only_int)}."
    if only_float:
        words += f" Of Float alone: {', '.join(f'`{name}`' for name in only_float)}."
    return words + "\n"


# --------------------------------------------------------------------------- the library


def library_page() -> str:
    """library.md."""
    names = module_names()
    out = [
        "# The standard library\n",
        NOTE,
        'Modules that a program imports by name, as in `import "std/json" as json`.\n',
        "\n".join(f"- [`{name}`](#{name.replace('/', '')})" for name in names) + "\n",
    ]
    for name in names:
        out += [f"## {name}\n", *module(name)]
    return "\n".join(out)


def module(name: str) -> Iterator[str]:
    """The section of one module."""
    text = module_text(name) or ""
    program = parse(Source(name, text))
    alias = name.rpartition("/")[2]
    if program.doc:
        yield parts(program.doc)[0] + "\n"
    constants = [statement for statement in program.statements if isinstance(statement, tree.Let)]
    if constants:
        shown = (f"`{alias}.{text[let.span[0] : let.span[1]].removeprefix('let ')}`" for let in constants)
        yield f"Constants: {', '.join(shown)}.\n"
    for definition in program.statements:
        doc = getattr(definition, "doc", None)
        if not doc:
            continue
        if isinstance(definition, tree.FunctionDef):
            yield f"### `{alias}.{hold_signature(definition.name, definition.function, text, method=False)}`\n"
            yield from described(name, alias, doc)
        elif isinstance(definition, tree.Let):
            yield f"### `{alias}.{definition.name}`\n"
            yield from described(name, alias, doc)
        elif isinstance(definition, tree.ClassDef):
            given = list(takewhile(lambda field: not field.doc, definition.fields))  # the others are its state
            fields = ", ".join(text[f.span[0] : f.span[1]] for f in given)
            yield f"### `class {alias}.{definition.name}({fields})`\n"
            yield from described(name, alias, doc)
            rows = [(field.name, field.doc) for field in definition.fields if field.doc]
            for method in definition.methods:
                if method.doc and method.name != "init":
                    rows.append((hold_signature(method.name, method.function, text, method=False), method.doc))
            if rows:
                yield table(rows) + "\n"


def described(module_name: str, alias: str, doc: str) -> Iterator[str]:
    """Words and examples of one definition."""
    words, examples = parts(doc)
    yield words + "\n"
    if examples:
        lines = [f"assert {line}" if _STATES.search(line) else line for line in examples]
        others = [name for name in module_names() if name != module_name and name.rpartition("/")[2] + "." in doc]
        imports = [f'import "{name}" as {name.rpartition("/")[2]}' for name in [module_name, *others]]
        yield "\n".join(["```hold", *imports, *lines, "```\n"])


# --------------------------------------------------------------------------- the grammar


def grammar() -> str:
    """The grammar without what only the compiler needs of it."""
    lines = []
    for line in GRAMMAR.read_text("utf-8").split("\n"):
        if line.startswith(("%declare", "//")):
            continue
        line = re.sub(r"\s*->\s*\w+\s*$", "", line)
        lines.append(re.sub(r"^(\w+)\.\d+:", r"\1:", line))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return f"```lark\n{text}\n```"


def between(page: str, name: str, content: str) -> str:
    """A page with what stands between two marks replaced."""
    start, end = f"<!-- {name}: written by docs/tools/reference.py -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"language.md has no marks for {name}")
    return f"{before}{start}\n\n{content}\n\n{end}{after}"


# --------------------------------------------------------------------------- all of it


def pages() -> dict[str, str]:
    """Name of each page to its text."""
    with tempfile.TemporaryDirectory() as folder, World.open(Path(folder) / "world", library=library()) as world:
        builtins = builtin_page(world)
    language = (DOCS / "language.md").read_text("utf-8")
    return {
        "builtins.md": builtins,
        "library.md": library_page(),
        "language.md": between(language, "grammar", grammar()),
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are not current."""
    stale = [name for name, text in pages().items() if not is_current(name, text)]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/{name} is not current: run python docs/tools/reference.py", file=sys.stderr)  # noqa: T201
        return int(bool(stale))
    for name, text in pages().items():
        if name in stale:
            (DOCS / name).write_text(text, "utf-8")
    return 0


def is_current(name: str, text: str) -> bool:
    """Whether the page on disk is this one."""
    path = DOCS / name
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
