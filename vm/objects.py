"""Objects in memory: the layout that generated code relies on.

Every Hold object is a Python object with ``__slots__``.  The base :class:`Obj` has

====== =========================================================================================
``_t``  the epoch token: the object may be written without a barrier while ``_t is`` the world's
        current token.  In a ghost it is the :class:`~holdfast.vm.heap.Heap` that can load it (never
        a current token, so the barrier loads before any store)
``_i``  the object id, 0 until the object has one (ids: :mod:`holdfast.vm.ids`)
``_o``  the owner domain; unset means the whole-world domain
``_x``  nil or a dict: fields that the Python class has no slot for
====== =========================================================================================

A **ghost** is an object whose record has not been read.  Its class is a subclass of the live one, without slots
of its own and with a ``__getattr__`` that loads the record and sets ``__class__``: so a loaded object is read at
full speed, and one that is not loaded costs its shell.  A slot that is missing on a *live* object is an error of
the machine, never of a guest.

Names: a field ``x`` of Hold is the attribute ``f_x``, a method ``m`` the attribute ``m_m``; guests can spell
nothing else, so nothing of the host can be reached by a name.  Since a Map's ``m.a`` is ``m["a"]``, the class
Map of a world gets a property for each field name that any code mentions (:func:`register_name`).
"""

from __future__ import annotations

from operator import attrgetter
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from holdfast.vm.equality import equal

if TYPE_CHECKING:
    from collections.abc import Iterable

NEW = 0
"""The id of an object that has none yet."""


class Obj:
    """Base of everything that has identity and a record of its own."""

    __slots__ = ("__weakref__", "_i", "_o", "_t", "_x")

    _k: int = 0
    """Class number (``holdfast.vm.ids``); the high bits of the ids of its instances."""
    _live: type[Obj]
    _ghost: type[Obj]
    _slots: tuple[str, ...] = ()
    """The slots that make up the record, in record order (own and inherited)."""
    _schema: int = 0
    """Number of this layout of the class, written into each record; another layout needs another number."""
    _name: str = "Object"
    """The name that Hold programs see."""

    _t: object
    _i: int
    _o: object
    _x: dict[str, Any] | None

    def __copy__(self) -> NoReturn:
        raise TypeError("a Hold object cannot be copied by the host")

    __deepcopy__ = __reduce__ = __reduce_ex__ = __copy__  # type: ignore[assignment]


def _load_missing(self: Obj, name: str) -> Any:
    """``__getattr__`` of every ghost class: load, then read again at full speed."""
    self._t.load(self)  # type: ignore[attr-defined]  # a ghost's token is its heap
    return getattr(self, name)


def seal(live: type[Obj]) -> type[Obj]:
    """Give the live class its ghost subclass; returns the live class (usable as a decorator)."""
    live._live = live
    live._ghost = type(
        live.__name__ + "Ghost",
        (live,),
        {"__slots__": (), "__getattr__": _load_missing, "__module__": live.__module__},
    )
    live._ghost._live = live
    live._ghost._ghost = live._ghost
    return live


def is_ghost(obj: Obj) -> bool:
    """True when the object's record has not been read."""
    cls = type(obj)
    return cls is cls._ghost


def live(obj: Any) -> Any:
    """The same object, loaded; host code calls this before it looks at the type or slots of an object."""
    if isinstance(obj, Obj) and type(obj) is obj._ghost:
        obj._t.load(obj)  # type: ignore[attr-defined]
    return obj


# --------------------------------------------------------------------------- collections


class ListBase(Obj):
    """A List: the raw ``list`` (or, when large, :class:`holdfast.vm.piecelist.PieceList`) is in ``v``."""

    __slots__ = ("v",)
    _k = 1
    _monitor: Any = None
    """Of the world: :mod:`holdfast.vm.monitor`."""
    _slots = ("v",)
    _name = "List"
    v: Any
    __eq__ = equal
    __hash__ = None  # type: ignore[assignment]  # not a Map key


