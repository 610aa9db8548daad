"""Straight-line code: IR operations to lines of Python, with one table of templates for both shapes.

Each line belongs to a *group* of consecutive instructions and carries the number of the group's first one.  A group
reads, and has at most one effect, at its end; so when it fails it may be run again from its first instruction.
That is what makes the direct shape fast: its templates are *speculative* (``x.v[i]`` takes x for a List or Map),
tests are left out, and what does not fit ends in a Python TypeError or AttributeError.  The frame then goes on in
the resumable shape at the group's first instruction, with templates that test (deoptimisation, as in Self and
HotSpot).  Wrong programs take the same way: so the generic operators are the only place that words errors.
"""

from __future__ import annotations

from holdfast.lang import ir
from holdfast.lang.emit_effects import EffectEmitter
from holdfast.lang.emit_lines import FIT, OWN
from holdfast.lang.emit_values import ARITHMETIC, COMPARE
from holdfast.lang.infer import ANY
from holdfast.lang.lines import CALLS, arguments

TEXT_INLINE = {"starts_with": "startswith", "ends_with": "endswith"}
"""Methods of Text that are a method of ``str`` when their one argument is a Text."""

TEXT_CHANGES = {"upper": "upper", "lower": "lower", "trim": "strip"}
"""Methods without arguments that are one of ``str``, where the Text is short: their results are not tested."""
TEXT_SHORT = 1 << 16


