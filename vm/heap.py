"""The heap: which objects exist in memory, which are ghosts, and what has changed.

Invariants:

* **One shell an id.**  ``table`` holds, weakly, the one Python object (or function) that stands for an id.
* **Token.**  An object whose ``_t is heap.token`` may be written without a call of :meth:`Heap.barrier`: it is on the
  dirty set or has no id yet; the open checkpoint and the innermost ``atomic`` have what they need of its older
  state.  Tokens are never reused; a ghost's token is the heap, a loaded object's is ``LOADED``: never current.
* **Dirty.**  ``dirty`` holds each object with an id that differs from its record, and was not taken by a checkpoint.
  An object without an id is on no list: what is reachable from the roots is found by a checkpoint's tracing.
* **Only the clean become ghosts**, and never one whose raw container somebody else holds.

Hooks of the machine are in :mod:`holdfast.vm.hooks`.  Everything here runs in the one thread that runs guests.
"""

from __future__ import annotations

import struct
import weakref
from gc import get_referents
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from holdfast.vm import ids, memory
from holdfast.vm.codec import (
    ABSENT,
    Codec,
    DamagedRecord,
    Pieces,
    UnstorableValue,
    check_values,
    key_name,
    pairs,
)
from holdfast.vm.domains import Condition, Domain
from holdfast.vm.hooks import BareMachine, FunctionParts, Machine
from holdfast.vm.ids import SERIAL_BITS, TEXT
from holdfast.vm.large import Large, LargeTexts
from holdfast.vm.layouts import LOADED, Layout, Layouts, Token
from holdfast.vm.limits import reserve_stack
from holdfast.vm.memory import RECORD_FACTOR, SHELL_BYTES
from holdfast.vm.objects import ERRORS, NEW, Box, Collections, MapBase, Obj, fail
from holdfast.vm.piecelist import PieceList
from holdfast.vm.piecemap import PieceMap
from holdfast.vm.pieces import PieceBase
from holdfast.vm.prefetch import NotNow, Prefetch
from holdfast.vm.side import commit_parts
from holdfast.vm.stock import Stock
from holdfast.vm.store import Store, StoreError, WorldDamaged, object_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdfast.vm.checkpoint import Checkpoint

__all__ = ["COMMIT_KEY", "ROOT", "BareMachine", "FunctionParts", "Heap", "Machine", "WorldFull"]

COMMIT_KEY = b"Mcommit"
ROOT = "root"

DELETE_BATCH = 5_000


class WorldFull(StoreError):
    """The world has given out all the ids there are."""


