"""The sides of the speed suite: our Python twins, the published Python programs, and Hold."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.worker import quiet_gc


class Side:
    """A program that can be run and timed."""

    run: Callable[[int], bool]

    def measure(self, inner: int) -> dict[str, Any]:
        """One run: its seconds, those that all its OS threads computed, and whether the result verified."""
        quiet_gc()
        start, computed = time.perf_counter(), time.process_time()
        verified = self.run(inner)
        computed = time.process_time() - computed
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "cpu_seconds": computed, "verified": verified is True}


class PythonSide(Side):
    """One of our twins, or with ``published`` the program of that directory."""

    def __init__(self, name: str, published: str | None = None, class_name: str | None = None) -> None:
        twin = importlib.import_module(f"bench.programs.{name}")
        if published is None or class_name is None:
            self.run = twin.benchmark
        else:
            self.run = published_program(Path(published), name, class_name, getattr(twin, "RESULTS", {}))


class HoldSide(Side):
    """A Hold program in a world of its own."""

    def __init__(self, path: str, under_root: bool, scratch: str | None = None) -> None:
        from bench.hold_adapter import load

        self.program = load(Path(path), under_root, Path(scratch) if scratch else None)
        self.run = self.program

    def counters(self) -> dict[str, int]:
        """Checkpoints and bytes so far."""
        counters = self.program.counters()
        return {"checkpoints": counters.checkpoints, "bytes": counters.bytes}

    def close(self) -> None:
        """Close the world and remove it."""
        self.program.close()


def published_module(directory: Path, name: str) -> Any:
    """A module of the published suite.

    Its directory goes to the end of the path, and the module gets a name of its own: it has a ``json.py`` and a
    ``list.py``, which must not stand in for others of these names.
    """
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
    spec = importlib.util.spec_from_file_location(f"published_{name}", directory / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(directory / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def published_program(directory: Path, name: str, class_name: str, results: dict[int, Any]) -> Callable[[int], bool]:
    """The published program as a function of the number of iterations.

    NBody and Mandelbrot verify two or three numbers of iterations only; here the table of our twins is used.
    """
    module = published_module(directory, name)
    suite = getattr(module, class_name)
    if name == "mandelbrot":
        return lambda inner: bool(suite._mandelbrot(inner) == results[inner])
    if name == "nbody":

        def nbody(inner: int) -> bool:
            system = module.NBodySystem()
            for _ in range(inner):
                system.advance(0.01)
            return bool(system.energy() == results[inner])

        return nbody
    return lambda inner: suite().inner_benchmark_loop(inner) is True


def published_document(directory: Path) -> str:
    """The text that the published Json program parses."""
    text: str = published_module(directory, "json")._RAP_BENCHMARK_MINIFIED
    return text
