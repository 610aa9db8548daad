"""The host functions that generated code calls under names that no guest can spell.

Everything here is looked up in the globals of a world (see :data:`holdfast.lang.verify.HELPERS`).  These functions
run no guest code.  The generic operators word the errors; see :mod:`holdfast.vm.ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NoReturn

from holdfast.lang.spelling import hint
from holdfast.vm import ids, limits, ops
from holdfast.vm.objects import UNSET, Box, Collections, Obj, Thrown, fail, kind_name, live, make_error
from holdfast.vm.show import See, to_source, to_text
from holdfast.vm.unwind import HOST_ERRORS, State, Unwinder, catchable

VARARGS = 0x04
CHECKED_MAX = 10_000
RAW_TYPES = frozenset((str, int, float, bool, bytes, range, FunctionType, type(None)))


class Field:
    """A function found in a field or under a Map's key: called without self."""

    __slots__ = ("function",)

    def __init__(self, function: FunctionType) -> None:
        self.function = function


class Helpers:
    """The helpers of one world."""

    def __init__(self, runtime: Any, collections: Collections, unwinder: Unwinder) -> None:
        self.runtime = runtime
        self.collections = collections
        self.unwinder = unwinder
        self._checked: set[tuple[int, int, tuple[str, ...], int]] = set()
        """Code (by identity: it is never freed) and arguments that were checked."""
        self.methods: dict[type, dict[str, Any]] = {}
        """Python type of a bare value to its methods."""

    def table(self) -> dict[str, Any]:
        """All names for the globals of generated code."""
        u = self.unwinder
        names: dict[str, Any] = {
            "_U": UNSET, "_HOST": HOST_ERRORS, "_State": State, "_Field": Field, "_Function": FunctionType,
            "_List": self.collections.List, "_Map": self.collections.Map, "_Set": self.collections.Set, "_Box": Box,
            "_poll": False, "_deopt": u.deopt, "_late": u.late, "_enter": u.enter, "_caught": u.caught,
            "_unwind": u.unwind, "_throw": u.throw, "_rethrow": u.rethrow, "_catchable": catchable,
            "_assertion": assertion,
            "_check": check_call, "_callable": callable_, "_lookup": self.lookup, "_method": self.known_method,
            "_len": len,
            "_inrange": inrange, "_iter1": self.iterate, "_iter2": self.iterate_pairs, "_pairgone": pair_gone,
            "_pairkey": pair_key, "_pairvalue": pair_value, "_getbox": get_box,
            "_without": without, "_getfield_or_nil": self.getfield_or_nil, "_index_or_nil": self.index_or_nil,
            "_map": self.make_map,
            "o_getfield": self.getfield, "o_setfield": self.setfield,
            "type": type, "isinstance": isinstance, "range": range, "iter": iter, "list": list, "int": int,
            "float": float, "str": str, "bytes": bytes, "bool": bool, "Exception": Exception,
        }  # fmt: skip
        names.update(ops.operators(self.runtime))
        names["_text"] = text_of
        names["_repeat"] = self.repeat
        names["_required"] = required
        return names

    # ------------------------------------------------------------------ fields and elements

    def getfield(self, obj: Any, name: str) -> Any:
        """``obj.name`` with every error worded."""
        live(obj)
        kind = getattr(type(obj), "_k", 0)
        if kind == ids.MAP:
            return ops.index(obj, name)
        if kind == ids.CAPABILITY:
            return obj._monitor.guarded.getfield(obj._monitor.reading, obj, name)
        if type(obj) is FunctionType and name in ("name", "doc"):
            return obj.__name__ if name == "name" else obj.__doc__
        if obj is None:
            fail("TypeError", f"nil has no field '{name}': test for nil first, or write ?.{name}")
        if isinstance(obj, Obj):
            try:
                return getattr(obj, "f_" + name)
            except AttributeError:
                absent = getattr(type(obj), "_no_field", None)
            if absent is not None:
                absent(name)
            if hasattr(type(obj), "m_" + name):
                fail("NameError", f"'{name}' is a method of {kind_name(obj)}: call it, or wrap it in fn(…) => …")
        elif name in self.methods.get(type(obj), {}):
            fail("NameError", f"'{name}' is a method of {kind_name(obj)}: call it, or wrap it in fn(…) => …")
        fail("NameError", f"{kind_name(obj)} has no field '{name}'{hint(name, field_names(obj))}")

    def setfield(self, obj: Any, name: str, value: Any) -> None:
        """``obj.name = value`` with every error worded."""
        if not isinstance(obj, Obj):
            fail("TypeError", f"{kind_name(obj)} has no fields that could be assigned ('{name}')")
        live(obj)
        if obj._k == ids.CAPABILITY:
            obj._monitor.guarded.setfield(obj._monitor.reading, obj, name, value)  # type: ignore[attr-defined]
            return
        if obj._k != ids.MAP and "f_" + name not in field_slots(obj):
            fail("NameError", f"{kind_name(obj)} has no field '{name}'{hint(name, field_names(obj))}")
        heap = self.runtime.heap
        if obj._t is not heap.token:
            heap.barrier(obj)
        if obj._k == ids.MAP:
            obj.v[name] = value  # type: ignore[attr-defined]
        else:
            setattr(obj, "f_" + name, value)

    def getfield_or_nil(self, obj: Any, name: str) -> Any:
        """For ``obj.name ??= v``: a key that is missing is nil."""
        live(obj)
        if getattr(type(obj), "_k", 0) == ids.MAP:
            return obj.v.get(name)
        if getattr(type(obj), "_k", 0) == ids.CAPABILITY:
            return obj._monitor.guarded.getfield_or_nil(obj._monitor.reading, obj, name)
        return self.getfield(obj, name)

    def index_or_nil(self, obj: Any, index: Any) -> Any:
        """For ``obj[i] ??= v``: a key that is missing is nil."""
        live(obj)
        if getattr(type(obj), "_k", 0) == ids.MAP:
            ops.check_key(index)
            return obj.v.get(index)
        if getattr(type(obj), "_k", 0) == ids.CAPABILITY:
            return obj._monitor.guarded.index_or_nil(obj._monitor.reading, obj, index)
        return ops.index(obj, index)

    def make_map(self, parts: tuple[Any, ...]) -> Any:
        """A Map literal whose keys are computed."""
        for key in parts[::2]:
            ops.check_key(key)
        return self.runtime.new_map(dict(zip(parts[::2], parts[1::2], strict=True)))

    def repeat(self, items: list[Any], count: Any) -> list[Any]:
        """The items of ``[…] * count``."""
        if type(count) is not int and type(count) is not bool:
            ops.mul(self.runtime.new_list(items), count)  # throws: its words are used everywhere
        limits.check_items("List", len(items) * max(0, count))
        made: list[Any] = items * count
        return made

    # ------------------------------------------------------------------ calls

    def known_method(self, obj: Any, name: str) -> FunctionType | None:
        """The method of a bare value; None for an object, which has its methods as attributes.

        A LookupError where there is none: the frame then goes on in the resumable shape, which evaluates the
        arguments before it looks for the method.
        """
        if isinstance(obj, Obj):
            return None
        found = self.methods[type(obj)][name]
        if type(found) is FunctionType:
            return found
        made: FunctionType = found.function()  # of the prelude, not compiled yet
        return made

    def lookup(self, obj: Any, name: str, positional: int, names: tuple[str, ...]) -> Any:
        """What ``obj.name(…)`` calls: a function that takes self, or a :class:`Field`; the arguments are checked."""
        if not isinstance(obj, Obj):
            try:
                function = self.known_method(obj, name)
            except LookupError:
                self.no_method(obj, name)
            self.check(function, positional + 1, names, 1)
            return function
        live(obj)
        if obj._k == ids.CAPABILITY:
            return obj._monitor.guarded.plain_lookup(obj, name, positional, names)  # type: ignore[attr-defined]
        try:
            bound = getattr(obj, "m_" + name)
        except (AttributeError, KeyError):
            self.no_method(obj, name)
        if type(bound) is FunctionType:  # from a field: the property has read it
            self.check(bound, positional, names)
            return Field(bound)
        if getattr(type(live(bound)), "_k", 0) == ids.CAPABILITY:
            return Field(callable_(bound, positional, names))
        function = getattr(bound, "__func__", None)
        if function is None:
            where = "key" if obj._k == ids.MAP else "field"
            fail("TypeError", f"{where} '{name}' of {kind_name(obj)} holds {a(bound)}, which cannot be called")
        self.check(function, positional + 1, names, 1)
        return function

    def check(self, function: Any, positional: int, names: tuple[str, ...], hidden: int = 0) -> None:
        """Throw unless the value is a function that takes these arguments; what passed once is not looked at again."""
        if type(function) is FunctionType:
            key = id(function.__code__), positional, names, hidden
            if key in self._checked:
                return
            check_call(function, positional, names, hidden)
            if len(self._checked) < CHECKED_MAX:
                self._checked.add(key)
        else:
            check_call(function, positional, names, hidden)

    def forget_checked(self) -> None:
        """Code has gone from memory, and other code may get its identity."""
        self._checked.clear()

    def no_method(self, obj: Any, name: str) -> NoReturn:
        """Throw: there is no such method."""
        if obj is None:
            fail("TypeError", f"nil has no method '{name}': test for nil first, or write ?.{name}(…)")
        table = self.methods.get(type(obj))
        known = table if table is not None else method_names(obj)
        fail("NameError", f"{kind_name(obj)} has no method '{name}'{hint(name, known)}")

    # ------------------------------------------------------------------ loops

    def iterate(self, value: Any) -> Iterator[Any]:
        """The iterator of ``for x in value``."""
        cls = type(value)
        if cls is str or cls is range or cls is bytes:
            return iter(value)
        kind = getattr(cls, "_k", 0)
        if kind == ids.LIST:
            return iter(value.v)
        if kind in (ids.MAP, ids.SET):
            return iter(list(value.v))
        if kind == ids.CAPABILITY:
            return value._monitor.guarded.iter1(value._monitor.reading, value)  # type: ignore[no-any-return]
        fail("TypeError", f"for cannot walk over {a(value)}: it takes a List, Map, Set, Text, Bytes or Range")

    def iterate_pairs(self, value: Any) -> Iterator[Any]:
        """The iterator of ``for k, v in value``: keys of a Map, (index, value) of what is indexed."""
        live(value)
        kind = getattr(type(value), "_k", 0)
        if kind == ids.MAP:
            return iter(list(value.v))
        if kind == ids.CAPABILITY:
            return value._monitor.guarded.iter2(value._monitor.reading, value)  # type: ignore[no-any-return]
        if kind == ids.SET:
            fail("TypeError", "for with two names walks over a Map or List; a Set has values only")
        return enumerate(self.iterate(value))


