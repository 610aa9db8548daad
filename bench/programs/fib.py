"""Fib: the plain recursive Fibonacci function."""

from __future__ import annotations


def fib(n: int) -> int:
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def benchmark(inner: int) -> bool:
    for _ in range(inner):
        if fib(20) != 6765:
            return False
    return True
