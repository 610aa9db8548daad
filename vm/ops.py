"""The operators of Hold on any values: the one place of their semantics and error texts.

Generated code uses Python's own operators where it knows the kinds of the operands, and comes here when its guess
fails; the resumable shape comes here always.  So both agree by construction where Python's operator agrees, and
everything that Python would do differently (formatting by ``%``, repetition without a limit, complex results,
errors in Python's words) is decided here.

Nothing here calls guest code.  Every result is bounded before it is computed (threat 23 of the host boundary).
:func:`operators` gives the table of names for the namespace of generated code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NoReturn

from holdfast.lang.spelling import hint
from holdfast.vm import ids, limits, order
from holdfast.vm.bigint import div_mod
from holdfast.vm.equality import BIG_SCALAR, equal
from holdfast.vm.limits import BYTES_LENGTH, INT_BITS, LENGTH_MAX, LIST_LENGTH, TEXT_LENGTH
from holdfast.vm.objects import ListBase, MapBase, Obj, SetBase, fail, kind_name, live
from holdfast.vm.order import NUMBERS
from holdfast.vm.runtime import Runtime
from holdfast.vm.show import brief, to_text

COLLECTIONS = (ListBase, MapBase, SetBase)
CAPABILITY = 9
"""The class number of capabilities (``holdfast.vm.ids``); the guarded operators know what to do with one."""

PART_ITEMS = 65_536
"""Items of a large List that are looked at together."""

HINT_KEYS = 200
"""Keys of a Map among which a misspelt one is looked for: a failed look-up must not cost more than a walk."""

DIVIDE_BITS = 32_000
"""Operands below this are divided by CPython itself."""


# --------------------------------------------------------------------------- arithmetic


def _cannot(sentence: str, a: Any, b: Any) -> NoReturn:
    """Throw the TypeError of two operands that do not go together; ``sentence`` has ``{a}`` and ``{b}``."""
    x, y = kind_name(a), kind_name(b)
    kinds = {type(a), type(b)}
    if type(None) in kinds:
        side = "left" if a is None else "right"
        advice = f"the {side} side is nil; give it a value with ??"
    elif str in kinds and kinds & NUMBERS:
        advice = (
            'convert with Text(x) or write "{a}{b}"'
            if sentence.startswith("cannot add")
            else "convert with Int(x) or Float(x)"
        )
    elif kinds == {str, bytes}:
        advice = "convert with text.bytes() or bytes.text()"
    elif isinstance(a, MapBase) and isinstance(b, MapBase):
        advice = "write a.copy(), then update(b)"
    elif isinstance(a, SetBase) and isinstance(b, SetBase):
        advice = "use union, intersection or difference"
    elif isinstance(a, ListBase):
        advice = "use push for an item, extend for many"
    elif str in kinds and sentence.startswith("cannot add"):
        advice = 'convert with Text(x) or write "{a}{b}"'
    else:
        advice = "numbers are needed"
    fail("TypeError", sentence.replace("{a}", x, 1).replace("{b}", y, 1) + ": " + advice)


def _float_overflow() -> NoReturn:
    fail("ArithmeticError", "the result is too large for a Float: use Int, or smaller numbers")


def add(a: Any, b: Any) -> Any:
    """``a + b`` of numbers, Texts, Bytes; Lists are :func:`operators`'."""
    kind, other = type(a), type(b)
    if kind in NUMBERS and other in NUMBERS:
        try:
            return a + b  # the limit of Int is tested by products: sums grow a bit at a time
        except OverflowError:
            _float_overflow()
    if kind is other:
        if kind is str:
            if len(a) + len(b) > TEXT_LENGTH:
                limits.check_text(len(a) + len(b))
            return a + b
        if kind is bytes:
            if len(a) + len(b) > BYTES_LENGTH:
                limits.check_bytes(len(a) + len(b))
            return a + b
    _cannot("cannot add {a} and {b}", a, b)


