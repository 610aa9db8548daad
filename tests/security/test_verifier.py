"""The verifier refuses what the generator would never emit: in IR, in syntax trees and in finished code objects."""

from __future__ import annotations

import ast
from types import CodeType
from typing import Any

import pytest

from holdfast.lang import ir
from holdfast.lang.assemble import make_direct, make_resumable
from holdfast.lang.lines import RawMethods
from holdfast.lang.verify import VerifyError, verify_code, verify_function, verify_tree

NONE = RawMethods(frozenset(), frozenset())


def function(*nodes: ir.Node, **more: Any) -> ir.Function:
    """A function of these nodes."""
    body = list(nodes)
    for number, node in enumerate(ir.walk(body), 1):
        node.n = number
    return ir.Function("f", 0, more.pop("parameters", []), more.pop("captures", []), body, len(ir.walk(body)) + 1)


def op(name: str, dst: str | None = None, *args: Any, data: Any = None) -> ir.Op:
    """One instruction."""
    return ir.Op(0, name, dst, args, data)


def refused(made: ir.Function) -> None:
    """No stage lets the function pass."""
    with pytest.raises(VerifyError):
        verify_function(made)
    with pytest.raises(VerifyError):
        make_direct(made, "m@1", NONE, {}, "<hold>")
    with pytest.raises(VerifyError):
        make_resumable(made, "m@1", NONE, 1, False, "<hold>")


def test_a_plain_function_passes() -> None:
    """What lowering makes is accepted."""
    made = function(op("move", "t1", ir.Const(1)), op("add", "v_x", "t1", ir.Const(2)), ir.Return(0, "v_x"))
    verify_function(made)
    make_direct(made, "m@1", NONE, {}, "<hold>")


EVIL_NAMES = [
    "x", "__import__", "_deopt", "v_x.__class__", "v_x; import os", "v_x\n", "v_é", "v_", "print", "t", "v x", "",
    "v_x=1", "v_x)(", "_T", "f", "v_x\x00", "t1\nimport os", "v_\uff41",
]  # fmt: skip


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_of_locals(name: str) -> None:
    """A local has the name of a variable or temporary, wherever it stands."""
    refused(function(op("move", name, ir.Const(1))))
    refused(function(op("move", "t1", name)))
    refused(function(ir.Return(0, name)))
    refused(function(ir.If(0, name, [], [])))
    refused(function(ir.Logic(0, "and", name, ir.Const(1), [], ir.Const(1))))
    refused(function(ir.Logic(0, "and", "t1", name, [], ir.Const(1))))
    refused(function(ir.Logic(0, "and", "t1", ir.Const(1), [], name)))
    refused(function(ir.Try(0, [], name)))
    refused(function(op("move", "it1", ir.Const(None)), ir.For(0, "it1", (name,), [])))
    refused(function(ir.For(0, name, ("v_x",), [])))
    refused(function(ir.Return(0, ir.Const(1)), parameters=[ir.Parameter("p", name, False, None, False)]))
    refused(function(ir.Return(0, ir.Const(1)), captures=[name]))


EVIL_FIELDS = ["x.y", "x y", "x=1", "", "x\n", "é", "x)(", "0", "x;y", "\uff41"]


@pytest.mark.parametrize("name", EVIL_FIELDS)
def test_names_of_fields_and_methods(name: str) -> None:
    """The name of a field, method or argument is an identifier of Hold."""
    for kind, args in (("getfield", 1), ("setfield", 2), ("getfield_or_nil", 1)):
        operands = [ir.Const(1)] * args
        refused(function(op(kind, "t1" if kind != "setfield" else None, *operands, data=name)))
    refused(function(op("callm", "t1", ir.Const(1), data=(name, 0, ()))))
    refused(function(op("callm", "t1", ir.Const(1), ir.Const(2), data=("m", 0, (name,)))))
    refused(function(op("call", "t1", "t1", ir.Const(2), data=(None, 0, (name,)))))
    refused(function(op("callg", "t1", ir.Const(2), data=("m:f", 0, (name,)))))
    refused(function(op("spawn", "t1", "t1", data=("callm", name, 0, (), None, None))))
    refused(function(op("spawn", "t1", "t1", ir.Const(1), data=("call", None, 0, (name,), None, None))))


