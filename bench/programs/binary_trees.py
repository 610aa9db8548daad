"""Binary trees: many short-lived trees beside one that stays."""

from __future__ import annotations

MIN_DEPTH = 4
MAX_DEPTH = 8


class Tree:
    """A node; a leaf has no children."""

    def __init__(self, left: Tree | None, right: Tree | None) -> None:
        self.left = left
        self.right = right

    def check(self) -> int:
        """The number of nodes."""
        if self.left is None or self.right is None:
            return 1
        return 1 + self.left.check() + self.right.check()


def make(depth: int) -> Tree:
    if depth == 0:
        return Tree(None, None)
    return Tree(make(depth - 1), make(depth - 1))


def binary_trees() -> int:
    """The number of nodes of all trees."""
    total = make(MAX_DEPTH + 1).check()
    long_lived = make(MAX_DEPTH)
    for depth in range(MIN_DEPTH, MAX_DEPTH + 1):
        trees = 2 ** (MAX_DEPTH - depth)
        for _ in range(trees):
            total += make(depth).check()
    return total + long_lived.check()


def benchmark(inner: int) -> bool:
    for _ in range(inner):
        if binary_trees() != 4063:
            return False
    return True
