"""The REPL at a real pseudo-terminal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repl.terminal import CTRL_C, CTRL_D, DEADLINE_S, ENTER, READY, TAB, UP, Terminal, command, wait_until_busy

LOOP = 'print("going " + "on"); while true { }'


def repl(folder: Path, *arguments: str, **environment: str) -> Terminal:
    terminal = Terminal(command("repl", *arguments), folder, **environment)
    terminal.prompt()
    return terminal


def leave(terminal: Terminal) -> None:
    """Ctrl-D at the prompt."""
    terminal.type(CTRL_D)
    assert terminal.wait() == 0
    terminal.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A REPL that waits for keys."""
    with repl(tmp_path) as made:
        yield made


def test_values_are_shown(terminal: Terminal) -> None:
    """The value of an entry is shown as in source, nil is not, and ``_`` has the last one."""
    assert terminal.answer('[1, "a", {b: 2.5}]') == '[1, "a", {"b": 2.5}]'
    assert terminal.answer("nil") == ""
    assert terminal.answer("_[0] + 41") == "42"
    assert terminal.answer('print("hi")') == "hi"


def test_colours(terminal: Terminal) -> None:
    """What is typed and what is shown has the colours of the lexer's kinds."""
    terminal.enter("let pi = 3")
    terminal.expect_raw(b"35mlet")
    terminal.expect_raw(READY)
    terminal.enter('["a", 42]')
    raw = terminal.expect_raw(READY)
    assert b'\x1b[32m"a"\x1b[0m, \x1b[36m42\x1b[0m' in raw


def test_colours_of_errors(terminal: Terminal) -> None:
    """In what the compiler says the code and the carets stand out, the source does not."""
    terminal.enter("nope")
    raw = terminal.expect_raw(READY)
    assert b"\x1b[31merror[E0101]\x1b[0m" in raw
    assert b"  | \x1b[31m^^^^" in raw
    assert b"1 | nope" in raw


def test_no_colours(tmp_path: Path) -> None:
    """NO_COLOR is obeyed."""
    with repl(tmp_path, NO_COLOR="1") as terminal:
        terminal.enter("let pi = 3")
        assert b"35m" not in terminal.expect_raw(READY)


def test_entries_of_several_lines(terminal: Terminal) -> None:
    """Enter begins another line until the statement is complete, indented as its bracket says."""
    terminal.enter("fn double(n) {")
    terminal.expect("...")
    terminal.enter("return n * 2")
    terminal.enter("}")
    terminal.prompt()
    assert terminal.answer("double(21)") == "42"
    assert "\n    return n * 2\n}" in terminal.answer(":source double")


def test_errors(terminal: Terminal) -> None:
    """An error shows kind, message and lines of source; the session goes on."""
    shown = terminal.answer("nope")
    assert "error[E0101]: 'nope' is not defined" in shown and "^^^^" in shown
    terminal.answer("fn f(m) => m.a")
    shown = terminal.answer("f({})")
    assert 'KeyError: the Map has no key "a"' in shown
    assert "fn f(m) => m.a" in shown and "in main" in shown
    assert terminal.answer("1 + 1") == "2"


def test_output_is_escaped(terminal: Terminal) -> None:
    """A program cannot drive the terminal."""
    assert terminal.answer(r'print("\u{1b}[31mred")') == "\\u{1b}[31mred"


def test_completion(terminal: Terminal) -> None:
    """Tab completes methods, fields, keys and names of what is there."""
    terminal.answer('let zebra = {quux: 10, "odd key": 1}')
    # What is expected is what Tab adds, and stands nowhere else on the screen: the rest is not drawn again.
    terminal.type("zeb" + TAB)
    terminal.expect("ra")
    terminal.type(".qu" + TAB)
    terminal.expect("ux")
    assert terminal.answer("") == "10"
    terminal.type('zebra["odd' + TAB)
    terminal.expect('key"]')
    assert terminal.answer("") == "1"
    terminal.answer("class Point { x; y = 2; fn norm() => self.x }")
    terminal.answer("let p = Point(3)")
    terminal.type("p.no" + TAB)
    terminal.expect("rm")
    assert terminal.answer("()") == "3"
    terminal.type('"abc".upp' + TAB)
    terminal.expect("er")
    assert terminal.answer("()") == '"ABC"'