def a(value: Any) -> str:
    """``a List``, ``an Int``, ``nil``."""
    if value is None:
        return "nil"
    return article(kind_name(value))


def article(name: str) -> str:
    """``a List``, ``an Int``."""
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def field_slots(obj: Obj) -> set[str]:
    """Prefixed names of the fields that may be assigned."""
    return {slot for slot in type(obj)._slots if slot.startswith("f_")} | set(getattr(type(obj), "_added", ()))


def field_names(obj: Any) -> list[str]:
    """Names of an object's fields, for hints."""
    return [slot[2:] for slot in field_slots(obj)] if isinstance(obj, Obj) else []


def method_names(obj: Any) -> list[str]:
    """Names of an object's methods, for hints."""
    found = (name for cls in type(obj).__mro__ for name, value in vars(cls).items() if not isinstance(value, property))
    return [name[2:] for name in found if name.startswith("m_")]


def callable_(function: Any, positional: int, names: tuple[str, ...]) -> Any:
    """What ``f(…)`` calls in plain code: a function, or what a capability for one stands for."""
    if getattr(type(live(function)), "_k", 0) == ids.CAPABILITY:
        function = function._monitor.reach(function._monitor.reading, function, "x")
    check_call(function, positional, names)
    return function


def check_call(function: Any, positional: int, names: tuple[str, ...], hidden: int = 0) -> None:
    """Throw unless the value is a function that takes these arguments (``hidden`` of them are ``self``)."""
    if type(function) is not FunctionType:
        fail("TypeError", f"{a(function)} cannot be called: only functions and classes can")
    code = function.__code__
    count = code.co_argcount
    parameters = [n.removeprefix("v_") for n in code.co_varnames[:count]]
    defaults = len(function.__defaults__ or ())
    keyword_only = code.co_varnames[count : count + code.co_kwonlyargcount]
    allowed = [*parameters, *[n.removeprefix("v_") for n in keyword_only]]
    where = function.__name__
    if positional > count and not code.co_flags & VARARGS:
        most, least = count - hidden, count - defaults - hidden
        wanted = str(most) if least == most else f"{max(least, 0)} to {most}"
        noun = "argument" if most == 1 else "arguments"
        fail("TypeError", f"{where} takes {wanted} {noun}, not {positional - hidden}")
    given = set(parameters[:positional])
    for name in names:
        if name not in allowed:
            fail("TypeError", f"{where} has no parameter '{name}'{hint(name, allowed[hidden:])}")
        if name in given:
            fail("TypeError", f"argument '{name}' of {where} is given twice")
        given.add(name)
    missing = [n for n in parameters[: count - defaults] if n not in given]
    if missing:
        fail("TypeError", f"{where} needs {' and '.join(repr(n) for n in missing)}")


