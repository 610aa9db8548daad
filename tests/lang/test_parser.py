"""The parser: every production, precedence, newline and brace rules, recovery, limits."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from lark.exceptions import UnexpectedInput

from holdfast.lang import tree
from holdfast.lang.diagnostics import CompileError, Source
from holdfast.lang.maketables import TABLES, lark_parser, make_tables
from holdfast.lang.parser import MAX_DEPTH, parse
from tests.lang.programs import TOUR, Maker
from tests.lang.trees import codes, dump

EXPRESSIONS = {
    "42": "42",
    "1_000": "1000",
    "0xff": "255",
    "0b101": "5",
    "2.5": "2.5",
    "1e-9": "1e-09",
    "nil": "nil",
    "true": "true",
    "false": "false",
    '"a"': '"a"',
    'b"a\\x00"': "b'a\\x00'",
    'r"\\{x}"': '"\\{x}"',
    "x": "x",
    "(x)": "x",
    "[]": "(list)",
    "[1, 2]": "(list 1 2)",
    "[1, 2,]": "(list 1 2)",
    "{}": "(map)",
    '{"a": 1, b: 2, (c): 3}': '(map "a" 1 "b" 2 c 3)',
    "{1: 2, -1: 3, 2.5: 4, nil: 5, true: 6,}": "(map 1 2 -1 3 2.5 4 nil 5 true 6)",
    '{b"a": 1, "{k}": 2}': "(map b'a' 1 (text k) 2)",
    "{if: 1, match: 2, in: 3}": '(map "if" 1 "match" 2 "in" 3)',
    "-x": "(- x)",
    "- -x": "(- (- x))",
    "not x": "(not x)",
    "not not x": "(not (not x))",
    "a + b": "(+ a b)",
    "a - b": "(- a b)",
    "a * b": "(* a b)",
    "a / b": "(/ a b)",
    "a ~/ b": "(~/ a b)",
    "a % b": "(% a b)",
    "a ** b": "(** a b)",
    "a == b": "(== a b)",
    "a != b": "(!= a b)",
    "a < b": "(< a b)",
    "a <= b": "(<= a b)",
    "a > b": "(> a b)",
    "a >= b": "(>= a b)",
    "a in b": "(in a b)",
    "a not in b": "(not-in a b)",
    "a is B": "(is a B)",
    "a is c.B": "(is a c.B)",
    "a is not B": "(is-not a B)",
    "a and b": "(and a b)",
    "a or b": "(or a b)",
    "a ?? b": "(?? a b)",
    "a..b": "(.. a b)",
    "a..=b": "(..= a b)",
    "1..2": "(.. 1 2)",
    "a.b": "(. a b)",
    "a?.b": "(?. a b)",
    "a.if.match": "(. (. a if) match)",
    "5.times()": "(call (. 5 times))",
    "a[0]": "([] a 0)",
    "a?[0]": "(?[] a 0)",
    "a[1..2]": "([] a (.. 1 2))",
    "f()": "(call f)",
    "f(1, x: 2)": "(call f 1 (: x 2))",
    "f(1, 2,)": "(call f 1 2)",
    "f(match: 1, in: 2, true: 3)": "(call f (: match 1) (: in 2) (: true 3))",
    "f()()": "(call (call f))",
    "a.b(c).d": "(. (call (. a b) c) d)",
    "spawn f(1)": "(spawn (call f 1))",
    "spawn a.b(c).d()": "(spawn (call (. (call (. a b) c) d)))",
    "spawn f() with {}": "(spawn (call f) (with))",
    "spawn f() with { a: 1, b: x } budget { c: 2 }": "(spawn (call f) (with (a 1) (b x)) (budget (c 2)))",
    "spawn f() budget { c: 2 }": "(spawn (call f) (budget (c 2)))",
    "(spawn f()).join()": "(call (. (spawn (call f)) join))",
    "fn() => 1": "(fn [] 1)",
    "fn(a, b = 1, ...c) => a": "(fn [a (= b 1) ...c] a)",
    "fn(a,) { return a }": "(fn [a] {(return a)})",
    "fn() { }": "(fn [] {})",
    "fn() => { 1 }": "(fn [] {1})",
    "fn() => ({a: 1})": '(fn [] (map "a" 1))',
    "fn() => {}": "(fn [] {})",
    "fn() => if a { b }": "(fn [] (if a {b}))",
    "fn(x) { x }(3)": "(call (fn [x] {x}) 3)",
    "fn() => fn() => 1": "(fn [] (fn [] 1))",
    "fn(x) => x + 1 or y": "(fn [x] (or (+ x 1) y))",
    "a ?? fn() => 1": "(?? a (fn [] 1))",
    "a or b and fn() => c or d": "(or a (and b (fn [] (or c d))))",
    "xs.map(fn(x) => x * 2)": "(call (. xs map) (fn [x] (* x 2)))",
}


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS.items())
def test_expression(text: str, expected: str) -> None:
    """Every form of expression has its node."""
    assert dump(f"x = {text}") == f"(= x {expected})"


STATEMENTS = {
    "f()": "(call f)",
    "let a = 1": "(let a 1)",
    "var a = 1": "(var a 1)",
    "var a": "(var a)",
    "a = 1": "(= a 1)",
    "a.b = 1": "(= (. a b) 1)",
    "a[i] = 1": "(= ([] a i) 1)",
    "f().x = 1": "(= (. (call f) x) 1)",
    "a += 1": "(+= a 1)",
    "a -= 1": "(-= a 1)",
    "a *= 1": "(*= a 1)",
    "a /= 1": "(/= a 1)",
    "a ~/= 1": "(~/= a 1)",
    "a %= 1": "(%= a 1)",
    "a **= 1": "(**= a 1)",
    "a ??= {}": "(??= a (map))",
    "while a { b }": "(while a {b})",
    "for a in b { c }": "(for a b {c})",
    "for a, b in c { }": "(for a b c {})",
    "for a in {b: 1} { }": '(for a (map "b" 1) {})',
    "if a { b }": "(if a {b})",
    "if a { b } else { c }": "(if a {b} {c})",
    "if a { b } else if c { d } else { e }": "(if a {b} (if c {d} {e}))",
    "let a = if b { 1 } else { 2 }": "(let a (if b {1} {2}))",
    "let a = 1 + if b { 1 } else { 2 } * 3": "(let a (+ 1 (* (if b {1} {2}) 3)))",
    "let a = match b { _ => 1 }.c": "(let a (. (match b (=> _ 1)) c))",
    "fn f() { return }": "(def f (fn [] {(return)}))",
    "fn f() { return 1 }": "(def f (fn [] {(return 1)}))",
    "fn f() => 1": "(def f (fn [] 1))",
    "fn f() => { 1 }": "(def f (fn [] {1}))",
    "fn f() { fn g() { } }": "(def f (fn [] {(def g (fn [] {}))}))",
    "while a { break }": "(while a {(break)})",
    "while a { continue }": "(while a {(continue)})",
    "throw a": "(throw a)",
    "try { a } catch { b }": "(try {a} (catch {b}))",
    "try { a } catch e { b }": "(try {a} (catch e {b}))",
    "try { a } catch is K { b }": "(try {a} (catch (is K) {b}))",
    "try { a } catch e is m.K { b }": "(try {a} (catch e (is m.K) {b}))",
    "try { a } catch e { b } catch f { c } finally { d }": "(try {a} (catch e {b}) (catch f {c}) (finally {d}))",
    "try { a } finally { b }": "(try {a} (finally {b}))",
    "atomic { a }": "(atomic {a})",
    "on_behalf(m) { a }": "(on_behalf m {a})",
    "assert a": "(assert a)",
    'assert a, "b"': '(assert a "b")',
    'import "p" as q': '(import "p" as q)',
    'import { a, b } from "p"': '(import "p" [a b])',
    'import {a,\n b,\n} from "p"': '(import "p" [a b])',
    'test "n" { a }': '(test "n" {a})',
    "class A { }": "(class A)",
    "class A {}": "(class A)",
    "class A extends m.B { }": "(class A (extends m.B))",
    "class A was B { }": "(class A (was B))",
    "class A extends B was C { a }": "(class A (extends B) (was C) (field a))",
    "class A { a = 1; b\n fn c() { } d = 2 }": "(class A (field a 1) (field b) (field d 2) (method c (fn [] {})))",
    "class A { fn f() => 1\n fn g(x) => { x } }": "(class A (method f (fn [] 1)) (method g (fn [x] {x})))",
    "class A { in = 1; match; fn if() { } }": "(class A (field in 1) (field match) (method if (fn [] {})))",
    "class A { f = fn(x) => x }": "(class A (field f (fn [x] x)))",
    "class A { fn f() { super.f(1) } }": "(class A (method f (fn [] {(call (. super f) 1)})))",
}


@pytest.mark.parametrize(("text", "expected"), STATEMENTS.items())
def test_statement(text: str, expected: str) -> None:
    """Every form of statement has its node."""
    assert dump(text) == expected


PATTERNS = {
    "0": "0",
    "-1": "-1",
    "2.5": "2.5",
    '"a"': '"a"',
    'b"a"': "b'a'",
    "nil": "nil",
    "true": "true",
    "1..5": "1..5",
    "-1..=5": "-1..=5",
    "Int": "<Int>",
    "m.Account": "<m.Account>",
    "m.a": "<m.a>",
    "x": "?x",
    "_x": "?_x",
    "_": "_",
    "[]": "[]",
    "[a, [_, 1], B,]": "[?a [_ 1] <B>]",
}


@pytest.mark.parametrize(("text", "expected"), PATTERNS.items())
def test_pattern(text: str, expected: str) -> None:
    """Every form of pattern has its node; a name is a type if it is capitalised or dotted."""
    assert dump(f"match v {{ {text} => 1 }}") == f"(match v (=> {expected} 1))"


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "match v { 1 => a, 2 => b }": "(match v (=> 1 a) (=> 2 b))",
        "match v { 1 => a, 2 => b, }": "(match v (=> 1 a) (=> 2 b))",
        "match v {\n 1 => a\n 2 => b\n}": "(match v (=> 1 a) (=> 2 b))",
        "match v {\n 1 => a,\n 2 => { b }\n _ => c\n}": "(match v (=> 1 a) (=> 2 {b}) (=> _ c))",
        "match v { 1 => {} }": "(match v (=> 1 {}))",
        "match v { 1 => ({}) }": "(match v (=> 1 (map)))",
        "match v { 1 => return, 2 => return a }": "(match v (=> 1 (return)) (=> 2 (return a)))",
        "match v { 1 => break, 2 => continue, _ => throw a }": "(match v (=> 1 (break)) (=> 2 (continue)) "
        "(=> _ (throw a)))",
        "match v { 1 => if a { b } else { c }, _ => match w { } }": "(match v (=> 1 (if a {b} {c})) (=> _ (match w)))",
        "match v { 1 => fn(x) => x, _ => 2 }": "(match v (=> 1 (fn [x] x)) (=> _ 2))",
    }.items(),
)
def test_arms(text: str, expected: str) -> None:
    """Arms end with a comma or a newline; a body is an expression, a block or a jump."""
    assert dump(text) == expected


LEVELS = [
    ["**"],
    ["*", "/", "~/", "%"],
    ["+", "-"],
    ["==", "!=", "<", "<=", ">", ">=", "in", "not in"],
    ["and"],
    ["or"],
]
LEVELS += [["??"]]
"""The binary operators of the precedence table of language.md, tightest first."""

PAIRS = [
    (tight, loose)
    for at, level in enumerate(LEVELS)
    for tight in level
    for other in LEVELS[at + 1 :]
    for loose in other
]


@pytest.mark.parametrize(("tight", "loose"), PAIRS)
def test_precedence(tight: str, loose: str) -> None:
    """For each pair of operators, the one that stands higher in the table binds its operands first."""
    one, two = tight.replace(" ", "-"), loose.replace(" ", "-")
    assert dump(f"x {loose} y {tight} z") == f"({two} x ({one} y z))"
    assert dump(f"x {tight} y {loose} z") == f"({two} ({one} x y) z)"


def test_precedence_of_prefixes_and_ranges() -> None:
    """Minus stands between ``**`` and ``*``, not between comparisons and and, a range between sums and comparisons."""
    assert dump("x = -a ** b") == "(= x (- (** a b)))"
    assert dump("x = a ** -b ** c") == "(= x (** a (- (** b c))))"
    assert dump("-a * b") == "(* (- a) b)"
    assert dump("-a.b") == "(- (. a b))"
    assert dump("not a == b and c") == "(and (not (== a b)) c)"
    assert dump("a + 1..b * 2") == "(.. (+ a 1) (* b 2))"
    assert dump("x in 1..n") == "(in x (.. 1 n))"
    assert dump("a..b == c") == "(== (.. a b) c)"
    assert dump("-spawn f()") == "(- (spawn (call f)))"


def test_associativity() -> None:
    """Operators of one level group from the left, ``**`` from the right."""
    for operator in ("*", "/", "+", "-", "and", "or", "??"):
        assert dump(f"a {operator} b {operator} c") == f"({operator} ({operator} a b) c)"
    assert dump("a ** b ** c") == "(** a (** b c))"
    assert dump("a - b + c") == "(+ (- a b) c)"


@pytest.mark.parametrize(
    "text",
    ["a < b < c", "a == b != c", "a in b in c", "a is B is C", "a < b is C", "a is B < c", "a..b..c", "a < b not in c"],
)
def test_no_chains(text: str) -> None:
    """Comparisons, is, in and ranges do not chain."""
    assert codes(text) == ["E0304"]


def test_newline_ends_a_statement() -> None:
    """A newline or ``;`` ends a statement; empty ones are nothing."""
    assert dump("a\nb;c;;d;\n\n;\n") == "a b c d"
    assert dump("a\n-b") == "a (- b)"
    assert dump("a\n(b)") == "a b"
    assert dump("a\n[b]") == "a (list b)"
    assert dump("a\r\nb") == "a b"
    assert dump("return\na") == "(return) a"


def test_newline_in_brackets() -> None:
    """In ``(``, ``[`` and a Map's ``{`` a newline means nothing; in a block inside of them it does."""
    assert dump("(a\n+ b)") == "(+ a b)"
    assert dump("[a\n,b\n]") == "(list a b)"
    assert dump("f(a\n(b))") == "(call f (call a b))"
    assert dump("x = {a:\n1\n,\nb\n: 2}") == '(= x (map "a" 1 "b" 2))'
    assert dump("f(fn() {\na\nb\n})") == "(call f (fn [] {a b}))"


@pytest.mark.parametrize(
    "operator", ["+", "-", "*", "/", "~/", "%", "**", "==", "!=", "<", "<=", ">", ">=", "and", "or"]
)
def test_newline_after_an_operator(operator: str) -> None:
    """After a binary operator the statement goes on."""
    assert dump(f"a {operator}\n\n b") == f"({operator} a b)"


def test_newline_after_other_tokens() -> None:
    """After a comma, ``=``, ``=>``, ``:``, ``is``, ``in``, ``not`` and ``..`` the statement goes on."""
    assert dump("let a =\n 1") == "(let a 1)"
    assert dump("a +=\n 1") == "(+= a 1)"
    assert dump("a ??\n b") == "(?? a b)"
    assert dump("let f = fn() =>\n 1") == "(let f (fn [] 1))"
    assert dump("assert a,\n b") == "(assert a b)"
    assert dump("for a,\n b in\n c { }") == "(for a b c {})"
    assert dump("a is\n B") == "(is a B)"
    assert dump("a not\n in\n b") == "(not-in a b)"
    assert dump("a..\nb") == "(.. a b)"


@pytest.mark.parametrize("between", ["\n", "\n\n", "\n // c\n", "\r\n", " /* c\n */ "])
def test_newline_before_a_continuation(between: str) -> None:
    """Before a line that begins with ``.``, ``?.``, else, catch or finally the statement goes on, comments or not."""
    assert dump(f"a{between}.b{between}?.c") == "(?. (. a b) c)"
    assert dump(f"if a {{ b }}{between}else {{ c }}") == "(if a {b} {c})"
    assert dump(f"try {{ a }}{between}catch {{ b }}{between}finally {{ c }}") == "(try {a} (catch {b}) (finally {c}))"


@pytest.mark.parametrize(
    "first",
    [
        "if a { }",
        "if a { } else { }",
        "while a { }",
        "for a in b { }",
        "match a { _ => b }",
        "try { } catch { }",
        "atomic { }",
        "on_behalf(m) { }",
        "class A { }",
        'test "t" { }',
        "fn f() { }",
    ],
)
@pytest.mark.parametrize("second", ["b", "(b)", "[b]", "-b", "not b", "if c { }", "{b: 1}.c", "let d = 1"])
def test_statement_ends_at_its_brace(first: str, second: str) -> None:
    """A statement that begins with one of these words ends at its last ``}``, and nothing continues it."""
    if second.startswith("{"):
        assert dump(f"{first}\n{second}") == f"{dump(first)} {dump(second)}"
    else:
        assert dump(f"{first} {second}") == dump(f"{first}\n{second}") == f"{dump(first)} {dump(second)}"


@pytest.mark.parametrize("rest", [" + 1", ".b", "?.b", " == 2", " ?? 3", " and c", ".b = 1", " is C"])
def test_statement_does_not_go_on_after_its_brace(rest: str) -> None:
    """An operator after the last ``}`` of an if or match statement is an error."""
    assert codes("if a { 1 } else { 2 }" + rest) == ["E0306"]
    assert codes("match a { }" + rest) == ["E0306"]


@pytest.mark.parametrize(
    "before",
    ["x = ", "f(", "[", "[1, ", "{k: ", "return ", "throw ", "a + ", "a ?? ", "a == ", "not ", "a and ", "a in "],
)
def test_brace_opens_a_map(before: str) -> None:
    """After an operator, bracket, comma, ``:``, ``=``, return, throw and in a brace opens a Map."""
    closers = {"(": ")", "[": "]", "{": "}"}
    closer = closers.get(next((c for c in before if c in closers), ""), "")
    text = f"fn g() {{ {before}{{a: 1}}{closer} }}"
    assert '(map "a" 1)' in dump(text)


def test_brace_at_the_start_of_a_statement() -> None:
    """There are no bare blocks: at the start of a statement a brace opens a Map."""
    assert dump("{a: 1}") == '(map "a" 1)'
    assert dump("{}") == "(map)"
    assert dump("a\n{}") == "a (map)"
    assert dump("if a {\n{b: 1}\n}") == '(if a {(map "b" 1)})'
    assert dump("a; {}") == "a (map)"


def test_brace_opens_a_block() -> None:
    """Elsewhere, and always after ``=>``, a brace opens a block."""
    assert dump("if a {}") == "(if a {})"
    assert dump("if f(x) { y }") == "(if (call f x) {y})"
    assert dump("if a[0] { y }") == "(if ([] a 0) {y})"
    assert dump("x = fn() => { y }") == "(= x (fn [] {y}))"
    assert dump("if a == {} { b }") == "(if (== a (map)) {b})"
    assert dump("if a is B { c }") == "(if (is a B) {c})"
    assert dump('if "a" { c }') == '(if "a" {c})'


def test_interpolation() -> None:
    """Any expression stands in a text, quotes, braces and texts included."""
    assert dump('"hi {name}, {1 + 1}"') == '(text "hi " name ", " (+ 1 1))'
    assert dump('"{a}{b}"') == "(text a b)"
    assert dump('"{{}}"') == '"{}"'
    assert dump('"{m["k"]}"') == '(text ([] m "k"))'
    assert dump('"{"{"a"}"}"') == '(text (text "a"))'
    assert dump('"{ {a: 1}["a"] }"') == '(text ([] (map "a" 1) "a"))'
    assert (
        dump('"{xs.map(fn(x) { return "<{x}>" })}"') == '(text (call (. xs map) (fn [x] {(return (text "<" x ">"))})))'
    )
    assert dump('"""a\n{b}\n"c" """') == '(text "a\\n" b "\\n"c" ")'
    assert dump('"""{[\n1,\n2]}"""') == "(text (list 1 2))"


def test_contextual_words_are_names() -> None:
    """with, budget, was, extends, from, as and test are ordinary names where they are no keywords."""
    for word in ("with", "budget", "was", "extends", "from", "as", "test"):
        assert dump(f"let {word} = 1") == f"(let {word} 1)"
        assert dump(f"{word} = {word} + {word}.{word}") == f"(= {word} (+ {word} (. {word} {word})))"
        assert dump(f"{word}(1)") == f"(call {word} 1)"
        assert dump(f"fn f({word}) {{ }}") == f"(def f (fn [{word}] {{}}))"
        assert dump(f"for {word} in {word} {{ }}") == f"(for {word} {word} {{}})"
        assert dump(f"class A {{ {word} }}") == f"(class A (field {word}))"
        assert dump(f"x = {{{word}: 1}}") == f'(= x (map "{word}" 1))'
        assert dump(f"if {word} {{ }}") == f"(if {word} {{}})"
        assert dump(f"fn {word}() {{ }}") == f"(def {word} (fn [] {{}}))"


@pytest.mark.parametrize(
    "word",
    "and assert atomic break catch class continue else false finally fn for if import in is let match nil not "
    "on_behalf or return spawn super throw true try var while".split(),
)
def test_keywords_name_members_and_arguments(word: str) -> None:
    """Any keyword may follow ``.``, name an argument or a Map's key (but for literals), a field or a method."""
    assert dump(f"a.{word}") == f"(. a {word})"
    assert dump(f"a?.{word}()") == f"(call (?. a {word}))"
    assert dump(f"f({word}: 1)") == f"(call f (: {word} 1))"
    if word not in ("nil", "true", "false"):
        assert dump(f"x = {{{word}: 1}}") == f'(= x (map "{word}" 1))'
    assert dump(f"class A {{ fn {word}() {{ }} }}") == f"(class A (method {word} (fn [] {{}})))"
    if word != "fn":
        assert dump(f"class A {{ {word} = 1 }}") == f"(class A (field {word} 1))"
    assert codes(f"let {word} = 1") == ["E0312"]


def test_docs() -> None:
    """A doc comment belongs to the definition below it, one at the top with a blank line after it to the file."""
    program = parse(
        Source(
            "t",
            "/// The file.\n/// More.\n\n/// A constant.\nlet a = 1\n/// A class.\nclass C {\n/// A field.\n b\n"
            "/// A method.\n fn m() { }\n}\n/// Lost.\n\nfn f() { }\n/// g\n/// h\nfn g() { }\nvar v /// not\nvar w",
        )
    )
    assert program.doc == "The file.\nMore."
    docs = [getattr(statement, "doc", None) for statement in program.statements]
    assert docs == ["A constant.", "A class.", None, "g\nh", None, None]
    class_def = program.statements[1]
    assert isinstance(class_def, tree.ClassDef)
    assert class_def.fields[0].doc == "A field."
    assert class_def.methods[0].doc == "A method."
    assert parse(Source("t", "/// About.\nprint(1)")).doc == "About."
    assert parse(Source("t", "//// no doc\nlet a = 1")).doc is None


def every_node(node: Any) -> list[tree.Node]:
    """All nodes below and with a node."""
    found: list[tree.Node] = []
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, list | tuple):
            pending += node
        elif isinstance(node, tree.Node):
            found.append(node)
            pending += [getattr(node, each.name) for each in fields(node)]
    return found


def test_spans() -> None:
    """Every node knows where it stands: what it spans parses to it, names are under their spans, children inside."""
    program = parse(Source("t", TOUR))
    for node in every_node(program):
        start, end = node.span
        assert 0 <= start <= end <= len(TOUR)
        for each in fields(node):
            value = getattr(node, each.name)
            if each.name == "name_span":
                assert TOUR[value[0] : value[1]] == node.name  # type: ignore[attr-defined]
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, tree.Node):
                    assert start <= child.span[0]
                    assert child.span[1] <= end
        if isinstance(node, tree.Name):
            assert TOUR[start:end] == node.id
        if isinstance(node, tree.Binary):
            assert TOUR[node.op_span[0] : node.op_span[1]].split() == node.op.split()


