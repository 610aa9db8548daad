"""Attacks by name: what restricted programs try, to get at a secret or to act with rights that they lack.

``evil`` programs are code of a domain that is granted ``root.hub`` alone; ``top`` programs are the whole world's.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.lang.diagnostics import CompileError
from tests.security.jail import Jail


@pytest.fixture(scope="module", params=["direct", "resumable"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jail]:
    """One world in each shape."""
    made = Jail(tmp_path_factory.mktemp("jail") / "w", request.param)
    yield made
    made.close()


@pytest.fixture
def jail(shared: Jail) -> Jail:
    """It, with a new hub."""
    shared.reset()
    return shared


def tried(*expressions: str) -> str:
    """A statement that evaluates them all, and prints for each its value or the kind of its error."""
    functions = ", ".join(e if e.startswith("fn") else f"fn() => {e}" for e in expressions)
    return f"for f in [{functions}] {{ try {{ print(f()) }} catch e {{ print(e.kind) }} }}\n"


REFUSED = "CapabilityError"
SERVE = "let m = receive(); m.value.push(root.list); m.value.push(root.secret); m.reply(nil)\n"
"""The strong side of a deposit: it puts its own things into what a weak thread has sent."""

# ---------------------------------------------------------------------- laundering


def test_written_and_read_back(jail: Jail) -> None:
    """An inert reference stays inert when it is stored in an own object or a granted one, and read again."""
    kid = """
class Own { a = nil }
fn kid(x) {
    let own = Own(x)
    let list = [x, own]
    caps.hub.way = list
    caps.hub.box = own
    FOR
}
"""
    ways = ("own.a", "list[0]", "caps.hub.way[0]", "caps.hub.way[1].a", "caps.hub.box.a", "[list][0][0]", "{a: x}.a")
    probes = "".join(f"print(rights({way})); try {{ print({way}.a) }} catch e {{ print(e.kind) }}\n" for way in ways)
    probes = probes.replace("{a: x}.a", "({a: x}).a")
    call = "let t = spawn kid(root.secret) with {hub: root.hub, console: 1}\nt.join()\n"
    assert jail.top(kid.replace("FOR", probes) + call) == ["", REFUSED] * len(ways)


def test_what_came_through_a_domain_is_no_more_than_that_had(jail: Jail) -> None:
    """The owner, too, finds what a weak domain could not use without rights: in objects, results and errors."""
    program = """
