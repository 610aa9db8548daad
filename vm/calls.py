"""Calls of guarded code: what is called in place of a plain function, and with which of its caller's rights.

A function that is code (at the top of a file, a method) has a guarded variant, made when it is first called.  A
function value that guarded code makes has both its variants from the start: the plain entry is what everybody sees, and
``n``, an attribute of it, is what guarded code calls.  A host function is wrapped: it declares the rights that it needs
of each of its parameters (``__hold_rights__``), and one that declares nothing refuses every object.

A host function never sees a capability where it reads a collection: it gets the object, if all that it does is to
change it or to count, or else a *view*, a new collection of what comes out through the capability.  While it works,
collections are compared as the domain may (:attr:`~holdfast.vm.monitor.Monitor.acting`), and those that it makes are
the domain's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.lang.guard import DEFINER, GIVEN, OWN, WEAKER
from holdfast.vm import ids
from holdfast.vm.domains import Cap, Domain
from holdfast.vm.helpers import Field, check_call
from holdfast.vm.monitor import SCALARS, Monitor
from holdfast.vm.objects import ERRORS, Error, Obj, fail, kind_name, live, make_error
from holdfast.vm.show import to_text

if TYPE_CHECKING:
    from holdfast.vm.budgets import Budgets
    from holdfast.vm.code import Proto
    from holdfast.vm.guarded import Guarded
    from holdfast.vm.world import World

VARARGS = 0x04
VARKEYWORDS = 0x08
COLLECTIONS = (ids.LIST, ids.MAP, ids.SET)
NEW_KINDS = frozenset((ids.DEVICE_DIR, ids.DEVICE_READER, *ids.ERRORS))
"""What host functions give that they have always just made."""
LIGHT = frozenset(("len", "is_empty", "get", "first", "last", "has"))
"""Methods of collections that move and compare nothing but what they are asked for."""
DEEP = frozenset(("least", "greatest", "bisect", "sorted_by_keys", "total", "join", "min", "max", "sum", "flatten"))
"""Host functions that read what their items contain."""

Plain = Callable[..., Any]


class Calls:
    """The calls of one world's guarded code."""

    budgets: Budgets
    guarded: Guarded
    spawn: Plain
    special: dict[str, Plain]
    """Built-in functions that are different for each domain: what is called with the domain first."""

    def __init__(self, world: World, monitor: Monitor) -> None:
        self.world = world
        self.monitor = monitor
        self.table = world.table
        self.special = {}
        self._scalar_methods: dict[Any, FunctionType] = {}
        """Methods of values that are no objects, by type, name and arguments."""
        self._pairs: dict[Proto, tuple[Proto, Proto]] = {}
        """For each function that guarded code has made values of, its two variants."""
        self.replaced: dict[FunctionType, tuple[Plain, bool]] = {}
        """Built-in functions to what is special in their place, and whether that is a method."""

    # ------------------------------------------------------------------ guarded variants

    def code(self, function: FunctionType) -> FunctionType:
        """What guarded code calls in place of a function that is code."""
        found = function.__dict__.get("n")
        if found is None:
            proto = self.table.proto_of(function.__code__)
            special: Any = self.replaced.get(function)
            if special is not None and not special[1]:
                found = special[0]
            else:
                found = self.host(function, False) if proto is None else (proto.base or proto).guarded().instance()
            function.__dict__["n"] = found
        return found

    def method(self, function: Any) -> FunctionType:
        """The same for a method, which is called with ``self`` first.  (Of a host function it is another one.)"""
        if type(function) is not FunctionType:
            function = function.function()  # of the prelude, not compiled yet
        found = function.__dict__.get("nm")
        if found is None:
            proto = self.table.proto_of(function.__code__)
            found = self.host(function, True) if proto is None else (proto.base or proto).guarded().instance()
            function.__dict__["nm"] = found
        return found  # type: ignore[no-any-return]

    def own_method(self, function: Any) -> FunctionType:
        """The same for an attribute ``n_…`` of a class, which guarded code asks only of what is shown to be own."""
        if type(function) is not FunctionType:
            function = function.function()
        found = function.__dict__.get("no")
        if found is None:
            proto = self.table.proto_of(function.__code__)
            found = self.method(function) if proto is None else (proto.base or proto).guarded_mine().instance()
            function.__dict__["no"] = found
        return found  # type: ignore[no-any-return]

    def closure(self, domain: Domain, key: str, captured: tuple[Any, ...]) -> FunctionType:
        """A function value that guarded code makes."""
        return self.owned(self.table.protos[key], (*captured, domain))

    def owned(self, proto: Proto, captured: tuple[Any, ...]) -> FunctionType:
        """A function value of a domain: the last of what it captured."""
        pair = self._pairs.get(proto)
        if pair is None:
            pair = self._pairs[proto] = proto.variant(OWN, DEFINER), proto.variant(WEAKER, DEFINER)
        made = pair[0].closed(captured)
        made._o = captured[-1]  # type: ignore[attr-defined]
        made.n = pair[1].closed(captured)  # type: ignore[attr-defined]
        return made

    def held(self, proto: Proto) -> list[Proto]:
        """What this refers to for a function, itself as well: one item for each reference."""
        pair = self._pairs.get(proto)
        return [proto, *pair] if pair is not None else []

    def remove(self, proto: Proto) -> None:
        """Nobody makes values of a function any more."""
        self._pairs.pop(proto, None)

    def opened(self, domain: Domain, function: FunctionType) -> FunctionType:
        """What is called through a capability for a function value, by a domain that need not own it."""
        if self.monitor.is_code(function):
            return self.code(function)
        owner = self.monitor.owner(function)
        if owner is not domain and owner.within(domain):
            return function.__dict__["n"]  # type: ignore[no-any-return]  # it runs as its owner
        self.monitor.weaker(domain, owner)
        proto = self.table.proto_of(function.__code__)
        if proto is None:  # a function of the host
            return self.code(function)
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        base = proto.base or proto
        captured = [cells[name].cell_contents if name in cells else None for name in base.function.captures]
        if owner is not domain:
            captured = [self.monitor.captured(domain, value) for value in captured]
        return base.variant(GIVEN).closed(captured)

    # ------------------------------------------------------------------ what generated code asks for

    def call(self, domain: Domain, function: Any, positional: int, names: tuple[str, ...]) -> FunctionType:
        """What ``f(…)`` calls; the arguments are checked."""
        if isinstance(function, Cap):
            target = self.monitor.reach(domain, function, "x")
            self.world.helpers.check(target, positional, names)
            return self.opened(domain, target)
        code = type(function) is FunctionType and self.monitor.is_code(function)
        if type(function) is FunctionType and not code and not self.monitor.counts(domain, function):
            self.monitor.refuse(function, "x", None)  # its parameters are no less secret than what it does
        self.world.helpers.check(function, positional, names)
        if code:
            return self.code(function)
        return function.__dict__["n"]  # type: ignore[no-any-return]

    def callee(self, domain: Domain, key: str, positional: int, names: tuple[str, ...]) -> FunctionType:
        """What a call of a definition by name calls."""
        function = self.world.globals[key]
        check_call(function, positional, names, int(key.startswith("S:")))
        special = self.special.get(key)
        if special is not None:
            made: Any = special
        else:
            made = self.method(function) if key.startswith("S:") else self.code(function)
        self.world.globals["G:" + key] = made
        return made  # type: ignore[no-any-return]

    def lookup(self, domain: Domain, obj: Any, name: str, positional: int, names: tuple[str, ...]) -> Any:
        """What ``obj.name(…)`` calls: a function that takes self and the domain, or a Field."""
        helpers, monitor = self.world.helpers, self.monitor
        if not isinstance(obj, Obj):
            key = type(obj), name, positional, names
            known = self._scalar_methods.get(key)
            if known is None:
                known = self._scalar_methods[key] = self.method(helpers.lookup(obj, name, positional, names))
            return known
        cap = obj if isinstance(obj, Cap) else None
        target = live(cap.target if cap is not None else obj)
        kind = getattr(type(target), "_k", -1)
        if kind in SYSTEM:
            return self.system_method(domain, obj, target, name, positional, names)
        if kind < 0 and cap is not None:
            monitor.reach(domain, cap, "x")
            return self.method(helpers.lookup(target, name, positional, names))
        have = monitor.rights(domain, obj)
        if not have:
            monitor.reach(domain, obj, "x")  # which says why
        if kind >= ids.USER_FIRST and not hasattr(type(target), "m_" + name):
            monitor.reach(domain, obj, "x")  # a name that is not there is no secret for who may call
        found = self.find(target, name, positional, names, "r" in have)
        if type(found) is Field:
            function: Any = found.function
            if cap is not None:
                monitor.reach(domain, cap, "r")
                function = monitor.through(domain, cap, function)
            return Field(self.call(domain, function, positional, names))
        proto = self.table.proto_of(found.__code__)
        if proto is not None and not proto.unit.unit.module.startswith("prelude/"):
            monitor.reach(domain, obj, "x")
        return self.method(found)

    def find(self, target: Any, name: str, positional: int, names: tuple[str, ...], readable: bool) -> Any:
        """The method; of what may not be read only what its class has, not the functions in its fields."""
        if not readable and not isinstance(getattr(type(target), "m_" + name, None), FunctionType):
            fail("CapabilityError", f"{kind_name(target)} has no method '{name}' that may be called here")
        if isinstance(getattr(type(target), "m_" + name, None), property):
            try:
                value = live(getattr(target, "m_" + name))
            except (AttributeError, KeyError):
                value = None
            if isinstance(value, Cap):
                return Field(value)  # type: ignore[arg-type]  # the call tests its rights
        return self.world.helpers.lookup(target, name, positional, names)

    # ------------------------------------------------------------------ host functions

    def host(self, function: FunctionType, method: bool) -> FunctionType:
        """A host function for guarded code."""
        signature = Signature(function)
        run = partial(self.run, function, signature, method)
        quick = None if signature.waits else self.quick(function, run, method)
        if quick is not None:
            return quick
        claimed, scalars = self.claimed, SCALARS.issuperset

        def called(domain: Domain, *args: Any, **named: Any) -> Any:
            if not named and scalars(map(type, args)):  # nothing that could belong to anybody
                return claimed(domain, function(*args))
            return run(domain, args, named)

        def called_with_self(self_: Any, domain: Domain, *args: Any, **named: Any) -> Any:
            if type(self_) in SCALARS and not named and scalars(map(type, args)):
                return claimed(domain, function(self_, *args))
            return run(domain, (self_, *args), named)

        if signature.waits:  # nothing may be done behind the wait
            made_: Any = (
                (lambda self_, domain, *args, **named: run(domain, (self_, *args), named))
                if method
                else (lambda domain, *args, **named: run(domain, args, named))
            )
            return made_  # type: ignore[no-any-return]

        made: Any = called_with_self if method else called
        return made  # type: ignore[no-any-return]

    def quick(self, function: FunctionType, run: Plain, method: bool) -> FunctionType | None:
        """The same for one of few parameters: no tuple and no dict is made for a call that passes none on.

        As in the general form, nothing is asked where all arguments are values: they carry no authority.
        """
        code, claimed, scalars = function.__code__, self.claimed, SCALARS
        defaults = function.__defaults__ or ()
        if (
            code.co_flags & (VARARGS | VARKEYWORDS)
            or code.co_kwonlyargcount
            or not scalars.issuperset(map(type, defaults))
        ):
            return None

        def one(domain: Domain, a: Any) -> Any:
            if type(a) in scalars:
                found = function(a)
                return found if type(found) in scalars else claimed(domain, found)
            return run(domain, (a,), {})

        def two(domain: Domain, a: Any, b: Any) -> Any:
            if type(a) in scalars and type(b) in scalars:
                found = function(a, b)
                return found if type(found) in scalars else claimed(domain, found)
            return run(domain, (a, b), {})

        def method_one(a: Any, domain: Domain) -> Any:
            if type(a) in scalars:
                found = function(a)
                return found if type(found) in scalars else claimed(domain, found)
            return run(domain, (a,), {})

        def method_two(a: Any, domain: Domain, b: Any) -> Any:
            if type(a) in scalars and type(b) in scalars:
                found = function(a, b)
                return found if type(found) in scalars else claimed(domain, found)
            return run(domain, (a, b), {})

        made: Any = {(False, 1): one, (False, 2): two, (True, 1): method_one, (True, 2): method_two}.get(
            (method, code.co_argcount)
        )
        if made is None or len(defaults) >= code.co_argcount + (not method):
            return None
        names = list(code.co_varnames[: code.co_argcount])  # those of the parameters: they can be given by name
        names.insert(int(method), "domain")
        own = made.__code__
        made.__code__ = own.replace(co_varnames=(*names, *own.co_varnames[len(names) :]))
        made.__defaults__ = defaults or None
        return made  # type: ignore[no-any-return]

    def run(
        self,
        function: FunctionType,
        signature: Signature,
        method: bool,
        domain: Domain,
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:
        """Call a host function with what the domain may give it."""
        monitor = self.monitor
        given = [self.argument(domain, signature, at, value) for at, value in enumerate(args)]
        for name, value in named.items():
            named[name] = self.argument(domain, signature, signature.place(name), value)
        if self.budgets.weighs and signature.writes and self.monitor.owner(given[0]) is not domain:
            self.budgets.wrote(domain, (*given[1:], *named.values()))
        if signature.waits:  # then nothing may be done behind it: the thread may come back in another process
            return function(*given, **named)
        outer, monitor.acting = monitor.acting, domain
        try:
            result = function(*given, **named)
        finally:
            monitor.acting = outer
        if type(result) in SCALARS:
            return result
        if method and isinstance(args[0], Cap) and given[0] is not args[0] and not self.fresh(domain, result):
            if given[0] is live(args[0].target):
                return monitor.through(domain, args[0], result)
        return self.claimed(domain, result) if getattr(type(result), "_k", 0) in NEW_KINDS else result

    @staticmethod
    def claimed(domain: Domain, value: Any) -> Any:
        """A result; what a host function has made belongs to the domain that it worked for."""
        if (
            type(value) not in SCALARS
            and isinstance(value, Obj)
            and not value._i
            and getattr(value, "_o", None) is None
        ):
            value._o = domain
        return value

    @staticmethod
    def fresh(domain: Domain, value: Any) -> bool:
        """Is it a collection that the host function has just made?"""
        return getattr(value, "_o", None) is domain and value._i == 0

    def argument(self, domain: Domain, signature: Signature, at: int, value: Any) -> Any:
        """An argument as a host function gets it."""
        if type(value) in SCALARS:
            return value
        right = signature.right(at)
        if right is None:
            fail("CapabilityError", f"{signature.name} declares no rights, and so takes no {kind_name(value)} here")
        if not right:
            return self.monitor.out(domain, value)
        target = self.monitor.reach(domain, value, right)
        if right != "r" or (at == 0 and (signature.light or getattr(type(target), "_k", 0) not in COLLECTIONS)):
            return target
        if signature.deep:
            return self.deep(domain, value)
        return self.guarded.view(domain, value)

    def deep(self, domain: Domain, value: Any) -> Any:
        """A value with all collections in it readable, and as the domain sees them: itself, or a copy of them."""
        if type(value) in SCALARS or self.all_own(domain, value):
            return value
        made: dict[int, Any] = {}
        keep: list[Any] = []
        stack: list[tuple[Any, Any]] = []

        def copied(item: Any) -> Any:
            target = item.target if isinstance(item, Cap) else item
            if getattr(type(target), "_k", 0) not in COLLECTIONS:
                return item
            found = made.get(id(target))
            if found is None:
                self.monitor.reach(domain, item, "r")
                world = self.world
                kind = live(target)._k
                make: Plain = (world.new_list, world.new_map, world.new_set)[kind - 1]
                found = make([] if kind == ids.LIST else {})
                found._o = domain
                made[id(target)] = found
                keep.append(target)
                stack.append((item, found))
            return found

        result = copied(value)
        while stack:
            source, copy = stack.pop()
            part = self.guarded.view(domain, source)
            if part._k == ids.LIST:
                copy.v.extend(copied(item) for item in part.v)
            elif part._k == ids.MAP:
                copy.v.update((key, copied(item)) for key, item in part.v.items())
            else:
                copy.v.update(part.v)
        return result

    def all_own(self, domain: Domain, value: Any) -> bool:
        """Is there nothing but the domain's own, and scalars, in the collections of a value?"""
        stack, seen = [value], set[int]()
        while stack:
            item = stack.pop()
            if type(item) in SCALARS or id(item) in seen:
                continue
            seen.add(id(item))
            if isinstance(item, Cap) or not self.monitor.counts(domain, item):
                return False
            kind = getattr(type(item), "_k", 0)
            if kind in COLLECTIONS:
                raw = live(item).v
                stack.extend(raw.values() if kind == ids.MAP else raw if kind == ids.LIST else ())
        return True

    def words_of(self, domain: Domain, error: Error) -> Error:
        """Kind and message of another's error, as a new one."""
        kind = error._name if type(error) is ERRORS.get(error._name) else "Error"
        return make_error(kind, to_text(error.f_message, self.guarded.seeing(domain)))

    # ------------------------------------------------------------------ the machine's own objects

    def system_field(self, domain: Domain, obj: Any, name: str) -> Any:
        """A field of an object of the machine: a thread, a message, ``caps``."""
        target = live(obj.target if isinstance(obj, Cap) else obj)
        if target is self.world.globals["caps"]:
            return self.monitor.grant(domain, name)
        if target._k != 0:
            self.monitor.reach(domain, obj, "r")
        value = self.guarded.as_domain(domain, self.world.helpers.getfield, target, name)
        return self.monitor.through(domain, obj, value) if isinstance(obj, Cap) else value

    def system_method(
        self, domain: Domain, obj: Any, target: Any, name: str, positional: int, names: tuple[str, ...]
    ) -> FunctionType:
        """A method of such an object."""
        if target is self.world.globals["caps"] and domain.grants is not None and name in live(domain.grants).v:
            return Field(self.call(domain, domain.grants.v[name], positional, names))  # type: ignore[return-value]
        special: Any = self.special.get(f"{target._name}.{name}")
        if special is not None and not hasattr(type(target), "m_" + name):  # only domains have it
            check_call(special, positional + 2, names, 2)
            return special  # type: ignore[no-any-return]
        found = self.world.helpers.lookup(target, name, positional, names)
        return self.method(found) if special is None else special


SYSTEM = frozenset((ids.THREAD, ids.MESSAGE, ids.CONSOLE, 0))
"""Kinds of objects that belong to the machine; 0 are ``caps`` and ``threads``."""


class Signature:
    """What a host function declares."""

    __slots__ = ("deep", "light", "name", "names", "rest", "rights", "waits", "writes")

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        rights: dict[str, str] | None = function.__dict__.get("__hold_rights__")
        self.name = function.__name__
        self.rights = list(rights.values()) if rights is not None else None
        self.names = ["v_" + name.rstrip("_") for name in rights or ()]
        self.rest = len(self.names) - 1 if code.co_flags & VARARGS else None
        self.waits = "__hold_waits__" in function.__dict__
        self.writes = bool(self.rights) and "w" in self.rights[0]  # type: ignore[index]
        self.light = self.name in LIGHT
        self.deep = self.name in DEEP or "__hold_deep__" in function.__dict__

    def right(self, at: int) -> str | None:
        """The rights that the parameter at a place needs; None when nothing is declared."""
        if self.rights is None:
            return None
        if at >= len(self.rights):
            return self.rights[-1] if self.rest is not None else ""
        return self.rights[at]

    def place(self, name: str) -> int:
        """The place of a parameter."""
        return self.names.index(name) if name in self.names else len(self.names)
