"""Text building: a report, line by line, then cut up and searched."""

from __future__ import annotations

from bench.programs.som import Random

LINES = 400
WORDS = ("kelp", "anchor", "tide", "drift", "current", "stone", "harbour", "lantern")


def report(lines: list[str]) -> str:
    """Fills ``lines`` and joins them."""
    random = Random()
    for number in range(LINES):
        word = WORDS[random.next() % 8]
        count = random.next() % 1000
        line = f"{number}: {count} of {word}"
        if count % 3 == 0:
            line += " (" + word.upper() + ")"
        if count % 5 == 0:
            line += " " + "." * (count % 20)
        lines.append(line)
    return "\n".join(lines)


def search(text: str) -> list[int]:
    """Cuts the report up again and counts in it."""
    found = 0
    dots = 0
    letters = 0
    for line in text.split("\n"):
        parts = line.split(" ")
        if parts[-1].startswith("("):
            found += 1
        if line.endswith("."):
            dots += 1
        if "tide" in line:
            letters += line.index("tide")
        for ch in parts[0]:
            if ch == "7":
                letters += 1
    return [found, dots, letters]


def text_building(lines: list[str]) -> list[int]:
    text = report(lines)
    changed = text.replace(" of ", " x ").upper().lower()
    return [len(text), len(changed), *search(text)]


def benchmark(inner: int) -> bool:
    for _ in range(inner):
        if text_building([]) != [9101, 8701, 97, 79, 1242]:
            return False
    return True