class Loot extends Error { what = nil }
fn give(x) => x
fn throws(x) { throw Loot("gone", what: x) }
fn store(x) { caps.hub.loot = [x] }
let a = spawn give(root.secret) with {}
print(rights(a.join()))
let b = spawn throws(root.secret) with {}
try { b.join() } catch e is Loot { print(rights(e.what)) }
let c = spawn store(root.secret) with {hub: root.hub}
c.join()
print(rights(root.hub.loot), rights(root.hub.loot[0]), root.hub.loot[0] == root.secret)
"""
    assert jail.top(program) == ["", "", "rwx  true"]


# ---------------------------------------------------------------------- luring

LURES = """
class Evil {
    a = nil
    fn read(x) => x.a
    fn steal(x) { caps.hub.loot = x; return x }
    fn default(x, y = x.a) => y
    fn rest(...xs) => xs[0].a
    fn named(x = nil, y = nil) => y.a
    fn ambient(x) => root
}
class Eager { a = nil; b = root }
class Starter { a = nil; fn init(x) { self.a = x.a } }
class Child extends Evil { fn read(x) => super.read(x) }
caps.hub.obj = Evil()
caps.hub.child = Child()
caps.hub.read = fn(x) => x.a
caps.hub.always = fn(x) { try { return 1 } finally { return x.a } }
caps.hub.late = fn(x) { try { throw "no" } finally { caps.hub.loot = x.a } }
caps.hub.matching = fn(x) { match x { y => { return y.a } } }
caps.hub.through = fn(x) => [x].map(fn(y) => y.a)
caps.hub.spawning = fn(x) { let t = spawn caps.hub.read(x); return t.join() }
caps.hub.Eager = Eager
caps.hub.Starter = Starter
caps.hub.give = fn(x) => x
"""


@pytest.mark.parametrize(
    "call",
    [
        "h.obj.read(s)",
        "h.obj.default(s)",
        "h.obj.rest(s)",
        "h.obj.named(y: s)",
        "h.obj.ambient(s)",
        "h.child.read(s)",
        "h.read(s)",
        "h.always(s)",
        "h.late(s)",
        "h.matching(s)",
        "h.through(s)",
        "h.spawning(s)",
        "h.Eager(s)",
        "h.Starter(s)",
        "[s].map(h.read)",
        "[s, s].sorted(h.read)",
        "[s].each(h.read)",
        "[s].filter(h.read)",
        "[s].group_by(h.read)",
        "(spawn h.read(s)).join()",
        "(spawn h.obj.read(s)).join()",
        'only(h.read, "x")(s)',
        'only(h, "rx").obj.read(s)',
    ],
)
def test_lured_code_has_only_its_own_rights(jail: Jail, call: str) -> None:
    """Code of a weak domain runs as that, whoever calls it and with whatever: a strong argument is inert in it."""
    jail.evil(LURES)
    assert jail.top(
        f"let h = root.hub\nlet s = root.secret\ntry {{ print({call}) }} catch e {{ print(e.kind) }}\n"
    ) == [REFUSED]
    assert jail.evil('print("loot" in caps.hub)') == ["false"]


def test_lured_code_keeps_nothing(jail: Jail) -> None:
    """What lured code stores or gives back carries no rights, over a restart of the machine too."""
    jail.evil(LURES)
    steal = "let h = root.hub\nh.obj.steal(root.secret)\nprint(rights(h.give(root.secret)), rights(h.loot))\n"
    loot = "print(rights(caps.hub.loot))\ntry { print(caps.hub.loot.a) } catch e { print(e.kind) }\n"
    domain = jail.domain()
    assert jail.top(steal) == [" "]
    assert jail.evil(loot, domain) == ["", REFUSED]
    jail.reopen()
    assert jail.top(steal) == [" "]
    assert jail.evil(loot) == ["", REFUSED]


def test_lured_code_does_not_act_as_the_thread(jail: Jail) -> None:
    """In a frame that is weaker than its thread, the thread's messages and identity are refused."""
    jail.evil("caps.hub.f = fn() => receive()\ncaps.hub.g = fn() => threads.self()\ncaps.hub.h = fn() => caps.names()")
    assert jail.top(f"threads.self().send(1)\n{tried('root.hub.f()', 'root.hub.g()', 'root.hub.h()')}") == [
        REFUSED,
        REFUSED,
        '["hub"]',
    ]


# ---------------------------------------------------------------------- code and captured variables


def test_strong_closures_lend_nothing(jail: Jail) -> None:
    """A strong function runs as its weak caller: captured objects are inert, a `var` is refused, by a plain
    reference it cannot be called."""
    program = """
let secret = root.secret
var count = 0
class Holder { f = nil }
let number = 7
fn kid(plain) {
    TRIED
}
let value = fn() => secret
let held = fn(x = nil) => secret.a
let counts = fn() { count += 1; return count }
let known = fn() => number
let reads = fn() => root
fn inner() { let local = root.secret; return fn() => [rights(local), local] }
let t = spawn kid(held) with {value, held, counts, known, reads, inner: inner(), console: 1}
t.join()
"""
    names = ("value", "held", "counts", "known", "reads", "inner")
    calls = [f"caps.{name}()" for name in names] + ["plain()", "[1].map(plain)", "(spawn plain()).join()"]
    program = program.replace("{value, held, counts, known, reads,", "{" + "".join(f"{n}: {n}, " for n in names[:5]))
    assert jail.top(program.replace("TRIED", tried(*calls))) == [
        "Box",
        REFUSED,
        REFUSED,
        "7",
        REFUSED,
        '["", Box]',
        REFUSED,
        REFUSED,
        REFUSED,
    ]


def test_strangers_do_not_call_each_other(jail: Jail) -> None:
    """Code of a domain beside is refused: methods, functions and constructors."""
    jail.evil("class A { fn m() => 1 }\ncaps.hub.a = A()\ncaps.hub.f = fn() => 1\ncaps.hub.A = A")
    assert jail.evil(tried("caps.hub.a.m()", "caps.hub.f()", "caps.hub.A()")) == [REFUSED, REFUSED, REFUSED]


