"""Files below a host folder: reading and changing them by paths that cannot lead out of it.

A path is walked one component at a time with ``openat`` and ``O_NOFOLLOW``, from the descriptor of the folder: no
``..``, no link and no race leads out.  Functions here know nothing of worlds, and raise OSError, which
:func:`reason` words without anything of the host.

A changed file is on disk when the function returns, unless ``sync`` is false.  Each change can be done again after a
crash in the middle of it or behind it (``again``):

=============== ==============================================================================================
write_file      writes under a name that was chosen before, then renames; doing it again does the same
append_file     compares what stands behind the length that the file had before with what is to be appended
make_folder     a folder that is there is as good as made
remove, rename  what is gone already was removed or renamed
=============== ==============================================================================================
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager

PATH_PARTS_MAX = 64
PART_PREFIX, PART_SUFFIX = ".holdfast-", ".part"
"""A file that is being written has a name like this until it is complete."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_REASONS = {
    errno.ENOENT: "there is no such file or folder",
    errno.EACCES: "the host refuses it",
    errno.EPERM: "the host refuses it",
    errno.EEXIST: "there is a file of this name already",
    errno.EXDEV: "that place is on another disk",
    errno.ENOTDIR: "a part of it is no folder",
    errno.EISDIR: "it is a folder",
    errno.EINVAL: "a folder cannot be put into itself, nor a file have this name",
    errno.EMFILE: "too many files of the host are open",
    errno.ENFILE: "too many files of the host are open",
    errno.EFBIG: "the file would be too large for the host",
    errno.ENOSPC: "there is no space left on the host's disk",
    errno.EDQUOT: "there is no space left on the host's disk",
    errno.EROFS: "the host's disk is read-only",
    errno.ELOOP: "it is a link",
    errno.ENAMETOOLONG: "a name in it is too long for the host",
    errno.ENOTEMPTY: "the folder is not empty",
    errno.ENXIO: "it is no file with contents",
}
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Failures that are a limit of the host."""


def reason(error: OSError) -> str:
    """Why the host could not do it.  Only the kind of the failure is told: the host's own text names its paths."""
    return _REASONS.get(error.errno or 0, "the host cannot do it")


def part_name() -> str:
    """A name under which a file can be written until it is complete."""
    return f"{PART_PREFIX}{secrets.token_hex(8)}{PART_SUFFIX}"


def is_part(name: str) -> bool:
    """Whether a name is one of those."""
    return name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX) and "/" not in name and "\0" not in name


def leads_inside(path: str) -> bool:
    """Whether a path is names separated by ``/``, none of which leads up."""
    parts = path.split("/")
    return len(parts) <= PATH_PARTS_MAX and not any(p in ("", ".", "..") or "\0" in p for p in parts)


# --------------------------------------------------------------------------- walking


@contextmanager
def parent(folder: int, parts: list[str]) -> Iterator[int]:
    """A descriptor of the folder that holds the last component of a path."""
    current = os.dup(folder)
    try:
        for part in parts[:-1]:
            following = os.open(part, _FOLDER, dir_fd=current)
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def open_at(folder: int, parts: list[str], flags: int) -> int:
    """A descriptor of the last component of a path; a pipe or device does not make this wait."""
    with parent(folder, parts) as above:
        return os.open(parts[-1], flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=above)


def open_folder(folder: int, parts: list[str]) -> int:
    """A descriptor of a folder."""
    return open_at(folder, parts, os.O_RDONLY | os.O_DIRECTORY)


def length(folder: int, parts: list[str]) -> int:
    """How long a file is; 0 if there is none that can be written to."""
    try:
        fd = open_at(folder, parts, os.O_WRONLY)
    except OSError:
        return 0
    try:
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


# --------------------------------------------------------------------------- changing


def write_file(folder: int, parts: list[str], content: bytes, part: str, sync: bool) -> None:
    """Make or replace a file: whoever looks sees the old content or the new one.  ``part`` is its name until then."""
    name = parts[-1]
    with parent(folder, parts) as above:
        mode = _mode_of(above, name)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666, dir_fd=above)
        try:
            try:
                if mode is not None:
                    os.fchmod(fd, mode)
                _write_all(fd, content)
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(part, name, src_dir_fd=above, dst_dir_fd=above)
        except OSError:
            os.unlink(part, dir_fd=above)
            raise
        if sync:
            os.fsync(above)


def append_file(folder: int, parts: list[str], content: bytes, before: int, sync: bool, again: bool = False) -> None:
    """Put the content behind that of a file, which is made if it is not there; ``before`` is how long it was."""
    with parent(folder, parts) as above:
        flags = (os.O_RDWR if again else os.O_WRONLY) | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(parts[-1], flags, 0o666, dir_fd=above)
        try:
            _regular(fd)
            start = os.fstat(fd).st_size
            try:
                _write_all(fd, _missing(fd, content, before) if again else content)
            except OSError:
                os.ftruncate(fd, start)  # not half of it
                raise
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        if sync:
            os.fsync(above)


def make_folder(folder: int, parts: list[str], sync: bool) -> None:
    """Make a folder, and those above it, as far as they are missing."""
    current = os.dup(folder)
    try:
        for part in parts:
            try:
                os.mkdir(part, dir_fd=current)
                if sync:
                    os.fsync(current)
            except FileExistsError:
                pass
            following = os.open(part, _FOLDER, dir_fd=current)
            os.close(current)
            current = following
    finally:
        os.close(current)


def remove(folder: int, parts: list[str], sync: bool, again: bool = False) -> None:
    """Remove a file, a link (not what it leads to), or an empty folder."""
    with parent(folder, parts) as above:
        try:
            if stat.S_ISDIR(os.stat(parts[-1], dir_fd=above, follow_symlinks=False).st_mode):
                os.rmdir(parts[-1], dir_fd=above)
            else:
                os.unlink(parts[-1], dir_fd=above)
        except FileNotFoundError:
            if not again:
                raise
        if sync:
            os.fsync(above)


def rename(folder: int, parts: list[str], new: list[str], sync: bool, again: bool = False) -> None:
    """Give a file or folder another path; a file that has it already is replaced."""
    with parent(folder, parts) as above, parent(folder, new) as target:
        try:
            os.rename(parts[-1], new[-1], src_dir_fd=above, dst_dir_fd=target)
        except FileNotFoundError:
            if not again:
                raise
        if sync:
            os.fsync(target)
            os.fsync(above)


def _mode_of(above: int, name: str) -> int | None:
    """The permissions of a file that is to be replaced, None if there is none; it must be one that can be written."""
    try:
        fd = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=above)
    except FileNotFoundError:
        return None
    try:
        return stat.S_IMODE(_regular(fd)) & 0o777
    finally:
        os.close(fd)


def _regular(fd: int) -> int:
    """The mode of an open file, which must be one with contents."""
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.ENXIO, "no regular file")
    return mode


def _write_all(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _missing(fd: int, content: bytes, before: int) -> bytes:
    """What an append that was perhaps done has still to write.

    Others may have appended as well, so the content is looked for in all that stands behind the old length.
    """
    tail = bytearray()
    while piece := os.pread(fd, 1 << 20, before + len(tail)):
        tail += piece
    if content in tail:
        return b""
    return content[len(tail) :] if content.startswith(bytes(tail)) else content
