"""I6: what a domain may not read tells it nothing.

The same restricted program runs twice, with two secrets; what it prints must be the same.  It holds the secret as an
argument, and inside of its own List, Map, Set and instance, where a strong thread has put it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.jail import SECRET, Jail

SECRETS = (f'["{SECRET}", 7]', "[[1], nil, {k: 1}]")
OTHER = """
class Other { zork = nil; fn count() => 1 }
"""
X = """x | [x] | {k: x} | "{x}" | Text(x) | [x].map(Text) | x[0] | x[0..1] | x.a | x?.a | x.zork | x.count |
x.len() | len(x) | x.zork() | x.count() | x.pop() | x.push(1) | x() | x.f() | x + [1] | [1] + x | x * 2 |
-x | x - 1 | x < x | x == x | x == ["canary-5d1f", 7] | [["canary-5d1f", 7]] == [x] |
x in [["canary-5d1f", 7]] | ["canary-5d1f", 7] in [x] | "canary-5d1f" in x | x is List | x is Map |
type_name(x) | rights(x) | [x].contains(["canary-5d1f", 7]) | [["canary-5d1f", 7]].index(x, -1) |
[x, x].unique() | [["z"], x].sorted() | [x].sorted() | [["z"], x].max() | min(x, x) | sum(x) | sum([x]) |
[x].sum() | [x].join() | [x].flatten() | [["b"]].bisect(x) | [x].bisect(["b"]) | x.map(len) | [1].zip(x) |
[1].extend(x) | List(x) | Set(x) | Set([x]) | Map(x) | Map([x]) | Map([[x, 1]]) | Map([[1, 2, x]]) |
Bytes(x) | Int(x) | Float(x) | abs(x) | round(x) | sleep(x) | chr(x) | "a".join(x) | "a".repeat(x) |
"a".split(x) | x.y.z | ({})[x] | ({a: 1})[x] | ({}).get(x, 0) | {throw x} | {throw Error(x)} |
{throw Error("a", cause: x)} | {assert x == 1} | {assert not x} | {for y in x { print(y) }} |
{for k, v in x { print(k, v) }} | {x.a = 1} | {x[0] = 1} | {x[0] += 1} | {x.a ??= 1} | {x[9] ??= 1} |
{x.zork = 1} | {match x { [p, q] => { return 1 }
 _ => { return 2 } }} | only(x, "r")[0] |
revocable(x).cap[0] | (spawn x()).join() | (spawn x.len()).join() | (spawn x.zork()).join() |
(spawn print(x)).join() | [x].each(print) | json.stringify(x) | json.stringify([x]) |
json.stringify({k: [x]}) | json.pretty([[x]]) | csv.format([x]) | csv.format([[x]]) |
csv.format([{a: x}], columns: ["a"]) | csv.format([["a"]], columns: x) | regex.compile(x) |
regex.test("a", x) | regex.escape(x) | x.sort() | [x, x].group_by(len) | threads.find(x) | threads.wait(x) |
threads.wait([x]) | range_of(x) | 0..x | x[x] | [1][x] | "abc"[x] | x ~/ 2 | x ** 2 | x % 2 | x and 1 |
not x | x ?? 1 | (if x { 1 } else { 2 }) | [x] < [["b"]] | [x] * 2 | print(x, [x]) | x.keys() | x.a.b()"""
HELD = """l | l[0] | l.copy() | l == [["canary-5d1f", 7]] | [l] == [[["canary-5d1f", 7]]] | ["canary-5d1f", 7] in l |
l.contains(["canary-5d1f", 7]) | l.index(["canary-5d1f", 7], -1) | l.count(["canary-5d1f", 7]) |
l.sorted() | [l, l].sorted() | l.sort() | l.max() | [l].flatten() | [l, l].max() | l < [["b"]] | l.join() |
[l].join(" ") | [b].join() | Text(b) | "{b} {l} {m} {s}" | l.map(Text) | l.map(len) | l.unique() |
l.total() | sum(l) | Set(l) | Map(l) | Map([l]) | Map([[b, l]]) | ({})[b] | Bytes(l) | json.stringify(l) |
json.stringify([l]) | json.stringify(m) | json.stringify({k: l}, sort_keys: true) | json.pretty([[m]]) |
csv.format(l) | csv.format([l]) | csv.format([m], columns: ["k"]) | csv.format([[1]], columns: l) | m |
m.k | m.values() | m == {k: ["canary-5d1f", 7]} | m.items() | m.get("k")[0] | m.k[0] | m.k() | b.a |
b.a[0] | b == b | b.a == ["canary-5d1f", 7] | b.a() | b.a.len() | [b] | {assert l == 1} | {throw Error(l)} |
{throw Error(b)} | (spawn l.sorted()).join() | s | s.list() | s.first().zork | s.map(fn(x) => x.zork) |
s == Set([1]) | s.union(Set([1])) | s.sorted() | l.zip(l) | l.chunks(1) | l.indexed() | l.pick([0])[0][0] |
l.bisect(["canary"]) | l * 2 | l + l | l[0..1] | l.remove(["canary-5d1f", 7]) | l.pop()"""
KIND = {"range_of(x)": "x..2"}


def tries(expressions: str) -> str:
    """A function for each expression, called in turn; of an error kind and words are printed."""
    parts = [KIND.get(part.strip(), part.strip()) for part in expressions.replace("|\n", "| ").split(" | ")]
    blocks = [part.startswith("{") and part[1:2].islower() and ": " not in part[:4] for part in parts]
    bodies = [f"fn() {part}" if block else f"fn() => ({part})" for part, block in zip(parts, blocks, strict=True)]
    tried = [f"try {{ let f = {body}; print({n}, f()) }} catch e {{ print({n}, e) }}" for n, body in enumerate(bodies)]
    return "\n".join(tried)


PROGRAM = f"""
import "std/json" as json
import "std/csv" as csv
import "std/regex" as regex
class Box {{ a = nil }}
class Other {{ zork = 1; other = 2; fn count() => 1 }}
class Plain {{ zonk = nil }}
fn spy(x, y) {{
    let l = []
    let m = {{}}
    let s = Set()
    let b = Box()
    threads.self().parent.ask([l, m, s, b])
    look(x)
    look(y)
    {tries(HELD)}
}}
fn look(x) {{
    {tries(X)}
}}
let secret = root.list
let other = INSTANCE
let t = spawn spy(secret, other) with {{console: 1}}
let asked = receive()
asked.value[0].push(secret)
asked.value[1].k = secret
asked.value[2].add(other)
asked.value[3].a = secret
asked.reply(nil)
t.join()
"""


@pytest.fixture(params=["direct", "resumable"])
def jail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jail]:
    """A world of its own."""
    made = Jail(tmp_path / "w", request.param)
    yield made
    made.close()


def test_i6_noninterference(jail: Jail) -> None:
    """Whatever a domain tries with what it may not read: values, errors and their words do not depend on it."""
    seen = []
    for secret, other in zip(SECRETS, ("Other(5)", "Other(nil, other: [secret])"), strict=True):
        jail.reset(secret)
        seen.append(jail.top(PROGRAM.replace("INSTANCE", other), f"spy{len(seen)}.hold"))
    count = len(tries(X).split("\ntry")) * 2 + len(tries(HELD).split("\ntry"))
    assert count <= len(seen[0]) < count + 20
    for one, two in zip(*seen, strict=True):
        assert SECRET not in one
        assert "machine failed" not in one
        assert one.replace("spy0", "spy1") == two
