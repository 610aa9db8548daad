"""Law: to change a variable of a suspended thread is what an assignment there would have been.

Random functions stop again and again; at each stop variables of theirs, or of a caller's, get other values.  The same
function with assignments in place of the stops is the model.  Between stop and change, and between change and going on,
the world may be closed and opened, the stacks be thrown away, or a checkpoint be open.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import stacks
from holdfast.vm.objects import Thrown, live
from holdfast.vm.show import to_source
from holdfast.vm.world import World
from tests.vm.test_living import damage

VALUES = ["7", "-1", "0.5", '"text"', "nil", "true", "[1, 2]", "100000000000000000000"]
"""What variables get, as source."""
SEEDS = 80


class Function:
    """A random function, which stops; and the same with assignments where it stops.

    ``changes`` has for each stop in the order in which they are come to: variable to value, as source.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.depth = 0
        self.lines: list[str] = []
        self.stops: list[tuple[int, list[str]]] = []
        """Place among the lines, and the variables there that can be changed."""
        self.scopes: dict[int, set[str]] = {}
        """For the line of each stop all names in scope."""
        self.around = ["at", "seen", "bump"]
        """Names in scope that are never changed."""
        self.names = ["a", "b", "c", "d", "e"]
        self.inner = 0
        self.statements(6)

    def line(self, text: str) -> None:
        self.lines.append("    " * (self.depth + 1) + text)

    def new(self, letter: str) -> str:
        """A name that no other variable has."""
        self.inner += 1
        return f"{letter}{self.inner}"

    def value(self) -> str:
        """An expression."""
        left, right = self.chance.choices([*self.names, "1", "2", '"x"', "3.5"], k=2)
        if self.chance.random() < 0.3:
            return left
        return f"({left} {self.chance.choice(['+', '+', '-', '*', '<', '=='])} {right})"

    def block(self, head: str, count: int, variable: str = "") -> None:
        """Statements inside of something; what is declared there may have the name of what is outside."""
        names, around = self.names, self.around
        self.line(head)
        self.depth += 1
        self.names, self.around = list(names), [*around, variable]
        if self.chance.random() < 0.4:
            name = self.chance.choice(names)
            self.line(f"var {name} = {self.chance.choice(VALUES)}")
            self.line(f"seen.push({name})")
        self.statements(count)
        self.depth -= 1
        self.names, self.around = names, around

    def statements(self, count: int) -> None:
        """Some statements, with a stop behind some of them."""
        for _ in range(count):
            kind = self.chance.choice(
                ["set", "set", "if", "for", "while", "try", "bump", "see", "stop", "stop", "below"]
            )
            getattr(self, f"do_{kind}")(count)

    def do_set(self, count: int) -> None:
        self.line(f"try {{ {self.chance.choice(self.names)} = {self.value()} }} catch x {{ seen.push(x.message) }}")

    def do_if(self, count: int) -> None:
        self.block(f"if {self.chance.choice(self.names)} != {self.value()} {{", count // 2)
        self.block("} else {", count // 2)
        self.line("}")

    def do_for(self, count: int) -> None:
        name = self.new("i")
        self.block(f"for {name} in 0..{self.chance.randint(1, 3)} {{", count // 2, name)
        self.line(f"    seen.push({name})")
        self.line("}")

    def do_while(self, count: int) -> None:
        name = self.new("w")
        self.line(f"var {name} = 0")
        self.around = [*self.around, name]
        self.block(f"while {name} < {self.chance.randint(1, 3)} {{", count // 2)
        self.line(f"    {name} += 1")
        self.line("}")

    def do_try(self, count: int) -> None:
        name = self.new("x")
        self.block("try {", count // 2)
        self.block(f"}} catch {name} {{", count // 2, name)
        self.line(f"    seen.push({name}.message)")
        self.line("}")

    def do_bump(self, count: int) -> None:
        self.line("try { seen.push(bump()) } catch x { seen.push(x.message) }")

    def do_see(self, count: int) -> None:
        self.line(f"seen.push([{', '.join(self.names)}])")

    def do_stop(self, count: int) -> None:
        self.stop("STOP")

    def do_below(self, count: int) -> None:
        self.stop("BELOW")

    def stop(self, how: str) -> None:
        """A stop, here or in a function that is called."""
        self.stops.append((len(self.lines), list(self.names)))
        self.line(how)
        self.scopes[len(HEAD) + len(self.lines)] = {*self.names, *filter(None, self.around)}

    def text(self, changes: list[dict[str, str]] | None) -> str:
        """The program: with stops, or with the changes in place of them."""
        lines = list(self.lines)
        for place, names in self.stops:
            here = lines[place]
            indent = here[: len(here) - len(here.lstrip())]
            stop = "stop(at)" if here.strip() == "BELOW" else "at.n += 1; threads.self().suspend()"
            if changes is not None:
                stop = "at.n += 1"
                for n, change in enumerate(changes, 1):
                    for name, value in change.items():
                        if name in names:
                            stop += f"\n{indent}if at.n == {n} {{ {name} = {value} }}"
            lines[place] = indent + stop
        return "\n".join([*HEAD, *lines, "    return [a, b, c, d, e, bump()]", "}", "root.work = work"])


HEAD = [
    "class At { n = 0 }",
    "fn stop(at) { at.n += 1; threads.self().suspend() }",
    "fn work(a, b, at, seen) {",
    '    var c = 1; var d = "d"; var e = 2',
    "    let bump = fn() { b = b + 1; e = e + 1; return [b, e] }",
]


def root_thread(world: World) -> Any:
    """The thread that programs have put into ``root.t``."""
    root: Any = world.heap.roots["root"]
    return live(live(root).v["t"])


def shown(call: Callable[[], Any]) -> str:
    """What comes of a call."""
    try:
        return str(to_source(call()))
    except Thrown as thrown:
        return f"{thrown.error.f_kind}: {thrown.error.f_message}"


class Bench:
    """A world in which one function runs."""

    def __init__(self, path: Path, shape: str, torture: int) -> None:
        self.path, self.shape, self.torture = path, shape, torture
        self.world = self.open()

    def open(self) -> World:
        world = World.open(self.path, durability="process", shape=self.shape)
        world.scheduler.torture = self.torture
        world.write = lambda text: None
        return world

    def again(self) -> None:
        """Another process."""
        self.world.close()
        self.world = self.open()

    def start(self, text: str) -> None:
        """Load the program and start its function."""
        self.world.run_source(text + "\nroot.at = At(); root.seen = []\nroot.t = spawn work(1, 2, root.at, root.seen)")

    @property
    def thread(self) -> Any:
        return root_thread(self.world)

    def to_stop(self) -> bool:
        """Let the thread run to its next stop; False when it has ended."""
        thread = self.thread
        self.world.scheduler.run_until(lambda: thread.f_state in ("suspended", "done", "failed"))
        return bool(thread.f_state == "suspended")

    def result(self) -> str:
        """What came of it, and what it has seen."""
        result = shown(lambda: self.world.run_thread(self.thread))
        return f"{result} {to_source(live(live(self.world.heap.roots['root']).v['seen']))}"


def play(bench: Bench, function: Function, chance: random.Random, stops: int) -> tuple[list[dict[str, str]], str]:
    """Run a program, and change what is shown at its stops, which is what is in scope: the changes, and what came of
    it."""
    bench.start(function.text(None))
    changes: list[dict[str, str]] = []
    while bench.to_stop():
        if chance.random() < 0.2:
            bench.again()
        frames = live(bench.thread.f_frames).v
        number = next(n for n, frame in enumerate(frames) if live(frame).v["function"] == "work")
        frame = live(frames[number]).v
        shown_names = set(live(frame["locals"]).v)
        assert shown_names == function.scopes[frame["line"]], frame["line"]
        names = [n for n in "abcde" if n in shown_names]
        change = {n: chance.choice(VALUES) for n in names if len(changes) < stops and chance.random() < 0.4}
        for name, value in change.items():
            if chance.random() < 0.3:
                bench.world.run_source(f'root.t.set_local({number}, "{name}", {value})', "change.hold")
            else:
                made = bench.world.run_source(value, "value.hold")
                bench.world.changing.set_local(bench.thread, number, name, made)
            if chance.random() < 0.1:
                bench.again()
        changes.append(change)
        if chance.random() < 0.1:
            bench.again()
        bench.world.scheduler.unsuspend(bench.thread)
    return changes, bench.result()


WAYS = {"direct": ("direct", 0), "resumable": ("resumable", 0), "torture": ("direct", 1), "torture 3": ("direct", 3)}


@pytest.fixture(scope="module", params=WAYS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One world for each way to run it."""
    made = Bench(tmp_path_factory.mktemp("world") / "w", *WAYS[request.param])
    yield made
    made.world.close()


def check_seed(bench: Bench, seed: int) -> None:
    function = Function(seed)
    print(f"seed {seed}")
    changes, found = play(bench, function, random.Random(seed), stops=50)
    bench.world.run_source(function.text(changes), "model.hold")
    bench.world.run_source(
        "class At { n = 0 }\nroot.seen = []; root.t = spawn root.work(1, 2, At(), root.seen)", "m.hold"
    )
    assert bench.result() == found, function.text(None)


@pytest.mark.parametrize("seed", range(SEEDS // 10))
def test_as_an_assignment(bench: Bench, seed: int) -> None:
    """A change has the effect of an assignment where the thread stands."""
    check_seed(bench, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS // 10, SEEDS))
def test_as_an_assignment_of_many(bench: Bench, seed: int) -> None:
    """The same for more functions."""
    check_seed(bench, seed)


# --------------------------------------------------------------------------- on disk

STANDING = """
    fn work(n) {
        var m = 1
        let add = fn() { m += 1 }
        threads.self().suspend()
        return [n, m]
    }
    root.t = spawn work(1)
    while root.t.state != "suspended" { sleep(0) }
"""


DOWN = """
    fn down(n) {
        if n == 0 { threads.self().suspend(); return 0 }
        return down(n - 1) + n
    }
    fn go(n) {
        root.t = spawn down(n)
        while root.t.state != "suspended" { sleep(0) }
    }
"""


def locals_of(path: Path) -> str:
    """The variables of the thread in a world that was left as it is."""
    with World.open(path, durability="process") as world:
        return str(world.run_source('let l = root.t.frames[0].locals; "{l.n} {l.m}"', "look.hold"))


def copied(world: World, path: Path) -> Path:
    """What another process would find if this one died now."""
    target = path.with_name(f"copy{len(list(path.parent.iterdir()))}")
    shutil.copytree(path, target)
    return target


@pytest.mark.parametrize("again", [False, True], ids=["running", "reopened"])
def test_open_checkpoint(tmp_path: Path, again: bool) -> None:
    """A checkpoint that was open has nothing of a change, and the next one has all of it."""
    path = tmp_path / "w"
    world = World.open(path, durability="process")
    world.run_source(STANDING)
    if again:
        world.close()
        world = World.open(path, durability="process")
    thread = root_thread(world)
    world.scheduler.touched[thread] = None
    opened = world.outbox.begin()
    assert thread in world.scheduler.unread
    world.changing.set_local(thread, 0, "n", 20)
    world.changing.set_local(thread, 0, "m", 30)
    assert thread not in world.scheduler.unread
    world.outbox.finish(opened)
    world.checkpointer.wait(opened)
    before = copied(world, path)
    world.checkpoint()
    behind = copied(world, path)
    world.close()
    assert [locals_of(folder) for folder in (before, behind, path)] == ["1 1", "20 30", "20 30"]


def test_frames_in_the_store(tmp_path: Path) -> None:
    """Of a deep stack on disk a change brings into memory the frames further in, and no others."""
    path = tmp_path / "w"
    with World.open(path, durability="process") as world:
        world.run_source(DOWN + "go(2_000)")
    for number, value, memory in ((500, 10_000, 501), (10, 20_000, 11), (1_999, 30_000, 2_000)):
        with World.open(path, durability="process") as world:
            thread = root_thread(world)
            world.changing.set_local(thread, number, "n", value)
            assert thread.stack is not None and len(thread.stack) == 2_001
            assert len(thread.stack.frames) == memory
    with World.open(path, durability="process") as world:
        total = world.run_source("root.t.resume(); root.t.join()", "go.hold")
    assert total == 2_000 * 2_001 // 2 - 500 - 10 - 1_999 + 60_000


def test_damaged_frame(tmp_path: Path) -> None:
    """Where a frame further out cannot be read, those further in are changed, it is refused, and nothing else."""
    path = tmp_path / "w"
    with World.open(path, durability="process") as world:
        world.run_source(DOWN + "go(200)")
        world.checkpoint()
        oid = root_thread(world)._i
    flip = lambda key, record: record[:-1] + bytes([record[-1] ^ 1])  # noqa: E731
    damage(path, b"S" + stacks.frame_name(oid, 50), flip)
    with World.open(path, durability="process") as world:
        world.changing.set_local(root_thread(world), 0, "n", 7)
        change = 'try { root.t.set_local(180, "n", 7) } catch e { root.said = e.message }'
        world.run_source(change, "change.hold")
        assert "is damaged" in world.run_source("root.said", "said.hold")
        innermost = next(world.looking.frames(root_thread(world)))
        assert world.looking.locals(innermost)["n"] == 7
