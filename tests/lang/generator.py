"""Random programs of Hold, well formed and short of endless: ``Generator(seed).program()``.

Every name is new, loops are short, and a function calls only functions that stand before it.  Kinds are mostly what an
operation wants, and sometimes not, so that errors are thrown, caught and end programs.  Where a caught error is shown,
the program prints :data:`ERROR_SHOWN`.
"""

from __future__ import annotations

from tests.lang.generator_values import KINDS, Cls, Fn, Place, Values, Var

DETAILS = "#"
"""Behind this mark a line of output has what only the machine knows: message, place and trace of an error."""
ERROR_SHOWN = f'e.kind, e.cause?.kind, "{DETAILS}", e.message, e.at, e.trace'
HEAT = ("1", "2", '"a"', "nil", "2.5", "[1, 2]", "true", "({k1: 1})", "-7", '"k1"')
"""Arguments for a function that is called many times: the kinds that it was compiled for turn out wrong."""


class Generator(Values):
    """Writes one program."""

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
        simple = "let let var assign assign compound element field print show show call push nilassign check".split()
        compound = (
            ["if", "for", "while", "try", "atomic", "match", "function", "pairs", "local"]
            if self.place.depth < 4
            else []
        )
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
        op = self.r.choice({"int": "+ - * % ~/ /", "float": "+ - * /", "text": "+", "list": "+"}[v.kind].split())
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
        sets = self.variables("set")
        if sets and self.chance(0.3):
            return f"{self.r.choice(sets).name}.{self.r.choice(('add', 'remove'))}({number})"
        return self.r.choice((f"{target}.push({pushed})", f"{target}.push({number})", f"{target}.pop()"))

    def s_check(self, indent: str) -> str:
        return f"assert {self.expr('bool', 2)}"

    def s_if(self, indent: str) -> str:
        text = f"if {self.expr('bool', 2)} {self.block(self.size(), indent)}"
        while self.chance(0.3):
            text += f" else if {self.expr('bool', 1)} {self.block(1, indent)}"
        return text + (f" else {self.block(self.size(), indent)}" if self.chance(0.5) else "")

    def s_for(self, indent: str) -> str:
        iterable, kind = self.r.choice(
            (("0..3", "int"), ("1..=2", "int"), (self.expr("list", 2), "any"), (self.expr("text", 1), "text"),
             (f"0..len({self.expr('list', 1)})", "int"), (self.expr("set", 1), "any"), (self.expr("range", 1), "int"))
        )  # fmt: skip
        name = self.name("i")
        self.place.loops += 1
        body = self.block(self.size(), indent, [Var(name, kind, False)])
        self.place.loops -= 1
        return f"for {name} in {iterable} {body}"

    def s_pairs(self, indent: str) -> str:
        key, value = self.name("i"), self.name("i")
        iterable = self.expr(self.r.choice(("map", "map", "list", "list", "text", "range", "set")), 2)
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
        if catches and self.chance(0.2):
            text += self.r.choice((" catch ", " catch is Error ")) + self.block(1, indent)
        elif catches:
            text += " catch e " + self.handler(indent)
        if not catches or self.chance(0.4):
            text += f" finally {self.block(self.size(), indent)}"
        return text

    def handler(self, indent: str) -> str:
        """The body of a catch clause, which shows the error."""
        body = self.block(1, indent)
        if self.chance(0.2):
            body = body[: body.rindex("}")] + f"  throw e\n{indent}}}"
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
        jumps = ["throw nil", *["break", "continue"] * bool(self.place.loops), *["return 1"] * self.place.function]
        if self.chance(0.3):
            arms.append(f"{indent}  {self.r.choice(('0..9', 'Text', 'nil', '_'))} => {self.r.choice(jumps)}\n")
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

    def s_local(self, indent: str) -> str:
        """A function inside a block, which calls itself a few times."""
        name, parameter = self.name("h"), self.name("p")
        saved = self.place.loops, self.place.function
        self.place.loops, self.place.function = 0, True
        body = self.block(self.size(), indent, [Var(parameter, "int", False)])
        self.place.loops, self.place.function = saved
        again = f"{indent}  if {parameter} > 0 {{ {self.r.choice(('', 'return '))}{name}({parameter} - 1) }}\n"
        body = body[: body.rindex("}")] + f"{again}{indent}}}"
        call = f"\n{indent}print({name}({self.r.choice(('0', '1', '2'))}))" if self.chance(0.8) else ""
        return f"fn {name}({parameter}) {body}{call}"

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
        written = parameters[:needed]
        for p in parameters[needed:]:  # a default may use the parameters before it
            self.place.scopes.append([Var(before, "int", False) for before in parameters[: len(written)]])
            written.append(f"{p} = {self.expr('int', 1) if self.chance(0.5) else self.leaf('int')}")
            self.place.scopes.pop()
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

    def heat(self, f: Fn) -> str:
        """A loop that calls the function with arguments of many kinds."""
        name = self.name("i")
        values = [self.r.choice(HEAT) for _ in range(self.r.randint(3, 8))]
        given = [self.r.choice((name, name, self.leaf("int"))) for _ in f.parameters]
        call = f"print({f.name}({', '.join(given)}))"
        return (
            f"for {name} in [{', '.join(values)}] {{\n"
            f'  try {{ {call} }} catch e {{ print("hot", {ERROR_SHOWN}) }}\n}}\n'
        )

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
        for f in self.functions:
            if self.chance(0.5):
                text += self.heat(f)
        shown = [v.name for v in self.variables() if v.kind not in ("function",)]
        for name in shown:
            text += f"print({name})\n"
        return text + "print(root)\n"


def program(seed: int) -> str:
    """The program of a seed."""
    return Generator(seed).program()
