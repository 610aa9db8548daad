"""Storage: a tree of lists, made to be thrown away."""

from __future__ import annotations

from typing import Any

from bench.programs.som import Benchmark, Random


class Storage(Benchmark):
    """Counts the nodes."""

    def __init__(self) -> None:
        self.count = 0

    def benchmark(self) -> int:
        random = Random()
        self.count = 0
        self.build_tree_depth(7, random)
        return self.count

    def build_tree_depth(self, depth: int, random: Random) -> list[Any]:
        self.count += 1
        if depth == 1:
            return [None] * (random.next() % 10 + 1)
        children: list[Any] = [None] * 4
        for i in range(4):
            children[i] = self.build_tree_depth(depth - 1, random)
        return children

    def verify_result(self, result: int) -> bool:
        return result == 5461


def benchmark(inner: int) -> bool:
    return Storage().inner_benchmark_loop(inner)