def test_a_module_of_the_same_path_is_another(jail: Jail) -> None:
    """A domain that loads a file under a path that is taken gets a module of its own: nothing of others changes."""
    jail.top("class Safe { fn check() => true }\nroot.safe = Safe()\n", "shared.hold")
    jail.evil("class Safe { fn check() => false }\ncaps.hub.mine = Safe()\n", name="shared.hold")
    jail.evil("class Safe { fn check() => nil }\n", name="shared.hold")
    assert jail.top("print(root.safe.check(), root.hub.mine.check())") == ["true false"]


@pytest.mark.parametrize("path", ["top.hold", "../top.hold", "std/../top.hold", "./top.hold", "K-1!top.hold"])
def test_imports_of_a_restricted_program(jail: Jail, path: str) -> None:
    """A restricted program imports the standard library only."""
    jail.world.modules.loader = {"top.hold": "fn f() => root\n"}.get
    with pytest.raises(CompileError):
        jail.evil(f'import "{path}" as t\nprint(1)\n')


# ---------------------------------------------------------------------- threads


def test_a_child_finds_nothing_of_its_parent(jail: Jail) -> None:
    """A child without grants sees itself alone: of its parent it has a mere reference."""
    looks = [f"p.{name}" for name in "name frames children parent state output result error id mailbox cpu_ms".split()]
    acts = [
        "p.kill()",
        "p.suspend()",
        'p.set_priority("low")',
        "p.join()",
        "threads.wait([p])",
        "(spawn p.kill()).join()",
    ]
    program = f"""
fn kid(id) {{
    let p = threads.self().parent
    print(caps.names(), threads.all().len(), threads.self().children, threads.find(id), p, rights(p))
    {tried(*looks, *acts)}
}}
let t = spawn kid(threads.self().id) with {{console: 1}}
t.join()
let u = spawn kid(threads.self().id) with {{console: 1}}
u.join()
"""
    one = ['["console"] 1 [] nil Thread ', *[REFUSED] * (len(looks) + len(acts))]
    assert jail.top(program) == one * 2


def test_methods_in_threads_of_their_own(jail: Jail) -> None:
    """A built-in method that is spawned is the one of the domain, and stays what it was."""
    program = """
let t = spawn threads.all()
print(t.join().len())
let xs = [1]
let push = spawn xs.push(2)
push.join()
xs.push(3)
let last = spawn xs.last()
print(last.join(), xs, xs.last())
let names = spawn caps.names()
print(names.join())
"""
    assert jail.evil(program) == ["2", "3 [1, 2, 3] 3", '["hub"]']


def test_what_a_domain_s_frame_shows(jail: Jail) -> None:
    """A frame shows no more than its domain could use, to the owner too; and threads above show none."""
    program = """
class Box { a = nil }
fn kid(x) { receive() }
fn outer(f) => f()
let mine = Box(5)
let t = spawn kid(mine) with {}
sleep(0)
let found = t.frames
t.send(1)
t.join()
print(found.len(), rights(found[0].locals), rights(found[0].locals.x), found[0].locals.x == mine)
"""
    assert jail.evil(program) == ["1 rwx  true"]
    jail.evil("caps.hub.peek = fn() => caps.hub.t.frames.len()")
    assert jail.top("root.hub.t = threads.self()\nprint(root.hub.peek())") == ["0"]


def test_a_sleeper_owns_nothing_of_others(jail: Jail) -> None:
    """What other threads make while a restricted one waits inside a host function is not its own."""
    program = """
fn kid() { for i in 0..3 { sleep(0.01) }
    let m = receive()
    print(rights(m.value), m.value) }
let t = spawn kid() with {console: 1}
sleep(0)
let made = [1, "secret"].copy()
print([[1]].contains([1]))
t.send(made)
t.join()
"""
    assert jail.top(program) == ["true", " List"]


def test_threads_that_have_ended_tell_no_name(jail: Jail) -> None:
    """Sending to a mere reference of a thread that has ended tells that it has, and not what it was called."""
    program = """
fn secret_name() => 1
fn kid(t) { try { t.send(1) } catch e { print(e) } }
let dead = spawn secret_name()
dead.join()
let t = spawn kid(dead) with {console: 1}
t.join()
"""
    assert jail.top(program) == ["ThreadError: the thread has ended, and receives nothing"]


