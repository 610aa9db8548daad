"""The tests of the library that are written in Hold: every ``test`` block of the files here, in both shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.lang import tree
from holdfast.lang.diagnostics import Source
from holdfast.lang.parser import parse
from holdfast.stdlib import library
from holdfast.vm.objects import Thrown
from holdfast.vm.show import to_text
from holdfast.vm.world import World

FILES = sorted(Path(__file__).parent.glob("*.hold"))


def blocks() -> Iterator[tuple[str, str]]:
    """File and name of each test."""
    for file in FILES:
        for statement in parse(Source(file.name, file.read_text("utf-8"))).statements:
            if isinstance(statement, tree.TestDef):
                yield file.name, statement.name


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """A world for each shape."""
    made = {
        shape: World.open(
            tmp_path_factory.mktemp(shape) / "world", library=library(), durability="process", shape=shape
        )
        for shape in ("direct", "resumable")
    }
    yield made
    for world in made.values():
        world.close()


@pytest.mark.parametrize("shape", ["direct", "resumable"])
@pytest.mark.parametrize(("file", "name"), list(blocks()))
def test_block(file: str, name: str, shape: str, worlds: dict[str, World]) -> None:
    """The block runs to its end."""
    world = worlds[shape]
    unit = world.modules.program((Path(__file__).parent / file).read_text("utf-8"), file)
    (index,) = [number for title, number in unit.unit.tests if title == name]
    thread = world.scheduler.start(unit.protos[index].instance(), (), name=name)
    try:
        world.run_thread(thread)
    except Thrown as thrown:
        pytest.fail(f"{to_text(thrown.error)} at {thrown.error.f_at}")
