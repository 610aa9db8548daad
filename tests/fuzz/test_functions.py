"""Functions that somebody has edited in the store: the verifier refuses one, or its code is harmless.

A function of the intermediate representation is changed in a few places, as if by somebody who wants another meaning
out of the text that the generator makes of it: names, operands, data, numbers, structure.  The law: it is refused with
a ``VerifyError``, or its finished code, in every shape and variant, stands the test of :func:`harmless`, which shares
nothing with the verifier.  What it has found is in ``tests/security/test_verifier.py``.
"""

from __future__ import annotations

import dis
import re
from copy import deepcopy
from dataclasses import fields
from random import Random
from types import CodeType
from typing import Any

import pytest

from holdfast.lang import guard, ir
from holdfast.lang.assemble import make_direct, make_resumable
from holdfast.lang.diagnostics import CompileError
from holdfast.lang.lines import RawMethods
from holdfast.lang.verify import OPERATIONS, VerifyError
from holdfast.stdlib import library
from holdfast.vm.world import World
from tests.fuzz.budget import seeds
from tests.fuzz.sources import corpus

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")  # of CPython, about what nobody would write

METHODS = RawMethods(frozenset(), frozenset())
EVIL = [
    "__import__", "__class__", "__builtins__", "v_x.__class__", "v_x; import os", "t1\nimport os", "v_x)(", "print",
    "_deopt", "open", "", "v_", "t", "d1", "d2", "pc", "_s", "b:print", "x:y\nimport os", "F:x", "root", "caps",
    "K-1:x", "own", "given", "weaker", "\uff41", "v_\uff41", "f_x", "__", "a.b", "x=1", "\0", "self", "v_self", "it1",
    "None", "lambda: 1", "'", '"', "\\", "{x}", "%s", "#", "\r", "e", "v", "gi_frame", "mro", "_t", "_i", "_o",
]  # fmt: skip
ODD: list[Any] = [
    print, object(), 1j, ..., (), (1,), [], {}, frozenset(), type, None, True, False, -1, 0, 1, 2, 10**6, 1.5, b"x",
    ("m", 0, ()), (None, 0, ("evil",)), ("x", 1 << 40, ()), (False, "evil'", True), float("nan"), float("inf"),
]  # fmt: skip
NAMES = re.compile(r"(?!__)(?:[A-Za-z_][A-Za-z0-9_]*|[^\x00-\x1f]*:[^\x00-\x1f]*)\Z")
"""What the machine gives to generated code, and prefixed names of guests."""
HOST = frozenset(
    "open eval exec compile print input getattr setattr delattr vars globals locals dir object super property help "
    "breakpoint memoryview os sys builtins gi_frame gi_code cr_frame f_globals f_builtins f_code mro format format_map "
    "tb_frame func_globals im_func".split()
)
FORBIDDEN = re.compile(
    r"IMPORT|YIELD|GENERATOR|ASYNC|AWAIT|STORE_GLOBAL|DELETE_(?!FAST)|BUILD_CLASS|_NAME\b|_CLASSDEREF"
)
"""Operations of the host that no generated function has."""


def harmless(code: CodeType, maker: bool = True) -> None:
    """What runs reaches only what the machine gives it: no name of the host, no operation that makes or finds one."""
    for name in (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars):
        assert NAMES.match(name), name
        assert name not in HOST or name.startswith(("f_", "m_", "n_", "v_")), name
    for step in dis.get_instructions(code):
        assert not FORBIDDEN.search(step.opname), step
    for value in code.co_consts:
        if isinstance(value, CodeType):
            harmless(value, False)
        else:
            plain(value)


def plain(value: Any) -> None:
    """A constant that cannot be changed, and does nothing."""
    if type(value) is tuple:
        for item in value:
            plain(item)
    else:
        assert value is None or type(value) in (bool, int, float, str, bytes), value


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> list[ir.Function]:
    """What the conformance cases and the library compile to."""
    found: list[ir.Function] = []
    with World.open(tmp_path_factory.mktemp("fuzz") / "w", durability="process", library=library()) as world:
        for text in corpus():
            try:
                found += world.modules.compile(text, "t.hold", "t", "program").unit.functions
            except CompileError:
                continue  # a case of an error, or of several files
    return found


