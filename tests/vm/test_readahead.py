"""Reading ahead is not to be seen, but in the number of look-ups."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.vm.readahead import BLOCK, BLOCKS_MAX, BYTES_MAX, MISSES, SCAN_BYTES_MAX, ReadAhead
from holdfast.vm.store import Store


def key_of(number: int) -> bytes:
    return b"O" + struct.pack(">Q", (300 + number % 2 << 40) | number)


def text_key(number: int) -> bytes:
    return b"P" + struct.pack(">Q", 2 << 40 | 7) + b"ks%d" % number


class Counting:
    """A store in a dict, which counts what is asked of it."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.looked_up = self.scans = self.scanned = 0

    def look_up(self, key: bytes) -> bytes | None:
        self.looked_up += 1
        return self.records.get(key)

    def items(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        self.scans += 1
        for key in sorted(self.records):
            if start <= key < end:
                self.scanned += 1
                yield key, self.records[key]

    def fill(self, numbers: Iterable[int], size: int = 50, name: Callable[[int], bytes] = key_of) -> None:
        self.records.update((name(number), b"%d:" % number + bytes(size)) for number in numbers)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["read", "read", "text", "row", "write", "delete", "range", "reopen"]), st.integers(0, 2000)
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(ACTIONS, st.integers(200, 5000), st.sampled_from([10, 3_000]))
def test_the_store_is_what_is_read(actions: list[tuple[str, int]], bytes_max: int, size: int) -> None:
    """After any reads and writes, what is read is what the store holds, also with little room and large records."""
    store = Counting()
    store.fill(range(0, 2000, 3), size)
    store.fill(range(0, 2000, 3), size, text_key)
    ahead = ReadAhead(store.look_up, store.items)
    ahead.bytes_max = bytes_max
    for action, number in actions:
        key = key_of(number)
        if action == "read":
            assert ahead.get(key) == store.records.get(key)
        elif action == "text":
            assert ahead.get(text_key(number)) == store.records.get(text_key(number))
        elif action == "row":  # enough for a scan, of both
            for other in range(number, number + 150):
                assert ahead.get(key_of(other)) == store.records.get(key_of(other))
                assert ahead.get(text_key(other)) == store.records.get(text_key(other))
        elif action == "write":
            store.records[key] = b"new %d" % number
            ahead.written([key])
        elif action == "delete":
            store.records.pop(key, None)
            ahead.written([key])
        elif action == "range":
            for other in range(number, number + 100):
                store.records.pop(key_of(other), None)
            ahead.clear()
        else:
            ahead.clear()
    for number in range(0, 2000, 7):
        assert ahead.get(key_of(number)) == store.records.get(key_of(number))
    assert ahead._size >= sum(len(record) + 200 for record in ahead._records.values())
    assert ahead._size <= bytes_max + 2 * BLOCK * (size + 300) + SCAN_BYTES_MAX
    assert ahead._kept >= len(ahead._records)


def scattered(count: int) -> Iterator[int]:
    """The numbers below a count of at most 65,536, each once."""
    place = 1
    for _ in range(65536):
        place = (place * 69069 + 1) % 65536
        if place < count:
            yield place


@pytest.mark.parametrize("order", ["scattered", "up", "down"])
@pytest.mark.parametrize("size", [50, 1_000, 5_000])
def test_what_it_saves(order: str, size: int) -> None:
    """All of many records, in any order, take few look-ups, and few records are read twice."""
    store = Counting()
    count = 20_000 if size < 100 else 4_000
    store.fill(range(count), size)
    ahead = ReadAhead(store.look_up, store.items)
    numbers = {"scattered": scattered(count), "up": range(count), "down": range(count - 1, -1, -1)}[order]
    for number in numbers:
        assert ahead.get(key_of(number)) == store.records[key_of(number)]
    if size < 5_000:  # a scan of these is as long as some look-ups
        assert store.looked_up + store.scans < count / (5 if size < 100 else 3)
    assert store.scanned < 1.1 * count


def test_what_it_wastes() -> None:
    """Few of many are looked up one by one; a part of a block, before it is scanned, costs what a scan does."""
    store = Counting()
    store.fill(range(65_536))
    ahead = ReadAhead(store.look_up, store.items)
    for number in range(0, 65_536, 2 * BLOCK // (MISSES - 1)):
        ahead.get(key_of(number))
    assert (store.scans, store.scanned) == (0, 0)
    assert store.looked_up > 65_536 * (MISSES - 1) // (2 * BLOCK)
    store = Counting()
    store.fill(range(60_000), 50, text_key)
    ahead = ReadAhead(store.look_up, store.items)
    for number in scattered(60_000):
        ahead.get(text_key(number))
        if store.looked_up + store.scans > 2_000:
            break
    assert store.scanned < 8 * 2_000  # steps of a scan, seven or eight of which are a look-up


def test_room() -> None:
    """What is kept stays near its limit, whatever the size of the records."""
    store = Counting()
    store.fill(range(3000), 100_000)
    ahead = ReadAhead(store.look_up, store.items)
    for number in range(3000):
        ahead.get(key_of(number))
        assert ahead._size < BYTES_MAX + (2 << 20)
    for number in range(0, BLOCK * 30_000, BLOCK):
        ahead.get(key_of(number))
    assert len(ahead._misses) <= BLOCKS_MAX + 1


@pytest.mark.parametrize("failing", [False, True])
def test_in_the_store(tmp_path: Path, failing: bool) -> None:
    """Batches take out what they change: also ranges; and nothing is left after the store was opened again."""
    store = Store(tmp_path / "w", durability="process")
    batch = store.batch()
    for number in range(1000):
        batch.put(key_of(number), b"old %d" % number)
    store.write(batch)
    for number in range(0, 1000, 2):
        assert store.read(key_of(number)) == b"old %d" % number
    batch = store.batch()
    batch.put(key_of(601), b"new")
    batch.delete(key_of(603))
    store.write(batch)
    if failing:
        store.reopen()
    assert (store.read(key_of(601)), store.read(key_of(603)), store.read(key_of(605))) == (b"new", None, b"old 605")
    batch = store.batch()
    batch.delete_range(key_of(701), key_of(801))
    store.write(batch)
    assert [store.read(key_of(n)) for n in (699, 701, 799, 801)] == [b"old 699", None, None, b"old 801"]
    store.close()
