"""Devices: the only file that hands out authority over the host.

A device is a capability that whoever opens a world grants under a name: ``caps.NAME``.  None exists unless granted.
A device may be stored like any object, but what is stored is only its kind: in a later run it is dead until it is
granted again.

=================  =================================================================================
:class:`Dir`       a host folder, for reading or for reading and writing; ``folder`` narrows it
:class:`Clock`     the present time, or one that stands still
:class:`Random`    random numbers, or those of a seed, which are the same in every run
:class:`Env`       some variables of the host's environment, by name
:class:`Terminal`  what a thread prints reaches the terminal (``console``)
=================  =================================================================================

Paths are confined to the folder by :mod:`holdfast.vm.folders`.  Changes go through :mod:`holdfast.vm.file_outbox`.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from holdfast.vm import folders, ids
from holdfast.vm.helpers import guest_callable
from holdfast.vm.limits import BYTES_LENGTH, TEXT_LENGTH, count
from holdfast.vm.methods.arguments import needs
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


@seal
class Clock(Capability):
    """The present time; ``frozen`` is the instant at which it stands still, or nil."""

    __slots__ = ("frozen", "live")
    _k = ids.DEVICE_CLOCK
    _slots = ("frozen",)
    _name = "Clock"
    frozen: Any
    live: bool


@seal
class Random(Capability):
    """Random numbers; with a ``seed`` the next ones of a fixed sequence, of which ``count`` were taken."""

    __slots__ = ("count", "live", "seed")
    _k = ids.DEVICE_RANDOM
    _slots = ("seed", "count")
    _name = "Random"
    seed: Any
    count: Any
    live: bool


@seal
class Env(Capability):
    """Variables of the host's environment."""

    __slots__ = ("variables",)
    _k = ids.DEVICE_ENV
    _name = "Env"
    variables: dict[str, str]


@seal
class Terminal(Capability):
    """Who holds it may let a thread print to the terminal of who started the program."""

    __slots__ = ("live",)
    _k = ids.DEVICE_CONSOLE
    _name = "Terminal"
    live: bool


def made(device: Any, **slots: Any) -> Any:
    """A device that works in this run."""
    device._t, device._i, device.live = None, NEW, True
    for name, value in slots.items():
        setattr(device, name, value)
    return device


def clock(frozen: float | None = None) -> Clock:
    """A clock; it stands still at an instant in seconds since 1970 where one is given."""
    return made(Clock(), frozen=frozen)  # type: ignore[no-any-return]


def random_numbers(seed: int | None = None) -> Random:
    """Random numbers, or with a seed always the same."""
    return made(Random(), seed=seed, count=0)  # type: ignore[no-any-return]


def terminal() -> Terminal:
    """The way to the terminal."""
    return made(Terminal())  # type: ignore[no-any-return]


def environment(names: Iterable[str]) -> Env:
    """Some variables of this process's environment; one that is not set is nil."""
    device = Env()
    device._t, device._i = None, NEW
    device.variables = {name: os.environ[name] for name in names if name in os.environ}
    return device


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

    @needs("r")
    def read(self: Any, path: Any) -> str:
        """The whole content of a file, as Text (UTF-8)."""
        files.may_read()
        try:
            return _read(self, "read", path).decode()
        except UnicodeDecodeError as error:
            fail("ValueError", f"'{path}' is not UTF-8: byte {error.start} does not fit; use read_bytes")

    @needs("r")
    def read_bytes(self: Any, path: Any) -> bytes:
        """The whole content of a file."""
        files.may_read()
        return _read(self, "read_bytes", path)

    @needs("r")
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

    @needs("r")
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

    @needs("r")
    def folder(self: Any, path: Any) -> Any:
        """A folder below this one, as a device of its own: there is no way up from it."""
        inner: Any = type(self)()
        inner._t, inner._i, inner.rights = None, NEW, self.rights
        inner.fd = _open(self, _path("folder", path), os.O_RDONLY | os.O_DIRECTORY)
        inner.place = os.path.join(self.place, os.fsencode(path))
        return inner

    return {"read": read, "read_bytes": read_bytes, "open": open_, "names": names, "folder": folder}


