"""``holdfast test``: the tests of files, each in a world of its own that is thrown away."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from time import monotonic, perf_counter

from holdfast.lang.diagnostics import CompileError
from holdfast.repl import colours, exits, host
from holdfast.repl.console import Console, escaped, tell
from holdfast.repl.drive import Driver
from holdfast.repl.exits import Stop
from holdfast.repl.files import folder_of, loader, read_source, shown
from holdfast.repl.local import Options, open_world, outcome_of
from holdfast.repl.problems import rendered, tell_diagnostics
from holdfast.repl.signals import Signals


@dataclass(slots=True)
class Result:
    """How one test ended."""

    file: str
    name: str
    passed: bool
    error: str = ""
    """Kind and message."""
    at: str = ""
    """File and line."""
    seconds: float = 0.0
    output: str = ""


class _Output(Console):
    """Keeps what a test prints: it is shown if the test fails."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


class Tests:
    """The tests of some files."""

    def __init__(self, timeout: float, signals: Signals, loud: bool) -> None:
        self.timeout = timeout
        self.signals = signals
        self.loud = loud
        self.colour = colours.wanted(sys.stderr)
        self.results: list[Result] = []
        self.refused = False

    def file(self, path: str) -> None:
        """All tests of a file."""
        try:
            text = read_source(path)
            count = 1
            number = 0
            while number < count:  # how many there are is known when the file was compiled in the first world
                count = self.one(path, text, number)
                number += 1
        except CompileError as error:
            tell_diagnostics(str(error) + "\n")
            self.refused = True

    def one(self, path: str, text: str, number: int) -> int:
        """One test, in a new world; gives the number of tests in the file."""
        with tempfile.TemporaryDirectory(prefix="holdfast-test-") as folder:
            world = open_world(Options(os.path.join(folder, "world"), "process"))
            output = _Output()
            world.write = output.write
            try:
                world.modules.loader = loader(folder_of(path))
                unit = world.modules.program(text, shown(path))
                tests = unit.unit.tests
                if not tests:
                    return 0
                name, index = tests[number]
                driver = Driver(world, output)
                with self.signals.listening(driver.signal):
                    started = perf_counter()
                    thread = world.scheduler.start(unit.protos[index].instance(), (), name=f"test {name}")
                    deadline = monotonic() + self.timeout
                    driver.run(thread, lambda: monotonic() > deadline)
                    seconds = perf_counter() - started
                    if driver.ended_by or driver.interrupted:
                        raise Stop(driver.ended_by or 2)
                    outcome = outcome_of(world, thread, False, "", seconds)
                    world.checkpoint()
            finally:
                world.checkpointer.close()
                world.store.close()
                world.scheduler.event.close()
        late = outcome.state == host.FAILED and seconds >= self.timeout
        self.note(path, name, outcome, output.text, late)
        return len(tests)

    def note(self, path: str, name: str, outcome: host.Outcome, output: str, late: bool) -> None:
        """Keep a result, and show it if it is a failure."""
        result = Result(path, name, outcome.state == host.DONE, seconds=outcome.seconds, output=output)
        problem = outcome.problem
        if problem is not None:
            place = problem.trace[0] if problem.trace else None
            result.error = f"{problem.kind}: {problem.message}"
            result.at = f"{place.file}:{place.line}" if place is not None else ""
            if late:
                result.error = f"ran longer than {self.timeout:g} s"
        self.results.append(result)
        if problem is not None and self.loud:
            tell(f"{colours.paint('FAILED', colours.RED, self.colour)} {escaped(shown(path))}: {escaped(name)}")
            tell(escaped(f"error: {result.error} at {result.at}") if late else rendered(problem, self.colour))
            if output:
                tell("  it printed:\n" + "\n".join("  | " + line for line in escaped(output).splitlines()))
            tell("")


def run_tests(paths: tuple[str, ...], timeout: float, as_json: bool, signals: Signals) -> int:
    """Run the tests of all files, and tell how many passed."""
    tests = Tests(timeout, signals, loud=not as_json)
    try:
        for path in paths:
            tests.file(path)
    finally:
        passed = sum(result.passed for result in tests.results)
        failed = len(tests.results) - passed
        if as_json:
            rows = [asdict(result) for result in tests.results]
            print(json.dumps({"passed": passed, "failed": failed, "tests": rows}))
        else:
            print(f"{passed} passed, {failed} failed", flush=True)
    if tests.refused:
        return exits.COMPILE
    return exits.FAILED if failed else exits.OK
