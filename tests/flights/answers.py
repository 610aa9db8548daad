"""The ten answers of the example ``flights``, from its CSV files, by nothing but Python's own ``csv``.

Written from what the questions say, not from the programs in Hold.  Rows are tuples of the file's own texts.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from itertools import groupby
from pathlib import Path
from typing import Any

Row = dict[str, str]
LATE, FEW = 15, 50


def table(folder: Path, name: str) -> list[Row]:
    """The rows of a file."""
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text: str) -> int | None:
    """An integer, None for NA."""
    return None if text == "NA" else int(text)


def mean(values: list[int]) -> float | None:
    """The mean, None of nothing."""
    return sum(values) / len(values) if values else None


def share(part: int, whole: int) -> float:
    """In percent."""
    return 100 * part / whole


class Answers:
    """All that is asked, of one folder."""

    def __init__(self, folder: Path) -> None:
        self.flights = table(folder, "flights")
        self.airlines = {row["carrier"]: row["name"] for row in table(folder, "airlines")}
        self.airports = {row["faa"]: row["name"] for row in table(folder, "airports")}
        self.planes = {row["tailnum"]: row for row in table(folder, "planes")}
        self.weather = {(row["origin"], row["time_hour"]): row for row in table(folder, "weather")}

    def all(self) -> dict[str, list[list[Any]]]:
        """Question to rows."""
        names = "airlines ages weather routes hours cancellations distances planes alone on_time".split()
        return {name: [list(row) for row in getattr(self, "ask_" + name)()] for name in names}

    def delays(self, key: Any, column: str) -> dict[Any, list[int]]:
        """Delays by a key of the flight; what has no key or no delay is left out."""
        found = defaultdict(list)
        for flight in self.flights:
            group, delay = key(flight), number(flight[column])
            if group is not None and delay is not None:
                found[group].append(delay)
        return found

    def ask_airlines(self) -> list[Any]:
        groups = self.delays(lambda flight: flight["carrier"], "arr_delay")
        rows = [(self.airlines[code], len(delays), mean(delays)) for code, delays in groups.items()]
        return sorted(rows, key=lambda row: (-row[2], row[0]))

    def ask_ages(self) -> list[Any]:
        def five_years(flight: Row) -> int | None:
            built = number(self.planes[flight["tailnum"]]["year"]) if flight["tailnum"] in self.planes else None
            return None if built is None else (int(flight["year"]) - built) // 5 * 5

        groups = self.delays(five_years, "dep_delay")
        return [(f"{age} to {age + 4}", len(groups[age]), mean(groups[age])) for age in sorted(groups)]

    def word(self, flight: Row) -> str:
        """The weather at departure in a word."""
        weather = self.weather.get((flight["origin"], flight["time_hour"]))
        if weather is None:
            return "not recorded"
        known = {name: float(text) for name, text in weather.items() if name in WEATHER and text != "NA"}
        rain = known.get("precip", 0.0)
        for word, holds in (
            ("fog", known.get("visib", 10.0) < 2),
            ("heavy rain", rain >= 0.1),
            ("rain", rain > 0),
            ("gusts", known.get("wind_gust", 0.0) >= 30),
        ):
            if holds:
                return word
        return "fair"

    def ask_weather(self) -> list[Any]:
        words = [self.word(flight) for flight in self.flights]
        rows = []
        for word in set(words):
            delays = [number(f["dep_delay"]) for f, w in zip(self.flights, words, strict=True) if w == word]
            gone = [delay for delay in delays if delay is not None]
            rows.append((word, len(delays), mean(gone), share(len(delays) - len(gone), len(delays))))
        return sorted(rows, key=lambda row: (-(row[2] or 0), row[0]))

    def ask_routes(self) -> list[Any]:
        count = Counter((flight["origin"], flight["dest"]) for flight in self.flights)
        airlines = Counter((o, d) for o, d, _ in {(f["origin"], f["dest"], f["carrier"]) for f in self.flights})
        rows = sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
        return [(*route, flights, airlines[route]) for route, flights in rows]

    def ask_hours(self) -> list[Any]:
        groups = self.delays(lambda flight: int(flight["hour"]), "dep_delay")
        rows = [
            (hour, len(delays), mean(delays), share(sum(delay > LATE for delay in delays), len(delays)))
            for hour, delays in groups.items()
            if len(delays) >= FEW
        ]
        return sorted(rows, key=lambda row: (-row[2], row[0]))[:5]

    def ask_cancellations(self) -> list[Any]:
        rows = []
        for month, flights in groupby(sorted(self.flights, key=month_of), key=month_of):
            gone = [flight["dep_time"] != "NA" for flight in flights]
            rows.append((month, len(gone), gone.count(False), share(gone.count(False), len(gone))))
        return rows

    def ask_distances(self) -> list[Any]:
        miles = {(flight["origin"], flight["dest"]): int(flight["distance"]) for flight in self.flights}
        times = self.delays(lambda flight: (flight["origin"], flight["dest"]), "air_time")
        longest = sorted(miles, key=lambda route: (-miles[route], route))[:5]
        return [(*route, miles[route], len(times[route]), mean(times[route])) for route in longest]

    def ask_planes(self) -> list[Any]:
        gone = [f for f in self.flights if f["tailnum"] != "NA" and f["dep_time"] != "NA"]
        count = Counter(flight["tailnum"] for flight in gone)
        places = Counter(tail for tail, _ in {(flight["tailnum"], flight["dest"]) for flight in gone})
        rows = []
        for tail, flights in sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))[:5]:
            plane = self.planes.get(tail)
            model = f"{plane['manufacturer']} {plane['model']}" if plane is not None else "not known"
            rows.append((tail, model, flights, places[tail]))
        return rows

    def ask_alone(self) -> list[Any]:
        count = Counter(flight["dest"] for flight in self.flights)
        served = defaultdict(set)
        for flight in self.flights:
            served[flight["dest"]].add(flight["carrier"])
        return [
            (code, self.airports.get(code, code), self.airlines[min(served[code])], count[code])
            for code in sorted(served)
            if len(served[code]) == 1
        ]

    def ask_on_time(self) -> list[Any]:
        rows = []
        for code in {flight["origin"] for flight in self.flights}:
            delays = [number(flight["arr_delay"]) for flight in self.flights if flight["origin"] == code]
            good = sum(delay is not None and delay <= LATE for delay in delays)
            rows.append((self.airports.get(code, code), len(delays), good, share(good, len(delays))))
        return sorted(rows, key=lambda row: (-row[3], row[0]))


WEATHER = ("visib", "precip", "wind_gust")


def month_of(flight: Row) -> int:
    """The month of a flight."""
    return int(flight["month"])
