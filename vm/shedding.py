"""A thread of the whole world gives up rights: ``caps.drop`` and ``caps.limit`` in unrestricted code.

Unrestricted code tests nothing, so the thread goes on in guarded code.  Both variants of a function have the same
instructions under the same numbers: the thread is parked, its stack is read, and each frame goes on in the guarded
variant, in a new domain that was granted all that the whole world's has, less what was given up.  What the frames hold
are mere references from then on: they count only as far as they are reached through the set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.lang.guard import GIVEN, RUNNING
from holdfast.vm.frames import Frame
from holdfast.vm.messages import Message
from holdfast.vm.objects import fail, live
from holdfast.vm.waits import Between

if TYPE_CHECKING:
    from holdfast.vm.domains import Domain
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World


class Shedding:
    """The shedding of one world's threads."""

    def __init__(self, world: World) -> None:
        self.world = world

    def methods(self) -> dict[str, Any]:
        """The methods of ``caps`` in unrestricted code."""
        world = self.world

        def names(self: Any) -> Any:
            """The names of what was granted."""
            return world.new_list(sorted(("root", *world.grants)))

        def rights(self: Any, name: Any) -> str:
            """What may be done with what was granted under a name."""
            if type(name) is not str or (name != "root" and name not in world.grants):
                world.monitor.not_granted(str(name)[:40])
            return "rwx"

        def drop(self: Any, name: Any) -> None:
            """Give up a grant, for good: the thread goes on in a domain of its own without it."""
            shedding.shed(name, "")

        def limit(self: Any, name: Any, rights: Any) -> None:
            """Keep only these rights of a grant, for good: the thread goes on in a domain of its own."""
            shedding.shed(name, world.monitor.rights_of(rights))

        shedding = self
        return {"names": names, "rights": rights, "drop": drop, "limit": limit}

    def shed(self, name: Any, rights: str) -> None:
        """Move the current thread into a new domain, with less."""
        world = self.world
        scheduler, monitor = world.scheduler, world.monitor
        thread = scheduler.current
        if type(name) is not str or (name != "root" and name not in world.grants):
            monitor.not_granted(name if type(name) is str else "?")
        if thread is None or scheduler.held:
            fail("CapabilityError", "rights cannot be given up here: the code runs for the machine")
        scheduler.may_wait()
        domain = monitor.below(monitor.top, thread.name)
        for key, value in {"root": world.heap.root, **world.grants}.items():
            monitor.name(domain, key, monitor.granted(monitor.top, domain, value))
        if rights:
            monitor.shed(domain, name, rights)
        else:
            monitor.drop(domain, name)
        scheduler.move(thread, lambda: self.move(thread, domain))
        scheduler.wait(Between())

    # ------------------------------------------------------------------ on behalf of others

    def intersection(self, domain: Domain, message: Any) -> Domain:
        """The domain of an ``on_behalf`` block: what this domain and the sender's both have.

        It must be a message that this thread itself has received: else a sender could have it act for somebody else.
        """
        world = self.world
        current = world.scheduler.current
        if not isinstance(live(message), Message) or message.receiver is None or message.receiver is not current:
            fail("CapabilityError", "on_behalf needs a message that this thread has received itself")
        sender = message.payer or world.monitor.top
        if domain.within(sender):
            return domain
        return sender if sender.within(domain) else world.monitor.below(domain, "on_behalf")

    def begin_behalf(self, message: Any) -> None:
        """``on_behalf`` in plain code: the frame goes on in the guarded variant of its function."""
        world = self.world
        scheduler, top = world.scheduler, world.monitor.top
        thread = scheduler.current
        domain = self.intersection(top, message)
        if thread is None or scheduler.held:
            fail("CapabilityError", "on_behalf cannot be used here: the code runs for the machine")
        scheduler.may_wait()

        def lend() -> None:
            scheduler.replace(thread, lambda frame: frame)
            assert thread.stack is not None
            frame = thread.stack.frames[-1]
            changed = guarded(frame, domain)
            if frame.result is not None:
                changed.values[frame.result] = top
            changed.result = None
            thread.stack.frames[-1] = changed

        scheduler.move(thread, lend)
        scheduler.wait(Between())

    def move(self, thread: Thread, domain: Domain) -> None:
        """Let a parked thread go on in guarded code."""
        thread.domain = domain
        heap = self.world.heap
        if thread._t is not heap.token:
            heap.barrier(thread)
        if thread.stack is not None:  # what is in the store only would go on as it is there
            thread.stack.bring(len(thread.stack))
        top = self.world.monitor.top
        self.world.scheduler.replace(thread, lambda frame: weakened(frame, top, domain), everything=True)
        self.world.scheduler.touched[thread] = None


def weakened(frame: Frame, top: Domain, domain: Domain) -> Frame:
    """The frame of a thread that leaves the domain of the whole world for another one.

    One that is guarded already runs in a weaker domain, or in that of the whole world behind an ``on_behalf``, or will
    again: so does none any more.
    """
    if not frame.proto.function.domain:
        return guarded(frame, domain)
    values = {name: domain if value is top else value for name, value in frame.values.items()}
    return Frame(frame.proto, frame.n, frame.result, values)


def guarded(frame: Frame, domain: Domain) -> Frame:
    """The frame of plain code in the guarded variant of its function."""
    values = dict(frame.values)
    values[RUNNING] = domain
    return Frame(frame.proto.variant(GIVEN), frame.n, frame.result, values)
