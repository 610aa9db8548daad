"""What guarded code knows of its locals, and the tests that teach it: see :mod:`holdfast.lang.emit_guarded`.

Behind the name of a local in :attr:`~holdfast.lang.emit_lines.LineEmitter.current` stands

====== ==========================================================================================
``@``  what it holds belongs to the running domain
``#``  what it holds may be stored: it belongs to the domain, or is no object
``<``  it holds what a field of another local held when it was read, and nothing was run or written since
====== ==========================================================================================

The first two hold until the local is assigned, since owners never change; all end where the running domain does.  A
capability that the domain holds passes the test of its owner as well: it has none of the slots that follow.
"""

from __future__ import annotations

import re

from holdfast.lang import ir
from holdfast.lang.emit import Emitter
from holdfast.lang.emit_lines import FIT, OWN
from holdfast.lang.guard import DEFINER, RUNNING

SCALARS = frozenset(("int", "float", "num", "bool", "text", "bytes", "range", "nil"))
"""Inferred types that are no objects."""
OBJECTS = frozenset(("list", "map", "obj", "fn", "box"))
"""Inferred types that are objects."""
FRESH = frozenset(("list", "map", "restlist", "box", "alloc", "move", "closure"))
"""Operations whose result may be known to be own."""
HELD = "<"
LOCAL = re.compile(r"(?!g_)[A-Za-z][A-Za-z_0-9]*\Z")
"""A name that is not one of :class:`~holdfast.lang.lines.NameTable`."""


class Owned(Emitter):
    """The tests of objects."""

    def op(self, op: ir.Op) -> None:
        """One operation; what it gives is not known to be own, unless it was just made."""
        repeated = op.op == "mul" and self.repeats(op)  # that is a new List as well
        super().op(op)
        if op.dst is not None and op.op not in FRESH and not repeated:
            self.current -= {op.dst + OWN, op.dst + FIT}
        if op.dst is not None:
            self.changed(op.dst)

    # ------------------------------------------------------------------ tests

    def fresh(self, name: str) -> None:
        """What is made belongs to the domain that makes it."""
        self.current.update((name, name + OWN))

    def made(self, dst: str, cls: str, n: int) -> None:
        """An owner besides."""
        super().made(dst, cls, n)
        self.line(f"{dst}._o = {RUNNING}", n)
        self.line(f"{RUNNING}.left = _c = {RUNNING}.left - 1", n)
        self.line(f"if _c < 0: p_spent({RUNNING})", n)

    def guess(self, op: ir.Op) -> bool:
        """May this instruction speculate that its object is own?"""
        return self.speculative(op.n) and self.kind(op.n, 0) not in SCALARS

    def own(self, name: str, n: int) -> str:
        """The text of an own object: tested by a line, once; in the middle of an expression by one of its own."""
        if name + OWN in self.current or name + FIT in self.current:
            return name  # what is no object has none of the slots that may follow
        if self.inline:
            return f"({name} if {name}._o is {RUNNING} else _foreign({self.here}))"
        self.line(f"if {name}._o is not {RUNNING}: _foreign({self.here})", n)
        self.know(name, OWN)
        if name in self.reads:
            self.know(name, HELD + self.reads[name])
        return name

    def know(self, name: str, mark: str) -> None:
        """Note something of a local.  A global may be bound again by whatever runs, so of that nothing is known."""
        if LOCAL.match(name):
            self.current.add(name + mark)

    def held(self, op: ir.Op) -> str | None:
        """The local, shown to be own, that holds what a field has: so the same value is used, not read again."""
        end = f"{HELD}{op.args[0]}.{op.data}"
        found = (mark.removesuffix(end) for mark in self.current if mark.endswith(end))
        return next((name for name in sorted(found) if name + OWN in self.current), None)

    def read(self, op: ir.Op) -> None:
        """A field was read into a temporary."""
        if op.dst is not None and op.dst.startswith("t") and self.uses.get(op.dst) == (1, 1) and not self.inline:
            self.reads[op.dst] = f"{op.args[0]}.{op.data}"

    def changed(self, name: str) -> None:
        """A local is assigned: what is known of its fields, or of it as a field, is not so any more."""
        around = name + HELD, f"{HELD}{name}."
        self.current = {mark for mark in self.current if not (mark.startswith(around[0]) or around[1] in mark)}
        self.reads = {one: field for one, field in self.reads.items() if not field.startswith(name + ".")}

    def written(self, field: str | None = None) -> None:
        """A field of that name is written, of whatever object; None: any may be."""
        end = "" if field is None else f".{field}"
        self.current = {mark for mark in self.current if HELD not in mark or not mark.endswith(end)}
        self.reads = {one: read for one, read in self.reads.items() if not read.endswith(end)}

    def stale(self) -> None:
        """Other code may have run."""
        super().stale()
        self.reads = {}

    def assign(self, dst: str, text: str, n: int) -> None:
        """dst = text."""
        super().assign(dst, text, n)
        self.changed(dst)

    def owned(self, op: ir.Op, template: str) -> None:
        """A pure template whose first operand is an own object."""
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        if not self.inline:
            self.flush()
        texts[0] = self.own(texts[0], first)
        self.value(op, template.format(*texts), first)

    def asked(self, op: ir.Op, function: str, *extra: str) -> None:
        """A pure operation that the monitor decides."""
        texts, first = self.take(op.args, op.n)
        self.value(op, f"{function}({', '.join([RUNNING, *texts, *extra])})", first)

    def stored(self, op: ir.Op, start: int = 0, step: int = 1) -> frozenset[int]:
        """Operands from one on that must be tested before they are stored: they must have names."""
        return frozenset(i for i in range(start, len(op.args), step) if not self.plain(op, i))

    def plain(self, op: ir.Op, position: int) -> bool:
        """Can the operand be stored as it is?"""
        operand = op.args[position]
        if isinstance(operand, ir.Const) or self.kind(op.n, position) in SCALARS:
            return True
        return operand + OWN in self.current or operand + FIT in self.current

    def place(self, op: ir.Op, position: int, text: str) -> str:
        """The operand as it may be stored."""
        if self.plain(op, position) or text + OWN in self.current or text + FIT in self.current:
            return text
        if self.tested or op.n in self.hopeless or -op.n in self.hopeless:
            return f"_place({RUNNING}, {text})"
        self.know(text, FIT)
        # What is stored at one place is nearly always of one kind: nil and own objects, or numbers; else any scalar.
        # What has no owner fails the test, as what has another one does, so each order is as safe as the others.
        if -op.n in self.failed:
            quick = f"type({text}) is int or type({text}) in _S or "
        elif self.kind(op.n, position) in OBJECTS:
            quick = ""
        else:
            # Values of a closure that exist keep its code, whatever it has learnt: it is not to fail at each Int.
            objects = op.op == "setfield" and self.function.definer != DEFINER
            quick = f"{text} is None or " + ("" if objects else f"type({text}) is int or ")
        return f"({text} if {quick}{text}._o is {RUNNING} else _foreign({-op.n}))"