EVIL_GLOBALS = ["__builtins__", "__import__", "_deopt", "print", "x", "open", "a.b", "_T", "type"]


@pytest.mark.parametrize("name", EVIL_GLOBALS)
def test_names_of_globals(name: str) -> None:
    """A definition's key has a colon, so it is no helper of the machine."""
    refused(function(op("global", "t1", data=name)))
    refused(function(op("callg", "t1", data=(name, 0, ()))))
    refused(function(op("spawn", "t1", data=("callg", name, 0, (), None, None))))


@pytest.mark.parametrize("name", ["exec", "import", "eval", "__class__", "op", "flush", "line", "", "raw", "take"])
def test_unknown_operations(name: str) -> None:
    """An operation that is not of the list is refused, even if the generator has a method of that name."""
    refused(function(op(name, "t1", ir.Const(1))))


@pytest.mark.parametrize("value", [(), [], {}, object(), print, 1j, ..., (1,), type, frozenset()])
def test_constants(value: Any) -> None:
    """A constant is nil, a Bool, an Int, a Float, a Text or a Bytes."""
    refused(function(op("move", "t1", ir.Const(value))))
    refused(function(ir.Return(0, ir.Const(value))))


def test_data_of_operations() -> None:
    """What an instruction carries besides its operands has the shape that its template expects."""
    refused(function(op("range", "t1", ir.Const(1), ir.Const(2), data="__import__('os')")))
    refused(function(op("slice", "t1", ir.Const(1), ir.Const(2), ir.Const(3), data="1); f(")))
    refused(function(op("inrange", "t1", ir.Const(1), data=("f()", 2, True))))
    refused(function(op("inrange", "t1", ir.Const(1), data=(1, 2, "f()"))))
    refused(function(op("islist", "t1", ir.Const(1), data="1 or f()")))
    refused(function(op("closure", "t1", data="0; f()")))
    refused(function(op("iter", "it1", ir.Const(1), data="1(f)")))
    refused(function(op("text", "t1", data=(print,))))
    refused(function(op("callm", "t1", ir.Const(1), data=("m", "0, f()", ()))))
    refused(function(op("isinst", "t1", ir.Const(1), data=5)))


def test_instruction_numbers() -> None:
    """Numbers are unique Ints inside the function's range: they become line numbers."""
    for n in (-1, 0, 99, "1", True, 1.0):
        made = function(op("move", "t1", ir.Const(1)), ir.Return(0, "t1"))
        made.body[0].n = n  # type: ignore[assignment]
        with pytest.raises(VerifyError):
            verify_function(made)


def test_what_an_edited_function_has_done() -> None:
    """What :mod:`tests.fuzz.test_functions` has found: each got past the verifier, and failed the generator."""
    one = ir.Const(1)
    refused(function(ir.Break(0)))
    refused(function(ir.Continue(0)))
    refused(function(ir.Loop(0, [ir.Continue(0)], once=True)))
    refused(function(ir.If(0, "v_x", [ir.Break(0)], [])))
    refused(function(op("not", None, one)))
    refused(function(op("box", None)))
    refused(function(op("setfield", "t1", one, one, data="x")))
    refused(function(op("truthy", "t1", one)))
    refused(function(op(["add"], "t1", one, one)))  # type: ignore[arg-type]
    refused(function(op("move", "it1", one), ir.For(0, "it1", (ir.Const({}),), [])))  # type: ignore[arg-type]
    refused(function(op("spawn", "t1", one, data=({}, None, 0, (), None, None))))
    twice = ir.Parameter("p", "v_p", False, None, False)
    refused(function(ir.Return(0, one), parameters=[twice, twice]))
    refused(function(ir.Return(0, one), parameters=[twice], captures=["v_p"]))
    with pytest.raises(VerifyError):
        make_resumable(function(op("call", "t1", "v_f", data=(None, 0, ()))), "m@1", NONE, 1, True, "<hold>")


# --------------------------------------------------------------------------- trees and code objects

