"""Devices: the only file that hands out authority over the host.

A device is a capability that whoever opens a world grants under a name: ``caps.NAME``.  None exists unless granted.
This file has host directories (:class:`Dir`).  A device may be stored like any object, but what is stored is only its
kind: in a later run it is dead until it is granted again.

Directories are confined by walking paths one component at a time with ``openat`` and ``O_NOFOLLOW``: no ``..``, no
link and no race leads out.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.vm import ids
from holdfast.vm.helpers import guest_callable
from holdfast.vm.limits import TEXT_LENGTH
from holdfast.vm.objects import NEW, Capability, Obj, fail, kind_name, read_only, seal, world_class

READ_MAX = TEXT_LENGTH
CHUNK = 1 << 20
"""Bytes that a reader gives at a time, if not told otherwise."""
NAMES_MAX = 100_000
PATH_PARTS_MAX = 64


@seal
class Dir(Capability):
    """A host folder; ``rights`` is ``r`` or ``rw``."""

    __slots__ = ("fd", "rights")
    _k = ids.DEVICE_DIR
    _slots = ("rights",)
    _name = "Dir"
    f_rights = read_only("rights")
    rights: Any
    fd: int


@seal
class Reader(Capability):
    """An open host file, read in chunks."""

    __slots__ = ("decoder", "done", "file", "size")
    _k = ids.DEVICE_READER
    _slots = ("size", "done")
    _name = "Reader"
    f_size, f_done = read_only("size"), read_only("done")
    size: Any
    done: Any
    file: Any
    decoder: Any


def open_dir(path: str | Path, rights: str = "r") -> Dir:
    """A device for a host folder.

    Raises OSError when the folder cannot be opened, ValueError for other rights than ``r`` and ``rw``.
    """
    if rights not in ("r", "rw"):
        raise ValueError(rights)
    made = Dir()
    made._t, made._i = None, NEW
    made.rights = rights
    made.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    return made


def _parts(where: str, path: Any) -> list[str]:
    if type(path) is not str:
        fail("TypeError", f"{where} needs a Text, not {kind_name(path)}")
    parts = path.split("/")
    if len(parts) > PATH_PARTS_MAX or any(p in ("", ".", "..") or "\0" in p for p in parts):
        fail("CapabilityError", f"'{path[:100]}' is no path inside the folder: it takes names separated by /")
    return parts


def _folder(self: Dir) -> int:
    try:
        return self.fd
    except AttributeError:
        fail("CapabilityError", "this folder was granted in an earlier run: grant it again")


def _open(self: Dir, where: str, path: Any, flags: int) -> int:
    """A descriptor of the path's last component; every component is opened without following links."""
    parts = _parts(where, path)
    current = os.dup(_folder(self))
    try:
        for part in parts[:-1]:
            following = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = following
        return os.open(parts[-1], flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=current)
    except OSError as error:
        # Only the kind of the failure is told: the host's own text names its paths.
        reasons = {
            2: "there is no such file",
            13: "the host refuses it",
            20: "a part of it is no folder",
            40: "it is a link",
        }
        fail("ValueError", f"'{path}' cannot be opened: {reasons.get(error.errno or 0, 'the host cannot open it')}")
    finally:
        os.close(current)


def _regular(self: Dir, where: str, path: Any) -> tuple[int, int]:
    fd = _open(self, where, path, os.O_RDONLY)
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        fail("ValueError", f"'{path}' is no file that can be read")
    return fd, info.st_size


def read_bytes(self: Dir, path: Any) -> bytes:
    """The whole content of a file."""
    fd, size = _regular(self, "read_bytes", path)
    with os.fdopen(fd, "rb") as file:
        if size > READ_MAX:
            fail("LimitError", f"'{path}' has {size} bytes, over the limit of {READ_MAX}: use open and read in chunks")
        return file.read(READ_MAX)


