"""Programs for tests: one with every production, and strategies that make others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

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
let functions = [fn() => 1, fn(x) { return x }, fn(x, y = 1, ...z) => { x }, fn() => ({a: 1})]
let more = [fn() { }(), n ?? fn() => n or n, n or n and fn() => n, {}]

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
try { risky() } catch e is KeyError { print(e.message) } catch is bank.Broken { } catch e { throw e } finally { done() }
try { risky() } catch { }
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

NAMES = ["a", "b", "xs", "count", "with", "from", "test", "Account", "_", "self"]
LITERALS = [
    "0", "42", "1_000", "2.5", "1e-9", "0xff", "nil", "true", "false", '"text"', '""', 'b"\\x00"', 'r"\\n"', '"{{}}"',
    '"a {b} c"', '"{"x{1}"}"', '"""two\nlines"""', '"{ {a: 1} }"',
]  # fmt: skip
BINARY = ["+", "-", "*", "/", "~/", "%", "**", "and", "or", "??"]
COMPARISON = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
ASSIGNMENT = ["=", "+=", "-=", "*=", "/=", "~/=", "%=", "**=", "??="]
PATTERNS = ["_", "a", "Int", "m.A", "1", "-1", "1..2", "1..=2", '"a"', "nil", "[]", "[a, [_, B]]"]
PARAMETERS = ["", "a", "a, b = 1", "a, ...b", "...a", "a,"]
KEYS = ["a", '"k"', "1", "-1", "if", "true", "(a)", '"{b}"']
JUMPS = ["break", "continue", "return", "return 1", "throw 2"]
MEMBERS = ["a", "b = 1", "fn f() { }", "fn g() => 1", "/// Doc.\nc", "fn h(x) {\nreturn x\n}", "// about\nfn i() {\n}"]


class Maker:
    """Makes programs that parse, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def pick(self, *choices: str) -> str:
        """One of the choices."""
        return self.random.choice(choices)

    def some(self, make: Callable[[int], str], depth: int, separator: str = ", ") -> str:
        """From none to three of something."""
        return separator.join(make(depth) for _ in range(self.random.randrange(4)))

    def expression(self, depth: int) -> str:
        """An expression, in parentheses where precedence would matter."""
        if depth <= 0 or self.random.random() < 0.2:
            return self.pick(*NAMES, *LITERALS)
        depth -= 1
        inner = partial(self.expression, depth)
        forms: list[Callable[[], str]] = [
            lambda: f"({inner()})",
            lambda: f"(({inner()}) {self.pick(*COMPARISON)} {self.target(depth)})",
            lambda: f"({self.target(depth)} {self.pick(*BINARY)} ({inner()}))",
            lambda: f"(-({inner()}))",
            lambda: f"(not ({inner()}))",
            lambda: f"(({inner()}) is not m.A)",
            lambda: f"({self.target(depth)}{self.pick('..', '..=')}({inner()}))",
            lambda: f"[{self.some(self.expression, depth)}]",
            lambda: f"({{{self.some(self.entry, depth)}}})",
            lambda: f"{self.target(depth)}{self.pick('.a', '?.if', '.b.c')}",
            lambda: f"{self.target(depth)}{self.pick('[', '?[')}{inner()}]",
            lambda: f"{self.target(depth)}({self.some(self.expression, depth)})",
            lambda: f"{self.target(depth)}.f({inner()}).g({self.pick('a: ', 'if: ', '')}{inner()})",
            lambda: f"(fn({self.pick(*PARAMETERS)}) => {inner()})",
            lambda: f"(fn({self.pick(*PARAMETERS)}) {self.block(depth)})",
            lambda: f"(if {inner()} {self.block(depth)}{self.pick('', ' else ' + self.block(depth))})",
            lambda: f"(match ({inner()}) {{ {self.some(self.arm, depth)} }})",
            lambda: f"(spawn f({inner()}) with {{ a: {inner()} }} budget {{ b: 1 }})",
            lambda: f'"""t {{{inner()}}}"""',
        ]
        return self.random.choice(forms)()

    def target(self, depth: int) -> str:
        """What can be followed by ``.``, ``[`` and ``(``."""
        return self.pick(*NAMES) if self.random.random() < 0.6 else f"({self.expression(depth)})"

    def entry(self, depth: int) -> str:
        """An entry of a Map."""
        return f"{self.pick(*KEYS)}: {self.expression(depth)}"

    def arm(self, depth: int) -> str:
        """An arm of a match."""
        body = self.pick(*JUMPS) if self.random.random() < 0.3 else self.expression(depth)
        return f"{self.pick(*PATTERNS)} => {self.block(depth) if self.random.random() < 0.3 else body}"

    def block(self, depth: int) -> str:
        """A block, on one line or on several."""
        separator = self.pick("; ", "\n", "\n\n")
        edge = self.pick(" ", "\n")
        return "{" + edge + self.some(self.statement, depth - 1, separator) + edge + "}"

    def statement(self, depth: int) -> str:
        """A statement that may stand in a block."""
        if depth <= 0 or self.random.random() < 0.4:
            return self.simple(depth)
        condition, body = self.expression(depth - 1), partial(self.block, depth - 1)
        forms: list[Callable[[], str]] = [
            lambda: f"if {condition} {body()}",
            lambda: f"if {condition} {body()} else if {condition} {body()} else {body()}",
            lambda: f"while {condition} {body()}",
            lambda: f"for {self.pick('a', 'k, v')} in {condition} {body()}",
            lambda: f"try {body()} catch {body()}",
            lambda: f"try {body()} catch e is m.E {body()} finally {body()}",
            lambda: f"atomic {body()}",
            lambda: f"on_behalf({condition}) {body()}",
            lambda: f"fn {self.pick(*NAMES)}(a, b = {condition}) {body()}",
            lambda: f"match {condition} {{\n1 => {body()}\n_ => {condition},\n}}",
        ]
        return self.random.choice(forms)()

    def simple(self, depth: int) -> str:
        """A statement without a block of its own."""
        value = self.expression(depth)
        return self.random.choice(
            [
                f"({value})",
                f"{self.pick('let', 'var')} {self.pick(*NAMES)} = {value}",
                f"{self.pick(*NAMES)}{self.pick('', '.a', '[0]', '.b(1).c')} {self.pick(*ASSIGNMENT)} {value}",
                f"return {value}",
                f"throw {value}",
                f"assert {value}, {value}",
                self.pick("var a", "return", "break", "continue", "fn f() => 1", "{}.a"),
            ]
        )

    def program(self) -> str:
        """A whole program."""
        forms: list[Callable[[int], str]] = [
            lambda depth: self.statement(depth),
            lambda depth: f'test "t" {self.block(depth)}',
            lambda _: "class A {\n" + "\n".join(self.random.sample(MEMBERS, self.random.randrange(6))) + "\n}",
            lambda _: self.pick('import "p" as q', 'import { a, b } from "p"', "/// Doc.\nfn d() { }", "// A comment."),
        ]
        definitions = [self.random.choice(forms)(4) for _ in range(self.random.randrange(8))]
        return self.pick("\n", "\n\n\n").join(definitions)


SEEDS = st.integers(0, 2**32 - 1)
"""Seeds for a Maker."""

TOKENS = st.sampled_from(
    "and assert atomic break catch class continue else false finally fn for if import in is let match nil not "
    "on_behalf or return spawn super throw true try var while as budget extends from test was with a b Ab _ 1 2.5 "
    "0x 1_ 9e9 ?. ( ) [ ] { } ?[ + - * / ~/ % ** == != < <= > >= .. ..= ... ?? = += ??= , : ; . => "
    '=== && ! \' " """ b" r" // /* */ /// "a" "a{ }b" \\ @ # $ é \u202e \x00'.split(" ")
) | st.sampled_from(["\n", " ", "\t", "\r\n", "\r"])
"""Anything that a source may hold, and some of what it may not."""

SOUPS = st.lists(TOKENS, max_size=60).map(" ".join) | st.lists(TOKENS, max_size=60).map("".join)
"""Random tokens in a row."""
