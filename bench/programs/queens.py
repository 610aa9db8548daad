"""Queens: eight queens by backtracking, ten times."""

from __future__ import annotations

from typing import Any

from bench.programs.som import Benchmark


class Queens(Benchmark):
    """Keeps which rows and diagonals are free."""

    def __init__(self) -> None:
        self.free_maxs: Any = None
        self.free_rows: Any = None
        self.free_mins: Any = None
        self.queen_rows: Any = None

    def benchmark(self) -> bool:
        result = True
        for _ in range(10):
            result = result and self.queens()
        return result

    def verify_result(self, result: bool) -> bool:
        return result

    def queens(self) -> bool:
        self.free_rows = [True] * 8
        self.free_maxs = [True] * 16
        self.free_mins = [True] * 16
        self.queen_rows = [-1] * 8
        return self.place_queen(0)

    def place_queen(self, c: int) -> bool:
        for r in range(8):
            if self.get_row_column(r, c):
                self.queen_rows[r] = c
                self.set_row_column(r, c, False)
                if c == 7:
                    return True
                if self.place_queen(c + 1):
                    return True
                self.set_row_column(r, c, True)
        return False

    def get_row_column(self, r: int, c: int) -> Any:
        return self.free_rows[r] and self.free_maxs[c + r] and self.free_mins[c - r + 7]

    def set_row_column(self, r: int, c: int, v: bool) -> None:
        self.free_rows[r] = v
        self.free_maxs[c + r] = v
        self.free_mins[c - r + 7] = v


def benchmark(inner: int) -> bool:
    return Queens().inner_benchmark_loop(inner)
