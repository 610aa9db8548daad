"""What crosses between domains: threads and their arguments, messages, words, and the functions about rights.

The functions here take the domain that they work for first; :attr:`~holdfast.vm.calls.Calls.special` gives them to
guarded code in place of the plain ones.  Plain code has the same ones, for the domain of the whole world.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.vm import ids
from holdfast.vm.calls import Calls
from holdfast.vm.domains import ALL, Cap, Condition, Domain
from holdfast.vm.helpers import a, check_call
from holdfast.vm.monitor import SCALARS, Monitor
from holdfast.vm.objects import NEW, Error, Obj, fail, kind_name, live, read_only, seal

if TYPE_CHECKING:
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

FROZEN_DEPTH = 1_000
"""Collections inside each other that can be frozen."""
RESERVED = ("drop", "limit", "names", "rights")
"""Names that no grant can have: they are methods of ``caps``."""


@seal
class Revocable(Obj):
    """What ``revocable(x, "rw")`` gives: a capability to pass on, and the means to end it."""

    __slots__ = ("cap", "condition")
    _k = ids.REVOCABLE
    _slots = ("cap", "condition")
    _name = "Revocable"
    f_cap = read_only("cap")
    cap: Any
    condition: Any


class Crossing:
    """The functions of one world."""

    def __init__(self, world: World, monitor: Monitor, calls: Calls, revocable_class: Any) -> None:
        self.world = world
        self.monitor = monitor
        self.calls = calls
        self.revocable_class = revocable_class

    # ------------------------------------------------------------------ functions about rights

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Built-in functions by name, the domain first."""
        monitor = self.monitor

        def only(domain: Domain, x: Any, rights: Any) -> Any:
            """A capability for the object with no more than these rights: "r" read, "w" write, "x" call."""
            return monitor.only(domain, x, rights)

        def rights(domain: Domain, x: Any) -> str:
            """What may be done with the object here: "rwx", "r", or "" for a mere reference."""
            return monitor.rights(domain, x)

        def revocable(domain: Domain, x: Any, rights: Any = ALL) -> Any:
            """A capability that can be ended: pass on ``.cap``, and keep the rest for ``.revoke()``."""
            condition = monitor.condition(domain)
            first = monitor.only(domain, x, rights)
            if not isinstance(first, Cap):
                fail("TypeError", f"{a(x)} carries no rights that could be revoked")
            conditions = [*(first.conditions.v if first.conditions is not None else ()), condition]
            made: Revocable = self.revocable_class()
            made._t, made._i = self.world.heap.token, NEW
            if domain is not monitor.top:
                made._o = domain
            made.cap = monitor.cap(first.target, first.rights, domain, domain, conditions)
            made.condition = condition
            return made

        return {"only": only, "rights": rights, "revocable": revocable, "frozen": self.frozen}

    def frozen(self, domain: Domain, x: Any) -> Any:
        """A copy of Lists, Maps and Sets, as deep as they go, that nobody can change: it crosses domains as a Text.

        Nothing recurses; a collection that contains itself is refused, and so is an instance or a function in it.
        """
        monitor, world = self.monitor, self.world
        freezer = monitor.freezer()
        out: list[Any] = [None]
        stack: list[tuple[Any, Any, Any, frozenset[int]]] = [(x, out, 0, frozenset())]
        while stack:
            value, target, key, around = stack.pop()
            if type(value) in SCALARS or getattr(value, "_o", None) is freezer:
                target[key] = value
                continue
            source = monitor.reach(domain, value, "r") if isinstance(value, Obj) else value
            kind = getattr(type(source), "_k", 0)
            if kind not in (ids.LIST, ids.MAP, ids.SET):
                fail("TypeError", f"{a(source)} cannot be frozen: only values, and Lists, Maps and Sets of them")
            if id(source) in around or len(around) >= FROZEN_DEPTH:
                fail("ValueError", "a collection that contains itself, or is nested too deeply, cannot be frozen")
            inside = around | {id(source)}
            keys = source.v if kind != ids.LIST else ()
            if any(type(part) not in SCALARS for part in keys):
                fail("TypeError", "only values can be keys of what is frozen")
            collections = world.collections
            made: Any = (collections.List, collections.Map, collections.Set)[kind - 1]()
            made._t, made._i, made._o = None, NEW, freezer
            made.v = [None] * len(source.v) if kind == ids.LIST else dict.fromkeys(source.v)
            if kind == ids.MAP:
                made.e = made.v
            target[key] = made
            pairs = enumerate(source.v) if kind == ids.LIST else source.v.items() if kind == ids.MAP else ()
            for place, part in pairs:
                stack.append((part if source is value else monitor.through(domain, value, part), made.v, place, inside))
        return out[0]

    def revoke(self, self_: Any) -> None:
        """End the capability: from now on every use of what was reached through it fails."""
        found = live(live(self_).condition)
        assert isinstance(found, Condition)
        self.monitor.weaken(found, "")

    def special(self) -> dict[str, Callable[..., Any]]:
        """What guarded code calls in place of built-in functions, by their keys."""
        world, calls = self.world, self.calls

        def print_(domain: Domain, *values: Any) -> None:
            world.output(" ".join([calls.guarded.text(domain, value) for value in values]) + "\n")

        def text(domain: Domain, v_x: Any) -> str:
            return calls.guarded.text(domain, v_x)

        def receive(domain: Domain, v_timeout: Any = None) -> Any:
            self.at_home(domain, "receive")
            return world.mail.receive(v_timeout)

        def type_name(domain: Domain, v_x: Any) -> str:
            return kind_name(v_x.target if isinstance(v_x, Cap) else v_x)

        def only(domain: Domain, v_x: Any, v_rights: Any) -> Any:
            return functions["only"](domain, v_x, v_rights)

        def rights(domain: Domain, v_x: Any) -> Any:
            return functions["rights"](domain, v_x)

        def revocable(domain: Domain, v_x: Any, v_rights: Any = ALL) -> Any:
            return functions["revocable"](domain, v_x, v_rights)

        def frozen(domain: Domain, v_x: Any) -> Any:
            return self.frozen(domain, v_x)

        functions = self.functions()
        return {
            "b:print": print_, "b:Text": text, "b:receive": receive, "b:type_name": type_name, "b:only": only,
            "b:rights": rights, "b:revocable": revocable, "b:frozen": frozen,
            **self.caps_methods(), **self.threads_methods(),
            **self.thread_methods(),
        }  # fmt: skip

    def at_home(self, domain: Domain, what: str) -> None:
        """Throw in a frame whose domain is not its thread's: it would take what is meant for another."""
        current = self.world.scheduler.current
        mine = current.domain if current is not None else None
        if domain is not (mine or self.monitor.top):
            fail("CapabilityError", f"{what} belongs to the thread, and this code runs in a weaker domain than that")

    # ------------------------------------------------------------------ caps, threads

    def caps_methods(self) -> dict[str, Callable[..., Any]]:
        """The methods of ``caps``."""
        monitor, world = self.monitor, self.world

        def names(self_: Any, domain: Domain) -> Any:
            made = world.new_list(sorted(monitor.grants(domain)))
            made._o = domain
            return made

        def rights(self_: Any, domain: Domain, v_name: Any) -> str:
            return monitor.rights(domain, monitor.grant(domain, v_name))

        def drop(self_: Any, domain: Domain, v_name: Any) -> None:
            if domain is monitor.top:
                world.shedding.shed(v_name, "")
            else:
                monitor.drop(domain, v_name)

        def limit(self_: Any, domain: Domain, v_name: Any, v_rights: Any) -> None:
            if domain is monitor.top:
                world.shedding.shed(v_name, monitor.rights_of(v_rights))
            else:
                monitor.shed(domain, v_name, monitor.rights_of(v_rights))

        return {"caps.names": names, "caps.rights": rights, "caps.drop": drop, "caps.limit": limit}

    def threads_methods(self) -> dict[str, Callable[..., Any]]:
        """The methods of ``threads``: only those at or below the domain can be seen (I7)."""
        world = self.world
        scheduler = world.scheduler

        def seen(domain: Domain, thread: Any) -> bool:
            own = thread.domain is domain
            return own or (thread.domain is not None and thread.domain.within(domain))

        def all_(self_: Any, domain: Domain) -> Any:
            made = world.new_list([thread for thread in scheduler.awake() if seen(domain, thread)])
            made._o = domain
            return made

        def self_of(self_: Any, domain: Domain) -> Any:
            self.at_home(domain, "threads.self()")
            return scheduler.current

        def find(self_: Any, domain: Domain, v_kid: Any) -> Any:
            found = world.find_kid(v_kid) if type(v_kid) is str else None
            if not isinstance(found, scheduler.thread_class) or not seen(domain, live(found)):
                return None
            return found

        def wait(self_: Any, domain: Domain, v_threads: Any) -> Any:
            raw = live(self.monitor.reach(domain, v_threads, "r"))
            if getattr(type(raw), "_k", 0) == ids.LIST:
                found = [self.monitor.reach(domain, one, "r") for one in raw.v]
                return scheduler.wait_first(world.new_list(found))
            return scheduler.wait_first(raw)

        def peek(self_: Any, domain: Domain, v_place: Any, v_timeout: Any = None) -> Any:
            self.at_home(domain, "threads.peek()")
            return world.threads_methods["peek"](self_, v_place, v_timeout)

        def take(self_: Any, domain: Domain, v_place: Any) -> Any:
            self.at_home(domain, "threads.take()")
            return world.threads_methods["take"](self_, v_place)

        return {
            "threads.all": all_, "threads.self": self_of, "threads.find": find, "threads.wait": wait,
            "threads.peek": peek, "threads.take": take,
        }  # fmt: skip

    def thread_methods(self) -> dict[str, Callable[..., Any]]:
        """The methods of threads and messages: r to join, w to control; to send and ask needs nothing."""
        world, monitor = self.world, self.monitor
        scheduler = world.scheduler

        def join(self_: Any, domain: Domain) -> Any:
            return scheduler.join(monitor.reach(domain, self_, "r"))

        def send(self_: Any, domain: Domain, v_value: Any, v_wait: Any = False) -> None:
            world.mail.send(self.receiver(domain, self_), monitor.out(domain, v_value), v_wait is True, domain)

        def ask(self_: Any, domain: Domain, v_value: Any) -> Any:
            return world.mail.ask(self.receiver(domain, self_), monitor.out(domain, v_value), domain)

        def controlled(act: Callable[..., Any]) -> Callable[..., Any]:
            def control(self_: Any, domain: Domain, *args: Any) -> None:
                act(monitor.reach(domain, self_, "w"), *args)

            return control

        def refill(self_: Any, domain: Domain, v_amounts: Any) -> None:
            amounts = calls.deep(domain, v_amounts)
            if getattr(type(amounts), "_k", 0) != ids.MAP:
                fail("TypeError", "refill needs a Map, as in {cpu_ms: 500}")
            world.authority.budgets.refill(domain, monitor.reach(domain, self_, "w"), amounts)

        def set_local(self_: Any, domain: Domain, v_frame: Any, v_name: Any, v_value: Any) -> None:
            thread = monitor.reach(domain, self_, "rw")  # what is refused tells names of its variables
            world.changing.set_local(thread, v_frame, v_name, v_value, domain)

        calls = self.calls

        def reply(self_: Any, domain: Domain, v_value: Any = None) -> None:
            world.mail.respond(monitor.reach(domain, self_, "w"), "reply", monitor.out(domain, v_value))

        def fail_(self_: Any, domain: Domain, v_error: Any) -> None:
            message = monitor.reach(domain, self_, "w")
            error = v_error if type(v_error) is str else monitor.reach(domain, v_error, "r")
            if isinstance(v_error, Cap) and isinstance(error, Error):
                error = self.calls.words_of(domain, error)
            world.message_methods["fail"](message, error)

        return {
            "Thread.join": join, "Thread.send": send, "Thread.ask": ask, "Message.reply": reply, "Message.fail": fail_,
            "Thread.refill": refill, "Thread.set_local": set_local,
            **{f"Thread.{name}": controlled(world.thread_methods[name]) for name in CONTROLS},
        }  # fmt: skip

    def receiver(self, domain: Domain, thread: Any) -> Thread:
        """Whom a reference to a thread means: to send, no right is needed; but what it is called is read."""
        found: Thread = live(thread.target if isinstance(thread, Cap) else thread)
        if found not in self.world.scheduler.living and "r" not in self.monitor.rights(domain, thread):
            fail("ThreadError", "the thread has ended, and receives nothing")
        return found

    # ------------------------------------------------------------------ spawn

    def spawn(
        self,
        domain: Domain,
        callee: Any,
        method: str | None,
        receiver: tuple[Any, ...],
        args: tuple[Any, ...],
        positional: int,
        names: tuple[str, ...],
        grants: tuple[str, ...] | None,
        budget: tuple[str, ...] | None,
        extra: tuple[Any, ...],
    ) -> Thread:
        """``spawn``: in the same domain, or with grants in a new one below it."""
        world, monitor = self.world, self.monitor
        function = callee
        if method is not None:
            target = live(callee.target if isinstance(callee, Cap) else callee)
            if isinstance(target, Obj):
                self.calls.lookup(domain, callee, method, positional, names)  # which refuses what it may not
            found = world.helpers.lookup(target, method, positional, names)
            function, receiver = (found, (callee,)) if type(found) is FunctionType else (found.function, ())
        elif isinstance(callee, Cap):
            function = monitor.reach(domain, callee, "x")
        value = type(function) is FunctionType and not (isinstance(callee, Cap) or method)
        if value and not (monitor.is_code(function) or monitor.counts(domain, function)):
            monitor.refuse(function, "x", None)
        if method is None:
            check_call(function, positional + len(receiver), names)
        child = domain
        if grants is not None or budget is not None:
            child = monitor.below(domain, function.__name__)
            self.give(domain, child, grants or (), extra[: len(grants or ())])
            world.authority.budgets.give(domain, child, budget or (), extra[len(grants or ()) :])
            args = tuple([self.handed(domain, child, value) for value in args])
            receiver = tuple([self.handed(domain, child, value) for value in receiver])
        named = {"v_" + name: value for name, value in zip(names, args[positional:], strict=True)}
        given = (*receiver, *args[:positional])
        thread = world.authority.budgets.admit(
            child, child is not domain, lambda: world.scheduler.start(function, given, named, function.__name__)
        )
        if child is not monitor.top:
            thread.domain = child
        if child is not domain:
            thread.output = world.consoles.new(None)
            if domain is not monitor.top:
                thread.output._o = domain
            if "console" in live(child.grants).v and world.scheduler.current is not None:
                thread.output = world.scheduler.current.output
        return thread

    def give(self, domain: Domain, child: Domain, grants: tuple[str, ...], extra: tuple[Any, ...]) -> None:
        """The grants of ``with``."""
        for name, value in zip(grants, extra, strict=True):
            if name in RESERVED:
                fail("NameError", f"'{name}' is no name for a grant: caps.{name} is a method")
            self.monitor.name(child, name, self.monitor.granted(domain, child, value))

    def handed(self, domain: Domain, child: Domain, value: Any) -> Any:
        """An argument: a capability is a grant, anything else is what it is to the child."""
        return self.monitor.granted(domain, child, value) if isinstance(value, Cap) else value

    def entry(self, thread: Thread, begin: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> Any:
        """Begin a thread of a domain: the result of its function."""
        function, args, named = begin
        domain = thread.domain
        assert domain is not None
        proto = self.calls.table.proto_of(function.__code__)
        if proto is not None and (proto.base or proto).method:
            return self.calls.method(function)(args[0], domain, *args[1:], **named)
        if proto is None:
            special, method = self.calls.replaced.get(function, (None, False))
            if special is not None and method:
                return special(args[0], domain, *args[1:], **named)
            return self.calls.code(function)(domain, *args, **named)
        if self.monitor.is_code(function):
            return self.calls.code(function)(domain, *args, **named)
        return self.calls.opened(domain, function)(domain, *args, **named)

    # ------------------------------------------------------------------ errors

    def error_for(self, thread: Any, error: Error) -> Error:
        """An error as a thread may see it: its own, or kind and message of another's."""
        domain = thread.domain if thread is not None else None
        if domain is None or self.monitor.counts(domain, error):
            return error
        made = self.calls.words_of(domain, error)
        made._o = domain
        return made


CONTROLS = ("kill", "suspend", "resume", "step", "set_priority")
