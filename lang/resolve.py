"""The resolver: binds every name, decides how variables are kept, and reports all errors of a file in one run.

Input is a :class:`~holdfast.lang.tree.Program`; the result is the same tree with its annotations filled in, and a
:class:`Resolution`.  Three kinds of file are resolved:

``program``  top-level statements run in a thread; variables at the top are locals of ``main``
``module``   definitions and constants only
``session``  one entry of a REPL: variables at the top are Boxes that the session keeps

A top-level function that uses a variable of the program cannot be a global: it is a closure that ``main`` makes
before its first statement.  Which functions those are is a fixpoint, since using such a function is using a
variable of the program too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.lang import tree as t
from holdfast.lang.constants import fold
from holdfast.lang.diagnostics import CompileError, Diagnostic, Source
from holdfast.lang.resolve_body import Bodies
from holdfast.lang.scope import Export, FunctionInfo, Kind, ModuleInterface, Scope, Variable, global_name
from holdfast.lang.spelling import hint

Importer = Callable[[str, t.Span], ModuleInterface]
"""Path of an import and its place to the module's interface; raises CompileError when it cannot be had."""

BASES_MAX = 100
"""Base classes that a class may have in its own file: each one makes what the host does for the class slower."""


@dataclass(slots=True)
class Resolution:
    """What the later stages need besides the annotated tree."""

    main: FunctionInfo
    module: str
    mode: str
    program: t.Program
    closures: list[t.FunctionDef]
    """Top-level functions that ``main`` makes before its first statement."""
    constants: dict[str, Any]
    exports: dict[str, Export]
    session_names: dict[str, Variable] = field(default_factory=dict)
    """Session mode: what this entry defines or imports."""
    arguments: Variable | None = None
    """Program mode: ``args``, the one parameter of main."""


