"""A world with a canary in the host: an object that no guest may reach."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cases import Bench, Outcome

SECRET = "canary-5d1f"


class Canary:
    """Notes every touch; its name and its text hold the secret."""

    __slots__ = ("touched",)

    def __init__(self) -> None:
        self.touched: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name not in ("touched", "__class__"):
            object.__getattribute__(self, "touched").append(name)
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        self.touched.append("repr")
        return SECRET

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        self.touched.append("format")
        return SECRET

    def __call__(self, *args: Any, **named: Any) -> str:
        self.touched.append("call")
        return SECRET


class Prison(Bench):
    """Runs guest programs beside the canary."""

    def __init__(self, path: Path, shape: str) -> None:
        super().__init__(path, shape)
        self.canary = Canary()
        builtins.canary = self.canary  # type: ignore[attr-defined]
        sys.modules["holdfast.vm.world"].canary = self.canary  # type: ignore[attr-defined]
        self.world.canary = self.canary  # type: ignore[attr-defined]

    def close(self) -> None:
        del builtins.canary, sys.modules["holdfast.vm.world"].canary  # type: ignore[attr-defined]
        super().close()

    def run(self, text: str, files: dict[str, str] | None = None) -> Outcome:
        """Run a program; the canary must be as it was, and its secret unsaid."""
        outcome = super().run(text, files)
        assert self.canary.touched == []
        assert SECRET not in "\n".join(outcome.output)
        return outcome

    def lines(self, text: str, files: dict[str, str] | None = None) -> list[str]:
        """The output of a program that must end well."""
        outcome = self.run(text, files)
        assert (outcome.error, outcome.diagnostics) == (None, [])
        return outcome.output


RESTRICTED = [pytest.param(way, marks=pytest.mark.slow) for way in ("guarded", "sandbox-resumable")]


@pytest.fixture(params=["direct", "resumable", *RESTRICTED], scope="module")
def prison(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prison]:
    """One world for all tests of a file, in each shape, for an unrestricted program and for a restricted one."""
    made = Prison(tmp_path_factory.mktemp("prison") / "w", request.param)
    yield made
    made.close()
