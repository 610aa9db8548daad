"""Instances of older versions of their classes: ``migrate`` and the defaults of new fields.

Both are guest code with host frames below it, so it is not preempted, and has a limit of time instead.  ``migrate``
runs in an empty domain of its own: it gets the old fields as a Map and returns the new ones, and all that it can do
with the objects among them is to put them somewhere else.

What the world keeps of a class (:func:`holdfast.vm.side.class_row`) tells the versions apart: ``schemas`` are the
layouts that records have, ``fields`` the fields that its last version declares, and records of a schema below ``since``
are of an older version.  These are not the same: in a process in which a class changes its instances keep the layout
that they have, until the world is opened again.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.lang.constructor import ConstructorField
from holdfast.vm import ids, memory
from holdfast.vm.domains import Cap, Domain
from holdfast.vm.hooks import Upgraded
from holdfast.vm.objects import Obj, Thrown, fail, kind_name, live

if TYPE_CHECKING:
    from holdfast.vm.link import ClassInfo
    from holdfast.vm.world import World


class Upgrades:
    """The upgrades of one world's instances."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._changed: set[int] = set()
        """Numbers of the classes that have changed in the file that is being linked."""

    def note_version(self, info: ClassInfo, row: dict[str, Any]) -> None:
        """A class was linked: find out whether that is another version, whose instances have a schema of its own.

        Where it has a ``migrate``, instances that are in memory become ghosts, and so ask it when they are next
        touched.  Raises StoreError when what was changed in them cannot be written.
        """
        schemas = row["schemas"]
        slots = [slot.removeprefix("f_") for slot in info.python._slots]
        names = [field.name for field in info.fields]
        new = not schemas or schemas[-1] != slots
        changed = bool(schemas) and (row["fields"] != names if "fields" in row else new)
        migrates = changed and "m_migrate" in vars(info.python) and "_schema" in vars(info.python)
        if migrates:  # and was linked before in this process: what is in memory of it is of the older version
            scheduler, heap = self.world.scheduler, self.world.heap
            if heap.levels or scheduler.current is not None:
                return  # nobody looks at its threads now: it is found to have changed when it is linked again
            if heap.changed or scheduler.touched:
                self.world.outbox.force()  # what is changed has a record now, of the older version
        if new or changed:
            schemas.append(slots)
        row["fields"] = names
        row["since"] = len(schemas) - 1 if changed else row.get("since", len(schemas) - 1)
        info.python._schema = len(schemas) - 1
        self.world.heap.register_class(info.python)
        if len(schemas) > 1 and any(field.function is not None for field in info.fields):
            self.world.table.read_nothing_ahead()  # a default is made when an older instance is read
        if migrates:
            self._changed.add(info.number)

    def linked(self) -> None:
        """A file was linked: make ghosts of the instances of its classes that have another version."""
        numbers, self._changed = self._changed, set()
        heap = self.world.heap
        for oid, weak in list(heap.table.items()) if numbers else ():
            obj = weak() if oid >> ids.SERIAL_BITS in numbers else None
            if isinstance(obj, Obj):
                memory.evict(heap, obj)

    def upgrade(self, cls: type[Obj], schema: int, fields: list[Any], extra: dict[str, Any] | None) -> Upgraded:
        """An instance from a record of another schema: what the ``migrate`` of its class says, if that is of an older
        version, then by name, defaults for what is new.  A slot of a field that is gone keeps what it had.

        And: was it older?
        """
        row = self.world.class_rows[cls._k]
        old = dict(zip(row["schemas"][schema], fields, strict=True)) | (extra or {})
        info = self.world.linker.by_number[cls._k]
        migrate = vars(info.python).get("m_migrate")
        older = schema < row["since"]
        if older and type(migrate) is FunctionType:
            old |= self.migrated(migrate, info.name, old)
        out = {slot: old[slot[2:]] for slot in cls._slots if slot[2:] in old}
        for field in info.fields:
            if field.name in old:
                out["f_" + field.name] = old[field.name]
            else:
                out["f_" + field.name] = self.default_value(field)
        return out, older

    def migrated(self, migrate: FunctionType, name: str, old: dict[str, Any]) -> dict[str, Any]:
        """What ``migrate`` makes of the fields of an older instance."""
        world = self.world
        proto = world.table.proto_of(migrate.__code__)
        definer = proto.unit.definer if proto is not None else ""
        domain = world.monitor.below(world.globals[definer] if definer else world.monitor.top, "migrate")
        given = world.new_map(dict(old))
        given._o = domain
        with world.scheduler.unpreempted():
            made = live(world.authority.calls.method(migrate)(None, domain, given))
        if getattr(type(made), "_k", 0) != ids.MAP or any(type(key) is not str for key in made.v):
            fail("TypeError", f"{name}.migrate must give a Map of fields, not {kind_name(made)}")
        known = {id(value): value for value in old.values() if isinstance(value, Obj | FunctionType)}
        return {key: self.original(value, known) for key, value in made.v.items()}

    @staticmethod
    def original(value: Any, known: dict[int, Any]) -> Any:
        """What was put somewhere else is what it was: in its own domain it was a mere reference."""
        if isinstance(value, Cap) and not value.rights:
            return known.get(id(value.target), value)
        return value

    def default_value(self, field: ConstructorField, owner: Domain | None = None) -> Any:
        """The default of a field that an older instance lacks; it is made by the owner of the instance."""
        if field.function is None:
            return field.constant
        world = self.world
        function = world.globals[field.function]
        with world.scheduler.unpreempted():
            if owner is None or owner is world.monitor.top:
                return function()
            calls = world.authority.calls
            try:
                return calls.code(function)(owner)
            except Thrown as thrown:  # who reads the field need not be above its owner
                raise Thrown(calls.words_of(owner, thrown.error)) from None

    def field_default(self, obj: Obj, field: ConstructorField) -> Any:
        """The same for an instance in memory, which keeps a value that was made for it."""
        value = self.default_value(field, self.world.monitor.owner(obj))
        if field.function is not None:
            self.world.heap.barrier(obj)
            setattr(obj, "f_" + field.name, value)
        return value
