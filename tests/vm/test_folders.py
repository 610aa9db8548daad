"""Files below a host folder: no path leads out, a change is whole or not at all, and doing it twice does no harm."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.vm import folders


class Place:
    """A granted folder, with something beside it that must not be reached."""

    def __init__(self, top: Path) -> None:
        self.outside = top / "outside"
        self.outside.mkdir()
        (self.outside / "secret").write_text("canary")
        self.path = top / "granted"
        self.path.mkdir()
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)

    def write(self, path: str, content: bytes) -> None:
        folders.write_file(self.fd, path.split("/"), content, folders.part_name(), sync=True)

    def append(self, path: str, content: bytes, before: int = 0, again: bool = False) -> None:
        folders.append_file(self.fd, path.split("/"), content, before, True, again)

    def read(self, path: str) -> bytes:
        return (self.path / path).read_bytes()

    def listing(self) -> list[str]:
        return sorted(os.listdir(self.path))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    os.close(made.fd)
    assert (made.outside / "secret").read_text() == "canary"
    assert sorted(os.listdir(made.outside)) == ["secret"]


def refused(number: int, action: Callable[[], object]) -> None:
    """The host refuses with this error."""
    with pytest.raises(OSError) as caught:
        action()
    assert caught.value.errno == number


def test_write(place: Place) -> None:
    """A file is made, replaced with its permissions kept, and leaves no part behind."""
    place.write("a", b"one")
    (place.path / "a").chmod(0o640)
    place.write("a", b"two")
    assert place.read("a") == b"two"
    assert stat.S_IMODE((place.path / "a").stat().st_mode) == 0o640
    assert place.listing() == ["a"]


def test_links_are_not_followed(place: Place) -> None:
    """Nothing is written, appended, made, removed or renamed through a link, whichever part of the path it is."""
    (place.path / "way").symlink_to(place.outside)
    (place.path / "file").symlink_to(place.outside / "secret")
    for path in ("way/new", "way/secret"):
        refused(errno.ENOTDIR, lambda path=path: place.write(path, b"x"))  # type: ignore[misc]
        refused(errno.ENOTDIR, lambda path=path: place.append(path, b"x"))  # type: ignore[misc]
        refused(errno.ENOTDIR, lambda path=path: folders.remove(place.fd, path.split("/"), True))  # type: ignore[misc]
    refused(errno.ENOTDIR, lambda: folders.make_folder(place.fd, ["way", "new"], True))
    refused(errno.ENOTDIR, lambda: folders.rename(place.fd, ["way", "secret"], ["here"], True))
    place.write("mine", b"x")
    refused(errno.ENOTDIR, lambda: folders.rename(place.fd, ["mine"], ["way", "mine"], True))
    refused(errno.ELOOP, lambda: place.write("file", b"x"))
    refused(errno.ELOOP, lambda: place.append("file", b"x"))
    folders.remove(place.fd, ["file"], True)  # the link itself
    assert place.listing() == ["mine", "way"]


def test_a_link_put_there_meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that takes a file's place between the look at it and the renaming is replaced, not followed."""
    place.write("a", b"old")

    def swap(fd: int, content: bytes, real: Callable[[int, bytes], None] = folders._write_all) -> None:
        (place.path / "a").unlink()
        (place.path / "a").symlink_to(place.outside / "secret")
        real(fd, content)

    monkeypatch.setattr(folders, "_write_all", swap)
    place.write("a", b"new")
    assert not (place.path / "a").is_symlink()
    assert place.read("a") == b"new"


@pytest.mark.parametrize(
    "path", ["", "/", "/etc", "..", "../x", "a/../../x", "a//b", "a/.", "a\0b", "/".join("a" * 65)]
)
def test_paths_that_lead_out(path: str) -> None:
    """Only names separated by a slash lead inside."""
    assert not folders.leads_inside(path)
    assert folders.leads_inside("a/b c/ü.txt")


def test_special_files(place: Place) -> None:
    """A pipe is neither waited for nor written; a folder is no file."""
    os.mkfifo(place.path / "pipe")
    (place.path / "sub").mkdir()
    refused(errno.ENXIO, lambda: place.write("pipe", b"x"))
    refused(errno.ENXIO, lambda: place.append("pipe", b"x"))
    refused(errno.EISDIR, lambda: place.write("sub", b"x"))
    refused(errno.EISDIR, lambda: place.append("sub", b"x"))
    refused(errno.ENAMETOOLONG, lambda: place.write("n" * 256, b"x"))
    refused(errno.ENOENT, lambda: place.write("none/x", b"x"))


def failing(name: str, number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, name)

    return fail


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_disk_full(place: Place, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """When the space runs out the old content stays, whole, and no part is left."""
    place.write("a", b"old")
    monkeypatch.setattr(os, call, failing(call, errno.ENOSPC))
    refused(errno.ENOSPC, lambda: place.write("a", b"new"))
    if call == "write":
        refused(errno.ENOSPC, lambda: place.append("a", b"new"))
    monkeypatch.undo()
    assert place.read("a") == b"old"
    assert place.listing() == ["a"]


def test_half_an_append(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append that fails in the middle is taken back."""
    place.append("log", b"one\n")
    real = os.write

    def short(fd: int, content: memoryview) -> int:
        if len(content) < 4:
            raise OSError(errno.ENOSPC, "full")
        return real(fd, content[:2])

    monkeypatch.setattr(os, "write", short)
    refused(errno.ENOSPC, lambda: place.append("log", b"two\n"))
    monkeypatch.undo()
    assert place.read("log") == b"one\n"


@pytest.mark.parametrize("there", ["", "t", "two", "two\n", "two\nthree\n", "zero\n", "zero\ntwo\n"])
def test_append_again(place: Place, there: str) -> None:
    """What was appended, in whole or in part, by us and by others, is completed and not doubled."""
    place.append("log", b"one\n" + there.encode())
    for _ in range(2):
        place.append("log", b"two\n", before=4, again=True)
        others = there.replace("two\n", "") if there not in ("t", "two") else ""
        assert sorted(place.read("log").decode().split()) == sorted(["one", "two", *others.split()])


def test_done_again(place: Place) -> None:
    """What was made, removed or renamed already is, when it is done again; without that it is an error."""
    fd = place.fd
    for _ in range(2):
        folders.make_folder(fd, ["a", "b"], True)
    place.write("x", b"1")
    folders.rename(fd, ["x"], ["a", "y"], True)
    refused(errno.ENOENT, lambda: folders.rename(fd, ["x"], ["a", "y"], True))
    folders.rename(fd, ["x"], ["a", "y"], True, again=True)
    folders.remove(fd, ["a", "y"], True)
    refused(errno.ENOENT, lambda: folders.remove(fd, ["a", "y"], True))
    folders.remove(fd, ["a", "y"], True, again=True)
    refused(errno.ENOTEMPTY, lambda: folders.remove(fd, ["a"], True))
    refused(errno.EINVAL, lambda: folders.rename(fd, ["a"], ["a", "b", "c"], True))


def test_reasons() -> None:
    """A reason names nothing of the host."""
    error = OSError(errno.EACCES, "Permission denied", "/secret/place")
    assert folders.reason(error) == "the host refuses it"
    assert folders.reason(OSError(errno.EIO, "Input/output error")) == "the host cannot do it"
