"""Sides of a comparison in processes of their own.

The two sides of a ratio run in separate processes, which take turns: neither has the other's heap, signal handlers
or garbage collector.  A *side* is a class; its worker process makes one instance and calls the methods that the
driver names.

Protocol: one JSON object a line.  To the worker first ``{"side": "module:Class", "config": {…}}``, then
``{"call": name, "with": {…}}``; back come ``{"result": …}`` or ``{"error": text}``.  The worker's standard output
is kept for that: whatever the measured code prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import subprocess
import sys
import traceback
from typing import Any, TextIO

from bench.report import ROOT

TIMEOUT = 900.0
"""Seconds that one call may take."""

GC_THRESHOLD = (700, 10, 10)
"""The garbage collector's thresholds on both sides: the defaults of CPython 3.11."""


class WorkerError(Exception):
    """The other process failed; the text is its traceback or the reason."""


class Worker:
    """A side in another process; use it as a context manager."""

    def __init__(self, side: str, **config: Any) -> None:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self._ask({"side": side, "config": config})
        except BaseException:
            self.close()
            raise

    def call(self, method: str, /, **arguments: Any) -> Any:
        """The result of a method of the side."""
        return self._ask({"call": method, "with": arguments})

    def _ask(self, request: dict[str, Any]) -> Any:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise WorkerError("the worker has no pipes")
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise WorkerError(f"the worker ended with {self.process.wait()}") from None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(TIMEOUT):
                self.process.kill()
                raise WorkerError(f"no answer to {request} within {TIMEOUT:g} s")
        line = stdout.readline()
        if not line:
            raise WorkerError(f"the worker ended with {self.process.wait()} during {request}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End the process: by the end of its input, else by force."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def quiet_gc() -> None:
    """The same garbage collector settings everywhere; what is loaded so far is not looked at again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    gc.enable()


def answer(side: Any, line: str) -> tuple[Any, dict[str, Any]]:
    """Serve one request; the side (made by the first one) and the answer."""
    request = json.loads(line)
    try:
        if side is None:
            module, _, name = request["side"].partition(":")
            return getattr(importlib.import_module(module), name)(**request["config"]), {"result": None}
        return side, {"result": getattr(side, request["call"])(**request["with"])}
    except Exception:  # the driver decides what a failure means
        return side, {"error": traceback.format_exc()}


def main() -> None:
    """Serve requests until the input ends, then close the side."""
    replies: TextIO = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    side = None
    for line in sys.stdin:
        side, reply = answer(side, line)
        replies.write(json.dumps(reply) + "\n")
    if side is not None and hasattr(side, "close"):
        side.close()


if __name__ == "__main__":
    main()
