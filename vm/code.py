"""Code objects of one world: protos, their shapes, and the way from a frame back to its function.

A :class:`Proto` is one function of one version of a file.  Its direct shape is compiled when the function is first
called or linked; its resumable shapes when a frame must be entered somewhere.  :class:`CodeTable` maps a finished
code object back to its proto, so that a frame on the stack tells function, instruction and place in the source.
"""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from sys import getrefcount
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from holdfast.lang import ir
from holdfast.lang.assemble import DirectCode, make_direct, make_resumable, make_stub
from holdfast.lang.diagnostics import Source
from holdfast.lang.direct import AHEAD, truths
from holdfast.lang.emit_values import ARITHMETIC, doubts
from holdfast.lang.guard import DEFINER, GIVEN, OWN, WEAKER, variant, variant_key
from holdfast.lang.infer import ANY, Inference
from holdfast.lang.lines import RawMethods
from holdfast.lang.lower import Unit
from holdfast.lang.resumable import Layout, all_locals
from holdfast.vm.objects import UNSET
from holdfast.vm.positions import Loop, loops_of

if TYPE_CHECKING:
    from holdfast.vm.frames import Site

LISTED = 3
"""References to a function that nobody else has, while the list of all is gone through."""
RECOMPILES_MAX = 12
"""A function whose speculations fail in more rounds than this is compiled with all its tests."""


@dataclass(slots=True, eq=False)
class UnitCode:
    """One version of a file, linked."""

    unit: Unit
    key: str
    """``module@hash``: in the keys of makers and protos."""
    hash: str
    source: Source
    protos: list[Proto]
    bindings: dict[str, Any] = field(default_factory=dict)
    """Entry of a session: the session's variables by name, as Boxes."""
    definer: str = ""
    """Where it was loaded by another domain than the whole world's: the key of a global that has this domain."""
    tops: frozenset[int] = frozenset()
    """Functions that are code: at the top of the file, or methods."""


