"""Content equality: what it finds, and how much work that takes."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from holdfast.vm.equality import LIST, MAP, equal


class Fake:
    """A List or Map that counts how often its content is asked for."""

    reads = 0

    def __init__(self, content: Any) -> None:
        self.content = content

    @property
    def v(self) -> Any:
        """The raw container."""
        Fake.reads += 1
        return self.content

    __eq__ = equal
    __hash__ = object.__hash__


class FakeList(Fake):
    _k = LIST


class FakeMap(Fake):
    _k = MAP


def cycle(length: int) -> FakeList:
    """Lists in a ring, each of which holds 0 and the next one."""
    ring = [FakeList([0]) for _ in range(length)]
    for n, one in enumerate(ring):
        one.content.append(ring[(n + 1) % length])
    return ring[0]


def test_rings_of_different_lengths_are_compared_in_linear_time() -> None:
    """The pairs of two rings are as many as the product of their lengths; the comparison looks at each object twice."""
    Fake.reads = 0
    assert cycle(701) == cycle(700)
    assert Fake.reads <= 2 * 2 * 1401


def test_shared_structure_is_compared_in_linear_time() -> None:
    """A value that holds the one below it twice unfolds to 2 ** depth places."""

    def tower(depth: int, cls: Any) -> Any:
        top = FakeList([0])
        for _ in range(depth):
            top = cls([top, top]) if cls is FakeList else cls({"a": top, "b": top})
        return top

    for cls in (FakeList, FakeMap):
        Fake.reads = 0
        assert tower(200, cls) == tower(200, cls)
        assert tower(200, cls) != tower(201, cls)
        assert Fake.reads <= 4 * 4 * 201


def test_a_huge_text_is_compared_once() -> None:
    """Two equal Texts that are listed many times are compared one time."""
    a, b = "x" * 50_000_000 + "a", "x" * 50_000_000 + "a"
    assert FakeList([a] * 20_000) == FakeList([b] * 20_000)  # 5 minutes if each pair were compared
    assert FakeList([a] * 20_000) != FakeList([b] * 19_999 + [b[:-1] + "b"])


def naive(a: Any, b: Any, assumed: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """The definition: no path leads to a difference."""
    if not isinstance(a, Fake) or not isinstance(b, Fake):
        return not isinstance(a, Fake) and not isinstance(b, Fake) and bool(a == b)
    if a is b or (id(a), id(b)) in assumed:
        return True
    if type(a) is not type(b) or len(a.content) != len(b.content):
        return False
    assumed = assumed | {(id(a), id(b))}
    if isinstance(a, FakeMap):
        return all(k in b.content and naive(v, b.content[k], assumed) for k, v in a.content.items())
    return all(naive(x, y, assumed) for x, y in zip(a.content, b.content, strict=True))


@pytest.mark.parametrize("seed", range(300))
def test_random_graphs_are_equal_when_no_path_leads_to_a_difference(seed: int) -> None:
    """Small graphs with cycles and shared parts, compared in all pairs."""
    random = Random(seed)
    nodes: list[Any] = [FakeList([]) if random.random() < 0.7 else FakeMap({}) for _ in range(5)]
    for node in nodes:
        for n in range(random.choice((0, 1, 2, 2))):
            value = random.choice([*nodes, *nodes, 0, 1, 1.0, "a", float("nan")])
            if isinstance(node, FakeMap):
                node.content[random.choice("ab") if n else "a"] = value
            else:
                node.content.append(value)
    for a in nodes:
        for b in nodes:
            assert equal(a, b) == naive(a, b)
