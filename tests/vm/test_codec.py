"""Records: what goes in comes out, and what was not written by us is refused."""

from __future__ import annotations

import struct
from typing import Any

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vm.codec import (
    ABSENT,
    Codec,
    DamagedRecord,
    Named,
    Reference,
    UnstorableValue,
    bare_codec,
    check_values,
    open_record,
    seal_record,
)
from holdfast.vm.objects import UNSET, Error, make_error
from tests.vm.worlds import plain

KEY = b"O" + struct.pack(">Q", 300 << 40 | 7)

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.text(),
    st.binary(),
    st.builds(range, st.integers(), st.integers(), st.integers(1, 2**70)),
    st.builds(Reference, st.integers(1, 2**63 - 1)),
    st.builds(Named, st.text(max_size=5), st.text(max_size=5)),
    st.sampled_from([UNSET, ABSENT]),
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of one type, signs of zeros included."""
    if isinstance(left, Named | Reference):
        return bool(left == right)
    return plain(left) == plain(right)


@given(st.lists(VALUES, max_size=6))
def test_round_trip(values: list[Any]) -> None:
    """Every value of Hold comes back as it was, with its exact type."""
    codec = bare_codec()
    back = codec.unpack(KEY, seal_record(KEY, codec.pack(values)))
    assert len(back) == len(values)
    assert all(same(left, right) for left, right in zip(values, back, strict=True))


@given(st.lists(VALUES, max_size=4), st.data())
def test_any_flipped_bit_is_found(values: list[Any], data: st.DataObject) -> None:
    """A record with one bit flipped is refused."""
    codec = bare_codec()
    record = bytearray(seal_record(KEY, codec.pack(values)))
    record[data.draw(st.integers(0, len(record) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedRecord):
        codec.unpack(KEY, bytes(record))


@given(st.lists(VALUES, max_size=4), st.data())
def test_a_cut_record_is_found(values: list[Any], data: st.DataObject) -> None:
    """A record that is shorter or longer than it was is refused."""
    codec = bare_codec()
    record = seal_record(KEY, codec.pack(values))
    with pytest.raises(DamagedRecord):
        codec.unpack(KEY, record[: data.draw(st.integers(0, len(record) - 1))])
    with pytest.raises(DamagedRecord):
        codec.unpack(KEY, record + b"\0")


NUMBERS = st.one_of(st.integers(0, 2**33), st.sampled_from([127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, -1]))


@given(NUMBERS, st.one_of(VALUES, st.integers(0, 2**63 - 1).map(lambda oid: new(oid))))
def test_entries_are_records(number: int, value: Any) -> None:
    """An entry is byte for byte the record of its number and value, and read as one."""
    codec = bare_codec()
    codec = Codec(lambda obj: 300 << 40 | 9, codec._function_id, codec._name_of, codec._refer, codec._named)
    record = codec.record(KEY, [number, value])
    assert codec.entry(KEY, number, value) == record
    left, right = list(codec.open_entry(KEY, record)), codec.unpack(KEY, record)
    assert all(same(one, other) for one, other in zip(left, right, strict=True))


@given(NUMBERS, st.integers(1, 2**63 - 1), st.lists(st.integers(0, 255), max_size=2), st.data())
def test_damaged_entries_are_found(number: int, oid: int, changed: list[int], data: st.DataObject) -> None:
    """Whatever is wrong with an entry, it is refused as any record, also where the checksum was made to fit."""
    codec = bare_codec()
    payload = bytearray(codec.pack([number, Reference(oid)]))
    for byte in changed:
        payload[data.draw(st.integers(0, len(payload) - 1))] = byte
    record = bytearray(seal_record(KEY, bytes(payload)))
    if data.draw(st.booleans()):
        record[data.draw(st.integers(0, len(record) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    outcomes = []
    for read in (codec.unpack, codec.open_entry):
        try:
            outcomes.append(list(read(KEY, bytes(record))))
        except DamagedRecord as error:
            outcomes.append([str(error)])
    assert len(outcomes[0]) == len(outcomes[1])
    assert all(same(one, other) for one, other in zip(*outcomes, strict=True))


def new(oid: int) -> Error:
    """An object with the id, or without one if that is 0."""
    made = make_error("Error", "some")
    made._i = oid
    return made


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_a_record_under_another_key_is_found(one: int, other: int) -> None:
    """A record belongs to its key: put under the id of another object it is refused, with the KID of that one."""
    if one == other:
        return
    keys = [b"O" + struct.pack(">Q", oid) for oid in (one, other)]
    record = seal_record(keys[0], b"\x90")
    assert open_record(keys[0], record) == b"\x90"
    with pytest.raises(DamagedRecord, match=f"K-{other:x} is damaged: the checksum"):
        open_record(keys[1], record)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(payload: bytes) -> None:
    """Bytes with a right checksum, from whomever, decode or raise DamagedRecord, and nothing else."""
    try:
        bare_codec().unpack(KEY, seal_record(KEY, payload))
    except DamagedRecord as error:
        assert str(error).isprintable()


@pytest.mark.parametrize("depth", [100, 2_000, 1_000_000])
def test_nesting_does_not_recurse(depth: int) -> None:
    """Deeply nested arrays are refused without using up the host's stack."""
    payload = b"\x91" * depth + b"\xc0"
    try:
        values = bare_codec().unpack(KEY, seal_record(KEY, payload))
    except DamagedRecord:
        return
    with pytest.raises(DamagedRecord):
        check_values(KEY, values)


@pytest.mark.parametrize(
    "value",
    ["\ud800", object(), {1}, (1,), Exception()],
    ids=lambda value: type(value).__name__,
)
def test_what_no_record_can_hold_is_refused(value: Any) -> None:
    """Surrogates and values of the host are refused before anything is written."""
    with pytest.raises(UnstorableValue):
        bare_codec().pack([value])


@pytest.mark.parametrize(
    "ext",
    [
        (1, b"1234567"),
        (2, b"\0\0\0\0\0\0\0\0\0\1"),
        (2, b""),
        (3, ormsgpack.packb([1, 2])),
        (3, ormsgpack.packb([1, 2, 0])),
        (3, ormsgpack.packb([1, 2, "x"])),
        (4, ormsgpack.packb(["x"])),
        (7, b"\xc0"),
        (9, b""),
        (-1, b"1234"),
    ],
)
def test_malformed_extensions_are_refused(ext: tuple[int, bytes]) -> None:
    """Each extension is checked: length, shape, shortest form, known code."""
    payload = b"\x91\xd6\xff1234" if ext[0] == -1 else ormsgpack.packb([ormsgpack.Ext(*ext)])
    with pytest.raises(DamagedRecord):
        bare_codec().unpack(KEY, seal_record(KEY, payload))


def test_later_record_versions_are_refused() -> None:
    """A record of a version that is not known is refused, and the message says which."""
    record = bytearray(seal_record(KEY, b"\x90"))
    record[0] = 2
    with pytest.raises(DamagedRecord, match="record version 2"):
        open_record(KEY, bytes(record))
