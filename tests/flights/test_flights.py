"""The programs of the example ``flights``: what they load and answer, against other code and another reader of CSV."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.lang.format import format_source
from holdfast.repl.flights import CACHE, PROGRAMS, Failed, fetch
from holdfast.stdlib import library
from holdfast.vm.devices import open_dir
from holdfast.vm.objects import Thrown
from holdfast.vm.world import World
from tests.flights.answers import Answers
from tests.flights.tables import Maker

TINY = Path(__file__).parent / "tiny"
TITLES = 10


def run(folder: Path, program: str, *args: str, data: Path = TINY, text: str = "", memory: int | None = None) -> str:
    """What a program prints in the world of the folder."""
    printed: list[str] = []
    with World.open(folder / "world", library=library(), memory_limit=memory, durability="process") as world:
        world.write = printed.append
        world.grant("data", open_dir(data))
        world.modules.loader = lambda name: (PROGRAMS / name).read_text("utf-8")
        text = text or (PROGRAMS / program).read_text("utf-8")
        world.run_thread(world.start_program(world.modules.program(text, program), args))
    return "".join(printed)


def answers(folder: Path, **options: Any) -> dict[str, list[list[Any]]]:
    """What the report says of the world, question to rows."""
    lines = run(folder, "report.hold", "json", **options).splitlines()
    found = {answer["question"]: answer["rows"] for answer in map(json.loads, lines)}
    assert len(found) == len(lines) == TITLES
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some thousand made-up flights."""
    return Maker(tmp_path_factory.mktemp("made") / "data", 8_000).write()


# --------------------------------------------------------------------------- loading


def test_tiny(tmp_path: Path) -> None:
    """Ten answers are those of the independent code: quotation marks, line breaks and missing values included."""
    printed = run(tmp_path, "load.hold")
    assert printed.endswith("[100%] flights.csv: 8 rows\n8 flights are loaded\n")
    assert answers(tmp_path) == Answers(TINY).all()


def test_loaded_already(tmp_path: Path) -> None:
    """Loading a second time says so, and changes nothing."""
    run(tmp_path, "load.hold")
    assert run(tmp_path, "load.hold") == "8 flights are loaded already\n"
    assert run(tmp_path, "p.hold", text="print(len(root.flights.flights))") == "8\n"


def test_links(tmp_path: Path) -> None:
    """A flight refers to its airline, airports, plane and weather as objects, each there once; NA is nil."""
    run(tmp_path, "load.hold")
    text = """
        let flights = root.flights.flights
        let first = flights[0]
        print(first.airline == flights[1].airline, first.weather == flights[1].weather, first.plane == flights[7].plane)
        print(first.airline.name, first.origin.name, first.destination.code, first.plane.year, first.weather.wind_gust)
        let third = flights[2]
        print(third.departed, third.departure_delay, third.tail, third.plane, third.weather.wind_direction)
        print(flights[4].destination, flights[4].tail, flights[4].plane, flights[6].weather)
        print(root.flights.airlines.HA.name == "Hawaiian\\nAirlines", root.flights.airports.LGA.name)
        print(root.flights.planes["N103HA"].model == "172", root.flights.planes["N103HA"].year)
    """
    assert run(tmp_path, "p.hold", text=text).splitlines() == [
        "true true true",
        "American Airlines Inc. Newark Liberty Intl MIA 1999 nil",
        "nil nil nil nil nil",
        'Airport(code: "SJU", name: nil, latitude: nil, longitude: nil, altitude: nil, weather: nil) N555JB nil nil',
        "true La Guardia, Queens",
        "true nil",
    ]


@pytest.mark.parametrize("memory", [None, 1 << 20], ids=["free", "1 MB"])
def test_made_up(tmp_path: Path, made: Path, memory: int | None) -> None:
    """Some thousand flights give the right answers, also when hardly any of them may stay in memory."""
    run(tmp_path, "load.hold", data=made, memory=memory)
    assert answers(tmp_path, data=made, memory=memory) == Answers(made).all()


def test_wrong_row(tmp_path: Path) -> None:
    """A row that cannot be read ends the load with its line; when it is mended, the load goes on behind the last."""
    data = tmp_path / "data"
    shutil.copytree(TINY, data)
    text = (data / "flights.csv").read_text()
    (data / "flights.csv").write_text(text.replace(",1085,6,10,", ",1085 miles,6,10,"))
    with pytest.raises(Thrown) as caught:
        run(tmp_path, "load.hold", data=data)
    assert caught.value.error.f_message == 'CSV, line 4: column "distance": "1085 miles" is no Int'
    with pytest.raises(Thrown):
        run(tmp_path, "report.hold", data=data)
    (data / "flights.csv").write_text(text)
    run(tmp_path, "load.hold", data=data)
    assert answers(tmp_path) == Answers(TINY).all()


