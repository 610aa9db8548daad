"""Law: a terminal that nobody reads makes the threads wait that print to it, and nothing and nobody else."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.repl import exits
from tests.repl.test_attach import ended, line, program, ran, ran_program, start

LINES = 30_000
PRINTING = f"""
fn other() {{ while not ("stop" in root) {{ root.beats = (root.get("beats") ?? 0) + 1
    sleep(0.01) }} }}
let t = spawn other()
print("open")
for i in 0..{LINES} {{ print("{{i}} " + "x" * 100) }}
t.join()
print("end")
"""
OUTPUT = "".join(f"{i} {'x' * 100}\n" for i in range(LINES)) + "end\n"


@pytest.fixture
def stalled(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program whose output nobody reads after its first line; its other thread goes on."""
    process = program(tmp_path, "host.hold", PRINTING)
    assert line(process) == "open\n"
    yield process
    if process.stdout is not None and not process.stdout.closed:
        process.kill()
        process.communicate()


def rest(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output, errors of a process some of whose output was read (what Python has read ahead included)."""
    assert process.stdout is not None and process.stderr is not None
    with process:
        out, err = process.stdout.read(), process.stderr.read()
    return process.returncode, out, err


def wait_until_parked(folder: Path) -> None:
    """Until the thread that prints waits for its terminal."""
    while not re.search(r"\bmain +sleeping", ran(folder, "ps")[1]):
        pass


def test_others_go_on(tmp_path: Path, stalled: subprocess.Popen[str]) -> None:
    """Programs and sessions of other terminals run; what was printed is bounded, and arrives whole and in order."""
    wait_until_parked(tmp_path)
    text = 'let before = root.beats\nwhile root.beats < before + 3 { sleep(0.01) }\nprint("beats")'
    assert ran_program(tmp_path, "g.hold", text) == (0, "beats\n", "")
    session = start(tmp_path, "repl", "--session", "s")
    assert session.communicate("1 + 1\n", timeout=120)[0] == "2\n"
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{stalled.pid}/status").read_text())
    assert peak is not None and int(peak[1]) < 200_000
    assert ran_program(tmp_path, "stop.hold", "root.stop = true")[0] == 0
    assert rest(stalled) == (0, OUTPUT, "")


def test_a_signal_ends_it(tmp_path: Path, stalled: subprocess.Popen[str]) -> None:
    """SIGTERM ends the process although its output cannot be written; the world has its last checkpoint."""
    wait_until_parked(tmp_path)
    stalled.send_signal(signal.SIGTERM)
    assert stalled.wait(60) == exits.SIGNAL + signal.SIGTERM
    assert int(ran_program(tmp_path, "n.hold", "print(root.beats)")[1]) > 0


def test_the_end_waits_for_the_reader(tmp_path: Path) -> None:
    """A program that is done stays until its output is read, does not hold the world meanwhile, and heeds Ctrl-C."""
    process = program(tmp_path, "p.hold", 'print("x" * 300_000)')
    assert process.stdout is not None
    assert process.stdout.read(10) == "x" * 10
    while (tmp_path / "world" / "holdfast.sock").exists():
        pass
    assert ran_program(tmp_path, "q.hold", "print(1)") == (0, "1\n", "")
    assert process.poll() is None
    assert len(process.stdout.read()) == 300_001 - 10
    assert ended(process)[0] == 0
    process = program(tmp_path, "p.hold", 'print("x" * 300_000)')
    assert process.stdout is not None
    assert process.stdout.read(10) == "x" * 10
    while (tmp_path / "world" / "holdfast.sock").exists():
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == exits.INTERRUPTED
    process.communicate()


def test_a_piped_session(tmp_path: Path) -> None:
    """A session whose values nobody reads stalls neither another terminal nor the memory of its process."""
    process = start(tmp_path, "repl")
    assert process.stdin is not None
    process.stdin.write("1\n" + "[" + "1_000_000_000, " * 99 + "1]\n" * 1)
    process.stdin.flush()
    assert line(process) == "1\n"
    assert ran_program(tmp_path, "g.hold", 'print("here")') == (0, "here\n", "")
    entries = '("ab" * 9_000)\n' * 200
    process.stdin.write(entries)
    process.stdin.close()
    code, out, err = rest(process)
    assert (code, err) == (0, "")
    assert out.count("ab" * 9_000) == 200
