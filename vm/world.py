"""A world: one store directory and what lives in it, with the machine that runs it.

This is the face of ``holdfast.vm``: everything else is behind it.

Durability: what a program prints is kept until the checkpoint that it depends on is on disk (``_background``), so
nobody outside ever saw a state that is lost.  When nothing has changed since the last durable checkpoint, output
depends on nothing new and leaves at once.

Side records (``meta`` of the checkpoint): those of :mod:`holdfast.vm.modules`, and ``class:NUMBER``, the identity of a
class: its module, name, former names (``was``), and the fields of each schema.  All are text.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import thread_time
from types import FunctionType
from typing import Any

from holdfast.lang.assemble import check_python
from holdfast.lang.lines import RawMethods
from holdfast.vm import ids
from holdfast.vm.authority import Authority
from holdfast.vm.builtins import builtins
from holdfast.vm.changing import Changing
from holdfast.vm.checkpoint import Checkpointer
from holdfast.vm.code import CodeTable, Place, UnitCode
from holdfast.vm.code_machine import CodeMachine
from holdfast.vm.consoles import Console, Consoles, console_methods
from holdfast.vm.crossing import Crossing
from holdfast.vm.devices import Dir, add_grant, install_devices, make_caps, named_object
from holdfast.vm.domains import Cap, Domain
from holdfast.vm.file_outbox import FileOutbox
from holdfast.vm.frames import Capturer, go_on, places
from holdfast.vm.guard import MemoryGuard
from holdfast.vm.heap import Heap
from holdfast.vm.helpers import Helpers, check_call, guest_callable
from holdfast.vm.library import NO_LIBRARY, Library, checked
from holdfast.vm.limits import CALL_DEPTH, reserve_stack
from holdfast.vm.link import ClassInfo, Linker
from holdfast.vm.living import Living
from holdfast.vm.looking import COMPUTED, Looking, seen, thread_fields
from holdfast.vm.messages import Mail, Message, message_methods, thread_methods, threads_class
from holdfast.vm.methods import methods
from holdfast.vm.modules import Modules
from holdfast.vm.objects import ERRORS, KINDS, NEW, Obj, Thrown, fail, world_class
from holdfast.vm.outbox import Outbox
from holdfast.vm.outside import Outside
from holdfast.vm.preludes import Preludes
from holdfast.vm.retiring import Retiring
from holdfast.vm.shedding import Shedding
from holdfast.vm.show import to_text
from holdfast.vm.side import class_row
from holdfast.vm.store import Durability, Store
from holdfast.vm.thread import Thread
from holdfast.vm.threads import Scheduler
from holdfast.vm.unwind import Unwinder
from holdfast.vm.upgrade import Upgrades


class World(CodeMachine):
    """One open world.  Use :meth:`open`, and :meth:`close` (or ``with``)."""

    def __init__(
        self, store: Store, memory_limit: int | None = None, shape: str = "direct", library: Library = NO_LIBRARY
    ) -> None:
        check_python()
        frames = CALL_DEPTH * (2 if shape == "resumable" else 1)  # that shape has two frames for each call
        sys.setrecursionlimit(max(sys.getrecursionlimit(), frames))
        self.store = store
        self.guard = MemoryGuard()
        self.class_rows: dict[int, dict[str, Any]] = {}
        # What is clean makes way in any case before the guard would stop a program.
        self.heap = Heap(store, self, memory_limit=memory_limit or self.guard.resident_max // 2)
        self.globals = self.heap.globals
        self.collections = self.heap.collections
        self.thread_class = world_class(Thread)
        self.message_class = world_class(Message)
        self.heap.register_class(self.thread_class)
        self.heap.register_class(self.message_class)
        console_class = world_class(Console)
        self.heap.register_class(console_class)
        self.consoles = Consoles(self.heap, console_class)
        host = methods(self)
        raw = frozenset(name for kind in KINDS.values() for name in host.get(kind, {}))
        boxed = frozenset(name for kind in ("List", "Map", "Set") for name in host[kind]) | {"join"}
        self.table = CodeTable(
            self.globals, RawMethods(raw, boxed, frozenset(host["Text"]), COMPUTED), enter=shape == "resumable"
        )
        self.unwinder = Unwinder(self.table, self.new_list, self.heap.barrier)
        self.helpers = Helpers(self, self.collections, self.unwinder)
        self.scheduler = Scheduler(self.thread_class, self.globals, self.heap, self.unwinder.host_error)
        self.scheduler.mail = self.mail = Mail(self.scheduler, self.message_class)
        base = frozenset(
            f.__code__ for f in (Scheduler.work, Scheduler.resume, Scheduler.run_here, go_on, Crossing.entry)
        )
        self.scheduler.capture = Capturer(self.table, base, self.new_list).capture
        self.scheduler.go_on = partial(go_on, self.unwinder)
        self.unwinder.waiting = self.waiting_places
        self.checkpointer = Checkpointer(self.heap, on_failed=lambda error: self.scheduler.event.set())
        self.outbox = Outbox(self.heap, self.checkpointer, self.scheduler.event.set)
        self.outbox.emptied = self.scheduler.emptied
        self.looking = Looking(self)
        self.changing = Changing(self)
        self.scheduler.post_mortem = self.looking.post_mortem
        self.living = self.outbox.living = Living(self)
        self.scheduler.new_stack = self.living.new_stack
        self.scheduler.through_bytes = self.living.codes.again
        self.files = FileOutbox(self.outbox, self.scheduler, store)
        self.linker = Linker(self.table, self.collections.Map, self.class_number)
        self.linker.on_class = self.class_linked
        self.upgrades = Upgrades(self)
        self.linker.default = self.upgrades.field_default
        self.linker.on_linked = self.upgrades.linked
        self.authority = Authority(self)
        self.readable: Callable[[Any], Any] = self.authority.readable
        self.opened: Callable[[Any], tuple[Any, Callable[[Any], Any]]] = self.authority.opened
        self.monitor = self.authority.monitor
        self.outside = Outside(self)
        self.builtin_names: dict[str, str] = {"root": "root", "caps": "caps", "threads": "threads"}
        self.grants: dict[str, Any] = {}
        self.library = library
        self.library_names: dict[str, str] = {}
        """Host functions that only the modules of the library can name."""
        self.classes: dict[tuple[str, str], int] = {}
        self.renamed: dict[tuple[str, str], int] = {}
        """Module and former name of a class to its number, unless another class has that name now."""
        self.modules = Modules(self)
        self.retiring = Retiring(self)
        self._install(host)
        self._read_classes()

    # ------------------------------------------------------------------ opening and closing

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        durability: Durability = "power",
        memory_limit: int | None = None,
        create: bool = True,
        shape: str = "direct",
        library: Library = NO_LIBRARY,
        resume: bool = True,
    ) -> World:
        """Open the world in a folder, or make it.

        ``library`` is what ``import "std/…"`` finds.  ``shape`` "resumable" runs all code in that shape (slower; a
        test).  Without ``resume`` threads that were alive stay as they are on disk.  Raises StoreError when the world
        cannot be opened (missing, locked, damaged, of a later version), and DamagedRecord when a record that it needs
        for that is wrong.
        """
        store = Store(path, durability=durability, create=create)
        try:
            world = cls(store, memory_limit, shape, library)
            if resume:
                world.living.restore()
            return world
        except BaseException:
            store.close()
            raise

    @property
    def write(self) -> Callable[[str], None]:
        """Where the released output of programs goes."""
        return self.outbox.write

    @write.setter
    def write(self, write: Callable[[str], None]) -> None:
        """Send it elsewhere."""
        self.outbox.write = write

    def close(self) -> None:
        """A last checkpoint, the changes of host files that waited for it, then let go of the world's files."""
        try:
            if self.checkpointer.failed is None:
                self.checkpoint()
                self.files.finish()  # what that has released
                self.outbox.settle()
                self.checkpoint()
        finally:
            self.checkpointer.close()
            self.store.close()
            self.scheduler.event.close()
            self.guard.close()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _install(self, host: dict[str, dict[str, Callable[..., Any]]]) -> None:
        """Fill the globals of generated code."""
        g = self.globals
        g["__builtins__"] = {}
        g.update(self.helpers.table())
        g["root"] = self.heap.root
        s = self.scheduler
        s.check_memory = self.guard.check
        s.background = self.outbox.background
        s.wants_slice = lambda: self.outbox.busy
        self.shedding = shedding = Shedding(self)
        g["caps"] = make_caps(shedding.methods(), lambda: self.heap.root, self.authority.shown)
        self.threads_methods = threads_class(s, self.find_kid, self.new_list)
        g["threads"] = named_object("threads", self.threads_methods)
        g["_safepoint"] = s.safepoint
        g["_spawn"] = self.spawn
        g["_start"] = s.start
        s.spawn_other = self.spawn_other
        g["_link"] = lambda key: self.table.protos[key].link()
        g["_atomic_begin"] = self.atomic_begin
        g["_atomic_commit"] = self.atomic_commit
        g["_atomic_abort"] = self.atomic_abort
        g["_behalf_begin"] = shedding.begin_behalf
        g["p_behalf"] = shedding.intersection
        for name, function in {**builtins(self), **self._machine_functions()}.items():
            self._builtin(name, guest_callable(function, name))
        for name, function in checked(self.library.functions(self)).items():
            g["h:" + name] = guest_callable(function, name)
            self.library_names[name] = "h:" + name
        for name in ERRORS:
            self._builtin(name, self.modules.error_constructor(name))
        for kind, table in host.items():
            callables = {name: guest_callable(function, name) for name, function in table.items()}
            python = next((t for t, n in KINDS.items() if n == kind), None)
            if python is not None:
                self.helpers.methods[python] = callables
                g.update({f"M:{kind}.{name}": function for name, function in callables.items()})
                continue
            cls = getattr(self.collections, kind)
            for name, function in callables.items():
                setattr(cls, "m_" + name, function)
        Preludes(self).install()
        self.device_classes = install_devices(self.heap.register_class, self.new_list, self.files, self.heap)
        self.thread_methods = thread_methods(s, self.mail, self.changing)
        self.message_methods = message_methods(self.mail)
        for cls, methods_ in (
            (self.thread_class, self.thread_methods),
            (self.message_class, self.message_methods),
            (self.consoles.console_class, console_methods(self.consoles)),
        ):
            for name, function in methods_.items():
                setattr(cls, "m_" + name, guest_callable(function, name))
        for name, read in thread_fields(self).items():
            setattr(self.thread_class, "f_" + name, property(read))
        self.authority.install()

    def _builtin(self, name: str, function: FunctionType) -> None:
        self.globals["b:" + name] = function
        self.builtin_names[name] = "b:" + name

    def _machine_functions(self) -> dict[str, Callable[..., Any]]:
        """Built-in functions that need the machine."""

        def print_(*values: Any) -> None:
            """Write the values, separated by a space, and end the line."""
            self.output(" ".join(map(to_text, values)) + "\n")

        def sleep(seconds: Any) -> None:
            """Wait for a time in seconds."""
            if type(seconds) is int and not seconds:
                self.scheduler.give_way()
                return
            if type(seconds) not in (int, float) or not 0 <= seconds < 1e10:
                fail("ValueError", f"sleep needs a number of seconds from 0 on, not {to_text(seconds)}")
            self.scheduler.sleep(seconds)

        def receive(timeout: Any = None) -> Any:
            """The next message of this thread; with a timeout, nil when it has run out (in seconds)."""
            return self.mail.receive(timeout)

        return {"print": print_, "sleep": sleep, "receive": receive, **self.authority.functions()}

    # ------------------------------------------------------------------ what host functions use (Runtime)

    def new_list(self, raw: list[Any]) -> Any:
        """A new List around the raw list (without a detour: it is what host functions make most)."""
        made = self.collections.List()
        made._t = self.heap.token
        made._i = NEW
        made.v = raw
        acting = self.monitor.acting
        if acting is not None:
            made._o = acting
            acting.left -= 1
            if acting.left < 0:
                self.authority.budgets.spent(acting)
        return made

    def new_map(self, raw: dict[Any, Any]) -> Any:
        """A new Map around the raw dict."""
        made = self._new(self.collections.Map, raw)
        made.e = raw
        return made

    def new_set(self, raw: dict[Any, None]) -> Any:
        """A new Set around the raw dict."""
        return self._new(self.collections.Set, raw)

    def _new(self, cls: Any, raw: Any) -> Any:
        made = cls()
        made._t = self.heap.token
        made._i = NEW
        made.v = raw
        if self.monitor.acting is not None:
            made._o = self.monitor.acting
        return made

    # ------------------------------------------------------------------ classes

    def _read_classes(self) -> None:
        for key, text in self.modules.stored("class:"):
            number, row = class_row(key, text)
            self.class_rows[number] = row
            self.classes[row["module"], row["name"]] = number
        for number, row in self.class_rows.items():
            for name in row.get("was", ()):
                if (row["module"], name) not in self.classes:
                    self.renamed[row["module"], name] = number

    def class_number(self, module: str, name: str, was: str | None) -> int:
        """The number of a class, a new one if the world has none of this name (or of the old one)."""
        number = self.classes.get((module, name))
        if number is None and was is not None:
            number = self.classes.pop((module, was), None)
            if number is not None:
                names = self.class_rows[number].setdefault("was", [])
                names[:] = [*(old for old in names if old not in (was, name)), was]
                self.renamed[module, was] = number
        if number is None:
            number = max([ids.USER_FIRST - 1, *self.class_rows]) + 1
        self.classes[module, name] = number
        self.renamed.pop((module, name), None)
        return number

    def class_linked(self, info: ClassInfo) -> None:
        """A class was linked: note its fields as the current schema."""
        row = self.class_rows.setdefault(info.number, {"schemas": []})
        self.upgrades.note_version(info, row)
        row["module"], row["name"] = info.module, info.name
        for old in row.get("was", ()):
            if self.renamed.get((info.module, old)) == info.number:
                self.linker.also_called(info, old)
        self.modules.store(f"class:{info.number}", json.dumps(row))

    # ------------------------------------------------------------------ running

    def device(self, device: Any) -> Any:
        """Make a device one of this world."""
        device.__class__ = self.device_classes.get(type(device), type(device))
        return device

    def grant(self, name: str, device: Any) -> list[str]:
        """Give programs a device: ``caps.name``.

        What an earlier run has perhaps done to the files of a folder is done again; gives what went wrong with that,
        in words.  Raises ValueError when programs could write to the world's own files.
        """
        troubles: list[str] = []
        if isinstance(device, Dir) and "w" in device.rights:
            if device.holds(self.store.path):
                raise ValueError("it holds the world itself, so programs may not write there: grant a folder beside it")
            troubles = self.files.granted(device.fd, device.place)
        self.grants[name] = self.device(device)
        add_grant(self.globals["caps"], name, device)
        return troubles

    def spawn(
        self,
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
        """``spawn``: called by generated code."""
        function = callee
        if grants is not None or budget is not None or isinstance(callee, Cap):
            top = self.monitor.top
            given = (positional, names, grants, budget, extra)
            return self.authority.crossing.spawn(top, callee, method, receiver, args, *given)
        if method is not None:
            found = self.helpers.lookup(callee, method, positional, names)
            function, receiver = (found, (callee,)) if type(found) is FunctionType else (found.function, ())
        else:
            check_call(function, positional + len(receiver), names)
        named = {"v_" + name: value for name, value in zip(names, args[positional:], strict=True)}
        return self.scheduler.start(function, (*receiver, *args[:positional]), named, function.__name__)

    def spawn_other(self, callee: Any, args: tuple[Any, ...]) -> Thread:
        """``spawn f(x)`` of what is no function."""
        return self.spawn(callee, None, (), args, len(args), (), None, None, ())

    def atomic_begin(self) -> None:
        """A level of undo; its time starts with the outermost.  Where it can begin it can also end."""
        reserve_stack()
        if not self.heap.levels:
            self.scheduler.atomic_since = thread_time()
        self.heap.begin_atomic()
        self.outbox.begin_atomic()
        self.mail.begin_atomic()
        self.scheduler.begin_atomic()

    def atomic_commit(self) -> None:
        """The innermost level ends; with the outermost, threads that it started begin to run.

        Then its changes of host files are done, and the thread waits for them; it may throw what went wrong.
        """
        self.heap.commit_atomic()
        self.outbox.commit_atomic()
        self.mail.commit_atomic()
        self.scheduler.commit_atomic()
        if self.files.inside and not self.heap.levels:
            self.files.committed()

    def atomic_abort(self) -> None:
        """The innermost level is undone: what it wrote, printed and started."""
        self.heap.abort_atomic()
        self.outbox.abort_atomic()
        self.mail.abort_atomic()
        self.scheduler.abort_atomic()

    def run_thread(self, thread: Thread) -> Any:
        """Drive the world until a thread has ended; its result, or Thrown."""
        self.scheduler.run_until(lambda: thread.f_state in ("done", "failed"))
        if thread.f_state == "failed":
            raise Thrown(thread.f_error)
        return thread.f_result

    def start_program(self, unit: UnitCode, args: Sequence[str] = ()) -> Thread:
        """Start the top-level code of a linked program; ``args`` are what it finds under that name."""
        main = unit.protos[unit.unit.main].instance()
        given = (self.new_list(list(args)),) if main.__code__.co_argcount else ()
        return self.scheduler.start(main, given, name="main")

    def run_source(self, text: str, name: str = "main.hold") -> Any:
        """Compile a program and run it to its end; returns the value of its last expression.

        Raises CompileError, or Thrown with the program's error.
        """
        return self.run_thread(self.start_program(self.modules.program(text, name)))

    def load_module(self, path: str | Path) -> str:
        """Load a file of definitions; returns the module's name, for :meth:`call`."""
        return self.modules.load_file(Path(path))

    def call(self, module: str, name: str, *args: Any) -> Any:
        """Call a function of a module in a thread of its own, and wait for its result."""
        return self.run_thread(self.scheduler.start(self.globals[f"{module}:{name}"], args, name=name))

    # ------------------------------------------------------------------ output and checkpoints

    def output(self, text: str) -> None:
        """A program prints; it waits when too much of what it printed waits for a checkpoint."""
        thread = self.scheduler.current
        console = thread.output if thread is not None else None
        if console is not None:
            self.consoles.add(console, text)
        self.outbox.print(text, console)
        if thread is None or self.heap.levels or self.scheduler.held:
            return
        self.scheduler.wait_for(self.outbox)
        if console is not None and console.outlet is not None:
            self.scheduler.wait_for(console.outlet)

    def waiting_places(self, owner: Domain | None) -> Iterator[Place]:
        """Where the current thread's frames stand that are not on the host's stack, the innermost first; for a domain
        only those that run in it or below."""
        current = self.scheduler.current
        stack = current.stack if current is not None and current not in self.scheduler.damaged else None
        return places(frame for frame in (stack if stack is not None else ()) if owner is None or seen(frame, owner))

    def give_id(self, obj: Obj) -> int:
        """The id of an object, which gets one now if it has none."""
        if not obj._i and self.heap.open is not None:  # it may be about to write the object, with an id of its own
            self.outbox.finish(self.heap.open)
        if not obj._i:
            self.heap.found, new = {}, self.heap.found
            try:
                self.heap.identify(obj)
            finally:
                self.heap.found, new = new, self.heap.found
            self.heap.dirty.update(new)  # type: ignore[arg-type]
        return obj._i

    def find_kid(self, kid: str) -> Any:
        """What a KID stands for, or None."""
        try:
            return self.heap.find(ids.parse_kid(kid))
        except ValueError:
            return None

    def checkpoint(self) -> None:
        """Make the world as it is now durable, and release all output."""
        self.outbox.force()

    def statistics(self) -> dict[str, Any]:
        """Numbers for people and tools."""
        living = self.scheduler.living
        states = Counter(thread.f_state for thread in self.scheduler.awake())
        if len(living) > states.total():
            states["receiving"] += len(living) - states.total()
        return {
            "checkpoints": self.checkpointer.statistics.summary(),
            "switches": self.scheduler.switches,
            "threads": len(living),
            "states": dict(states),
            "loaded": len(self.heap.table),
            "evicted": self.heap.evicted,
            "dirty": len(self.heap.dirty),
        }
