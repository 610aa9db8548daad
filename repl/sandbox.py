"""A program in a domain of its own: it has what was granted to it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.repl.exits import Failure
from holdfast.repl.grants import OBJECT, parse_budget, parse_grants
from holdfast.vm import ids
from holdfast.vm.objects import Thrown

if TYPE_CHECKING:
    from holdfast.repl.grants import Grant
    from holdfast.repl.host import Program
    from holdfast.vm.thread import Thread
    from holdfast.vm.world import World

HOSTS = ("dir", "env")
"""Kinds of grants that are parts of the machine around the process that has the world open."""


class Sandbox(NamedTuple):
    """What a sandboxed program has, as it was written on the command line."""

    grants: tuple[str, ...] = ()
    budget: str = ""
    modules: tuple[str, ...] = ()
    """Names of modules of the world that it may import."""

    def limits(self) -> dict[str, int]:
        """Its budget.

        Raises Failure.
        """
        return parse_budget(self.budget)


def refuse_host(sandbox: Sandbox, path: str) -> None:
    """Refuse what only the process can grant that opens the world, which is another one.

    Raises Failure.
    """
    for grant in parse_grants(sandbox.grants):
        if grant.kind in HOSTS:
            raise Failure(
                f"the world {path} is open in another process, which cannot be given a folder or variables for "
                f"'{grant.name}': grant objects of the world, or wait until that one has ended"
            )


def begin(world: World, program: Program, sandbox: Sandbox, *, attached: bool = False) -> Thread:
    """Start a program in a domain of its own; ``attached`` from another process.

    Raises CompileError and Failure.
    """
    authority = world.authority
    try:
        grants = parse_grants(sandbox.grants)
    except ValueError as error:
        raise Failure(str(error)) from None
    if attached and any(grant.kind in HOSTS for grant in grants):
        raise Failure("a program from another terminal is granted objects of the world only")
    try:
        given = {grant.name: _granted(world, grant, attached) for grant in grants}
        given = {"console": world.grants["console"], **given}
        domain = authority.domain(program.name, given, sandbox.limits(), sandbox.modules)
    except Thrown as thrown:
        raise Failure(thrown.error.f_message) from None
    unit = world.modules.program(program.text, program.name, ids.kid(domain._i))
    return authority.start(unit, domain, program.args)


def _granted(world: World, grant: Grant, attached: bool) -> Any:
    if attached and grant.kind != OBJECT:
        return world.device(grant.device())
    return grant.capability(world)
