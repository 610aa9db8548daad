"""Figures of threads: spawning, messages, worlds of threads that wait, and what capturing stacks costs.

* Spawn, run and join of a trivial thread beside a task of asyncio, in processes of their own that take turns; with
  ``erl`` and ``erlc`` on the path Erlang beside both.  The median of the rounds.
* Messages: ``send`` and ``receive`` between two threads, and questions with their answers (two switches each).
* 100,000 threads that wait in ``receive``: the memory that each takes once it is a record, opening that world, and
  how long a thread that was not in memory takes to answer.
* The two ratios of the language: a spawn against a call, a durable assignment against a local one.
* How long an entry of the REPL takes beside 100 threads that never wait.
* A checkpoint in which 1,000 threads of ten frames ran: its pause.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import report
from bench.report import PROGRAMS, Row
from bench.worker import Worker, quiet_gc

SUITE = "threads"
SPAWNS = 50_000
SWITCHES = 200_000
MESSAGES = 200_000
QUESTIONS = 50_000
CALLS = 500_000
PARKED = 100_000
WOKEN = 1_000
CREW = 1_000
DEPTH = 10
QUICK = 20
ROUNDS = 5

SPAWN_US = 2.0
TASK_RATIO = 2.0
SWITCH_US = 1.0
MESSAGES_PER_S = 300_000
PARKED_BYTES = 1_500
OPEN_S = 2.0
WAKE_US = 100.0
PAUSE_MS = 20.0
SPINNERS = 100
ENTRIES = 30
ANSWER_MS = 100.0

ERLANG = """
-module(spawns).
-export([main/1]).
turn(0) -> ok;
turn(N) ->
  {P, R} = spawn_monitor(fun() -> ok end),
  receive {'DOWN', R, process, P, _} -> turn(N - 1) end.
main(N) ->
  {T, ok} = timer:tc(fun() -> turn(N) end), io:format("~p~n", [T / N]), halt().
