"""What guarded code need not test again: code that has run with a domain's own objects, and has learnt what to guess,
is given what is not: a mere reference, and a capability of its own without rights, whose owner is the domain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.jail import Jail

REFUSED = "CapabilityError"
PROGRAM = """
class Node {
  n = 7
  next = nil
  fn get() { return self.n }
  fn set() { self.n = 7; return self.n }
  fn chain() { let a = self.next; return a.n + self.next.n }
}
class Holder { a = nil; b = nil }
fn nodes() => [
  fn(x) => x.n,
  fn(x) => x.get(),
  fn(x) => x.set(),
  fn(x) => (fn() => x.n)(),
  fn(x) { let h = Holder(); h.a = x; h.b = x; return x.n },
  fn(x) { let h = Holder(); h.a = x; return h.a.n },
  fn(x) { let h = Holder(a: Node()); let before = h.a.n; h.a = x; return h.a.n },
  fn(x) { let h = Holder(a: Node()); let o = h; let before = h.a.n; o.a = x; return h.a.n },
  fn(x) { let m = {a: Node()}; let before = m.a.n; m["a"] = x; return m.a.n },
  fn(x) { let h = Holder(a: Node()); let before = h.a.n; (fn() { h.a = x })(); return h.a.n },
  fn(x) { let h = Holder(a: Node()); let before = h.a.n; if before == 7 { h.a = x }; return h.a.n },
  fn(x) { var y = Node(); var s = 0; for i in 0..2 { s = y.n; y = x }; return y.n },
  fn(x) { let y = Node(next: x); return y.chain() / 2 },
  fn(x) { let xs = [x, x]; return xs[1].n },
  fn(x) { var y = x; let f = fn() { y = y; return y.n }; return f() },
]
fn lists() => [
  fn(x) { for i in x { return i } },
  fn(x) { var n = 0; for i in x { n = i }; return n },
  fn(x) => x[0],
  fn(x) => len(x) * 7,
  fn(x) { x[0] = 7; return x[0] },
  fn(x) { x.push(7); return x.pop() },
  fn(x) => x.map(fn(i) => i)[0],
  fn(x) { let h = Holder(a: [7]); let before = h.a[0]; h.a = x; return h.a[0] },
]
fn outcome(f, x) { try { return f(x) } catch e { return e.kind } }
fn tried(f, good, bad) {
  for i in 0..5 { if outcome(f, good()) != 7 { print("wrong") } }
  print(outcome(f, bad), outcome(f, bad), outcome(f, only(good(), "")), outcome(f, only(good(), "")))
  if outcome(f, good()) != 7 { print("wrong") }
}
fn kid(node, list) {
  for round in 0..3 {
    for f in nodes() { tried(f, fn() => Node(), node) }
    for f in lists() { tried(f, fn() => [7], list) }
  }
}
"""


@pytest.mark.parametrize("shape", ["direct", "resumable"])
def test_what_is_not_own_is_met_by_the_monitor(tmp_path: Path, shape: str) -> None:
    """Reads, methods, loops, stores and fields that were tested before."""
    jail = Jail(tmp_path / "w", shape)
    call = "let t = spawn kid(Node(), [7]) with {console: 1}\nt.join()\n"
    try:
        found = jail.top(PROGRAM + call)
    finally:
        jail.close()
    assert "wrong" not in found
    assert len(found) == 3 * (15 + 8)
    assert set(found) == {" ".join([REFUSED] * 4)}
