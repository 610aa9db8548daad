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
from holdfast.lang.guard import VARIANTS

HELPERS = frozenset(
    "_link _T _U _HOST _State _Field _Function _List _Map _Set _Box _poll _safepoint _dirty _deopt _late _enter "
    "_caught "
    "_unwind _check _callable _lookup _method _throw _rethrow _assertion _catchable _product _repeat _required "
    "_too_long _without _len _text _join _inrange "
    "_Cap _capis _S _foreign _place _weaker _weakfn "
    "p_root p_caps p_threads p_eq p_ne p_lt p_le p_gt p_ge p_add p_mul p_in p_notin p_islist p_getfield p_setfield "
    "p_getfield_or_nil p_index_or_nil p_index p_setindex p_slice p_pairgone p_pairkey p_pairvalue p_getbox p_setbox "
    "p_text p_map p_rest p_closure p_iter1 p_iter2 p_throw p_assertion p_safepoint p_call p_callee p_lookup p_len "
    "p_spawn p_made p_spent p_behalf "
    "_iter1 _iter2 _pairgone _pairkey _pairvalue _getbox _getfield_or_nil _index_or_nil _map _spawn _start "
    "_atomic_begin _atomic_commit _atomic_abort _behalf_begin _behalf_end "
    "o_add o_sub o_mul o_div o_fdiv o_mod o_pow o_neg o_lt o_le o_gt o_ge o_in o_notin o_index o_setindex o_slice "
    "o_range o_len o_getfield o_setfield "
    "type isinstance range iter list int float str bytes bool Exception".split()
)
"""Globals of the machine that generated code may name.  No guest name lacks a prefix, so none can shadow them."""

SCRATCH = frozenset("_d _s _x _r _n _m _c pc f r maker".split())
ATTRIBUTES = frozenset(
    "v e w k l g n get pop _t _i _o left "
    "append fn values function join startswith endswith split upper lower strip".split()
)
_PREFIXED = re.compile(r"(?:f|m|n)_[A-Za-z_][A-Za-z0-9_]*\Z")
_LOCAL = re.compile(r"(?:b?[vk][0-9]*_[A-Za-z_][A-Za-z0-9_]*|i?t[0-9]+|h[0-9]+|d[012])\Z")
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


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SCALARS = frozenset((type(None), bool, int, float, str, bytes))
_MANY = 1 << 30


def _is_name(value: Any) -> bool:
    return type(value) is str and _NAME.match(value) is not None


def _is_key(value: Any) -> bool:
    """The key of a definition: it becomes a global, which has a colon."""
    return type(value) is str and (_GLOBAL.match(value) is not None or value in ("root", "caps", "threads"))


def _is_class(value: Any) -> bool:
    """What follows ``C:`` in the key of a class, or the name of a kind."""
    return type(value) is str and _GLOBAL.match(f"C:{value}") is not None


def _is_super(value: Any) -> bool:
    return type(value) is tuple and len(value) == 2 and _is_class(value[0]) and _is_name(value[1])


_TARGETS: dict[str, tuple[int, Callable[[Any], bool]]] = {
    "call": (1, lambda target: target is None),
    "callg": (0, _is_key),
    "callm": (1, _is_name),
    "calls": (1, _is_super),
}
"""Kind of call to the number of operands in front of the arguments, and what its target must be."""


def _is_call(kind: str, target: Any, positional: Any, names: Any, count: int) -> bool:
    """Data of a call with ``count`` operands."""
    if type(kind) is not str or kind not in _TARGETS or type(positional) is not int or type(names) is not tuple:
        return False
    before, good = _TARGETS[kind]
    return good(target) and all(map(_is_name, names)) and 0 <= positional == count - before - len(names)


def _is_spawn(op: ir.Op) -> bool:
    if type(op.data) is not tuple or len(op.data) != 6:
        return False
    kind, target, positional, names, *lists = op.data
    extra = 0
    for one in lists:
        if one is not None:
            if type(one) is not tuple or not all(map(_is_name, one)):
                return False
            extra += len(one)
    return _is_call(kind, target, positional, names, len(op.args) - extra)


def _none(op: ir.Op) -> bool:
    return op.data is None


def _bool(op: ir.Op) -> bool:
    return type(op.data) is bool


def _call_data(op: ir.Op) -> bool:
    return type(op.data) is tuple and len(op.data) == 3 and _is_call(op.op, *op.data, len(op.args))


def _text(op: ir.Op) -> bool:
    data = op.data
    return type(data) is tuple and len(data) == len(op.args) + 1 and all(type(piece) is str for piece in data)


def _inrange(op: ir.Op) -> bool:
    data = op.data
    return type(data) is tuple and tuple(map(type, data)) == (int, int, bool)


def _box(op: ir.Op) -> bool:
    return type(op.data) is tuple and tuple(map(type, op.data)) == (bool, str, bool)


def _pair(op: ir.Op, first: type) -> bool:
    data = op.data
    return type(data) is tuple and tuple(map(type, data)) == (first, str)