# --------------------------------------------------------------------------- values


def text_of(value: Any) -> str:
    """A value in an interpolation; small Ints, the most frequent ones, take a short way."""
    if type(value) is str:
        return value
    if type(value) is int and -1_000_000_000 < value < 1_000_000_000:
        return repr(value)
    return to_text(value)


def required(value: Any, cls: str, name: str) -> None:
    """Throw unless a constructor's parameter was given."""
    if value is UNSET:
        fail("TypeError", f"{cls} needs '{name}'")


def inrange(value: Any, low: int, high: int, closed: bool) -> bool:
    """A range pattern."""
    return type(value) in (int, float, bool) and (low <= value <= high if closed else low <= value < high)


def get_box(box: Box, name: str) -> Any:
    """A captured variable that may not be set yet."""
    value = box.v
    if value is UNSET:
        fail("NameError", f"'{name}' is used before it is set")
    return value


def without(joined: str, end: str) -> str:
    """A Text as it was before ``end`` was added, to undo a sum that has become too long."""
    return joined[: len(joined) - len(end)]


def pair_gone(container: Any, turn: Any) -> bool:
    """Has the key of this turn been removed?"""
    if getattr(type(container), "_k", 0) == ids.CAPABILITY:
        container = container.target
    return getattr(type(container), "_k", 0) == ids.MAP and turn not in container.v


