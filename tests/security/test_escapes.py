"""The table of the host boundary: one test for each technique that has been used against a sandbox in Python.

Numbers are those of the table in the description of the security model.  Row 23 is in ``test_bombs.py``, row 21 also in
``test_verifier.py``; row 24 is in ``tests/vm/test_checkpoint.py`` (forged records) and
``tests/fuzz/test_records.py`` (any edit); row 25 belongs to the network.
"""

from __future__ import annotations

import ast
import copy
import keyword
import pickle  # noqa: TID251  # what the test shows is that it refuses
import re
from pathlib import Path
from types import FunctionType

import pytest

from holdfast.lang.diagnostics import CompileError
from holdfast.vm.objects import Obj
from holdfast.vm.show import safe_for_terminal
from tests.security.conftest import Prison
from tests.security.jail import walk

VALUES = """
class Thing {
  x = 1
  fn go() => 1
}
fn plain(a) => a
fn values() {
  var n = 0
  let closure = fn() { n += 1 }
  var caught = nil
  try { nil.x } catch e { caught = e }
  return [
    nil, true, 1, 2 ** 100, 1.5, "text", b"bytes", 0..3, [1], {a: 1}, Set([1]), plain, closure, print, len, Int, List,
    Thing, Thing(), Error, KeyError("k"), caught, spawn plain(1), root, caught.trace, [Thing()]
  ]
}
"""
"""A program's part that gives one value of each kind."""

HOST_ATTRIBUTES = (
    "__class__ __base__ __bases__ __mro__ __subclasses__ __dict__ __globals__ __code__ __closure__ __defaults__ "
    "__kwdefaults__ __builtins__ __self__ __func__ __module__ __doc__ __name__ __qualname__ __init__ __new__ __call__ "
    "__getattribute__ __getattr__ __setattr__ __delattr__ __reduce__ __reduce_ex__ __getstate__ __format__ __str__ "
    "__repr__ __hash__ __eq__ __lt__ __sizeof__ __dir__ __init_subclass__ __slots__ __weakref__ __annotations__ "
    "__traceback__ __context__ __cause__ __suppress_context__ __notes__ with_traceback add_note args obj errno "
    "tb_frame tb_next f_back f_globals f_locals f_builtins f_code f_lineno gi_frame gi_code cr_frame ag_frame gr_frame "
    "co_code co_consts co_names co_varnames func_globals mro im_func real imag numerator denominator bit_length "
    "conjugate as_integer_ratio hex fromhex format format_map maketrans translate encode decode isidentifier "
    "tobytes start stop step append sort __iter__ __next__ __len__ __getitem__ __setitem__ __contains__ "
    "_t _i _o _x _k _e v e k _live _ghost _slots _name _schema _show _added _added_names __hold_class__ greenlet "
    "interrupt waiters output wake scheduler heap world load fn layout"
).split()

ALLOWED = {
    # What Hold itself gives under one of these names.
    ("Int", "hex"), ("Bool", "hex"), ("Bytes", "hex"), ("Int", "bit_length"), ("Bool", "bit_length"),
    ("Range", "start"), ("List", "sort"), ("Thread", "step"),
}  # fmt: skip


def probe(form: str) -> str:
    """A program that tries a form of access with every host name on every value."""
    tries = []
    for name in HOST_ATTRIBUTES:
        attempt = form.replace("NAME", name)
        tries.append(f'  try {{\n    {attempt}\n    out.push("{name}")\n  }} catch e {{ kinds.add(e.kind) }}')
    body = "\n".join(tries)
    return f"""{VALUES}
fn probe(x, out, kinds) {{
{body}
}}
for x in values() {{
  let out = []
  let kinds = Set([])
  probe(x, out, kinds)
  print(type_name(x), out, kinds)
}}
"""


def reached(lines: list[str]) -> set[tuple[str, str]]:
    """(kind of value, name) of what could be reached."""
    found = set()
    for line in lines:
        kind, _, rest = line.partition(" ")
        found |= {(kind, name) for name in re.findall(r'"([^"]+)"', rest.partition("] Set(")[0])}
    return found


# --------------------------------------------------------------------------- 1 to 10


