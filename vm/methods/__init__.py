"""The methods of the built-in kinds that are host functions.

Each is a plain Python function: ``self`` first, then the parameters under the names that Hold callers use, defaults
as constants.  Its docstring is its doc text: a line that says what it does, then examples, a statement of Hold on
each line that begins with ``>``; those that are comparisons must be true.  Its attribute ``__hold_rights__`` says
which rights it needs of ``self`` and of its arguments (:func:`holdfast.vm.methods.arguments.needs`).

None of them calls guest code (those that do are in ``vm/prelude/*.hold``), and each bounds what it makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.vm.methods import bytes as bytes_methods
from holdfast.vm.methods import list as list_methods
from holdfast.vm.methods import map as map_methods
from holdfast.vm.methods import number, text
from holdfast.vm.methods import range as range_methods
from holdfast.vm.methods import set as set_methods
from holdfast.vm.runtime import Runtime

Table = dict[str, Callable[..., Any]]


def methods(runtime: Runtime) -> dict[str, Table]:
    """Kind name to method name to function, for one world."""
    return {
        "Bool": number.INT,
        "Int": number.INT,
        "Float": number.FLOAT,
        "Text": text.methods(runtime),
        "Bytes": bytes_methods.methods(runtime),
        "Range": range_methods.methods(runtime),
        "List": list_methods.methods(runtime),
        "Map": map_methods.methods(runtime),
        "Set": set_methods.methods(runtime),
    }