def sub(a: Any, b: Any) -> Any:
    """``a - b``."""
    if type(a) in NUMBERS and type(b) in NUMBERS:
        try:
            return a - b
        except OverflowError:
            _float_overflow()
    _cannot("cannot subtract {b} from {a}".replace("{b}", kind_name(b)), a, b)


def mul(a: Any, b: Any) -> Any:
    """``a * b`` of numbers, Text and Int, Bytes and Int; Lists are :func:`operators`'."""
    kind, other = type(a), type(b)
    if kind in NUMBERS and other in NUMBERS:
        if kind is int and other is int:
            bits = a.bit_length() + b.bit_length() - 1
            if bits > INT_BITS:  # before computing: the product has so many bits, or one more
                limits.int_too_large(bits)
            return limits.check_int(a * b)
        try:
            return a * b
        except OverflowError:
            _float_overflow()
    if other in (str, bytes) and kind in (int, bool):
        a, b, kind, other = b, a, other, kind
    if kind in (str, bytes) and other in (int, bool):
        length = len(a) * max(0, b)
        (limits.check_text if kind is str else limits.check_bytes)(length)
        return a * b if length else a[:0]
    _cannot("cannot multiply {a} and {b}", a, b)


def div(a: Any, b: Any) -> Any:
    """``a / b``, a Float."""
    if type(a) in NUMBERS and type(b) in NUMBERS:
        try:
            return a / b
        except ZeroDivisionError:
            _by_zero(a)
        except OverflowError:
            _float_overflow()
    _cannot("cannot divide {a} by {b}", a, b)


def fdiv(a: Any, b: Any) -> Any:
    """``a ~/ b``, rounded down; an Int of Ints, else a Float."""
    if type(a) in NUMBERS and type(b) in NUMBERS:
        try:
            if type(a) is int and type(b) is int and a.bit_length() > DIVIDE_BITS:
                return div_mod(a, b)[0]
            return a // b
        except ZeroDivisionError:
            _by_zero(a)
        except OverflowError:
            _float_overflow()
    _cannot("cannot divide {a} by {b}", a, b)


def mod(a: Any, b: Any) -> Any:
    """``a % b``, with the sign of ``b``; never formats (threat 3)."""
    if type(a) in NUMBERS and type(b) in NUMBERS:
        try:
            if type(a) is int and type(b) is int and a.bit_length() > DIVIDE_BITS:
                return div_mod(a, b)[1]
            return a % b
        except ZeroDivisionError:
            _by_zero(a)
        except OverflowError:
            _float_overflow()
    _cannot("cannot take {a} modulo {b}", a, b)


def _by_zero(a: Any) -> NoReturn:
    fail("ArithmeticError", f"cannot divide {brief(a)} by zero: test the divisor first")


def power(a: Any, b: Any) -> Any:
    """``a ** b``; a Float where the exponent is a negative Int."""
    if type(a) not in NUMBERS or type(b) not in NUMBERS:
        _cannot("cannot raise {a} to the power of {b}", a, b)
    if type(a) is not float and type(b) is not float and b >= 0:
        return _int_power(int(a), int(b))
    try:
        result = a**b
    except ZeroDivisionError:
        fail("ArithmeticError", f"cannot raise 0 to the power of {brief(b)}: that divides by zero")
    except OverflowError:
        _float_overflow()
    if type(result) is complex:
        fail(
            "ArithmeticError",
            f"({brief(a)}) ** {brief(b)} is no real number: a negative number has whole powers only",
        )
    return result


def _int_power(a: int, b: int) -> int:
    """An Int to a power of at least 0."""
    if -2 < a < 2:
        return 1 if b == 0 or a == 1 or (a == -1 and not b & 1) else a
    least = (a.bit_length() - 1) * b  # the result has more bits than this, and at most b more than this
    if least > INT_BITS:
        limits.int_too_large(least) if least < LENGTH_MAX else limits.over(
            "the number of bits of an Int to that power", INT_BITS, "use Float, or work modulo a number"
        )
    return limits.check_int(a**b)


