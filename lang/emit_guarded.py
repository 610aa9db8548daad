"""Templates of guarded code: what a thread may touch is tested.

``d1`` is the domain that the code runs in.  Of an object that belongs to it nothing more need be known, and owners
never change: so a local is tested once, by one slot and one identity, before what it holds is first read or written
(``x@`` in :attr:`~holdfast.lang.emit_lines.LineEmitter.current`).  Anything else (a capability, an object of a domain
below, what is inert) fails that test, and ends in an operator that asks the monitor: ``p_…`` in place of ``o_…``.

The direct shape speculates that objects are own.  What is stored must be own as well, or a scalar, or goes through
``_place`` (rule 4: nobody writes more than he has).  The resumable shape uses the operators alone.

Arithmetic and comparison of scalars need no test: what is no scalar raises, and is compared by an operator.
"""

from __future__ import annotations

from holdfast.lang import ir
from holdfast.lang.emit import TEXT_CHANGES, TEXT_INLINE
from holdfast.lang.emit_lines import ATOM, OWN
from holdfast.lang.emit_owned import SCALARS, Owned
from holdfast.lang.emit_values import COMPARE
from holdfast.lang.guard import DEFINER, RUNNING, WEAKER, variant_key
from holdfast.lang.guard import OWN as OWN_VARIANT
from holdfast.lang.infer import ANY, TEXT_RESULTS
from holdfast.lang.lines import arguments, literal

TEXT_GIVES = frozenset("index last_index find count len is_empty is_digit is_alpha is_space is_upper is_lower".split())
"""Methods of Text that give no objects; :data:`~holdfast.lang.infer.TEXT_RESULTS` has more."""
AMBIENT = {"root": "p_root", "caps": "p_caps", "threads": "p_threads"}
"""Globals that mean something else in each domain."""