class Proto:
    """One function of one version of a file."""

    __slots__ = (
        "_direct",
        "_loops",
        "_maker",
        "_names",
        "base",
        "failed",
        "function",
        "functions",
        "key",
        "mine",
        "places",
        "resumables",
        "rounds",
        "settled",
        "table",
        "top",
        "unit",
        "variants",
    )

    def __init__(
        self, function: ir.Function, unit: UnitCode, table: CodeTable, base: Proto | None = None, mine: bool = False
    ) -> None:
        self.function = function
        self.unit = unit
        self.table = table
        self.key = f"{unit.key}:{function.index}"
        self.base = base
        """For a guarded variant the plain one."""
        self.variants: dict[tuple[str, str, bool], Proto] = {}
        """Guarded variants of a plain one, by how they know their domain and their definer, and by ``mine``."""
        self.mine = mine
        """Is it a method of which who calls it has shown that ``self`` belongs to the domain that it runs in?"""
        self.top: bool = base.top if base is not None else function.index < 0 or function.index in unit.tops
        """Is it at the top of a file, or a method?  Then it is code, and else a function value."""
        self._maker: FunctionType | None = None
        self.failed: dict[int, int] = {}
        """Instruction to how often its speculation has failed: 1 means test, 2 use the generic operator.  Of guarded
        code the negative number says the same of the test of what an instruction stores."""
        self._loops: list[Loop] | None = None
        self._names: tuple[str, ...] | None = None
        self.places: dict[int, Place | None] = {}
        """Instruction to its place in the source, as far as asked for."""
        self.settled: set[tuple[int, int]] = set()
        """Failures (identity of the code, bytecode) that no other code would avoid: errors of the program."""
        self.rounds = 0
        self.functions: list[FunctionType] = []
        """Function objects that are given the new code when a speculation has failed."""
        self.resumables: dict[tuple[int, bool], tuple[FunctionType, Layout]] = {}
        self._direct: DirectCode | None = None

    @property
    def filename(self) -> str:
        """What CPython shows as file name; guests never see it."""
        return f"<hold {self.unit.key}>"

    @property
    def loops(self) -> list[Loop]:
        """Its loops that have an iterator."""
        if self._loops is None:
            self._loops = loops_of(self.function)
        return self._loops

    @property
    def names(self) -> tuple[str, ...]:
        """All its locals, in the order of a frame's record."""
        if self._names is None:
            self._names = all_locals(self.function)
        return self._names

    def direct(self) -> DirectCode:
        """The direct shape, compiled when first asked for."""
        if self._direct is None:
            made = make_direct(
                self.function,
                self.unit.key,
                self.table.methods,
                self.failed,
                self.filename,
                self.table.enter,
                self.key,
                self.function.parameters[0].py if self.mine else "",
            )
            self.needs()
            self.table.note(made.code, self, made.groups)
            self._direct = made  # last, since any call above may find the stack used up
        return self._direct

    def maker(self) -> FunctionType:
        """The function that binds captures and gives a guest function."""
        return FunctionType(self.direct().maker, self.table.globals)

    def variant(self, domain: str, definer: str = "", mine: bool = False) -> Proto:
        """A guarded variant (:mod:`holdfast.lang.guard`); the definer of code that another domain loaded is known."""
        base = self.base or self
        found = base.variants.get((domain, definer, mine))
        if found is None:
            made = variant(base.function, domain, definer, base.method)
            found = base.variants[domain, definer, mine] = Proto(made, base.unit, base.table, base, mine)
            found.key = variant_key(base.key, domain, definer, mine)
            base.table.protos[found.key] = found
        return found

    @property
    def method(self) -> bool:
        """Is it called with ``self``?"""
        function = self.function
        if self.unit.unit.module.startswith("prelude/"):
            return bool(function.parameters) and function.parameters[0].py == "v_self"
        return function.method

    def guarded(self) -> Proto:
        """The variant by which guarded code calls this code."""
        definer = self.unit.definer
        return self.variant(WEAKER, definer) if definer else self.variant(GIVEN)

    def guarded_mine(self) -> Proto:
        """The same for a method whose receiver was tested by who calls it.  Code of a domain tests again: it may run as
        a weaker one than its caller, to which the caller's objects do not belong."""
        return self.variant(GIVEN, mine=True) if self.method and not self.unit.definer else self.guarded()

    def closed(self, captured: Sequence[Any]) -> FunctionType:
        """A function of this proto with its captures.  The maker is made once, and again when its code has changed."""
        code = self.direct().maker
        maker = self._maker
        if maker is None or maker.__code__ is not code:
            maker = self._maker = FunctionType(code, self.table.globals)
        made: FunctionType = maker(*captured)
        return made

    def instance(self) -> FunctionType:
        """A guest function, compiled when it is first called; it takes part in recompilation.

        Captures, of which only a session's functions have any here, are found in the unit's bindings.
        """
        if self.unit.definer and not self.function.domain:
            return self.variant(OWN, self.unit.definer).instance()
        stub = make_stub(self.function, self.key, self.filename) if self._direct is None else None
        if stub is None:
            names = self.function.variables
            made: FunctionType = self.maker()(*[self.unit.bindings[names[py]] for py in self.function.captures])
        else:
            self.table.note(stub, self)
            defaults = [UNSET if p.default is None else p.default.value for p in self.function.parameters if p.optional]
            made = FunctionType(stub, self.table.globals, self.function.name, tuple(defaults))
            self.table.globals[f"F:{self.key}"] = made
        count = len(self.functions)
        if count >= 8 and not count & (count - 1):  # often less and less: those that only this list holds
            self.functions[:] = [function for function in self.functions if getrefcount(function) > LISTED]
        self.functions.append(made)
        return made

    def held(self) -> list[Proto | FunctionType | CodeType]:
        """What it refers to of its file's version: one item for each reference."""
        found: list[Proto | FunctionType | CodeType] = [*self.variants.values(), *self.functions]
        found += [function for function, _ in self.resumables.values()]
        if self.base is not None:
            found.append(self.base)
        if self._maker is not None:
            found.append(self._maker)
        if self._direct is not None:
            found += [self._direct.code, self._direct.maker]
        return found

    def clear(self) -> None:
        """Let go of all that: nobody needs it any more, and the two refer to each other."""
        self.functions.clear()
        self.variants.clear()
        self.resumables.clear()
        self._direct = self._maker = self.base = None

    def link(self) -> None:
        """Give the function objects the direct shape's code."""
        code = self.direct().code
        for function in self.functions:
            function.__code__ = code

    def needs(self) -> None:
        """Bind the makers of the closures that the code of this function makes."""
        for node in ir.walk(self.function.body):
            if isinstance(node, ir.Op) and node.op == "closure":
                inner = self.unit.protos[node.data]
                made = [inner.variant(kind, DEFINER) for kind in (OWN, WEAKER)] if self.function.domain else [inner]
                for one in made:
                    key = f"K:{one.key}"
                    if key not in self.table.globals:
                        self.table.globals[key] = one.maker()

    def resumable(self, n: int, after: bool) -> tuple[FunctionType, Layout]:
        """The resumable shape entered at instruction n, or behind it."""
        found = self.resumables.get((n, after))
        if found is None:
            if not self.function.domain:  # guarded code asks for them by their keys there
                self.needs()
            made = make_resumable(self.function, self.unit.key, self.table.methods, n, after, self.filename)
            self.table.note(made.code, self, made.groups)
            found = self.resumables[n, after] = (FunctionType(made.code, self.table.globals), made.layout)
        return found

    def suspects(self, n: int, code: CodeType, offset: int) -> frozenset[int]:
        """The instructions that may have failed: those of the group that begins at n, narrowed by the bytecode."""
        group = range(n, max(n, self.direct().groups.get(n, n)) + 1)
        ops = [node for node in ir.walk(self.function.body) if isinstance(node, ir.Op) and node.n in group]
        found = next((i for i in dis.get_instructions(code) if i.offset == offset), None)
        if found is None:
            return frozenset(node.n for node in ops)
        named = tested(code, offset) if self.function.domain else None
        if named is not None:
            return frozenset((named,))
        if found.opname in ("UNARY_POSITIVE", "CALL_INTRINSIC_1"):  # the second from CPython 3.12 on
            # The sign in front of an operand that must be a number: the generator knows where it has put one.
            kinds = Inference(self.function, frozenset(self.failed), truths(self.function.body)).operands
            likely = [
                node.n for node in ops if node.op in ARITHMETIC and any(doubts(node.op, kinds.get(node.n, (ANY, ANY))))
            ]
        else:
            argument = found.argrepr if found.opname == "BINARY_OP" else found.argval
            likely = [node.n for node in ops if could_be(node, found.opname, argument)]
        return frozenset(likely or [node.n for node in ops])

    def stores(self, values: dict[str, Any]) -> dict[int, int]:
        """Guarded code guesses of a field that it gets an object: those that are about to get something else.  A
        constructor has one for each parameter, and they are not to fail one by one."""
        ops = [node for node in ir.walk(self.function.body) if isinstance(node, ir.Op) and node.op == "setfield"]
        found = [op.n for op in ops if type(values.get(str(op.args[1]))) in (int, str, float, bool, bytes, range)]
        return {-n: 1 for n in found if -n not in self.failed}

    def speculation_failed(self, n: int, code: CodeType, offset: int, values: dict[str, Any]) -> None:
        """Compile the direct shape again, with tests where the speculation has failed.

        ``offset`` is that of the failed bytecode, ``values`` are the frame's locals.  Function objects keep their
        identity: they are given the new code.
        """
        if (id(code), offset) in self.settled:
            return
        # A closure that exists keeps the code that it was made with: that it fails again says nothing of the new one.
        stale = bool(self.function.domain) and self._direct is not None and code is not self._direct.code
        most = 1 if stale else 2
        new = {i: self.failed.get(i, 0) + 1 for i in self.suspects(n, code, offset) if self.failed.get(i, 0) < most}
        if not new:
            self.settled.add((id(code), offset))
            return
        if self.function.domain:
            new = self.stores(values) | new
        self._compile_again(new)

    def read_late(self, n: int) -> None:
        """Compile the direct shape again, with a loop that reads nothing ahead: the number is its own, or that of its
        safepoint."""
        if n not in self.failed:
            self._compile_again({n: 1})

    def forget_ahead(self) -> None:
        """Compile the direct shape again where a loop reads ahead."""
        if self._direct is not None and any(AHEAD.match(name) for name in self._direct.code.co_varnames):
            self._compile_again({})

    def _compile_again(self, new: dict[int, int]) -> None:
        self.rounds += 1
        if self.rounds > RECOMPILES_MAX:
            new = dict.fromkeys(range(1, self.function.size), 2)
        self.failed = self.failed | new
        self._direct = None
        self.link()
        key = f"K:{self.key}"
        if key in self.table.globals:
            self.table.globals[key] = self.maker()


