"""The verifier: what generated code may contain.

The sandbox stands on emitting only what is safe.  Nothing here filters guest source, which is never Python; these
checks catch mistakes of the generator, and IR that somebody has edited in the store.  There are three, and they
share no code with the generator: the IR's names and operations, the syntax tree's node classes and names, the
finished code objects.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from types import CodeType
from typing import Any

from holdfast.lang import ir

HELPERS = frozenset(
    "_link _T _U _HOST _State _Field _Function _List _Map _Set _Box _poll _safepoint _dirty _deopt _enter _caught _unwind "
    "_check _lookup _method _throw _rethrow _assertion _catchable _product _repeat _required _too_long _without _len _text _join _inrange "
    "_iter1 _iter2 _pairgone _pairkey _pairvalue _getbox _getfield_or_nil _index_or_nil _map _spawn _atomic_begin "
    "_atomic_commit _atomic_abort _behalf_begin _behalf_end "
    "o_add o_sub o_mul o_div o_fdiv o_mod o_pow o_neg o_lt o_le o_gt o_ge o_in o_notin o_index o_setindex o_slice "
    "o_range o_len o_getfield o_setfield "
    "type isinstance range iter list int float str bytes bool Exception".split()
)
"""Globals of the machine that generated code may name.  No guest name lacks a prefix, so none can shadow them."""

SCRATCH = frozenset("_d _s _x _r _n _m pc f r maker".split())
ATTRIBUTES = frozenset("v e k _t _i append fn values function join startswith endswith".split())
_PREFIXED = re.compile(r"(?:f|m)_[A-Za-z_][A-Za-z0-9_]*\Z")
_LOCAL = re.compile(r"(?:b?[vk][0-9]*_[A-Za-z_][A-Za-z0-9_]*|i?t[0-9]+)\Z")
_GLOBAL = re.compile(r"[^\x00-\x1f]*:[^\x00-\x1f]*\Z")

NODES = frozenset(
    (
        ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.Expr, ast.If, ast.While,
        ast.For, ast.Try, ast.ExceptHandler, ast.Raise, ast.Break, ast.Continue, ast.Pass, ast.Name, ast.Load,
        ast.Store, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.keyword, ast.BinOp, ast.UnaryOp,
        ast.BoolOp, ast.Compare, ast.IfExp, ast.Tuple, ast.List, ast.Dict, ast.Add, ast.Sub, ast.Mult, ast.Div,
        ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE,
        ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn,
    )
)  # fmt: skip
CONSTANTS = frozenset((type(None), bool, int, float, str, bytes, tuple, CodeType))


class VerifyError(RuntimeError):
    """Generated code, or IR from the store, holds something that it must not; it is not run."""


def _require(condition: bool, what: str) -> None:
    """A check that stays on under ``python -O``."""
    if not condition:
        raise VerifyError(f"refused by the verifier: {what}")


def local_ok(name: str) -> bool:
    """A name that a local of generated code may have."""
    return name in SCRATCH or _LOCAL.match(name) is not None


def global_ok(name: str) -> bool:
    """A helper, or the key of a definition, class or maker, which always has a colon."""
    return name in HELPERS or _GLOBAL.match(name) is not None or name in ("root", "caps", "threads")


def attribute_ok(name: str) -> bool:
    """A slot of the machine, or a prefixed guest name."""
    return name in ATTRIBUTES or _PREFIXED.match(name) is not None


def verify_function(function: ir.Function) -> None:
    """Check the names in IR: they are about to become part of Python text."""
    locals_ = {p.py for p in function.parameters} | set(function.captures) | ir.assigned(function.body)
    for name in locals_:
        _require(_LOCAL.match(name) is not None, f"local {name!r}")
    for node in ir.walk(function.body):
        _require(type(node.n) is int and 0 < node.n < function.size, "an instruction number")
        if isinstance(node, ir.For):
            _require(node.iterator in locals_, "an iterator")
        if not isinstance(node, ir.Op):
            continue
        _require(node.op in OPERATIONS, f"operation {node.op!r}")
        for arg in node.args:
            known = _LOCAL.match(arg) is not None if isinstance(arg, str) else type(arg.value) in CONSTANTS
            _require(known, "an operand")
        if node.op in ("getfield", "setfield", "getfield_or_nil"):
            _require(_PREFIXED.match(f"f_{node.data}") is not None, f"field {node.data!r}")
        if node.op in ("call", "callg", "callm", "calls"):
            target, _, names = node.data
            for name in names if node.op != "callm" else (target, *names):
                _require(_PREFIXED.match(f"m_{name}") is not None, f"name {name!r}")
        if node.op == "spawn":
            for name in node.data[3]:
                _require(_PREFIXED.match(f"m_{name}") is not None, f"name {name!r}")


OPERATIONS = frozenset(
    "move add sub mul div fdiv mod pow neg not lt le gt ge eq ne in notin range isinst isnil matches getfield setfield "
    "index setindex slice call callg callm calls list map text global closure box getbox setbox iter alloc spawn "
    "required safepoint throw rethrow assert atomic_begin atomic_commit atomic_abort restlist isunset inrange islist "
    "getfield_or_nil index_or_nil pairgone pairkey pairvalue behalf_begin behalf_end".split()
)


_CONTEXTS = frozenset((ast.Load, ast.Store))


def verify_tree(tree: ast.Module, visit: Callable[[ast.AST], None] | None = None) -> None:
    """Check node classes and names before compilation.  ``visit`` sees each node first, and may rename it."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        cls = type(node)
        _require(cls in NODES, f"node {cls.__name__}")
        if visit is not None:
            visit(node)
        check = _CHECKS.get(cls)
        if check is not None:
            check(node)
        for value in node.__dict__.values():
            if type(value) is list:
                stack.extend(v for v in value if isinstance(v, ast.AST))
            elif isinstance(value, ast.AST) and type(value) not in _CONTEXTS:
                stack.append(value)