class Guarded(Owned):
    """In front of a class with control flow: every template that meets objects."""

    # ------------------------------------------------------------------ values

    def compare(self, op: ir.Op) -> None:
        """Raw for scalars; what else is equal depends on what may be read."""
        nil = any(isinstance(a, ir.Const) and a.value is None for a in op.args)
        if op.op not in ("eq", "ne"):
            if self.speculative(op.n):
                super().compare(op)
            else:
                self.asked(op, "p_" + op.op)
        elif nil or any(self.kind(op.n, i) in SCALARS for i in (0, 1)) or any(isinstance(a, ir.Const) for a in op.args):
            super().compare(op)  # what equals a scalar is one
        elif self.tested:
            self.asked(op, "p_" + op.op)
        else:
            # Who holds the same reference twice learns nothing by that (and Floats, where NaN differs, are scalars).
            known = "{0} is {1} or" if op.op == "eq" else "{0} is not {1} and"
            same = f"{known} p_{op.op}({RUNNING}, {{0}}, {{1}})"
            test = f"{{0}} {COMPARE[op.op]} {{1}} if type({{0}}) in _S else {same}"
            self.simple(op, test, frozenset((0, 1)))

    def arithmetic_tested(self, op: ir.Op, left: str, right: str) -> None:
        """Lists can be added and multiplied."""
        if op.op == "mul" and not self.values(op):
            self.multiplied(op)
        else:
            super().arithmetic_tested(op, left, right)

    def values(self, op: ir.Op) -> bool:
        """Are both operands known to be no objects?"""
        return self.kind(op.n, 0) in SCALARS and self.kind(op.n, 1) in SCALARS

    def added(self, op: ir.Op, a: str, b: str) -> str:
        """A List that is made belongs to the domain."""
        return super().added(op, a, b) if self.values(op) else f"p_add({RUNNING}, {a}, {b})"

    def multiplied(self, op: ir.Op) -> None:
        """What is made of a List belongs to the domain."""
        self.asked(op, "p_mul")

    def op_in(self, op: ir.Op) -> None:
        """Keys are scalars, instances and capabilities, which are compared by what they stand for."""
        if self.speculative(op.n) and self.kind(op.n, 1) not in SCALARS and not self.inline:
            perhaps_nan = self.kind(op.n, 0) in (ANY, "num", "float")
            sign = "in" if op.op == "in" else "not in"
            texts, first = self.take(op.args, op.n, frozenset((0, 1)))
            self.flush()
            self.own(texts[1], first)
            nan = (" and {0} == {0}" if op.op == "in" else " or {0} != {0}").format(texts[0]) if perhaps_nan else ""
            self.value(op, f"{texts[0]} {sign} {texts[1]}.k{nan}", first)
        elif not self.tested and op.n not in self.hopeless and self.kind(op.n, 1) in (ANY, "text"):
            sign = "in" if op.op == "in" else "not in"
            both = "type({0}) is str and type({1}) is str"  # in a Text only a Text can be looked for
            asked = f"p_{op.op}({RUNNING}, {{0}}, {{1}})"
            self.simple(op, f"{{0}} {sign} {{1}} if {both} else {asked}", frozenset((0, 1)))
        else:
            self.asked(op, "p_" + op.op)

    op_notin = op_in

    def op_islist(self, op: ir.Op) -> None:
        """How long a List is is read."""
        self.asked(op, "p_islist", str(int(op.data)))

    def op_getfield(self, op: ir.Op) -> None:
        """A slot of an own object."""
        known = self.held(op) if self.guess(op) else None
        if known is not None:
            self.value(op, known, op.n)
        elif self.guess(op):
            self.owned(op, "{0}.f_" + op.data)
            self.read(op)
        else:
            self.asked(op, "p_getfield", repr(op.data))

    def op_getfield_or_nil(self, op: ir.Op) -> None:
        """For ``??=``."""
        self.asked(op, "p_getfield_or_nil", repr(op.data))

    def op_index_or_nil(self, op: ir.Op) -> None:
        """For ``??=``."""
        self.asked(op, "p_index_or_nil")

    def op_index(self, op: ir.Op) -> None:
        """An item of an own List or Map; of a Text raw."""
        kind = self.kind(op.n, 0)
        if kind in ("text", "bytes", "range") and self.kind(op.n, 1) == "int" and not self.tested:
            self.simple(op, "{0}[{1}]")
        elif self.guess(op):
            self.owned(op, "{0}.e[{1}]")
        elif not self.tested and kind in (ANY, "text") and op.n not in self.hopeless:
            self.simple(
                op, f"{{0}}[{{1}}] if type({{0}}) is str else p_index({RUNNING}, {{0}}, {{1}})", frozenset((0, 1))
            )
        else:
            self.asked(op, "p_index")

    def op_slice(self, op: ir.Op) -> None:
        """Items move into a new List."""
        self.asked(op, "p_slice", str(op.data))

    def helper(self, op: ir.Op, function: str, *extra: str) -> None:
        """The operators that meet objects have a guarded form."""
        if function in ("_pairgone", "_pairkey", "_pairvalue"):
            self.asked(op, "p" + function, *extra)
        else:
            super().helper(op, function, *extra)

    def interpolated(self, kind: str, text: str) -> str:
        """How a part of an interpolation becomes a Text."""
        if kind in SCALARS:
            return super().interpolated(kind, text)
        asked = f"p_text({RUNNING}, {text})"
        return f"({text} if type({text}) is str else {asked})" if ATOM.match(text) and not self.tested else asked

    def op_global(self, op: ir.Op) -> None:
        """A definition; what is ambient is that of the domain."""
        if op.data in AMBIENT:
            self.value(op, f"{AMBIENT[op.data]}({RUNNING})", op.n)
        else:
            super().op_global(op)

    def op_getbox(self, op: ir.Op) -> None:
        """A captured variable; a `var` of another domain is refused."""
        checked, name, changes = op.data
        if checked or not self.guess(op):
            self.asked(op, "p_getbox", repr(name) if checked else "None", str(changes))
        else:
            self.owned(op, "{0}.v")

    # ------------------------------------------------------------------ effects

    def op_setfield(self, op: ir.Op) -> None:
        """Barrier and store into an own object."""
        self.written(op.data)
        texts, first = self.take(op.args, op.n, frozenset((0,)) | self.stored(op, 1))
        self.flush()
        if self.tested or op.n in self.hopeless:
            self.line(f"p_setfield({RUNNING}, {texts[0]}, {op.data!r}, {texts[1]})", first)
            return
        self.own(texts[0], first)
        placed = self.place(op, 1, texts[1])
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.f_{op.data} = {placed}", first)

    def op_setindex(self, op: ir.Op) -> None:
        """Barrier and store into an own collection."""
        if self.tested or op.n in self.failed or self.kind(op.n, 1) in ("int", "text", "bool", "bytes"):
            self.written()  # a Map's keys are its fields
        texts, first = self.take(op.args, op.n, frozenset((0, 1)) | self.stored(op, 2))
        self.flush()
        if self.tested or op.n in self.hopeless:
            self.line(f"p_setindex({', '.join([RUNNING, *texts])})", first)
            return
        self.own(texts[0], first)
        # The first guess is a List where the index tells nothing: what else the index may be fails for it.
        key, slot = texts[1], "w"
        if self.kind(op.n, 1) not in ("int", "text", "bool", "bytes"):
            if op.n in self.failed:
                self.line(f"if {key} != {key} or not (type({key}) in _S): _foreign({self.here})", first)
            else:
                slot = "l"
        item = self.place(op, 2, texts[2])
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.{slot}[{key}] = {item}", first)

    def op_setbox(self, op: ir.Op) -> None:
        """A captured variable of its own."""
        texts, first = self.take(op.args, op.n, frozenset((0,)) | self.stored(op, 1))
        self.flush()
        if self.tested or op.n in self.hopeless:
            self.line(f"p_setbox({RUNNING}, {texts[0]}, {texts[1]})", first)
            return
        self.own(texts[0], first)
        placed = self.place(op, 1, texts[1])
        self.barrier(texts[0], first)
        self.line(f"{texts[0]}.v = {placed}", first)

    def op_list(self, op: ir.Op) -> None:
        """A new List of what may be stored."""
        if not self.stored(op):
            super().op_list(op)
            return
        texts, first = self.take(op.args, op.n, self.stored(op))
        self.flush()
        self.container(op, "_List", f"[{', '.join(self.place(op, i, t) for i, t in enumerate(texts))}]", first)

    def op_map(self, op: ir.Op) -> None:
        """A new Map of what may be stored."""
        doubtful = (ANY, "num", "float")
        if not self.stored(op) and not any(self.kind(op.n, i) in doubtful for i in range(0, len(op.args), 2)):
            super().op_map(op)
            return
        texts, first = self.take(op.args, op.n)
        self.flush()
        assert op.dst is not None
        self.assign(op.dst, f"p_map({RUNNING}, ({''.join(t + ', ' for t in texts)}))", first)

    def op_restlist(self, op: ir.Op) -> None:
        """What callers have given may be anybody's."""
        assert op.dst is not None
        self.flush()
        self.line(f"_r = p_rest({RUNNING}, {op.dst})", op.n)
        self.made(op.dst, "_List", op.n)
        self.line(f"{op.dst}.v = _r", op.n)

    def op_box(self, op: ir.Op) -> None:
        """A Box is an object like others."""
        if not op.args or self.plain(op, 0):
            super().op_box(op)
            return
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        name = self.fresh_name(op)
        assert op.dst is not None
        self.line(f"_r = {self.place(op, 0, texts[0])}", first)
        self.made(name, "_Box", first)
        self.line(f"{name}.v = _r", first)
        if name != op.dst:
            self.assign(op.dst, name, first)
            self.fresh(op.dst)

    def op_closure(self, op: ir.Op) -> None:
        """A function value belongs to the domain that makes it: :meth:`holdfast.vm.calls.Calls.owned`, in line."""
        texts, first = self.take(op.args, op.n, frozenset(range(len(op.args))))
        self.flush()
        assert op.dst is not None
        key = self.names.maker(op.data)
        if self.tested:
            self.assign(op.dst, f"p_closure({RUNNING}, {key[2:]!r}, ({''.join(t + ', ' for t in texts)}))", first)
            return
        plain, inside = (self.names.name(variant_key(key, kind, DEFINER)) for kind in (OWN_VARIANT, WEAKER))
        captured = ", ".join([*texts, RUNNING])
        # It gets its name only when it is complete.
        self.line(f"_n = {plain}({captured})", first)
        self.line(f"_n._o = {RUNNING}", first)
        self.line(f"_n.n = {inside}({captured})", first)
        self.assign(op.dst, "_n", first)
        self.current.add(op.dst + OWN)

    def op_iter(self, op: ir.Op) -> None:
        """The iterator of a loop over an own List, or over what the monitor allows."""
        kind = self.kind(op.n, 0)
        if kind in SCALARS:
            super().op_iter(op)
            return
        assert op.dst is not None
        if op.data == 1 and self.guess(op):
            # Only a List has the slot ``l``: a capability, which may have passed the test, has none, nor has a Map.
            texts, first = self.take(op.args, op.n)
            self.flush()
            self.own(texts[0], first)
            self.assign(op.dst, f"iter({texts[0]}.l)", first)
            return
        texts, first = self.take(op.args, op.n)
        self.flush()
        text = f"p_iter{op.data}({RUNNING}, {texts[0]})"
        if op.data == 1 and not self.tested and op.n not in self.hopeless:
            text = f"iter({texts[0]}) if type({texts[0]}) is str else {text}"
        self.assign(op.dst, text, first)

    def op_throw(self, op: ir.Op) -> None:
        """What is thrown must be one's own."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        self.line(f"raise p_throw({RUNNING}, {texts[0]})", first)

    def op_assert(self, op: ir.Op) -> None:
        """What it shows is read."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        self.line(f"raise p_assertion({RUNNING}, {literal(op.data)}, {', '.join(texts)})", first)

    def op_behalf_begin(self, op: ir.Op) -> None:
        """From here on the code runs in a weaker domain: what is own is another matter."""
        texts, first = self.take(op.args, op.n)
        self.flush()
        assert op.dst is not None
        self.line(f"_r = p_behalf({RUNNING}, {texts[0]})", first)
        self.assign(op.dst, RUNNING, first)
        self.line(f"{RUNNING} = _r", first)
        self.current.clear()

    def op_behalf_end(self, op: ir.Op) -> None:
        """And from here on in the one before."""
        self.flush()
        self.line(f"{RUNNING} = {self.atom(op.args[0])}", op.n)
        self.current.clear()

    def safepoint(self, n: int) -> None:
        """What was used is charged to the domain."""
        self.line(f"if _poll: p_safepoint({RUNNING})", n)

    # ------------------------------------------------------------------ calls

    def call(self, op: ir.Op) -> None:
        """A guest call, of the guarded variant, with the domain as hidden argument."""
        if op.op == "spawn":
            self.spawn(op)
            return
        if op.op == "callg" and self.intrinsic(op):
            return
        target, positional, names = op.data
        if op.op == "callm":
            self.method_call(op, target, positional, names)
            return
        if not self.speculative(op.n):
            self.flush()  # the callee is looked at only when all arguments have their values
        texts, first = self.take(op.args, op.n)
        self.flush()
        if op.op == "call":
            head, rest = f"{texts[0]}.n", texts[1:]
        elif op.op == "callg":
            head, rest = self.names.name(f"G:{target}"), texts
        else:
            head, rest = self.names.name("G:S:{}.{}".format(*target)), texts[1:]
        args = ", ".join(filter(None, [RUNNING, arguments(rest, positional, names)]))
        if op.op == "calls":
            args = f"{texts[0]}, {args}"
        if self.speculative(op.n):
            self.result(op, f"{head}({args})", first)
            return
        if op.op == "call":
            found = f"p_call({RUNNING}, {texts[0]}, {positional}, {names!r})"
        else:
            key = target if op.op == "callg" else "S:{}.{}".format(*target)
            found = f"p_callee({RUNNING}, {key!r}, {positional + (op.op == 'calls')}, {names!r})"
        self.line(f"_m = {found}", first)
        self.result(op, f"_m({args})", first)

    def result(self, op: ir.Op, text: str, n: int) -> None:
        """Where a function of another definer ends, its result goes through the monitor."""
        if op.dst is not None and op.dst == self.returned and self.function.domain != "given":
            self.returned = None
            self.assign(op.dst, text, n)
            self.line(self.return_line(op.dst), n)
            self.stale()
            return
        super().result(op, text, n)

    def return_line(self, text: str) -> str:
        """The statement that returns a value."""
        if self.function.domain == "given":
            return f"return {text}"
        if self.function.domain == OWN_VARIANT:
            return f"return _place({RUNNING}, {text})"
        return f"return {text} if d0 is {RUNNING} else _place({RUNNING}, {text})"

    def intrinsic(self, op: ir.Op) -> bool:
        """``len`` of what is own, or a Text."""
        target, positional, names = op.data
        if target != "b:len" or positional != 1 or names or op.dst is None:
            return False
        kind = self.kind(op.n, 0)
        if kind == "text":
            self.simple(op, "_len({0})")
        elif self.guess(op):
            self.owned(op, "_len({0}.v)")
        elif not self.tested and kind == ANY:
            self.simple(op, f"_len({{0}}) if type({{0}}) is str else p_len({RUNNING}, {{0}})", frozenset((0,)))
        else:
            self.asked(op, "p_len")
        return True

    def method_call(self, op: ir.Op, method: str, positional: int, names: tuple[str, ...]) -> None:
        """``o.m(…)``: an attribute of an own object's class; anything else is looked up."""
        kind = self.kind(op.n, 0)
        scalars = all(self.kind(op.n, i) in SCALARS for i in range(len(op.args)))
        if kind == "text" and not self.tested and not names and scalars:
            if (method in TEXT_INLINE and positional == 1) or (method in TEXT_CHANGES and not positional):
                texts, first = self.take(op.args, op.n, frozenset((0,)))
                self.flush()
                self.text_method(op, method, positional, names, texts, first)
                return
        textual = method in self.methods.text and not self.tested and not names
        met = op.n in self.failed and op.n not in self.hopeless  # the first guess is an own object
        if textual and (kind == "text" or (kind == ANY and met)) and self.scalar_arguments(op):
            self.perhaps_text(op, method, positional, kind)
            return
        if not self.tested and op.n not in self.hopeless and kind not in SCALARS and not names and method == "push":
            if self.inlined(op, method, positional):  # what is pushed may have been the wrong guess
                return
        if not self.guess(op):
            self.flush()
            texts, first = self.take(op.args, op.n, frozenset((0,)))
            self.method_call_checked(op, texts[0], arguments(texts[1:], positional, names), first)
            return
        if not names and self.inlined(op, method, positional):
            return
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        self.flush()
        self.own(texts[0], first)
        args = ", ".join(filter(None, [RUNNING, arguments(texts[1:], positional, names)]))
        self.result(op, f"{texts[0]}.n_{method}({args})", first)

    def scalar_arguments(self, op: ir.Op) -> bool:
        """Are all arguments of a method known to be no objects?"""
        return all(isinstance(a, ir.Const) or self.kind(op.n, i) in SCALARS for i, a in enumerate(op.args) if i)

    def perhaps_text(self, op: ir.Op, method: str, positional: int, kind: str) -> None:
        """A method of a Text with arguments that are no objects: what it makes is new."""
        self.flush()
        texts, first = self.take(op.args, op.n, frozenset((0,)))
        if kind == "text":
            self.text_method(op, method, positional, (), texts, first)
            return
        self.line(f"if type({texts[0]}) is str:", first)
        returned, self.returned = self.returned, None
        self.depth += 1
        self.text_method(op, method, positional, (), texts, first)
        self.depth -= 1
        self.returned = returned
        self.line("else:", first)
        self.depth += 1
        self.method_call_checked(op, texts[0], arguments(texts[1:], positional, ()), first)
        self.depth -= 1

    @staticmethod
    def splits(op: ir.Op) -> bool:
        """Is it a split whose List is made in line, and so is the domain's?"""
        separator = op.args[1].value if len(op.args) == 2 and isinstance(op.args[1], ir.Const) else None
        return op.dst is not None and type(separator) is str and separator != ""

    def text_method(
        self, op: ir.Op, method: str, positional: int, names: tuple[str, ...], texts: list[str], first: int
    ) -> None:
        """A method of what is known to be a Text, with arguments that are no objects."""
        if method in TEXT_GIVES or TEXT_RESULTS.get(method) in SCALARS or (method == "split" and self.splits(op)):
            super().text_method(op, method, positional, names, texts, first)
            return
        call = f"{self.names.name('M:Text.' + method)}({', '.join(texts)})"
        self.result(op, f"p_made({RUNNING}, {call})", first)

    def method_call_checked(self, op: ir.Op, obj: str, args: str, first: int) -> None:
        """The generic call: the monitor finds what is called."""
        method, positional, names = op.data
        dst = f"{op.dst} = " if op.dst is not None else ""
        args = ", ".join(filter(None, [RUNNING, args]))
        self.line(f"_m = p_lookup({RUNNING}, {obj}, {method!r}, {positional}, {names!r})", first)
        self.line(f"if type(_m) is _Field: {dst}_m.function({args})", first)
        self.line(f"else: {dst}_m({obj}, {args})", first)
        if op.dst is not None:
            self.current.discard(op.dst)
        self.stale()

    def inlined(self, op: ir.Op, method: str, positional: int) -> bool:
        """Methods that are one operation on the raw container of an own List or Map."""
        if method == "push" and positional == 1:
            texts, first = self.take(op.args, op.n, frozenset((0,)) | self.stored(op, 1))
            self.flush()
            self.own(texts[0], first)
            placed = self.place(op, 1, texts[1])
            self.barrier(texts[0], first)
            self.line(f"{texts[0]}.v.append({placed})", first)
            if op.dst is not None:
                self.assign(op.dst, "None", first)
        elif method == "get" and positional == 2 and op.dst is not None and not self.inline:
            self.owned(op, "{0}.g.get({1}, {2})")
        elif method == "pop" and positional == 0:
            texts, first = self.take(op.args, op.n, frozenset((0,)))
            self.flush()
            self.own(texts[0], first)
            self.barrier(texts[0], first)
            text = f"{texts[0]}.l.pop()"
            self.line(text, first) if op.dst is None else self.assign(op.dst, text, first)
        else:
            return False
        return True

    def spawn_line(self, head: str, rest: str) -> str:
        """The new thread gets no more than what this domain has."""
        return f"p_spawn({RUNNING}, {head}, {rest})"

    def start_line(self, head: str, args: str, count: int) -> str:
        """The same."""
        return self.spawn_line(head, f"None, (), {args}, {count}, (), None, None, ()")