def tested(code: CodeType, offset: int) -> int | None:
    """The instruction whose object was found not to be own by a test of guarded code, which names it:
    ``if x._o is not d1: _foreign(17)``; None when something else has failed."""
    before: int | None = None
    wanted = False
    for i in dis.get_instructions(code):
        if i.offset >= offset and not wanted:
            if i.opname.startswith(("CALL", "PRECALL")) and before is not None:
                return before
            if i.argval != "_o":
                return None
            wanted = True
        if i.opname == "LOAD_GLOBAL":
            before = 0 if i.argval == "_foreign" else None  # no instruction has the number 0
        elif i.opname == "LOAD_CONST" and before == 0:
            if wanted:
                return int(i.argval)
            before = i.argval
        elif not i.opname.startswith(("PRECALL", "CALL", "PUSH_NULL", "CACHE")):
            before = None if before != 0 else before
    return None


OPERATORS = {symbol: name for name, symbol in ARITHMETIC.items()}


INLINED = {"append": "push", "g": "get", "l": "pop"}
"""Attribute of the raw container that fails, and the method of which it is part."""


def could_be(op: ir.Op, opname: str, argument: Any) -> bool:
    """Could this bytecode be the failing part of the operation's speculative template?"""
    if opname == "BINARY_OP":
        return op.op == OPERATORS.get(argument.removesuffix("="))
    if opname == "UNARY_NEGATIVE":
        return op.op == "neg"
    if opname == "BINARY_SUBSCR":
        return op.op == "index"
    if opname == "STORE_SUBSCR":
        return op.op == "setindex"
    if opname == "CONTAINS_OP":
        return op.op in ("in", "notin")
    if opname == "COMPARE_OP":
        return op.op in ("lt", "le", "gt", "ge")
    if argument == "v":
        length = op.op == "callg" and op.data[0] == "b:len"
        return length or (op.op == "callm" and op.data[0] == "push")
    if argument == "l" and op.op in ("setindex", "iter"):
        return True
    if argument == "e":
        return op.op == "index"
    if argument == "w":
        return op.op == "setindex"
    if argument == "k":
        return op.op in ("in", "notin")
    if isinstance(argument, str) and argument.startswith(("m_", "n_")):
        return op.op == "callm" and op.data[0] == argument[2:]
    if isinstance(argument, str) and argument.startswith("f_"):
        return op.op in ("getfield", "setfield") and op.data == argument[2:]
    if argument == "n":
        return op.op == "call"
    if argument in INLINED:
        return (op.op == "callm" and op.data[0] == INLINED[argument]) or (argument == "g" and op.op == "getfield")
    return False