def neg(a: Any) -> Any:
    """``-a``."""
    if type(a) in NUMBERS:
        return -a
    fail("TypeError", f"cannot negate {kind_name(a)}: a number is needed")


def pos(a: Any) -> Any:
    """``+a``."""
    if type(a) in NUMBERS:
        return +a
    fail("TypeError", f"cannot apply + to {kind_name(a)}: a number is needed")


# --------------------------------------------------------------------------- comparison


def _comparable(a: Any, b: Any) -> bool:
    kind = type(a)
    return (kind in NUMBERS and type(b) in NUMBERS) or (kind is type(b) and (kind is str or kind is bytes))


def _order(a: Any, b: Any, sign: str) -> int | None:
    """The order of two Lists; anything else has none."""
    if isinstance(a, ListBase) and isinstance(b, ListBase):
        return order.compare_lists(a, b)
    cap: Any = next((x for x in (a, b) if getattr(type(x), "_k", 0) == CAPABILITY), None)
    if cap is not None:
        monitor = cap._monitor
        left, right = (monitor.guarded.calls.deep(monitor.reading, x) for x in (a, b))
        if isinstance(left, ListBase) and isinstance(right, ListBase):
            return order.compare_lists(left, right)
    if type(a) is type(b) or (isinstance(a, Obj) and isinstance(b, Obj)):
        pair = f"{kind_name(a)} {sign} {kind_name(b)}"
        fail("TypeError", f"cannot compare {pair}: only numbers, Texts, Bytes and Lists have an order")
    _cannot(f"cannot compare {{a}} {sign} {{b}}", a, b)


def lt(a: Any, b: Any) -> bool:
    """``a < b``."""
    return a < b if _comparable(a, b) else _order(a, b, "<") == -1


def le(a: Any, b: Any) -> bool:
    """``a <= b``."""
    return a <= b if _comparable(a, b) else _order(a, b, "<=") in (-1, 0)


def gt(a: Any, b: Any) -> bool:
    """``a > b``."""
    return a > b if _comparable(a, b) else _order(a, b, ">") == 1


def ge(a: Any, b: Any) -> bool:
    """``a >= b``."""
    return a >= b if _comparable(a, b) else _order(a, b, ">=") in (0, 1)


def eq(a: Any, b: Any) -> bool:
    """``a == b``: immutables and collections by content, else by identity."""
    return bool(a == b)  # in C for scalars, by identity for instances; of collections `equal` is the __eq__


def ne(a: Any, b: Any) -> bool:
    """``a != b``."""
    return bool(a != b)


def truthy(value: Any) -> bool:
    """Only nil and false are falsy."""
    return value is not None and value is not False


# --------------------------------------------------------------------------- keys and items


def check_key(key: Any, kind: str = "Map") -> None:
    """Throw unless the value can be a Map key or a member of a Set."""
    if getattr(type(key), "_k", 0) == ids.CAPABILITY:
        key = live(key).target  # which it is the same key as
    if isinstance(key, COLLECTIONS):
        fail(
            "TypeError",
            f"a {kind_name(key)} cannot be a key of a {kind}: it can change; use Text(x), or an instance",
        )
    if type(key) is float and key != key:
        fail("ValueError", f"nan cannot be a key of a {kind}: it equals nothing, not even itself")


def no_key(key: Any, raw: Any) -> NoReturn:
    """Throw the KeyError for a missing key of a Map, whose raw dict is given."""
    near = ""
    if type(key) is str:
        near = hint(key, (k for k in islice(raw, HINT_KEYS) if type(k) is str))
    fail("KeyError", f"the Map has no key {brief(key)}" + (near or ": use get(key, default) or ??="))


