"""Devices: the only file that hands out authority over the host.

A device is a capability that whoever opens a world grants under a name: ``caps.NAME``.  None exists unless granted.
This file has host folders (:class:`Dir`).  A device may be stored like any object, but what is stored is only its
kind: in a later run it is dead until it is granted again.

Paths are confined to the folder by :mod:`holdfast.vm.folders`.  Changes go through :mod:`holdfast.vm.file_outbox`.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.vm import folders, ids
from holdfast.vm.helpers import guest_callable
from holdfast.vm.limits import BYTES_LENGTH, TEXT_LENGTH, count
from holdfast.vm.objects import NEW, Capability, Obj, fail, kind_name, read_only, seal, world_class

if TYPE_CHECKING:
    from holdfast.vm.file_outbox import FileOutbox

READ_MAX = TEXT_LENGTH
WRITE_MAX = BYTES_LENGTH
CHUNK = 1 << 20
"""Bytes that a reader gives at a time, if not told otherwise."""
NAMES_MAX = 100_000


@seal
class Dir(Capability):
    """A host folder; ``rights`` is ``r`` or ``rw``."""

    __slots__ = ("fd", "place", "rights")
    _k = ids.DEVICE_DIR
    _slots = ("rights",)
    _name = "Dir"
    f_rights = read_only("rights")
    rights: Any
    fd: int
    place: bytes
    """The host's own path of the folder; no program sees it."""

    def holds(self, path: str | Path) -> bool:
        """Whether a path of the host leads into the folder, or to it, or the folder is inside of it."""
        other = os.fsencode(os.path.realpath(path))
        return os.path.commonpath([self.place, other]) in (self.place, other)


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
    made.place = os.fsencode(os.path.realpath(path))
    made.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    return made


def _path(where: str, path: Any) -> str:
    if type(path) is not str:
        fail("TypeError", f"{where} needs a Text as path, not {kind_name(path)}")
    if not folders.leads_inside(path):
        fail("CapabilityError", f"'{path[:100]}' is no path inside the folder: it takes names separated by /")
    return path


def _content(where: str, content: Any) -> bytes:
    if type(content) is str:
        content = content.encode()
    if type(content) is not bytes:
        fail("TypeError", f"{where} needs a Text or Bytes as content, not {kind_name(content)}")
    raw: bytes = content
    if len(raw) > WRITE_MAX:
        over = f"{count(len(raw))} bytes are over the limit of {count(WRITE_MAX)}"
        fail("LimitError", f"{over} for one {where}: use append in several steps")
    return raw


def _folder(self: Dir) -> int:
    try:
        return self.fd
    except AttributeError:
        fail("CapabilityError", "this folder was granted in an earlier run: grant it again")


def _open(self: Dir, path: str, flags: int) -> int:
    """A descriptor of what a path leads to."""
    try:
        return folders.open_at(_folder(self), path.split("/"), flags)
    except OSError as error:
        fail("ValueError", f"'{path[:100]}' cannot be opened: {folders.reason(error)}")


def _regular(self: Dir, where: str, path: Any) -> tuple[int, int]:
    fd = _open(self, _path(where, path), os.O_RDONLY)
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        what = "it is a folder" if stat.S_ISDIR(info.st_mode) else "it is no file with contents"
        fail("ValueError", f"'{path[:100]}' cannot be read: {what}")
    return fd, info.st_size


def _read(self: Dir, where: str, path: Any) -> bytes:
    fd, size = _regular(self, where, path)
    with os.fdopen(fd, "rb") as file:
        if size > READ_MAX:
            over = f"{count(size)} bytes, over the limit of {count(READ_MAX)}"
            fail("LimitError", f"'{path}' has {over}: use open and read in chunks")
        return file.read(READ_MAX)