class Resolver:
    """One run over one file."""

    def __init__(self, source: Source, module: str, mode: str, builtins: Mapping[str, str], importer: Importer) -> None:
        self.source = source
        self.module = module
        self.mode = mode
        self.importer = importer
        self.errors: list[Diagnostic] = []
        self.outer = FunctionInfo("session", None, (0, 0))
        self.main = FunctionInfo("main", self.outer if mode == "session" else None, (0, 0))
        builtin_scope = Scope(None, self.main)
        for name, py in builtins.items():
            builtin_scope.names[name] = Variable(name, Kind.BUILTIN, (0, 0), what="built-in", py=py)
        self.arguments: Variable | None = None
        if mode == "program":
            self.arguments = Variable("args", Kind.LOCAL, (0, 0), what="parameter", owner=self.main)
            self.arguments.py = self.main.fresh("args")
            builtin_scope.names["args"] = self.arguments
        self.top = Scope(builtin_scope, self.outer if mode == "session" else self.main)
        self.scope = self.top
        self.function = self.main
        self.class_def: t.ClassDef | None = None
        self.loops = 0
        self.constants: dict[str, Any] = {}
        self.session_names: dict[str, Variable] = {}
        # (function that refers, variable of the top-level function, place): input of the closure fixpoint
        self.uses: list[tuple[FunctionInfo, Variable, t.Span]] = []
        self.infos: dict[Variable, FunctionInfo] = {}

    # ------------------------------------------------------------------ errors and names

    def error(self, code: str, message: str, span: t.Span, help_text: str) -> None:
        """Note an error and go on: a file's errors are reported together."""
        self.errors.append(Diagnostic(code, message, span, help_text, self.source))

    def declare(self, name: str, span: t.Span, **kw: Any) -> Variable:
        """A new variable in the innermost scope."""
        function = self.scope.function
        variable = Variable(name, Kind.LOCAL, span, owner=function, **kw)
        old = self.scope.names.get(name)
        if old is not None and not (self.mode == "session" and self.scope is self.top):
            line, _ = self.source.position(old.span[0])
            self.error(
                "E0103",
                f"'{name}' is already defined in this block (line {line})",
                span,
                "choose another name, or assign to it without let",
            )
        variable.py = function.fresh(name)
        self.scope.names[name] = variable
        return variable

    def use(self, variable: Variable, span: t.Span) -> None:
        """The current function refers to the variable: note captures on the way to its owner."""
        if variable.kind is Kind.GLOBAL and variable in self.infos:
            self.uses.append((self.function, variable, span))
        if variable.kind is Kind.LOCAL and variable.owner is not self.function:
            self.capture(self.function, variable, span)

    def capture(self, function: FunctionInfo, variable: Variable, span: t.Span) -> None:
        """Make the variable known in the function and in all between it and the owner."""
        top_level = variable.owner is self.main or variable.owner is self.outer
        if (
            self.mode != "session"
            and function.class_name
            and top_level
            and function.parent in (None, self.outer, self.main)
        ):
            self.error(
                "E0109",
                f"a class cannot use '{variable.name}', a variable of the program",
                span,
                "an instance outlives the program: pass the value in, or keep it under root",
            )
            return
        variable.captured = True
        if not variable.ready or (top_level and function is not self.main):
            variable.early = True
        inner: FunctionInfo | None = function
        while inner is not None and inner is not variable.owner:
            if variable not in inner.captures:
                inner.captures[variable] = "k" + inner.fresh("^" + variable.name)[1:].replace("^", "")
            inner = inner.parent

    def lookup(self, name: str, span: t.Span) -> Variable | None:
        """The variable that the name means here; an unknown name is an error."""
        variable = self.scope.find(name)
        if variable is None:
            near = hint(name, self.scope.visible())
            text = near.strip(" ()") if near else "define it with let, var, fn or class, or import it"
            self.error("E0101", f"'{name}' is not defined", span, text)
            return None
        if not variable.ready and variable.owner is self.function and variable.kind is Kind.LOCAL:
            self.error("E0114", f"'{name}' is used before it is set", span, "move its definition up")
        self.use(variable, span)
        return variable

    # ------------------------------------------------------------------ the file

    def run(self, program: t.Program) -> Resolution:
        """Resolve the whole file; raises CompileError with all its errors."""
        closures = Definitions(self).top(program)
        if self.errors:
            raise CompileError(self.errors)
        for variable in self.all_variables():
            variable.boxed = variable.captured and (
                variable.assignments > 0 or variable.early or variable.owner is self.outer
            )
        exports = {
            name: Export({"function": "fn", "class": "class"}.get(v.what, "const"), v.py)
            for name, v in self.top.names.items()
            if v.kind is Kind.GLOBAL and v.py.startswith(self.module + ":")
        }
        return Resolution(
            self.main,
            self.module,
            self.mode,
            program,
            closures,
            self.constants,
            exports,
            self.session_names,
            self.arguments,
        )

    def all_variables(self) -> Iterable[Variable]:
        """Every variable that any function captured (others are never boxed)."""
        for info in self.functions:
            yield from info.captures

    functions: list[FunctionInfo]