# ---------------------------------------------------------------------- shedding, revoking


@pytest.mark.parametrize("way", ['caps.limit("x", "r")', 'caps.drop("x")'])
def test_shed_in_an_atomic_that_throws(jail: Jail, way: str) -> None:
    """What is shed stays so: `atomic` does not undo it, nor does a restart."""
    program = f"""
let old = caps.hub
let d = only(caps.hub, "rw")
fn kid(c) {{ caps.hub.kids = 1; receive(); try {{ c.z = 1 }} catch e {{ print(e.kind) }} }}
let t = spawn kid(d) with {{hub: d, console: 1}}
sleep(0)
try {{ atomic {{ old.x = 1; {way.replace('"x"', '"hub"')}; throw "undo" }} }} catch e {{ print(e) }}
t.send(1)
t.join()
try {{ old.y = 1 }} catch e {{ print(e.kind) }}
"""
    domain = jail.domain()
    assert jail.evil(program, domain) == ["Error: undo", REFUSED, REFUSED]
    jail.reopen()
    domain = jail.world.authority.domain_of(f"K-{domain._i:x}") or domain
    assert jail.top("print(root.hub)") == ['{"kids": 1}']


def test_a_loop_over_what_is_revoked(jail: Jail) -> None:
    """Each turn of a loop is a use: it ends where the capability does, in a List, a Map and a Set."""
    program = """
let k = revocable([1, 2, 3], "rx")
let km = revocable({a: 1, b: 2, c: 3}, "rx")
let ks = revocable(Set([1, 2, 3]), "rx")
fn stop(n) { if n == 2 { threads.self().parent.ask(1) }; print(n) }
fn kid() {
    try { for x in caps.xs { stop(x) } } catch e { print(e.kind) }
    try { for _, v in caps.m { stop(v) } } catch e { print(e.kind) }
    try { for x in caps.s { stop(x) } } catch e { print(e.kind) }
    try { caps.m.values() } catch e { print(e.kind) }
}
let t = spawn kid() with {xs: k.cap, m: km.cap, s: ks.cap, console: 1}
for key in [k, km, ks] { let m = receive(); key.revoke(); m.reply(1) }
t.join()
"""
    assert jail.top(program) == ["1", "2", REFUSED] * 3 + [REFUSED]


# ---------------------------------------------------------------------- messages, errors


def test_capabilities_in_messages_stay_held(jail: Jail) -> None:
    """A capability that is sent counts for its holder and those above: up it works, down and sideways not."""
    program = """
fn kid() {
    var m = receive()
    m.reply(caps.box)
    m = receive()
    m.reply(rights(m.value))
    let t = spawn grandkid() with {}
    print(t.ask(caps.box), t.ask([caps.box]))
    m = receive()
    m.reply(m.value)
}
fn grandkid() {
    var m = receive()
    m.reply(rights(m.value))
    m = receive()
    try { m.reply(rights(m.value[0])) } catch e { m.reply(e.kind) }
}
class Box { a = nil }
let box = Box(1)
let a = spawn kid() with {box: box, console: 1}
let b = spawn kid() with {box: only(box, "r"), console: 1}
let mine = a.ask(nil)
print(rights(mine))
b.ask(nil)
print(b.ask(mine), a.ask(mine))
print(rights(a.ask(mine)), rights(b.ask(mine)))
"""
    assert jail.top(program) == ["rwx", " rwx", f" {REFUSED}", f" {REFUSED}", "rwx "]


def test_errors_cross_as_words(jail: Jail) -> None:
    """Of an error from above a domain gets kind and message: no fields, no frames that are not its own."""
    program = """
class Bad extends Error { what = nil }
fn deep() { throw Bad("words", what: root.secret) }
fn kid() {
    try { threads.self().parent.ask(1) } catch e {
        print(e, e is Bad, e.trace.join().contains("deep"), e.cause)
        try { print(e.what) } catch x { print(x.kind) }
    }
    try { caps.f() } catch e { print(e.kind, rights(e), e.trace.join().contains("top.hold:1 "), rights(e.cause)) }
}
let f = fn() { try { throw "inner" } catch e { caps.nothing } }
let t = spawn kid() with {console: 1, f: f}
let m = receive()
try { deep() } catch e { m.fail(e) }
t.join()
"""
    assert jail.top(program) == ["Error: words false false nil", "NameError", f"{REFUSED} rwx false rwx"]