def test_several_errors_in_one_run() -> None:
    """After a syntax error the parser goes on at the next statement, member or arm, at any depth."""
    text = """
let = 1
fn f() {
  a b
  if c { d e }
  g(1 2)
}
class A {
  x: 1
  fn m() { y z }
}
match v { 1 = 2, 2 => 3 4
 5 => 6 }
let last 1
'x' + b"é"
"""
    with pytest.raises(CompileError) as caught:
        parse(Source("t", text))
    lines = [one.source.position(one.span[0])[0] for one in caught.value.diagnostics]
    assert lines == [2, 4, 5, 6, 9, 10, 12, 12, 14, 15, 15]


def test_tables_are_up_to_date() -> None:
    """tables.py is what maketables makes of grammar.lark, which lark's strict mode finds free of conflicts."""
    assert TABLES.read_text(encoding="utf-8") == make_tables()


def test_lark_agrees() -> None:
    """lark's own parser, given the grammar and our lexer, accepts and refuses what ours does."""
    lark = lark_parser()
    samples = [f"x = {text}" for text in EXPRESSIONS] + list(STATEMENTS) + [TOUR]
    samples += ["a b", "f(1 2)", "if a", "let = 1", "class { }", "match a { 1 }", "a < b < c", "x = {1 + 1: 2}", "fn("]
    programs = [Maker(seed).program() for seed in range(60)]
    samples += programs + [text[: len(text) * 2 // 3] for text in programs]
    for sample in samples:
        try:
            lark.parse(sample)
            accepted = True
        except (UnexpectedInput, CompileError):
            accepted = False
        assert accepted == (not codes(sample)), sample


@pytest.mark.parametrize(
    "text",
    [
        "+".join("1" * 5_000),
        "**".join("2" * 5_000),
        "- " * 5_000 + "x",
        "not " * 5_000 + "x",
        "a" + ".b" * 5_000,
        "a" + "()" * 5_000,
        "a" + "[0]" * 5_000,
        "if a {}" + " else if b {}" * 5_000,
        "fn() => " * 5_000 + "1",
        "a ?? " * 5_000 + "1",
        "a and " * 5_000 + "1",
    ],
)
def test_depth_limit(text: str) -> None:
    """A tree that would be too deep is refused with a message, however it is made; no RecursionError."""
    assert codes(text) == ["E0302"]


def depth_of(node: Any) -> int:
    """How deep a tree nests."""
    deepest = 0
    pending = [(node, 1)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        for each in fields(node):
            value = getattr(node, each.name)
            for child in value if isinstance(value, list | tuple) else [value]:
                for part in child if isinstance(child, tuple) else [child]:
                    if isinstance(part, tree.Node):
                        pending.append((part, depth + 1))
    return deepest


@pytest.mark.parametrize("text", ["+".join("1" * 990), "[" * 200 + "]" * 200, "f(fn() {" * 100 + "})" * 100, TOUR])
def test_depth_is_not_underestimated(text: str) -> None:
    """Generous nesting is allowed, and no tree that comes out is deeper than the limit."""
    assert depth_of(parse(Source("t", text))) <= MAX_DEPTH + 2
