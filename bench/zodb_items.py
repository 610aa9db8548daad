"""The persistent classes of the ZODB side; importable, since ZODB keeps them by name."""

from __future__ import annotations

from persistent import Persistent  # type: ignore[import-untyped]


class Owner(Persistent):  # type: ignore[misc]
    """Whom items belong to."""

    def __init__(self, name: str) -> None:
        self.name = name


class Item(Persistent):  # type: ignore[misc]
    """Four fields, one of them a reference."""

    def __init__(self, number: int, name: str, balance: float, owner: Owner) -> None:
        self.number = number
        self.name = name
        self.balance = balance
        self.owner = owner
