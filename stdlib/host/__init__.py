"""The host functions of the standard library: what its modules cannot do in Hold, or not fast enough.

Only modules of the library can name them, as ``host_…``.  Rules for each:

* it declares the rights that it needs of every parameter (:func:`holdfast.vm.library.takes`);
* it calls no guest code;
* one call does a bounded amount of work.  What may take longer is a step: its progress is in ordinary Hold values
  that the module passes again, so that the thread can be preempted, saved and moved between two steps;
* it keeps nothing in the host that matters: compiled patterns and the like are caches, made again when missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from holdfast.stdlib.host import csv_read, csv_write, json_read, json_write, numbers, regex, texts
from holdfast.vm.runtime import Runtime


def functions(runtime: Runtime) -> Mapping[str, Callable[..., Any]]:
    """All host functions for one world."""
    modules = (json_read, json_write, csv_read, csv_write, numbers, regex, texts)
    tables = (module.functions(runtime) for module in modules)
    return {f"host_{name}": function for table in tables for name, function in table.items()}