def contains(item: Any, container: Any) -> bool:
    """``item in container``."""
    kind = type(container)
    if kind is str:
        if type(item) is not str:
            fail("TypeError", f"cannot look for {kind_name(item)} in a Text: convert with Text(x)")
        return item in container
    if kind is range:
        return in_range(item, container)
    if kind is bytes:
        if type(item) is bytes:
            return item in container
        return type(item) in (int, bool) and 0 <= item <= 255 and item in container
    container = live(container)
    number = getattr(kind, "_k", 0)
    if number == 1:
        return position(container.v, item) is not None
    if number in (2, 3):
        check_key(item, kind_name(container))
        return item in container.v
    if number == CAPABILITY:
        found: bool = container._monitor.guarded.contains(container._monitor.reading, item, container)
        return found
    fail("TypeError", f"cannot look into {kind_name(container)} with in: Text, Bytes, Range, List, Map and Set can be")


def lacks(item: Any, container: Any) -> bool:
    """``item not in container``."""
    return not contains(item, container)


def in_range(item: Any, values: range) -> bool:
    """Membership by arithmetic: Python would walk the range for anything but an exact int (threat 23)."""
    if type(item) is float:
        return item.is_integer() and int(item) in values
    return type(item) in (int, bool) and int(item) in values


def position(raw: Any, item: Any) -> int | None:
    """The first index at which the raw list holds something equal; None if nowhere."""
    kind = type(item)
    if kind is float and item != item:  # C would find the same NaN by identity, which no reload preserves
        return None
    if kind is int:
        cheap = item.bit_length() <= BIG_SCALAR
    elif kind is str or kind is bytes:
        cheap = len(item) <= BIG_SCALAR
    else:
        cheap = kind is not range and not isinstance(item, COLLECTIONS)
    if not cheap:
        return next(positions(raw, item), None)
    for offset, part in parts(raw):
        try:
            return offset + part.index(item)
        except ValueError:
            continue
    return None


def parts(raw: Any) -> Iterator[tuple[int, list[Any]]]:
    """A raw list as plain lists with their offsets: itself, or a large one in pieces by slices."""
    if type(raw) is list:
        yield 0, raw
        return
    for offset in range(0, len(raw), PART_ITEMS):
        yield offset, raw[offset : offset + PART_ITEMS]


def positions(raw: Any, item: Any) -> Iterator[int]:
    """All indices of what equals the item; each distinct object is compared once.

    A bomb is one huge Text, listed a million times, that differs from the item at its end only.
    """
    kind = type(item)
    size = _size(item)
    known: dict[int, tuple[Any, bool]] = {}  # holds the objects, so that no id is used twice
    for offset, part in parts(raw):
        for n, other in enumerate(part, offset):
            if other is item and kind is not float:
                yield n
            elif size is None or type(other) is not kind or size < BIG_SCALAR:
                if equal(other, item):
                    yield n
            elif _size(other) == size:
                entry = known.get(id(other))
                if entry is None:
                    known[id(other)] = entry = (other, equal(other, item))
                if entry[1]:
                    yield n


def _size(item: Any) -> int | None:
    """What makes a comparison costly; equal values of a kind have equal sizes."""
    kind = type(item)
    if kind is str or kind is bytes:
        return len(item)
    if kind is int:
        return item.bit_length()  # type: ignore[no-any-return]
    return BIG_SCALAR + len(item.v) if isinstance(item, COLLECTIONS) else None