class Emitter(EffectEmitter):
    """Every operation; subclasses add control flow."""

    def op(self, op: ir.Op) -> None:
        """Emit one operation."""
        name = op.op
        self.here = op.n
        if name in COMPARE:
            self.compare(op)
        elif name == "mul" and self.repeats(op):
            self.repeat(op)
        elif name in ARITHMETIC:
            self.arithmetic(op)
        elif name in CALLS:
            self.call(op)
        else:
            getattr(self, "op_" + name)(op)

    # ------------------------------------------------------------------ calls

    def call(self, op: ir.Op) -> None:
        """A guest call: alone in its statement, so that nothing but locals is live while it runs."""
        if op.op == "spawn":
            self.spawn(op)
            return
        if op.op == "callg" and self.intrinsic(op):
            return
        target, positional, names = op.data
        skip = {"call": 1, "callg": 0, "callm": 1, "calls": 1}[op.op]
        if self.tested:
            self.flush()  # the callee is looked at only when all arguments have their values
        if op.op == "callm":
            self.method_call(op, target, positional, names)
            return
        texts, first = self.take(op.args, op.n)
        self.flush()
        head = {
            "call": texts[0] if op.op == "call" else "",
            "callg": self.names.name(target) if op.op == "callg" else "",
            "calls": self.names.name("S:{}.{}".format(*target)) if op.op == "calls" else "",
        }[op.op]
        args = arguments(texts[skip:], positional, names)
        if op.op == "calls":
            args = ", ".join(filter(None, [texts[0], args]))
        if self.tested and op.op == "call":
            self.line(f"_m = _callable({head}, {positional}, {names!r})", first)
            head = "_m"
        elif self.tested:
            self.line(f"_check({head}, {positional + (op.op == 'calls')}, {names!r})", first)
        self.result(op, f"{head}({args})", first)

    def return_line(self, text: str) -> str:
        """The statement that returns a value."""
        return f"return {text}"

    def result(self, op: ir.Op, text: str, n: int) -> None:
        """Store, return or drop the result of a call."""
        if op.dst is not None and op.dst == self.returned:
            self.line(f"return {text}", n)
            self.returned = None
        elif op.dst is None:
            self.line(text, n)
        else:
            self.assign(op.dst, text, n)
        self.stale()

    def intrinsic(self, op: ir.Op) -> bool:
        """Built-in functions that are one Python operation."""
        target, positional, names = op.data
        if target != "b:len" or positional != 1 or names or op.dst is None:
            return False
        kind = self.kind(op.n, 0)
        if kind == "text":
            self.simple(op, "_len({0})")
        elif self.items(op):
            self.simple(op, "_len({0}.v)")
        elif not self.tested and op.n not in self.hopeless and kind == ANY:
            self.simple(op, "_len({0} if type({0}) is str else {0}.v)", frozenset((0,)))
        else:
            self.simple(op, "o_len({0})")
        return True

    def method_call(self, op: ir.Op, method: str, positional: int, names: tuple[str, ...]) -> None:
        """``o.m(…)``: an attribute where the object has one; bare kinds are tested for where the name is theirs."""
        kind = self.kind(op.n, 0)
        if kind == "text" and not self.tested and method in self.methods.text:
            texts, first = self.take(op.args, op.n, frozenset((0,)))
            self.flush()
            self.text_method(op, method, positional, names, texts, first)
            return
        if self.speculative(op.n) and not names and self.inlined(op, method, positional):
            return
        raw_only = method in self.methods.raw and method not in self.methods.boxed
        tested = not self.speculative(op.n) or (raw_only and kind not in ("list", "map", "obj"))
        texts, first = self.take(op.args, op.n, frozenset((0,)) if tested else frozenset())
        self.flush()
        args = arguments(texts[1:], positional, names)
        if self.tested:
            self.method_call_checked(op, texts[0], args, first)
            return
        if not tested:
            self.result(op, f"{texts[0]}.m_{method}({args})", first)
            return
        with_self = ", ".join(filter(None, [texts[0], args]))
        if method in self.methods.text and kind == ANY and op.n not in self.hopeless:
            self.line(f"if type({texts[0]}) is str:", first)
            self.depth += 1
            returned, self.returned = self.returned, None
            self.text_method(op, method, positional, names, texts, first)
            self.returned = returned
            self.depth -= 1
            self.line("else:", first)
            self.depth += 1
            self.method_call_tested(op, texts[0], method, args, with_self, first)
            self.depth -= 1
        else:
            self.method_call_tested(op, texts[0], method, args, with_self, first)
        if op.dst is not None:
            self.current -= {op.dst, op.dst + OWN, op.dst + FIT}
        self.stale()

    def text_method(
        self, op: ir.Op, method: str, positional: int, names: tuple[str, ...], texts: list[str], first: int
    ) -> None:
        """A method of what is known to be a Text."""
        if method in TEXT_INLINE and positional == 1 and not names and self.kind(op.n, 1) == "text":
            self.result(op, f"{texts[0]}.{TEXT_INLINE[method]}({texts[1]})", first)
            return
        args = ", ".join(filter(None, [texts[0], arguments(texts[1:], positional, names)]))
        call = f"{self.names.name('M:Text.' + method)}({args})"
        short = f"_len({texts[0]}) < {TEXT_SHORT}"
        separator = op.args[1].value if positional == 1 and not names and isinstance(op.args[1], ir.Const) else None
        if method == "split" and separator and type(separator) is str and op.dst is not None:
            self.container(op, "_List", f"{texts[0]}.split({texts[1]}) if {short} else {call}.v", first)
        elif method in TEXT_CHANGES and not positional and not names:
            self.result(op, f"{texts[0]}.{TEXT_CHANGES[method]}() if {short} else {call}", first)
        else:
            self.result(op, call, first)

    def inlined(self, op: ir.Op, method: str, positional: int) -> bool:
        """Methods of List and Map that are one operation on the raw container; anything else deoptimises."""
        if method == "push" and positional == 1:
            self.push(op)
        elif method == "get" and positional == 2 and op.dst is not None:
            self.simple(op, "{0}.g.get({1}, {2})")
        elif method == "pop" and positional == 0:
            texts, first = self.take(op.args, op.n, frozenset((0,)))
            self.flush()
            self.barrier(texts[0], first)
            text = f"{texts[0]}.l.pop()"
            self.line(text, first) if op.dst is None else self.assign(op.dst, text, first)
        else:
            return False
        return True

    def method_call_tested(self, op: ir.Op, obj: str, method: str, args: str, with_self: str, first: int) -> None:
        """A call that looks at the receiver first."""
        dst = f"{op.dst} = " if op.dst is not None else ""
        # _method gives None where the class has the method, so that a call leaves no host frame in between.
        self.line(f"_m = _method({obj}, {method!r})", first)
        self.line(f"if _m is None: {dst}{obj}.m_{method}({args})", first)
        self.line(f"else: {dst}_m({with_self})", first)

    def method_call_checked(self, op: ir.Op, obj: str, args: str, first: int) -> None:
        """The generic call: looked up and checked by host code, so that every error is worded there."""
        method, positional, names = op.data
        dst = f"{op.dst} = " if op.dst is not None else ""
        with_self = ", ".join(filter(None, [obj, args]))
        self.line(f"_m = _lookup({obj}, {method!r}, {positional}, {names!r})", first)
        self.line(f"if type(_m) is _Field: {dst}_m.function({args})", first)
        self.line(f"else: {dst}_m({with_self})", first)
        if op.dst is not None:
            self.current -= {op.dst, op.dst + OWN, op.dst + FIT}
        self.stale()

    def push(self, op: ir.Op) -> None:
        """``xs.push(v)`` on a List: only a raw list has ``append``, so anything else deoptimises."""
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.v.append({texts[1]})", first)
        if op.dst is not None:
            self.assign(op.dst, "None", first)

    def spawn(self, op: ir.Op) -> None:
        """A new thread: the callee is looked up here, called there."""
        kind, target, positional, names, grants, budget = op.data
        texts, first = self.take(op.args, op.n)
        self.flush()
        skip = {"call": 1, "callg": 0, "callm": 1, "calls": 1}[kind]
        count = positional + len(names)
        args, extra = texts[skip : skip + count], texts[skip + count :]
        if kind == "callg":
            head = self.names.name(target)
        elif kind == "calls":
            head = self.names.name("S:{}.{}".format(*target))
        else:
            head = texts[0]
        if kind in ("call", "callg") and not names and grants is None and budget is None:
            self.result(op, self.start_line(head, f"({''.join(a + ', ' for a in args)})", count), first)
            return
        method = repr(target) if kind == "callm" else "None"
        receiver = f"({texts[0]},)" if kind == "calls" else "()"
        rest = (
            f"{method}, {receiver}, ({''.join(a + ', ' for a in args)}), {positional}, {names!r}, "
            f"{grants!r}, {budget!r}, ({''.join(e + ', ' for e in extra)})"
        )
        self.result(op, self.spawn_line(head, rest), first)

    def spawn_line(self, head: str, rest: str) -> str:
        """The call of the host function that makes a thread."""
        return f"_spawn({head}, {rest})"

    def start_line(self, head: str, args: str, count: int) -> str:
        """The same for ``spawn f(x)`` without more, as nearly all are."""
        return f"_start({head}, {args})"