def test_row_01_dunder_walk(prison: Prison) -> None:
    """No host attribute of any value can be read: neither dunder names nor the machine's own slots."""
    for kind, name in reached(prison.lines(probe("let y = x.NAME"))):
        # A Map has no such keys: see below.  A thread's output is its console.
        assert kind == "Map" or (kind, name) == ("Thread", "output"), (kind, name)


def test_row_01_map_has_keys_only(prison: Prison) -> None:
    """A Map gives keys under any name: none, unless the program has put it there."""
    lines = prison.lines(
        "let m = {a: 1}\nlet seen = []\n"
        + "\n".join(f"try {{ seen.push(m.{n}) }} catch e is KeyError {{ }}" for n in HOST_ATTRIBUTES)
        + "\nprint(seen)"
    )
    assert lines == ["[]"]


def test_row_01_methods(prison: Prison) -> None:
    """No host method of any value can be called."""
    assert {pair for pair in reached(prison.lines(probe("x.NAME()"))) if pair not in ALLOWED} == set()


def test_row_02_names_built_at_run_time(prison: Prison) -> None:
    """A name that is built at run time finds items of collections, never attributes."""
    lines = prison.lines(
        VALUES
        + """
for x in values() {
  for name in ["__cla" + "ss__", "v", "f_x", "x", "m_go", "_t", "__dict__"] {
    try { print("reached", type_name(x), x[name]) } catch e { }
  }
}
root["__class__"] = 5
print(root.__class__, root)
"""
    )
    assert lines == ['5 {"__class__": 5}']


def test_row_03_formatting(prison: Prison) -> None:
    """No operator or method of a Text formats: braces, percent signs and format specs are characters."""
    lines = prison.lines(
        VALUES
        + r"""
let evil = ["{{0.__class__}}", "{{0.__class__.__mro__}}", "%s", "%(x)s", "%r", "{{x!r:>10}}", "{{}}", "$x", "${{x}}"]
let thing = Thing()
for t in evil {
  try { print("formatted", t % thing) } catch e is TypeError { }
  try { print("formatted", t % {x: 1}) } catch e is TypeError { }
  for made in [t + "", "a".replace("a", t), t.upper().lower(), "{t}", t.trim(), t.split(" ").join(" ")] {
    if made != t and made != t.lower() { print("formatted", made) }
  }
}
print("{evil[0]} {evil[2]}")
"""
    )
    assert lines == ["{0.__class__} %s"]


def test_row_04_stored_format_method(prison: Prison) -> None:
    """A method of a Text cannot be taken to be called later by a host function."""
    for name in ("format", "format_map", "upper", "join", "__format__"):
        outcome = prison.run(f'let f = "{{{{0.__class__}}}}".{name}\nprint([1].map(f))')
        assert outcome.error is not None and outcome.error[0] == "NameError"


def test_row_05_errors_give_no_objects(prison: Prison) -> None:
    """A caught error has kind, message, place, trace and cause, all of them texts, Lists of texts or nil."""
    lines = prison.lines(
        VALUES
        + """
fn attempts() => [
  fn() => nil.x, fn() => Thing().y, fn() => ({}).key, fn() => [1][9], fn() => 1 / 0, fn() => Int("z"), fn() => 1 + "a",
  fn() => plain(), fn() => plain(1, 2), fn() => Thing(z: 1), fn() => (5)(), fn() => ({})[[1]], fn() => "a".nope(),
  fn() => 2 ** 10 ** 9, fn() => [1].sorted(5), fn() => Thing() < Thing()
]
for f in attempts() {
  try { f() } catch e {
    for x in [e.kind, e.message, e.at] { if x is not Text { print("no text", x) } }
    for x in e.trace { if x is not Text { print("no text", x) } }
    if e.cause != nil { print("cause", e.cause) }
    print(e.kind)
  }
}
"""
    )
    assert len(lines) == 16 and not [line for line in lines if not line.endswith("Error")]


def test_row_06_traceback_frames(prison: Prison) -> None:
    """Neither an error nor its trace leads to frames."""
    names = "tb_frame tb_next tb_lineno f_back f_globals f_locals f_builtins __traceback__ frame frames"
    body = "\n".join(f'    try {{ print("reached", e.{n}) }} catch x is NameError {{ }}' for n in names.split())
    assert prison.lines(f"try {{ nil.x }} catch e {{\n{body}\n}}") == []


