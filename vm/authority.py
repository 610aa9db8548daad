"""All that bounds what threads may do, put together for one world."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.vm.budgets import Budgets
from holdfast.vm.calls import Calls
from holdfast.vm.collector import Collector
from holdfast.vm.crossing import Crossing, Revocable
from holdfast.vm.domains import ALL, MODULE, Cap, Domain
from holdfast.vm.guarded import Guarded
from holdfast.vm.helpers import guest_callable
from holdfast.vm.link import LazyGuarded
from holdfast.vm.methods.arguments import needs
from holdfast.vm.monitor import Monitor
from holdfast.vm.objects import Error, fail, live, make_error, world_class

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.vm.code import UnitCode
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World


class Authority:
    """Monitor, guarded operators, calls and crossings of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        cap_class, revocable_class = world_class(Cap), world_class(Revocable)
        world.heap.register_class(cap_class)
        world.heap.register_class(revocable_class)
        self.monitor = Monitor(world, cap_class)
        self.calls = Calls(world, self.monitor)
        self.budgets = Budgets(world)
        self.calls.budgets = self.budgets
        collector = self.budgets.collector = Collector(world.heap, world.scheduler, world.outbox)
        world.outbox.collect = collector.slice
        self.guarded = Guarded(world, self.monitor, self.calls, self.budgets)
        self.crossing = Crossing(world, self.monitor, self.calls, revocable_class)
        self.calls.guarded = self.monitor.guarded = self.guarded
        self.calls.spawn = self.crossing.spawn
        self.revocable_class = revocable_class

    def shown(self, caps: Any, domain: Domain | None = None) -> str:
        """``print(caps)``: what code that runs in a domain may reach, with which rights, and through whose grants."""
        world, monitor = self.world, self.monitor
        if domain is None or domain is monitor.top:
            return f"caps({', '.join(f'{name}: {ALL}' for name in sorted(('root', *world.grants)))})"
        parts = []
        for name, value in sorted(live(domain.grants).v.items()):
            part = f"{name}: {monitor.rights(domain, value) or 'no rights'}"
            if isinstance(value, Cap) and value.conditions is not None:
                through = [live(condition).granter.name for condition in live(value.conditions).v]
                part += f" through {', '.join(through)}"
            parts.append(part)
        return f"caps({'; '.join(parts) or 'nothing'})"

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The built-in functions about rights, for plain code."""
        functions = self.crossing.functions()
        top = self.monitor.top

        def only(x: Any, rights: Any) -> Any:
            """A capability for the object with no more than these rights: "r" read, "w" write, "x" call."""
            return functions["only"](top, x, rights)

        def rights(x: Any) -> str:
            """What may be done with the object here: "rwx", "r", or "" for a mere reference."""
            return functions["rights"](top, x)  # type: ignore[no-any-return]

        def revocable(x: Any, rights: Any = "rwx") -> Any:
            """A capability that can be ended: pass on ``.cap``, and keep the rest for ``.revoke()``."""
            return functions["revocable"](top, x, rights)

        def frozen(x: Any) -> Any:
            """A deep copy of Lists, Maps and Sets that nobody can change; it crosses between domains as a Text does."""
            return functions["frozen"](top, x)

        return {"only": only, "rights": rights, "revocable": revocable, "frozen": frozen}

    def install(self) -> None:
        """Fill the globals, and give the classes of built-in kinds their guarded methods."""
        world = self.world
        world.globals.update(self.guarded.table())
        self.calls.special = self.crossing.special()
        self.calls.replaced = self.replaced()
        world.linker.guarded = self.calls.own_method
        crossing = self.crossing

        @needs("w")
        def revoke(self: Any) -> None:
            """End the capability: from now on every use of what was reached through it fails."""
            crossing.revoke(self)

        setattr(self.revocable_class, "m_revoke", guest_callable(revoke, "revoke"))  # noqa: B010
        for kind in (world.collections.List, world.collections.Map, world.collections.Set):
            kind._monitor = self.monitor
        for cls in (world.collections.List, world.collections.Map, world.collections.Set, self.revocable_class):
            for name in [name for name in vars(cls) if name.startswith("m_")]:
                self.method(cls, name[2:], vars(cls)[name])
        scheduler = world.scheduler
        scheduler.entry = crossing.entry
        scheduler.monitor = self.monitor
        scheduler.budgets = self.budgets
        scheduler.own = world.unwinder.own
        scheduler.out = self.monitor.out
        scheduler.error_for = crossing.error_for
        self.name_methods()

    def name_methods(self) -> None:
        """Give host methods names by which they are stored: a thread may be about to call one."""
        world = self.world
        kinds: list[Any] = [world.collections.List, world.collections.Map, world.collections.Set, self.revocable_class]
        kinds += [world.scheduler.thread_class, world.mail.message_class, world.consoles.console_class]
        kinds += [*world.device_classes.values(), type(world.globals["caps"]), type(world.globals["threads"])]
        for kind in kinds:
            for name, function in vars(kind).items():
                if name.startswith("m_") and type(function) is FunctionType:
                    world.globals[f"M:{kind._name}.{name[2:]}"] = function
        for key, function in world.globals.items():
            if key.startswith("M:") and type(function) is FunctionType:
                function.__dict__["__hold_method__"] = key[2:]

    def replaced(self) -> dict[FunctionType, tuple[Callable[..., Any], bool]]:
        """Built-in functions to what guarded code calls in their place, also as a value or in a thread of its own."""
        world = self.world
        places = {"caps": type(world.globals["caps"]), "threads": type(world.globals["threads"])}
        places |= {"Thread": world.scheduler.thread_class, "Message": world.mail.message_class}
        found = {}
        for key, special in self.calls.special.items():
            place, _, name = key.partition(".")
            plain = getattr(places[place], "m_" + name, None) if name else world.globals[key]
            if type(plain) is FunctionType:
                found[plain] = special, bool(name)
        return found

    def readable(self, value: Any) -> Any:
        """A collection as it may be read by whom a host function works for; any other value as it is."""
        monitor = self.monitor
        if monitor.acting is None and not isinstance(value, Cap):
            return value
        return monitor.guarded.view(monitor.acting or monitor.top, value)

    def opened(self, value: Any) -> tuple[Any, Callable[[Any], Any]]:
        """An object, and what its parts are to whom a host function works for."""
        monitor = self.monitor
        if monitor.acting is None and not isinstance(value, Cap):
            return live(value), lambda item: item
        return monitor.guarded.opened(monitor.acting or monitor.top, value)  # type: ignore[no-any-return]

    def method(self, cls: type, name: str, function: Any) -> None:
        """The guarded variant of a method of a built-in class, made when it is first called."""
        if not isinstance(function, property):
            setattr(cls, "n_" + name, LazyGuarded(cls, "n_" + name, function, self.calls.own_method))

    def domain(
        self,
        name: str,
        grants: dict[str, Any],
        budget: dict[str, int] | None = None,
        modules: Sequence[str] = (),
    ) -> Domain:
        """A new domain below the whole world's, with capabilities by their names, a budget, and names of modules of the
        world that its programs may import.

        What is granted as it is, is granted with all rights.
        """
        top, monitor = self.monitor.top, self.monitor
        made = monitor.below(top, name)
        self.world.give_id(made)  # code that it loads is known by it
        for grant, value in grants.items():
            monitor.name(made, grant, monitor.granted(top, made, value))
        for module in modules:
            if self.world.modules.text_of(module) is None:
                fail("NameError", f"the world has no module '{module}': run a program that imports it first")
            monitor.name(made, MODULE + module, True)
        self.budgets.give(top, made, (budget or {}).keys(), (budget or {}).values())
        return made

    def start(self, unit: UnitCode, domain: Domain, args: Sequence[str] = ()) -> Thread:
        """Start the top-level code of a linked program in a domain."""
        world = self.world
        main = unit.protos[unit.unit.main].instance()
        given: tuple[Any, ...] = ()
        if main.__code__.co_argcount:
            texts = world.new_list(list(args))
            texts._o = domain
            given = (texts,)
        thread = self.budgets.admit(domain, True, lambda: world.scheduler.start(main, given, name="main"))
        thread.domain = domain
        return thread

    def finish(self, thread: Thread, error: Error) -> None:
        """End a thread where it stands: none of its code runs any more."""
        scheduler = self.world.scheduler
        if thread not in scheduler.living or thread is scheduler.current:
            return
        if thread in scheduler.ready:
            scheduler.ready.remove(thread)
        if thread.wait is not None:
            thread.wait.cancel(scheduler, thread)
        thread.begin = None
        scheduler.drop_stack(thread)
        scheduler.end(thread, error=error)

    def close(self, domain: Domain) -> None:
        """End all threads of a domain and those below."""
        for thread in self.world.scheduler.awake():
            if thread.domain is not None and thread.domain.within(domain):
                self.finish(thread, make_error("ThreadError", "the program that it belonged to has ended"))
                if thread.failure is not None:
                    thread.failure.handled = True  # it ended with its program, which nobody needs to be told

    def domain_of(self, kid: str) -> Domain | None:
        """The domain with a KID, or None."""
        found = self.world.find_kid(kid)
        return found if isinstance(found, Domain) else None

    def value_of(self, proto: Any, captured: list[Any]) -> FunctionType:
        """A function value of a domain, from its record."""
        return self.calls.owned(proto, tuple(captured))