def pair_key(container: Any, turn: Any) -> Any:
    """Key or index."""
    if getattr(type(container), "_k", 0) == ids.CAPABILITY:
        container = container.target
    return turn if getattr(type(container), "_k", 0) == ids.MAP else turn[0]


def pair_value(container: Any, turn: Any) -> Any:
    """The value."""
    if getattr(type(container), "_k", 0) == ids.CAPABILITY:
        return container._monitor.guarded.pairvalue(container._monitor.reading, container, turn)
    return container.v[turn] if getattr(type(container), "_k", 0) == ids.MAP else turn[1]


def assertion(source: str, message: Any, *values: Any, see: See | None = None) -> Thrown:
    """The exception of a failed assertion: its source and, for a comparison, both values."""
    text = f"assert {source}"
    if message is not None:
        text = f"{to_text(message, see)} ({text})"
    if values:
        text += ": " + " and ".join(to_source(v, see) for v in values)
    return Thrown(make_error("AssertError", text))


def guest_callable(function: Callable[..., Any], name: str | None = None) -> FunctionType:
    """A host function whose parameters have the prefix of guest parameters, so that they can be given by name."""
    assert type(function) is FunctionType
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    renamed = {n: "v_" + n.rstrip("_") for n in code.co_varnames[:count]}
    new = code.replace(
        co_varnames=tuple(renamed.get(n, n) for n in code.co_varnames),
        co_cellvars=tuple(renamed.get(n, n) for n in code.co_cellvars),
        co_name=name or code.co_name.rstrip("_"),
    )
    made = FunctionType(new, function.__globals__, new.co_name, function.__defaults__, function.__closure__)
    made.__kwdefaults__ = {renamed[k]: v for k, v in (function.__kwdefaults__ or {}).items()} or None
    made.__doc__ = function.__doc__
    made.__dict__.update(function.__dict__)
    return made