def length(value: Any) -> int:
    """``len(value)``."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value)
    if kind is range:
        return int(max(0, value.stop - value.start))  # len() of Python ends at 63 bits
    if isinstance(value, COLLECTIONS):
        return len(value.v)
    if getattr(kind, "_k", 0) == CAPABILITY:
        return value._monitor.guarded.len(value._monitor.reading, value)  # type: ignore[no-any-return]
    fail("TypeError", f"{kind_name(value)} has no length: Text, Bytes, Range, List, Map and Set have")


def index(value: Any, at: Any) -> Any:
    """``value[at]`` without slices of Lists, which are :func:`operators`'."""
    kind = type(value)
    if type(at) is int or type(at) is bool:
        if kind is str or kind is bytes or kind is range or isinstance(value, ListBase):
            raw = value.v if isinstance(value, ListBase) else value
            try:
                return raw[at if kind is range else _cut(at)]
            except IndexError:
                outside(value, at)
    elif type(at) is range and (kind is str or kind is bytes or kind is range):
        return value[at.start : at.stop]  # slices, unlike indices, are cut by CPython itself
    if isinstance(value, MapBase):
        return _map_item(value.v, at)
    if getattr(kind, "_k", 0) == CAPABILITY:
        return value._monitor.guarded.index(value._monitor.reading, value, at)
    if kind is str or kind is bytes or kind is range or isinstance(value, ListBase):
        fail("TypeError", f"the index of a {kind_name(value)} must be an Int or a Range, not {kind_name(at)}")
    _no_items(value)


def _map_item(raw: Any, key: Any) -> Any:
    """The item of a raw dict."""
    try:
        return raw[key]
    except KeyError:
        check_key(key)  # a NaN is unequal to every key
        no_key(key, raw)
    except TypeError:
        check_key(key)
        raise


def set_index(value: Any, at: Any, item: Any) -> None:
    """``value[at] = item``; the caller has run the barrier if the value is an object."""
    if isinstance(value, MapBase):
        check_key(at)
        raw = value.v
        if len(raw) >= LIST_LENGTH and at not in raw:
            limits.check_items("Map", len(raw) + 1)
        raw[at] = item
    elif isinstance(value, ListBase):
        if type(at) is not int and type(at) is not bool:
            fail("TypeError", f"the index of a List must be an Int to assign, not {kind_name(at)}")
        try:
            value.v[_cut(at)] = item
        except IndexError:
            outside(value, at, "; push adds an item")
    elif getattr(type(value), "_k", 0) == CAPABILITY:
        value._monitor.guarded.setindex(value._monitor.reading, value, at, item)
    elif type(value) in (str, bytes, range):
        fail("TypeError", f"a {kind_name(value)} cannot be changed: make a new one")
    else:
        _no_items(value)


def _cut(at: int) -> int:
    """An index that CPython can take, and that is outside exactly when the given one is."""
    return at if -LENGTH_MAX < at < LENGTH_MAX else LENGTH_MAX if at > 0 else -LENGTH_MAX


def outside(value: Any, at: int, advice: str = "") -> NoReturn:
    """Throw the IndexError of an index that the value does not have."""
    fail("IndexError", f"index {brief(int(at))} is outside a {kind_name(value)} of {brief(length(value))}{advice}")


def _no_items(value: Any) -> NoReturn:
    if value is None:
        fail("TypeError", "nil has no items: use ?[ where there may be nothing")
    if isinstance(value, SetBase):
        fail("TypeError", "a Set has no items by index: use in, or List(set)")
    fail("TypeError", f"{kind_name(value)} has no items: Text, Bytes, Range, List and Map have")


def bounds(low: Any, high: Any, *, closed: bool) -> tuple[int | None, int | None]:
    """Python's slice bounds for ``low..high`` or ``low..=high``; nil is the end on that side."""
    for bound in (low, high):
        if bound is not None and type(bound) is not int and type(bound) is not bool:
            fail("TypeError", f"the bounds of a slice must be Ints, not {kind_name(bound)}")
    if high is not None and closed:
        high = None if high == -1 else high + 1
    return low, high


def make_range(low: Any, high: Any, closed: bool = False) -> range:
    """``low..high`` or ``low..=high``."""
    for bound in (low, high):
        if type(bound) is not int and type(bound) is not bool:
            fail("TypeError", f"the bounds of a Range must be Ints, not {kind_name(bound)}: convert with Int(x)")
    return range(int(low), int(high) + 1 if closed else int(high))