def test_an_error_that_is_passed_on_lends_nothing(jail: Jail) -> None:
    """A capability for an error that is thrown, or is an answer, gives the words alone."""
    program = """
class Bad extends Error { what = nil }
root.hub.err = Bad("words", what: root.secret)
fn kid() { receive().fail(caps.hub.err); try { throw caps.hub.err } catch e { print(e) } }
let t = spawn kid() with {hub: only(root.hub, "r"), console: 1}
try { t.ask(1) } catch e { print(e, e is Bad) }
t.join()
"""
    assert sorted(jail.top(program)) == ["Error: words", "Error: words false"]


def test_a_method_that_is_about_to_be_called_is_stored(jail: Jail) -> None:
    """A thread that will call a built-in method does not stand in the way of a checkpoint, and begins after it."""
    world = jail.world
    domain = jail.domain()
    push = vars(world.collections.List)["m_push"]
    world.scheduler.start(push, (jail.root("list"), 5), name="push")
    thread = world.scheduler.start(type(world.globals["threads"]).m_all, (world.globals["threads"],), name="all")
    thread.domain = domain
    jail.reopen()
    seen = next(t for t in jail.world.scheduler.living if t.name == "all")
    assert jail.top("print(root.list.len())") == ["3"]
    assert len(jail.world.run_thread(seen).v) == 1


# ---------------------------------------------------------------------- upgrades, the library


def test_the_default_of_a_new_field_is_the_owner_s(jail: Jail) -> None:
    """What a new version of a class gives an instance in memory belongs to who owns that, and has its rights."""
    first = "class Log { a = 1 }\nfn kid() { caps.hub.log = Log() }\n(spawn kid() with {hub: root.hub}).join()\n"
    second = """
class Log { a = 1; lines = []; all = root }
fn kid() {
    caps.hub.log.lines.push(1)
    print(caps.hub.log.lines)
    try { caps.hub.log.all } catch e { print(e.kind) }
}
(spawn kid() with {hub: root.hub, console: 1}).join()
"""
    jail.top(first, "log.hold")
    assert jail.top(second, "log.hold") == ["[1]", REFUSED]


@pytest.mark.parametrize("field", ["root", "rights(caps.hub)", "old.b.a", "old.b.len()"])
def test_migrate_can_do_nothing(jail: Jail, field: str) -> None:
    """`migrate` of a restricted class has no capability, and cannot use what is in the old fields."""
    domain = jail.domain()
    name = f"{jail.count}/migrating.hold"
    jail.evil("class Old { a = 1; b = nil }\ncaps.hub.obj = Old()\n", domain, "migrating.hold")
    jail.top("root.hub.obj.b = root.list")
    count = jail.count
    new = f"class Old {{ a = 1; b = nil; c = nil\n    fn migrate(old) => {{a: old.a, c: {field}}}\n}}\n"
    jail.evil(new.replace("=> {", "{ return {").replace("}\n}", "} }\n}"), domain, "migrating.hold")
    assert (jail.count, name) == (count, f"{count}/migrating.hold")
    jail.reopen()
    assert jail.top("try { print(root.hub.obj.c) } catch e { print(e.kind) }") == [REFUSED]


def test_the_library_reads_as_the_domain(jail: Jail) -> None:
    """JSON and CSV are written through capabilities, as deep as these may be read; and of what a strong thread has
    put into an own List nothing is."""
    reads = ["json.stringify(mine)", "csv.format(mine)", "[mine].join()", "[[mine]].flatten()"]
    reads.append("json.stringify(caps.weak)")
    kid = f"""
import "std/json" as json
import "std/csv" as csv
fn kid() {{
    print(json.stringify(caps.data), csv.format(caps.data, columns: ["k"]).trim())
    let mine = []
    threads.self().parent.ask(mine)
    {tried(*reads)}
}}
root.hub.data = [[1, "a"], {{k: 2}}]
let t = spawn kid() with {{data: only(root.hub.data, "r"), weak: only(root.hub.data, "wx"), console: 1}}
{SERVE}
t.join()
"""
    assert jail.top(kid) == ['[[1,"a"],{"k":2}] k', "1,a", "2", REFUSED, REFUSED, REFUSED, REFUSED, REFUSED]


