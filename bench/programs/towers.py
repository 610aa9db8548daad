"""Towers: the towers of Hanoi with thirteen disks."""

from __future__ import annotations

from typing import Any

from bench.programs.som import Benchmark


class Disk:
    """A disk and the one below it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.next: Any = None


class Towers(Benchmark):
    """Counts the moves."""

    def __init__(self) -> None:
        self.piles: Any = None
        self.moves_done = 0

    def push_disk(self, disk: Disk, pile: int) -> None:
        top = self.piles[pile]
        if top is not None and disk.size >= top.size:
            raise ValueError("cannot put a big disk on a smaller one")
        disk.next = top
        self.piles[pile] = disk

    def pop_disk_from(self, pile: int) -> Any:
        top = self.piles[pile]
        if top is None:
            raise ValueError("cannot take a disk from an empty pile")
        self.piles[pile] = top.next
        top.next = None
        return top

    def move_top_disk(self, from_pile: int, to_pile: int) -> None:
        self.push_disk(self.pop_disk_from(from_pile), to_pile)
        self.moves_done += 1

    def build_tower_at(self, pile: int, disks: int) -> None:
        for i in range(disks, -1, -1):
            self.push_disk(Disk(i), pile)

    def move_disks(self, disks: int, from_pile: int, to_pile: int) -> None:
        if disks == 1:
            self.move_top_disk(from_pile, to_pile)
        else:
            other_pile = (3 - from_pile) - to_pile
            self.move_disks(disks - 1, from_pile, other_pile)
            self.move_top_disk(from_pile, to_pile)
            self.move_disks(disks - 1, other_pile, to_pile)

    def benchmark(self) -> int:
        self.piles = [None, None, None]
        self.build_tower_at(0, 13)
        self.moves_done = 0
        self.move_disks(13, 0, 1)
        return self.moves_done

    def verify_result(self, result: int) -> bool:
        return result == 8191


def benchmark(inner: int) -> bool:
    return Towers().inner_benchmark_loop(inner)
