"""Reading ahead is not to be seen, but in the number of look-ups."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.vm.readahead import BLOCK, BYTES_MAX, SCAN_MIN, ReadAhead
from holdfast.vm.store import Store


def key_of(number: int) -> bytes:
    return b"O" + struct.pack(">Q", (300 + number % 2 << 40) | number)


class Counting:
    """A store in a dict, which counts what is asked of it."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.looked_up = self.scans = self.scanned = 0

    def look_up(self, key: bytes) -> bytes | None:
        self.looked_up += 1
        return self.records.get(key)

    def items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        self.scans += 1
        for key in sorted(self.records):
            if key >= start:
                self.scanned += 1
                yield key, self.records[key]

    def fill(self, numbers: Iterable[int], size: int = 50) -> None:
        self.records.update((key_of(number), b"%d:" % number + bytes(size)) for number in numbers)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["read", "read", "read", "row", "write", "delete", "range", "reopen"]), st.integers(0, 2000)
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(ACTIONS, st.integers(200, 5000))
def test_the_store_is_what_is_read(actions: list[tuple[str, int]], bytes_max: int) -> None:
    """After any reads and writes, what is read is what the store holds, also with little room."""
    store = Counting()
    store.fill(range(0, 2000, 3))
    ahead = ReadAhead(store.look_up, store.items)
    ahead.bytes_max = bytes_max
    for action, number in actions:
        key = key_of(number)
        if action == "read":
            assert ahead.get(key) == store.records.get(key)
        elif action == "row":  # enough to earn a scan
            for other in range(number, number + SCAN_MIN):
                assert ahead.get(key_of(other)) == store.records.get(key_of(other))
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
    assert ahead._size <= bytes_max + 2 * BLOCK * 300
    assert ahead._kept >= len(ahead._records)


def test_what_it_saves_and_wastes() -> None:
    """All of many records, in a scattered order, take few look-ups; few of many are not scanned for nothing."""
    store = Counting()
    store.fill(range(20_000))
    ahead = ReadAhead(store.look_up, store.items)
    place = 1
    for _ in range(65536):
        place = (place * 69069 + 1) % 65536
        if place < 20_000:
            assert ahead.get(key_of(place)) == store.records[key_of(place)]
    assert store.looked_up + store.scans < 8_000
    store.looked_up = store.scans = store.scanned = 0
    ahead = ReadAhead(store.look_up, store.items)
    for number in range(0, 20_000, 400):
        ahead.get(key_of(number))
    assert (store.looked_up, store.scans) == (50, 0)


def test_room() -> None:
    """What is kept stays near its limit, whatever the size of the records."""
    store = Counting()
    store.fill(range(3000), 100_000)
    ahead = ReadAhead(store.look_up, store.items)
    for number in range(3000):
        ahead.get(key_of(number))
        assert ahead._size < BYTES_MAX + (2 << 20)


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