def changing_methods(files: FileOutbox) -> dict[str, Callable[..., Any]]:
    """Those that change something; each returns when that is done."""

    def change(self: Any, verb: str, path: str, content: bytes = b"", more: Any = None) -> None:
        folder = _folder(self)
        if "w" not in self.rights:
            fail("CapabilityError", f"{verb} is refused, as the folder was granted for reading: grant it with :rw")
        files.change(folder, self.place, verb, path, content, more)

    @needs("w")
    def write(self: Any, path: Any, content: Any) -> None:
        """Make or replace a file with this content, a Text (as UTF-8) or Bytes."""
        change(self, "write", _path("write", path), _content("write", content), folders.part_name())

    @needs("w")
    def append(self: Any, path: Any, content: Any) -> None:
        """Add a Text (as UTF-8) or Bytes at the end of a file, which is made if it is not there."""
        change(self, "append", _path("append", path), _content("append", content))

    @needs("w")
    def make_folder(self: Any, path: Any) -> None:
        """Make a folder, and those above it, as far as they are missing."""
        change(self, "make_folder", _path("make_folder", path))

    @needs("w")
    def remove(self: Any, path: Any) -> None:
        """Remove a file, or an empty folder."""
        change(self, "remove", _path("remove", path))

    @needs("w")
    def rename(self: Any, path: Any, new: Any) -> None:
        """Give a file or folder another path in the granted folder; a file that has it already is replaced."""
        change(self, "rename", _path("rename", path), more=_path("rename", new))

    return {"write": write, "append": append, "make_folder": make_folder, "remove": remove, "rename": rename}


def alive(device: Any) -> Any:
    """The device, if it was granted in this run."""
    if not hasattr(device, "live") and not hasattr(device, "variables"):
        fail("CapabilityError", f"this {device._name} was granted in an earlier run: grant it again")
    return device


def other_methods(heap: Any) -> dict[type, dict[str, Callable[..., Any]]]:
    """The methods of clocks, random numbers and environments."""

    def draw(device: Any, size: int) -> bytes:
        if device.seed is None:
            return os.urandom(size)
        if device._t is not heap.token:
            heap.barrier(device)
        out = b""
        while len(out) < size:  # a block for each number of a counter, which a checkpoint keeps
            device.count += 1
            out += blake2b(b"%d:%d" % (device.seed, device.count)).digest()
        return out[:size]

    @needs("r")
    def now(self: Any) -> float:
        """The present time, in seconds since the beginning of 1970."""
        frozen = alive(self).frozen
        return time() if frozen is None else float(frozen)

    @needs("r")
    def float_(self: Any) -> float:
        """A number from 0 up to 1."""
        return (int.from_bytes(draw(alive(self), 7), "big") >> 3) / (1 << 53)

    @needs("r")
    def int_(self: Any, below: Any) -> int:
        """An Int from 0 up to ``below``."""
        if type(below) is not int or below <= 0:
            fail("ValueError", f"int needs a positive Int, not {kind_name(below)}")
        size = (below.bit_length() + 7) // 8 + 8  # so much more that no number is likelier than another
        return int.from_bytes(draw(alive(self), size), "big") % below

    @needs("r")
    def bytes_(self: Any, count: Any) -> bytes:
        """So many random Bytes."""
        if type(count) is not int or not 0 <= count <= CHUNK:
            fail("ValueError", f"bytes needs an Int from 0 to {CHUNK:_}")
        return draw(alive(self), count)

    @needs("r")
    def get(self: Any, name: Any, default: Any = None) -> Any:
        """The value of a variable; ``default`` where it is not set, or was not granted."""
        return alive(self).variables.get(name, default) if type(name) is str else default

    return {
        Clock: {"now": now},
        Random: {"float": float_, "int": int_, "bytes": bytes_},
        Env: {"get": get},
        Terminal: {},
    }


class Caps(Obj):
    """The capability set of the running program: what was granted, by name."""

    __slots__ = ()
    _name = "caps"


def make_caps(methods: dict[str, Callable[..., Any]], root: Callable[[], Any], show: Callable[[Any], str]) -> Caps:
    """The object ``caps`` of a world.  Its class is made for it: each grant is an attribute of the class.

    It is stored by its name, as it is the same in every run, whatever is granted.  ``show`` gives it as a text.
    """
    space: dict[str, Any] = {"__slots__": (), "_name": "caps", "__module__": "hold", "_no_field": _not_granted}
    space["_show"] = show
    space |= {"m_" + name: guest_callable(function, name) for name, function in methods.items()}
    space["f_root"] = property(lambda self: root())
    made: Any = seal(type("caps", (Caps,), space))()
    made._t, made._i = None, NEW
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


@needs("r")
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


@needs("r")
def close(self: Reader) -> None:
    """Let go of the file."""
    self.file.close()


def install_devices(
    register: Callable[[type[Obj]], None], new_list: Callable[[list[Any]], Any], files: FileOutbox, heap: Any
) -> dict[type, type]:
    """Make the classes of devices of one world; returns the base class to the world's own."""
    folder, reader = world_class(Dir), world_class(Reader)
    tables: dict[Any, dict[str, Callable[..., Any]]] = {
        folder: folder_methods(files, new_list, reader) | changing_methods(files),
        reader: {"next": next_, "close": close},
    }
    found: dict[type, type] = {Dir: folder, Reader: reader}
    for base, table in other_methods(heap).items():
        found[base] = world_class(base)
        tables[found[base]] = table
    for owner, table in tables.items():
        register(owner)
        for name, function in table.items():
            setattr(owner, "m_" + name, guest_callable(function, name))
    return found