def read(self: Dir, path: Any) -> str:
    """The whole content of a file, as Text (UTF-8)."""
    try:
        return read_bytes(self, path).decode()
    except UnicodeDecodeError as error:
        fail("ValueError", f"'{path}' is not UTF-8: byte {error.start} does not fit; use read_bytes")


def open_(self: Dir, path: Any) -> Reader:
    """A reader that gives the file in chunks."""
    fd, size = _regular(self, "open", path)
    made = Reader()
    made._t, made._i = None, NEW
    made.size, made.done = size, 0
    made.file = os.fdopen(fd, "rb")
    made.decoder = codecs.getincrementaldecoder("utf-8")()
    return made


def names(self: Dir, path: Any = None) -> list[str]:
    """The names in a folder, sorted."""
    fd = os.dup(_folder(self)) if path is None else _open(self, "names", path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = sorted(os.listdir(fd))
    finally:
        os.close(fd)
    if len(found) > NAMES_MAX:
        fail("LimitError", f"the folder has {len(found)} names, over the limit of {NAMES_MAX}")
    return [name for name in found if name.isprintable()]


class Caps(Obj):
    """The capability set of the running program: what was granted, by name."""

    __slots__ = ()
    _name = "caps"


def make_caps(grants: dict[str, Any], new_list: Any) -> Caps:
    """The object ``caps`` of a world.  Its class is made for it: each grant is an attribute of the class.

    It is stored by its name, as it is the same in every run, whatever is granted.
    """

    def names_(self: Any) -> Any:
        """The names of what was granted."""
        return new_list(sorted(grants))

    space: dict[str, Any] = {"__slots__": (), "_name": "caps", "__module__": "hold", "_no_field": _not_granted}
    made: Any = seal(type("caps", (Caps,), space | {"m_names": names_}))()
    made._t, made._i = None, NEW
    for name, device in grants.items():
        add_grant(made, name, device)
    return made  # type: ignore[no-any-return]


def add_grant(caps: Caps, name: str, device: Any) -> None:
    """Make a device a field of ``caps``."""
    setattr(type(caps), "f_" + name, _granted(device))


def _granted(device: Any) -> property:
    return property(lambda self: device)


def _not_granted(name: str) -> Any:
    fail("CapabilityError", f"nothing is granted under the name '{name}': give --grant {name}=… on the command line")


def next_(self: Reader, size: Any = CHUNK) -> str | None:
    """The next chunk as Text, about ``size`` bytes of the file; nil at the end."""
    if type(size) is not int or not 1 <= size <= READ_MAX:
        fail("ValueError", f"a chunk has 1 to {READ_MAX} bytes")
    try:
        raw = self.file.read(size)
    except AttributeError:
        fail("CapabilityError", "this file was opened in an earlier run: open it again")
    self.done += len(raw)
    try:
        text: str = self.decoder.decode(raw, final=not raw)
    except UnicodeDecodeError:
        fail("ValueError", f"the file is not UTF-8 (before byte {self.done})")
    if not raw:
        self.file.close()
        return text or None
    return text or next_(self, size)


def close(self: Reader) -> None:
    """Let go of the file."""
    self.file.close()


def install_devices(register: Callable[[type[Obj]], None], new_list: Callable[[list[Any]], Any]) -> dict[type, type]:
    """Make the classes of devices of one world; returns the base class to the world's own."""
    folder, reader = world_class(Dir), world_class(Reader)

    def listed(self: Any, path: Any = None) -> Any:
        """The names in a folder, sorted."""
        return new_list(names(self, path))

    def opened(self: Any, path: Any) -> Any:
        """A reader that gives the file in chunks."""
        made: Any = open_(self, path)
        made.__class__ = reader
        return made

    tables: dict[Any, dict[str, Callable[..., Any]]] = {
        folder: {"read": read, "read_bytes": read_bytes, "open": opened, "names": listed},
        reader: {"next": next_, "close": close},
    }
    for owner, table in tables.items():
        register(owner)
        for name, function in table.items():
            setattr(owner, "m_" + name, guest_callable(function, name))
    return {Dir: folder, Reader: reader}
