"""What the objects of a world need of its own records: the classes of instances, the sources of code.

The records are those of :mod:`holdfast.vm.modules`, :mod:`holdfast.vm.stacks` and :mod:`holdfast.vm.world`.  Here they
are only read: for a check, whether what was stored can be linked again, and for a collection, which of them nothing
needs any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.codec import DamagedRecord, key_name, open_record
from holdfast.vm.side import CODE, SESSION, json_of, loader_of, text_of
from holdfast.vm.stacks import unpack

if TYPE_CHECKING:
    from holdfast.vm.store import Snapshot


def loader_id(module: str) -> int | None:
    """The id of the domain that loaded a module; None for the whole world's, and for a name that tells of no domain."""
    kid = loader_of(module)
    return ids.parse_kid(kid) if 3 <= len(kid) <= ids.KID_MAX else None


def class_loaders(view: Snapshot) -> dict[str, int]:
    """Number of each class that a restricted program has loaded, in digits, to the id of its domain."""
    found = {}
    start = b"Mclass:"
    for key, record in view.scan(start):
        if b"!" in record:  # no other class's record needs to be read
            domain = loader_id(str(json_object(key_name(key), text_of(key, record)).get("module")))
            if domain is not None:
                found[key[len(start) :].decode(errors="replace")] = domain
    return found


def module_of_code(view: Snapshot, number: int) -> str:
    """The module of a function that has frames on disk; "" if the record is not what the machine writes: who needs it
    says so."""
    key = b"M" + CODE + b"%d" % number
    record = view.get(key)
    try:
        module = unpack(open_record(key, record or b""))[0]
    except (DamagedRecord, ValueError, TypeError, IndexError):
        return ""
    return module if type(module) is str else ""


def json_object(name: str, text: str) -> dict[str, Any]:
    """The JSON object that a record is to be.

    Raises DamagedRecord.
    """
    found = json_of(name, text)
    if type(found) is not dict:
        raise DamagedRecord(name, "it is not what the machine writes there")
    return found


class Definitions:
    """The definitions that a world knows."""

    def __init__(self, view: Snapshot) -> None:
        self.view = view
        self.classes = self.read("class:")
        self.names = self.read("names:")
        self.newest = self.records("module:")
        self.sources = set(self.records("source:", whole=False))
        self._faults: dict[int, str] = {}
        """Class number to what is wrong with the class, "" if nothing is."""

    def records(self, prefix: str, whole: bool = True) -> dict[str, Any]:
        """All records whose name begins so: rest of the name, text."""
        start = b"M" + prefix.encode()
        found = {}
        for key, record in self.view.scan(start):
            found[key[len(start) :].decode(errors="replace")] = text_of(key, record) if whole else None
        return found

    def read(self, prefix: str) -> dict[str, Any]:
        """The same for JSON objects."""
        return {name: json_object(prefix + name, text) for name, text in self.records(prefix).items()}

    def unneeded(
        self, sources: set[str], codes: set[int], modules: set[str], lacks: Callable[[int], bool]
    ) -> list[bytes]:
        """Keys of old versions of files, and of functions that had frames, that nothing needs any more.

        Needed are the given sources and functions, the newest version of each file, the last one that defined a name
        which has gone since, and what the functions are of.  An entry of a session is needed by its functions and
        classes alone; what a restricted program has loaded, as long as there is its domain (``lacks`` says of an id
        whether there is no such object), or the module is in memory.

        Raises DamagedRecord.
        """
        gone: list[bytes] = []
        needed = set(sources)
        over = {
            module
            for module in self.newest.keys() - modules
            if (domain := loader_id(module)) is not None and lacks(domain)
        }
        for module in over:
            gone += [b"Mmodule:" + module.encode(), b"Mnames:" + module.encode()]
        defining = {row.get("module") for row in self.classes.values()}
        entries = {
            module: hash_
            for module, hash_ in self.newest.items()
            if module.startswith(SESSION) and module not in modules and module not in defining
        }
        needed.update(hash_ for module, hash_ in self.newest.items() if module not in over and module not in entries)
        for module, names in self.names.items():
            if module in over:
                continue
            for row in names.values():
                if type(row) is not list or [type(part) for part in row] != [str, str]:
                    raise DamagedRecord(f"names:{module}", "it is not what the machine writes there")
                needed.add(row[1])
        start = b"M" + CODE
        for key, record in self.view.scan(start):
            number = key[len(start) :]
            if not number.isdigit() or int(number) not in codes:
                gone.append(key)
                continue
            try:
                _, hash_, *_ = unpack(open_record(key, record))
            except (ValueError, TypeError):
                hash_ = None
            if type(hash_) is not str:
                raise DamagedRecord(key_name(key), "it is not that of a function")
            needed.add(hash_)
        gone += [b"Mmodule:" + module.encode() for module, hash_ in entries.items() if hash_ not in needed]
        return gone + [b"Msource:" + name.encode() for name in self.sources - needed]

    def check(self, number: int, schema: Any, fields: list[Any], name: str) -> None:
        """Check the record of an instance or function.

        Raises DamagedRecord.
        """
        if number == ids.FUNCTION:
            if fields[0].hex() not in self.sources:
                raise DamagedRecord(name, f"it is a function of {fields[2]}, whose source the world does not have")
        elif number >= ids.USER_FIRST:
            if number not in self._faults:
                self._faults[number] = self.fault(number)
            if self._faults[number]:
                raise DamagedRecord(name, self._faults[number])
            schemas = self.classes[str(number)]["schemas"]
            if type(schema) is not int or not 0 <= schema < len(schemas) or len(schemas[schema]) != len(fields):
                raise DamagedRecord(name, "its fields are those of no version of its class")

    def fault(self, number: int) -> str:
        """What is wrong with a class; "" if nothing is."""
        row = self.classes.get(str(number))
        if row is None:
            return f"it is of class {number}, which the world does not have"
        if not row.keys() >= {"module", "name", "schemas"}:
            return f"it is of class {number}, whose record is not what the machine writes"
        module, name = row["module"], row["name"]
        # An entry of a session has one version only, and no record of names.
        last = self.names.get(module, {}).get(name, ["", self.newest.get(module)])[1]
        if last in self.sources:
            return ""
        return f"it is of class {name} of {module}, whose source the world does not have"
