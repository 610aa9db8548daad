"""Reading source files, with every failure in words."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from holdfast.lang.lexer import SOURCE_BYTES_MAX, decode
from holdfast.repl.exits import Failure

STDIN = "-"

REASONS = {
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EISDIR: "it is a folder",
    errno.EACCES: "this user may not read it",
    errno.ELOOP: "its links go in a circle",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the disk reports an error",
}


def reason(error: OSError) -> str:
    """Why something could not be done with a file."""
    return REASONS.get(error.errno or 0) or (error.strerror or "unknown error").lower()


def read_bytes(path: str) -> bytes:
    """The content of a file, or of stdin for ``-``; of one that is too large, a little more than is allowed.

    Raises Failure.
    """
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(SOURCE_BYTES_MAX + 1)
        with open(path, "rb") as file:
            return file.read(SOURCE_BYTES_MAX + 1)
    except OSError as error:
        raise Failure(f"cannot read {path}: {reason(error)}") from None
    except ValueError:  # a NUL in the name
        raise Failure(f"cannot read {path!r}: it is no name of a file") from None


def read_source(path: str) -> str:
    """The text of a source file.

    Raises Failure, or CompileError when it is no UTF-8 or too large.
    """
    return decode(read_bytes(path), shown(path))


def shown(path: str) -> str:
    """How errors name the file."""
    return "<stdin>" if path == STDIN else os.path.basename(path) or path


def loader(folder: Path) -> Callable[[str], str | None]:
    """What finds imported modules: files below a folder.  None where there is no file: the world may know it.

    It raises OSError when a file cannot be read, CompileError when it is no text.
    """

    def load(name: str) -> str | None:
        file = folder / name
        if not file.exists():
            return None
        with open(file, "rb") as opened:
            return decode(opened.read(SOURCE_BYTES_MAX + 1), name)

    return load


def folder_of(path: str) -> Path:
    """The folder in which a program's imports are looked for."""
    return Path.cwd() if path == STDIN else Path(path).parent