class Definitions:
    """The top of a file: declares everything first, since functions and classes are visible in the whole file."""

    def __init__(self, resolver: Resolver) -> None:
        self.r = resolver
        self.bodies = Bodies(resolver)
        resolver.functions = self.bodies.functions
        resolver.functions.append(resolver.main)

    def top(self, program: t.Program) -> list[t.FunctionDef]:
        """Resolve all; returns the functions that are closures of main."""
        for statement in program.statements:
            self.declare(statement)
        r = self.r
        definitions = [s for s in program.statements if isinstance(s, t.FunctionDef | t.ClassDef | t.TestDef)]
        r.function = r.main
        for statement in program.statements:
            if not isinstance(statement, t.FunctionDef | t.ClassDef | t.TestDef | t.Import):
                self.bodies.statement(statement)
        for statement in definitions:
            self.define(statement)
        self.refuse_circles([d for d in definitions if isinstance(d, t.ClassDef)])
        closures = self.closures([d for d in definitions if isinstance(d, t.FunctionDef)])
        for statement in definitions:
            if isinstance(statement, t.TestDef):
                self.check_test(statement)
        return closures

    def check_test(self, test: t.TestDef) -> None:
        """A test runs without the program's statements, so it cannot use its variables."""
        info = test.function.info
        for variable in info.captures if info is not None else ():
            self.r.error(
                "E0125",
                f"a test cannot use '{variable.name}', a variable of the program",
                test.span,
                "tests run without the program's statements: make what they need inside the test",
            )

    def declare(self, statement: t.Statement) -> None:
        """Enter the names of one top-level statement."""
        r = self.r
        match statement:
            case t.FunctionDef():
                if r.mode == "session":
                    statement.variable = self.session_variable(statement.name, statement.name_span, False, "function")
                    return
                statement.variable = self.global_(statement.name, statement.name_span, "function")
                info = FunctionInfo(statement.name, r.main, statement.span)
                statement.function.info = info
                r.infos[statement.variable] = info
            case t.ClassDef():
                statement.variable = self.global_(statement.name, statement.name_span, "class")
            case t.Import():
                self.import_(statement)
            case t.Let():
                self.let(statement)
            case t.TestDef():
                pass
            case _ if r.mode == "module":
                r.error(
                    "E0110",
                    "a module that is imported holds only definitions",
                    statement.span,
                    "move the statement into a function, or run the file as a program",
                )

    def session_variable(self, name: str, span: t.Span, mutable: bool, what: str = "variable") -> Variable:
        """A variable that the session keeps: a Box of the outer, virtual function."""
        r = self.r
        variable = Variable(name, Kind.LOCAL, span, mutable, what, owner=r.outer, early=True)
        variable.py = r.outer.fresh(name)
        return self.session_name(variable)

    def session_name(self, variable: Variable) -> Variable:
        """Define a name of the session: anew in each entry, but once in one."""
        r = self.r
        if variable.name in r.session_names:
            message = f"'{variable.name}' is already defined in this entry"
            r.error("E0103", message, variable.span, "choose another name")
        r.top.names[variable.name] = r.session_names[variable.name] = variable
        return variable

    def let(self, statement: t.Let) -> None:
        """A constant is global; any other variable is main's (or the session's)."""
        r = self.r
        if r.mode == "session":
            statement.variable = self.session_variable(statement.name, statement.name_span, statement.mutable)
            return
        found = fold(statement.value, r.top.find) if statement.value is not None and not statement.mutable else None
        if found is not None:
            statement.variable = self.global_(statement.name, statement.name_span, "constant")
            statement.variable.constant = True
            statement.variable.value = found.value
            r.constants[statement.name] = found.value
            return
        if r.mode == "module":
            r.error(
                "E0110",
                f"'{statement.name}' is no constant: a module holds only definitions and immutable constants",
                statement.name_span,
                "state belongs under root; a constant is let with a literal value",
            )
        statement.variable = r.declare(statement.name, statement.name_span, mutable=statement.mutable)
        statement.variable.ready = False

    def global_(self, name: str, span: t.Span, what: str) -> Variable:
        """A definition at the top of the file."""
        r = self.r
        old = r.top.names.get(name)
        if old is not None and r.mode != "session":
            line, _ = r.source.position(old.span[0])
            r.error("E0103", f"'{name}' is already defined (line {line})", span, "choose another name")
        variable = Variable(name, Kind.GLOBAL, span, what=what, py=global_name(r.module, name))
        if r.mode == "session":
            return self.session_name(variable)
        r.top.names[name] = variable
        return variable

    def import_(self, statement: t.Import) -> None:
        """Bind what an import names."""
        r = self.r
        try:
            interface = r.importer(statement.path, statement.path_span)
        except CompileError as error:
            r.errors.extend(error.diagnostics)
            interface = None
        if statement.names is None:
            variable = Variable(
                statement.alias or "", Kind.MODULE, statement.path_span, what="module", interface=interface
            )
            self.imported(variable)
            return
        for name, span in statement.names:
            export = interface.exports.get(name) if interface is not None else None
            if interface is not None and export is None:
                near = hint(name, interface.exports).strip(" ()")
                r.error("E0113", f"'{statement.path}' has no '{name}'", span, near or "see what the module defines")
            what = {"fn": "function", "class": "class"}.get(export.kind, "constant") if export else "constant"
            py = export.global_name if export else "?"
            self.imported(Variable(name, Kind.GLOBAL, span, what=what, py=py))

    def imported(self, variable: Variable) -> None:
        """Enter an imported name; a session keeps it for later entries."""
        if self.r.mode == "session":
            self.session_name(variable)
        else:
            self.r.top.names[variable.name] = variable

    def define(self, statement: t.Statement) -> None:
        """Resolve the body of one definition."""
        r = self.r
        if isinstance(statement, t.FunctionDef):
            if r.mode == "session" and statement.variable is not None:
                r.capture(r.main, statement.variable, statement.span)
            self.bodies.function(statement.function, statement.name)
        elif isinstance(statement, t.TestDef):
            self.bodies.function(statement.function, f"test {statement.name}")
        elif isinstance(statement, t.ClassDef):
            self.class_(statement)
        r.function = r.main

    def class_(self, statement: t.ClassDef) -> None:
        """Fields (each default is a function of its own) and methods."""
        r = self.r
        if statement.base is not None:
            self.bodies.type_name(statement.base)
            base = statement.base.variable
            if base is not None and base.kind is Kind.BUILTIN and not base.name.endswith("Error"):
                r.error("E0116", f"'{base.name}' cannot be extended", statement.base.span, "extend a class or Error")
        seen: set[str] = set()
        members: list[t.FieldDef | t.MethodDef] = [*statement.fields, *statement.methods]
        for member in members:
            if member.name in seen:
                r.error("E0111", f"class {statement.name} has two members '{member.name}'", member.span, "rename one")
            seen.add(member.name)
        r.class_def = statement
        for method in statement.methods:
            self.bodies.function(method.function, f"{statement.name}.{method.name}", statement)
        for member in statement.fields:
            if member.default is not None:
                self.bodies.default(member, statement)
        r.class_def = None

    def refuse_circles(self, classes: list[t.ClassDef]) -> None:
        """A class must not be a base of itself, over others perhaps; a circle is reported at its first class."""
        by_variable = {c.variable: c for c in classes}
        done: set[t.ClassDef] = set()
        levels: dict[t.ClassDef, int] = {}
        for first in classes:
            chain: list[t.ClassDef] = []
            current: t.ClassDef | None = first
            while current is not None and current not in done:
                done.add(current)
                chain.append(current)
                current = by_variable.get(current.base.variable) if current.base is not None else None
            if current is not None and current in chain:
                names = " → ".join(c.name for c in [*chain[chain.index(current) :], current])
                assert current.base is not None
                span = current.base.span
                self.r.error(
                    "E0117", f"classes extend each other in a circle: {names}", span, "a base class comes first"
                )
                continue
            level = levels.get(current, 0) if current is not None else 0
            for one in reversed(chain):
                level = levels[one] = level + 1
                if level == BASES_MAX + 2:
                    message = f"class {one.name} has more than {BASES_MAX} base classes"
                    self.r.error("E0126", message, one.span, "use fewer levels")

    def closures(self, definitions: list[t.FunctionDef]) -> list[t.FunctionDef]:
        """The fixpoint: which top-level functions must be closures of main."""
        r = self.r
        if r.mode != "program":
            return definitions if r.mode == "session" else []
        found: list[t.FunctionDef] = []
        pending = [d for d in definitions if d.function.info and d.function.info.captures]
        while pending:
            definition = pending.pop()
            found.append(definition)
            variable = definition.variable
            assert variable is not None
            variable.kind, variable.owner, variable.early = Kind.LOCAL, r.main, True
            variable.py = r.main.fresh(variable.name)
            del r.infos[variable]
            for function, used, span in r.uses:
                if used is not variable or function is r.main:
                    continue
                r.capture(function, variable, span)
                for other in definitions:
                    info = other.function.info
                    if info is not None and info.captures and other not in found and other not in pending:
                        pending.append(other)
        return [d for d in definitions if d in found]


def resolve(
    program: t.Program,
    source: Source,
    module: str,
    mode: str,
    builtins: Mapping[str, str],
    importer: Importer,
    session: Mapping[str, Variable] | None = None,
) -> Resolution:
    """Resolve a parsed file.

    ``builtins`` maps names to globals; ``session`` (mode ``session``) are the names that earlier entries have defined:
    new objects for each run, since resolving notes things in them.  Raises CompileError with every error found.
    """
    resolver = Resolver(source, module, mode, builtins, importer)
    for name, variable in (session or {}).items():
        if variable.kind is Kind.LOCAL:
            variable.owner, variable.early, variable.py = resolver.outer, True, resolver.outer.fresh(name)
        resolver.top.names[name] = variable
    return resolver.run(program)
