"""Programs for tests: one with every production, and strategies that make others."""

from __future__ import annotations

from hypothesis import strategies as st

TOUR = r'''
/// A tour of the language: every production once.

import "bank.hold" as bank
import { Account, pay, } from "bank.hold"

/// A constant.
let pi = 3.141_59
var n; var big = 0xFF + 0b11 - 1_000 ~/ 7 % 3 ** 2
n += 1; n -= 1; n *= 2; n /= 2; n ~/= 2; n %= 2; n **= 2; n ??= nil
let texts = ["a\n\t\"\\\u{1F600}", r"raw\{x}", b"\x00\xffab", """several
lines {n}""", "{n} and {"in{n}er"} and {{braces}}", "{ {a: 1}["a"] }"]
let map = {"a": 1, b: 2, (n): 3, 4: 5, -6: 7, 2.5: 8, nil: 9, true: 10, false: 11, b"k": 12, if: 13, "{n}": 14,}
let nothing = [[], {}, (1), [1,], {a: 1,}]
let logic = not n and n or n ?? n
let compare = [n == 1, n != 1, n < 1, n <= 1, n > 1, n >= 1, n in map, n not in map, n is Int, n is not bank.Account]
let ranges = [0..n, 0..=n + 1, -1..-2]
let access = bank?.vault?[0].doors[1..2].open(1, 2, how: "wide", if: 3,)

/// Pays interest.
fn pay_all(accounts, rate = 0.01, ...notes) {
  for account in accounts { account.balance += account.balance * rate }
  for key, value in {a: 1} { if value == 1 { continue } else if value == 2 { break } else { print("{key}={value}") } }
  while n < 10 { n += 1 }
  return
}
fn double(x) => x * 2
let functions = [fn() => 1, fn(x) { return x }, fn(x, y = 1, ...z) => { x }, fn() => ({a: 1}), fn() { }(), n ?? fn() => n or n]

class Savings extends bank.Account was Deposit {
  /// What is paid.
  rate = 0.01
  owner
  history = []; in = 1

  /// Adds.
  fn deposit(amount) {
    if amount <= 0 { throw "amount must be positive" }
    super.deposit(amount)
    self.history.push(amount)
  }
  fn match(x,) => x; fn empty() { } fn last() { }
}
class Empty {}

let size = if n > 5 { "big" } else if n == 5 { "even" } else { "small" }
let kind = match n { 0 => "zero", -1 => "minus", 1..9 => "digit", 10..=20 => { "teen" }, 2.5 => nil, _ => "other" }
match texts {
  [] => print("none")
  [a, [b, _], 1,] => print(a, b),
  nil => 1, true => 2
  "text" => 3
  b"bytes" => 4
  Int => 5
  bank.Account => 6
  other => throw other
}
fn jumps() { match n { 1 => return, 2 => return 3, _ => throw "x" } }
while true { match n { 1 => break, _ => continue } }
try { risky() } catch e is KeyError { print(e.message) } catch is bank.Broken { } catch e { throw e } catch { } finally { done() }
try { risky() } finally { done() }
atomic { n -= 1; n += 1 }
on_behalf(message) { deliver(message.value) }
let t = spawn work(10)
spawn job.run(n).again() with { images: only(root.images, "r"), "thumbs": x } budget { cpu_ms: 500, objects: 10_000 }
spawn work() with {}
spawn work() budget { cpu_ms: 1 }
root.accounts ??= {}
root["x"].y = -n
n
  // a comment between
  .first()
  ?.second(
    1, // one
    /* two */ 2
  )
assert n == n
assert n == n, "message"
test "deposit adds" { let a = Account(owner: "x"); assert a.balance == 5 }
'''
"""A program with every production of the grammar in it."""

NAMES = st.sampled_from(["a", "b", "xs", "count", "with", "from", "test", "Account", "_", "self"])
LITERALS = st.sampled_from(
    ["0", "42", "1_000", "2.5", "1e-9", "0xff", "nil", "true", "false", '"text"', '""', 'b"\\x00"', 'r"\\n"', '"{{}}"',
     '"a {b} c"', '"{"x{1}"}"', '"""two\nlines"""', '"{ {a: 1} }"']
)  # fmt: skip
BINARY = st.sampled_from(["+", "-", "*", "/", "~/", "%", "**", "and", "or", "??"])
COMPARISON = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
ASSIGNMENT = st.sampled_from(["=", "+=", "-=", "*=", "/=", "~/=", "%=", "**=", "??="])


