"""Which right each operation needs: every set of rights, kind of object and operation, allowed or refused.

``USES`` is the table.  An operation is tried through a capability with each of the eight sets of rights: in a
restricted thread that was granted it, and in unrestricted code that has made it with ``only``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.vm.domains import RIGHTS
from tests.conformance.cases import Bench

HEAD = """
class Box {
    a = 1
    f = nil
    fn quiet() => 5
    fn loud() => self.a
    fn change() { self.a = 2 }
}
fn parked() { receive() }
"""

MAKE = {
    "Box": "Box(1)",
    "List": "[3, 1, 2]",
    "Map": "({a: 1, f: fn() => 5})",
    "Set": 'Set(["a", "b"])',
    "function": "fn(n = 1) => n",
    "thread": "spawn parked()",
}

USES: dict[str, dict[str, str]] = {
    "Box": {
        "x.a": "r",
        "x?.a": "r",
        "x.f": "r",
        "x.a = 2": "w",
        "x.a += 1": "rw",
        "x.a ??= 1": "r",  # it has a value, so nothing is written
        "x.f ??= 1": "rw",
        "x.quiet()": "x",
        "x.loud()": "rx",
        "x.change()": "wx",
        "x == x": "",
        "x == nil": "",
        "x is Box": "",
        "[x]": "",
        "({})[x] = 1": "",
        "rights(x)": "",
        "type_name(x)": "",
        'only(x, "r")': "",
        "threads.self().send(x)": "",
    },
    "List": {
        "x[0]": "r",
        "x[0..2]": "r",
        "x[0] = 2": "w",
        "x[0] += 2": "rw",
        "len(x)": "r",
        "x.len()": "r",
        "for y in x { }": "r",
        "for i, y in x { }": "r",
        "x.map(fn(y) => y)": "r",
        "x.contains(2)": "r",
        "2 in x": "r",
        "x + [1]": "r",
        "[1] + x": "r",
        "x * 2": "r",
        "x < [4]": "r",
        "x.sorted()": "r",
        "x.join()": "r",
        "x.first()": "r",
        "x.copy()": "r",
        "sum(x)": "r",
        "min(x)": "r",
        "List(x)": "r",
        "[0].extend(x)": "r",
        "[0].zip(x)": "r",
        "x.push(1)": "w",
        "x.extend([1])": "w",
        "x.clear()": "w",
        "x.fill(0)": "w",
        "x.pop()": "rw",
        "x.remove(1)": "rw",
        "x.insert(0, 1)": "rw",
        "x.reverse()": "rw",
        "x.sort()": "rw",
        "x == [1]": "",  # without r it is identity
        "match x { [a, b, c] => 1, _ => 2 }": "",  # what may not be read is no List of three
    },
    "Map": {
        "x.a": "r",
        'x["a"]': "r",
        'x.get("a")': "r",
        'x.has("a")': "r",
        '"a" in x': "r",
        "len(x)": "r",
        "x.keys()": "r",
        "x.values()": "r",
        "for k, v in x { }": "r",
        "for k in x { }": "r",
        "x.b = 2": "w",
        'x["b"] = 2': "w",
        "x.clear()": "w",
        "x.update({c: 1})": "w",
        "x.a += 1": "rw",
        "x.b ??= 1": "rw",
        'x["b"] ??= 1': "rw",
        'x.setdefault("b", 1)': "rw",
        'x.remove("a")': "rw",
        "x.f()": "rx",
        'x["f"]()': "rx",
        "x == {a: 1}": "",
    },
    "Set": {
        '"a" in x': "r",
        'x.has("a")': "r",
        "x.len()": "r",
        "x.list()": "r",
        "x.union(Set([1]))": "r",
        "Set([1]).union(x)": "r",
        "for y in x { }": "r",
        "x.clear()": "w",
        "x.update(Set([1]))": "w",
        "x.add(1)": "rw",
        'x.remove("a")': "rw",
        "x == Set([1])": "",
    },
    "function": {
        "x()": "x",
        "x(2)": "x",
        "x(n: 2)": "x",
        "[1].map(x)": "x",
        "(spawn x()).join()": "x",
        "x == x": "",
        "[x]": "",
    },
    "thread": {
        "x.name": "r",
        "x.state": "r",
        "x.frames": "r",
        "x.children": "r",
        "x.id": "r",
        "x.suspend()": "w",
        "x.resume()": "w",
        'x.set_priority("low")': "w",
        "x.kill()": "w",
        '(fn() { try { x.set_local(0, "n", 1) } catch e is CapabilityError { throw e } catch {} })()': "rw",
        "(fn() { x.send(1); return x.join() })()": "r",
        "x.send(1)": "",
        "x == x": "",
    },
}
"""Kind of object, operation, and the rights that it needs."""
STATEMENT = ("for ", "match ", "x.a = ", "x.a += ", "x.a ??= ", "x.f ??= ", "x.b ")


@pytest.fixture(scope="module", params=["direct", "resumable"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A world in each shape."""
    made = Bench(tmp_path_factory.mktemp("bench") / "w", request.param)
    yield made
    made.close()


def program(kind: str, restricted: bool) -> str:
    """Each operation with each set of rights, on a new object; a line for each."""
    lines = [HEAD]
    for number, use in enumerate(USES[kind]):
        lines += [f"fn use{number}(x) {{", f"    {use}", "    return 1", "}"]
    for number in range(len(USES[kind])):
        lines += [f"fn try{number}(x) {{ try {{ use{number}(x); return {number} }} catch e {{ return e.kind }} }}"]
        if restricted:
            lines += [f"fn kid{number}() => try{number}(caps.x)"]
    for rights in RIGHTS:
        for number in range(len(USES[kind])):
            made = f'only({MAKE[kind]}, "{rights}")'
            if restricted:
                lines += [f"let t{rights}{number} = spawn kid{number}() with {{x: {made}}}"]
                lines += [f"print(t{rights}{number}.join())"]
            else:
                lines += [f"print(try{number}({made}))"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("restricted", [True, False], ids=["granted", "only"])
@pytest.mark.parametrize("kind", USES)
def test_operations_need_their_rights(kind: str, restricted: bool, bench: Bench) -> None:
    """An operation is done if all its rights are there, and is a CapabilityError else."""
    outcome = bench.run(program(kind, restricted))
    assert (outcome.error, outcome.diagnostics) == (None, [])
    expected = {
        (rights, use): str(number) if set(need) <= set(rights) else "CapabilityError"
        for rights in RIGHTS
        for number, (use, need) in enumerate(USES[kind].items())
    }
    found = dict(zip(expected, outcome.output, strict=True))
    wrong = {key: line for key, line in found.items() if line != expected[key]}
    assert not wrong, wrong
