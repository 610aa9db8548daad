"""From lines of generated Python to verified code objects.

The text is parsed by CPython, every node gets the number of its line's instruction (plus one, since lines count
from 1), stand-in names get the real keys of their globals, and the tree is checked against the allow-list of
:mod:`holdfast.lang.verify` before it is compiled; the finished code objects are checked once more, independently.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

from holdfast.lang import ir
from holdfast.lang.direct import Failed, direct
from holdfast.lang.lines import Line, NameTable, RawMethods
from holdfast.lang.resumable import Layout, resumable
from holdfast.lang.verify import VerifyError, verify_code, verify_function, verify_tree

SUPPORTED = ((3, 11), (3, 12), (3, 13))
_SLOT = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
"""A slot with a prefix, or one of the machine's own classes: no name with a leading underscore."""
LINE_BASE = 1
"""Added to an instruction's number to make its line number."""


class UnsupportedPython(RuntimeError):
    """This CPython has not been checked: its code objects could mean something else."""

    def __init__(self) -> None:
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        super().__init__(f"Holdfast runs on CPython 3.11 to 3.13, not on {found}: install one of them")


def check_python() -> None:
    """Refuse an interpreter that the generator was not written for."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in SUPPORTED:
        raise UnsupportedPython


@dataclass(slots=True, frozen=True)
class DirectCode:
    """``maker``: code of a function that takes the captures and returns the guest function; ``code``: the latter's."""

    maker: CodeType
    code: CodeType
    groups: dict[int, int]
    """First instruction of each group to its last."""


@dataclass(slots=True, frozen=True)
class ResumableCode:
    """Code of a function of one argument, the state."""

    code: CodeType
    layout: Layout
    groups: dict[int, int]
    """First instruction of each group to its last."""


def build(lines: list[Line], names: NameTable, filename: str) -> CodeType:
    """Compile lines; returns the code object of their first definition."""
    text = "\n".join("\t" * line.depth + line.text for line in lines)
    tree = ast.parse(text, filename)
    real = names.real()
    numbers = [line.n + LINE_BASE for line in lines]

    def relabel(node: ast.AST) -> None:
        there: Any = node.__dict__
        line = there.get("lineno")
        if line is not None:
            there["lineno"] = there["end_lineno"] = numbers[line - 1]
            there["col_offset"] = there["end_col_offset"] = 0
            if "id" in there and there["id"] in real:
                there["id"] = real[there["id"]]

    verify_tree(tree, relabel)
    module = compile(tree, filename, "exec", dont_inherit=True, optimize=0)
    return next(c for c in module.co_consts if isinstance(c, CodeType))


def make_direct(
    function: ir.Function,
    module_key: str,
    methods: RawMethods,
    failed: Failed,
    filename: str,
    enter: bool = False,
    key: str = "",
    own: str = "",
) -> DirectCode:
    """The direct shape of a function.  ``module_key`` names the file's version in keys of makers, ``key`` the function
    in the machine.

    With ``enter`` it only enters the resumable shape.  ``own``: see :func:`direct`.
    """
    verify_function(function)
    names = NameTable(module_key)
    lines = direct(function, names, methods, failed, key or f"{module_key}:{function.index}", enter, own)
    maker = build(lines, names, filename)
    code = next(c for c in maker.co_consts if isinstance(c, CodeType)).replace(co_name=function.name)
    maker = maker.replace(co_consts=tuple(code if isinstance(c, CodeType) else c for c in maker.co_consts))
    verify_code(maker)
    return DirectCode(maker, code, groups_of(lines))


def groups_of(lines: list[Line]) -> dict[int, int]:
    """First instruction of each group to its last."""
    groups: dict[int, int] = {}
    for line in lines:
        groups[line.n] = max(line.last, groups.get(line.n, 0))
    return groups


@cache
def _stub(count: int) -> CodeType:
    """The code of a function of ``count`` parameters that has itself compiled, and calls itself again."""
    names = ", ".join(f"a{i}" for i in range(count))
    module = compile(f"def f({names}): _link('k'); return g({names})", "", "exec", dont_inherit=True, optimize=0)
    return next(c for c in module.co_consts if isinstance(c, CodeType))


def make_stub(function: ir.Function, key: str, filename: str) -> CodeType | None:
    """Code for a function that is compiled when it is first called; None when that cannot be (rest parameters).

    ``_link(key)`` gives the function its real code; ``F:key`` is the function.  A frame of a stub stands at a line
    of the machine, as one that has been deoptimised does.
    """
    if function.captures or any(p.rest for p in function.parameters):
        return None
    verify_function(function)
    stub = _stub(len(function.parameters))
    code = stub.replace(
        co_varnames=tuple(p.py for p in function.parameters),
        co_consts=tuple(key if c == "k" else c for c in stub.co_consts),
        co_names=tuple(f"F:{key}" if n == "g" else n for n in stub.co_names),
        co_name=function.name,
        co_filename=filename,
        co_firstlineno=function.size + LINE_BASE,
    )
    verify_code(code)
    return code


def make_filler(head: list[Any], slots: tuple[str, ...]) -> CodeType:
    """The code of a function of an object and a list: a record's values, ``head`` first, go into the object's slots.

    It refuses, and returns False, where the head is another one, or a value is of one of the types ``special``.  Else
    the object gets the class ``cls``.  Both are globals of the function, and so are ``type`` and ``len``.  One
    assignment takes a third of the time of a loop.
    """
    for name in slots:  # they become source (threat 10)
        if _SLOT.match(name) is None:
            raise VerifyError(f"refused by the verifier: {name!r} as a slot")
    firsts, fields = [f"h{i}" for i in range(len(head))], [f"v{i}" for i in range(len(slots))]
    expected = [
        f"{one} is None" if value is None else f"{one} == {int(value)}" for one, value in zip(firsts, head, strict=True)
    ]
    plain = [f"type({one}) not in special" for one in fields]
    source = f"""
def fill(obj, values):
    if len(values) != {len(head) + len(slots)}: return False
    {", ".join(firsts + fields)}, = values
    if not ({" and ".join(expected + plain)}): return False
    obj.__class__ = cls
    {"; ".join(f"obj.{name} = {one}" for name, one in zip(slots, fields, strict=True)) or "pass"}
    return True
"""
    module = compile(source, "", "exec", dont_inherit=True, optimize=0)
    return next(c for c in module.co_consts if isinstance(c, CodeType))


def make_resumable(
    function: ir.Function, module_key: str, methods: RawMethods, entry: int, after: bool, filename: str
) -> ResumableCode:
    """The resumable shape of a function, entered at (or, ``after`` a call, behind) an instruction."""
    verify_function(function)
    names = NameTable(module_key)
    lines, layout = resumable(function, names, methods, entry, after)
    code = build(lines, names, filename).replace(co_name=function.name)
    verify_code(code)
    return ResumableCode(code, layout, groups_of(lines))