class MapBase(Obj):
    """A Map: the raw ``dict`` (or, when large, :class:`holdfast.vm.piecemap.PieceMap`) is in ``v``.

    In ``e`` is what ``m[k]`` is read from: the same, or of a large Map that is in memory as a whole an exact dict, in
    which CPython finds a key faster than in one of a subclass.
    """

    __slots__ = ("e", "v")
    _k = 2
    _monitor: Any = None
    _slots = ("v",)
    _name = "Map"
    e: Any
    v: Any
    __eq__ = equal
    __hash__ = None  # type: ignore[assignment]

    def hold(self, raw: Any) -> None:
        """Take the raw container."""
        self.v = self.e = raw


class SetBase(Obj):
    """A Set: a raw ``dict`` whose values are None is in ``v``, so that order is kept as in a Map."""

    __slots__ = ("v",)
    _k = 3
    _monitor: Any = None
    _slots = ("v",)
    _name = "Set"
    v: Any
    __eq__ = equal
    __hash__ = None  # type: ignore[assignment]


# Other names of the same slot, which generated code uses where only some kinds will do: ``x.e[i]`` and ``x.w[i] = y``
# fail for a Set, ``y in x.k`` for a List (its items would be compared by CPython, without the limits of ``in``), and
# ``l`` and ``g`` are of one kind alone.
for _cls, _names in ((ListBase, "elw"), (MapBase, "kgw"), (SetBase, "k")):
    for _name in _names:
        setattr(_cls, _name, _cls.__dict__["v"])


class Capability(Obj):
    """Base of what is a capability by its kind: devices."""

    __slots__ = ()
    _name = "Capability"


class Module(Obj):
    """Base of modules as values."""

    __slots__ = ()
    _name = "Module"


def read_only(slot: str) -> property:
    """A field that programs see and only the machine sets: generated code stores by the field's name."""
    return property(attrgetter(slot))


def world_class(base: type[Obj]) -> Any:
    """A subclass of a machine class for one world: methods that are set on it belong to that world alone."""
    return seal(type(base._name, (base,), {"__slots__": (), "__module__": "hold"}))


class Collections:
    """The classes List, Map and Set of one world.

    They are made anew for each world, since their methods are partly generated code, which belongs to the world's
    globals.  Host code that must work for any world tests ``type(x)._k``.
    """

    __slots__ = ("List", "Map", "Set")

    def __init__(self) -> None:
        self.List: type[ListBase] = _collection(ListBase)
        self.Map: type[MapBase] = _collection(MapBase)
        self.Set: type[SetBase] = _collection(SetBase)


def _collection(base: Any) -> Any:
    # __eq__ without __hash__ in a class body would be inherited as unhashable: said again, as it is a promise.
    return seal(type(base._name, (base,), {"__slots__": (), "__hash__": None, "__module__": "hold"}))


@seal
class Box(Obj):
    """A captured variable that is assigned after its capture; ``v`` is its value."""

    __slots__ = ("v",)
    _k = 4
    _slots = ("v",)
    _name = "variable"
    v: Any


UNSET = type("Unset", (), {"__slots__": (), "__repr__": lambda self: "<unset>"})()
"""What a Box holds before its variable is initialised, and what a parameter that was not given is bound to."""


# --------------------------------------------------------------------------- errors


@seal
class Error(Obj):
    """An error of Hold; carried through Python frames by :class:`Thrown`.

    ``f_kind`` is derived from the class; ``_at`` and ``_trace`` are filled in when it is first caught.
    """

    __slots__ = ("f_at", "f_cause", "f_message", "f_trace")
    _k = 16
    _slots = ("f_message", "f_at", "f_trace", "f_cause")
    _name = "Error"
    f_message: Any
    f_at: Any
    f_trace: Any
    f_cause: Any

    @property
    def f_kind(self) -> str:
        """The name of the error's class."""
        return self._name


def _error_kind(name: str, number: int) -> type[Error]:
    cls = type(name, (Error,), {"__slots__": (), "_k": number, "_name": name, "__module__": __name__})
    return seal(cls)  # type: ignore[return-value]


