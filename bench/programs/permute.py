"""Permute: all permutations of six numbers, by swapping in place."""

from __future__ import annotations

from bench.programs.som import Benchmark


class Permute(Benchmark):
    """Counts the calls."""

    def __init__(self) -> None:
        self.count = 0
        self.v: list[int] = []

    def benchmark(self) -> int:
        self.count = 0
        self.v = [0] * 6
        self.permute(6)
        return self.count

    def permute(self, n: int) -> None:
        self.count += 1
        if n != 0:
            n1 = n - 1
            self.permute(n1)
            for i in range(n1, -1, -1):
                self.swap(n1, i)
                self.permute(n1)
                self.swap(n1, i)

    def swap(self, i: int, j: int) -> None:
        tmp = self.v[i]
        self.v[i] = self.v[j]
        self.v[j] = tmp

    def verify_result(self, result: int) -> bool:
        return result == 8660


def benchmark(inner: int) -> bool:
    return Permute().inner_benchmark_loop(inner)
