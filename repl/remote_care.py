"""The care of a world that is open in another process: the work is done over there, its result comes here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.repl import remote_wire
from holdfast.repl.care import Findings
from holdfast.repl.remote_line import Line

if TYPE_CHECKING:
    from holdfast.vm.maintenance import Progress


class RemoteCare:
    """A world that somebody else has open."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def check(self, progress: Progress) -> Findings:
        """Verify it."""
        return self._report("check", progress)

    def collect(self, progress: Progress) -> Findings:
        """Delete garbage, and give its space back."""
        return self._report("collect", progress)

    def measure(self, progress: Progress) -> Findings:
        """Count and measure."""
        return self._report("measure", progress)

    def _report(self, method: str, progress: Progress) -> Findings:
        values = json.loads(self.line.call(method, watcher=watcher(progress)).report)
        found = Findings(*values)
        return found._replace(
            problems=[(name, reason) for name, reason in found.problems],
            classes=[(name, objects, size) for name, objects, size in found.classes],
            waiting=[(folder, number) for folder, number in found.waiting],
        )

    def export(self, write: Callable[[str], object], progress: Progress) -> int:
        """Write it as text; gives the number of lines.  ``write`` is called in the thread of the line."""
        target = Target(write)
        try:
            return int(self.line.call("export", target=target.served(), watcher=watcher(progress)).lines)
        except Exception:
            if target.error is not None:
                raise target.error from None
            raise

    def backup(self, target: str) -> int:
        """Copy it to an absolute path; gives the number of the checkpoint that was copied."""
        return int(self.line.call("backup", target=target).checkpoint)


class Target:
    """Where the text of an export goes."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write
        self.error: Exception | None = None
        """Why it cannot be written here."""
        self._rest = b""

    def served(self) -> Any:
        """What the other side writes to."""
        schema = remote_wire.schema()

        async def write(server: Any, context: Any) -> None:
            try:
                self.take(bytes(context.params.text))
            except Exception as error:
                self.error = error
                raise RuntimeError("it cannot be written") from None

        return type("Target", (schema.Terminal.Server,), {"write_context": write})()

    def take(self, data: bytes) -> None:
        """Write the whole lines of what has come."""
        head, end, tail = (self._rest + data).rpartition(b"\n")
        self._rest = tail
        if end:
            self.write((head + end).decode())


def watcher(progress: Progress) -> Any:
    """What the other side tells how far it is."""
    schema = remote_wire.schema()

    async def tell(server: Any, context: Any) -> None:
        params = context.params
        progress(str(params.phase), int(params.done), int(params.total))

    return type("Watcher", (schema.Watcher.Server,), {"progress_context": tell})()
