"""Word count: how often each word stands in a text, and the ten most frequent."""

from __future__ import annotations

from bench.programs.som import Random

WORDS = 4000
STARTS = ("ka", "lo", "mi", "nu", "pe", "ra", "so", "ti", "vu", "ze")
ENDS = ("l", "m", "nd", "r", "s", "t", "x", "sk")
TOP_TEN = "kal kar kand kat kax kam kask kas lom los"


def make_text() -> str:
    """A text of made-up words; small ones are frequent."""
    random = Random()
    words = []
    for _ in range(WORDS):
        kind = random.next() % 100
        start = STARTS[kind * kind // 1000]
        words.append(start + ENDS[random.next() // 256 % 8])
    return " ".join(words)


def count_words(text: str, counts: dict[str, int]) -> dict[str, int]:
    for word in text.split(" "):
        counts[word] = counts.get(word, 0) + 1
    return counts


def most_frequent(counts: dict[str, int]) -> list[str]:
    """Ten words, the most frequent first; equal ones by the alphabet."""
    words = sorted(counts.keys())
    by_count = sorted(words, key=lambda word: -counts[word])
    return by_count[0:10]


def benchmark(inner: int) -> bool:
    for _ in range(inner):
        counts = count_words(make_text(), {})
        top = most_frequent(counts)
        if " ".join(top) != TOP_TEN or counts[top[0]] != 172:
            return False
    return True
