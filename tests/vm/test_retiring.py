"""Compiled code goes from memory when nothing needs it, and nothing that needs it ever notices."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import ids, maintenance, retiring
from holdfast.vm.objects import Thrown
from holdfast.vm.session import Session
from holdfast.vm.side import SESSION
from holdfast.vm.world import World

FIRST = int(os.environ.get("HOLDFAST_SEED", "0"))
ACTIONS = "version version keep keep park park object call call call drop drop sweep save collect reopen retire".split()


def sizes(world: World) -> dict[str, int]:
    """What grows with the code in memory."""
    return {
        "versions": len(world.modules.versions),
        "newest": len(world.modules.newest),
        "protos": len(world.table.protos),
        "codes": sum(1 for _ in world.table.units_of_codes()),
        "globals": len(world.globals),
        "names": len(world.modules._names),
        "written": sum(world.living.codes.held(proto) for proto in world.table.protos.values()),
    }


def run_program(world: World, number: int) -> None:
    text = f"""
        fn f(x) => x + {number}
        class C {{
            a = f(1)
            fn m() => self.a + {number}
        }}
        let g = fn(x) {{
            sleep(0)
            return f(x) * 2
        }}
        let t = spawn g(C().m())
        assert t.join() == {2 * (1 + 3 * number)}
    """
    world.run_source(text, "p.hold")


def run_entry(world: World, number: int) -> None:
    session = Session(world, "main")
    entry = session.start(
        f"fn g(x) => x * {number}\nlet h = fn() => g(3)\nh()" if number % 2 == 0 else f"h() + {number}"
    )
    world.run_thread(entry.thread)
    entry.finish()


def run_restricted(world: World, number: int) -> None:
    domain = world.authority.domain("main", {})
    unit = world.modules.program(f"fn f(x) => x + {number}\nlet g = fn(x) => f(x)\ng(1)", "m.hold", ids.kid(domain._i))
    world.run_thread(world.authority.start(unit, domain))
    world.authority.close(domain)


@pytest.mark.parametrize("run", [run_program, run_entry, run_restricted])
def test_memory_is_bounded(world: World, run: Any) -> None:
    """However often something else is compiled, what is in memory does not grow."""
    turns = 4 * retiring.LEAST
    for number in range(turns):
        run(world, number)
    world.checkpoint()
    world.retiring.retire()
    once = sizes(world)
    for number in range(turns, 3 * turns):
        run(world, number)
    world.checkpoint()
    world.retiring.retire()
    for name, size in sizes(world).items():  # what a checkpoint has read last may stay until the next one
        assert size < once[name] + retiring.LEAST, name
    assert once["versions"] < retiring.LEAST


def test_an_older_version_takes_no_names_along(world: World) -> None:
    """Where a domain has loaded two versions of a module, what the newer one defines stays when the older one goes."""
    domain = world.authority.domain("main", {"hub": world.heap.root})
    kid = ids.kid(domain._i)
    for number in (1, 2):
        text = f"let K = {number}\nfn f(x) => x + K\nfn g() => f(10)\ncaps.hub.g = fn() => g() + K"
        world.run_thread(world.authority.start(world.modules.program(text, "m.hold", kid), domain))
    assert world.retiring.retire() > 0
    assert world.run_source("root.g()", "use.hold") == 14


def records(world: World, *prefixes: str) -> list[str]:
    return [prefix + name for prefix in prefixes for name, _ in world.modules.stored(prefix)]


def collect(world: World) -> None:
    world.checkpoint()
    *_, report = maintenance.collect(world.heap)
    assert not report.problem_count


def test_entries_go_from_disk(world: World) -> None:
    """Of a session remain the sources that its functions and classes need, however many entries it has had."""
    for number in range(10):
        run_entry(world, number)
    session = Session(world, "main")
    entry = session.start("class P { n }\nlet p = P(1)")
    world.run_thread(entry.thread)
    entry.finish()
    del entry
    collect(world)
    left = [name for name in records(world, "module:") if SESSION in name]
    assert left == ["module:session:main/11", "module:session:main/9"]  # P; g and h of the last one
    assert len(records(world, "source:")) == 2
    assert list(maintenance.check(world.store))[-1].problem_count == 0
    entry = session.start("fn g(x) => 1\nlet h = 2\ng(0) + h + p.n")
    assert world.run_thread(entry.thread) == 4


def test_programs_of_ended_domains_go_from_disk(world: World) -> None:
    """What a restricted program has loaded goes with its domain; not before."""
    kept = world.authority.domain("kept", {"hub": world.heap.root})
    text = "let give = fn(n) => n + 1\ncaps.hub.give = give"
    unit = world.modules.program(text, "kept.hold", ids.kid(kept._i))
    world.run_thread(world.authority.start(unit, kept))
    world.authority.close(kept)
    del unit
    for number in range(5):
        run_restricted(world, number)
    name = f"module:{ids.kid(kept._i)}!kept.hold"
    del kept
    collect(world)
    collect(world)  # what was a shell when the first one began is not counted as garbage
    assert [one for one in records(world, "module:", "names:") if "!" in one] in ([name], [name, "names:" + name[7:]])
    assert world.run_source("root.give(1)", "use.hold") == 2
    world.run_source("root.give = nil", "use.hold")


class Driver:
    """A world in which a file changes again and again, while functions, threads and instances of all its versions live,
    beside what they are to answer."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.version = 0
        self.kept: dict[str, tuple[str, int, int]] = {}
        """Key in the root to what it is, of which version, and a number of its own."""
        self.world = World.open(folder / "w", durability="process")
        self.new_version()

    def run(self, text: str) -> Any:
        """Run a program of one line."""
        value = self.world.run_source(text, f"line{self.rng.randrange(3)}.hold")
        if self.rng.random() < 0.3:
            self.world.retiring.retire()
        return value

    def new_version(self) -> None:
        self.version += 1
        v = self.version
        text = f"""
            fn now(x) => x * 100 + {v}
            class Thing {{
                k
                fn answer(x) => self.k * 10000 + now(x)
            }}
            fn maker(k) {{
                fn inner(y) => y + {v}
                return fn(x) => [inner(k), now(x)].map(fn(z) => z + 1)
            }}
            fn waits(k) {{
                let mine = fn(x) => x + k * 1000 + {v}
                while true {{
                    let m = receive()
                    m.reply(mine(m.value) + now(0) * 100000)
                }}
            }}
            root.make_function = maker
            root.make_thread = fn(k) => spawn waits(k)
            root.make_thing = fn(k) => Thing(k)
            if {self.rng.choice(["true", "false"])} {{
                fn gone_{v}(x) => now(x) + {v}
                root.other = gone_{v}
            }} else {{
                root.other = now
            }}
        """
        self.world.run_source(text, "file.hold")

    def make(self, kind: str) -> None:
        key, number = f"k{self.rng.randrange(1_000_000)}", self.rng.randrange(100)
        self.run(f'root["{key}"] = root.make_{kind}({number})')
        self.kept[key] = kind, self.version, number

    def call(self, key: str) -> None:
        """Ask something that was made by any version: its own code is that version's, what it calls by name is new."""
        (kind, made, k), x = self.kept[key], self.rng.randrange(100)
        now = self.version
        if kind == "function":
            assert self.run(f'Text(root["{key}"]({x}))') == f"[{k + made + 1}, {x * 100 + now + 1}]"
        elif kind == "thread":
            assert self.run(f'root["{key}"].ask({x})') == x + k * 1000 + made + now * 100000
        else:
            assert self.run(f'root["{key}"].answer({x})') == k * 10000 + x * 100 + now

    def act(self, action: str) -> None:
        """One action."""
        world = self.world
        key = self.rng.choice(list(self.kept)) if self.kept else ""
        if action == "version":
            self.new_version()
        elif action in ("keep", "park", "object"):
            self.make({"keep": "function", "park": "thread", "object": "thing"}[action])
        elif action == "call" and key:
            self.call(key)
        elif action == "drop" and key:
            kind, *_ = self.kept.pop(key)
            self.run(f'{f"""root["{key}"].kill()""" if kind == "thread" else "nil"}\nroot.remove("{key}")')
        elif action == "sweep":
            for _ in world.heap.sweep(0):
                pass
        elif action == "save":
            world.checkpoint()
        elif action == "collect":
            collect(world)
        elif action == "retire":
            world.retiring.retire()
        elif action == "reopen":
            world.close()
            self.world = World.open(self.folder / "w", durability="process")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 20))