ERROR_NAMES = (
    "TypeError NameError KeyError IndexError ValueError ArithmeticError LimitError CapabilityError BudgetError "
    "StackError AtomicError RemoteError ThreadError SyntaxError AssertError"
).split()
ERRORS: dict[str, type[Error]] = {"Error": Error} | {
    name: _error_kind(name, 17 + n) for n, name in enumerate(ERROR_NAMES)
}
"""Kind name to class, ``Error`` itself included."""


class Thrown(Exception):
    """The throwaway Python exception that carries a Hold error; never stored, never shown."""

    def __init__(self, error: Error) -> None:
        super().__init__()
        self.error = error


def make_error(kind: str, message: str) -> Error:
    """A new, unthrown error of the kind."""
    error = ERRORS[kind]()
    error._t = None
    error._i = NEW
    error.f_message = message
    error.f_at = None
    error.f_trace = None
    error.f_cause = None
    return error


def fail(kind: str, message: str) -> NoReturn:
    """Throw a Hold error from host code."""
    raise Thrown(make_error(kind, message)) from None


# --------------------------------------------------------------------------- names


def _map_field(name: str) -> property:
    def read(self: MapBase) -> Any:
        return self.v[name]

    def write(self: MapBase, value: Any) -> None:
        self.v[name] = value  # the generated code has run the barrier

    return property(read, write)


def _map_guarded(name: str) -> property:
    def read(self: MapBase) -> Any:
        return self.v[name].n

    return property(read)


def _map_method(name: str) -> property:
    def read(self: MapBase) -> Any:
        return self.v[name]

    return property(read)


def register_name(map_class: type[Obj], name: str) -> None:
    """Make ``m.name`` and ``m.name(…)`` work on a world's Maps; for each field or method name in loaded code."""
    own = vars(map_class)  # not hasattr: asking a lazy method for its function would compile it
    if "f_" + name not in own:
        setattr(map_class, "f_" + name, _map_field(name))
    if "m_" + name not in own:
        setattr(map_class, "m_" + name, _map_method(name))
        setattr(map_class, "n_" + name, _map_guarded(name))


KINDS: dict[type, str] = {
    type(None): "Nil",
    bool: "Bool",
    int: "Int",
    float: "Float",
    str: "Text",
    bytes: "Bytes",
    range: "Range",
    FunctionType: "Function",
}
"""Python types of the values that are not :class:`Obj`, and their names in Hold."""


def kind_name(value: Any) -> str:
    """The name of the value's class or kind, as Hold programs know it; never a Python name."""
    cls = type(value)
    name = KINDS.get(cls)
    if name is not None:
        return name
    if isinstance(value, Obj):
        return cls._name  # type: ignore[no-any-return]
    return "Value"


def make_class(name: str, number: int, base: type[Obj], fields: Iterable[str]) -> type[Obj]:
    """The Python class of a Hold class: a slot for each own field, sealed with a ghost class.

    ``fields`` are the class's own fields (not inherited ones), unprefixed.  A field may hold a function that is
    called as ``o.f()``, so each gets a property ``m_<field>`` that reads it, unless a method of that name is set
    later.
    """
    own = tuple("f_" + field for field in fields)
    space: dict[str, Any] = {
        "__slots__": own,
        "_k": number,
        "_name": name,
        "_slots": (*base._slots, *own),
        "__module__": "hold",
    }
    for slot in own:
        space["m_" + slot[2:]] = field_as_method(slot)
        space["n_" + slot[2:]] = field_as_guarded(slot)
    return seal(type("c_" + name, (base,), space))


def field_as_method(slot: str) -> property:
    """What makes ``o.f()`` call the function in field f."""

    def read(self: Obj) -> Any:
        return getattr(self, slot)

    return property(read)


def field_as_guarded(slot: str) -> property:
    """The same for guarded code: what it calls in place of the function (:mod:`holdfast.vm.calls`)."""

    def read(self: Obj) -> Any:
        return getattr(self, slot).n

    return property(read)
