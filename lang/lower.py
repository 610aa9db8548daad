"""Lowering: resolved tree to IR.

One :class:`FunctionLowerer` writes one function; the unit collects all functions of a file.  The order of
evaluation is made explicit here, once, for both shapes of code: arguments and operands left to right, each once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from holdfast.lang import ir
from holdfast.lang import tree as t
from holdfast.lang.diagnostics import Source
from holdfast.lang.lower_body import BodyLowerer
from holdfast.lang.resolve import Resolution
from holdfast.lang.scope import Export, Variable


@dataclass(slots=True)
class FieldSpec:
    """A field of a class: required, or with a constant default, or with a function that makes the default."""

    name: str
    required: bool
    constant: Any
    function: int | None
    doc: str | None


@dataclass(slots=True)
class ClassSpec:
    """A class as the linker needs it; ``base`` is a global name, or the name of a built-in error class."""

    name: str
    global_name: str
    base: str | None
    was: str | None
    fields: list[FieldSpec]
    methods: dict[str, int]
    doc: str | None


@dataclass(slots=True)
class Unit:
    """A compiled file."""

    module: str
    mode: str
    functions: list[ir.Function]
    main: int
    """Index of the function that runs the top-level statements."""
    definitions: dict[str, int]
    """Global functions: name to index."""
    classes: list[ClassSpec]
    constants: dict[str, Any]
    tests: list[tuple[str, int]]
    exports: dict[str, Export]
    imports: list[str]
    names: list[str]
    """Every field and method name that the code mentions."""
    session_names: dict[str, Variable] = field(default_factory=dict)
    """Session mode: what the entry defines or imports."""
    session_captures: list[str] = field(default_factory=list)
    """Session mode: names of the session's variables, in the order in which main captures their Boxes."""


class UnitLowerer:
    """Collects the functions of one file."""

    def __init__(self, resolution: Resolution, source: Source, imports: list[str]) -> None:
        self.resolution = resolution
        self.source = source
        self.imports = imports
        self.functions: list[ir.Function | None] = []
        self.names: set[str] = set()
        self.docs: dict[int, str] = {}

    def unit(self) -> Unit:
        """Lower everything."""
        r = self.resolution
        definitions: dict[str, int] = {}
        classes: list[ClassSpec] = []
        tests: list[tuple[str, int]] = []
        closures = set(map(id, r.closures))
        for statement in r.program.statements:
            if isinstance(statement, t.FunctionDef) and id(statement) not in closures:
                definitions[statement.name] = self.function(statement.function, doc=statement.doc)
            elif isinstance(statement, t.ClassDef):
                classes.append(self.class_(statement))
            elif isinstance(statement, t.TestDef):
                tests.append((statement.name, self.function(statement.function)))
        main = self.main()
        done = [f for f in self.functions if f is not None]
        assert len(done) == len(self.functions)
        captures = [v.name for v in r.main.captures]
        return Unit(
            r.module,
            r.mode,
            done,
            main,
            definitions,
            classes,
            r.constants,
            tests,
            r.exports,
            self.imports,
            sorted(self.names),
            r.session_names,
            captures,
        )

    def reserve(self) -> int:
        """The index of the next function."""
        self.functions.append(None)
        return len(self.functions) - 1

    def function(self, function: t.Function, doc: str | None = None, method: bool = False) -> int:
        """Lower one function (and, on the way, those inside it); returns its index."""
        assert function.info is not None
        index = self.reserve()
        lowerer = BodyLowerer(self, function.info, index)
        self.functions[index] = lowerer.function(function, doc, method)
        return index

    def main(self) -> int:
        """The top-level statements of a program as a function."""
        index = self.reserve()
        lowerer = BodyLowerer(self, self.resolution.main, index)
        statements = [
            s
            for s in self.resolution.program.statements
            if not isinstance(s, t.FunctionDef | t.ClassDef | t.TestDef | t.Import)
        ]
        self.functions[index] = lowerer.main(statements, self.resolution.closures, self.resolution.arguments)
        return index

    def class_(self, node: t.ClassDef) -> ClassSpec:
        """A class: its field defaults and methods become functions."""
        fields = []
        for member in node.fields:
            self.names.add(member.name)
            default = member.default
            constant = default.value if isinstance(default, t.Literal) else None
            made = default is not None and not isinstance(default, t.Literal)
            assert not made or member.function is not None
            function = self.function(member.function) if made and member.function is not None else None
            fields.append(FieldSpec(member.name, default is None, constant, function, member.doc))
        methods = {}
        for method in node.methods:
            self.names.add(method.name)
            methods[method.name] = self.function(method.function, method.doc, method=True)
        base = None
        if node.base is not None and node.base.variable is not None:
            base = node.base.variable.py
        assert node.variable is not None
        return ClassSpec(node.name, node.variable.py, base, node.was, fields, methods, node.doc)


def lower(resolution: Resolution, source: Source, imports: list[str]) -> Unit:
    """The IR of a resolved file; ``imports`` are the names of the modules that it imports."""
    return UnitLowerer(resolution, source, imports).unit()
