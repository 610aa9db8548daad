"""Random programs of Hold, well formed and short of endless: ``Generator(seed).program()``.

Every name is new, loops are short, and a function calls only functions that stand before it.  Kinds are mostly what an
operation wants, and sometimes not, so that errors are thrown, caught and end programs.  Where a caught error is shown,
the program has the mark :data:`ERROR_SHOWN` (kind only, as the reference interpreter knows no messages).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

ERROR_SHOWN = "e.kind"
KINDS = ("int", "float", "text", "bool", "list", "map", "any")


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


class Generator:
    """Writes one program."""

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
            kind = self.r.choice(("int", "int", "float", "text", "bool", "list", "map", "nil", "object", "function"))
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
            case "object":
                return f"{r.choice(self.classes).name}({self.fields_given(0)})" if self.classes else "nil"
            case "function":
                return r.choice([f.name for f in self.functions]) if self.functions else "(fn() => 1)"
        return "nil"

    def general(self, kind: str, depth: int) -> str:
        """Forms that give any kind."""
        r = self.r
        form = r.randrange(12)
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
            return r.choice(("Int", "Text", "List", "Map", "Nil", "Float", *(c.name for c in self.classes)))
        return r.choice(("0", "1", "-1", '"a"', "nil", "true", "2.0", "_"))

    def x_int(self, depth: int) -> str:
        op = self.r.choice(("+", "-", "*", "+", "-", "~/", "%", "**", "len", "neg"))
        if op == "len":
            return f"len({self.expr(self.r.choice(('list', 'text', 'map')), depth)})"
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
            container = self.r.choice(("list", "map"))
            return f"({self.expr('int', depth)} {self.r.choice(('in', 'not in'))} {self.expr(container, depth)})"
        if form == 3:
            name = self.r.choice(("Int", "Text", "Nil", "List", "Function", "Bool", *(c.name for c in self.classes)))
            return f"({self.expr('any', depth)} is {name})"
        if form == 4:
            return f"({self.expr('bool', depth)} {self.r.choice(('and', 'or'))} {self.expr('bool', depth)})"
        kind = self.r.choice(("int", "int", "float", "text"))
        return f"({self.expr(kind, depth)} {self.r.choice(('<', '<=', '>', '>='))} {self.expr(kind, depth)})"

    def x_list(self, depth: int) -> str:
        form = self.r.randrange(8)
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

    # ------------------------------------------------------------------ statements

    def block(self, size: int, indent: str, scope: list[Var] | None = None) -> str:
        """Statements in braces."""
        self.place.scopes.append(scope or [])
        self.place.depth += 1
        lines = [self.statement(indent + "  ") for _ in range(size)]
        self.place.depth -= 1
        self.place.scopes.pop()
        return "{\n" + "".join(lines) + indent + "}"

    def size(self) -> int:
        """How many statements a block gets; deep ones are short."""
        return self.r.randint(1, max(1, 4 - self.place.depth))

    def statement(self, indent: str) -> str:
        """One statement with its line end."""
        simple = "let let var assign assign compound element field print show show call push nilassign".split()
        compound = ["if", "for", "while", "try", "atomic", "match", "function", "pairs"] if self.place.depth < 4 else []
        jumps = []
        if self.place.depth and self.chance(0.35):
            jumps = ["throw"] + ["return"] * self.place.function + ["break", "continue"] * bool(self.place.loops)
        form = self.r.choice(simple * 2 + compound * 2 + jumps * 2)
        names = form in ("let", "var", "function", "while")  # a try around these would hide what they declare
        if names or jumps or not self.chance(0.6 if self.place.depth < 2 else 0.2):
            return indent + getattr(self, "s_" + form)(indent) + "\n"
        self.place.scopes.append([])
        inner = getattr(self, "s_" + form)(indent + "  ")
        self.place.scopes.pop()
        return f'{indent}try {{\n{indent}  {inner}\n{indent}}} catch e {{ print("caught", {ERROR_SHOWN}) }}\n'

    def s_let(self, indent: str) -> str:
        kind = self.r.choice((*KINDS, "object", "function"))
        value = self.expr(kind, 3 if self.place.depth and self.chance(0.5) else 1)
        return f"let {self.declare(kind, False)} = {value}"

    def s_var(self, indent: str) -> str:
        kind = self.r.choice((*KINDS, "int", "text"))
        value = self.expr(kind, 1)
        return f"var {self.declare(kind, True)} = {value}"

    def s_assign(self, indent: str) -> str:
        known = self.variables(mutable=True)
        if not known:
            return self.s_var(indent)
        v = self.r.choice(known)
        if self.chance(0.1):
            v.kind = self.r.choice(KINDS)
        return f"{v.name} = {self.expr(v.kind, 3)}"

    def s_compound(self, indent: str) -> str:
        known = [v for v in self.variables(mutable=True) if v.kind in ("int", "float", "text", "list")]
        if not known:
            return self.s_var(indent)
        v = self.r.choice(known)
        op = self.r.choice({"int": "+ - * % ~/", "float": "+ - * /", "text": "+", "list": "+"}[v.kind].split())
        return f"{v.name} {op}= {self.expr(v.kind, 2)}"

    def s_nilassign(self, indent: str) -> str:
        known = self.variables(mutable=True)
        target = self.r.choice(known).name if known and self.chance(0.4) else f"root.{self.r.choice(('k1', 'k2'))}"
        return f"{target} ??= {self.expr('any', 2)}"

    def s_element(self, indent: str) -> str:
        kind = self.r.choice(("list", "map"))
        known = self.variables(kind)
        if not known:
            return self.s_let(indent)
        index = self.expr("int", 1) if kind == "list" else self.r.choice(('"k1"', self.expr("text", 1), "1"))
        op = self.r.choice(("=", "=", "+=", "-="))
        return f"{self.r.choice(known).name}[{index}] {op} {self.expr('any' if op == '=' else 'int', 2)}"

    def s_field(self, indent: str) -> str:
        objects = [v.name for v in self.variables("object")] + [v.name for v in self.variables("map")] + ["root"]
        if self.place.me is not None:
            objects += ["self"] * 3
        fields = [f for c in self.classes for f in c.fields] + ["k1", "k2"]
        if self.place.me is not None:
            fields += list(self.place.me.fields) * 2
        op = self.r.choice(("=", "=", "+=", "??="))
        return f"{self.r.choice(objects)}.{self.r.choice(fields)} {op} {self.expr('any' if op != '+=' else 'int', 2)}"

    def s_show(self, indent: str) -> str:
        known = self.variables()
        return f"print({', '.join(self.r.choice(known).name for _ in range(3)) if known else 'root'})"

    def s_print(self, indent: str) -> str:
        return f"print({', '.join(self.expr('any', 2) for _ in range(self.r.randint(1, 3)))})"

    def s_call(self, indent: str) -> str:
        if self.functions and self.chance(0.7):
            return self.call(self.r.choice(self.functions), 2)
        functions = self.variables("function")
        if functions:
            return f"{self.r.choice(functions).name}({self.expr('any', 2)})"
        return self.member(2) if self.classes else self.s_print(indent)

    def s_push(self, indent: str) -> str:
        known = self.variables("list")
        target = self.r.choice(known).name if known else "root.k2"
        pushed, number = self.expr("any", 1), self.expr("int", 2)
        return self.r.choice((f"{target}.push({pushed})", f"{target}.push({number})", f"{target}.pop()"))

    def s_if(self, indent: str) -> str:
        text = f"if {self.expr('bool', 2)} {self.block(self.size(), indent)}"
        while self.chance(0.3):
            text += f" else if {self.expr('bool', 1)} {self.block(1, indent)}"
        return text + (f" else {self.block(self.size(), indent)}" if self.chance(0.5) else "")

    def s_for(self, indent: str) -> str:
        iterable, kind = self.r.choice(
            (("0..3", "int"), ("1..=2", "int"), (self.expr("list", 2), "any"), (self.expr("text", 1), "text"),
             (f"0..len({self.expr('list', 1)})", "int"))
        )  # fmt: skip
        name = self.name("i")
        self.place.loops += 1
        body = self.block(self.size(), indent, [Var(name, kind, False)])
        self.place.loops -= 1
        return f"for {name} in {iterable} {body}"

    def s_pairs(self, indent: str) -> str:
        key, value = self.name("i"), self.name("i")
        iterable = self.expr(self.r.choice(("map", "list")), 2)
        self.place.loops += 1
        body = self.block(self.size(), indent, [Var(key, "any", False), Var(value, "any", False)])
        self.place.loops -= 1
        return f"for {key}, {value} in {iterable} {body}"

    def s_while(self, indent: str) -> str:
        counter = self.name("n")  # not in scope, so that nothing else changes it
        condition = f"{counter} < {self.r.randint(1, 4)}"
        if self.chance(0.4):
            condition += f" and {self.expr('bool', 1)}"
        self.place.loops += 1
        body = self.block(self.size(), indent)
        self.place.loops -= 1
        rest = body.removeprefix("{").lstrip(chr(10))
        return f"var {counter} = 0\n{indent}while {condition} {{\n{indent}  {counter} += 1\n{rest}"

    def s_try(self, indent: str) -> str:
        text = f"try {self.block(self.size(), indent)}"
        catches = self.r.choice((0, 1, 1, 1, 2))
        if catches == 2 or self.chance(0.2):
            caught = self.r.choice(("TypeError", "KeyError", "IndexError", "Error"))
            text += f" catch e is {caught} " + self.handler(indent)
        if catches:
            text += " catch e " + self.handler(indent)
        if not catches or self.chance(0.4):
            text += f" finally {self.block(self.size(), indent)}"
        return text

    def handler(self, indent: str) -> str:
        """The body of a catch clause, which shows the error."""
        body = self.block(1, indent)
        return body.replace("{\n", f'{{\n{indent}  print("caught", {ERROR_SHOWN})\n', 1)

    def s_atomic(self, indent: str) -> str:
        self.place.atomic += 1
        body = self.block(self.size() + 1, indent)
        self.place.atomic -= 1
        if self.place.atomic or self.chance(0.3):
            return f"atomic {body}"
        return f'try {{ atomic {body} }} catch e {{ print("undone", {ERROR_SHOWN}) }}'

    def s_match(self, indent: str) -> str:
        subject = self.expr("any", 2)
        arms = []
        for _ in range(self.r.randint(1, 3)):
            scope: list[Var] = []
            self.place.scopes.append(scope)
            pattern = self.pattern(2)
            self.place.scopes.pop()
            arms.append(f"{indent}  {pattern} => {self.block(self.size(), indent + '  ', scope)}\n")
        return f"match {subject} {{\n{''.join(arms)}{indent}}}"

    def s_function(self, indent: str) -> str:
        """A closure in a variable: it may change the variables around it."""
        name = self.name("g")
        parameter = self.name("p")
        saved = self.place.loops, self.place.function
        self.place.loops, self.place.function = 0, True
        body = self.block(self.size(), indent, [Var(parameter, "any", True)])
        self.place.loops, self.place.function = saved
        self.place.scopes[-1].append(Var(name, "function", False))
        return f"let {name} = fn({parameter}) {body}"

    def s_throw(self, indent: str) -> str:
        return f"throw {self.r.choice((self.expr('text', 1), 'KeyError(nil)', 'IndexError(nil)', 'ValueError(nil)'))}"

    def s_return(self, indent: str) -> str:
        return f"return {self.expr('any', 2)}" if self.chance(0.8) else "return"

    def s_break(self, indent: str) -> str:
        return "break"

    def s_continue(self, indent: str) -> str:
        return "continue"

    # ------------------------------------------------------------------ definitions

    def function(self, me: Cls | None = None, name: str | None = None) -> tuple[Fn, str]:
        """A function or method: its description and text."""
        saved, self.place = self.place, Place(function=True, me=me, depth=1)
        parameters = [self.name("a") for _ in range(self.r.randint(0, 3))]
        scope = [Var(p, self.r.choice(("int", "any", "int", "text")), True) for p in parameters]
        needed = self.r.randint(0, len(parameters))
        written = [p if i < needed else f"{p} = {self.leaf('int')}" for i, p in enumerate(parameters)]
        rest = ""
        if self.chance(0.15):
            rest = self.name("r")
            scope.append(Var(rest, "list", True))
        indent = "  " if me else ""
        body = self.block(self.r.randint(1, 4), indent, scope)
        self.place.scopes.append(scope)
        kind = self.r.choice(KINDS)
        body = body[: body.rindex("}")] + f"{indent}  return {self.expr(kind, 2)}\n{indent}}}"
        self.place = saved
        f = Fn(name or self.name("f"), parameters, needed, kind)
        return f, f"{indent}fn {f.name}({', '.join([*written, *([f'...{rest}'] if rest else [])])}) {body}\n"

    def class_(self) -> str:
        """A class, perhaps of a base class."""
        base = self.r.choice(self.classes) if self.classes and self.chance(0.5) else None
        fields = dict(base.fields) if base else {}
        text = ""
        for _ in range(self.r.randint(1, 3)):
            kind = self.r.choice(("int", "text", "list", "any"))
            field_name = self.r.choice(("f1", "f2", "f3", "f4"))
            if field_name in fields or f"  {field_name} =" in text:
                continue
            fields[field_name] = kind
            saved, self.place = self.place, Place()
            text += f"  {field_name} = {self.expr(kind, 1)}\n"
            self.place = saved
        cls = Cls(self.name("C"), fields, list(base.methods) if base else [], base.init if base else False)
        for _ in range(self.r.randint(0, 2)):
            override = base and base.methods and self.chance(0.4)
            old = self.r.choice(base.methods) if base and override else None
            f, body = self.function(cls, old.name if old else self.name("m"))
            if old is not None:
                if f"fn {old.name}(" in text:
                    continue
                ones = ", ".join(["1"] * len(old.parameters))
                body = body.replace("{\n", f"{{\n    print(super.{old.name}({ones}))\n", 1)
            cls.methods = [m for m in cls.methods if m.name != f.name] + [f]
            text += body
        if self.chance(0.15):
            cls.init = True
            text += f"  fn init(a = 1) {{ self.{self.r.choice(list(fields))} = a }}\n"
        self.classes.append(cls)
        return f"class {cls.name}{f' extends {base.name}' if base else ''} {{\n{text}}}\n"

    def program(self) -> str:
        """The whole program."""
        text = ""
        for _ in range(self.r.randint(0, 2)):
            text += self.class_()
        for _ in range(self.r.randint(0, 3)):
            f, body = self.function()
            self.functions.append(f)
            text += body
        for _ in range(self.r.randint(4, 10)):
            text += self.statement("")
        shown = [v.name for v in self.variables() if v.kind not in ("function",)]
        for name in shown:
            text += f"print({name})\n"
        return text + "print(root)\n"


def program(seed: int) -> str:
    """The program of a seed."""
    return Generator(seed).program()
