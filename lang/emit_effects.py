"""Operations with an effect, calls aside: each ends a group."""

from __future__ import annotations

from holdfast.lang import ir
from holdfast.lang.emit_lines import ATOM, MARKS
from holdfast.lang.emit_values import ValueEmitter
from holdfast.lang.infer import ANY
from holdfast.lang.lines import Pending, literal

SAFEPOINT = "if _poll: _safepoint()"
REPEAT_INLINE_MAX = 1 << 16
"""Items that a List literal is repeated to without a test of its own."""


class EffectEmitter(ValueEmitter):
    """Stores, new objects, jumps out by throwing."""

    def op_move(self, op: ir.Op) -> None:
        """A copy; fused with a pending value."""
        texts, first = self.take(op.args, op.n)
        assert op.dst is not None
        self.flush()
        self.assign(op.dst, texts[0], first)
        source = op.args[0]
        if isinstance(source, str):
            self.current |= {op.dst + mark for mark in ("", *MARKS) if source + mark in self.current}

    def barrier(self, obj: str, n: int) -> None:
        """The write barrier, unless the object has passed it since the last safepoint."""
        if obj not in self.current:
            self.line(f"if {obj}._t is not _T: _dirty({obj})", n)
            self.current.add(obj)

    def op_setfield(self, op: ir.Op) -> None:
        """Barrier and store."""
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        if self.tested:
            self.line(f"o_setfield({texts[0]}, {op.data!r}, {texts[1]})", first)
            return
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.f_{op.data} = {texts[1]}", first)

    def op_setindex(self, op: ir.Op) -> None:
        """Barrier and store; a bad key raises before anything is changed.  NaN, which is unequal to itself, is one."""
        perhaps_nan = self.kind(op.n, 1) in (ANY, "num", "float")
        at_first = not self.tested and op.n not in self.failed
        test_nan = perhaps_nan and not at_first
        texts, first = self.take(op.args, op.n, frozenset((0, 1) if test_nan else (0,)))
        self.flush()
        if self.tested or op.n in self.hopeless:
            self.line(f"o_setindex({', '.join(texts)})", first)
            return
        self.barrier(texts[0], first)
        # The first guess is a List where the index tells nothing: it needs no test for NaN.
        slot = "l" if perhaps_nan and at_first else "w"
        if test_nan:
            self.line(f"if {texts[1]} != {texts[1]}: o_setindex({', '.join(texts)})", first)
        self.line(f"{texts[0]}.{slot}[{texts[1]}] = {texts[2]}", first)

    def op_setbox(self, op: ir.Op) -> None:
        """A captured variable."""
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.v = {texts[1]}", first)

    def fresh_name(self, op: ir.Op) -> str:
        """Where a new object is built: never the destination while that is still an operand."""
        return "_n" if op.dst is None or op.dst in op.args else op.dst

    def op_list(self, op: ir.Op) -> None:
        """A new List."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        raw = f"[{', '.join(texts)}]"
        if op.dst in self.repeated and len(op.args) == 1 and isinstance(op.args[0], ir.Const):
            # Pending, so that it is in the group of the multiplication, or is assigned before whatever comes between.
            self.pending.append(Pending(op.dst, raw, "list", first, items=True))
            return
        self.container(op, "_List", raw, first)

    def container(self, op: ir.Op, cls: str, raw: str, first: int) -> None:
        """A new collection around a raw container, which is built before the destination is touched."""
        name = self.fresh_name(op)
        if raw not in ("[]", "{}"):
            self.line(f"_r = {raw}", first)
            raw = "_r"
        self.made(name, cls, first)
        self.line(f"{name}.v = {name}.e = {raw}" if cls == "_Map" else f"{name}.v = {raw}", first)
        if name != op.dst and op.dst is not None:
            self.assign(op.dst, name, first)
            self.fresh(op.dst)

    def op_map(self, op: ir.Op) -> None:
        """A new Map; keys that cannot be keys raise TypeError in the literal."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        if any(self.kind(op.n, i) in (ANY, "num", "float") for i in range(0, len(op.args), 2)):
            assert op.dst is not None
            self.assign(op.dst, f"_map(({', '.join(texts)},))", first)
            return
        pairs = ", ".join(f"{k}: {v}" for k, v in zip(texts[::2], texts[1::2], strict=True))
        self.container(op, "_Map", f"{{{pairs}}}", first)

    def op_restlist(self, op: ir.Op) -> None:
        """The rest arguments, a Python tuple until here, as a List."""
        assert op.dst is not None
        self.flush()
        self.line(f"_r = list({op.dst})", op.n)
        self.made(op.dst, "_List", op.n)
        self.line(f"{op.dst}.v = _r", op.n)

    def op_box(self, op: ir.Op) -> None:
        """A new Box."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        name = self.fresh_name(op)
        value = texts[0] if texts else "_U"
        assert op.dst is not None
        if value != "_U" and not ATOM.match(value):
            self.line(f"_r = {value}", first)
            value = "_r"
        self.made(name, "_Box", first)
        self.line(f"{name}.v = {value}", first)
        if name != op.dst:
            self.assign(op.dst, name, first)

    def op_alloc(self, op: ir.Op) -> None:
        """A new instance."""
        self.flush()
        assert op.dst is not None
        self.made(op.dst, self.names.name("C:" + op.data), op.n)

    def op_closure(self, op: ir.Op) -> None:
        """A function value: the maker binds the captures."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        assert op.dst is not None
        self.assign(op.dst, f"{self.names.name(self.names.maker(op.data))}({', '.join(texts)})", first)

    def op_iter(self, op: ir.Op) -> None:
        """The iterator of a for loop."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        assert op.dst is not None
        if self.kind(op.n, 0) == "range" and op.data == 1:
            self.assign(op.dst, f"iter({texts[0]})", first)
        elif self.kind(op.n, 0) == "list" and op.data == 1:
            self.assign(op.dst, f"iter({texts[0]}.v)", first)
        else:
            self.assign(op.dst, f"_iter{op.data}({texts[0]})", first)

    def statement(self, op: ir.Op, function: str, *extra: str) -> None:
        """A host function called for its effect."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        self.line(f"{function}({', '.join([*texts, *extra])})", first)
        self.stale()

    def op_required(self, op: ir.Op) -> None:
        """A field without default behind one with: the constructor tests that it was given."""
        self.statement(op, "_required", repr(op.data[0]), repr(op.data[1]))

    def op_safepoint(self, op: ir.Op) -> None:
        """Once a turn: two instructions while nobody asks."""
        self.flush()
        self.safepoint(op.n)
        self.stale()

    def safepoint(self, n: int) -> None:
        """Where a thread may be preempted."""
        self.line(SAFEPOINT, n)

    def op_throw(self, op: ir.Op) -> None:
        """Host code makes the exception; ``raise`` stands here, so that the frame's line is the instruction's."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        self.line(f"raise _throw({texts[0]})", first)

    def op_rethrow(self, op: ir.Op) -> None:
        """The pending error of a finally or an unmatched catch."""
        self.flush()
        self.line(f"raise _rethrow({self.atom(op.args[0])})", op.n)

    def op_assert(self, op: ir.Op) -> None:
        """A failed assertion."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        self.line(f"raise _assertion({literal(op.data)}, {', '.join(texts)})", first)

    def op_atomic_begin(self, op: ir.Op) -> None:
        """A new level of undo."""
        self.statement(op, "_atomic_begin")

    def op_atomic_commit(self, op: ir.Op) -> None:
        """Keep what the level wrote."""
        self.statement(op, "_atomic_commit")

    def op_atomic_abort(self, op: ir.Op) -> None:
        """Undo what the level wrote."""
        self.statement(op, "_atomic_abort")

    def op_behalf_begin(self, op: ir.Op) -> None:
        """Rights cut down to those of a message's sender."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        assert op.dst is not None
        self.assign(op.dst, f"_behalf_begin({texts[0]})", first)  # the frame goes on in the guarded variant
        self.stale()

    def op_behalf_end(self, op: ir.Op) -> None:
        """The end of that."""
        self.statement(op, "_behalf_end")

    def repeats(self, op: ir.Op) -> bool:
        """Is it the multiplication of a List literal that has not been made?"""
        return any(p.items and p.temp == op.args[0] for p in self.pending)

    def multiplied(self, op: ir.Op) -> None:
        """A multiplication of whatever there may be."""
        self.helper(op, "o_mul")

    def repeat(self, op: ir.Op) -> None:
        """``[nil] * n``: the literal is not made as a List of its own; the size is tested."""
        texts, first = self.take(op.args, op.n, untested=True)
        self.flush()
        raw, count = texts
        if raw == op.args[0]:  # it had to be made after all
            self.multiplied(op)
            return
        known = op.args[1]
        if isinstance(known, ir.Const) and type(known.value) is int and known.value < REPEAT_INLINE_MAX:
            self.container(op, "_List", f"{raw} * {count}", first)
            return
        self.line(f"_r = {count}", first)
        if self.products:
            self.test_size("_r", self.bound, first)
        self.container(op, "_List", f"{raw} * _r if _r < {REPEAT_INLINE_MAX} else _repeat({raw}, _r)", first)