"""
"""A module, since what is given as ``-eval`` is interpreted: ten times as slow."""


class HoldThreads:
    """A world, measured in this process."""

    def __init__(self, world: str) -> None:
        from bench.hold_adapter import Session

        quiet_gc()
        start = time.perf_counter()
        self.session = Session(Path(world))
        self.opened = time.perf_counter() - start
        quiet_gc()  # as the command line does
        self.module = self.session.module(PROGRAMS / "threads.hold")

    def seconds(self, name: str, *arguments: int) -> float:
        """The time of a call."""
        start = time.perf_counter()
        self.session.call(self.module, name, *arguments)
        return time.perf_counter() - start

    def per_call(self, name: str, count: int) -> float:
        """Microseconds of one turn of a function that makes so many."""
        return self.seconds(name, count) / count * 1e6

    def park(self, count: int, woken: int) -> None:
        """Make threads that wait, and have them on disk."""
        self.seconds("park", count, woken)
        self.session.commit()

    def parked(self, woken: int) -> dict[str, float]:
        """In a world just opened: what the threads take, and how long some take to answer."""
        count = len(self.session.world.scheduler.living)
        resident = _resident()
        wake = self.seconds("wake") / woken * 1e6
        return {"open": self.opened, "count": count, "resident": resident, "wake": wake}

    def resident(self) -> int:
        """Bytes of this process."""
        return _resident()

    def answer(self, spinners: int, entries: int) -> float:
        """Milliseconds until an entry of a session has its value, beside threads that spin: the longest of some."""
        from holdfast.vm.session import Session as Entries

        self.seconds("spinners", spinners)
        world = self.session.world
        session = Entries(world, "bench")
        took = []
        for _ in range(entries):
            start = time.perf_counter()
            entry = session.start("1 + 1")
            world.run_thread(entry.thread)
            took.append((time.perf_counter() - start) * 1e3)
        for thread in list(world.scheduler.living):
            world.scheduler.interrupt(thread, "enough", kill=True)
        return max(took)

    def crew(self, count: int, depth: int) -> float:
        """The longest pause of the checkpoints while threads of so many frames give way, in milliseconds."""
        world = self.session.world
        pauses: list[float] = []
        begin = world.outbox.begin

        def timed() -> Any:
            start = time.perf_counter()
            made = begin()
            if len(made._threads) >= count:
                pauses.append((time.perf_counter() - start) * 1e3)
            return made

        world.outbox.begin = timed  # type: ignore[method-assign]
        try:
            while len(pauses) < 3:
                self.seconds("crew", count, depth, 200)
        finally:
            world.outbox.begin = begin  # type: ignore[method-assign]
        return statistics.median(pauses)


class Tasks:
    """asyncio in this process."""

    def __init__(self) -> None:
        quiet_gc()

    def spawns(self, count: int) -> float:
        """Microseconds to make, run and await one task."""

        async def nothing() -> None:
            pass

        async def main() -> float:
            start = time.perf_counter()
            for _ in range(count):
                await asyncio.create_task(nothing())
            return time.perf_counter() - start

        return asyncio.run(main()) / count * 1e6


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def erlang(count: int, scratch: str) -> float | None:
    """Microseconds of a spawn and its end in Erlang, compiled in a folder; None without it."""
    erl, erlc = shutil.which("erl"), shutil.which("erlc")
    if erl is None or erlc is None:
        return None
    source = Path(scratch) / "spawns.erl"
    source.write_text(ERLANG, encoding="ascii")
    subprocess.run([erlc, "-o", scratch, str(source)], check=True)
    command = [erl, "-noshell", "-pa", scratch, "-eval", f"spawns:main({count})."]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run(rounds: int, quick: bool, scratch: str | None) -> list[Row]:
    """Measure everything."""
    share = QUICK if quick else 1
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        rows = [*_quick_things(folder, rounds, share), *_parked(folder, PARKED // share, WOKEN // share)]
        with Worker("bench.threads:HoldThreads", world=f"{folder}/spin") as hold:
            answer = hold.call("answer", spinners=SPINNERS, entries=ENTRIES)
        rows.append(report.at_most(SUITE, f"entry beside {SPINNERS} spinners, longest", answer, ANSWER_MS, " ms"))
        with Worker("bench.threads:HoldThreads", world=f"{folder}/crew") as hold:
            pause = hold.call("crew", count=CREW // share, depth=DEPTH)
        rows.append(
            report.at_most(SUITE, f"pause, {CREW // share:,} threads of {DEPTH} frames", pause, PAUSE_MS, " ms")
        )
    return rows


def _quick_things(folder: str, rounds: int, share: int) -> list[Row]:
    counts = {
        "spawns": SPAWNS, "crowd": SPAWNS, "switches": SWITCHES, "messages": MESSAGES, "questions": QUESTIONS,
        "calls": CALLS, "durable": CALLS, "local": CALLS,
    }  # fmt: skip
    found: dict[str, list[float]] = {name: [] for name in (*counts, "tasks")}
    erl: list[float] = []
    with Worker("bench.threads:HoldThreads", world=f"{folder}/quick") as hold, Worker("bench.threads:Tasks") as tasks:
        for _ in range(rounds):
            for name, count in counts.items():
                found[name].append(hold.call("per_call", name=name, count=count // share))
            found["tasks"].append(tasks.call("spawns", count=SPAWNS // share))
            other = erlang(SPAWNS // share, folder)
            if other is not None:
                erl.append(other)
    median = {name: statistics.median(values) for name, values in found.items()}
    spawn = median["spawns"]
    rows = [
        report.at_most(SUITE, "spawn, run, join", spawn, SPAWN_US, " µs"),
        report.at_least(SUITE, "task of asyncio / spawn", median["tasks"] / spawn, TASK_RATIO),
        report.note(SUITE, "the same, 50,000 at once", f"{median['crowd']:.2f} µs", median["crowd"]),
        report.at_most(SUITE, "switch between two that give way", median["switches"], SWITCH_US, " µs"),
        report.note(SUITE, "question and answer", f"{median['questions']:.2f} µs", median["questions"]),
        report.at_least(SUITE, "send + receive a second", 1e6 / median["messages"], MESSAGES_PER_S, ""),
        report.note(SUITE, "spawn / call", f"{spawn / median['calls']:.0f}×", spawn / median["calls"]),
        report.note(
            SUITE,
            "durable / local assignment",
            f"{median['durable'] / median['local']:.1f}×",
            median["durable"] / median["local"],
        ),
    ]
    if erl:
        ratio = spawn / statistics.median(erl)
        rows.append(report.note(SUITE, "spawn / Erlang's", f"{ratio:.2f}×", ratio))
    return rows


def _parked(folder: str, count: int, woken: int) -> list[Row]:
    world = f"{folder}/parked"
    with Worker("bench.threads:HoldThreads", world=f"{folder}/empty") as empty:
        base = empty.call("resident")
    with Worker("bench.threads:HoldThreads", world=world) as hold:
        hold.call("park", count=count, woken=woken)
    with Worker("bench.threads:HoldThreads", world=world) as hold:
        figures = hold.call("parked", woken=woken)
    each = (figures["resident"] - base) / figures["count"]
    name = f"{count:,} threads in receive"
    return [
        report.at_most(SUITE, f"{name}: each", each, PARKED_BYTES, " B"),
        report.at_most(SUITE, f"{name}: opening", figures["open"], OPEN_S, " s"),
        report.at_most(SUITE, f"{name}: answer of one", figures["wake"], WAKE_US, " µs"),
    ]
