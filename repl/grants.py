"""``--grant NAME=…``: what programs may touch of the machine around them, and a sandboxed one of the world.

====================  ==========================================================================
``data=dir:./csv:r``  a folder, for reading (``r``) or for reading and writing (``rw``)
``clock=clock``       the present time; ``clock=clock:1700000000`` one that stands still
``dice=random``       random numbers; ``dice=random:42`` those of a seed, in every run the same
``env=env:HOME,LANG`` variables of the environment
``out=root.foo:rw``   with ``--sandbox``: an object of the world, with rights made of r, w and x
====================  ==========================================================================
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.repl.exits import Failure
from holdfast.repl.files import reason

if TYPE_CHECKING:
    from holdfast.vm.world import World

RESERVED = frozenset({"drop", "limit", "names", "rights"})
"""Methods of ``caps``."""
EXAMPLE = "write NAME=dir:PATH:r or NAME=dir:PATH:rw, as in data=dir:./csv:r"
OBJECT = "object"
DEFAULT = ("clock", "console", "random")
"""What every program has that was started from a command line, if it is not sandboxed."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RIGHTS = re.compile(r"r?w?x?")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")


class Grant(NamedTuple):
    """Something under a name."""

    name: str
    kind: str
    """``dir``, ``clock``, ``random``, ``env``, ``console``, or ``object`` for one of the world."""
    place: str = ""
    """Path of the folder or object, instant, seed, names of variables."""
    rights: str = ""

    def device(self) -> Any:
        """The device; nil for an object of the world.

        Raises Failure.
        """
        from holdfast.vm import devices

        if self.kind == "clock":
            return devices.clock(float(self.place) if self.place else None)
        if self.kind == "random":
            return devices.random_numbers(int(self.place) if self.place else None)
        if self.kind == "env":
            return devices.environment(self.place.split(","))
        if self.kind == "console":
            return devices.terminal()
        try:
            return devices.open_dir(self.place, self.rights)
        except OSError as error:
            raise Failure(
                f"cannot grant {self.name}: the folder {self.place} cannot be opened: {reason(error)}"
            ) from None

    def capability(self, world: World) -> Any:
        """What a sandboxed program gets: a capability for the object that the path leads to.

        Raises Failure.
        """
        from holdfast.repl.inspector import Inspector

        monitor = world.monitor
        if self.kind != OBJECT:
            return world.grants[self.name]
        return monitor.only(monitor.top, Inspector(world).find(self.place), self.rights)


def parse_grant(text: str) -> Grant:
    """The grant that was written on the command line.

    Raises ValueError with a message for people.
    """
    name, equals, rest = text.partition("=")
    kind, colon, place = rest.partition(":")
    whole = kind == "root" or kind.startswith(("root.", "root["))
    if not equals or not (colon or whole or kind in DEFAULT):
        raise ValueError(f"{text!r} is no grant: {EXAMPLE}")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name for a grant: use letters, digits and _, as in a program")
    if name in RESERVED:
        raise ValueError(f"{name!r} is a method of caps, so it cannot name a grant: take another name")
    if whole:
        return _object(text, name, rest)
    if kind in ("clock", "random"):
        if place and (_NUMBER.fullmatch(place) is None or (kind == "random" and "." in place)):
            what = "an instant in seconds since 1970" if kind == "clock" else "a seed, which is a whole number"
            raise ValueError(f"{text!r}: {place!r} is not {what}")
        return Grant(name, kind, place)
    if kind == "console" and not place:
        return Grant(name, kind)
    if kind == "env":
        if not all(map(_NAME.fullmatch, place.split(","))):
            raise ValueError(f"{text!r} names no variables: write NAME=env:HOME,LANG")
        return Grant(name, kind, place)
    if kind != "dir":
        raise ValueError(f"{kind!r} is no kind of grant: {EXAMPLE}")
    path, colon, rights = place.rpartition(":")
    if not colon or rights not in ("r", "rw"):
        raise ValueError(f"{text!r} does not say which rights: {EXAMPLE}")
    if not path or "\0" in path:
        raise ValueError(f"{text!r} names no folder: {EXAMPLE}")
    return Grant(name, kind, path, rights)


def _object(text: str, name: str, rest: str) -> Grant:
    path, colon, rights = rest.rpartition(":")
    if not colon or not rights or _RIGHTS.fullmatch(rights) is None:
        raise ValueError(f"{text!r} does not say which rights: write {name}={path or rest}:r, with r, w and x")
    return Grant(name, OBJECT, path, rights)


def parse_grants(texts: tuple[str, ...]) -> list[Grant]:
    """All grants of a command line; a name counts once.

    Raises ValueError.
    """
    found: dict[str, Grant] = {}
    for text in texts:
        grant = parse_grant(text)
        if grant.name in found:
            raise ValueError(f"the grant {grant.name!r} is given twice")
        found[grant.name] = grant
    return list(found.values())


def parse_budget(text: str | None) -> dict[str, int]:
    """``cpu_ms=500,objects=10000``.

    Raises Failure.
    """
    found: dict[str, int] = {}
    for part in (text or "").split(",") if text else ():
        kind, equals, number = part.strip().partition("=")
        digits = number.replace("_", "")
        if not equals or not digits.isdigit() or len(digits) > 15:
            raise Failure(f"{part.strip()!r} is no part of a budget: write cpu_ms=500,objects=10000")
        found[kind] = int(digits)
    from holdfast.vm.budgets import KINDS

    for kind in found:
        if kind not in KINDS:
            raise Failure(f"there is no budget {kind!r}: there are {', '.join(KINDS)}")
    return found
