"""The part of the emitter that knows nothing of operations: lines, groups, pending values.

A pure value with one use is not assigned but *pending*: its text goes into the expression that uses it.  Pending values
keep the order in which they must be evaluated; whatever would break it has them assigned first.
"""

from __future__ import annotations

import re

from holdfast.lang import ir
from holdfast.lang.infer import ANY
from holdfast.lang.lines import Line, NameTable, Pending, RawMethods, count_uses, literal

FUSED_MAX = 400
"""Characters of an expression; longer ones are cut by a temporary, since CPython compiles by recursion."""
PENDING_MAX = 32
SMALL = str((1 << 30) - 1)
"""The largest Int of one digit, as CPython keeps them.  CPython specialises a comparison of two small Ints, or of two
Floats, so the bound of a product is of the likely kind."""
LARGE = "1e18"
OWN, FIT = MARKS = "@", "#"
"""Behind the name of a local in :attr:`LineEmitter.current`."""
ATOM = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\Z")


class LineEmitter:
    """Lines of one function; subclasses add control flow.

    ``tested``: no speculation at all.  ``failed``: instructions whose speculation has failed before.
    """

    def __init__(self, function: ir.Function, names: NameTable, methods: RawMethods, tested: bool) -> None:
        self.function = function
        self.names = names
        self.methods = methods
        self.tested = tested
        self.failed: frozenset[int] = frozenset()
        self.hopeless: frozenset[int] = frozenset()
        """Instructions whose cheap test has failed too: these use the generic operators."""
        self.truths: frozenset[str] = frozenset()
        """Temporaries of which only the truth is asked."""
        self.kinds: dict[int, tuple[str, ...]] = {}
        self.lines: list[Line] = []
        self.depth = 0
        self.pending: list[Pending] = []
        self.current: set[str] = set()
        """Locals whose object has passed the barrier since the last point where a checkpoint may begin; and with OWN
        behind them those whose object belongs to the running domain, with FIT those that may be stored as they are (see
        :mod:`holdfast.lang.emit_guarded`)."""
        self.reads: dict[str, str] = {}
        """Of guarded code: temporaries with one use that are a field of a local, as ``local.field``, and nothing was
        run or written since they were read."""
        self.uses = count_uses(function.body)
        self.handles = any(isinstance(node, ir.Try) for node in ir.walk(function.body))
        self.inline = 0
        """Above 0 while an expression is tried, in which nothing can be a line of its own."""
        self.here = 0
        """The instruction that is being emitted."""
        self.returned: str | None = None
        """A temporary that is only returned, by the next instruction."""
        self.products = 0
        """Untested multiplications in what was taken last, """
        self.bound = ""
        """and what their test would compare with."""
        self.repeated: frozenset[str] = frozenset()
        """Temporaries that are only multiplied: a List literal in one need not be a List of its own."""

    # ------------------------------------------------------------------ lines and pending values

    def line(self, text: str, n: int) -> None:
        """Append a line."""
        self.lines.append(Line(self.depth, text, n, max(n, self.here)))

    def flush(self, keep: int = 0) -> None:
        """Assign what is pending to its temporaries, save the last ``keep``."""
        count = len(self.pending) - keep
        for value in self.pending[:count]:
            if value.items:
                self.made(value.temp, "_List", value.first)
                self.line(f"{value.temp}.v = {value.text}", value.first)
                continue
            self.line(f"{value.temp} = {value.text}", value.first)
            if value.products:
                self.test_size(value.temp, value.bound, value.first)
        del self.pending[:count]

    def test_size(self, name: str, bound: str, n: int) -> None:
        """A number that multiplication has made is small, or gets looked at: repeated squaring is a bomb."""
        self.line(f"if {name} > {bound} or {name} < -{bound}: _product({name})", n)

    def take(
        self, args: tuple[ir.Operand, ...], n: int, atoms: frozenset[int] = frozenset(), untested: bool = False
    ) -> tuple[list[str], int]:
        """Texts of the operands, and the first instruction of the group that they form with instruction n.

        Pending values are used in place when they are the last ones, in order, and each is used once.
        ``atoms``: operands that the template names more than once.  ``untested``: who asks takes products whose size
        was not tested, and answers for them: see :attr:`products`.
        """
        self.products, self.bound = 0, ""
        if not untested and any(p.products for p in self.pending if p.temp in args):
            self.flush()
        waiting = {p.temp for p in self.pending}
        wanted = [a for a in args if isinstance(a, str) and a in waiting]
        tail = self.pending[len(self.pending) - len(wanted) :]
        in_order = [p.temp for p in tail] == wanted
        long = sum(len(p.text) for p in tail) > FUSED_MAX
        if not in_order or long or len(set(wanted)) != len(wanted):
            self.flush()
            return [self.atom(a) for a in args], n
        for i, a in enumerate(args):
            if i in atoms and a in wanted and not ATOM.match(self.text_of(a)):
                # The template names the operand more than once: it and what stands before it get names.
                self.flush(len(wanted) - 1 - wanted.index(str(a)))
                return self.take(args, n, atoms)
        first = min([p.first for p in tail], default=n)
        self.products = sum(p.products for p in tail)
        self.bound = SMALL if any(p.bound == SMALL for p in tail) else LARGE
        found = {p.temp: p.text for p in tail}
        del self.pending[len(self.pending) - len(wanted) :]
        return [found.get(a) or self.atom(a) if isinstance(a, str) else self.atom(a) for a in args], first

    def text_of(self, operand: ir.Operand) -> str:
        """The pending text of an operand, or its name."""
        for p in self.pending:
            if p.temp == operand:
                return p.text
        return self.atom(operand)

    def atom(self, operand: ir.Operand) -> str:
        """A local's name or a literal."""
        return operand if isinstance(operand, str) else literal(operand.value)

    def value(self, op: ir.Op, text: str, first: int, kind: str = ANY) -> None:
        """The result of a pure operation: pending when it is a temporary with one use, else assigned."""
        dst = op.dst
        assert dst is not None
        if self.uses.get(dst) == (1, 1) and dst.startswith("t"):
            if len(self.pending) >= PENDING_MAX:  # each step looks at all of them
                self.flush()
            self.pending.append(Pending(dst, f"({text})" if not ATOM.match(text) else text, kind, first))
            return
        self.flush()
        self.assign(dst, text, first)

    def assign(self, dst: str, text: str, n: int) -> None:
        """dst = text."""
        self.current -= {dst, dst + OWN, dst + FIT}
        self.line(f"{dst} = {text}", n)

    def made(self, dst: str, cls: str, n: int) -> None:
        """Header of a new object: the current token, no id."""
        self.assign(dst, f"{cls}()", n)
        self.line(f"{dst}._t = _T", n)
        self.line(f"{dst}._i = 0", n)
        self.fresh(dst)

    def fresh(self, name: str) -> None:
        """The local holds an object that has just been made."""
        self.current.add(name)

    def stale(self) -> None:
        """A checkpoint may have begun: barriers are due again.  Whose an object is never changes."""
        self.current = {name for name in self.current if name[-1] in MARKS}

    def forget(self, nodes: list[ir.Node]) -> None:
        """These are about to run, or have run, any number of times and perhaps in part."""
        self.stale()
        if self.current:
            self.current -= {name + mark for name in ir.assigned(nodes) for mark in MARKS}

    def kind(self, n: int, position: int) -> str:
        """The inferred type of an operand."""
        kinds = self.kinds.get(n)
        return kinds[position] if kinds is not None and position < len(kinds) else ANY

    def speculative(self, n: int) -> bool:
        """May instruction n leave out its tests?"""
        return not self.tested and n not in self.failed