class Heap:
    """The objects of one world."""

    def __init__(self, store: Store, machine: Machine | None = None, *, memory_limit: int | None = None) -> None:
        self.store = store
        self.machine: Machine = machine if machine is not None else BareMachine()
        self.memory_limit = memory_limit
        if memory_limit is not None:
            store.limit_read_ahead(memory_limit // 8)
        self.memory_used = 0
        """Estimate of the bytes of all objects with ids; too high by what died since the last sweep."""
        self.sweep_above = 0
        self.evicted = 0
        """Objects that were made ghosts again."""
        self.collections = Collections()
        self.globals: dict[str, Any] = {}
        self.table: dict[int, weakref.ref[Any]] = {}
        self.layouts = Layouts(self)
        self.classes: dict[int, type[Obj]] = {}
        self._loading: dict[int, Layout] = {}
        """Layouts by class number."""
        self._ghosts: dict[int, type[Obj]] = {}
        self._function_ids: weakref.WeakKeyDictionary[FunctionType, int] = weakref.WeakKeyDictionary()
        self._wanted: list[int] | None = None
        self.codec = Codec(self.identify, self.function_ref, self.machine.name_of, self.ref, self.named)
        self.hasty = False
        """While records are decoded that nobody has asked for: references may only be made shells."""
        self.prefetch = Prefetch(self)
        store.decode_ahead(self.prefetch.take)
        self.large = LargeTexts(self)
        self.codec.outline = self.large.outline
        self.seen: list[int] | None = None
        """While garbage is collected: ids of all that had a shell since then."""
        self.condemned: Callable[[int], bool] | None = None
        """While garbage is deleted: whether an id is of that."""
        self.dirty: dict[int, Obj] = {}
        self.piece_changes = 0
        """Entries and chunks of collections in pieces that were changed and not taken by a checkpoint (about)."""
        self.found: dict[int, Obj | FunctionType] | None = None
        """Objects that got an id and must be written; there only while a checkpoint encodes."""
        self.open: Checkpoint | None = None
        self.stock = Stock(store)
        """What the domains' objects take on disk."""
        self.frozen: Any = None
        """What owns Lists, Maps and Sets that cannot be changed; None as long as there are none."""
        self.levels: list[dict[int, tuple[Obj, list[Any]]]] = []
        self.roots: dict[str, Obj] = {}
        self.roots_changed = False
        self.commit_number = 0
        self.serial = 0
        self.token = Token(0)
        self.new_epoch()
        self.globals["_dirty"] = self.barrier
        own = (self.collections.List, self.collections.Map, self.collections.Set, Box, Large, Domain, Condition)
        for cls in (*own, *ERRORS.values()):
            self.register_class(cls)
        self._read_commit()

    # ------------------------------------------------------------------ opening

    def _read_commit(self) -> None:
        record = self.store.get(COMMIT_KEY)
        if record is None:
            self._delete_above(0)
            root = self.collections.Map()
            root._t, root._i = self.token, NEW
            root.hold({})
            self.set_root(ROOT, root)
            return
        try:
            self.commit_number, self.serial, self.roots = commit_parts(self.codec, COMMIT_KEY, record)
        except DamagedRecord as error:
            raise WorldDamaged(f"the world {self.store.path} cannot be opened: {error}; restore a backup") from None
        domains = (self.roots.get("domain"), self.roots.get("frozen"))
        if not isinstance(self.roots.get(ROOT), Obj) or not all(isinstance(one, Obj) for one in self.roots.values()):
            raise WorldDamaged(f"the world {self.store.path} has no root object; restore a backup")
        if not all(one is None or isinstance(one, Domain) for one in domains):
            raise WorldDamaged(f"what the threads of the world {self.store.path} may do is damaged; restore a backup")
        self.frozen = self.roots.get("frozen")
        self._delete_above(self.serial)
        self.stock.read(self.codec)

    def _delete_above(self, serial: int) -> None:
        """Delete what a checkpoint that was never committed wrote ahead: every id above the high-water mark."""
        for letter in (b"O", b"P"):
            number = 0
            while True:
                start = letter + struct.pack(">Q", ids.make_id(number, serial + 1))
                batch, following = self.store.batch(), None
                for key, _ in self.store.scan(letter, start):
                    oid = int.from_bytes(key[1:9], "big")
                    if ids.serial_of(oid) <= serial:  # the next class begins
                        following = ids.class_of(oid)
                        break
                    batch.delete(key)
                    if len(batch) >= DELETE_BATCH:
                        following = ids.class_of(oid)
                        break
                if batch:
                    self.store.write(batch)
                if following is None:
                    break
                number = following

    def set_root(self, name: str, obj: Obj) -> None:
        """Make the object a root of the given name (``root`` is the one that programs see)."""
        self.roots[name] = obj
        self.roots_changed = True

    @property
    def root(self) -> Any:
        """The root object of the world."""
        return self.roots[ROOT]

    @property
    def changed(self) -> bool:
        """True when a checkpoint would write something (what the machine adds aside)."""
        return bool(self.dirty) or self.roots_changed

    # ------------------------------------------------------------------ classes

    def register_class(self, cls: type[Obj]) -> None:
        """Make the live class (sealed) known under its number; a class that replaces another one takes its place."""
        live = cls._live
        self.layouts[live] = self.layouts[live._ghost] = self._loading[live._k] = Layout(live)
        self.classes[live._k] = live
        self._ghosts[live._k] = live._ghost

    def layout_of(self, number: int) -> Layout | None:
        """The layout of the classes' instances, None for a class that is not known yet."""
        return self._loading.get(number)

    def _ghost_class(self, number: int) -> type[Obj]:
        cls = self.machine.find_class(number)
        if cls is None:
            raise DamagedRecord(f"class {number}", "a reference to a class that the world does not have")
        if number not in self._ghosts:
            self.register_class(cls)
        return self._ghosts[number]

    # ------------------------------------------------------------------ ids and references

    def identify(self, obj: Obj) -> int:
        """Give a new object its id, and note that it must be written (a checkpoint's encoder calls this)."""
        found = self.found
        self.serial = serial = self.serial + 1
        number = obj._k
        if found is None or serial > ids.SERIAL_MASK or not number:
            self._refuse_id(obj._name)
        obj._i = oid = number << ids.SERIAL_BITS | serial
        self.table[oid] = weakref.ref(obj)
        found[oid] = obj
        return oid

    def _refuse_id(self, name: str) -> NoReturn:
        if self.serial > ids.SERIAL_MASK:
            raise WorldFull(
                f"the world {self.store.path} has given out all {ids.SERIAL_MASK} ids; export and import it"
            )
        raise UnstorableValue(f"an object of class {name} cannot get an id now")

    def function_ref(self, function: FunctionType) -> int:
        """The id of a function, a new one (to be written) if it has none."""
        oid = self._function_ids.get(function)
        if oid is None:
            self.serial += 1
            if self.found is None or self.serial > ids.SERIAL_MASK:
                self._refuse_id("Function")
            oid = ids.make_id(ids.FUNCTION, self.serial)
            self._function_ids[function] = oid
            self.table[oid] = weakref.ref(function)
            self.found[oid] = function
        return oid

    def function_id(self, function: FunctionType) -> int:
        """The id of a function, 0 if it has none."""
        return self._function_ids.get(function, 0)

    def ref(self, oid: int) -> Any:
        """The object or function with the id; an object that was not in memory is made as a ghost, without a read."""
        weak = self.table.get(oid)
        if weak is not None:
            obj = weak()
            if obj is not None:
                return obj if type(obj) is not Large else obj.value
        if self.seen is not None:
            self.seen.append(oid)
        number = oid >> SERIAL_BITS
        ghost = self._ghosts.get(number)
        if ghost is None or number == TEXT:
            if self.hasty:
                raise NotNow
            if number == TEXT:
                return self.large.load(oid)
            if number == ids.FUNCTION:
                return self._function(oid)
            ghost = self._ghost_class(number)
        shell: Obj = ghost()
        shell._t = self
        shell._i = oid
        self.table[oid] = weakref.ref(shell)
        self.memory_used += SHELL_BYTES
        return shell

    def named(self, module: str, name: str) -> Any:
        """What is stored by name: a class, whose module is loaded for that, or a built-in function."""
        if self.hasty:
            raise NotNow
        return self.machine.named(module, name)

    def find(self, oid: int) -> Any:
        """What a person or a peer means by an id: the object or function, or None when there is none (any more).

        While garbage is collected, what was asked for is kept; while it is deleted, what is condemned is gone.
        """
        if self.loaded(oid) is None:
            if self.condemned is not None and self.condemned(oid):
                return None
            if ids.serial_of(oid) > self.serial or not 0 < oid < 1 << 63 or self.store.get(object_key(oid)) is None:
                return None
        return self.ref(oid)

    def loaded(self, oid: int) -> Any:
        """The object or function with the id if it is in memory, else None."""
        weak = self.table.get(oid)
        return None if weak is None else weak()

    # ------------------------------------------------------------------ reading

    def load(self, obj: Obj) -> None:
        """Read a ghost's record and make it live.

        Raises DamagedRecord, and leaves the ghost as it was.
        """
        ghost = type(obj)
        if ghost is not ghost._ghost:
            return
        oid = obj._i
        layout = self._loading[oid >> SERIAL_BITS]  # a class that changed meanwhile has another ghost class
        key = object_key(oid)
        if layout.number == ids.THREAD:
            reserve_stack()  # one that is alive takes more than its record, and must not be left half way
        try:
            record = self.store.read(key)
            if record is None:
                raise DamagedRecord(ids.kid(oid), "there is none")
            values = self.codec.unpack(key, record)
            older = not layout.fill(obj, values) and self._fill_slowly(obj, key, layout, values)
            obj._t = LOADED
            self.memory_used += RECORD_FACTOR * len(record)
            if older:
                self.barrier(obj)
            if layout.number == ids.THREAD:
                self.machine.woken(obj)
        except DamagedRecord as error:
            if layout.number != ids.THREAD or not self.machine.lost(obj, str(error)):
                raise
        except BaseException:
            if layout.number == ids.THREAD:
                memory.unload(self, obj)
            raise

    def _fill_slowly(self, obj: Obj, key: bytes, layout: Layout, values: list[Any]) -> bool:
        """A collection, an owned object, one of an older schema or with extra fields, or a record that is damaged.

        Says whether it was of an older version of its class: then it is to be written as it is now, so that a program
        which has touched all instances need not know the older version any more.
        """
        older = False
        oid, cls = obj._i, layout.cls
        try:
            number, schema, owner, extra = values[:4]
        except ValueError:
            raise DamagedRecord(ids.kid(oid), "it is too short") from None
        if number != layout.number:
            raise DamagedRecord(ids.kid(oid), f"it is of class {number!r}, and the id of class {layout.number}")
        fields = values[4:]
        if owner is not None and not isinstance(owner, Domain):
            raise DamagedRecord(ids.kid(oid), "its owner is no domain")
        if layout.checked is not None and not layout.checked(fields):
            raise DamagedRecord(ids.kid(oid), "it is not what the machine writes there")
        if layout.collection:
            fields = [self._contents(obj, key, fields)]
        else:
            check_values(key, fields)
        if schema != layout.schema or extra is not None:
            older = self._fill_changed(obj, cls, key, schema, fields, extra)
        else:
            if len(fields) != len(layout.names):
                raise DamagedRecord(ids.kid(oid), f"it has {len(fields)} fields, and its class {len(layout.names)}")
            obj.__class__ = cls
            for name, value in zip(layout.names, fields, strict=True):
                if value is not ABSENT:
                    setattr(obj, name, value)
        if isinstance(obj, MapBase):
            obj.e = obj.v
        if owner is not None:
            obj._o = owner
        return older

    def _contents(self, obj: Obj, key: bytes, fields: list[Any]) -> Any:
        """The raw container from a collection's one field."""
        items = fields[0] if len(fields) == 1 else None
        number = obj._k
        if type(items) is Pieces:
            if number == ids.LIST:
                return PieceList.from_header(self, obj._i, items.header)
            return PieceMap.from_header(self, obj._i, items.header)
        if type(items) is not list:
            raise DamagedRecord(key_name(key), "a collection without contents")
        check_values(key, items)
        if number == ids.LIST:
            return items
        try:
            made = dict(pairs(items)) if number == ids.MAP else dict.fromkeys(items)
        except (ValueError, TypeError):
            raise DamagedRecord(key_name(key), "a key that cannot be one") from None
        if len(made) != (len(items) // 2 if number == ids.MAP else len(items)):
            raise DamagedRecord(key_name(key), "a key that is there twice")
        return made

    def _fill_changed(self, obj: Obj, cls: type[Obj], key: bytes, schema: Any, fields: list[Any], extra: Any) -> bool:
        """Fill an object whose record has extra fields, or another schema than its class has now; says as above."""
        older = False
        more: dict[str, Any] | None = None
        if extra is not None:
            if type(extra) is not list or len(extra) % 2 or any(type(name) is not str for name in extra[::2]):
                raise DamagedRecord(key_name(key), "extra fields that are none")
            check_values(key, extra)
            more = dict(pairs(extra))
        if schema == cls._schema:
            found = dict(zip(cls._slots, fields, strict=False))
            if len(fields) != len(cls._slots):
                raise DamagedRecord(key_name(key), f"it has {len(fields)} fields, and its class {len(cls._slots)}")
            found["_x"] = more
        else:
            if type(schema) is not int:
                raise DamagedRecord(key_name(key), "a schema that is no number")
            try:
                found, older = self.machine.upgrade(cls, schema, fields, more)
            except DamagedRecord as error:
                raise DamagedRecord(key_name(key), error.reason) from None
        obj.__class__ = cls
        for name, value in found.items():
            if value is not ABSENT:
                setattr(obj, name, value)
        return older

    def _function(self, oid: int) -> Any:
        """A function from its record, and the functions that it captured before it: with a worklist, since chains
        of closures can be of any length.  While a record is read for what it captures, :attr:`_wanted` is a list."""
        if self._wanted is not None:
            self._wanted.append(oid)
            return None
        made: dict[int, Any] = {}
        stack, entered = [oid], set[int]()
        while stack:
            top = stack[-1]
            if self.loaded(top) is not None:
                made[stack.pop()] = self.loaded(top)  # held, so that what needs it next finds it alive
                continue
            parts, missing = self._function_record(top)
            if not missing:
                function = self.machine.make_function(parts)
                self._function_ids[function] = top
                self.table[top] = weakref.ref(function)
                made[stack.pop()] = function
            elif top in entered:
                raise DamagedRecord(ids.kid(top), "functions that captured each other")
            else:
                entered.add(top)
                stack.extend(missing)
        return made[oid]

    def _function_record(self, oid: int) -> tuple[FunctionParts, list[int]]:
        """What the record says, and the captured functions that must be made first."""
        key = object_key(oid)
        record = self.store.read(key)
        if record is None:
            raise DamagedRecord(ids.kid(oid), "there is none")
        missing: list[int] = []
        self._wanted = missing
        try:
            values = self.codec.unpack(key, record)
        finally:
            self._wanted = None
        if [type(value) for value in values[4:]] != [bytes, int, str, list] or values[0] != ids.FUNCTION:
            raise DamagedRecord(ids.kid(oid), "it is not that of a function")
        check_values(key, values[7])
        return FunctionParts(*values[4:]), missing

    # ------------------------------------------------------------------ writing

    def new_epoch(self) -> Token:
        """Make every token stale."""
        self.token = token = Token(self.token.n + 1)
        self.globals["_T"] = token
        return token

    def barrier(self, obj: Obj) -> None:
        """What must be done before an object is written, once an object and epoch."""
        cls = type(obj)
        if cls is cls._ghost:
            self.load(obj)
        if self.frozen is not None and cls._k < ids.BOX and getattr(obj, "_o", None) is self.frozen:
            fail("TypeError", f"a frozen {obj._name} cannot be changed: make a new one")
        opened = self.open
        if opened is not None:
            token = obj._t
            if token is None or token.n < opened.epoch:  # type: ignore[attr-defined]  # a live object's token
                opened.save(obj)
        if self.levels:
            self._save_for_undo(obj)
        oid = obj._i
        if oid:
            self.dirty[oid] = obj
        obj._t = self.token

    def image(self, obj: Obj) -> list[Any]:
        """The object's state, independent of what is written later: what ``pack`` takes, containers copied."""
        layout = self.layouts[type(obj)]
        values = self.state(obj, layout)
        if layout.collection:
            container = values[4]
            values[4] = container.freeze() if isinstance(container, PieceBase) else container.copy()
        return values

    def state(self, obj: Obj, layout: Layout) -> list[Any]:
        """The object's state as it is: head and fields; a container is the object's own."""
        try:
            if len(get_referents(obj)) == layout.referents:
                return [*layout.head, *layout.get(obj)]
        except AttributeError:
            pass  # a slot holds nothing
        owner, extra = getattr(obj, "_o", None), getattr(obj, "_x", None)
        flat = [part for pair in extra.items() for part in pair] if extra else None
        fields = [getattr(obj, name, ABSENT) for name in layout.names]
        return [layout.number, layout.schema, owner, flat, *fields]

    def function_state(self, function: FunctionType) -> list[Any]:
        """What the record of a function holds."""
        parts = self.machine.function_parts(function)
        return [ids.FUNCTION, 0, None, None, parts.source, parts.index, parts.module, list(parts.captured)]

    # ------------------------------------------------------------------ atomic

    def begin_atomic(self) -> None:
        """Open a level: what is written from here on can be undone."""
        self.levels.append({})
        self.new_epoch()

    def commit_atomic(self) -> None:
        """Close the innermost level and keep what it wrote; an outer level takes over what it has not saved itself.

        No new epoch: an object with the current token was saved by this level, and so now by the outer one, or made
        inside it.
        """
        saved = self.levels.pop()
        outer = self.levels[-1] if self.levels else None
        for mark, entry in saved.items():
            first = outer is not None and outer.setdefault(mark, entry) is entry
            container = getattr(entry[0], "v", None)
            if isinstance(container, PieceBase):
                container.end_level(keep=True, owned_by_outer=outer is not None, moved=first)

    def abort_atomic(self) -> None:
        """Undo what was written since the innermost level was opened, in place, and close it."""
        for obj, image in self.levels.pop().values():
            self._restore(obj, image)
        self.new_epoch()

    def _save_for_undo(self, obj: Obj) -> None:
        saved = self.levels[-1]
        if id(obj) in saved:
            return
        layout = self.layouts[type(obj)]
        values = self.state(obj, layout)
        if layout.collection:
            container = values[4]
            if isinstance(container, PieceBase):
                container.begin_level()
            else:
                values[4] = container.copy()
        saved[id(obj)] = (obj, values)

    def _restore(self, obj: Obj, image: list[Any]) -> None:
        layout = self.layouts[type(obj)]
        for name, value in zip(layout.names, image[4:], strict=True):
            if layout.collection:
                _restore_container(cast(Any, obj).v, value)
            elif value is not ABSENT:
                setattr(obj, name, value)
            elif hasattr(obj, name):
                delattr(obj, name)
        if image[3] is not None:
            obj._x = dict(pairs(image[3]))
        elif getattr(obj, "_x", None):
            obj._x = None

    # ------------------------------------------------------------------ memory

    @property
    def over_limit(self) -> bool:
        """True when :meth:`sweep` should be run."""
        limit = self.memory_limit
        return limit is not None and self.memory_used > limit and self.memory_used > self.sweep_above

    def sweep(self, target: int | None = None) -> Iterator[None]:
        """Bring the memory that objects take below the target; see :func:`holdfast.vm.memory.sweep`."""
        return memory.sweep(self, target)


def _restore_container(container: Any, image: Any) -> None:
    """Bring a container back to its image, in place: frames may hold it."""
    if isinstance(container, PieceBase):
        container.end_level(keep=False, owned_by_outer=False, moved=False)
        return
    container.clear()
    if type(container) is list:
        container.extend(image)
    else:
        container.update(image)