def test_nobody_notices(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions, threads and instances of any version answer as they must, whatever has gone from memory and disk."""
    monkeypatch.setattr(retiring, "LEAST", 0)  # look before whatever is compiled
    driver = Driver(tmp_path, random.Random(seed))
    for action in driver.rng.choices(ACTIONS, k=60):
        driver.act(action)
    for key in list(driver.kept):
        driver.call(key)
    driver.world.close()


def test_a_thread_that_has_failed_can_be_looked_at(world: World) -> None:
    """Its frames are shown after its code has gone from the file, and from memory if nobody has them."""
    world.run_source('fn f(n) {\n  let k = n * 2\n  throw Error("no")\n}\nroot.t = spawn f(4)\nsleep(0)', "p.hold")
    with pytest.raises(Thrown):
        world.run_source("root.t.join()", "q.hold")
    world.run_source("nil", "p.hold")
    world.retiring.retire()
    assert world.run_source('root.t.frames[0].locals["k"]', "q.hold") == 8


def test_what_is_compiled_but_not_started_stays(world: World) -> None:
    """The host holds a program that it has not started yet."""
    unit = world.modules.program("1 + 1", "p.hold")
    world.modules.program("2 + 2", "p.hold")
    world.retiring.retire()
    assert world.run_thread(world.start_program(unit)) == 2