def test_killed(tmp_path: Path, made: Path) -> None:
    """A load that is killed in the middle goes on behind the last flight that was saved, and loses none."""
    for doubled in range(5):  # a slow disk has all become durable at once; then it has to be more
        folder = tmp_path / str(doubled)
        folder.mkdir()
        data = Maker(folder / "data", 40_000 << doubled).write()
        kill_amid_load(folder, data)
        printed = run(folder, "load.hold", data=data)
        if printed.startswith("going on behind "):
            break
    assert printed.startswith("going on behind ")
    assert "airlines.csv" not in printed
    assert printed.endswith(f"{40_000 << doubled:,} flights are loaded\n")
    assert answers(folder, data=data) == Answers(data).all()


SELF_KILLING = """
import os, signal, sys
from holdfast.repl.cli import main
from holdfast.repl.console import Console

put, seen = Console.put, 0

def put_and_count(self, text):
    global seen
    put(self, text)
    seen += text.count("%] flights.csv\\n")
    if seen >= 2:  # the first of these lines is printed when a piece was read, and no flight made of it
        os.kill(os.getpid(), signal.SIGKILL)

Console.put = put_and_count
sys.exit(main(sys.argv[1:]))
"""
"""Runs a command line, and kills itself when it has told so much: a test that listens may be too slow."""


def kill_amid_load(folder: Path, data: Path) -> None:
    """Begin a load that is killed."""
    command = [sys.executable, "-c", SELF_KILLING, "run", "--world", str(folder / "world"), "--durability", "process"]
    command += ["--grant", f"data=dir:{data}:r", str(PROGRAMS / "load.hold")]
    assert subprocess.run(command, stdout=subprocess.PIPE).returncode == -signal.SIGKILL


# --------------------------------------------------------------------------- the other programs


def test_tables(tmp_path: Path) -> None:
    """Without an argument the report is tables for people."""
    run(tmp_path, "load.hold")
    printed = run(tmp_path, "report.hold")
    assert printed.count("\n\n") == TITLES
    assert (
        """\
Departure delay by age of the plane, in minutes
  years     flights  mean delay
  0 to 4          1        40.0
  10 to 14        2         1.0
"""
        in printed
    )


def test_nothing_to_report(tmp_path: Path) -> None:
    """Without flights, or with some of them, there is no report."""
    for text in ("", 'import { Archive } from "model.hold"\nroot.flights = Archive()'):
        if text:
            run(tmp_path, "p.hold", text=text)
        with pytest.raises(Thrown) as caught:
            run(tmp_path, "report.hold")
        assert "run load.hold to its end first" in caught.value.error.f_message


def test_one_flight(tmp_path: Path) -> None:
    """One flight is shown with its plane, airports and weather, as far as they are known."""
    run(tmp_path, "load.hold")
    assert run(tmp_path, "cold.hold", "3").splitlines() == [
        "flight 3 of 8",
        "  Hawaiian",
        "Airlines 51 on 2013-01-01",
        "  from John F Kennedy Intl to Honolulu Intl, 4,983 miles",
        "  left at 5:25, 5 minutes early",
        "  arrived at 12:05, 25 minutes early",
        "  plane: N103HA, BOEING 172, built not known, 377 seats",
        "  weather: not known °F, wind 8.1 mph, visibility 10.0 miles",
    ]
    assert "  cancelled\n  plane: not known, of which nothing else is known" in run(tmp_path, "cold.hold", "2")
    assert "of which nothing else is known" in run(tmp_path, "cold.hold", "5")


@pytest.mark.parametrize("name", ["model.hold", "load.hold", "report.hold", "cold.hold"])
def test_layout(name: str) -> None:
    """The examples have the one layout."""
    text = (PROGRAMS / name).read_text("utf-8")
    assert format_source(text, name) == text


# --------------------------------------------------------------------------- the real data


def test_real_sample(tmp_path: Path) -> None:
    """The first and the last flights of the real data, where ``make run`` has fetched them."""
    if not (CACHE / "data" / "flights.csv").is_file():
        pytest.skip("the data have not been fetched: make run")
    data = tmp_path / "data"
    shutil.copytree(CACHE / "data", data)
    lines = (data / "flights.csv").read_text().splitlines(keepends=True)
    (data / "flights.csv").write_text("".join(lines[:3000] + lines[-2000:]))
    run(tmp_path, "load.hold", data=data)
    assert answers(tmp_path, data=data) == Answers(data).all()


@pytest.mark.slow
def test_real(tmp_path: Path) -> None:
    """All flights: the ten answers are those of the independent code."""
    try:
        data = fetch(CACHE)
    except Failed as error:
        pytest.skip(str(error))
    run(tmp_path, "load.hold", data=data)
    assert answers(tmp_path, data=data) == Answers(data).all()
