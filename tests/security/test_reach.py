"""What a program can reach: a walk of everything, from what a restricted program holds, meets values of Hold alone.

Edges are those that the language has: elements, keys, fields, what a capability stands for, what a function has
captured, what a thread's frames hold.  Whatever is at the end of one is a value of Hold; nothing of the host is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.vm import devices
from holdfast.vm.objects import live
from holdfast.vm.world import World
from tests.security.jail import walk

PROGRAM = """
class Node {
  value
  next = nil
  fn walk() => [self.value, self.next]
}
fn helper(given) {
  let m = receive()
  m.reply([m.value, given, threads.self().name])
  let own = Node([1, {a: {2.5: b"x"}}], fn(n) => n + len(given))
  receive()
  return own
}
let kept = [Node(1), Node("two", Node(nil)), {"k": Set([1, 2]), 3: 0..4}, 2 ** 80, "long" * 30_000]
for x in [caps.clock, caps.dice, caps.env, caps.dir, caps.console, caps.data, caps.f, caps.t] { kept.push(x) }
try { caps.data.missing.thing } catch e { kept.push(e) }
try { throw Error("own", KeyError("cause")) } catch e {
  kept.push(e)
  kept.push(e.trace)
}
try { caps.f(nil) } catch e { kept.push(e) }
for x in caps.data { kept.push(x) }
kept.push(caps.data[0].list)
kept.push(caps.data.map(fn(x) => x))
kept.push(caps.f)
kept.push(only(kept, "r"))
kept.push(frozen([1, [2]]))
let k = revocable(kept, "rw")
kept.push(k)
kept.push(k.cap)
let t = spawn helper([1])
kept.push(t)
kept.push(t.ask("hello"))
kept.push(threads.all())
kept.push([caps.f, print, len, Node, Error, fn() => kept, threads, caps])
for x in threads.all() { kept.push([x.state, x.frames, x.caps, x.budget, x.children, x.mailbox]) }
caps.out.push(kept)
receive()
"""


@pytest.mark.parametrize("shape", ["direct", "resumable"])
def test_a_walk_of_everything(shape: Any, tmp_path: Path) -> None:
    """From all that a program could get hold of, and from the frames of its threads, only values of Hold are met."""
    world = World.open(tmp_path / "w", durability="process", shape=shape)
    (tmp_path / "d").mkdir()
    found = {
        "clock": devices.clock(None), "dice": devices.random_numbers(1), "env": devices.environment(["HOME"]),
        "dir": devices.open_dir(str(tmp_path / "d"), "rw"), "console": devices.terminal(),
    }  # fmt: skip
    for name, device in found.items():
        world.grant(name, device)
    world.run_source(
        "class Item { list }\nlet secret = [1]\nroot.out = []\nroot.data = [Item([1, [2]]), {m: secret}]\n"
        "root.f = fn(x) => len(secret) + x\nfn idle() { receive() }\nroot.t = spawn idle()",
        "setup.hold",
    )
    root = live(world.heap.root).v
    given = {name: world.grants[name] for name in found} | {name: root[name] for name in ("out", "data", "f", "t")}
    domain = world.authority.domain("plugin", given)
    unit = world.modules.program(PROGRAM, "plugin.hold", "")
    thread = world.authority.start(unit, domain)
    world.scheduler.run_until(lambda: thread.f_state not in ("ready", "running", "joining"))
    assert thread.f_state == "receiving", getattr(thread.f_error, "f_message", None)
    pending: list[Any] = [root["out"], world.heap.frozen, domain]
    for one in world.scheduler.living:
        pending += [one, world.looking.frames_of(one)]
    seen, kinds = walk(world, pending)
    assert seen > 100
    assert len(kinds) > 20
    for planted in (object(), sys, int, print, walk.__code__, [1]):  # the walk itself can fail
        with pytest.raises(AssertionError):
            walk(world, [world.new_map({"here": world.new_list([1, planted])})])
    world.close()
