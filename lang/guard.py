"""Guarded variants of functions: the same instructions, for threads that may not touch everything.

A function has up to three variants.  They have the same instructions under the same numbers, so that a frame of one can
go on in another:

``""``       the plain one, for the domain of the whole world: no test at all
``given``    guarded: the domain that it runs in is the hidden parameter ``d1``
``weaker``   guarded, of a definer who is not the whole world: the hidden parameter ``d0`` is the domain of the caller,
             and ``d1`` the weaker of that and the definer's: code runs as the weaker of who calls and who wrote it
``own``      the same, called by plain code: it has no hidden parameter, and ``d1`` is the definer's domain

What a function of the last two returns to a stronger caller carries no more rights than it had itself (rule 4).  The
hidden parameter is the first one, and of a method the second, behind ``self``.  The definer is found under the key of a
global, or, where the function value itself was made by guarded code, in the capture ``d2``.
"""

from __future__ import annotations

from dataclasses import replace

from holdfast.lang import ir

GIVEN, WEAKER, OWN = "given", "weaker", "own"
VARIANTS = ("", GIVEN, WEAKER, OWN)
CALLER, RUNNING, DEFINER = "d0", "d1", "d2"
"""Locals with the domain of the caller, the domain that the code runs in, and the one that made the function."""


def variant_key(key: str, domain: str, definer: str = "", mine: bool = False) -> str:
    """The key of a variant of the function with a key: the machine finds it, and generated code its makers, by that."""
    return f"{key}!{domain}{definer[:2]}{'!self' if mine else ''}"


def variant(function: ir.Function, domain: str, definer: str = "", method: bool = False) -> ir.Function:
    """The variant of a plain function; ``definer`` is the key of a global, or ``d2``.  A ``method`` is called with
    ``self``, and then the hidden parameter."""
    parameters = list(function.parameters)
    if domain != OWN:
        hidden = ir.Parameter("", RUNNING if domain == GIVEN else CALLER, False, None, False)
        parameters.insert(1 if method else 0, hidden)
    captures = [*function.captures, DEFINER] if definer == DEFINER else list(function.captures)
    return replace(function, parameters=parameters, captures=captures, domain=domain, definer=definer)
