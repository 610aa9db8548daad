"""What host methods share: tests of arguments, rights, keys in bulk.

Guests pass anything.  An argument of the wrong kind must be refused in Hold's words before CPython sees it, whose
exceptions would name Python types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from holdfast.vm import ids, limits
from holdfast.vm.objects import ListBase, MapBase, SetBase, fail, kind_name
from holdfast.vm.ops import COLLECTIONS, check_key
from holdfast.vm.order import NUMBERS

F = TypeVar("F", bound=Callable[..., Any])

DOUBTFUL = (ids.LIST, ids.MAP, ids.SET, ids.CAPABILITY)
"""Kinds that are no keys, or perhaps none."""

VARARGS = 0x04
"""The flag of a code object that takes ``*rest``."""

WIDE = (1 << 61) - 1
"""CPython hashes an int modulo this: only wider ones can be made to collide."""


def needs(own: str = "", **others: str) -> Callable[[F], F]:
    """Declare the rights that a host function needs of ``self``, and by name of its other parameters.

    A parameter that is not named is only passed on, stored, or must be an immutable: it needs none.
    """
    return lambda function: declared(function, {"self": own, **others})


def declared(function: F, rights: Mapping[str, str] = MappingProxyType({})) -> F:
    """The function, with the rights of all its parameters noted."""
    if not hasattr(function, "__hold_rights__"):
        code = function.__code__
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & VARARGS)
        noted = {name: rights.get(name, "") for name in code.co_varnames[:count]}
        function.__hold_rights__ = noted  # type: ignore[attr-defined]
    return function


def table(*functions: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Functions by their names; a name that Python reserves ends in ``_``.

    What has declared no rights takes immutables only.
    """
    return {function.__name__.rstrip("_"): declared(function) for function in functions}


def need_text(where: str, value: Any) -> str:
    """The argument, a Text."""
    if type(value) is not str:
        fail("TypeError", f"{where} needs a Text, not {kind_name(value)}: convert with Text(x)")
    return value


def need_bytes(where: str, value: Any) -> bytes:
    """The argument, a Bytes."""
    if type(value) is not bytes:
        fail("TypeError", f"{where} needs Bytes, not {kind_name(value)}: convert with Bytes(x)")
    return value


def need_int(where: str, value: Any) -> int:
    """The argument, an Int."""
    if type(value) is int:
        return value
    if type(value) is bool:
        return int(value)
    fail("TypeError", f"{where} needs an Int, not {kind_name(value)}: convert with Int(x)")


def need_count(where: str, value: Any) -> int:
    """The argument, an Int of at least 0."""
    number = need_int(where, value)
    if number < 0:
        fail("ValueError", f"{where} needs a number of at least 0, not {limits.brief_int(number)}")
    return number


def need_number(where: str, value: Any) -> Any:
    """The argument, a number."""
    if type(value) not in NUMBERS:
        fail("TypeError", f"{where} needs a number, not {kind_name(value)}: convert with Int(x) or Float(x)")
    return value


def cut(number: int) -> int:
    """A count that CPython can take; no collection is as long."""
    return min(number, limits.LENGTH_MAX)


def readable(value: Any) -> Any:
    """The collection that a capability stands for, as it may be read; any other value as it is."""
    if getattr(type(value), "_k", 0) == ids.CAPABILITY:
        return value._monitor.guarded.view(value._monitor.reading, value)
    return value


def items_of(where: str, value: Any) -> list[Any]:
    """The items of a List, Set, Range, Text or Bytes, or the keys of a Map, as a new raw list."""
    kind = type(value)
    if isinstance(value, ListBase):
        return value.v.copy()  # type: ignore[no-any-return]
    if isinstance(value, COLLECTIONS):
        return list(value.v)
    if kind is range:
        limits.check_bulk("a Range", max(0, value.stop - value.start))
        return list(value)
    if kind is str or kind is bytes:
        limits.check_bulk("a " + kind_name(value), len(value))
        return list(value)
    inner = readable(value)
    if inner is not value:
        return items_of(where, inner)
    fail("TypeError", f"{where} needs a List, Set, Map, Range, Text or Bytes, not {kind_name(value)}")


def key_table(where: str, items: list[Any], kind: str = "Set") -> dict[Any, None]:
    """The raw dict of a Set of the items."""
    kinds = set(map(type, items))
    if float in kinds or any(getattr(special, "_k", 0) in DOUBTFUL for special in kinds):
        for item in items:
            check_key(item, kind)
    check_hashes(where, items)
    # Two equal huge Texts, listed a million times, would be compared a million times: equal objects first.
    return dict.fromkeys(items if _weight(items, kinds) <= limits.SORT_WEIGHT else {id(x): x for x in items}.values())


def _weight(items: list[Any], kinds: set[type]) -> int:
    """What comparing each item once takes: code points, bytes, or words of an Int."""
    if kinds == {int}:
        return sum(map(int.bit_length, items)) >> 5
    if kinds <= {str, bytes}:
        return sum(map(len, items))
    ints = sum([x.bit_length() for x in items if type(x) is int]) >> 5 if int in kinds else 0
    return ints + sum([len(x) for x in items if type(x) is str or type(x) is bytes])


def check_hashes(where: str, keys: Collection[Any]) -> None:
    """Refuse keys that were made to collide: multiples of 2**61 - 1 make a dict quadratic."""
    if len(keys) <= limits.SAME_HASH:
        return
    wide = {id(k): k for k in keys if (type(k) is int and not -WIDE < k < WIDE) or type(k) is range}
    if len(wide) <= limits.SAME_HASH:
        return
    _, most = Counter(map(hash, wide.values())).most_common(1)[0]
    if most > limits.SAME_HASH:
        limits.over(
            f"{where}: the number of keys with the same hash ({limits.count(most)})",
            limits.SAME_HASH,
            "use Text(x) of the number as the key",
        )


def is_list(value: Any) -> bool:
    """The value is a List, loaded or not."""
    return isinstance(value, ListBase)


def need_map(where: str, value: Any) -> Any:
    """The argument, a Map."""
    value = readable(value)
    if not isinstance(value, MapBase):
        fail("TypeError", f"{where} needs a Map, not {kind_name(value)}")
    return value


def keys_of(where: str, value: Any) -> dict[Any, None]:
    """The members of a Set, or of anything with items, as a raw dict."""
    if isinstance(value, SetBase):
        check_hashes(where, value.v)
        return value.v  # type: ignore[no-any-return]
    return key_table(where, items_of(where, value))
