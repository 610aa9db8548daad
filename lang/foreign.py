"""Words of other languages that people write out of habit, with what Hold has instead.

The parser uses them where such a word leads to a syntax error; the resolver may use :data:`FOREIGN_NAMES` where one is
just a name that is not defined.
"""

from __future__ import annotations

_FN = "write fn name(…) { … }"
_LET = "write let, or var for what is assigned again"
_NEW = 'leave it out: Account(owner: "Ada") makes an instance'
_NO_ACCESS = "leave it out: who may touch an object is decided by capabilities"
_NO_ASYNC = "leave it out: a call that waits parks its thread; spawn starts another"
_NO_TYPES = "there are no declarations of types; write class Name { … }"

FOREIGN_STATEMENTS: dict[str, str] = {
    "def": _FN, "function": _FN, "func": _FN, "fun": _FN, "sub": _FN, "lambda": "write fn(x) => …",
    "elif": "write else if", "elsif": "write else if", "elseif": "write else if",
    "unless": "write if not", "until": "write while not", "then": "write { … }", "end": "write }", "begin": "write {",
    "do": "write while condition { … }", "loop": "write while true { … }", "foreach": "write for x in xs { … }",
    "const": _LET, "val": _LET, "final": _LET, "mut": "write var name = value", "local": _LET, "auto": _LET,
    "new": _NEW, "delete": "use m.remove(key), or assign nil", "del": "use m.remove(key), or assign nil",
    "switch": "write match value { pattern => body }", "case": "an arm is written pattern => body",
    "default": "write _ => …", "when": "write match value { pattern => body }",
    "raise": "write throw", "except": "write catch", "rescue": "write catch", "ensure": "write finally",
    "public": _NO_ACCESS, "private": _NO_ACCESS, "protected": _NO_ACCESS, "static": "write a fn outside of the class",
    "export": "leave it out: every definition of a file can be imported",
    "async": _NO_ASYNC, "await": _NO_ASYNC, "go": "write spawn", "yield": "there are no generators; give a List",
    "pass": "write an empty block { }", "global": "leave it out", "nonlocal": "leave it out",
    "struct": _NO_TYPES, "interface": _NO_TYPES, "enum": _NO_TYPES, "type": _NO_TYPES, "trait": _NO_TYPES,
    "extends": "write class A extends B { … }", "implements": _NO_TYPES,
    "from": 'write import { name } from "file.hold"', "require": 'write import "file.hold" as name',
    "use": 'write import "file.hold" as name', "include": 'write import "file.hold" as name',
    "with": "open what you need by capabilities; atomic { … } makes writes all or nothing",
    "echo": "write print(…)", "print": "write print(…)", "println": "write print(…)", "typeof": "write x is Type",
    "instanceof": "write x is Type", "where": "write an if inside the block",
}  # fmt: skip
"""Words that begin or join statements elsewhere: word to what to write."""

FOREIGN_NAMES: dict[str, str] = {
    "null": "write nil", "None": "write nil", "undefined": "write nil", "NULL": "write nil", "nullptr": "write nil",
    "True": "write true", "False": "write false", "TRUE": "write true", "FALSE": "write false",
    "this": "write self", "NaN": "there is no NaN; a result that is no number is an ArithmeticError",
    "console": "write print(…)", "println": "write print(…)", "str": "write Text(x)", "int": "write Int(x)",
    "float": "write Float(x)", "list": "write List(x)", "dict": "write {…} or Map", "set": "write Set(x)",
    "range": "write a..b",
    **FOREIGN_STATEMENTS,
}  # fmt: skip
"""Words that are values or functions elsewhere: word to what to write."""