def _name(node: Any) -> None:
    name = node.id
    _require(local_ok(name) or (type(node.ctx) is ast.Load and global_ok(name)), f"name {name!r}")


def _attribute(node: Any) -> None:
    _require(attribute_ok(node.attr), f"attribute {node.attr!r}")


def _arg(node: Any) -> None:
    _require(local_ok(node.arg), f"parameter {node.arg!r}")


def _keyword(node: Any) -> None:
    _require(node.arg is not None and local_ok(node.arg), "a keyword")


def _definition(node: Any) -> None:
    _require(node.name in SCRATCH and not node.decorator_list, "a definition")


def _handler(node: Any) -> None:
    named = node.type.id if isinstance(node.type, ast.Name) else ""
    _require(node.name is None and named in ("Exception", "_HOST"), "an except clause")


def _call(node: Any) -> None:
    _require(not any(isinstance(a, ast.Starred) for a in node.args), "a starred argument")


_CHECKS: dict[type[ast.AST], Callable[[Any], None]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.arg: _arg,
    ast.keyword: _keyword,
    ast.FunctionDef: _definition,
    ast.ExceptHandler: _handler,
    ast.Call: _call,
}


def verify_code(code: CodeType, depth: int = 0) -> None:
    """Check a finished code object and those inside it."""
    _require(depth <= 2, "nested code")
    for name in code.co_names:
        _require(global_ok(name) or attribute_ok(name), f"code name {name!r}")
    for name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
        _require(local_ok(name), f"code variable {name!r}")
    stack = list(code.co_consts)
    while stack:
        value = stack.pop()
        _require(type(value) in CONSTANTS, f"constant of type {type(value).__name__}")
        if type(value) is tuple:
            stack.extend(value)
        elif type(value) is CodeType:
            verify_code(value, depth + 1)
    forbidden = 0x20 | 0x80 | 0x200  # generator, coroutine, async generator
    _require(code.co_flags & forbidden == 0, "a generator")
