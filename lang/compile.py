"""The compiler: source text to a :class:`~holdfast.lang.lower.Unit`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from holdfast.lang.diagnostics import Source
from holdfast.lang.lower import Unit, lower
from holdfast.lang.resolve import Importer, resolve
from holdfast.lang.scope import ModuleInterface, Variable
from holdfast.lang.tree import Span

COMPILER_VERSION = 1
"""Part of the key of everything cached; raised whenever the same source could give other code."""


def source_hash(text: str) -> str:
    """The content hash by which the world keeps a source."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def compile_source(
    text: str,
    name: str,
    module: str,
    mode: str,
    builtins: Mapping[str, str],
    importer: Importer,
    session: Mapping[str, Variable] | None = None,
) -> Unit:
    """Compile a file.

    ``name`` is shown in errors, ``module`` identifies the definitions in the world, ``mode`` is ``program``,
    ``module`` or ``session``.  Raises CompileError with all errors of the file.
    """
    from holdfast.lang.parser import parse  # lark is imported only when something is compiled

    source = Source(name, text)
    imports: list[str] = []

    def noted(path: str, span: Span) -> ModuleInterface:
        interface = importer(path, span)
        imports.append(interface.name)
        return interface

    resolution = resolve(parse(source), source, module, mode, builtins, noted, session)
    return lower(resolution, source, imports)