def test_row_07_context_and_cause(prison: Prison) -> None:
    """The cause of an error is one of Hold, which the throwing function itself was handling: no callee is given its
    caller's error, and nothing of the host hangs on it."""
    source = """
fn h() {
  try { throw "own" } catch e { return e.cause }
}
try { throw "caller's" } catch e { print(h()) }
fn f() {
  try { {}.missing } catch e { throw KeyError("second") }
}
try { f() } catch e { print(e.message, e.cause.kind, e.cause.cause) }
fn g() {
  try { [1][9] } finally { nil.x }
}
try { g() } catch e {
  print(e.kind, e.cause.kind, e.cause.cause)
  for x in [e.cause.kind, e.cause.message, e.cause.at] + e.cause.trace { if x is not Text { print("no text", x) } }
}
"""
    assert prison.lines(source) == ["nil", "second KeyError nil", "TypeError IndexError nil"]


def test_row_08_no_generators(prison: Prison) -> None:
    """Every value that a program can hold is of one of Hold's own types."""
    prison.lines(
        VALUES
        + """
root.all = values()
root.more = [
  [1, 2].map(fn(x) => x), [3, 1].sorted(), {a: 1}.keys(), {a: 1}.values(), {a: 1}.items(), "a b".split(" "),
  List(0..3), "abc".chars(), [1].reversed(), [[1, 2]].flatten(), [1, 2].zip([3, 4]), [1].indexed(), Set([1]).union([2])
]
for x in root.more { for y in x { root.last = y } }
"""
    )
    objects, kinds = walk(prison.world, [prison.root])
    assert objects > 30
    assert len(kinds) > 5


def test_row_09_functions_are_closed(prison: Prison) -> None:
    """A function shows its name and its documentation, and takes no field."""
    names = [n for n in HOST_ATTRIBUTES if n.startswith(("__", "co_", "func", "im_", "m_", "f_"))]
    tries = "\n".join(f'  try {{ print("reached", f.{n}) }} catch e is NameError {{ }}' for n in names)
    puts = "\n".join(f'  try {{\n f.{n} = 1\n print("put")\n}} catch e {{ }}' for n in ["x", "name", "__code__", "doc"])
    lines = prison.lines(
        "class C {}\nfn g() => 1\nlet n = [1]\nfn closure() => n\n"
        f"for f in [g, closure, print, len, C, Error, fn() => n] {{\n{tries}\n{puts}\n  f.name\n  f.doc\n}}"
    )
    assert lines == []


def test_row_10_names_in_syntax_nodes(prison: Prison) -> None:
    """A guest's name never stands raw in a Python syntax node: Python's keywords are just names."""
    words = [w for w in keyword.kwlist + keyword.softkwlist if w not in HOLD_WORDS] + [
        "__class__", "__debug__", "__import__", "__build_class__", "__builtins__", "__name__", "eval", "exec", "object",
        "getattr", "super_", "None_", "cls",
    ]  # fmt: skip
    text = ""
    for number, word in enumerate(words):
        text += f"""
class C{number} {{
  {word} = {number}
  fn get_{word}(x) => self.{word} + x
}}
fn f{number}({word}) {{
  let g = fn() => {word}
  var {word}_ = {word} + 1
  for {word}__ in [1] {{ {word}_ += {word}__ }}
  try {{ throw "x" }} catch {word}___ {{ {word}_ += 1 }}
  let m = {{{word}: {word}_}}
  return g() + m.{word} + C{number}({word}: 1).get_{word}(x: 1)
}}
if f{number}({word}: 10) != 25 {{ print("{word}") }}
"""
    assert prison.lines(text) == []


HOLD_WORDS = set(
    "and assert atomic break catch class continue else false finally fn for if import in is let "
    "match nil not on_behalf "
    "or return spawn super throw true try var while _".split()
)


# --------------------------------------------------------------------------- 11 to 22

