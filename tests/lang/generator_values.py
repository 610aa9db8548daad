"""Random expressions of Hold, for :mod:`tests.lang.generator`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

KINDS = ("int", "float", "text", "bool", "list", "map", "set", "range", "bytes", "any")


@dataclass
class Var:
    """A variable in scope: its likely kind, and whether it can be assigned."""

    name: str
    kind: str
    mutable: bool


@dataclass
class Fn:
    """A function that can be called: names of its parameters, how many must be given, kind of result."""

    name: str
    parameters: list[str]
    needed: int
    kind: str


@dataclass
class Cls:
    """A class: fields with kinds, and methods."""

    name: str
    fields: dict[str, str]
    methods: list[Fn]
    init: bool


@dataclass
class Place:
    """Where code is being written."""

    scopes: list[list[Var]] = field(default_factory=lambda: [[]])
    loops: int = 0
    function: bool = False
    depth: int = 0
    me: Cls | None = None
    atomic: int = 0


class Values:
    """Writes expressions; what is in scope is in ``place``."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.count = 0
        self.functions: list[Fn] = []
        self.classes: list[Cls] = []
        self.place = Place()
        self.hostile = self.r.choice((0.0, 0.01, 0.03, 0.1))
        """How often an operand is of any kind at all."""

    # ------------------------------------------------------------------ small helpers

    def chance(self, p: float) -> bool:
        """True so often."""
        return self.r.random() < p

    def name(self, prefix: str) -> str:
        """A new name."""
        self.count += 1
        return f"{prefix}{self.count}"

    def variables(self, kind: str | None = None, mutable: bool = False) -> list[Var]:
        """Variables in scope."""
        found = [v for scope in self.place.scopes for v in scope]
        return [v for v in found if (kind is None or v.kind == kind) and (v.mutable or not mutable)]

    def declare(self, kind: str, mutable: bool, prefix: str = "v") -> str:
        """A new variable in the innermost scope."""
        name = self.name(prefix)
        self.place.scopes[-1].append(Var(name, kind, mutable))
        return name

    # ------------------------------------------------------------------ expressions

    def expr(self, kind: str, depth: int) -> str:
        """An expression of the kind, mostly."""
        if self.chance(self.hostile):
            kind = self.r.choice(KINDS)
        if kind == "any":
            kind = self.r.choice((*KINDS[:-1], "int", "text", "list", "nil", "object", "function"))
        if depth <= 0 or self.chance(0.2):
            return self.leaf(kind)
        if self.chance(0.22):
            return self.general(kind, depth)
        return getattr(self, "x_" + kind)(depth - 1)

    def leaf(self, kind: str) -> str:
        """A literal or a variable."""
        known = self.variables(kind)
        if known and self.chance(0.7):
            return self.r.choice(known).name
        r = self.r
        match kind:
            case "int":
                return r.choice(("0", "1", "2", "3", "7", "10", "-1", "-3", str(r.randrange(100)), "true", "1_000"))
            case "float":
                return r.choice(("0.5", "2.0", "1.25", "-1.5", "10.0"))
            case "text":
                return r.choice(('"a"', '"b c"', '"xyz"', '"k1"', '"k2"', '"héé"'))
            case "bool":
                return r.choice(("true", "false", "nil"))
            case "list":
                return r.choice(("[]", "[1, 2]", '["a", 2.5]', "[0, 1, 2, 3]", "[[1], [2]]"))
            case "map":
                return r.choice(("({})", "({k1: 1})", '({"k1": 2, k2: "x"})', "({1: 2, nil: 3})"))
            case "set":
                return r.choice(("Set()", "Set([1, 2])", 'Set(["a", nil])', "Set([0, 1, 2, 3])"))
            case "range":
                return r.choice(("(0..3)", "(1..=2)", "(-2..2)", "(3..1)"))
            case "bytes":
                return r.choice(('b"ab"', 'b""', 'b"xyz"'))
            case "object":
                return f"{r.choice(self.classes).name}({self.fields_given(0)})" if self.classes else "nil"
            case "function":
                return r.choice([f.name for f in self.functions]) if self.functions else "(fn() => 1)"
        return "nil"

    def general(self, kind: str, depth: int) -> str:
        """Forms that give any kind."""
        r = self.r
        form = r.randrange(15)
        if form == 12:
            return self.block_value(kind, depth - 1)
        if form == 13:
            return self.map_call(kind, depth - 1)
        if form == 14 and self.functions:
            return f"(spawn {self.call(r.choice(self.functions), depth)}).join()"
        if form == 0:
            test, then, other = (self.expr(k, depth - 1) for k in ("bool", kind, kind))
            return f"(if {test} {{ {then} }} else {{ {other} }})"
        if form == 1:
            return f"({self.expr(kind, depth - 1)} ?? {self.expr(kind, depth - 1)})"
        if form == 2:
            return f"({self.expr('bool', depth - 1)} {r.choice(('and', 'or'))} {self.expr(kind, depth - 1)})"
        if form == 3:
            return self.match(kind, depth - 1)
        if form == 4:
            if self.chance(0.8):
                return f"[{self.expr(kind, depth - 1)}, 2, 3][{r.choice(('0', '-1', '0', 'true'))}]"
            return f"{self.expr('list', depth - 1)}[{self.expr('int', depth - 1)}]"
        if form == 5:
            if self.chance(0.8):
                return f"{self.expr('map', depth - 1)}.get({r.choice(('k1', 'k2', '1')).join(chr(34) * 2)})"
            return f"{self.expr('map', depth - 1)}.{r.choice(('k1', 'k2'))}"
        if form == 6:
            head = r.choice(("nil", self.expr("map", depth - 1), self.expr("object", depth - 1)))
            return f"{head}?.{r.choice(('k1', 'f1', 'k2?.k1', 'k1[0].k2'))}"
        if form == 7:
            parameter = self.name("p")
            self.place.scopes.append([Var(parameter, "any", True)])
            body = self.expr(kind, depth - 1)
            self.place.scopes.pop()
            return f"(fn({parameter}) => {body})({self.expr('any', depth - 1)})"
        calls = [f for f in self.functions if f.kind == kind] or self.functions
        if form in (8, 9) and calls:
            return self.call(self.r.choice(calls), depth)
        if form == 10 and self.place.me is not None and self.place.me.fields:
            return f"self.{r.choice(list(self.place.me.fields))}"
        if self.classes:
            return self.member(depth)
        return self.leaf(kind)

    def block_value(self, kind: str, depth: int) -> str:
        """A block as a value, with a variable of its own that a function in it may change."""
        test, other = self.expr("bool", depth), self.expr(kind, depth)
        self.place.scopes.append([])
        first = self.expr(kind, depth)
        name = self.declare(kind, True)
        change = self.r.choice((f"{name} = {self.expr(kind, depth)}", f"(fn() {{ {name} = {self.leaf(kind)} }})()"))
        value = self.r.choice((name, self.expr(kind, depth)))
        self.place.scopes.pop()
        return f"(if {test} {{ var {name} = {first}; {change}; {value} }} else {{ {other} }})"

    def map_call(self, kind: str, depth: int) -> str:
        """A function under a key of a Map."""
        parameter = self.name("p")
        self.place.scopes.append([Var(parameter, "any", True)])
        body = self.expr(kind, depth)
        self.place.scopes.pop()
        key = self.r.choice(("k1", "k1", "k2"))
        return f"({{{key}: fn({parameter} = {self.leaf('int')}) => {body}}}).k1({self.expr('any', depth)})"

    def call(self, f: Fn, depth: int) -> str:
        """A call, with named and left-out arguments."""
        count = self.r.randint(f.needed, len(f.parameters))
        if self.chance(self.hostile / 3):
            count = self.r.randint(0, len(f.parameters) + 1)
        given = []
        named = False
        for place in range(count):
            text = self.expr("any" if self.chance(0.3) else "int", min(1, depth - 1))
            if place < len(f.parameters) and (named or self.chance(0.1)):
                named = True
                text = f"{f.parameters[place]}: {text}"
            elif named:
                break
            given.append(text)
        return f"{f.name}({', '.join(given)})"

    def member(self, depth: int) -> str:
        """A field or method of an object."""
        cls = self.r.choice(self.classes)
        objects = self.variables("object")
        made = f"{cls.name}({self.fields_given(depth - 1)})"
        obj = self.r.choice(objects).name if objects and self.chance(0.8) else made
        if cls.methods and self.chance(0.5):
            return f"{obj}.{self.call(self.r.choice(cls.methods), depth)}"
        return f"{obj}.{self.r.choice(list(cls.fields) or ['f1'])}"

    def fields_given(self, depth: int) -> str:
        """Arguments of a constructor: by name, so that they fit most classes."""
        if not self.classes or self.chance(0.4):
            return ""
        cls = self.r.choice(self.classes)
        names = [n for n in cls.fields if self.chance(0.4)]
        return "" if cls.init else ", ".join(f"{n}: {self.expr(cls.fields[n], depth)}" for n in names)

    def match(self, kind: str, depth: int) -> str:
        """A ``match`` as a value."""
        arms = []
        for _ in range(self.r.randint(1, 3)):
            self.place.scopes.append([])
            pattern = self.pattern(2)
            arms.append(f"{pattern} => {self.expr(kind, depth)}")
            self.place.scopes.pop()
        if self.chance(0.6):
            arms.append(f"_ => {self.expr(kind, depth)}")
        return f"(match {self.expr('any', depth)} {{ {', '.join(arms)} }})"

    def pattern(self, depth: int) -> str:
        """A pattern; what it binds is known in the arm."""
        r = self.r
        form = r.randrange(8)
        if form == 0 and depth:
            return "[" + ", ".join(self.pattern(depth - 1) for _ in range(r.randint(0, 3))) + "]"
        if form == 1:
            return self.declare("any", False)
        if form == 2:
            return r.choice(("0..5", "-3..=3", "1..=1"))
        if form == 3:
            kinds = ("Int", "Text", "List", "Map", "Nil", "Float", "Set", "Range", "Bytes", "Function", "Bool")
            return r.choice((*kinds, *(c.name for c in self.classes)))
        return r.choice(("0", "1", "-1", '"a"', "nil", "true", "2.0", "_", 'b"ab"', "false"))

    def x_int(self, depth: int) -> str:
        op = self.r.choice(("+", "-", "*", "+", "-", "~/", "%", "**", "len", "neg"))
        if op == "len":
            return f"len({self.expr(self.r.choice(('list', 'text', 'map', 'set', 'range', 'bytes')), depth)})"
        if op == "neg":
            return f"(- {self.expr('int', depth)})"
        if op == "**":
            return f"({self.expr('int', depth)} ** {self.r.choice(('2', '3', '0', '-1'))})"
        return f"({self.expr('int', depth)} {op} {self.expr('int', depth)})"

    def x_float(self, depth: int) -> str:
        if self.chance(0.3):
            return f"({self.expr('int', depth)} / {self.expr('int', depth)})"
        kinds = self.r.choice((("float", "float"), ("int", "float"), ("float", "int")))
        return f"({self.expr(kinds[0], depth)} {self.r.choice(('+', '-', '*', '/', '%'))} {self.expr(kinds[1], depth)})"

    def x_text(self, depth: int) -> str:
        form = self.r.randrange(6)
        if form == 0:
            return '"(' + f"{{{self.expr('int', depth)}}},{{{self.expr('text', depth)}}}" + ')"'
        if form == 1:
            return f"({self.expr('text', depth)} * {self.r.choice(('2', '3', '0'))})"
        if form == 2:
            return f"{self.expr('text', depth)}[{self.r.choice(('0', '-1', '0..2', '1..=5', '0..2', '-2..9'))}]"
        if form == 3:
            return f"{self.expr('text', depth)}.upper()"
        if form == 4:
            return f"Text({self.expr('int', depth)})"
        return f"({self.expr('text', depth)} + {self.expr('text', depth)})"

    def x_bool(self, depth: int) -> str:
        form = self.r.randrange(7)
        if form == 0:
            return f"(not {self.expr('any', depth)})"
        if form == 1:
            kind = self.r.choice(("any", "int", "list"))
            return f"({self.expr(kind, depth)} {self.r.choice(('==', '!='))} {self.expr(kind, depth)})"
        if form == 2:
            container = self.r.choice(("list", "map", "set", "range"))
            if self.chance(0.2):
                return f"({self.expr('text', depth)} in {self.expr('text', depth)})"
            return f"({self.expr('int', depth)} {self.r.choice(('in', 'not in'))} {self.expr(container, depth)})"
        if form == 3:
            name = self.r.choice(("Int", "Text", "Nil", "List", "Function", "Bool", *(c.name for c in self.classes)))
            return f"({self.expr('any', depth)} is {name})"
        if form == 4:
            return f"({self.expr('bool', depth)} {self.r.choice(('and', 'or'))} {self.expr('bool', depth)})"
        kind = self.r.choice(("int", "int", "float", "text"))
        return f"({self.expr(kind, depth)} {self.r.choice(('<', '<=', '>', '>='))} {self.expr(kind, depth)})"

    def x_list(self, depth: int) -> str:
        form = self.r.randrange(10)
        if form == 8:
            return f"{self.expr('list', depth)}.{self.r.choice(('reversed()', 'sorted()'))}"
        if form == 9:
            return f"List({self.expr(self.r.choice(('set', 'range', 'map')), depth)})"
        if form == 0:
            return f"({self.expr('list', depth)} + {self.expr('list', depth)})"
        if form == 1:
            return f"{self.expr('list', depth)}[{self.expr('int', 0)}..{self.expr('int', 0)}]"
        if form == 2:
            parameter = self.name("p")
            self.place.scopes.append([Var(parameter, "any", False)])
            body = self.expr("any" if self.chance(0.5) else "int", depth)
            self.place.scopes.pop()
            return f"{self.expr('list', depth)}.{self.r.choice(('map', 'filter'))}(fn({parameter}) => {body})"
        if form == 3:
            return f"{self.expr('map', depth)}.{self.r.choice(('keys', 'values'))}()"
        if form == 4:
            return f"List({self.r.choice(('0..3', '1..=2', self.expr('text', depth), self.expr('list', depth)))})"
        if form == 5:
            return f"([{self.expr('any', depth)}] * {self.r.choice(('2', '0', self.expr('int', 0)))})"
        return "[" + ", ".join(self.expr("any", depth) for _ in range(self.r.randint(0, 3))) + "]"

    def x_set(self, depth: int) -> str:
        return f"Set({self.expr(self.r.choice(('list', 'list', 'range', 'text', 'set')), depth)})"

    def x_range(self, depth: int) -> str:
        form = self.r.randrange(3)
        if form == 0:
            return f"{self.expr('range', depth)}[{self.expr('int', 0)}..{self.r.choice(('3', '-1'))}]"
        return f"({self.expr('int', 0)}{self.r.choice(('..', '..='))}{self.leaf('int')})"

    def x_bytes(self, depth: int) -> str:
        form = self.r.randrange(3)
        if form == 0:
            return f"({self.expr('bytes', depth)} + {self.expr('bytes', depth)})"
        if form == 1:
            return f"({self.expr('bytes', depth)} * {self.r.choice(('2', '0', '-1'))})"
        return f"{self.expr('bytes', depth)}[{self.expr('int', 0)}..{self.r.choice(('2', '-1'))}]"

    def x_map(self, depth: int) -> str:
        entries = []
        for _ in range(self.r.randint(0, 3)):
            number, text = self.expr("int", depth), self.expr("text", depth)
            key = self.r.choice(("k1", "k2", '"k3"', "1", f"({number})", f"({text})"))
            entries.append(f"{key}: {self.expr('any', depth)}")
        return "({" + ", ".join(entries) + "})"

    def x_object(self, depth: int) -> str:
        if not self.classes:
            return "nil"
        return f"{self.r.choice(self.classes).name}({self.fields_given(depth)})"

    def x_function(self, depth: int) -> str:
        parameter = self.name("p")
        self.place.scopes.append([Var(parameter, "any", True)])
        body = self.expr("any", depth)
        self.place.scopes.pop()
        return f"(fn({parameter}{self.r.choice(('', ' = 1'))}) => {body})"

    def x_nil(self, depth: int) -> str:
        return "nil"
