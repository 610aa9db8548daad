"""Shared pieces of the twins: the benchmark loop, the random numbers, a vector and a chained hash table.

They do by hand what Python has built in, as the suite asks: the same work is to be compared in every language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

INITIAL_SIZE = 10
INITIAL_CAPACITY = 16


class Benchmark:
    """Runs one program several times and verifies each result."""

    def inner_benchmark_loop(self, inner: int) -> bool:
        for _ in range(inner):
            if not self.verify_result(self.benchmark()):
                return False
        return True

    def benchmark(self) -> Any:
        raise NotImplementedError

    def verify_result(self, result: Any) -> Any:
        raise NotImplementedError


class Random:
    """A small linear congruential generator; every run gives the same numbers."""

    def __init__(self) -> None:
        self.seed = 74755

    def next(self) -> int:
        self.seed = ((self.seed * 1309) + 13849) & 65535
        return self.seed


def vector_with(elem: Any) -> Vector:
    """A vector of one element."""
    v = Vector(1)
    v.append(elem)
    return v


class Vector:
    """A growing array with a moving front."""

    def __init__(self, size: int = 0) -> None:
        self.storage: Any = None if size == 0 else [None] * size
        self.first_index = 0
        self.last_index = 0

    def at(self, index: int) -> Any:
        if self.storage is None or index >= len(self.storage):
            return None
        return self.storage[index]

    def append(self, elem: Any) -> None:
        if self.storage is None:
            self.storage = [None] * INITIAL_SIZE
        elif self.last_index >= len(self.storage):
            bigger = [None] * (2 * len(self.storage))
            for i in range(len(self.storage)):
                bigger[i] = self.storage[i]
            self.storage = bigger
        self.storage[self.last_index] = elem
        self.last_index += 1

    def is_empty(self) -> bool:
        return self.last_index == self.first_index

    def for_each(self, block: Callable[[Any], Any]) -> None:
        for i in range(self.first_index, self.last_index):
            block(self.storage[i])

    def remove_first(self) -> Any:
        if self.is_empty():
            return None
        self.first_index += 1
        return self.storage[self.first_index - 1]

    def remove(self, obj: Any) -> bool:
        if self.storage is None or self.is_empty():
            return False
        kept = [None] * self.capacity()
        count = 0
        found = False

        def each(it: Any) -> None:
            nonlocal count, found
            if it is obj:
                found = True
            else:
                kept[count] = it
                count += 1

        self.for_each(each)
        self.storage = kept
        self.last_index = count
        self.first_index = 0
        return found

    def size(self) -> int:
        return self.last_index - self.first_index

    def capacity(self) -> int:
        return 0 if self.storage is None else len(self.storage)

    def sort(self, compare: Callable[[Any, Any], int]) -> None:
        if self.size() > 0:
            self.sort_part(self.first_index, self.last_index - 1, compare)

    def sort_part(self, low: int, high: int, compare: Callable[[Any, Any], int]) -> None:
        """Sorts ``low`` to ``high``, both included, by splitting around the middle element."""
        if high <= low:
            return
        middle = self.storage[(low + high) // 2]
        i = low
        j = high
        while i <= j:
            while i < high and compare(self.storage[i], middle) < 0:
                i += 1
            while j > low and compare(middle, self.storage[j]) < 0:
                j -= 1
            if i <= j:
                self.storage[i], self.storage[j] = self.storage[j], self.storage[i]
                i += 1
                j -= 1
        self.sort_part(low, j, compare)
        self.sort_part(i, high, compare)


class Entry:
    """One link of a bucket's chain."""

    def __init__(self, hash_: int, key: Any, value: Any, next_: Entry | None) -> None:
        self.hash = hash_
        self.key = key
        self.value = value
        self.next = next_

    def match(self, hash_: int, key: Any) -> bool:
        return self.hash == hash_ and self.key == key


class IdEntry(Entry):
    """A link whose key is compared by identity."""

    def match(self, hash_: int, key: Any) -> bool:
        return self.hash == hash_ and self.key is key


def spread(key: Any) -> int:
    """The hash of a key, with its high half folded in."""
    if key is None:
        return 0
    hash_: int = key.custom_hash()
    return hash_ ^ hash_ >> 16


class Dictionary:
    """A hash table with chains; the number of buckets is a power of two."""

    def __init__(self, size: int = INITIAL_CAPACITY) -> None:
        self.buckets: list[Any] = [None] * size
        self.count = 0

    def bucket_index(self, hash_: int) -> int:
        return (len(self.buckets) - 1) & hash_

    def bucket(self, hash_: int) -> Any:
        return self.buckets[self.bucket_index(hash_)]

    def at(self, key: Any) -> Any:
        hash_ = spread(key)
        e = self.bucket(hash_)
        while e is not None:
            if e.match(hash_, key):
                return e.value
            e = e.next
        return None

    def at_put(self, key: Any, value: Any) -> None:
        hash_ = spread(key)
        i = self.bucket_index(hash_)
        current = self.buckets[i]
        if current is None:
            self.buckets[i] = self.new_entry(key, value, hash_)
            self.count += 1
        else:
            self.insert_in_chain(key, value, hash_, current)
        if self.count > len(self.buckets):
            self.resize()

    def new_entry(self, key: Any, value: Any, hash_: int) -> Entry:
        return Entry(hash_, key, value, None)

    def insert_in_chain(self, key: Any, value: Any, hash_: int, head: Any) -> None:
        current = head
        while True:
            if current.match(hash_, key):
                current.value = value
                return
            if current.next is None:
                self.count += 1
                current.next = self.new_entry(key, value, hash_)
                return
            current = current.next

    def resize(self) -> None:
        old = self.buckets
        self.buckets = [None] * (len(old) * 2)
        for head in old:
            current = head
            while current is not None:
                following = current.next
                i = self.bucket_index(current.hash)
                current.next = self.buckets[i]
                self.buckets[i] = current
                current = following

    def get_keys(self) -> Vector:
        keys = Vector(self.count)
        for head in self.buckets:
            current = head
            while current is not None:
                keys.append(current.key)
                current = current.next
        return keys


class IdentityDictionary(Dictionary):
    """A hash table whose keys are compared by identity."""

    def new_entry(self, key: Any, value: Any, hash_: int) -> Entry:
        return IdEntry(hash_, key, value, None)