def test_built_in_functions_as_values_are_the_domain_s(jail: Jail) -> None:
    """`print`, `Text`, `only` and the like mean the running domain, also as values."""
    program = f"""
fn kid(x) {{
    let p = print
    let o = only
    let k = revocable
    p(x, rights(o(x, "rwx")), rights(k(x).cap))
    [x].each(print)
    {tried("[x].map(Text)", "[x].map(rights)", "[x].map(len)", "(spawn p(x)).join()")}
}}
let t = spawn kid(root.list) with {{console: 1}}
t.join()
"""
    assert jail.top(program) == ["List  ", "List", '["List"]', '[""]', REFUSED, "List", "nil"]


def test_a_list_is_no_key_through_a_capability(jail: Jail) -> None:
    """Capability and object are the same key, and what is no key is none through a capability."""
    program = """
class Box { a = nil }
let b = Box(1)
let c = only(b, "r")
let l = only([1], "r")
print(Set([b, c]).len(), ({})[b] ?? 1)
"""
    program = program.replace("({})[b] ?? 1", "c in Set([b])") + tried(
        "Set([l])", "({})[l]", "({}).get(l)", "Set().add(l)"
    )
    assert jail.evil(program) == ["1 true", "TypeError", "TypeError", "TypeError", "TypeError"]


def test_what_a_function_is_called_is_read(jail: Jail) -> None:
    """Name, documentation and parameters of a function value need r, in words too; code has no secrets."""
    program = f"""
fn kid(x) {{
    print(x, [x], caps.f, caps.g)
    {tried("x.name", "x.doc", "x(1, 2, 3)", "x(zork: 1)", "(spawn x(1)).join()", "({})[x]", "caps.g.name", "kid.name")}
}}
fn top() {{
    fn secret_name(a, b) => 1
    let t = spawn kid(secret_name) with {{console: 1, f: only(secret_name, "r"), g: only(secret_name, "x")}}
    t.join()
}}
top()
"""
    refused = [REFUSED] * 5
    assert jail.top(program) == ["Function [Function] fn secret_name Function", *refused, "KeyError", REFUSED, "kid"]


def test_capabilities_over_restarts(jail: Jail) -> None:
    """A loop over a capability goes on where it was, and a capability from a record is tested as any other."""
    program = """
class Box { a = nil }
fn kid() {
    let out = []
    for x in caps.xs { receive(); out.push(x) }
    for k, v in caps.m { receive(); out.push([k, v]) }
    for x in caps.s { receive(); out.push(x) }
    receive()
    let b = caps.b
    out.push(b is Box)
    try { b.a = 2 } catch e { out.push(e.kind) }
    caps.out.push(out)
}
root.out = []
let m = only({a: 1, b: 2}, "r")
let s = only(Set([1, 2]), "r")
root.t = spawn kid() with {xs: only([1, [2]], "r"), m: m, s: s, b: only(Box(1), "r"), out: root.out}
"""
    jail.top(program)
    for _ in range(7):
        jail.top("root.t.send(1)")
        jail.reopen()
    expected = '[[1, [2], ["a", 1], ["b", 2], 1, 2, true, "CapabilityError"]]'
    assert jail.top("root.t.join()\nprint(root.out)") == [expected]


def test_rights_given_up_over_restarts(jail: Jail) -> None:
    """A thread that has acted on behalf of others gives up what it has everywhere, also where it has come back."""
    program = """
fn server() {
    let data = root.list
    let m = receive()
    on_behalf(m) { 1 }
    let n = receive()
    caps.limit("root", "r")
    let o = receive()
    let out = []
    try { root.more = 1 } catch e { out.push(e.kind) }
    try { data.push(1) } catch e { out.push(e.kind) }
    out.push(caps.rights("root"))
    print(out)
}
root.t = spawn server()
"""
    jail.top(program)
    for _ in range(2):
        jail.top("root.t.send(1)\nsleep(0)")
        jail.reopen()
    expected = '["CapabilityError", "CapabilityError", "r"]'
    assert jail.top("root.t.send(1)\nroot.t.join()") == [expected]