def folder_methods(
    files: FileOutbox, new_list: Callable[[list[Any]], Any], reader_class: type[Reader]
) -> dict[str, Callable[..., Any]]:
    """The methods of folders in one world."""

    def read(self: Any, path: Any) -> str:
        """The whole content of a file, as Text (UTF-8)."""
        files.may_read()
        try:
            return _read(self, "read", path).decode()
        except UnicodeDecodeError as error:
            fail("ValueError", f"'{path}' is not UTF-8: byte {error.start} does not fit; use read_bytes")

    def read_bytes(self: Any, path: Any) -> bytes:
        """The whole content of a file."""
        files.may_read()
        return _read(self, "read_bytes", path)

    def open_(self: Any, path: Any) -> Any:
        """A reader that gives the file in chunks."""
        files.may_read()
        fd, size = _regular(self, "open", path)
        made: Any = reader_class()
        made._t, made._i = None, NEW
        made.size, made.done = size, 0
        made.file = os.fdopen(fd, "rb")
        made.decoder = codecs.getincrementaldecoder("utf-8")()
        return made

    def names(self: Any, path: Any = None) -> Any:
        """The names in the folder, or in one below it, sorted."""
        files.may_read()
        inner = None if path is None else _path("names", path)
        fd = os.dup(_folder(self)) if inner is None else _open(self, inner, os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = sorted(os.listdir(fd))
        finally:
            os.close(fd)
        if len(found) > NAMES_MAX:
            fail("LimitError", f"the folder has {count(len(found))} names, over the limit of {count(NAMES_MAX)}")
        return new_list([name for name in found if name.isprintable() and not folders.is_part(name)])

    return {"read": read, "read_bytes": read_bytes, "open": open_, "names": names}


def changing_methods(files: FileOutbox) -> dict[str, Callable[..., Any]]:
    """Those that change something; each returns when that is done."""

    def change(self: Any, verb: str, path: str, content: bytes = b"", more: Any = None) -> None:
        folder = _folder(self)
        if "w" not in self.rights:
            fail("CapabilityError", f"{verb} is refused, as the folder was granted for reading: grant it with :rw")
        files.change(folder, self.place, verb, path, content, more)

    def write(self: Any, path: Any, content: Any) -> None:
        """Make or replace a file with this content, a Text (as UTF-8) or Bytes."""
        change(self, "write", _path("write", path), _content("write", content), folders.part_name())

    def append(self: Any, path: Any, content: Any) -> None:
        """Add a Text (as UTF-8) or Bytes at the end of a file, which is made if it is not there."""
        change(self, "append", _path("append", path), _content("append", content))

    def make_folder(self: Any, path: Any) -> None:
        """Make a folder, and those above it, as far as they are missing."""
        change(self, "make_folder", _path("make_folder", path))

    def remove(self: Any, path: Any) -> None:
        """Remove a file, or an empty folder."""
        change(self, "remove", _path("remove", path))

    def rename(self: Any, path: Any, new: Any) -> None:
        """Give a file or folder another path in the granted folder; a file that has it already is replaced."""
        change(self, "rename", _path("rename", path), more=_path("rename", new))

    return {"write": write, "append": append, "make_folder": make_folder, "remove": remove, "rename": rename}


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


def named_object(name: str, methods: dict[str, Callable[..., Any]]) -> Any:
    """An object that is part of every world and has nothing but methods; it is stored by its name."""
    space: dict[str, Any] = {"__slots__": (), "_name": name, "__module__": "hold"}
    callables = {f"m_{method}": guest_callable(function, method) for method, function in methods.items()}
    made: Any = seal(type(name, (Obj,), space | callables))()
    made._t, made._i = None, NEW
    return made


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


def install_devices(
    register: Callable[[type[Obj]], None], new_list: Callable[[list[Any]], Any], files: FileOutbox
) -> dict[type, type]:
    """Make the classes of devices of one world; returns the base class to the world's own."""
    folder, reader = world_class(Dir), world_class(Reader)
    tables: dict[Any, dict[str, Callable[..., Any]]] = {
        folder: folder_methods(files, new_list, reader) | changing_methods(files),
        reader: {"next": next_, "close": close},
    }
    for owner, table in tables.items():
        register(owner)
        for name, function in table.items():
            setattr(owner, "m_" + name, guest_callable(function, name))
    return {Dir: folder, Reader: reader}