HELPERS = (
    "_T _U _HOST _State _Field _Function _List _Map _Set _Box _poll _safepoint _dirty _deopt _enter _caught _unwind "
    "_check _lookup _method _throw _rethrow _assertion _catchable _product _too_long _len _text _join _getbox o_add "
    "o_index o_setindex o_getfield type isinstance range iter list int str bool Exception g_0 g_1 g_2 pc f r maker _d "
    "_s _x _r _n _m t1 t2 t3 it1 v_a k_a b_a f_x m_x K C S D M b"
).split()


@pytest.mark.parametrize("helper", HELPERS)
def test_row_11_shadowed_helpers(helper: str, prison: Prison) -> None:
    """A parameter, variable, field, method, function or class may have the name of any helper: it is another name."""
    lines = prison.lines(
        f"""
class A {{
  {helper} = 1
  fn m({helper}) => self.{helper} + {helper}
}}
fn use({helper}, other = 2) {{
  var total = 0
  let box = fn() {{ total += {helper} }}
  for i in 0..3 {{ total = total + i * {helper} }}
  box()
  try {{ nil.x }} catch e {{ total += 1 }}
  let xs = [{helper}, "{{other}}"]
  xs[0] = xs[0] + A({helper}: 5).m({helper}: {helper})
  return "{{total}} {{xs}}"
}}
print(use(2), use({helper}: 3))
fn inner() {{
  let {helper} = fn(x) => x * 2
  return {helper}(4)
}}
print(inner())
"""
    )
    assert lines == ['9 [9, "2"] 13 [11, "2"]', "8"]


def test_row_12_except_groups(prison: Prison) -> None:
    """Generated code has no ``except*``: the verifier refuses the node, and nothing emits it."""
    from holdfast.lang.verify import NODES, VerifyError, verify_tree

    assert ast.TryStar not in NODES
    with pytest.raises(VerifyError):
        verify_tree(ast.parse("def f():\n try:\n  f()\n except* Exception:\n  f()"))


