"""A dumb interpreter of Hold: one recursive function over the tree, for comparison with the machine.

It shares the parser with the machine, and nothing else.  It knows the part of the language that
:mod:`tests.lang.generator` writes: no threads, no modules, and of the methods only some.  Names are looked up when they
are used, in chained dicts, so a program must not shadow a name that an inner function has used before.

An error has its kind only; messages are the machine's own.  :class:`Skip` says that a program is of no use for a
comparison: too long, too large, or of a kind that is not modelled (NaN, deep nesting).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from holdfast.lang import tree as t
from holdfast.lang.diagnostics import Source
from holdfast.lang.parser import parse
from tests.lang.reference_values import (
    KINDS,
    KNOWN_METHODS,
    SIZE_MAX,
    STEPS_MAX,
    UNSET,
    Env,
    Jump,
    Raised,
    RBuiltin,
    RClass,
    RError,
    RFunction,
    RInstance,
    RList,
    RMap,
    RSet,
    RThread,
    Skip,
    arithmetic,
    bounded,
    equal,
    fail,
    key_of,
    number,
    order,
    show,
)


class Interpreter:
    """One run of one program."""

    def __init__(self) -> None:
        self.output: list[str] = []
        self.steps = 0
        self.undo: list[list[Callable[[], None]]] = []
        self.handled: RError | None = None
        """What the innermost ``catch`` or ``finally`` body of the running function handles."""
        self.top = Env(None)
        self.root = RMap()
        for name, least, most in (
            ("print", 0, 99),
            ("len", 1, 1),
            ("Text", 1, 1),
            ("Int", 1, 2),
            ("List", 0, 1),
            ("Set", 0, 1),
        ):
            self.top.names[name] = [RBuiltin(name, getattr(self, "b_" + name.lower()), least, most)]
        self.top.names["root"] = [self.root]
        self.file_env = Env(self.top)
        """The names at the top of the file; classes see them too."""

    def run(self, text: str) -> tuple[list[str], str | None]:
        """Output, and the kind of the error that ended the program."""
        program = parse(Source("reference.hold", text))
        env = self.file_env
        classes = {s.name: s for s in program.statements if isinstance(s, t.ClassDef)}

        def make(name: str) -> RClass:
            if name not in env.names:
                node = classes[name]
                env.names[name] = [RClass(node, make(node.base.parts[0]) if node.base else None)]
            return env.names[name][0]  # type: ignore[no-any-return]

        for name in classes:
            make(name)
        for s in program.statements:
            if isinstance(s, t.FunctionDef):
                env.names[s.name] = [RFunction(s.function, env, s.name)]
        error = None
        try:
            for s in program.statements:
                if not isinstance(s, t.FunctionDef | t.ClassDef):
                    self.statement(s, env)
        except Raised as raised:
            error = raised.error.kind
        except RecursionError:
            raise Skip("recursion") from None
        return "".join(self.output).split("\n")[:-1], error

    # ------------------------------------------------------------------ built-in functions

    def b_print(self, *values: Any) -> None:
        self.output.append(" ".join(show(v, True) for v in values) + "\n")

    def b_len(self, value: Any) -> int:
        if isinstance(value, RList):
            return len(value.items)
        if isinstance(value, RMap):
            return len(value.entries)
        if type(value) in (str, bytes):
            return len(value)
        if type(value) is range:
            return max(0, value.stop - value.start)
        return int(fail("TypeError"))

    def b_text(self, value: Any) -> str:
        return show(value, True)

    def b_int(self, value: Any, base: Any = 10) -> int:
        if number(value):
            return int(value)
        if type(value) is str and base == 10:
            try:
                return int(value)
            except ValueError:
                pass
        return int(fail("ValueError"))

    def b_list(self, value: Any = UNSET) -> RList:
        if value is UNSET:
            return RList([])
        if isinstance(value, RList):
            return RList(list(value.items))
        if isinstance(value, RMap):
            return RList([k for k, _ in value.entries.values()])
        if type(value) in (str, bytes, range):
            if len(value) > SIZE_MAX:
                raise Skip("long")
            return RList(list(value))
        return fail("ValueError")  # type: ignore[no-any-return]

    def b_set(self, value: Any = UNSET) -> RSet:
        made = RSet()
        for item in self.b_list(value).items:
            made.entries.setdefault(key_of(item), (item, None))
        return made

    # ------------------------------------------------------------------ writes, which atomic may undo

    def note(self, act: Callable[[], None]) -> None:
        if self.undo:
            self.undo[-1].append(act)

    def set_cell(self, cell: list[Any], value: Any) -> None:
        old = cell[0]
        self.note(lambda: cell.__setitem__(0, old))
        cell[0] = value

    def save_list(self, target: RList) -> None:
        old = list(target.items)
        self.note(lambda: setattr(target, "items", old))

    def save_map(self, target: RMap) -> None:
        old = dict(target.entries)
        self.note(lambda: setattr(target, "entries", old))

    def put(self, target: RMap, key: Any, value: Any) -> None:
        same = key_of(key)
        self.save_map(target)
        old = target.entries.get(same)
        target.entries[same] = (old[0] if old else key, value)
        if len(target.entries) > SIZE_MAX:
            raise Skip("large Map")

    # ------------------------------------------------------------------ statements

    def block(self, block: t.Block, env: Env) -> Any:
        """Run a block; its value."""
        inner = Env(env)
        value = None
        for s in block.statements:
            value = None
            if isinstance(s, t.ExprStatement):
                value = self.expr(s.value, inner)
            else:
                self.statement(s, inner)
        return value

    def statement(self, s: t.Statement, env: Env) -> None:
        """Run one statement."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Skip("steps")
        match s:
            case t.ExprStatement():
                self.expr(s.value, env)
            case t.Let():
                if isinstance(s.value, t.Function):
                    env.names[s.name] = [UNSET]
                    env.names[s.name][0] = self.expr(s.value, env)
                else:
                    env.names[s.name] = [self.expr(s.value, env) if s.value is not None else None]
            case t.FunctionDef():
                env.names[s.name] = [RFunction(s.function, env, s.name)]
            case t.Assign():
                self.assign(s, env)
            case t.While():
                while self.truth(self.expr(s.condition, env)):
                    if self.turn(s.body, env):
                        break
            case t.For():
                self.for_(s, env)
            case t.Return():
                raise Jump("return", self.expr(s.value, env) if s.value is not None else None)
            case t.Break():
                raise Jump("break")
            case t.Continue():
                raise Jump("continue")
            case t.Throw():
                self.throw(self.expr(s.value, env))
            case t.Try():
                self.try_(s, env)
            case t.Atomic():
                self.atomic(s, env)
            case t.Assert():
                if not self.truth(self.expr(s.condition, env)):
                    fail("AssertError")
            case _:
                raise Skip(type(s).__name__)

    def throw(self, value: Any) -> None:
        """``throw``."""
        if type(value) is str:
            raise Raised(RError("Error", value))
        if isinstance(value, RError):
            raise Raised(value)
        fail("TypeError")

    def turn(self, body: t.Block, env: Env) -> bool:
        """One turn of a loop; true when it is left."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Skip("steps")
        try:
            self.block(body, env)
        except Jump as jump:
            if jump.kind == "break":
                return True
            if jump.kind == "return":
                raise
        return False

    def for_(self, s: t.For, env: Env) -> None:
        """``for``: a List by index, Map and Set over a snapshot of the keys."""
        value = self.expr(s.iterable, env)
        names = [name for name, _ in s.names]
        if isinstance(value, RList):
            place = 0
            while place < len(value.items):
                inner = Env(env)
                given = [place, value.items[place]] if len(names) == 2 else [value.items[place]]
                inner.names = {n: [v] for n, v in zip(names, given, strict=True)}
                place += 1
                if self.turn(s.body, inner):
                    break
            return
        if isinstance(value, RMap):
            if isinstance(value, RSet) and len(names) == 2:
                fail("TypeError")
            for same, (key, _) in list(value.entries.items()):
                if len(names) == 2 and same not in value.entries:
                    continue
                inner = Env(env)
                given = [key, value.entries[same][1]] if len(names) == 2 else [key]
                inner.names = {n: [v] for n, v in zip(names, given, strict=True)}
                if self.turn(s.body, inner):
                    break
            return
        if type(value) not in (str, bytes, range):
            fail("TypeError")
        for place, item in enumerate(value):
            inner = Env(env)
            given = [place, item] if len(names) == 2 else [item]
            inner.names = {n: [v] for n, v in zip(names, given, strict=True)}
            if self.turn(s.body, inner):
                break

    def try_(self, s: t.Try, env: Env) -> None:
        """``try``: a jump or error of ``finally`` goes before a pending one."""
        pending: Exception | None = None
        try:
            try:
                self.block(s.body, env)
            except Raised as raised:
                raised.error.because(self.handled)
                for clause in s.catches:
                    if clause.type_name is None or self.is_a(raised.error, clause.type_name, env):
                        inner = Env(env)
                        if clause.name is not None:
                            inner.names[clause.name] = [raised.error]
                        self.handle(raised.error, clause.body, inner)
                        break
                else:
                    raise
        except (Raised, Jump) as caught:
            pending = caught
        if s.final is not None:
            error = pending.error if isinstance(pending, Raised) else None
            self.handle(error or self.handled, s.final, env)
        if pending is not None:
            raise pending

    def handle(self, error: RError | None, body: t.Block, env: Env) -> None:
        """A ``catch`` or ``finally`` body: what it throws has the error as its cause."""
        before, self.handled = self.handled, error
        try:
            self.block(body, env)
        except Raised as raised:
            raised.error.because(error)
            raise
        finally:
            self.handled = before

    def atomic(self, s: t.Atomic, env: Env) -> None:
        """``atomic``: an error undoes every write since; a jump keeps them."""
        self.undo.append([])
        printed = len(self.output)
        try:
            self.block(s.body, env)
        except Raised:
            for act in reversed(self.undo.pop()):
                act()
            del self.output[printed:]
            raise
        except Jump:
            self.commit()
            raise
        self.commit()

    def commit(self) -> None:
        """An inner level merges into the outer."""
        done = self.undo.pop()
        if self.undo:
            self.undo[-1].extend(done)

    def assign(self, s: t.Assign, env: Env) -> None:
        """Assignment of every form."""
        target = s.target
        if isinstance(target, t.Name):
            cell = env.cell(target.id)
            if s.op == "=":
                self.set_cell(cell, self.expr(s.value, env))
            elif s.op == "??":
                if self.read(cell) is None:
                    self.set_cell(cell, self.expr(s.value, env))
            else:
                old = self.read(cell)
                self.set_cell(cell, bounded(arithmetic(s.op, old, self.expr(s.value, env))))
            return
        if isinstance(target, t.Field):
            obj = self.expr(target.object, env)
            get = lambda: self.get_field(obj, target.name)  # noqa: E731
            put = lambda v: self.set_field(obj, target.name, v)  # noqa: E731
            key: Any = target.name
        else:
            assert isinstance(target, t.Index)
            obj = self.expr(target.object, env)
            key = self.expr(target.index, env)
            get = lambda: self.get_index(obj, key)  # noqa: E731
            put = lambda v: self.set_index(obj, key, v)  # noqa: E731
        if s.op == "=":
            put(self.expr(s.value, env))
        elif s.op == "??":
            missing = type(obj) is RMap and key_of(key) not in obj.entries
            if missing or get() is None:
                put(self.expr(s.value, env))
        else:
            old = get()
            put(bounded(arithmetic(s.op, old, self.expr(s.value, env))))

    # ------------------------------------------------------------------ fields and elements

    def get_field(self, obj: Any, name: str) -> Any:
        if type(obj) is RMap:
            return self.get_index(obj, name)
        if isinstance(obj, RInstance) and name in obj.fields:
            return obj.fields[name]
        if isinstance(obj, RError) and name in ("kind", "message", "cause", "at", "trace"):
            return getattr(obj, name, None)
        if isinstance(obj, RFunction | RBuiltin | RClass) and name == "name":
            return obj.name
        return fail("TypeError" if obj is None else "NameError")

    def set_field(self, obj: Any, name: str, value: Any) -> None:
        if type(obj) is RMap:
            self.put(obj, name, value)
        elif isinstance(obj, RInstance) and name in obj.fields:
            fields, old = obj.fields, obj.fields[name]
            self.note(lambda: fields.__setitem__(name, old))
            fields[name] = value
        elif isinstance(obj, RList | RSet | RInstance | RError):
            fail("NameError")
        else:
            fail("TypeError")

    def get_index(self, obj: Any, key: Any) -> Any:
        if type(obj) is RMap:
            same = key_of(key)
            return obj.entries[same][1] if same in obj.entries else fail("KeyError")
        raw = obj.items if isinstance(obj, RList) else obj if type(obj) in (str, bytes, range) else None
        if raw is None:
            return fail("TypeError")
        if type(key) is range:
            cut = raw[key.start : key.stop]
            return RList(cut) if isinstance(obj, RList) else cut
        if type(key) not in (int, bool):
            return fail("TypeError")
        return raw[int(key)] if -len(raw) <= key < len(raw) else fail("IndexError")

    def set_index(self, obj: Any, key: Any, value: Any) -> None:
        if type(obj) is RMap:
            self.put(obj, key, value)
            return
        if not isinstance(obj, RList) or type(key) not in (int, bool):
            fail("TypeError")
        if not -len(obj.items) <= key < len(obj.items):
            fail("IndexError")
        self.save_list(obj)
        obj.items[int(key)] = value

    # ------------------------------------------------------------------ expressions

    @staticmethod
    def truth(value: Any) -> bool:
        return value is not None and value is not False

    @staticmethod
    def read(cell: list[Any]) -> Any:
        return fail("NameError") if cell[0] is UNSET else cell[0]

    def is_a(self, value: Any, name: t.Dotted, env: Env) -> bool:
        kind = name.parts[0]
        if kind in KINDS:
            return KINDS[kind](value)
        if kind.endswith("Error"):
            return isinstance(value, RError) and value.kind == kind
        cls = value.cls if isinstance(value, RInstance) else None
        wanted = env.cell(kind)[0]
        while cls is not None and cls is not wanted:
            cls = cls.base
        return cls is not None

    def expr(self, e: t.Expr, env: Env) -> Any:
        """The value of an expression."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Skip("steps")
        return bounded(getattr(self, "e_" + type(e).__name__.lower())(e, env))

    def e_literal(self, e: t.Literal, env: Env) -> Any:
        return e.value

    def e_interpolation(self, e: t.Interpolation, env: Env) -> str:
        values = [p if isinstance(p, str) else self.expr(p, env) for p in e.parts]
        return "".join(v if isinstance(p, str) else show(v, True) for p, v in zip(e.parts, values, strict=True))

    def e_name(self, e: t.Name, env: Env) -> Any:
        if e.id.endswith("Error"):
            return RBuiltin(e.id, lambda message="", cause=None: RError(e.id, message, cause), 0, 2)
        return self.read(env.cell(e.id))

    def e_listliteral(self, e: t.ListLiteral, env: Env) -> RList:
        return RList([self.expr(x, env) for x in e.items])

    def e_mapliteral(self, e: t.MapLiteral, env: Env) -> RMap:
        pairs = [(self.expr(k, env), self.expr(v, env)) for k, v in e.entries]
        made = RMap()
        for key, value in pairs:
            same = key_of(key)
            old = made.entries.get(same)
            made.entries[same] = (old[0] if old else key, value)
        return made

    def e_unary(self, e: t.Unary, env: Env) -> Any:
        value = self.expr(e.operand, env)
        if e.op == "not":
            return not self.truth(value)
        return -value if number(value) else fail("TypeError")

    def e_binary(self, e: t.Binary, env: Env) -> Any:
        a = self.expr(e.left, env)
        b = self.expr(e.right, env)
        if e.op in ("==", "!="):
            return equal(a, b) == (e.op == "==")
        if e.op in ("in", "not in"):
            return self.contains(a, b) == (e.op == "in")
        if e.op in ("<", "<=", ">", ">="):
            sign = order(a, b)
            return {"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[e.op]
        return arithmetic(e.op, a, b)

    def contains(self, item: Any, container: Any) -> bool:
        if isinstance(container, RList):
            return any(equal(item, x) for x in container.items)
        if isinstance(container, RMap):
            return key_of(item) in container.entries
        if type(container) is str:
            return item in container if type(item) is str else bool(fail("TypeError"))
        if type(container) is range:
            return number(item) and item == int(item) and int(item) in container
        if type(container) is bytes:
            return (
                item in container if type(item) in (bytes, int) and (type(item) is bytes or 0 <= item < 256) else False
            )
        return bool(fail("TypeError"))

    def e_logic(self, e: t.Logic, env: Env) -> Any:
        left = self.expr(e.left, env)
        stop = left is not None if e.op == "??" else self.truth(left) == (e.op == "or")
        return left if stop else self.expr(e.right, env)

    def e_istest(self, e: t.IsTest, env: Env) -> bool:
        return self.is_a(self.expr(e.operand, env), e.type_name, env) != e.negated

    def e_rangeexpr(self, e: t.RangeExpr, env: Env) -> range:
        low, high = self.expr(e.low, env), self.expr(e.high, env)
        if type(low) not in (int, bool) or type(high) not in (int, bool):
            fail("TypeError")
        if max(abs(low), abs(high)) > 10_000:
            raise Skip("large range")
        return range(int(low), int(high) + e.closed)

    def e_spawn(self, e: t.Spawn, env: Env) -> RThread:
        """A thread runs when it is joined: nothing else can be seen of it, as nothing blocks."""
        if self.undo or not isinstance(e.call, t.Call):
            raise Skip("spawn in atomic")
        args, named = self.arguments(e.call, env)
        return RThread(self.expr(e.call.function, env), args, named)

    def e_function(self, e: t.Function, env: Env) -> RFunction:
        return RFunction(e, env, "")

    def e_if(self, e: t.If, env: Env) -> Any:
        if self.truth(self.expr(e.condition, env)):
            return self.block(e.then, env)
        if isinstance(e.otherwise, t.If):
            return self.expr(e.otherwise, env)
        return self.block(e.otherwise, env) if e.otherwise is not None else None

    def e_match(self, e: t.Match, env: Env) -> Any:
        subject = self.expr(e.subject, env)
        for arm in e.arms:
            inner = Env(env)
            if self.fits(arm.pattern, subject, inner):
                if isinstance(arm.body, t.Block):
                    return self.block(arm.body, inner)
                if isinstance(arm.body, t.Statement):
                    self.statement(arm.body, inner)
                    return None
                return self.expr(arm.body, inner)
        return None

    def fits(self, p: t.Pattern, value: Any, env: Env) -> bool:
        match p:
            case t.LiteralPattern():
                return equal(p.value, value)
            case t.RangePattern():
                return number(value) and p.low <= value and (value <= p.high if p.closed else value < p.high)
            case t.TypePattern():
                return self.is_a(value, p.type_name, env)
            case t.BindPattern():
                env.names[p.name] = [value]
            case t.ListPattern():
                if not isinstance(value, RList) or len(value.items) != len(p.items):
                    return False
                return all(self.fits(q, v, env) for q, v in zip(p.items, value.items, strict=True))
        return True

    # ------------------------------------------------------------------ chains and calls

    def e_field(self, e: t.Field, env: Env) -> Any:
        return self.chain(e, env)[0]

    e_index = e_call = e_field

    def chain(self, e: t.Expr, env: Env) -> tuple[Any, bool]:
        """(value, was the rest of the chain left out?)"""
        if isinstance(e, t.Field):
            obj, gone = self.chain(e.object, env)
            if gone or (e.optional and obj is None):
                return None, True
            return bounded(self.get_field(obj, e.name)), False
        if isinstance(e, t.Index):
            obj, gone = self.chain(e.object, env)
            if gone or (e.optional and obj is None):
                return None, True
            if isinstance(e.index, t.RangeExpr):
                low, high = self.expr(e.index.low, env), self.expr(e.index.high, env)
                return self.slice(obj, low, high, e.index.closed), False
            return bounded(self.get_index(obj, self.expr(e.index, env))), False
        if isinstance(e, t.Call):
            return self.call(e, env)
        return self.expr(e, env), False

    def slice(self, obj: Any, low: Any, high: Any, closed: bool) -> Any:
        """``obj[low..high]``: the order in which errors are found is the machine's business: odd ones are skipped."""
        if type(low) not in (int, bool) or type(high) not in (int, bool):
            return fail("TypeError")
        if type(obj) is RMap:
            return self.get_index(obj, range(int(low), int(high) + closed))
        stop = None if closed and high == -1 else int(high) + closed
        if isinstance(obj, RList):
            return RList(obj.items[int(low) : stop])
        return obj[int(low) : stop] if type(obj) in (str, bytes, range) else fail("TypeError")

    def arguments(self, e: t.Call, env: Env) -> tuple[list[Any], dict[str, Any]]:
        positional, named = [], {}
        for a in e.arguments:
            if a.name is None:
                positional.append(self.expr(a.value, env))
            else:
                named[a.name] = self.expr(a.value, env)
        return positional, named

    def call(self, e: t.Call, env: Env) -> tuple[Any, bool]:
        function = e.function
        if isinstance(function, t.Field) and isinstance(function.object, t.Super):
            me, owner = env.cell("self")[0], env.cell(" class")[0]
            found = owner.base.method(function.name) if owner.base else None
            args, named = self.arguments(e, env)
            return (self.apply(self.bound(me, found), args, named) if found else fail("NameError")), False
        if isinstance(function, t.Field):
            obj, gone = self.chain(function.object, env)
            if gone or (function.optional and obj is None):
                return None, True
            args, named = self.arguments(e, env)
            return bounded(self.call_method(obj, function.name, args, named)), False
        callee, gone = self.chain(function, env)
        if gone:
            return None, True
        args, named = self.arguments(e, env)
        return bounded(self.apply(callee, args, named)), False

    def bound(self, me: Any, found: tuple[t.Function, RClass]) -> RFunction:
        node, owner = found
        return RFunction(node, self.file_env, node.name or "", owner, me)

    def call_method(self, obj: Any, name: str, args: list[Any], named: dict[str, Any]) -> Any:
        if isinstance(obj, RThread):
            return self.apply(obj.function, obj.args, obj.named)
        if isinstance(obj, RInstance):
            found = obj.cls.method(name)
            if found is not None:
                return self.apply(self.bound(obj, found), args, named)
            return self.apply(obj.fields[name], args, named) if name in obj.fields else fail("NameError")
        kinds = {RList: "list", RMap: "map", RSet: "set", str: "text", bytes: "bytes", range: "range"}
        kind = kinds.get(type(obj), "")
        method = getattr(self, f"m_{kind}_{name}", None)
        if method is not None:
            most = method.__code__.co_argcount - 2
            least = most - len(method.__defaults__ or ())
            if named or not least <= len(args) <= most:
                return fail("TypeError")
            return method(obj, *args)
        if kind and name in KNOWN_METHODS:
            raise Skip("method")
        if type(obj) is RMap and key_of(name) in obj.entries:
            return self.apply(obj.entries[name][1], args, named)
        return fail("TypeError" if obj is None else "NameError")

    def apply(self, f: Any, args: list[Any], named: dict[str, Any]) -> Any:
        """Call a function."""
        if isinstance(f, RBuiltin):
            if named or not f.least <= len(args) <= f.most:
                fail("TypeError")
            return f.call(*args)
        if isinstance(f, RClass):
            return self.construct(f, args, named)
        if not isinstance(f, RFunction):
            fail("TypeError")
        env = Env(f.env)
        if f.owner is not None:
            env.names["self"], env.names[" class"] = [f.me], [f.owner]
        self.bind(f.node.parameters, args, named, env)
        before, self.handled = self.handled, None
        try:
            if not isinstance(f.node.body, t.Block):
                return self.expr(f.node.body, env)
            self.block(f.node.body, env)
        except Jump as jump:
            if jump.kind == "return":
                return jump.value
            raise
        finally:
            self.handled = before
        return None

    def bind(self, parameters: list[t.Parameter], args: list[Any], named: dict[str, Any], env: Env) -> None:
        """Give the parameters their values."""
        rest = next((p for p in parameters if p.rest), None)
        plain = [p for p in parameters if not p.rest]
        names = {p.name for p in plain}
        if (len(args) > len(plain) and rest is None) or any(n not in names for n in named):
            fail("TypeError")
        given = dict(zip([p.name for p in plain], args, strict=False))
        if given.keys() & named.keys():
            fail("TypeError")
        given |= named
        if any(p.name not in given and p.default is None for p in plain):
            fail("TypeError")
        for p in plain:
            value = given[p.name] if p.name in given else self.expr(p.default, env)  # type: ignore[arg-type]
            env.names[p.name] = [value]
        if rest is not None:
            env.names[rest.name] = [RList(args[len(plain) :])]

    def construct(self, cls: RClass, args: list[Any], named: dict[str, Any]) -> RInstance:
        """Make an instance."""
        made = RInstance(cls)
        init = cls.method("init")
        if init is None:
            names = list(cls.fields)
            if len(args) > len(names) or any(n not in names for n in named) or set(names[: len(args)]) & named.keys():
                fail("TypeError")
            given = dict(zip(names, args, strict=False)) | named
            if any(n not in given and d is None for n, d in cls.fields.items()):
                fail("TypeError")
        else:
            given = {}
            self.bind(init[0].parameters, args, named, Env(self.file_env))
        for name, default in cls.fields.items():
            if name in given:
                made.fields[name] = given[name]
            else:
                made.fields[name] = self.expr(default, self.file_env) if default is not None else None
        if init is not None:
            self.apply(self.bound(made, init), args, named)
        return made

    # ------------------------------------------------------------------ methods of built-in kinds

    def m_list_push(self, me: RList, value: Any) -> None:
        self.save_list(me)
        me.items.append(value)
        bounded(me)

    def m_list_pop(self, me: RList) -> Any:
        if not me.items:
            fail("IndexError")
        self.save_list(me)
        return me.items.pop()

    def m_list_contains(self, me: RList, value: Any) -> bool:
        return self.contains(value, me)

    def m_list_reversed(self, me: RList) -> RList:
        return RList(me.items[::-1])

    def m_list_sorted(self, me: RList) -> RList:
        if not (all(number(x) for x in me.items) or all(type(x) is str for x in me.items)):
            raise Skip("sorting of mixed kinds")
        return RList(sorted(me.items, key=cmp_to_key(order)))

    def m_list_map(self, me: RList, f: Any) -> RList:
        out = []
        place = 0
        while place < len(me.items):
            out.append(self.apply(f, [me.items[place]], {}))
            place += 1
        return RList(out)

    def m_list_filter(self, me: RList, f: Any) -> RList:
        out = []
        place = 0
        while place < len(me.items):
            item = me.items[place]
            if self.truth(self.apply(f, [item], {})):
                out.append(item)
            place += 1
        return RList(out)

    def m_list_reduce(self, me: RList, f: Any, first: Any) -> Any:
        place = 0
        while place < len(me.items):
            first = self.apply(f, [first, me.items[place]], {})
            place += 1
        return first

    def m_map_get(self, me: RMap, key: Any, default: Any = None) -> Any:
        return me.entries.get(key_of(key), (None, default))[1]

    def m_map_has(self, me: RMap, key: Any) -> bool:
        return key_of(key) in me.entries

    def m_map_keys(self, me: RMap) -> RList:
        return RList([k for k, _ in me.entries.values()])

    def m_map_values(self, me: RMap) -> RList:
        return RList([v for _, v in me.entries.values()])

    def m_map_remove(self, me: RMap, key: Any) -> Any:
        same = key_of(key)
        if same not in me.entries:
            return None
        self.save_map(me)
        return me.entries.pop(same)[1]

    def m_set_add(self, me: RSet, value: Any) -> bool:
        same = key_of(value)
        if same in me.entries:
            return False
        self.save_map(me)
        me.entries[same] = (value, None)
        return True

    def m_set_contains(self, me: RSet, value: Any) -> bool:
        return key_of(value) in me.entries

    def m_text_upper(self, me: str) -> str:
        return me.upper()

    def m_text_contains(self, me: str, part: Any) -> bool:
        return part in me if type(part) is str else bool(fail("TypeError"))

    def m_text_split(self, me: str, sep: Any) -> RList:
        if type(sep) is not str:
            fail("TypeError")
        if not sep:
            raise Skip("split by nothing")
        return RList(list(me.split(sep)))


def interpret(text: str) -> tuple[list[str], str | None]:
    """Output of a program, and the kind of the error that ended it."""
    return Interpreter().run(text)
