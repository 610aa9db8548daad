"""To change a variable of a thread gives nobody more than to look at it and to send it a value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.jail import Jail

STOPPED = """
fn stopped(t) {
    while t.state != "suspended" { assert t.state != "failed"; sleep(0) }
    return t
}
"""


@pytest.fixture(params=["direct", "resumable"])
def jail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jail]:
    made = Jail(tmp_path / "w", request.param)
    yield made
    made.close()


def test_frames_above(jail: Jail) -> None:
    """Who was given a thread of the whole world's with all rights changes none of its variables, nor learns of them."""
    jail.top(
        STOPPED
        + """
fn work(secret_name) { threads.self().suspend(); return secret_name }
root.t = spawn work(1)
stopped(root.t)
root.hub.t = root.t
"""
    )
    program = 'try { caps.hub.t.set_local(0, "secret_name", 2) } catch e { print(e) }'
    refused = "IndexError: the thread has no frame that can be seen here: it may not have begun"
    assert jail.evil(program) == [refused]
    assert jail.top("root.t.resume()\nprint(root.t.join())") == ["1"]


def test_a_thread_of_a_stronger_domain(jail: Jail) -> None:
    """Nobody sees or changes frames in a thread of a stronger domain, also not those of his own code."""
    jail.evil(
        """
fn stop(n) { caps.hub.t.suspend(); return n }
caps.hub.inner = fn() { let own = 5; return [stop(1), own] }
"""
    )
    jail.top(
        STOPPED
        + """
fn above(f) { let mine = 1; return [f(), mine] }
root.hub.t = spawn above(root.hub.inner)
stopped(root.hub.t)
"""
    )
    program = """
print(caps.hub.t.frames)
for n in 0..3 {
    for name in ["n", "own", "mine"] { try { caps.hub.t.set_local(n, name, 7); print("changed") } catch e {} }
}
"""
    assert jail.evil(program, jail.world.monitor.owner(jail.root("hub").v["inner"])) == ["[]"]
    assert jail.top("root.hub.t.resume()\nprint(root.hub.t.join())") == ["[[1, 5], 1]"]


CLOSURE = """
fn make() {
    var balance = 100
    let token = "token"
    let f = fn(call) { call(); balance += 1; return token }
    balance += 1
    return f
}
root.hub.f = make()
"""


def test_a_variable_of_another_domain_s_function(jail: Jail) -> None:
    """What a function may not read here, since it was captured elsewhere, no frame shows, and nobody changes."""
    jail.top(CLOSURE)
    program = (
        STOPPED
        + """
fn run() => caps.hub.f(fn() { threads.self().suspend() })
let t = stopped(spawn run())
for n in 0..t.frames.len() {
    print(t.frames[n].locals.keys())
    try { t.set_local(n, "balance", 7); print("changed") } catch e { print(e.kind) }
}
t.resume()
try { t.join() } catch e { print(e.message) }
"""
    )
    found = jail.evil(program)
    assert found[:-1] == ["[]", "NameError", '["call", "token"]', "NameError", "[]", "NameError"], found
    assert "a variable of the domain that made it" in found[-1]


def test_a_frame_that_acts_on_behalf(jail: Jail) -> None:
    """A server that acts on behalf of somebody keeps its frames, and its variables, to itself."""
    jail.top(
        STOPPED
        + """
fn serve() {
    let m = receive()
    var limit = 5
    on_behalf(m) { helper(m.value, limit) }
    return limit
}
fn helper(f, pin) { var ok = true; f(); return [ok, pin] }
root.t = spawn serve()
root.hub.t = root.t
"""
    )
    program = (
        STOPPED
        + """
let t = caps.hub.t
fn stop() { t.suspend(); sleep(0); return 1 }
t.send(stop)
stopped(t)
print(t.frames.map(fn(f) => f.function))
for n in 0..3 {
    for name in ["limit", "m", "f", "pin", "ok"] { try { t.set_local(n, name, 100); print(n, name) } catch e {} }
}
t.resume()
"""
    )
    assert jail.evil(program) == ["[]"]
    assert jail.top("print(root.t.join())") == ["5"]


def test_a_value_from_above_is_a_mere_reference(jail: Jail) -> None:
    """What the whole world puts into a variable of a restricted thread, that cannot use."""
    jail.evil(
        STOPPED
        + """
fn work() {
    var x = 1
    var y = 2
    let f = fn() { y = y }
    threads.self().suspend()
    for v in [x, y] {
        print(rights(v))
        try { print(v[0]) } catch e { print(e.kind) }
    }
}
caps.hub.t = stopped(spawn work())
"""
    )
    jail.top('root.hub.t.set_local(0, "x", root.list)\nroot.hub.t.set_local(0, "y", only(root.list, "rw"))')
    assert jail.top("root.hub.t.resume(); root.hub.t.join()") == ["", "CapabilityError", "", "CapabilityError"]


def test_a_child_s_variable_carries_no_rights(jail: Jail) -> None:
    """A domain changes variables of those below it, which get no right to what it puts there."""
    program = (
        STOPPED
        + """
fn kid(x) {
    threads.self().suspend()
    print(rights(x))
    try { return x[0] } catch e { return e.kind }
}
let mine = ["mine"]
let t = stopped(spawn kid(1) with {console: 1})
t.set_local(0, "x", 7)
print(t.frames[0].locals.x)
t.set_local(0, "x", mine)
print(t.frames[0].locals.x == mine, rights(t.frames[0].locals.x))
t.resume()
print(t.join())
let u = stopped(spawn kid(1) with {console: 1})
u.set_local(0, "x", caps.hub)
u.resume()
print(u.join())
"""
    )
    found = jail.evil(program)
    assert found[0] == "7" and found[2:] == ["", "CapabilityError", "", "CapabilityError"], found