class CodeTable:
    """All code of one world."""

    def __init__(self, globals_: dict[str, Any], methods: RawMethods, enter: bool = False) -> None:
        self.globals = globals_
        self.enter = enter
        """Run everything in the resumable shape: a test of that shape."""
        self.methods = methods
        self.protos: dict[str, Proto] = {}
        self._by_code: dict[int, tuple[CodeType, Proto, dict[int, int]]] = {}
        self.sites: dict[int, dict[int, Site | None]] = {}
        """By identity of a code object (to hash it means to hash all that is in it), and offset of an instruction, what
        a reader of stacks has found there; None for a line of the machine, by which a frame has handed over to another
        shape of its function, which stands above it."""

    def add(self, unit: Unit, hash_: str, source: Source) -> UnitCode:
        """Protos of a unit; its makers become globals."""
        linked = UnitCode(unit, f"{unit.module}@{hash_[:12]}", hash_, source, [], tops=tops(unit))
        for function in unit.functions:
            proto = Proto(function, linked, self)
            linked.protos.append(proto)
            self.protos[proto.key] = proto
        return linked

    def read_nothing_ahead(self) -> None:
        """From now on a read may run code of a program: no loop may read ahead."""
        if self.methods.ahead:
            self.methods = replace(self.methods, ahead=False)
            for proto in list(self.protos.values()):  # to compile one may add others
                proto.forget_ahead()

    def note(self, code: CodeType, proto: Proto, groups: dict[int, int] | None = None) -> None:
        """Remember whose code it is, and its groups of instructions.  The entry keeps the code alive, so its id is not
        given out again."""
        self._by_code[id(code)] = (code, proto, groups or {})

    def units_of_protos(self) -> Iterator[tuple[str, UnitCode]]:
        """The version of a file that each proto belongs to, by the proto's key."""
        for key, proto in self.protos.items():
            yield key, proto.unit

    def units_of_codes(self) -> Iterator[tuple[int, UnitCode]]:
        """The version of a file that each code object belongs to, by a number of the code."""
        for number, (_, proto, _) in self._by_code.items():
            yield number, proto.unit

    def of_code(self, number: int) -> tuple[CodeType, Proto]:
        """A code object and whose it is."""
        return self._by_code[number][:2]

    def remove_codes(self, numbers: Iterable[int]) -> None:
        """Code of which nobody can meet a frame any more."""
        for number in numbers:
            del self._by_code[number]
            self.sites.pop(number, None)

    def proto_of(self, code: CodeType) -> Proto | None:
        """The function that a code object belongs to; None for host code."""
        found = self._by_code.get(id(code))
        return found[1] if found is not None else None

    def last_of(self, code: CodeType, first: int) -> int:
        """The last instruction of the group that begins with ``first`` in a code object."""
        found = self._by_code.get(id(code))
        return found[2].get(first, first) if found is not None else first


def tops(unit: Unit) -> frozenset[int]:
    """The functions of a file that are code: its statements, definitions, methods, defaults and tests."""
    found = {unit.main, *unit.definitions.values(), *(index for _, index in unit.tests)}
    for spec in unit.classes:
        found.update(spec.methods.values())
        found.update(field.function for field in spec.fields if field.function is not None)
    return frozenset(index for index in found if index is not None)


Place = tuple[str, int, str]
"""File, line, function: what a trace shows."""


def place_of(proto: Proto, n: int) -> Place | None:
    """Where an instruction comes from; None for the machine's own lines (entry of a deoptimised frame)."""
    if n not in proto.places:
        span = proto.function.spans.get(n)
        source = proto.unit.source
        place = (source.name, source.position(span[0])[0], proto.function.name) if span is not None else None
        proto.places[n] = place
    return proto.places[n]
