"""``?name`` and ``:source NAME``: what is known about a name, from doc comments, signatures and sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import fill
from types import FunctionType
from typing import Any

from holdfast.repl.excerpts import excerpt
from holdfast.repl.exits import FAILED, Failure
from holdfast.repl.inspector import Inspector
from holdfast.repl.members import class_of, kind_classes, members, method_names, method_of
from holdfast.repl.paths import MISSING, Module, follow, parse_path
from holdfast.repl.words import WORDS
from holdfast.vm.devices import Caps
from holdfast.vm.helpers import a
from holdfast.vm.link import ClassInfo
from holdfast.vm.objects import UNSET, Obj, kind_name
from holdfast.vm.show import brief, scalar

VARARGS = 0x04
VALUE_LENGTH = 400
WIDTH = 79
"""Columns of lists of names."""


class Documents:
    """Answers questions about names in one world."""

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector
        self.world = inspector.world

    # ------------------------------------------------------------------ documents

    def document(self, text: str) -> str:
        """All that is known about a name, a path, or a method of one.

        Raises Failure when nothing is.
        """
        if not text:
            raise Failure("'?' takes a name: ?print, ?List.push, ?root.accounts")
        if text in WORDS:
            return WORDS[text]
        path = parse_path(text)
        if path is None:
            raise Failure(f"'?' takes a name: ?print, ?List.push, ?root.accounts (not {text[:40]!r})")
        name, steps = path
        head = self.inspector.lookup(name)
        if head is MISSING:
            head = kind_classes(self.world).get(name, MISSING)
            if head is MISSING:
                raise Failure(f"nothing is known about '{name}'", FAILED)
        if isinstance(head, type):
            return self.kind(name, head) if not steps else self.kind_method(name, head, steps[0][1])
        if steps and steps[-1][0] == "field":
            owner = follow(self.world, head, steps[:-1])
            method = None if isinstance(owner, Module) else method_of(self.world, owner, steps[-1][1])
            if method is not None:
                return self.function(method, f"{class_name(class_of(self.world, owner))}.{steps[-1][1]}", bound=True)
        return self.value(text, follow(self.world, head, steps))

    def value(self, text: str, value: Any) -> str:
        """A value that is no method."""
        if value is UNSET:
            raise Failure(f"'{text}' is not set yet", FAILED)
        if isinstance(value, Module):
            return f"module {value.name}\n" + indented(self.table(members(self.world, value)))
        if isinstance(value, FunctionType):
            cls = value.__dict__.get("__hold_class__")
            info = self.world.linker.by_number.get(cls._k) if cls is not None else None
            if info is not None:
                return self.class_(info, value)
            name = value.__name__
            kind = kind_classes(self.world).get(name)
            shown = self.function(value, name)
            if kind is not None and self.world.globals.get("b:" + name) is value:
                shown += "\n\n" + self.kind(name, kind)
            return shown
        if isinstance(value, Caps):
            granted = ", ".join(sorted(self.world.grants)) or "nothing"
            return f"{text}: what a program may use of the machine around it, by name: {granted}"
        shown = brief(value)[:VALUE_LENGTH]
        head = f"{text} is {a(value)}" + (f": {shown}" if value is not None else "")
        cls = class_of(self.world, value)
        doc = ""
        if isinstance(value, Obj):
            info = self.world.linker.by_number.get(value._k)
            made = self.world.globals.get(f"{info.module}:{info.name}") if info is not None else None
            doc = (getattr(made, "__doc__", None) or "") if made is not None else ""
        names = self.world.helpers.methods.get(cls) or (method_names(cls) if isinstance(value, Obj) else [])
        methods = listed("methods", names) if names else ""
        return "\n".join(part for part in (head, doc, methods) if part)

    def kind(self, name: str, cls: Any) -> str:
        """A built-in kind and its methods."""
        names = self.world.helpers.methods.get(cls) or method_names(cls)
        return f"{listed(f'methods of {name}', names)}\n(?{name}.{min(names)} tells more)"

    def kind_method(self, name: str, cls: Any, method: str) -> str:
        """One method of a built-in kind."""
        table = self.world.helpers.methods.get(cls)
        found = table.get(method) if table is not None else vars(cls).get("m_" + method)
        lazy = getattr(found, "function", None)
        function = found if type(found) is FunctionType else lazy() if callable(lazy) else None
        if function is None:
            raise Failure(f"{name} has no method '{method}'", FAILED)
        return self.function(function, f"{name}.{method}", bound=True)

    def function(self, function: FunctionType, name: str, bound: bool = False) -> str:
        """Signature, doc text, place."""
        where = self.inspector.definition(function)
        doc = function.__doc__ or self.doc_of(function)
        lines = [f"fn {name}{signature(function, bound)}"]
        if doc:
            lines.append(indented(cleaned(doc)))
        if where:
            lines.append(f"  (from {where})")
        return "\n".join(lines)

    def doc_of(self, function: FunctionType) -> str:
        """The doc comment of a function of Hold."""
        proto = self.world.table.proto_of(function.__code__)
        return (proto.function.doc or "") if proto is not None else ""

    def class_(self, info: ClassInfo, made: FunctionType) -> str:
        """A class: fields, methods, doc text."""
        extends = f" extends {info.base.name}" if info.base is not None else ""
        lines = [f"class {info.name}{extends}"]
        if made.__doc__:
            lines.append(indented(cleaned(made.__doc__)))
        for field in info.fields:
            default = "" if field.required else " = …" if field.function else f" = {scalar(field.constant)}"
            lines.append(f"  {field.name}{default}")
        for name in method_names(info.python):
            method = method_of(self.world, made, name)
            if method is not None:
                lines.append(f"  fn {name}{signature(method, bound=True)}")
        lines.append(f"  (from {info.unit.source.name})")
        return "\n".join(lines)

    @staticmethod
    def table(rows: Iterator[tuple[str, str]]) -> str:
        """Names with a word about each."""
        return "\n".join(f"{what} {name}" for name, what in rows)

    # ------------------------------------------------------------------ sources

    def source(self, text: str) -> str:
        """The source of a definition.

        Raises Failure.
        """
        path = parse_path(text)
        if path is None:
            raise Failure(":source takes the name of a function, class or module")
        name, steps = path
        head = self.inspector.lookup(name)
        if head is MISSING:
            raise Failure(f"there is nothing under the name '{name}'", FAILED)
        value = None
        if steps and steps[-1][0] == "field":
            owner = follow(self.world, head, steps[:-1])
            value = None if isinstance(owner, Module) else method_of(self.world, owner, steps[-1][1])
        if value is None:
            value = follow(self.world, head, steps)
        if isinstance(value, Module):
            unit = self.world.modules.load_stored(value.name)
            return unit.source.text.rstrip("\n") if unit is not None else ""
        if type(value) is not FunctionType:
            raise Failure(f"{text} is {a(value)}: only functions, classes and modules have a source", FAILED)
        return self.source_of(value, text)

    def source_of(self, function: FunctionType, text: str) -> str:
        """The source of a function or class."""
        cls = function.__dict__.get("__hold_class__")
        if cls is not None:
            info = self.world.linker.by_number.get(cls._k)
            if info is None:
                raise Failure(f"{text} is built in", FAILED)
            return excerpt(info.unit.source, None, info.name)
        proto = self.world.table.proto_of(function.__code__)
        if proto is None:
            raise Failure(f"{text} is built in", FAILED)
        span = min(proto.function.spans.values(), default=None)
        return excerpt(proto.unit.source, span, proto.function.name.rpartition(".")[2])


# --------------------------------------------------------------------------- words


def signature(function: FunctionType, bound: bool = False) -> str:
    """The parameters of a function as they were written; without ``self`` for a method."""
    code = function.__code__
    count = code.co_argcount
    names = [name.removeprefix("v_") for name in code.co_varnames[:count]]
    defaults = list(function.__defaults__ or ())
    shown = []
    for place, name in enumerate(names):
        at = place - (count - len(defaults))
        if at < 0:
            shown.append(name)
        else:
            value = defaults[at]
            shown.append(f"{name} = {'…' if value is UNSET else scalar(value)}")
    if code.co_flags & VARARGS:
        shown.append("..." + code.co_varnames[count + code.co_kwonlyargcount].removeprefix("v_"))
    if bound and shown:
        del shown[0]
    return f"({', '.join(shown)})"


def class_name(cls: Any) -> str:
    """The name of a Python class as Hold knows it."""
    if isinstance(cls, type) and issubclass(cls, Obj):
        return cls._name
    return kind_name(cls()) if cls in (str, bytes, int, float, bool) else "Range" if cls is range else "Function"


def cleaned(doc: str) -> str:
    """A doc text without the indentation of its source, and with one form of quotes around code."""
    doc = doc.replace("``", "`")
    lines = doc.strip("\n").splitlines()
    rest = [line for line in lines[1:] if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in rest), default=0)
    return "\n".join([lines[0].strip(), *(line[margin:].rstrip() for line in lines[1:])]).strip() if lines else ""


def listed(head: str, names: Iterable[str]) -> str:
    """Names in lines that fit a terminal."""
    return fill(f"{head}: {', '.join(sorted(names))}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def indented(text: str) -> str:
    """The text two columns to the right."""
    return "\n".join("  " + line if line else "" for line in text.splitlines())