def test_commands(terminal: Terminal) -> None:
    """Commands answer; a shorter form does; a wrong one is told."""
    assert ":inspect" in terminal.answer(":help")
    assert "Write the values" in terminal.answer("?print")
    assert "'?' takes a name" in terminal.answer("?")
    assert "At least `width` long" in terminal.answer("?Text.pad_start")
    assert terminal.answer("?caps").endswith("by name: clock, console, random")
    assert max(map(len, terminal.answer("?root").splitlines())) < 80
    assert "Leaves" in terminal.answer("?break")
    assert "push" in terminal.answer("?List")
    terminal.answer("let xs = [5, 6]")
    shown = terminal.answer(":inspect xs")
    assert "List  K-" in shown and "length 2" in shown and "[1]  6" in shown
    kid = shown.split()[1]
    assert "[0]  5" in terminal.answer(f":i {kid}")
    assert "computing" in terminal.answer(":time xs.len()")
    assert "is on disk" in terminal.answer(":checkpoint")
    assert terminal.answer(":threads") == "no threads"
    assert "no command" in terminal.answer(":nonsense")
    assert terminal.answer(":session") == "* main"
    assert terminal.answer(":session other") == "session other"
    assert "E0101" in terminal.answer("xs")
    terminal.enter(":quit")
    assert terminal.wait() == 0


def test_status_bar(terminal: Terminal) -> None:
    """The bar names the world, the session, the checkpoint, threads and memory."""
    terminal.type("1")
    terminal.expect(".holdfast | session main | checkpoint ")
    terminal.expect("0 threads | ")
    terminal.expect(" MB")


def test_ctrl_c_ends_a_statement(terminal: Terminal) -> None:
    """Ctrl-C ends an endless loop at its next safepoint; nothing catches it, and the world stays usable."""
    terminal.answer("var n = 0")
    terminal.enter('print("going " + "on"); while true { try { n += 1 } catch e { } }')
    terminal.expect("\ngoing on")
    terminal.type(CTRL_C)
    assert "interrupted at main[2]:1 in main" in terminal.prompt()
    assert terminal.answer("n > 0") == "true"


def test_ctrl_c_undoes_an_atomic_block(terminal: Terminal) -> None:
    """An atomic block that is interrupted never happened."""
    terminal.answer("var n = 0")
    terminal.enter('print("going " + "on"); sleep(0.3); atomic { n = 5; while true { } }')
    terminal.expect("\ngoing on")
    wait_until_busy(terminal.process)
    terminal.type(CTRL_C)
    terminal.expect("interrupted")
    terminal.prompt()
    assert terminal.answer("n") == "0"


def test_ctrl_c_wakes_a_sleeper(terminal: Terminal) -> None:
    """A statement that waits is ended too."""
    terminal.enter('print("going " + "on"); sleep(1000)')
    terminal.expect("\ngoing on")
    terminal.type(CTRL_C)
    assert "interrupted" in terminal.prompt()


def test_ctrl_c_clears_the_line(terminal: Terminal) -> None:
    """At the prompt Ctrl-C throws away what was typed."""
    terminal.type("this is no program")
    terminal.expect("program")
    terminal.type(CTRL_C)
    terminal.prompt()
    assert terminal.answer("7") == "7"


def test_threads_go_on(terminal: Terminal) -> None:
    """Threads of the world run while the prompt waits for keys, and print above it."""
    terminal.answer('fn later() { sleep(0.05); print("from behind"); root.done = true }')
    terminal.enter("let t = spawn later()")
    terminal.expect("from behind")
    terminal.prompt()
    terminal.answer("t.join()")
    assert terminal.answer("[t.state, root.done]") == '["done", true]'


def test_busy_threads_leave_the_prompt_alive(terminal: Terminal) -> None:
    """With a thread that never waits, keys are still answered."""
    terminal.answer('fn spin() { while true { root.n = (root.get("n") ?? 0) + 1 } }')
    terminal.answer("let t = spawn spin()")
    assert terminal.answer("1 + 1") == "2"
    assert "spin" in terminal.answer(":threads")


