"""Loop-invariant code motion: what a loop reads again and again is read once in front of it.

::

    h1 = root.g['items'].e
    for v_key in it4:
        if _poll: h1 = None; _safepoint(); h1 = root.g['items'].e
        v_total = v_total + h1[v_key].f_balance

This is done for *quiet* loops: innermost ones that run nothing but operations without an effect and moves between
locals.  Between two safepoints nobody else runs, so what such a loop reads through locals that it does not assign is
what it was.  Behind a safepoint it is read again, and at it nothing is held.  (Loading a ghost may run a class's
``migrate``, which can change nothing that exists, since it runs in an empty domain; where it may run a default of a
field, no loop reads ahead.)

Only what the first turn would do in any case is read ahead.  Where that fails (a loop of no turns, perhaps), the frame
goes on in the resumable shape, which reads nothing ahead, and the loop is compiled without it from then on.  A local
``h1`` is no part of a frame: a record of one, and the resumable shape, know only the operations that it stands for.

After Aho, Sethi and Ullman, *Compilers*, 1986, section 10.7; the safepoints are those of this machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from holdfast.lang import ir
from holdfast.lang.lines import PURE, literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.lang.direct import Direct

QUIET = PURE | {"move", "safepoint"}
TEXT_MAX = 120
"""Characters of an expression that is read ahead."""

Turning = ir.Loop | ir.For


def quiet(loop: Turning) -> bool:
    """Does it run nothing that could change what it reads?  A loop inside has safepoints of its own."""
    return all(
        (node.op in QUIET or (node.op == "callg" and node.data == ("b:len", 1, ())))
        if isinstance(node, ir.Op)
        else isinstance(node, ir.If | ir.Logic | ir.Break | ir.Continue | ir.Return)
        for node in ir.walk(loop.body)
    )


def certain(loop: Turning) -> Iterable[ir.Op]:
    """The operations that a first turn gets to, whichever way it goes: those in front of what may leave it.

    The first test of a ``while`` does not count: what stands behind it would be run, but for a loop of no turns.
    """
    header = isinstance(loop, ir.Loop)
    for node in loop.body:
        if isinstance(node, ir.Op):
            yield node
            continue
        leaves = any(isinstance(n, ir.Break | ir.Continue | ir.Return) for n in ir.walk([node]))
        if leaves and not (header and isinstance(node, ir.If) and not node.then and len(node.other) == 1):
            return
        header = header and not isinstance(node, ir.If)


class Hoisted:
    """What one loop reads ahead: expressions by instruction, and the names of those that its lines came to use."""

    def __init__(self, loop: Turning, emitter: Direct) -> None:
        self._emitter = emitter
        self._assigned = ir.assigned([loop])
        self._texts: dict[str, str] = {}
        """Temporary to the expression that it is."""
        self.values: dict[int, str] = {}
        """Instruction to the expression that its result is, """
        self.views: dict[int, str] = {}
        """or, of an ``index`` with a key that changes, to that of what it looks into."""
        self._names: dict[str, str] = {}
        if emitter.function.domain or not emitter.methods.ahead:
            return  # guarded code tests what it reads
        safepoint = next((node.n for node in loop.body if isinstance(node, ir.Op) and node.op == "safepoint"), None)
        if safepoint is not None and not emitter.failed & {loop.n, safepoint} and quiet(loop):
            for op in certain(loop):
                self._look_at(op)

    def _text(self, operand: ir.Operand) -> str | None:
        """The expression of an operand that stays what it is."""
        if isinstance(operand, ir.Const):
            return literal(operand.value)
        return self._texts.get(operand) or (operand if operand not in self._assigned else None)

    def _look_at(self, op: ir.Op) -> None:
        emitter = self._emitter
        texts = [self._text(arg) for arg in op.args]
        if op.op == "global":
            assert op.dst is not None
            self._texts[op.dst] = emitter.names.name(op.data)
        elif texts and texts[0] is not None and op.dst is not None and not isinstance(op.args[0], ir.Const):
            template = emitter.invariant(op, texts[0])
            if template is None:
                return
            if None not in texts:
                self._keep(self.values, op, template.format(*texts))
            elif op.op == "index":
                self._keep(self.views, op, f"{texts[0]}.e")

    def _keep(self, where: dict[int, str], op: ir.Op, text: str) -> None:
        if len(text) <= TEXT_MAX:
            where[op.n] = text
            if where is self.values and op.dst is not None and self._emitter.uses.get(op.dst, (0, 0))[0] == 1:
                self._texts[op.dst] = text

    def name(self, text: str) -> str:
        """The local that holds the expression's value."""
        return self._names.setdefault(text, f"h{len(self._names)}")

    def assignments(self, lines: Iterable[str]) -> list[str]:
        """What is to be assigned ahead: that of it which these lines use."""
        used = "\n".join(lines)
        return [f"{name} = {text}" for text, name in self._names.items() if _uses(used, name)]


def _uses(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None
