"""List: the Takeuchi function on the lengths of linked lists."""

from __future__ import annotations

from typing import Any

from bench.programs.som import Benchmark


class Element:
    """One link."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.next: Any = None

    def length(self) -> Any:
        if self.next is None:
            return 1
        return 1 + self.next.length()


class List(Benchmark):
    """Recursion over three lists."""

    def benchmark(self) -> Any:
        result = self.tail(self.make_list(15), self.make_list(10), self.make_list(6))
        return result.length()

    def make_list(self, length: int) -> Any:
        if length == 0:
            return None
        e = Element(length)
        e.next = self.make_list(length - 1)
        return e

    @staticmethod
    def is_shorter_than(x: Any, y: Any) -> bool:
        x_tail = x
        y_tail = y
        while y_tail is not None:
            if x_tail is None:
                return True
            x_tail = x_tail.next
            y_tail = y_tail.next
        return False

    def tail(self, x: Any, y: Any, z: Any) -> Any:
        if self.is_shorter_than(y, x):
            return self.tail(
                self.tail(x.next, y, z),
                self.tail(y.next, z, x),
                self.tail(z.next, x, y),
            )
        return z

    def verify_result(self, result: int) -> bool:
        return result == 10


def benchmark(inner: int) -> bool:
    return List().inner_benchmark_loop(inner)
