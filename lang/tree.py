"""The syntax tree: what the parser builds and the resolver annotates.

Every node carries ``span``, a pair of offsets (in code points) into the source text: the first character of the
node and one past its last.  Lines and columns are computed from it when a diagnostic is shown
(:class:`holdfast.lang.diagnostics.Source`), so the tree stays small.

Invariants
----------
* A tree never nests deeper than :data:`holdfast.lang.parser.MAX_DEPTH`; walking it by recursion is safe.
* The parser fills everything but the fields that stand under "annotations"; those belong to the resolver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.lang.scope import FunctionInfo, Variable

Span = tuple[int, int]
Constant = None | bool | int | float | str | bytes


@dataclass(slots=True, eq=False)
class Node:
    """Base of all nodes."""

    span: Span


# --------------------------------------------------------------------------- expressions


@dataclass(slots=True, eq=False)
class Expr(Node):
    """Base of all expressions."""


@dataclass(slots=True, eq=False)
class Literal(Expr):
    """``nil``, ``true``, ``42``, ``2.5``, ``"text without interpolation"``, ``b"bytes"``."""

    value: Constant


@dataclass(slots=True, eq=False)
class Interpolation(Expr):
    """``"hi {name}"``: literal pieces (``str``) and expressions, in order."""

    parts: list[str | Expr]


@dataclass(slots=True, eq=False)
class Name(Expr):
    """A name used as a value."""

    id: str
    # annotations
    variable: Variable | None = None


@dataclass(slots=True, eq=False)
class ListLiteral(Expr):
    """``[a, b]``."""

    items: list[Expr]


@dataclass(slots=True, eq=False)
class MapLiteral(Expr):
    """``{"a": 1, b: 2, (k): v}``; a bare name is already a Text literal here."""

    entries: list[tuple[Expr, Expr]]


@dataclass(slots=True, eq=False)
class Unary(Expr):
    """``-x`` (op ``"-"``) and ``not x`` (op ``"not"``)."""

    op: str
    operand: Expr


@dataclass(slots=True, eq=False)
class Binary(Expr):
    """Arithmetic, comparison and membership; op is one of
    ``+ - * / ~/ % ** == != < <= > >= in`` or ``not in``."""

    op: str
    left: Expr
    right: Expr
    op_span: Span


@dataclass(slots=True, eq=False)
class Logic(Expr):
    """Short-circuit operators; op is ``and``, ``or`` or ``??``."""

    op: str
    left: Expr
    right: Expr


@dataclass(slots=True, eq=False)
class IsTest(Expr):
    """``x is Account`` and ``x is bank.Account``; ``negated`` for ``x is not Account``."""

    operand: Expr
    type_name: Dotted
    negated: bool


@dataclass(slots=True, eq=False)
class RangeExpr(Expr):
    """``a..b`` and (``closed``) ``a..=b``."""

    low: Expr
    high: Expr
    closed: bool


@dataclass(slots=True, eq=False)
class Field(Expr):
    """``x.name`` and (``optional``) ``x?.name``."""

    object: Expr
    name: str
    name_span: Span
    optional: bool
    # annotations
    member: Variable | None = None
    """Set when ``object`` is a module: the definition that is meant."""
    class_name: str | None = None
    """Set when ``object`` is ``super``: the class whose base is meant."""


@dataclass(slots=True, eq=False)
class Index(Expr):
    """``x[i]`` and (``optional``) ``x?[i]``."""

    object: Expr
    index: Expr
    optional: bool


@dataclass(slots=True, eq=False)
class Argument(Node):
    """One argument of a call; ``name`` is None for a positional one."""

    name: str | None
    value: Expr


@dataclass(slots=True, eq=False)
class Call(Expr):
    """``f(a, b: c)``.  A method call is a Call whose ``function`` is a Field."""

    function: Expr
    arguments: list[Argument]


@dataclass(slots=True, eq=False)
class Super(Expr):
    """``super``; only ever the object of a Field that is called."""

    # annotations
    variable: Variable | None = None
    """``self``, which the method is called with."""


@dataclass(slots=True, eq=False)
class Spawn(Expr):
    """``spawn call with {a: x} budget {b: y}``; ``call`` is any expression that ends in a Call."""

    call: Expr
    grants: list[tuple[str, Expr]] | None
    budget: list[tuple[str, Expr]] | None


@dataclass(slots=True, eq=False)
class Parameter(Node):
    """One parameter; ``rest`` for ``...name``."""

    name: str
    default: Expr | None
    rest: bool
    # annotations
    variable: Variable | None = None


@dataclass(slots=True, eq=False)
class Function(Expr):
    """A function literal, or the function of a definition, a method or a test.

    ``body`` is a Block, or an expression for ``=>``.  ``name`` is None for a literal.
    """

    name: str | None
    parameters: list[Parameter]
    body: Block | Expr
    # annotations
    info: FunctionInfo | None = None


@dataclass(slots=True, eq=False)
class If(Expr):
    """``if c { … } else { … }``, as statement and as value; ``otherwise`` may be another If."""

    condition: Expr
    then: Block
    otherwise: Block | If | None


@dataclass(slots=True, eq=False)
class Match(Expr):
    """``match subject { pattern => body, … }``."""

    subject: Expr
    arms: list[Arm]


@dataclass(slots=True, eq=False)
class Arm(Node):
    """One arm; its body is a Block, an expression, or a Jump statement."""

    pattern: Pattern
    body: Block | Expr | Jump
    # annotations: the scope of what the pattern binds is the arm


@dataclass(slots=True, eq=False)
class Dotted(Node):
    """A dotted name: ``bank.Account`` is ``["bank", "Account"]``."""

    parts: list[str]
    # annotations
    variable: Variable | None = None


# --------------------------------------------------------------------------- patterns


@dataclass(slots=True, eq=False)
class Pattern(Node):
    """Base of all patterns."""


@dataclass(slots=True, eq=False)
class LiteralPattern(Pattern):
    """A literal (also negative numbers): matches what ``==`` it."""

    value: Constant


@dataclass(slots=True, eq=False)
class RangePattern(Pattern):
    """``1..5`` and ``1..=5``: matches numbers between two Int literals."""

    low: int
    high: int
    closed: bool


@dataclass(slots=True, eq=False)
class TypePattern(Pattern):
    """A capitalised or dotted name: matches instances of that class or kind."""

    type_name: Dotted


@dataclass(slots=True, eq=False)
class BindPattern(Pattern):
    """A lower-case name: matches anything and binds it."""

    name: str
    # annotations
    variable: Variable | None = None


@dataclass(slots=True, eq=False)
class WildPattern(Pattern):
    """``_``."""


@dataclass(slots=True, eq=False)
class ListPattern(Pattern):
    """``[p, q]``: a List of exactly that length."""

    items: list[Pattern]


# --------------------------------------------------------------------------- statements


@dataclass(slots=True, eq=False)
class Statement(Node):
    """Base of all statements."""


@dataclass(slots=True, eq=False)
class Block(Node):
    """``{ … }``.  Its value, where one is asked for, is its last expression statement, else nil."""

    statements: list[Statement]


@dataclass(slots=True, eq=False)
class ExprStatement(Statement):
    """An expression for its effect."""

    value: Expr


@dataclass(slots=True, eq=False)
class Let(Statement):
    """``let name = value`` and (``mutable``) ``var name = value`` (value may be missing: nil)."""

    name: str
    name_span: Span
    value: Expr | None
    mutable: bool
    doc: str | None
    # annotations
    variable: Variable | None = None


@dataclass(slots=True, eq=False)
class Assign(Statement):
    """``target = value``; ``op`` is ``"="``, or ``"+"`` for ``+=`` and so on, or ``"??"`` for ``??=``.

    ``target`` is a Name, Field or Index.
    """

    target: Expr
    op: str
    value: Expr


@dataclass(slots=True, eq=False)
class While(Statement):
    """``while condition { … }``."""

    condition: Expr
    body: Block


@dataclass(slots=True, eq=False)
class For(Statement):
    """``for a in xs { … }`` and ``for k, v in m { … }``; ``names`` has one or two entries."""

    names: list[tuple[str, Span]]
    iterable: Expr
    body: Block
    # annotations
    variables: list[Variable] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Jump(Statement):
    """Base of the statements that never fall through."""


@dataclass(slots=True, eq=False)
class Return(Jump):
    """``return`` with or without a value."""

    value: Expr | None


@dataclass(slots=True, eq=False)
class Break(Jump):
    """``break``."""


@dataclass(slots=True, eq=False)
class Continue(Jump):
    """``continue``."""


@dataclass(slots=True, eq=False)
class Throw(Jump):
    """``throw value``."""

    value: Expr


@dataclass(slots=True, eq=False)
class Catch(Node):
    """``catch e is KeyError { … }``; ``name`` and ``type_name`` may both be missing."""

    name: str | None
    type_name: Dotted | None
    body: Block
    # annotations
    variable: Variable | None = None


@dataclass(slots=True, eq=False)
class Try(Statement):
    """``try { … } catch e { … } finally { … }``; at least one of the two follows."""

    body: Block
    catches: list[Catch]
    final: Block | None


@dataclass(slots=True, eq=False)
class Atomic(Statement):
    """``atomic { … }``."""

    body: Block


@dataclass(slots=True, eq=False)
class OnBehalf(Statement):
    """``on_behalf(m) { … }``."""

    message: Expr
    body: Block


@dataclass(slots=True, eq=False)
class Assert(Statement):
    """``assert condition`` and ``assert condition, message``."""

    condition: Expr
    message: Expr | None


@dataclass(slots=True, eq=False)
class FunctionDef(Statement):
    """``fn name(…) { … }`` as a statement, at the top of a file or inside a block."""

    name: str
    name_span: Span
    function: Function
    doc: str | None
    # annotations
    variable: Variable | None = None


@dataclass(slots=True, eq=False)
class FieldDef(Node):
    """A field of a class; a missing default must be given to the constructor."""

    name: str
    default: Expr | None
    doc: str | None
    # annotations
    function: Function | None = None


@dataclass(slots=True, eq=False)
class MethodDef(Node):
    """A method of a class."""

    name: str
    name_span: Span
    function: Function
    doc: str | None


@dataclass(slots=True, eq=False)
class ClassDef(Statement):
    """``class Name extends Base { … }`` and ``class New was Old { … }``; top level only."""

    name: str
    name_span: Span
    base: Dotted | None
    was: str | None
    fields: list[FieldDef]
    methods: list[MethodDef]
    doc: str | None
    # annotations
    variable: Variable | None = None


@dataclass(slots=True, eq=False)
class Import(Statement):
    """``import "path" as alias`` (names is None) and ``import { a, b } from "path"``; top level only."""

    path: str
    path_span: Span
    alias: str | None
    names: list[tuple[str, Span]] | None
    # annotations
    variables: list[Variable] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class TestDef(Statement):
    """``test "name" { … }``; top level only."""

    name: str
    function: Function


@dataclass(slots=True, eq=False)
class Program(Node):
    """A whole file."""

    statements: list[Statement]
    doc: str | None