def _schemas() -> dict[str, tuple[int, int, Callable[[ir.Op], bool]]]:
    """Operation to the least and greatest number of operands, and the test of its data."""
    unary = "move neg not isnil isunset throw rethrow restlist behalf_begin behalf_end"
    binary = (
        "add sub mul div fdiv mod pow lt le gt ge eq ne in notin index index_or_nil pairgone pairkey pairvalue setbox"
    )
    nothing = "safepoint atomic_begin atomic_commit atomic_abort"
    out: dict[str, tuple[int, int, Callable[[ir.Op], bool]]] = {}
    for count, names in ((0, nothing), (1, unary), (2, binary), (3, "setindex")):
        out.update(dict.fromkeys(names.split(), (count, count, _none)))
    out.update(dict.fromkeys(_TARGETS, (0, _MANY, _call_data)))
    return out | {
        "range": (2, 2, _bool),
        "slice": (3, 3, _bool),
        "isinst": (1, 1, lambda op: _is_class(op.data)),
        "matches": (1, 1, lambda op: op.data is None or _is_class(op.data)),
        "getfield": (1, 1, lambda op: _is_name(op.data)),
        "getfield_or_nil": (1, 1, lambda op: _is_name(op.data)),
        "setfield": (2, 2, lambda op: _is_name(op.data)),
        "required": (1, 1, lambda op: _pair(op, str)),
        "list": (0, _MANY, _none),
        "map": (0, _MANY, lambda op: op.data is None and len(op.args) % 2 == 0),
        "text": (0, _MANY, _text),
        "global": (0, 0, lambda op: _is_key(op.data)),
        "closure": (0, _MANY, lambda op: type(op.data) is int),
        "box": (0, 1, _none),
        "getbox": (1, 1, _box),
        "iter": (1, 1, lambda op: type(op.data) is int and op.data in (1, 2)),
        "alloc": (0, 0, lambda op: _is_class(op.data)),
        "spawn": (0, _MANY, _is_spawn),
        "assert": (1, 3, lambda op: type(op.data) is str),
        "inrange": (1, 1, _inrange),
        "islist": (1, 1, lambda op: type(op.data) is int),
    }


OPERATIONS = _schemas()
_SILENT = frozenset(
    "setfield setindex setbox throw rethrow assert required safepoint atomic_begin atomic_commit atomic_abort "
    "behalf_end".split()
)
"""Operations that give nothing; what a call gives may be dropped, and all others have a local for it."""


def _result(op: ir.Op) -> None:
    _require((op.dst is None) if op.op in _SILENT else (op.dst is not None or op.op in _TARGETS), "a result")


def _jumps(function: ir.Function) -> None:
    """``break`` and ``continue`` stand in what they leave and begin again."""
    stack: list[tuple[list[ir.Node], bool, bool]] = [(function.body, False, False)]
    while stack:
        nodes, leaves, again = stack.pop()
        for node in nodes:
            _require(leaves or not isinstance(node, ir.Break), "a break outside a loop")
            _require(again or not isinstance(node, ir.Continue), "a continue outside a loop")
            turns = isinstance(node, ir.For) or (isinstance(node, ir.Loop) and not node.once)
            inside = (leaves or isinstance(node, ir.Loop | ir.For), again or turns)
            stack.extend((inner, *inside) for inner in ir.children(node))


def _operand(operand: Any) -> None:
    if type(operand) is str:
        _require(_LOCAL.match(operand) is not None, f"local {operand!r}")
    else:
        _require(type(operand) is ir.Const and type(operand.value) in _SCALARS, "an operand")


def verify_function(function: ir.Function) -> None:
    """Check everything in IR that becomes part of Python text."""
    for node in ir.walk(function.body):
        if isinstance(node, ir.For):
            _require(all(type(name) is str for name in node.names), "a loop")
    for name in (*(p.py for p in function.parameters), *function.captures, *ir.assigned(function.body)):
        _require(type(name) is str and _LOCAL.match(name) is not None, f"local {name!r}")
    named = [p.py for p in function.parameters] + function.captures
    _require(len(set(named)) == len(named), "two parameters of one name")
    for parameter in function.parameters:
        if parameter.default is not None:
            _operand(parameter.default)
    _require(function.domain in VARIANTS, "a variant")
    _require(function.definer in ("", "d2") or _GLOBAL.match(function.definer) is not None, "a definer")
    _jumps(function)
    numbers: set[int] = set()
    for node in ir.walk(function.body):
        _require(type(node.n) is int and 0 < node.n < function.size and node.n not in numbers, "an instruction number")
        numbers.add(node.n)
        match node:
            case ir.Op():
                _require(type(node.op) is str, "an operation")
                for arg in node.args:
                    _operand(arg)
                least, most, good = OPERATIONS.get(node.op, (0, -1, _none))
                _require(least <= len(node.args) <= most, f"operation {node.op!r}")
                _result(node)
                _require(good(node), f"data of operation {node.op!r}")
            case ir.If():
                _operand(node.cond)
            case ir.Logic():
                _require(node.op in ("and", "or"), "a logic operation")
                _operand(node.left)
                _operand(node.result)
            case ir.For():
                _operand(node.iterator)
                _require(type(node.iterator) is str and len(node.names) == 1, "a loop")
            case ir.Return():
                _operand(node.value)
            case _:
                _require(isinstance(node, ir.Loop | ir.Try | ir.Break | ir.Continue), "a node")


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


def _call_node(node: Any) -> None:
    _require(not any(isinstance(a, ast.Starred) for a in node.args), "a starred argument")


def _constant(node: Any) -> None:
    _require(type(node.value) in _SCALARS, f"constant of type {type(node.value).__name__}")


_CHECKS: dict[type[ast.AST], Callable[[Any], None]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.arg: _arg,
    ast.keyword: _keyword,
    ast.FunctionDef: _definition,
    ast.ExceptHandler: _handler,
    ast.Call: _call_node,
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
