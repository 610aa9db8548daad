"""``--grant NAME=dir:PATH:r|rw``: what a program may touch of the machine around it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from holdfast.repl.exits import Failure
from holdfast.repl.files import reason

if TYPE_CHECKING:
    from holdfast.vm.devices import Dir

RESERVED = frozenset({"drop", "limit", "names", "rights"})
"""Methods of ``caps``."""
EXAMPLE = "write NAME=dir:PATH:r or NAME=dir:PATH:rw, as in data=dir:./csv:r"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Grant(NamedTuple):
    """A host folder under a name."""

    name: str
    path: str
    rights: str

    def device(self) -> Dir:
        """Open the folder.

        Raises Failure.
        """
        from holdfast.vm.devices import open_dir

        try:
            return open_dir(self.path, self.rights)
        except OSError as error:
            raise Failure(
                f"cannot grant {self.name}: the folder {self.path} cannot be opened: {reason(error)}"
            ) from None


def parse_grant(text: str) -> Grant:
    """The grant that was written on the command line.

    Raises ValueError with a message for people.
    """
    name, equals, rest = text.partition("=")
    kind, colon, place = rest.partition(":")
    if not equals or not colon:
        raise ValueError(f"{text!r} is no grant: {EXAMPLE}")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name for a grant: use letters, digits and _, as in a program")
    if name in RESERVED:
        raise ValueError(f"{name!r} is a method of caps, so it cannot name a grant: take another name")
    if kind != "dir":
        raise ValueError(f"{kind!r} is no kind of grant: {EXAMPLE}")
    path, colon, rights = place.rpartition(":")
    if not colon or rights not in ("r", "rw"):
        raise ValueError(f"{text!r} does not say which rights: {EXAMPLE}")
    if not path or "\0" in path:
        raise ValueError(f"{text!r} names no folder: {EXAMPLE}")
    return Grant(name, path, rights)


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
