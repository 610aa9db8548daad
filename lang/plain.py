"""The plain form of IR: nested lists of nil, Bools, numbers, Texts and Bytes, as a world keeps it.

A frame on disk means its function's instructions by number, so that function is kept as it was compiled, whatever later
compilers make of its source.  ``IR_VERSION`` (:mod:`holdfast.lang.ir`) is kept beside it: :func:`from_plain` reads
every version that there ever was.

A body is one list of its nodes, each in front of those inside of it, since programs nest deeper than what reads lists
within lists.  A node is ``[kind, n, …]`` with the node's fields in order, where the nodes inside are their number; an
operand is a Text (a local) or ``[value]`` (a constant); tuples are lists.  (Up to version 2 the nodes inside stood
there themselves, and nothing told where variables are in scope.)

What comes from a disk is only put in shape here: whether it may become code is decided by
:func:`holdfast.lang.verify.verify_function`, as for any other IR.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.lang import ir

Plain = list[Any]


ADDED: dict[int, Plain] = {1: ["", "", []], 2: [[]], 3: []}
"""For each version the fields that it does not have yet."""


class PlainError(ValueError):
    """What is no plain form of IR."""


def to_plain(function: ir.Function) -> Plain:
    """The function in plain form."""
    parameters = [[p.name, p.py, p.optional, _constant(p.default), p.rest] for p in function.parameters]
    return [
        function.name,
        function.index,
        parameters,
        list(function.captures),
        [_node(node) for node in ir.walk(function.body)],
        function.size,
        [[n, *span] for n, span in function.spans.items()],
        [list(pair) for pair in function.variables.items()],
        sorted(function.boxed),
        function.doc,
        function.method,
        [[n, *names] for n, names in function.handling.items()],
        function.domain,
        function.definer,
        [[py, *span] for py, span in function.scopes.items()],
    ]


def _constant(const: ir.Const | None) -> Plain | None:
    return None if const is None else [const.value]


def _operand(operand: ir.Operand) -> Any:
    return operand if isinstance(operand, str) else [operand.value]


def _lists(data: Any) -> Any:
    return [_lists(part) for part in data] if type(data) is tuple else data


def _node(node: ir.Node) -> Plain:
    match node:
        case ir.Op():
            return ["op", node.n, node.op, node.dst, [_operand(arg) for arg in node.args], _lists(node.data)]
        case ir.If():
            return ["if", node.n, _operand(node.cond), len(node.then), len(node.other)]
        case ir.Logic():
            return ["logic", node.n, node.op, node.dst, _operand(node.left), len(node.right), _operand(node.result)]
        case ir.Loop():
            return ["loop", node.n, len(node.body), node.once]
        case ir.For():
            return ["for", node.n, node.iterator, list(node.names), len(node.body)]
        case ir.Try():
            return ["try", node.n, len(node.body), node.error]
        case ir.Break():
            return ["break", node.n]
        case ir.Continue():
            return ["continue", node.n]
        case ir.Return():
            return ["return", node.n, _operand(node.value)]


def from_plain(plain: Any, version: int) -> ir.Function:
    """The function again.

    Raises PlainError when this is no function, or of a version that is not known.
    """
    if version not in range(1, ir.IR_VERSION + 1):
        raise PlainError(f"code of version {version}, and this program knows 1 to {ir.IR_VERSION}")
    try:
        fields: Plain = [*plain, *ADDED[version]]
        name, index, parameters, captures, body, size, spans, variables, boxed, doc, method, *rest = fields
        handling, domain, definer, scopes = rest
        made = ir.Function(
            _text(name),
            _index(index),
            [_parameter(one) for one in parameters],
            [_text(one) for one in captures],
            _read_flat(body) if version >= 3 else _read_nested(body),
            _whole(size),
            {_whole(n): (_whole(first), _whole(last)) for n, first, last in spans},
            {_text(py): _text(shown) for py, shown in variables},
            frozenset(_text(one) for one in boxed),
            None if doc is None else _text(doc),
            method is True,
            {_whole(n): tuple(_text(one) for one in names) for n, *names in handling},
            _text(domain),
            _text(definer),
            {_text(py): (_whole(first), _whole(end)) for py, first, end in scopes},
        )
    except (TypeError, ValueError, IndexError, RecursionError) as error:
        raise PlainError(f"it is no function: {error}") from None
    return made


def _text(value: Any) -> str:
    if type(value) is not str:
        raise PlainError("a name that is no Text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise PlainError("a number that is none")
    return value


def _index(value: Any) -> int:
    """A constructor, which is of no function of its file, has a negative one."""
    if type(value) is not int:
        raise PlainError("an index that is no number")
    return value


def _read_operand(plain: Any) -> ir.Operand:
    if type(plain) is list:
        (value,) = plain
        return ir.Const(value)
    return _text(plain)


def _parameter(plain: Any) -> ir.Parameter:
    name, py, optional, default, rest = plain
    const = None if default is None else _read_operand(default)
    if isinstance(const, str):
        raise PlainError("a default that is no constant")
    return ir.Parameter(_text(name), _text(py), optional is True, const, rest is True)


def _tuples(data: Any) -> Any:
    return tuple(_tuples(part) for part in data) if type(data) is list else data


def _maybe(name: Any) -> str | None:
    return None if name is None else _text(name)


def _read_flat(plain: Any) -> list[ir.Node]:
    """From the last node to the first: what a node has inside is what was read before it."""
    behind: list[ir.Node] = []
    for node in reversed(plain):
        behind.append(_read_node(lambda count: [behind.pop() for _ in range(_whole(count))], *node))
    return behind[::-1]


def _read_nested(plain: Any) -> list[ir.Node]:
    return [_read_node(_read_nested, *node) for node in plain]


def _read_node(inside: Callable[[Any], list[ir.Node]], kind: str, n: int, *rest: Any) -> ir.Node:
    match kind, *rest:
        case "op", op, dst, args, data:
            return ir.Op(n, _text(op), _maybe(dst), tuple(_read_operand(arg) for arg in args), _tuples(data))
        case "if", cond, then, other:
            return ir.If(n, _read_operand(cond), inside(then), inside(other))
        case "logic", op, dst, left, right, result:
            left, result = _read_operand(left), _read_operand(result)
            return ir.Logic(n, _text(op), _text(dst), left, inside(right), result)
        case "loop", body, once:
            return ir.Loop(n, inside(body), once is True)
        case "for", iterator, names, body:
            return ir.For(n, _text(iterator), tuple(map(_text, names)), inside(body))
        case "try", body, error:
            return ir.Try(n, inside(body), _text(error))
        case ("break",):
            return ir.Break(n)
        case ("continue",):
            return ir.Continue(n)
        case "return", value:
            return ir.Return(n, _read_operand(value))
    raise PlainError(f"a node of the unknown kind {kind!r}")