EVIL_TREES = [
    "import os", "from os import path", "def f(): yield 1", "def f():\n global x", "def f(): nonlocal x",
    "class C: pass",
    "async def f(): pass", "f'{x}'", "lambda: 1", "[t1 for t1 in t2]", "(t1 for t1 in t2)", "{t1: 1 for t1 in t2}",
    "with t1: pass", "del t1", "assert t1", "match t1:\n case 1: pass", "match t1:\n case object(): pass", "t1 := 1",
    "(t1 := 1)", "t1[1:2]", "t1 += 1", "t1: int = 1", "f(*t1)", "f(**t1)", "t1 @ t2", "t1 ** t2", "t1 << t2", "~t1",
    "t1 | t2", "t1 & t2", "{t1}", "await t1", "try:\n f()\nexcept* Exception:\n f()",
    "try:\n f()\nexcept Exception as t1:\n f()", "try:\n f()\nexcept BaseException:\n f()", "try:\n f()\nexcept:\n f()",
    "try:\n f()\nexcept t1:\n f()", "try:\n f()\nfinally:\n f()", "@f\ndef f(): pass", "def evil(): pass",
    "def f(evil): pass", "def f(*, evil): pass", "def f(**evil): pass", "f(evil=1)", "evil = 1", "evil", "t1.evil",
    "t1.__class__", "t1.f_x.__dict__", "t1.gi_frame", "v_x.format", "__builtins__", "__import__", "type.mro",
    "for evil in t1: pass", "_deopt = 1", "o_add = 1", "type = 1", "...", "1j",
]  # fmt: skip


@pytest.mark.parametrize("source", EVIL_TREES)
def test_trees(source: str) -> None:
    """A syntax tree with a node or name that is not of the list is refused."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return  # Python itself refuses it
    with pytest.raises(VerifyError):
        verify_tree(tree)
        verify_code(compile(tree, "x", "exec"))


def test_crafted_trees() -> None:
    """Names that Python's parser would never make are refused as well."""
    for name in ("a b", "f_x\n", "v_x.y", "v_x\0"):
        for node in (ast.Name(name, ast.Load()), ast.Attribute(ast.Name("v_x", ast.Load()), name, ast.Load())):
            tree = ast.Module([ast.Expr(node)], [])
            with pytest.raises(VerifyError):
                verify_tree(tree)


def code_of(source: str) -> CodeType:
    """The code object of a function."""
    module = compile(source, "x", "exec")
    return next(c for c in module.co_consts if isinstance(c, CodeType))


EVIL_CODE = [
    "def f(): return evil", "def f(): return t1.evil", "def f(): evil = 1", "def f(evil): return 1",
    "def f():\n yield 1", "async def f(): pass", "def f(): return __builtins__", "def f(): return ().__class__",
    "def f(): import os", "def f(): return 1j", "def f(): return ...", "def f(t1): return t1 in {1, 2}",
    "def f():\n def f():\n  def f():\n   def f(): return 1\n   return f\n  return f\n return f",
    "def f():\n class C: pass", "def f(): return lambda evil: 1", "def f():\n global evil\n evil = 1",
]  # fmt: skip


@pytest.mark.parametrize("source", EVIL_CODE)
def test_code_objects(source: str) -> None:
    """A code object with a name, constant, flag or nesting that is not of the list is refused."""
    with pytest.raises(VerifyError):
        verify_code(code_of(source))


def test_crafted_code_objects() -> None:
    """Names and constants that were put into a good code object afterwards are found."""
    good = code_of("def f(t1): return t1.f_x")
    verify_code(good)
    for change in (
        {"co_names": ("__class__",)}, {"co_varnames": ("evil",)}, {"co_consts": (object(),)},
        {"co_consts": ((1, (print,)),)}, {"co_consts": (code_of("def f(): return evil"),)},
        {"co_flags": good.co_flags | 0x20}, {"co_flags": good.co_flags | 0x80}, {"co_flags": good.co_flags | 0x200},
        {"co_consts": (frozenset((1,)),)},
    ):  # fmt: skip
        with pytest.raises(VerifyError):
            verify_code(good.replace(**change))  # type: ignore[arg-type]