def join_texts(texts: tuple[str, ...]) -> str:
    """The value of ``"hi {name}"``: its pieces, already converted."""
    total = sum(map(len, texts))
    if total > TEXT_LENGTH:
        limits.check_text(total)
    return "".join(texts)


def too_long(text: str) -> None:
    """A concatenation is over the limit."""
    limits.check_text(len(text))


# --------------------------------------------------------------------------- the table


def operators(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """The operators of a world by name, for the namespace of generated code."""
    new_list = runtime.new_list
    heap = runtime.heap

    def add_any(a: Any, b: Any) -> Any:
        """``a + b``; two Lists make a new one."""
        if isinstance(a, ListBase) and isinstance(b, ListBase):
            limits.check_items("List", len(a.v) + len(b.v))
            return new_list(a.v.copy() + b.v.copy())
        if isinstance(a, Obj) and isinstance(b, Obj) and CAPABILITY in (a._k, b._k):
            cap: Any = a if a._k == CAPABILITY else b
            return cap._monitor.guarded.add(cap._monitor.reading, a, b)
        return add(a, b)

    def mul_any(a: Any, b: Any) -> Any:
        """``a * b``; a List and an Int make a new List."""
        if isinstance(b, ListBase) and type(a) in (int, bool):
            a, b = b, a
        if isinstance(a, ListBase) and type(b) in (int, bool):
            limits.check_items("List", len(a.v) * max(0, b))
            return new_list(a.v.copy() * b if b > 0 else [])
        for cap, count in ((a, b), (b, a)):
            if getattr(type(cap), "_k", 0) == CAPABILITY and type(count) in (int, bool):
                inner = cap._monitor.guarded.view(cap._monitor.reading, cap)
                return mul_any(inner, count) if inner is not cap else mul(a, b)
        return mul(a, b)

    def index_any(value: Any, at: Any) -> Any:
        """``value[at]``; a Range slices."""
        if type(at) is range and isinstance(value, ListBase):
            return new_list(value.v[at.start : at.stop])
        return index(value, at)

    def slice_any(value: Any, low: Any, high: Any, closed: bool = False) -> Any:
        """``value[low..high]``: negative bounds count from the end, bounds outside are cut, as in Python."""
        start, stop = bounds(low, high, closed=closed)
        if low is None or high is None:  # for methods nil is an end, but a Range has both
            fail("TypeError", "the bounds of a slice must be Ints, not Nil: xs.slice(a) goes to the end")
        if isinstance(value, ListBase):
            return new_list(value.v[start:stop])
        if type(value) in (str, bytes, range):
            return value[start:stop]
        if isinstance(value, MapBase):
            return index(value, make_range(low, high, closed))  # a Range is a key like any immutable
        if getattr(type(value), "_k", 0) == CAPABILITY:
            return value._monitor.guarded.slice(value._monitor.reading, value, low, high, closed)
        _no_items(value)

    def set_index_any(value: Any, at: Any, item: Any) -> None:
        """``value[at] = item``, barrier included."""
        if isinstance(value, COLLECTIONS) and value._t is not heap.token:
            heap.barrier(value)
        set_index(value, at, item)

    return {
        "o_add": add_any, "o_sub": sub, "o_mul": mul_any, "o_div": div, "o_fdiv": fdiv, "o_mod": mod, "o_pow": power,
        "o_neg": neg, "o_pos": pos, "o_lt": lt, "o_le": le, "o_gt": gt, "o_ge": ge, "o_eq": eq, "o_ne": ne,
        "o_in": contains, "o_notin": lacks, "o_index": index_any, "o_setindex": set_index_any, "o_slice": slice_any,
        "o_len": length, "o_range": make_range, "_text": to_text, "_join": join_texts, "_product": limits.check_product,
        "_too_long": too_long,
    }  # fmt: skip
