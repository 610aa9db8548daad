"""``holdfast check`` and ``holdfast fmt``: files of Hold, without running them."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

from holdfast.lang.diagnostics import CompileError, Diagnostic
from holdfast.repl import exits
from holdfast.repl.console import say
from holdfast.repl.exits import Failure
from holdfast.repl.files import STDIN, folder_of, loader, read_source, reason, shown
from holdfast.repl.local import Options, open_world
from holdfast.repl.problems import tell_diagnostics


def check_files(paths: tuple[str, ...], as_json: bool) -> int:
    """Compile each file in a world that is thrown away."""
    found: list[tuple[str, Diagnostic]] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-check-") as folder:
        for number, path in enumerate(paths):
            text = _text(path, found)
            if text is None:
                continue
            with open_world(Options(os.path.join(folder, str(number)), "process")) as world:
                world.modules.loader = loader(folder_of(path))
                try:
                    world.modules.compile(text, shown(path), shown(path), "program")
                except CompileError as error:
                    found += [(path, diagnostic) for diagnostic in error.diagnostics]
    if as_json:
        print(json.dumps([as_data(path, diagnostic) for path, diagnostic in found]))
    for _, diagnostic in [] if as_json else found:
        tell_diagnostics(diagnostic.render() + "\n")
    if not as_json:
        files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
        errors = "1 error" if len(found) == 1 else f"{len(found)} errors"
        say(f"{files}, {errors}" if found else f"{files}, no errors")
    return exits.COMPILE if found else exits.OK


def _text(path: str, found: list[tuple[str, Diagnostic]]) -> str | None:
    try:
        return read_source(path)
    except CompileError as error:
        found += [(path, diagnostic) for diagnostic in error.diagnostics]
        return None


def as_data(path: str, diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic for scripts."""
    line, column = diagnostic.source.position(diagnostic.span[0])
    end_line, end_column = diagnostic.source.position(diagnostic.span[1])
    return {
        "file": path,
        "source": diagnostic.source.name,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def format_files(paths: tuple[str, ...], only_check: bool) -> int:
    """Format each file; a file with errors is left as it is."""
    from holdfast.lang.format import FormatError, format_source

    code = exits.OK
    for path in paths:
        try:
            text = read_source(path)
            formatted = format_source(text, shown(path))
        except CompileError as error:
            tell_diagnostics(str(error))
            code = exits.COMPILE
            continue
        except FormatError as error:
            raise Failure(str(error), exits.INTERNAL) from None
        if path == STDIN and not only_check:
            sys.stdout.write(formatted)
        elif formatted != text:
            if only_check:
                say(f"{path} would change")
                code = code or exits.FAILED
            else:
                _replace(path, formatted)
                say(f"{path} formatted")
    return code


def _replace(path: str, text: str) -> None:
    """Write a file anew, in one step: nobody ever finds half of it."""
    target = os.path.realpath(path)
    try:
        mode = os.stat(target).st_mode & 0o7777
        handle, name = tempfile.mkstemp(prefix=".fmt-", dir=os.path.dirname(target))
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(name, mode)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise Failure(f"cannot write {path}: {reason(error)}", exits.FAILED) from None