def test_top(terminal: Terminal) -> None:
    """The threads can be watched without leaving, and the prompt is back behind it; a session goes on meanwhile."""
    terminal.answer('fn spin() { while true { root.n = (root.get("n") ?? 0) + 1 } }')
    terminal.answer("let t = spawn spin()")
    before = int(terminal.answer("root.n"))
    terminal.enter(":top")
    terminal.expect("1 thread, by cpu")
    terminal.expect("spin")
    terminal.type("n")
    terminal.expect("name")
    terminal.type("q")
    terminal.prompt()
    assert int(terminal.answer("root.n")) > before
    assert ":threads" in terminal.answer(":ps") and ":log T" in terminal.answer(":attach t")


def test_everything_survives_leaving(tmp_path: Path) -> None:
    """Variables, functions, closures, classes, instances and imports of a session are there when it is opened again."""
    (tmp_path / "bank.hold").write_text("fn interest(x) => x * 2\n")
    with repl(tmp_path) as terminal:
        for entry in (
            "var count = 1",
            "fn step(by = 1) { count += by; return count }",
            "class Point { x; y = 2; fn sum() => self.x + self.y + count }",
            "let p = Point(10)",
            "let adder = fn(a) => fn(b) => fn(c) => a + b + c + count",
            'import "bank.hold" as bank',
            "let mine = [p, step]",
        ):
            assert terminal.answer(entry) == ""
        assert terminal.answer("step()") == "2"
        leave(terminal)
    with repl(tmp_path) as terminal:
        assert terminal.answer("_") == "2"
        assert terminal.answer("step(8)") == "10"
        assert terminal.answer("p.sum()") == "22"
        assert terminal.answer("mine[0] is Point") == "true"
        assert terminal.answer("adder(1)(2)(3)") == "16"
        assert terminal.answer("bank.interest(4)") == "8"
        assert "bound with let" in terminal.answer("p = 1")
        terminal.answer("fn step(by = 1) => 1000 + by")
        assert terminal.answer("mine[1] == step") == "false"
        leave(terminal)
    with repl(tmp_path) as terminal:
        assert terminal.answer("step(1)") == "1001"
        assert terminal.answer("Point(1).sum()") == "13"
        leave(terminal)


def test_history_is_kept(tmp_path: Path) -> None:
    """The arrow brings back what was entered in an earlier run."""
    with repl(tmp_path) as terminal:
        assert terminal.answer("111 + 111") == "222"
        leave(terminal)
    with repl(tmp_path) as terminal:
        terminal.type(UP)
        terminal.expect("111 + 111")
        terminal.type(ENTER)
        assert "222" in terminal.prompt()
        leave(terminal)


def test_kill_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """After kill -9 between entries everything is there whose entry had been answered."""
    count = 0
    for turn in range(3):
        with repl(tmp_path) as terminal:
            terminal.answer("var n = 0" if not turn else "n")
            for _ in range(4):
                terminal.answer("n += 1")
                count += 1
            terminal.kill()
    with repl(tmp_path) as terminal:
        assert terminal.answer("n") == str(count)
        leave(terminal)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("busy", [False, True])
def test_signals_end_the_repl(tmp_path: Path, number: int, code: int, busy: bool) -> None:
    """A signal makes a last checkpoint and ends the process, at the prompt and in the middle of a statement."""
    with repl(tmp_path) as terminal:
        terminal.answer("var n = 5")
        if busy:
            terminal.enter(LOOP)
            terminal.expect("\ngoing on")
        terminal.process.send_signal(number)
        assert terminal.process.wait(DEADLINE_S) == code
        assert "Traceback" not in terminal.text()
    with repl(tmp_path) as terminal:
        assert terminal.answer("n") == "5"


def test_deep_and_wide_values_are_cut(terminal: Terminal) -> None:
    """Large and cyclic values are shown within limits."""
    terminal.answer("let xs = List(0..1000); xs.push(xs)")
    shown = terminal.answer("xs")
    assert "901 more" in shown and len(shown) < 3000
    terminal.answer("let deep = []; var at = deep; for i in 0..100 { let next = []; at.push(next); at = next }")
    assert "…" in terminal.answer("deep")
    assert len(terminal.answer('"x" * 100_000')) < 30_000
