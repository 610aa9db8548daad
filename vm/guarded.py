"""The operators of guarded code: what ``o_…`` does for plain code, asked of the monitor first.

The first argument of each is the domain that the code runs in.  Each looks first whether all it touches is the domain's
own: then the plain operator does the work.  What is reached through a capability comes out as a capability.

The right is tested before anything is looked up, so a refusal tells nothing of what is inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids, ops
from holdfast.vm.domains import Cap, Domain
from holdfast.vm.helpers import assertion
from holdfast.vm.monitor import SCALARS, Monitor
from holdfast.vm.objects import UNSET, Error, Thrown, fail, kind_name, live
from holdfast.vm.show import See, Seen, to_text

if TYPE_CHECKING:
    from holdfast.vm.budgets import Budgets
    from holdfast.vm.calls import Calls
    from holdfast.vm.world import World

COLLECTIONS = (ids.LIST, ids.MAP, ids.SET)
SYSTEM = frozenset((ids.THREAD, ids.MESSAGE, ids.CONSOLE, ids.DEVICE_DIR, ids.DEVICE_READER, 0))
"""Kinds of objects that belong to the machine: see :mod:`holdfast.vm.calls`."""


class Guarded:
    """The operators of one world."""

    def __init__(self, world: World, monitor: Monitor, calls: Calls, budgets: Budgets) -> None:
        self.world = world
        self.monitor = monitor
        self.calls = calls
        self.helpers = world.helpers
        self.budgets = budgets
        self.plain = ops.operators(world)
        self.cap_class = monitor.cap_class
        self.slots: dict[str, str] = {}
        """Names of fields to the slots that have them."""
        self.instances: set[type] = set()
        """Classes of programs whose instances were compared: they are equal to themselves alone."""

    def table(self) -> dict[str, Any]:
        """All names for the globals of generated code."""
        calls = self.calls
        names = {
            "_Cap": self.monitor.cap_class, "_capis": self.capis, "_S": SCALARS, "_foreign": foreign,
            "_place": self.place, "_weaker": self.monitor.weaker, "_weakfn": self.monitor.weaker_function,
            "p_root": self.root, "p_caps": self.caps, "p_threads": self.threads,
            "p_eq": self.eq, "p_ne": self.ne, "p_in": self.contains, "p_notin": self.lacks, "p_islist": self.islist,
            "p_add": self.add, "p_mul": self.mul,
            "p_getfield": self.getfield, "p_setfield": self.setfield, "p_getfield_or_nil": self.getfield_or_nil,
            "p_index_or_nil": self.index_or_nil, "p_index": self.index, "p_setindex": self.setindex,
            "p_slice": self.slice, "p_pairgone": self.pairgone, "p_pairkey": self.pairkey,
            "p_pairvalue": self.pairvalue, "p_getbox": self.getbox, "p_setbox": self.setbox, "p_text": self.text,
            "p_map": self.map, "p_rest": self.rest, "p_closure": calls.closure, "p_iter1": self.iter1,
            "p_iter2": self.iter2, "p_throw": self.throw, "p_assertion": self.assertion,
            "p_safepoint": self.safepoint, "p_call": calls.call, "p_callee": calls.callee, "p_lookup": calls.lookup,
            "p_made": self.made, "p_spent": self.budgets.spent, "p_len": self.len, "p_spawn": calls.spawn,
        }  # fmt: skip
        for name in ("lt", "le", "gt", "ge"):
            names["p_" + name] = self.ordered(name)
        return names

    # ------------------------------------------------------------------ what everything goes through

    def own(self, domain: Domain, value: Any) -> bool:
        """Does the object belong to the domain itself?"""
        try:
            found: bool = value._o is domain and not isinstance(value, Cap)
        except AttributeError:
            return False
        return found

    def place(self, domain: Domain, value: Any) -> Any:
        """A value as it may be stored, or given to others."""
        return self.monitor.out(domain, value)

    def root(self, domain: Domain) -> Any:
        """``root``."""
        return self.monitor.grant(domain, "root")

    def caps(self, domain: Domain) -> Any:
        """``caps``: the same object for all, which means the set of who asks."""
        return self.world.globals["caps"]

    def threads(self, domain: Domain) -> Any:
        """``threads``: the same."""
        return self.world.globals["threads"]

    def capis(self, cap: Cap, cls: type) -> bool:
        """``x is C`` of a capability: what it stands for; the class is no secret."""
        return isinstance(cap.target, cls)

    def view(self, domain: Domain, value: Any, where: str = "r") -> Any:
        """A readable collection as the domain sees it: its own, or a new one of what comes out of it."""
        if type(value) in SCALARS:
            return value
        target, change = self.opened(domain, value, where)
        kind = getattr(type(target), "_k", 0)
        if kind not in COLLECTIONS:
            return value
        raw = target.v
        if not isinstance(value, Cap) and SCALARS.issuperset(map(type, raw if kind != ids.MAP else raw.values())):
            return target
        made: Any
        if kind == ids.LIST:
            made = self.world.new_list([change(item) for item in raw])
        elif kind == ids.MAP:
            made = self.world.new_map({change(key): change(item) for key, item in raw.items()})
        else:
            made = self.world.new_set(dict.fromkeys(map(change, raw)))
        made._o = domain
        return made

    def opened(self, domain: Domain, value: Any, need: str = "r") -> tuple[Any, Callable[[Any], Any]]:
        """What a reference stands for, if it may be read, and what its parts are to the domain."""
        target = self.monitor.reach(domain, value, need)
        if isinstance(value, Cap):
            return target, partial(self.monitor.through, domain, value)
        return target, partial(self.monitor.out, domain)

    def made(self, domain: Domain, value: Any) -> Any:
        """The result of an operator: a new collection belongs to the domain."""
        if getattr(type(value), "_k", 0) in COLLECTIONS and not hasattr(value, "_o"):
            value._o = domain
        return value

    # ------------------------------------------------------------------ operators

    def as_domain(self, domain: Domain, function: Callable[..., Any], *args: Any) -> Any:
        """Run a host function for a domain: collections are compared, and made, as it may."""
        monitor = self.monitor
        outer, monitor.acting = monitor.acting, domain
        try:
            return function(*args)
        finally:
            monitor.acting = outer

    def eq(self, domain: Domain, a: Any, b: Any) -> bool:
        """``a == b``."""
        if a is b and type(a) is not float:
            return True
        instances = self.instances
        if type(a) in instances and type(b) in instances:
            return False  # no collections to look into, and no capabilities, which stand for others
        for cls in (type(a), type(b)):
            if getattr(cls, "_k", 0) >= ids.USER_FIRST:
                instances.add(cls)
        found: bool = self.as_domain(domain, ops.eq, a, b)
        return found

    def ne(self, domain: Domain, a: Any, b: Any) -> bool:
        """``a != b``."""
        return not self.eq(domain, a, b)

    def ordered(self, name: str) -> Callable[[Domain, Any, Any], Any]:
        """A comparison by order: Lists are read as deep as they go."""
        plain = self.plain["o_" + name]

        def compare(domain: Domain, a: Any, b: Any) -> Any:
            """``a < b`` and so on."""
            return plain(self.calls.deep(domain, a), self.calls.deep(domain, b))

        return compare

    def add(self, domain: Domain, a: Any, b: Any) -> Any:
        """``a + b``."""
        if type(a) in SCALARS and type(b) in SCALARS:
            return self.plain["o_add"](a, b)
        left, right = self.view(domain, a), self.view(domain, b)
        if isinstance(left, Cap) or isinstance(right, Cap):
            return ops.add(left, right)  # which says that it cannot
        return self.made(domain, self.plain["o_add"](left, right))

    def mul(self, domain: Domain, a: Any, b: Any) -> Any:
        """``a * b``."""
        if type(a) in SCALARS and type(b) in SCALARS:
            return self.plain["o_mul"](a, b)
        return self.made(domain, self.plain["o_mul"](self.view(domain, a), self.view(domain, b)))

    def contains(self, domain: Domain, item: Any, container: Any) -> bool:
        """``item in container``."""
        if type(container) in SCALARS:
            return ops.contains(item, container)
        target = self.monitor.reach(domain, container, "r")
        if isinstance(container, Cap) and getattr(type(target), "_k", 0) == ids.LIST and type(item) not in SCALARS:
            target = self.view(domain, container)
        found: bool = self.as_domain(domain, ops.contains, item, target)
        return found

    def lacks(self, domain: Domain, item: Any, container: Any) -> bool:
        """``item not in container``."""
        return not self.contains(domain, item, container)

    def islist(self, domain: Domain, value: Any, length: int) -> bool:
        """Is it a List of that length?  False for one that may not be read, as for what is none."""
        if type(value) in SCALARS or "r" not in self.monitor.rights(domain, value):
            return False
        target = live(value.target if isinstance(value, Cap) else value)
        return getattr(type(target), "_k", 0) == ids.LIST and len(target.v) == length

    def len(self, domain: Domain, value: Any) -> int:
        """``len(x)``."""
        return ops.length(value if type(value) in SCALARS else self.monitor.reach(domain, value, "r"))

    # ------------------------------------------------------------------ fields and elements

    def getfield(self, domain: Domain, obj: Any, name: str) -> Any:
        """``obj.name``."""
        if type(obj) is self.cap_class and obj.holder is domain and "r" in self.monitor.known(obj):
            target = obj.target  # an instance in memory: the most frequent case by far
            slot = self.slots.get(name)
            if slot is None:
                slot = self.slots[name] = "f_" + name
            if getattr(type(target), "_k", 0) >= ids.USER_FIRST and hasattr(target, slot):
                value = getattr(target, slot)
                return value if type(value) in SCALARS else self.monitor.through(domain, obj, value)
        kind = getattr(type(obj), "_k", -1)
        if kind in SYSTEM:
            return self.calls.system_field(domain, obj, name)
        if kind < 0 and (type(obj) is not FunctionType or self.monitor.is_code(obj)):
            return self.helpers.getfield(obj, name)
        target = self.monitor.reach(domain, obj, "r")
        if getattr(type(target), "_k", -1) in SYSTEM:
            return self.calls.system_field(domain, obj, name)
        value = self.helpers.getfield(target, name)
        return self.monitor.through(domain, obj, value) if isinstance(obj, Cap) else value

    def setfield(self, domain: Domain, obj: Any, name: str, value: Any) -> None:
        """``obj.name = value``."""
        target = self.monitor.reach(domain, obj, "w")
        if self.budgets.weighs and self.monitor.owner(target) is not domain:
            self.budgets.wrote(domain, (value,))
        self.helpers.setfield(target, name, self.monitor.out(domain, value))

    def getfield_or_nil(self, domain: Domain, obj: Any, name: str) -> Any:
        """For ``obj.name ??= v``."""
        target = self.monitor.reach(domain, obj, "r")
        value = self.helpers.getfield_or_nil(target, name)
        return self.monitor.through(domain, obj, value) if isinstance(obj, Cap) else value

    def index_or_nil(self, domain: Domain, obj: Any, index: Any) -> Any:
        """For ``obj[i] ??= v``."""
        target = self.monitor.reach(domain, obj, "r")
        value = self.helpers.index_or_nil(target, index)
        return self.monitor.through(domain, obj, value) if isinstance(obj, Cap) else value

    def index(self, domain: Domain, obj: Any, index: Any) -> Any:
        """``obj[index]``."""
        if type(obj) in SCALARS:
            return ops.index(obj, index)
        target = self.monitor.reach(domain, obj, "r")
        if type(index) is range:
            return self.slice(domain, obj, index.start, index.stop, False)
        if type(index) in SCALARS:
            value = ops.index(target, index)
        else:
            value = self.as_domain(domain, ops.index, target, index)
        return self.monitor.through(domain, obj, value) if isinstance(obj, Cap) else value

    def setindex(self, domain: Domain, obj: Any, index: Any, item: Any) -> None:
        """``obj[index] = item``."""
        target = self.monitor.reach(domain, obj, "w")
        if self.budgets.weighs and self.monitor.owner(target) is not domain:
            self.budgets.wrote(domain, (index, item))
        out = self.monitor.out
        self.plain["o_setindex"](target, out(domain, index), out(domain, item))

    def slice(self, domain: Domain, obj: Any, low: Any, high: Any, closed: bool) -> Any:
        """``obj[low..high]``."""
        if type(obj) in SCALARS:
            return self.plain["o_slice"](obj, low, high, closed)
        target = self.monitor.reach(domain, obj, "r")
        if getattr(type(target), "_k", 0) == ids.LIST:
            part = self.made(domain, self.plain["o_slice"](target, low, high, closed))
            if isinstance(obj, Cap):
                part.v[:] = [self.monitor.through(domain, obj, item) for item in part.v]
            return self.view(domain, part)
        value = self.plain["o_slice"](target, low, high, closed)
        return self.monitor.through(domain, obj, value) if isinstance(obj, Cap) else value

    def getbox(self, domain: Domain, box: Any, name: str | None, changes: bool) -> Any:
        """A captured variable in a Box: of another domain a ``var`` is refused, a ``let`` gives its value."""
        owner = self.monitor.owner(box)
        if changes:
            self.own_box(domain, box)
        value = box.v
        if value is UNSET and name is not None:
            fail("NameError", f"'{name}' is used before it is set")
        return value if owner.within(domain) else self.monitor.captured(domain, value)

    def setbox(self, domain: Domain, box: Any, value: Any) -> None:
        """Assign one."""
        self.own_box(domain, box)
        if box._t is not self.world.heap.token:
            self.world.heap.barrier(box)
        box.v = self.monitor.out(domain, value)

    def own_box(self, domain: Domain, box: Any) -> None:
        """Throw unless the variable belongs to the domain, or to one below."""
        if not self.monitor.owner(box).within(domain):
            fail("CapabilityError", "this function uses a variable of the domain that made it: pass it what it needs")

    def plain_lookup(self, cap: Cap, name: str, positional: int, names: tuple[str, ...]) -> Any:
        """What ``obj.name(…)`` calls in plain code that holds a capability."""
        top = self.monitor.top
        self.calls.lookup(top, cap, name, positional, names)  # which refuses what may not be called
        target = live(cap.target)
        found = self.helpers.lookup(target, name, positional, names)
        if type(found) is not FunctionType or self.world.table.proto_of(found.__code__) is not None:
            return found
        guarded = self.calls.method(found)
        special = self.calls.special.get(f"{target._name}.{name}") if target._k in SYSTEM else None
        host: Any = special or guarded

        def called(self_: Any, *args: Any, **named: Any) -> Any:
            return host(self_, top, *args, **named)

        return called

    # ------------------------------------------------------------------ new objects, loops

    def map(self, domain: Domain, parts: tuple[Any, ...]) -> Any:
        """A Map literal."""
        out = self.monitor.out
        made = self.helpers.make_map(tuple([out(domain, part) for part in parts]))
        made._o = domain
        return made

    def rest(self, domain: Domain, values: tuple[Any, ...]) -> list[Any]:
        """The rest arguments as the raw contents of a List."""
        return [self.monitor.out(domain, value) for value in values]

    def iter1(self, domain: Domain, value: Any) -> Iterator[Any]:
        """The iterator of ``for x in value``."""
        if type(value) in SCALARS:
            return self.helpers.iterate(value)
        target = self.monitor.reach(domain, value, "r")
        inner = self.helpers.iterate(target)
        return self.over(domain, value, inner, False) if isinstance(value, Cap) else inner

    def iter2(self, domain: Domain, value: Any) -> Iterator[Any]:
        """The iterator of ``for k, v in value``."""
        if type(value) in SCALARS:
            return self.helpers.iterate_pairs(value)
        target = self.monitor.reach(domain, value, "r")
        inner = self.helpers.iterate_pairs(target)
        return self.over(domain, value, inner, True) if isinstance(value, Cap) else inner

    def over(self, domain: Domain, cap: Cap, inner: Iterator[Any], pairs: bool) -> Iterator[Any]:
        """An iterator over what a capability stands for."""
        return Through(self.monitor, domain, cap, inner, pairs)

    def pairgone(self, domain: Domain, container: Any, turn: Any) -> bool:
        """Has the key of this turn been removed?"""
        target = live(container.target if isinstance(container, Cap) else container)
        return getattr(type(target), "_k", 0) == ids.MAP and turn not in target.v

    def pairkey(self, domain: Domain, container: Any, turn: Any) -> Any:
        """Key or index of a turn."""
        target = container.target if isinstance(container, Cap) else container
        return turn if getattr(type(target), "_k", 0) == ids.MAP else turn[0]

    def pairvalue(self, domain: Domain, container: Any, turn: Any) -> Any:
        """Value of a turn."""
        target = container.target if isinstance(container, Cap) else container
        if getattr(type(target), "_k", 0) != ids.MAP:
            return turn[1]
        value = live(self.monitor.reach(domain, container, "r")).v[turn]
        return self.monitor.through(domain, container, value) if isinstance(container, Cap) else value

    # ------------------------------------------------------------------ words

    def text(self, domain: Domain, value: Any) -> str:
        """A value in an interpolation."""
        if type(value) is str:
            return value
        return to_text(value, None if type(value) in SCALARS else self.seeing(domain))

    def seeing(self, domain: Domain) -> See:
        """How a domain sees what it prints: each object that it may read, and of others the class alone."""

        def see(value: Any) -> Seen:
            if value is self.world.globals["caps"]:
                return self.world.authority.shown(value, domain), None, None
            cap = value if isinstance(value, Cap) else None
            target = live(cap.target if cap is not None else value)
            code = type(target) is FunctionType and self.monitor.is_code(target)
            if not code and "r" not in self.monitor.rights(domain, value):
                return kind_name(target), None, None
            if cap is None:
                return None, target, None
            return None, target, lambda item: self.monitor.through(domain, cap, item)

        return see

    def throw(self, domain: Domain, value: Any) -> Thrown:
        """The exception of ``throw value``."""
        if isinstance(value, Error) and not self.monitor.counts(domain, value):
            self.monitor.refuse(value, "r", None)
        if isinstance(value, Cap) and isinstance(value.target, Error):
            raise Thrown(self.calls.words_of(domain, self.monitor.reach(domain, value, "r"))) from None
        return self.world.unwinder.throw(value)

    def assertion(self, domain: Domain, source: str, message: Any, *values: Any) -> Thrown:
        """The exception of a failed assertion."""
        return assertion(source, message, *values, see=self.seeing(domain))

    def safepoint(self, domain: Domain) -> None:
        """At a safepoint when ``_poll`` is set."""
        self.budgets.at_safepoint(domain)
        self.world.scheduler.safepoint()


class Through:
    """The iterator of a loop over what a capability stands for: each turn is a use of it."""

    __slots__ = ("cap", "domain", "inner", "monitor", "pairs")

    def __init__(self, monitor: Monitor, domain: Domain, cap: Cap, inner: Iterator[Any], pairs: bool) -> None:
        self.monitor = monitor
        self.domain = domain
        self.cap = cap
        self.inner = inner
        self.pairs = pairs

    def __iter__(self) -> Through:
        return self

    def __next__(self) -> Any:
        item = next(self.inner)
        self.monitor.reach(self.domain, self.cap, "r")
        through = self.monitor.through
        if self.pairs and type(item) is tuple:
            return item[0], through(self.domain, self.cap, item[1])
        return through(self.domain, self.cap, item)


def foreign(n: int) -> None:
    """Leave the direct shape: an object of instruction n is not the domain's own."""
    raise TypeError(n)
