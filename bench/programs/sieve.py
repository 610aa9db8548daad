"""Sieve: the primes below 5000."""

from __future__ import annotations

from bench.programs.som import Benchmark


class Sieve(Benchmark):
    """Counts what the sieve leaves."""

    def benchmark(self) -> int:
        flags = [True] * 5000
        return self.sieve(flags, 5000)

    @staticmethod
    def sieve(flags: list[bool], size: int) -> int:
        prime_count = 0
        for i in range(2, size + 1):
            if flags[i - 1]:
                prime_count += 1
                k = i + i
                while k <= size:
                    flags[k - 1] = False
                    k += i
        return prime_count

    def verify_result(self, result: int) -> bool:
        return result == 669


def benchmark(inner: int) -> bool:
    return Sieve().inner_benchmark_loop(inner)
