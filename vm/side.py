"""Side records of the machine: texts under ``M`` keys, and the shapes that they must have.

====================  =================================================================================
``class:NUMBER``      JSON: ``schemas`` (lists of field names), ``module``, ``name``, perhaps ``was`` (former names),
                      ``fields`` (of the last version) and ``since`` (its first schema)
``module:NAME``       the hash of the newest version of a file
``source:HASH``       JSON: text, name of the file, mode, and for an entry of a session what its names mean
====================  =================================================================================

A record that is something else raises DamagedRecord: nothing of it is used.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from holdfast.lang.compile import source_hash
from holdfast.vm import ids
from holdfast.vm.codec import Codec, DamagedRecord, key_name, open_record, pairs

THREADS = b"T"
FRAMES = b"F"
"""How the names of the side records of threads and their frames begin (:mod:`holdfast.vm.living`,
:mod:`holdfast.vm.stacks`)."""
CODE = b"code:"
"""How those of functions that have frames begin."""
SESSION = "session:"
"""How the names of the modules begin that are entries of sessions."""
_LOADED = re.compile(r"(K-[0-9a-f]+)!")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
DEPTH_MAX = 8
_MODES = ("program", "module", "session")


def commit_parts(codec: Codec, key: bytes, record: bytes) -> tuple[int, int, dict[str, Any]]:
    """Number, highest serial number and roots in the commit record."""
    values = codec.unpack(key, record)
    good = len(values) >= 2 and len(values) % 2 == 0 and all(type(part) is int and part >= 0 for part in values[:2])
    if not good or values[1] > ids.SERIAL_MASK or any(type(name) is not str for name in values[2::2]):
        raise DamagedRecord(key_name(key), "it is not that of a checkpoint")
    return values[0], values[1], dict(pairs(values[2:]))


def loader_of(module: str) -> str:
    """The KID of the domain that loaded a module, which is in its name; "" for the whole world's."""
    found = _LOADED.match(module)
    return found[1] if found is not None else ""


class StoredSource(NamedTuple):
    """A version of a file."""

    text: str
    name: str
    mode: str
    scope: dict[str, str] | None


def text_of(key: bytes, record: bytes) -> str:
    """The text in a record."""
    return decoded(key_name(key), open_record(key, record))


def decoded(name: str, text: bytes) -> str:
    """The text of a side record."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise DamagedRecord(name, "it is no text") from None


def bounded(text: str) -> str:
    """JSON that nests no deeper than the machine writes it: the host's parser recurses, to the end of its process where
    the limit is high (threat 23).

    Raises ValueError for what does.
    """
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH_MAX:
            raise ValueError("it nests too deeply")
    return text


def json_of(key: str, text: str) -> Any:
    """What a record says.

    Raises DamagedRecord.
    """
    try:
        return json.loads(bounded(text))
    except ValueError:
        raise DamagedRecord(key, "it is no JSON") from None


def _require(condition: bool, key: str, what: str) -> None:
    if not condition:
        raise DamagedRecord(key, f"it is not {what}")


def class_row(key: str, text: str) -> tuple[int, dict[str, Any]]:
    """Number and description of a class."""
    number = int(key) if key.isascii() and key.isdigit() and len(key) < 9 else 0
    row = json_of(f"class:{key}", text)
    _require(
        ids.USER_FIRST <= number <= ids.CLASS_MAX
        and type(row) is dict
        and row.keys() - {"was", "fields", "since"} == {"schemas", "module", "name"}
        and _is_names(row.get("was", []))
        and _is_names(row.get("fields", []))
        and type(row["schemas"]) is list
        and len(row["schemas"]) > 0
        and all(map(_is_names, row["schemas"]))
        and type(row.get("since", 0)) is int
        and 0 <= row.get("since", 0) < len(row["schemas"])
        and type(row["module"]) is str
        and _is_name(row["name"]),
        f"class:{key}",
        "that of a class",
    )
    return number, row


def _is_name(value: Any) -> bool:
    return type(value) is str and _NAME.match(value) is not None


def _is_names(value: Any) -> bool:
    return type(value) is list and all(map(_is_name, value)) and len(set(value)) == len(value)


def stored_source(hash_: str, module: str, text: str) -> StoredSource:
    """The version of a file with this hash."""
    key = f"source:{hash_}"
    row = json_of(key, text)
    _require(
        type(row) is list
        and len(row) in (3, 4)
        and all(type(part) is str for part in row[:3])
        and row[2] in _MODES
        and (len(row) == 4) == (row[2] == "session"),
        key,
        "that of a source",
    )
    found = StoredSource(row[0], row[1], row[2], row[3] if len(row) == 4 else None)
    if found.scope is None:
        content = found.text
    else:
        names: Any = found.scope
        _require(type(names) is dict and all(type(v) is str for v in names.values()), key, "that of an entry")
        content = json.dumps([module, found.text, names])
    _require(source_hash(content) == hash_, key, "what its hash says")
    return found