def _joined(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map("".join)


def _listed(items: st.SearchStrategy[str], separator: str = ", ", most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(items, max_size=most).map(separator.join)


def _expressions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions whose parts are ``inner`` ones; all in parentheses where precedence would matter."""
    block = _joined("{ ", _listed(inner, "; "), " }")
    target = st.one_of(NAMES, _joined("(", inner, ")"))
    argument = st.one_of(inner, _joined(st.sampled_from(["a: ", "if: ", "from: "]), inner))
    parameters = st.sampled_from(["", "a", "a, b = 1", "a, ...b", "...a", "a,"])
    pattern = st.sampled_from(["_", "a", "Int", "m.A", "1", "-1", "1..2", "1..=2", '"a"', "nil", "[]", "[a, [_, B]]"])
    arm = _joined(pattern, " => ", st.one_of(inner, block, st.sampled_from(["break", "return", "return 1", "throw 2"])))
    key = st.one_of(st.sampled_from(["a: ", '"k": ', "1: ", "-1: ", "if: ", "true: "]), _joined("(", inner, "): "))
    return st.one_of(
        _joined("(", inner, ")"),
        _joined("(", inner, " ", BINARY, " ", inner, ")"),
        _joined("(", inner, ") ", COMPARISON, " (", inner, ")"),
        _joined("(", inner, ") ", BINARY, " (", inner, ")"),
        _joined("-(", inner, ")"),
        _joined("(not ", inner, ")"),
        _joined("(", inner, ") is not m.A"),
        _joined("(", inner, ")", st.sampled_from(["..", "..="]), "(", inner, ")"),
        _joined("[", _listed(inner), "]"),
        _joined("({", _listed(_joined(key, inner)), "})"),
        _joined(target, st.sampled_from([".a", "?.if", ".b.c"])),
        _joined(target, st.sampled_from(["[", "?["]), inner, "]"),
        _joined(target, "(", _listed(inner), ")"),
        _joined(target, ".f(", inner, ").g(", _joined(argument), ")"),
        _joined("(fn(", parameters, ") => ", inner, ")"),
        _joined("(fn(", parameters, ") ", block, ")"),
        _joined("(if ", inner, " ", block, st.one_of(st.just(""), _joined(" else ", block)), ")"),
        _joined("(match (", inner, ") { ", _listed(arm), " })"),
        _joined("(spawn f(", inner, ") with { a: ", inner, " } budget { b: 1 })"),
        _joined('"t {', inner.filter(lambda text: "\n" not in text), '}"'),
    )


EXPRESSIONS = st.recursive(st.one_of(NAMES, LITERALS), _expressions, max_leaves=12)
"""Expressions, as text on as many lines as their literals have."""


def _statements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    block = _joined("{\n", _listed(inner, "\n"), "\n}")
    line = _joined("{ ", inner.filter(lambda text: "\n" not in text), " }")
    body = st.one_of(block, line)
    return st.one_of(
        _joined("if ", EXPRESSIONS, " ", body),
        _joined("if ", EXPRESSIONS, " ", body, " else if ", EXPRESSIONS, " ", body, " else ", body),
        _joined("while ", EXPRESSIONS, " ", body),
        _joined("for ", st.sampled_from(["a", "k, v"]), " in ", EXPRESSIONS, " ", body),
        _joined("try ", body, " catch ", body),
        _joined("try ", body, " catch e is m.E ", body, " finally ", body),
        _joined("atomic ", body),
        _joined("on_behalf(", EXPRESSIONS, ") ", body),
        _joined("fn ", NAMES, "(a, b = ", EXPRESSIONS, ") ", body),
        _joined("match ", EXPRESSIONS, " {\n1 => ", body, "\n_ => ", EXPRESSIONS, ",\n}"),
    )


SIMPLE = st.one_of(
    EXPRESSIONS.filter(lambda text: not text.startswith(("if", "match"))),
    _joined(st.sampled_from(["let ", "var "]), NAMES, " = ", EXPRESSIONS),
    _joined(NAMES, st.sampled_from(["", ".a", "[0]", ".b(1).c"]), " ", ASSIGNMENT, " ", EXPRESSIONS),
    _joined("return ", EXPRESSIONS),
    _joined("throw ", EXPRESSIONS),
    _joined("assert ", EXPRESSIONS, ", ", EXPRESSIONS),
    st.sampled_from(["var a", "return", "break", "continue", "fn f() => 1", "{}.a"]),
)
STATEMENTS = st.recursive(SIMPLE, _statements, max_leaves=6)
DEFINITIONS = st.one_of(
    _joined(
        "class A {\n", _listed(st.sampled_from(["a", "b = 1", "fn f() { }", "fn g() => 1", "/// Doc.\nc"]), "\n"), "\n}"
    ),
    _joined('test "t" {\n', _listed(STATEMENTS, "\n"), "\n}"),
    st.sampled_from(['import "p" as q', 'import { a, b } from "p"', "/// Doc.\nfn d() { }", "// A comment."]),
    STATEMENTS,
)
PROGRAMS = _listed(DEFINITIONS, "\n", 6)
"""Whole programs that parse."""

TOKENS = st.sampled_from(
    "and assert atomic break catch class continue else false finally fn for if import in is let match nil not on_behalf "
    "or return spawn super throw true try var while as budget extends from test was with a b Ab _ 1 2.5 0x 1_ 9e9 "
    '( ) [ ] { } ?[ + - * / ~/ % ** == != < <= > >= .. ..= ... ?? = += ??= , : ; . ?. => === && ! \' " """ b" r" // /* */ '
    '/// "a" "a{ }b" \\ @ # $ é \u202e \x00'.split(" ")
) | st.sampled_from(["\n", " ", "\t", "\r\n", "\r"])
"""Anything that a source may hold, and some of what it may not."""

SOUPS = st.lists(TOKENS, max_size=60).map(" ".join) | st.lists(TOKENS, max_size=60).map("".join)
"""Random tokens in a row."""