def test_row_13_nothing_is_pickled(prison: Prison) -> None:
    """An object refuses to be pickled and copied by the host, and no module of ours can unpickle."""
    prison.lines("class P { x = 1 }\nroot.p = P()\nroot.xs = [1]")
    for name in ("p", "xs"):
        value = prison.root.v[name]
        for act in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                act(value)
    top = Path(__file__).parent.parent.parent
    for path in [p for folder in ("lang", "vm", "stdlib", "repl") for p in (top / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.partition(".")[0] for n in names} & {"pickle", "marshal", "shelve", "ctypes", "code"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "__import__", "globals", "vars", "locals") or (
                    node.func.id == "vars"
                ), path


def test_row_14_no_metaclass(prison: Prison) -> None:
    """A class is a function of Hold: it has no class of its own that could be reached, made or extended."""
    lines = prison.lines(
        """
class C {}
print(type_name(C), type_name(C()), C is Function, type_name(Error), type_name(type_name))
for x in [C, Error, List] { try { print(x.mro()) } catch e is NameError { } }
"""
    )
    assert lines == ["Function C true Function Function"]
    for base in ("Function", "Module", "Thread", "Capability", "Object", "List", "Map", "type", "object"):
        outcome = prison.run(f"class D extends {base} {{}}")
        assert outcome.diagnostics, base


def test_row_15_no_attribute_getters(prison: Prison) -> None:
    """No built-in function or method takes a name and gives an attribute."""
    names = sorted(n for n in prison.world.builtin_names if n not in ("print", "sleep", "root", "caps"))
    tries = "\n".join(
        f'  try {{ seen.push({n}("__class__")) }} catch e {{ }}\n  try {{ seen.push({n}(x, "__class__")) '
        f"}} catch e {{ }}"
        for n in names
    )
    prison.lines(
        f"{VALUES}\nfn all(x, seen) {{\n{tries}\n}}\nroot.seen = []\nfor x in values() {{ all(x, root.seen) }}"
    )
    for value in prison.root.v["seen"].v:
        assert value is None or type(value) in (bool, int, float, str, bytes, range) or isinstance(value, Obj)


SPIES = " ".join(
    f'fn {n}(a = nil, b = nil, c = nil) {{ print("called {n}") }}'
    for n in (
        "__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __bool__ __len__ __iter__ __next__ __index__ __int__ "
        "__float__ __str__ __repr__ __format__ __getattr__ __getitem__ __setitem__ __contains__ __add__ __radd__ "
        "__call__ __del__ __enter__ __exit__ __get__ __set__ __reduce__ __copy__ __instancecheck__ text len hash eq "
        "compare equals to_text show iter next"
    ).split()
).replace("} fn", "}\n  fn")

SPY = f"class Spy {{\n  x = 1\n  {SPIES}\n}}\n"


def test_row_16_c_iterators_run_no_guest_code(prison: Prison) -> None:
    """Sorting, summing, joining and converting a List call nothing of the program."""
    lines = prison.lines(
        SPY
        + """
let xs = [Spy(), Spy()]
let acts = [
  fn() => xs.sorted(), fn() => xs.sum(), fn() => xs.min(), fn() => xs.max(), fn() => sum(xs), fn() => max(xs),
  fn() => xs.join(","), fn() => Bytes(xs), fn() => Set(xs), fn() => Map(xs), fn() => List(Spy()),
  fn() => xs.index(Spy()),
  fn() => xs.contains(Spy()), fn() => xs.unique(), fn() => xs.flatten(), fn() => xs.zip(xs), fn() => xs.reversed(),
  fn() => Map([[Spy(), 1]]), fn() => len(Spy()), fn() => Int(Spy()), fn() => Text(Spy()), fn() => xs == [Spy(), Spy()]
]
for a in acts { try { a() } catch e { } }
"""
    )
    assert lines == []


def test_row_17_no_event_loop(prison: Prison) -> None:
    """A thread shows what the language says of threads, and nothing of what runs it."""
    names = (
        "greenlet gr_frame gr_context run switch throw dead get_loop loop _loop cancel "
        "add_done_callback waiters "
        "interrupt wake hub scheduler begin stack known stored wait runs spent stepping senders"
    )
    tries = "\n".join(f'try {{ print("reached", t.{n}) }} catch e is NameError {{ }}' for n in names.split())
    lines = prison.lines(f"fn f() => 1\nlet t = spawn f()\n{tries}\nprint(t.join())")
    assert [line for line in lines if line != "1"] == []


def test_row_18_assignments(prison: Prison) -> None:
    """Assignment in every form changes declared fields and keys, and nothing else."""
    for form in ("x.NAME = 1", "x.NAME += 1", "x.NAME ??= 1", "x.NAME.NAME = 1", 'x["NAME"] = 1'):
        found = {(k, n) for k, n in reached(prison.lines(probe(form))) if k != "Map"}
        assert found == set(), form


def test_row_18_machine_fields_are_read_only(prison: Prison) -> None:
    """A program cannot change what the machine keeps in a thread or an error's kind."""
    for field in ("state", "result", "error", "name", "id"):
        outcome = prison.run(f'fn f() => sleep(0.01)\nlet t = spawn f()\nt.{field} = "failed"\nt.join()')
        assert outcome.error is not None and outcome.error[0] in ("NameError", "TypeError"), field
    outcome = prison.run('let e = KeyError("x")\ne.kind = "TypeError"')
    assert outcome.error is not None and outcome.error[0] in ("NameError", "TypeError")


def test_row_18_odd_errors(prison: Prison) -> None:
    """An error whose fields hold anything can be printed, caught, thrown to the end and joined."""
    for value in ("nil", "5", "[1]", "KeyError", "{a: 1}", "e"):
        source = f"""
class Odd extends Error {{}}
fn f() {{
  let e = Odd({value.replace("e", "nil") if value == "e" else value})
  e.message = {value}
  e.at = {value}
  e.trace = {value}
  e.cause = {value}
  throw e
}}
try {{ f() }} catch c {{ print(len("{{c}}") > 0, c.kind) }}
let t = spawn f()
try {{ t.join() }} catch c {{ print(c.kind) }}
try {{ f() }} finally {{ print("end") }}
"""
        prison.world.modules.loader = lambda name: None
        from holdfast.vm.objects import Thrown

        with pytest.raises(Thrown):
            prison.world.run_source(source, "odd.hold")
        prison.world.checkpoint()


def test_row_19_builtins_are_empty(prison: Prison) -> None:
    """Generated code sees an empty mapping of built-ins; Python's names mean nothing to a program."""
    prison.lines(VALUES + "root.fs = [plain, fn() => 1, Thing]\nvalues()")
    world = prison.world
    assert world.globals["__builtins__"] == {}
    for value in [*prison.root.v["fs"].v, *world.globals.values()]:
        if type(value) is FunctionType and world.table.proto_of(value.__code__) is not None:
            assert value.__builtins__ == {} and value.__globals__ is world.globals
    for name in "__import__ open eval exec getattr globals vars dir type object compile input breakpoint id".split():
        outcome = prison.run(f"print({name})")
        assert [code for _, _, code in outcome.diagnostics] == ["E0101"], name


LOOK_ALIKES = ["ｅval", "ℯxec", "ｐrint", "__ｃlass__", "аtomic", "ﬁnally", "ªb", "x²", "a\u200bb", "e\u0301"]


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_row_20_names_outside_ascii(name: str, prison: Prison) -> None:
    """A name that Python would normalise to another is no name."""
    for form in (f"let {name} = 1", f"x.{name}", f"fn {name}() {{}}", f"f({name}: 1)", f"let m = {{{name}: 1}}"):
        assert prison.run(form).diagnostics, form


def test_row_20_control_characters(prison: Prison) -> None:
    """What drives or deceives a terminal is escaped before it gets there; messages and diagnostics are as well."""
    evil = "\u001b]0;x\u0007\u202e\u2066\u200f\ufeff\u0000\u009b2J"
    shown = safe_for_terminal(f"a{evil}b")
    assert shown.isascii()
    outcome = prison.run('let x = "\\u{1b}[2J\\u{202e}"\n{}[x]')
    assert outcome.error is not None
    assert safe_for_terminal(outcome.error[1]) == safe_for_terminal(safe_for_terminal(outcome.error[1]))
    with pytest.raises(CompileError) as caught:
        prison.world.run_source(f"let {evil}", f"{evil}.hold")
    assert not {c for c in str(caught.value) if not c.isprintable()} - {"\n"}


def test_row_21_constants(prison: Prison) -> None:
    """Constants of generated code are of the plain types only."""
    from holdfast.lang.verify import CONSTANTS

    prison.lines(VALUES + 'let a = [1, 2.5, "x", b"y", nil, true, 0..3, -1, 1e300, 2 ** 70]\nvalues()')
    protos = prison.world.table.protos
    seen: set[str] = set()
    while rest := [protos[key] for key in protos.keys() - seen]:  # to generate one may add others
        seen.update(proto.key for proto in rest)
        pending = [proto.direct().maker for proto in rest]
        while pending:
            for constant in pending.pop().co_consts:
                assert type(constant) in CONSTANTS
                if type(constant).__name__ == "code":
                    pending.append(constant)


def test_row_22_no_guest_code_in_host_code(prison: Prison) -> None:
    """Equality, hashing, order, truth and conversion to text call nothing of the program, in any collection."""
    lines = prison.lines(
        SPY
        + """
let a = Spy()
let b = Spy()
let m = {(a): 1}
m[b] = 2
let s = Set([a, b, a])
let acts = [
  fn() => a == b, fn() => a != b, fn() => a in m, fn() => a in [b], fn() => a in s, fn() => m[a], fn() => m == {(a): 1},
  fn() => s == Set([b]), fn() => "{a}", fn() => "{[a]}", fn() => Text({(a): b}), fn() => a < b, fn() => if a { 1 },
  fn() => not a, fn() => a and b, fn() => a ?? b, fn() => a?.x, fn() => a + b, fn() => -a, fn() => a(), fn() => a[0],
  fn() => a[0..1], fn() => len(a), fn() => [1][a], fn() => 1..a, fn() => match a { 1 => 2, [b] => 3, Int => 4, _ => 5 },
  fn() => a is Spy, fn() => throw_it(a), fn() => m.remove(a), fn() => s.remove(b), fn() => [a, b].index(b)
]
fn throw_it(x) { throw x }
for act in acts { try { act() } catch e { "{e.message}" } }
for x in [a] { for y in {(a): 1} { for k, v in {(a): b} { [k, v] } } }
try { for x in a { } } catch e { }
root.kept = [a, m, s]
"""
    )
    assert lines == []
