"""When a guess of the direct shape fails, the frame goes on in the resumable shape: nothing is lost, nothing is done
twice, and errors of the program stay what they are.

Each guessing operation meets values that it did not guess, in the middle of every kind of surrounding code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from holdfast.lang import emit_values
from holdfast.vm import limits, ops
from holdfast.vm.code import RECOMPILES_MAX
from tests.conformance.cases import Bench

COMMON = """
class Box {
  v = 0
  items = []
  fn push(x) {
    self.items.push(x)
    return "own push"
  }
  fn upper() => "own upper"
  fn size_() => "own size"
  fn get(k) => "own get"
}
class Pair {
  a = 1
  v = 2
}
fn twice(x) => x * 2
fn say(x) {
  print(x)
  return x
}
"""

OPERATIONS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    # Name: expression of x, and pairs of value and what comes out (with "!" an error's kind).  The first is the guess.
    "add": ("x + 1", [("1", "2"), ("1.5", "2.5"), ("true", "2"), ('"a"', "!TypeError"), ("nil", "!TypeError")]),
    "add_same": ("x + x", [("1", "2"), ('"ab"', "abab"), ("[1]", "[1, 1]"), ('b"a"', 'b"aa"'), ("{}", "!TypeError")]),
    "add_text": ('"a" + x', [('"b"', "ab"), ("1", "!TypeError"), ("nil", "!TypeError")]),
    "sub": ("10 - x", [("1", "9"), ("0.5", "9.5"), ('"a"', "!TypeError"), ("[1]", "!TypeError")]),
    "sub_both": ("x - x", [("1", "0"), ("Set([1])", "!TypeError"), ("0..3", "!TypeError"), ('"a"', "!TypeError")]),
    "mul": ("x * 3", [("2", "6"), ('"ab"', "ababab"), ("[1]", "[1, 1, 1]"), ("1.5", "4.5"), ("nil", "!TypeError")]),
    "mul_same": ("x * x", [("3", "9"), ("2 ** 600_000", "!LimitError"), ("-0.5", "0.25"), ('"a"', "!TypeError")]),
    "div": ("6 / x", [("2", "3.0"), ("1.5", "4.0"), ("0", "!ArithmeticError"), ('"a"', "!TypeError")]),
    "fdiv": ("x ~/ 2", [("7", "3"), ("7.5", "3.0"), ('"a"', "!TypeError"), ("10 ** 400", f"{10**400 // 2}")]),
    "mod": ("x % 3", [("7", "1"), ("7.5", "1.5"), ('"%s"', "!TypeError"), ("nil", "!TypeError")]),
    "mod_zero": ("7 % x", [("4", "3"), ("0", "!ArithmeticError"), ("2.5", "2.0"), ("nil", "!TypeError")]),
    "neg": ("- x", [("1", "-1"), ("1.5", "-1.5"), ("true", "-1"), ('"a"', "!TypeError"), ("[1]", "!TypeError")]),
    "chain": ("x + 1 - x * 2", [("1", "0"), ("0.5", "0.5"), ('"a"', "!TypeError"), ("nil", "!TypeError")]),
    "lt": ("x < 5", [("1", "true"), ("5.5", "false"), ('"a"', "!TypeError"), ("nil", "!TypeError")]),
    "le_same": (
        "x <= x",
        [("1", "true"), ('"a"', "true"), ("[1, 2]", "true"), ("{}", "!TypeError"), ("nil", "!TypeError")],
    ),
    "in": (
        "1 in x",
        [
            ("{1: 2}", "true"),
            ("[1, 2]", "true"),
            ("Set([2])", "false"),
            ("0..1", "false"),
            ('b"\\x01"', "true"),
            ('"1"', "!TypeError"),
            ("5", "!TypeError"),
            ("nil", "!TypeError"),
        ],
    ),
    "not_in": ('"a" not in x', [("{a: 2}", "false"), ('"abc"', "false"), ("[1]", "true"), ("nil", "!TypeError")]),
    "in_list": ("x in {1: 2}", [("1", "true"), ("[1]", "!TypeError"), ("1.0", "true"), ("{}", "!TypeError")]),
    "index": (
        "x[0]",
        [
            ("[7, 8]", "7"),
            ('"ab"', "a"),
            ("{0: 9}", "9"),
            ('b"a"', "97"),
            ("5..9", "5"),
            ("[]", "!IndexError"),
            ("Set([0])", "!TypeError"),
            ("nil", "!TypeError"),
            ("{}", "!KeyError"),
            ("Box()", "!TypeError"),
        ],
    ),
    "index_key": ('x["k"]', [("{k: 1}", "1"), ("{}", "!KeyError"), ("[1]", "!TypeError"), ('"k"', "!TypeError")]),
    "index_by": (
        "[7, 8][x]",
        [("0", "7"), ("-1", "8"), ("true", "8"), ("0..1", "[7]"), ("2", "!IndexError"), ("1.0", "!TypeError")],
    ),
    "index_map": ("{1: 5}[x]", [("1", "5"), ("1.0", "5"), ("true", "5"), ("2", "!KeyError"), ("[1]", "!TypeError")]),
    "setindex": (
        "(if true {\n  x[0] = 5\n  x[0]\n})",
        [
            ("[1]", "5"),
            ("{}", "5"),
            ("[]", "!IndexError"),
            ('"a"', "!TypeError"),
            ("Set([0])", "!TypeError"),
            ("nil", "!TypeError"),
        ],
    ),
    "setindex_op": (
        "(if true {\n  x[0] += 5\n  x[0]\n})",
        [("[1]", "6"), ("{0: 1.5}", "6.5"), ("{}", "!KeyError"), ('["a"]', "!TypeError"), ("nil", "!TypeError")],
    ),
    "setindex_nil": (
        "(if true {\n  x[0] ??= 5\n  x[0]\n})",
        [("[1]", "1"), ("{}", "5"), ("[nil]", "5"), ("5", "!TypeError")],
    ),
    "setindex_key": (
        "(if true {\n  let m = {}\n  m[x] = 5\n  m\n})",
        [("1", "{1: 5}"), ("[1]", "!TypeError"), ('Float("nan")', "!ValueError"), ("nil", "{nil: 5}")],
    ),
    "getfield": (
        "x.v",
        [
            ("Box(v: 3)", "3"),
            ("{v: 4}", "4"),
            ("Pair()", "2"),
            ("{}", "!KeyError"),
            ("nil", "!TypeError"),
            ("[1]", "!NameError"),
            ("Set([1])", "!NameError"),
            ("5", "!NameError"),
            ("print", "!NameError"),
        ],
    ),
    "setfield": (
        "(if true {\n  x.v = 5\n  x.v\n})",
        [
            ("Box()", "5"),
            ("{}", "5"),
            ("Pair()", "5"),
            ("nil", "!TypeError"),
            ("[1]", "!NameError"),
            ("5", "!TypeError"),
        ],
    ),
    "setfield_op": (
        "(if true {\n  x.v += 5\n  x.v\n})",
        [("Box()", "5"), ("{v: 1}", "6"), ("{}", "!KeyError"), ("{v: nil}", "!TypeError")],
    ),
    "setfield_nil": (
        "(if true {\n  x.v ??= 5\n  x.v\n})",
        [("Box(v: nil)", "5"), ("{}", "5"), ("Pair()", "2"), ("nil", "!TypeError")],
    ),
    "len": (
        "len(x)",
        [
            ("[1, 2]", "2"),
            ('"abc"', "3"),
            ("{a: 1}", "1"),
            ("0..4", "4"),
            ('b"ab"', "2"),
            ("5", "!TypeError"),
            ("Box()", "!TypeError"),
        ],
    ),
    "push": (
        '"{x.push(1)} {x}"',
        [
            ("[0]", "nil [0, 1]"),
            ("Box()", "own push Box(v: 0, items: [1])"),
            ("{push: twice}", '2 {"push": fn twice}'),
            ("Set([0])", "!NameError"),
            ("nil", "!TypeError"),
            ('"a"', "!NameError"),
        ],
    ),
    "method_of_text": (
        "x.upper()",
        [('"a"', "A"), ("Box()", "own upper"), ("{upper: fn() => 7}", "7"), ("5", "!NameError"), ("nil", "!TypeError")],
    ),
    "method_of_map": (
        'x.get("a")',
        [("{a: 1}", "1"), ("Box()", "own get"), ("[1]", "!TypeError"), ("5", "!NameError"), ("nil", "!TypeError")],
    ),
    "method_of_object": (
        "x.size_()",
        [("Box()", "own size"), ("{other: fn() => 3}", "!NameError"), ("5", "!NameError"), ("nil", "!TypeError")],
    ),
    "method_arguments": ("x.get()", [("{get: 1}", "!TypeError"), ("Box()", "!TypeError"), ("nil", "!TypeError")]),
    "call": (
        "x(4)",
        [
            ("twice", "8"),
            ("fn(a) => a", "4"),
            ("fn() => 1", "!TypeError"),
            ("fn(a, b) => 1", "!TypeError"),
            ("Box", "Box(v: 4, items: [])"),
            ("5", "!TypeError"),
            ("nil", "!TypeError"),
            ("len", "!TypeError"),
        ],
    ),
    "call_named": (
        "x(a: 4)",
        [("fn(a) => a", "4"), ("fn(b) => b", "!TypeError"), ("Pair", "Pair(a: 4, v: 2)"), ("nil", "!TypeError")],
    ),
    "map_literal": ("{(x): 1}", [("1", "{1: 1}"), ('"a"', '{"a": 1}'), ("[1]", "!TypeError"), ("{}", "!TypeError")]),
    "set": ("Set([x])", [("1", "Set([1])"), ("[1]", "!TypeError"), ("nil", "Set([nil])")]),
    "slice": (
        "x[0..1]",
        [
            ("[1, 2]", "[1]"),
            ('"ab"', "a"),
            ("{(0..1): 5}", "5"),
            ("{}", "!KeyError"),
            ("5", "!TypeError"),
            ("nil", "!TypeError"),
        ],
    ),
    "slice_by": ('"abc"[x..2]', [("0", "ab"), ("1", "b"), ("1.0", "!TypeError"), ('"a"', "!TypeError")]),
    "range": ("List(0..x)", [("2", "[0, 1]"), ("true", "[0]"), ("1.5", "!TypeError"), ("nil", "!TypeError")]),
    "repeat": (
        "[0] * x",
        [("2", "[0, 0]"), ("true", "[0]"), ("1.5", "!TypeError"), ("10 ** 12", "!LimitError"), ("-1", "[]")],
    ),
    "repeat_length": (
        "[0] * len(x)",
        [("[1, 2]", "[0, 0]"), ('"a"', "[0]"), ("0..2", "[0, 0]"), ('b"a"', "[0]"), ("{}", "[]"), ("5", "!TypeError")],
    ),
    "repeat_product": (
        "[0] * (x * x)",
        [("2", "[0, 0, 0, 0]"), ("true", "[0]"), ("10 ** 90_000", "!LimitError"), ('"a"', "!TypeError")],
    ),
    "interpolation": ('"{x}{x}"', [('"a"', "aa"), ("1", "11"), ("nil", "nilnil"), ('"a" * 60_000', "!LimitError")]),
    "concat": ("x + x + x", [('"a"', "aaa"), ("1", "3"), ('"a" * 60_000', "!LimitError"), ("nil", "!TypeError")]),
    "walk": (
        "(if true {\n  var n = 0\n  for y in x { n += y }\n  n\n})",
        [
            ("[1, 2]", "3"),
            ("0..3", "3"),
            ("{1: 2}", "1"),
            ('b"a"', "97"),
            ('"a"', "!TypeError"),
            ("5", "!TypeError"),
            ("nil", "!TypeError"),
        ],
    ),
    "walk_pairs": (
        "(if true {\n  var n = 0\n  for k, y in x { n += k * y }\n  n\n})",
        [
            ("[1, 2]", "2"),
            ("{3: 2}", "6"),
            ("0..3", "5"),
            ("Set([1])", "!TypeError"),
            ('"ab"', "!TypeError"),
            ("nil", "!TypeError"),
        ],
    ),
    "logic": ("x > 1 and x < 5 or x + 1 == 1", [("2", "true"), ("0", "true"), ("7", "false"), ('"a"', "!TypeError")]),
    "condition": (
        "(if x > 1 { x - 1 } else { x + 1 })",
        [("2", "1"), ("0", "1"), ("0.5", "1.5"), ('"a"', "!TypeError"), ("nil", "!TypeError")],
    ),
    "match": (
        "(match x { [a, b] => a - b, 1..5 => x * 2, Text => x + 1, _ => x.v })",
        [
            ("[3, 1]", "2"),
            ("2", "4"),
            ('"a"', "!TypeError"),
            ("Box(v: 1)", "1"),
            ('[1, "a"]', "!TypeError"),
            ("nil", "!TypeError"),
        ],
    ),
    "optional": (
        "x?.v?.v ?? x",
        [("{v: {v: 1}}", "1"), ("nil", "nil"), ("{v: nil}", '{"v": nil}'), ("{}", "!KeyError"), ("5", "!NameError")],
    ),
    "throw": ("(if true {\n  throw x\n})", [('"a"', "!Error"), ('KeyError("a")', "!KeyError"), ("5", "!TypeError")]),
    "nested_calls": (
        "twice(x) - twice(twice(x))",
        [("1", "-2"), ("0.5", "-1.0"), ('"a"', "!TypeError"), ("nil", "!TypeError")],
    ),
}

Lines = list[str]
Expect = Callable[[str, bool], Lines]
"""(what comes out, is it an error's kind) to the lines that are printed."""


def ends(*before: str, after: tuple[str, ...] = ()) -> Expect:
    """Lines before the operation, and after it if all went well, then the outcome."""
    return lambda out, bad: [*before, f"!{out}"] if bad else [*before, *after, f"={out}"]


CONTEXTS: dict[str, tuple[str, Expect]] = {
    # Name: body of a function of x, and what it must print.
    "plain": ("return EXPR", ends()),
    "arrow": ("let f = fn(x) => EXPR\nreturn f(x)", ends()),
    "between effects": ('say("a")\nlet r = EXPR\nsay("b")\nreturn r', ends("a", after=("b",))),
    "among arguments": (
        'fn third(a, b, c) => b\nreturn third(say("a"), EXPR, say("b"))',
        ends("a", after=("b",)),
    ),
    "in a list": ('let r = [say("a"), EXPR, say("b")]\nreturn r[1]', ends("a", after=("b",))),
    "for": (
        'var r = nil\nfor i in 0..2 {\n  say(i)\n  var x = again(i)\n  r = EXPR\n  say("t")\n}\nreturn r',
        lambda out, bad: ["0", f"!{out}"] if bad else ["0", "t", "1", "t", f"={out}"],
    ),
    "for over a list": (
        'var r = nil\nfor x in [again(0), again(1)] {\n  say("a")\n  r = EXPR\n  say("t")\n}\nreturn r',
        lambda out, bad: ["a", f"!{out}"] if bad else ["a", "t", "a", "t", f"={out}"],
    ),
    "while": (
        "var r = nil\nvar n = 0\nwhile n < 2 {\n  n += 1\n  var x = again(n)\n  say(n)\n  r = EXPR\n}\n"
        "say(n)\nreturn r",
        lambda out, bad: ["1", f"!{out}"] if bad else ["1", "2", "2", f"={out}"],
    ),
    "try": (
        'var r = nil\ntry {\n  say("t")\n  r = EXPR\n  say("u")\n} catch e is AssertError { say("no") }\nreturn r',
        ends("t", after=("u",)),
    ),
    "try with finally": (
        'var r = nil\ntry {\n  r = EXPR\n  say("u")\n} finally { say("f") }\nreturn r',
        lambda out, bad: ["f", f"!{out}"] if bad else ["u", "f", f"={out}"],
    ),
    "return through finally": (
        'try { return EXPR } finally { say("f") }',
        lambda out, bad: ["f", f"!{out}"] if bad else ["f", f"={out}"],
    ),
    "caught": (
        'var r = nil\ntry {\n  say("t")\n  r = EXPR\n} catch e { r = "caught {e.kind}" }\nsay("u")\nreturn r',
        lambda out, bad: ["t", "u", f"=caught {out}"] if bad else ["t", "u", f"={out}"],
    ),
    "caught in a loop": (
        "var n = 0\nfor i in 0..3 {\n  var x = again(i)\n  try {\n    EXPR\n    n += 1\n  }"
        " catch e { n += 10 }\n}\nreturn n",
        lambda out, bad: ["=30" if bad else "=3"],
    ),
    "caught outside": (
        'try {\n  try { EXPR } finally { say("in") }\n  say("on")\n} catch e { say("out") }\nsay("end")\nreturn 1',
        lambda out, bad: ["in", "out", "end", "=1"] if bad else ["in", "on", "end", "=1"],
    ),
    "an error behind two tries": (
        'try {\n  try { EXPR } catch e { say("in") }\n} catch e { say("out") }\nthrow "later"',
        lambda out, bad: ["in", "!Error"] if bad else ["!Error"],
    ),
    "in a catch body": ('var r = nil\ntry { throw "x" } catch e {\n  say("c")\n  r = EXPR\n}\nreturn r', ends("c")),
    "in a finally body": ('var r = nil\ntry { say("t") } finally { r = EXPR }\nreturn r', ends("t")),
    "break out": (
        'var r = nil\nwhile true {\n  try {\n    r = EXPR\n    break\n  } finally { say("f") }\n}\nreturn r',
        lambda out, bad: ["f", f"!{out}"] if bad else ["f", f"={out}"],
    ),
    "closure": (
        "var n = 0\nlet f = fn() {\n  n += 1\n  let r = EXPR\n  n += 1\n  return r\n}\n"
        "try {\n  let r = f()\n  say(n)\n  return r\n} catch e {\n  say(n)\n  throw e\n}",
        lambda out, bad: ["1", f"!{out}"] if bad else ["2", f"={out}"],
    ),
    "captured": ("let f = fn() => fn() => EXPR\nreturn f()()", ends()),
    "atomic": (
        "let m = {n: 0}\nvar k = 0\nvar r = nil\ntry {\n  atomic {\n"
        "    m.n += 1\n    k += 1\n    r = EXPR\n    m.n += 1\n    k += 1\n"
        '  }\n} finally { say("{m.n}{k}") }\nreturn r',
        lambda out, bad: ["00", f"!{out}"] if bad else ["22", f"={out}"],
    ),
    "atomic in a loop": (
        "let m = {n: 0}\nfor i in 0..3 {\n  var x = again(i)\n  try { atomic {\n    m.n += 1\n    EXPR\n  } }"
        " catch e { }\n}\nreturn m.n",
        lambda out, bad: ["=0" if bad else "=3"],
    ),
    "many locals": (
        'let a = 1\nvar b = [2]\nlet c = fn() => a\nvar d = "d"\nlet r = EXPR\nb.push(c())\nsay("{a}{b}{d}")\nreturn r',
        ends(after=("1[2, 1]d",)),
    ),
    "depth": ("fn down(n, x) => if n == 0 { EXPR } else { down(n - 1, x) }\nreturn down(30, x)", ends()),
    "default": ("fn g(x, r = EXPR) => r\nreturn g(x)", ends()),
    "operand": (
        'let r = [1, EXPR, say("b")]\nlet s = say(2) == 2 and r[1] == r[1] or true\nreturn r[1]',
        ends(after=("b", "2")),
    ),
    "block value": ("let r = if say(true) { EXPR } else { 5 }\nreturn r", ends("true")),
    "arm": ("return match say(1) {\n  0 => 5\n  1 => EXPR\n}", ends("1")),
    "spawned": ("fn work(x) => EXPR\nreturn (spawn work(x)).join()", ends()),
    "prelude": ("return [x].map(fn(x) => EXPR)[0]", ends()),
}


def text_of(expression: str, values: list[tuple[str, str]], contexts: list[str]) -> tuple[str, list[str]]:
    """A program that runs one operation in some contexts with all values, in an order that fails again and again."""
    good = values[0]
    order = [good, *values, good, *reversed(values), good]
    lines = [COMMON]
    expected: list[str] = []
    for number, name in enumerate(contexts):
        body, expect = CONTEXTS[name]
        indented = body.replace("EXPR", expression).replace("\n", "\n  ")
        lines.append(f"fn run{number}(x, again) {{\n  {indented}\n}}\n")
        lines.append(f'print("{name}")\n')
        expected.append(name)
        for value, out in order:
            lines.append(
                f'try {{ print("={{run{number}({value}, fn(i) => {value if value[0] != "{" else f"({value})"})}}") }} '
                'catch e { print("!{e.kind}") }\n'
            )
            expected += expect(out.removeprefix("!"), out.startswith("!"))
    return "".join(lines), expected


@pytest.fixture(scope="module", params=["direct", "resumable"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A world in each shape, whose Texts have a limit that is soon reached: each step on disk would have the long
    ones."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((emit_values, "TEXT_MAX"), (ops, "TEXT_LENGTH"), (limits, "TEXT_LENGTH")):
            assert getattr(module, name) == 64 << 20
            patch.setattr(module, name, 100_000)
        made = Bench(tmp_path_factory.mktemp("world") / "w", request.param)
        yield made
        made.close()


def lines_of(bench: Bench, text: str) -> list[str]:
    """The output of a program that must end well."""
    outcome = bench.run(text)
    assert (outcome.error, outcome.diagnostics) == (None, [])
    return outcome.output


SHARE = 6
"""One context of so many is tried with an operation in the quick tests."""
SLOW_SHARE = 2
"""The same in the slow ones."""


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_operation(name: str, bench: Bench) -> None:
    """An operation gives the same on every kind of value, however often a guess has failed."""
    first = list(OPERATIONS).index(name) % SHARE
    check(name, list(CONTEXTS)[first::SHARE], bench)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_operation_in_more_places(name: str, bench: Bench) -> None:
    """As above, in half of the places, others for each operation."""
    first = list(OPERATIONS).index(name) % SLOW_SHARE
    check(name, list(CONTEXTS)[first::SLOW_SHARE], bench)


def check(name: str, contexts: list[str], bench: Bench) -> None:
    """Run an operation in these contexts."""
    expression, values = OPERATIONS[name]
    text, expected = text_of(f"({expression})", values, contexts)
    found = lines_of(bench, text)
    context = ""
    for line, (a, b) in enumerate(zip(found, expected, strict=False)):
        context = b if b in CONTEXTS else context
        assert a == b, f"{context}: line {line}, around {found[max(0, line - 3) : line + 3]}"
    assert len(found) == len(expected)


# --------------------------------------------------------------------------- what recompiling must keep

IDENTITY = """
fn f(x) => x + x
let m = {(f): "found"}
root.f = f
let g = f
class C {
  fn get(x) => x + x
}
let make = C
root.make = C
for x in [1, "a", [1], 1.5, b"a"] { f(x) }
for x in [1, "a", [1]] { C().get(x) }
print(f == g, root.f == f, m[f], f in [g], make == C, root.make == C, C() is C)
"""


def test_functions_keep_their_identity(bench: Bench) -> None:
    """A function that was compiled again is the same value: as a key, in collections, under the root."""
    assert lines_of(bench, IDENTITY) == ["true true found true true true true"]


def test_many_failures(bench: Bench) -> None:
    """A function with more failing guesses than rounds of compilation ends in code that guesses nothing."""
    count = RECOMPILES_MAX * 2
    text = "fn f(x, k) {\n  var out = []\n"
    text += "".join(f"  if k == {i} {{ out.push(x[0] + x[{i % 2}]) }}\n" for i in range(count))
    text += "  return out\n}\n"
    text += "".join(f'print(f([{i}, 1], {i}), f("ab", {i}), f(b"ab", {i}))\n' for i in range(count))
    expected = [
        f'[{i + (1 if i % 2 else i)}] ["{"ab" if i % 2 else "aa"}"] [{195 if i % 2 else 194}]' for i in range(count)
    ]
    assert lines_of(bench, text) == expected


def test_closures_made_before(bench: Bench) -> None:
    """A closure that was made before the recompilation keeps its variables and goes on."""
    text = """
fn make(n) => fn(x) {
  n += 1
  return [n, x + x]
}
let a = make(0)
let b = make(10)
print(a(1), b("x"), a("y"), b(2), make(20)([1]), a([2]))
"""
    assert lines_of(bench, text) == ['[1, 2] [11, "xx"] [2, "yy"] [12, 4] [21, [1, 1]] [3, [2, 2]]']


def test_recursion_while_recompiled(bench: Bench) -> None:
    """Frames of the old code go on below frames of the new."""
    text = """
fn f(n, x) {
  if n == 0 { return x + x }
  let below = f(n - 1, if n == 3 { "a" } else { x })
  return if below is Text { below + "{n}" } else { below + n }
}
print(f(2, 1), f(5, 1), f(2, 1.5), f(5, 1))
"""
    assert lines_of(bench, text) == ["5 aa12345 6.0 aa12345"]


PLACES = """
fn add(a, b) {
  let c = 1
  return [
    c,
    a +
      b,
    c
  ]
}
fn outer(a) {
  let x = 1
  return add(
    x,
    a
  )
}
fn show(f) {
  try { f() } catch e {
    print(e.kind, e.at.split(":")[-1], e.trace.map(fn(t) => t.split("/")[-1].split(":")[-1]).slice(0, 3))
  }
}
for x in [1, nil, 1.5, "a", nil] { show(fn() => outer(x)) }
fn fields(o) {
  let a = o.x

  let b = a.y
  return b
}
for o in [{x: {y: 1}}, {x: nil}, {}, nil, {x: {}}] { show(fn() => fields(o)) }
fn inside(x) {
  for i in 0..2 {
    try {
      if i == 1 {
        x.go()
      }
    } finally { i }
  }
}
for x in [nil, 5, {}, nil] { show(fn() => inside(x)) }
"""


def test_places_of_errors(bench: Bench) -> None:
    """An error that a failed guess turns out to be has the line of its operation, and the trace of its calls."""
    found = lines_of(bench, PLACES)
    field = '["{} in fields", "30 in fn", "19 in show"]'
    places = {"6": '["6 in add", "13 in outer", "23 in fn"]', "7": '["7 in add", "13 in outer", "23 in fn"]'}
    for line in found[:3]:
        kind, number, trace = line.split(" ", 2)
        assert kind == "TypeError" and trace == places[number], line
    assert found[3:7] == [
        "TypeError 27 " + field.format(27), "KeyError 25 " + field.format(25), "TypeError 25 " + field.format(25),
        "KeyError 27 " + field.format(27),
    ]  # fmt: skip
    assert [line.split(" ")[:2] for line in found[7:]] == [
        ["TypeError", "35"], ["NameError", "35"], ["NameError", "35"], ["TypeError", "35"],
    ]  # fmt: skip