def edit(rng: Random, function: ir.Function) -> None:
    """Change something in it."""
    nodes = ir.walk(function.body)
    if not nodes or rng.random() < 0.15:
        edit_head(rng, function)
        return
    node = rng.choice(nodes)
    slots = [one.name for one in fields(node) if one.name not in ("body", "then", "other", "right")]
    match rng.randrange(6):
        case 0:  # its lists of nodes: one goes, comes twice, or stands elsewhere
            lists = [function.body, *(inner for one in nodes for inner in ir.children(one))]
            source, target = rng.choice(lists), rng.choice(lists)
            if source:
                moved = source.pop(rng.randrange(len(source))) if rng.random() < 0.7 else deepcopy(rng.choice(source))
                target.insert(rng.randrange(len(target) + 1), moved)
        case 1 if isinstance(node, ir.Op):
            node.op = rng.choice([*OPERATIONS, *EVIL])
        case 2 if isinstance(node, ir.Op) and type(node.data) is tuple and node.data:
            parts = list(node.data)
            parts[rng.randrange(len(parts))] = other(rng)
            node.data = tuple(parts)
        case _:
            slot = rng.choice(slots)
            old = getattr(node, slot)
            if slot == "args" or slot == "names":
                new = list(old) or ["t1"]
                new[rng.randrange(len(new))] = operand(rng)
                setattr(node, slot, tuple(new * rng.choice([1, 1, 1, 2])))
            elif slot in ("dst", "error", "iterator"):
                setattr(node, slot, rng.choice([*EVIL, "t1", "t2", "v_x", "it1"]))
            elif slot in ("cond", "left", "result", "value"):
                setattr(node, slot, operand(rng))
            else:
                setattr(node, slot, other(rng))


def edit_head(rng: Random, function: ir.Function) -> None:
    """Change what is not in its body."""
    match rng.randrange(6):
        case 0 if function.parameters:
            rng.choice(function.parameters).py = rng.choice(EVIL)
        case 1 if function.parameters:
            rng.choice(function.parameters).default = ir.Const(other(rng))
        case 2:
            function.captures = [*function.captures, rng.choice(EVIL)]
        case 3:
            function.domain = rng.choice([*EVIL, *guard.VARIANTS])
        case 4:
            function.definer = rng.choice([*EVIL, "a:b", "a:b\nimport os", "a:b'"])
        case _:
            function.size = rng.choice([0, 1, function.size // 2, function.size + 5])


def operand(rng: Random) -> Any:
    """Something for an operand."""
    return ir.Const(other(rng)) if rng.random() < 0.4 else rng.choice([*EVIL, "t1", "v_x", "k_y", "t9"])


def other(rng: Random) -> Any:
    """Any value."""
    return rng.choice([*ODD, *EVIL])


def check(functions: list[ir.Function], seed: int) -> None:
    """The law, for one edited function."""
    rng = Random(seed)
    function = deepcopy(rng.choice(functions))
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        edit(rng, function)
    domain, definer = rng.choice([("", ""), (guard.GIVEN, ""), (guard.WEAKER, "t:d"), (guard.OWN, guard.DEFINER)])
    if domain:
        function = guard.variant(function, domain, definer)
    calls = [node.n for node in ir.walk(function.body) if isinstance(node, ir.Op)]
    try:
        harmless(make_direct(function, "t", METHODS, {}, "<t>").maker)
        harmless(make_direct(function, "t", METHODS, dict.fromkeys(range(1, function.size), 2), "<t>").maker)
        for entry in (1, rng.choice(calls or [1])):
            harmless(make_resumable(function, "t", METHODS, entry, rng.random() < 0.5, "<t>").code)
    except VerifyError:
        pass  # what it is there for


def fuzz(functions: list[ir.Function], slow: bool) -> None:
    """Try seeds until the time is over."""
    for seed in seeds(slow):
        try:
            check(functions, seed)
        except BaseException as error:
            error.add_note(f"HOLDFAST_FUZZ_FROM={seed}")
            raise


def test_functions(functions: list[ir.Function]) -> None:
    """The law of the verifier, for as many functions as there is time for."""
    fuzz(functions, slow=False)


@pytest.mark.slow
def test_functions_long(functions: list[ir.Function]) -> None:
    """The same for longer."""
    fuzz(functions, slow=True)


def test_the_law_can_fail() -> None:
    """Code that is not harmless is found, so that the law says something."""
    for text in (
        "import os",
        "f().__class__",
        "open('x')",
        "x.gi_frame",
        "global q\n q = 1",
        "[].append(lambda: (yield))",
    ):
        module = compile(f"def f():\n {text}", "t", "exec")
        with pytest.raises(AssertionError):
            harmless(next(value for value in module.co_consts if isinstance(value, CodeType)))
