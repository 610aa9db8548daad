"""Files of Hold in a world: compiled, linked, kept by content hash, found again by name.

Side records (all text)::

    source:HASH     [text, name of the file, mode] of one version; of an entry of a session also the names that it saw
    module:NAME     the hash of the newest version of a file
    names:NAME      {name: [kind, hash]}: all that any version of the file has defined, and the last version that did

**What has gone from its file stays usable.**  Older code of the world may mean a definition that the newest version of
its module no longer has: an instance its class, a closure a function.  Such a name is bound to what the last version
that had it says (:meth:`Modules.define`), when something is loaded that may use it; a class that was renamed is the
renamed one.  A file that is run or imported sees the newest versions only.

What is compiled from the world's own sources takes its imports from the world, never from files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from holdfast.lang.compile import compile_source, source_hash
from holdfast.lang.diagnostics import CompileError, Diagnostic, Source
from holdfast.lang.lower import Unit
from holdfast.lang.scope import Export, ModuleInterface, global_name
from holdfast.lang.tree import Span
from holdfast.vm.code import UnitCode
from holdfast.vm.codec import DamagedRecord
from holdfast.vm.domains import MODULE
from holdfast.vm.helpers import guest_callable
from holdfast.vm.library import PREFIX, is_library
from holdfast.vm.limits import reserve_stack
from holdfast.vm.link import super_calls
from holdfast.vm.methods.arguments import declared
from holdfast.vm.objects import ERRORS, Error, fail, kind_name, live, make_error
from holdfast.vm.side import decoded, json_of, loader_of, stored_source, text_of

if TYPE_CHECKING:
    from holdfast.vm.world import World

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Loader = Callable[[str], str | None]
"""Module name to the text of its file, or None when there is no file: then the world's own version is taken."""


class Modules:
    """The modules of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.loader: Loader = lambda name: None
        self.versions: dict[tuple[str, str], UnitCode] = {}
        """(module, hash) to what was compiled."""
        self.newest: dict[str, UnitCode] = {}
        self.loading: list[str] = []
        self._current: set[UnitCode] = set()
        """Versions whose imports were read again since the outermost load of a file began."""
        self._names: dict[str, dict[str, list[str]]] = {}
        """Module to its record ``names:NAME``."""

    # ------------------------------------------------------------------ side records

    def store(self, key: str, text: str) -> None:
        """Have the next checkpoint write a side record."""
        self.world.outbox.meta[key.encode()] = text.encode()

    def read(self, key: str) -> str | None:
        """A side record."""
        found = self.world.outbox.side_record(key.encode())
        return decoded(key, found) if found is not None else None

    def stored(self, prefix: str) -> Iterator[tuple[str, str]]:
        """All side records whose key begins so: rest of the key, text."""
        start = b"M" + prefix.encode()
        for key, record in self.world.store.scan(start):
            yield key[len(start) :].decode(errors="replace"), text_of(key, record)

    # ------------------------------------------------------------------ compiling

    def program(self, text: str, name: str, domain: str = "") -> UnitCode:
        """Compile and link a program; for a domain below the whole world's, whose KID is given, it is code of that."""
        self.not_library(name, Source(name, text))
        return self.add(text, name, f"{domain}!{name}" if domain else name, "program")

    def load_file(self, path: Path) -> str:
        """Load a module from a host file; what it imports is looked for beside it."""
        folder = path.parent

        def loader(name: str) -> str | None:
            file = folder / name
            return file.read_text() if file.is_file() else None

        saved, self.loader = self.loader, loader
        try:
            self.add(path.read_text(), path.name, path.name, "module")
        finally:
            self.loader = saved
        return path.name

    def add(self, text: str, name: str, module: str, mode: str) -> UnitCode:
        """Compile a version of a file, unless it is there, link it, and keep its source.

        What it imports may have changed where it has not: so that is read again.
        """
        if not self.loading:
            self._current.clear()
            self.world.retiring.when_due()
        hash_ = source_hash(text)
        found = self.versions.get((module, hash_))
        if found is None:
            found = self.compile(text, name, module, mode)
            self.store(f"source:{hash_}", json.dumps([text, name, mode]))
        elif found not in self._current and not all(map(is_library, found.unit.imports)):
            self.analysed(text, name, module, mode)
        self._current.add(found)
        if self.newest.get(module) is not found:
            self.world.linker.link(found)
            self.newest[module] = found
            self.store(f"module:{module}", hash_)
            self.note_names(found)
        return found

    def entry(self, text: str, name: str, module: str, scope: dict[str, str]) -> UnitCode:
        """Compile an entry of a session, link it, and keep its source with the names that it uses."""
        self.world.retiring.when_due()
        used = {word: scope[word] for word in sorted(set(_WORD.findall(text))) if word in scope}
        hash_ = source_hash(json.dumps([module, text, used]))
        found = self.compile(text, name, module, "session", scope, hash_)
        self.world.linker.link(found)
        self.newest[module] = found
        self.store(f"source:{hash_}", json.dumps([text, name, "session", used]))
        self.store(f"module:{module}", hash_)
        return found

    def forget_current(self) -> None:
        """Nothing is being loaded."""
        self._current.clear()

    def retired(self, place: tuple[str, str]) -> None:
        """A version goes from memory; perhaps the newest of its module."""
        module, _ = place
        if self.newest.get(module) is self.versions.pop(place):
            del self.newest[module]
            self._names.pop(module, None)

    def forget(self, unit: UnitCode) -> None:
        """Drop the source of an entry that nothing refers to any more."""
        for key in (f"source:{unit.hash}", f"module:{unit.unit.module}"):
            self.world.outbox.meta[key.encode()] = None

    def compile(
        self,
        text: str,
        name: str,
        module: str,
        mode: str,
        scope: dict[str, str] | None = None,
        hash_: str | None = None,
        stored: bool = False,
    ) -> UnitCode:
        """Compile only.  For an entry of a session ``scope`` is what its names mean."""
        unit = self.analysed(text, name, module, mode, scope, stored)
        definer = self.definer(module)
        source = Source(name, text)
        if scope is not None:
            from holdfast.vm.session import bindings, refuse_tests

            refuse_tests(unit, source)
        made = self.world.table.add(unit, hash_ or source_hash(text), source)
        made.definer = definer
        if scope is not None:
            made.bindings = bindings(self.world, made)
        self.versions[module, made.hash] = made
        return made

    def definer(self, module: str) -> str:
        """Under which key the code of a module finds the domain that loaded it; "" for the whole world's."""
        kid = loader_of(module)
        if not kid:
            return ""
        domain = self.world.authority.domain_of(kid)
        if domain is None:
            raise DamagedRecord(f"module {module}", "the domain that loaded it is not there any more")
        self.world.globals[f"O:{kid}"] = domain
        return f"O:{kid}"

    def analysed(
        self, text: str, name: str, module: str, mode: str, scope: dict[str, str] | None = None, stored: bool = False
    ) -> Unit:
        """A file, compiled; what it imports is loaded, from files unless it is ``stored`` itself."""
        source = Source(name, text)
        folder = "" if mode == "session" else module
        session = None
        if scope is not None:
            from holdfast.vm.session import variables

            session = variables(self.world, scope, _WORD.findall(text), stored)
        find = self.import_stored if stored else self.import_

        def importer(path: str, span: Span) -> ModuleInterface:
            return find(path, folder, span, source)

        self.loading.append(module)
        try:
            return compile_source(text, name, module, mode, self.names(module), importer, session)
        except CompileError as error:
            for diagnostic in error.diagnostics:
                self.suggest_library(diagnostic)
            raise
        finally:
            self.loading.pop()

    def suggest_library(self, diagnostic: Diagnostic) -> None:
        """Where a name is not defined under which the library has a module, say how that is imported."""
        start, end = diagnostic.span
        name = diagnostic.source.text[start:end]
        if diagnostic.code == "E0101" and self.world.library.text(PREFIX + name) is not None:
            diagnostic.hint = f'write import "{PREFIX}{name}" as {name}'

    def names(self, module: str) -> dict[str, str]:
        """The names that a module finds defined: the built-in ones, and host functions for the library's own."""
        world = self.world
        return world.builtin_names | world.library_names if is_library(module) else world.builtin_names

    def not_library(self, name: str, source: Source, span: Span = (0, 0)) -> None:
        """Refuse a user's file under a name that stands for the library, or for what another domain has loaded."""
        if loader_of(name):
            self.refuse(
                "E0123", f"'{name}' is no name for a file here", span, "leave out what stands before the !", source
            )
        if is_library(name):
            self.refuse("E0123", f"'{name}' is a name of the standard library", span, "rename the folder 'std'", source)

    def import_(self, path: str, importer: str, span: Span, source: Source) -> ModuleInterface:
        """The interface of an imported module; it is loaded first."""
        name = self.resolve_path(path, importer)
        if name is None:
            self.refuse("E0123", f"'{path}' leads out of the program's folder", span, "name a file below it", source)
        kid = loader_of(importer)
        if kid and not path.startswith(PREFIX):
            return self.interface(self.granted(kid, name, span, source))
        if not path.startswith(PREFIX):
            self.not_library(name, source, span)
        self.refuse_circle(name, span, source)
        try:
            text = self.world.library.text(name) if is_library(name) else self.loader(name)
        except OSError as error:
            why = (error.strerror or "the host refuses it").lower()
            self.refuse("E0123", f"the module '{path}' cannot be read: {why}", span, "it must be a file", source)
        if text is not None:
            unit = self.add(text, name, name, "module")
        else:
            stored = self.load_stored(name)
            if stored is None:
                self.refuse(
                    "E0123", f"there is no module '{path}'", span, "give the path of a file beside this one", source
                )
            unit = stored
        return self.interface(unit)

    def granted(self, kid: str, name: str, span: Span, source: Source) -> UnitCode:
        """A module that a restricted program imports: one that the world holds and that its domain was granted.  It
        becomes code of that domain, so it can do no more than the program itself."""
        domain = self.world.authority.domain_of(kid)
        text = self.text_of(name)
        if domain is None or text is None or MODULE + name not in live(domain.grants).v:
            hint = "it must be granted with --module, or be handed over as a capability"
            self.refuse("E0123", f"this program may not import '{name}'", span, hint, source)
        module = f"{kid}!{name}"
        self.refuse_circle(module, span, source)
        return self.add(text, name, module, "module")

    def text_of(self, module: str) -> str | None:
        """The newest text of a module that the world holds."""
        hash_ = self.read(f"module:{module}")
        record = self.read(f"source:{hash_}") if hash_ is not None else None
        found = stored_source(hash_, module, record) if hash_ is not None and record is not None else None
        return found.text if found is not None and found.mode == "module" else None

    def refuse_circle(self, name: str, span: Span, source: Source) -> None:
        """Refuse to load what is being loaded."""
        if name in self.loading:
            names = [*self.loading[self.loading.index(name) :], name]
            circle = " → ".join(one.partition("!")[2] or one for one in names)
            self.refuse("E0124", f"imports go in a circle: {circle}", span, "move what both need into a third", source)

    def import_stored(self, path: str, importer: str, span: Span, source: Source) -> ModuleInterface:
        """The interface of a module that a source of the world imports, with what has gone from it since."""
        name = self.resolve_path(path, importer) or path
        if loader_of(importer) and not is_library(name):
            name = f"{loader_of(importer)}!{name}"
        unit = self.newest.get(name)
        if unit is None and name not in self.loading:
            library = self.world.library.text(name) if is_library(name) else None
            unit = self.load_stored(name) if library is None else self.add(library, name, name, "module")
        if unit is None:
            self.refuse("E0123", f"the world has no module '{name}'", span, "run a program that imports it", source)
        return self.interface(unit, stored=True)

    def interface(self, unit: UnitCode, stored: bool = False) -> ModuleInterface:
        """What a module offers to a file, or to a source of the world (``stored``)."""
        name, exports = unit.unit.module, unit.unit.exports
        if stored:
            known = {word: Export(kind, global_name(name, word)) for word, (kind, _) in self.defined(name).items()}
            exports = known | exports
        return ModuleInterface(name, exports)

    @staticmethod
    def refuse(code: str, message: str, span: Span, help_text: str, source: Source) -> NoReturn:
        """Throw a compile error at an import."""
        raise CompileError([Diagnostic(code, message, span, help_text, source)])

    @staticmethod
    def resolve_path(path: str, importer: str) -> str | None:
        """The module's name in the world: the path from the program's folder."""
        if path.startswith(PREFIX):
            return path
        parts: list[str] = []
        kid = loader_of(importer)
        for part in (PurePosixPath(importer[len(kid) + 1 if kid else 0 :]).parent / path).parts:
            if part == "..":
                if not parts:
                    return None
                parts.pop()
            elif part != ".":
                parts.append(part)
        return None if path.startswith("/") else "/".join(parts)

    # ------------------------------------------------------------------ from the world

    def load_stored(self, module: str) -> UnitCode | None:
        """The newest version that the world holds, linked; None when it holds none."""
        found = self.newest.get(module)
        if found is None:
            hash_ = self.read(f"module:{module}")
            if hash_ is None:
                return None
            reserve_stack()
            found = self.version(module, hash_)
            self.newest[module] = found
            self.world.linker.link(found)
        return found

    def version(self, module: str, hash_: str) -> UnitCode:
        """One version of a file, compiled but not made the newest; what it uses of its module's and its imports' is
        bound.

        Raises DamagedRecord.
        """
        found = self.versions.get((module, hash_))
        if found is None:
            record = self.read(f"source:{hash_}")
            if record is None:
                raise DamagedRecord(f"source of {module}", f"the world does not have its version {hash_[:40]}")
            source = stored_source(hash_, module, record)
            text = source.text
            try:
                found = self.compile(text, source.name, module, source.mode, source.scope, hash_, stored=True)
            except CompileError as error:
                first = error.diagnostics[0]
                reason = f"version {hash_} cannot be compiled any more: {first.message}"
                raise DamagedRecord(f"source of {module}", reason) from None
            self.world.linker.prepare(found)
            words = set(_WORD.findall(text))
            for used in dict.fromkeys([module, *found.unit.imports]):
                for word in words & self.defined(used).keys():
                    self.define(used, word)
        return found

    # ------------------------------------------------------------------ what has gone from its file

    def defined(self, module: str) -> dict[str, list[str]]:
        """All that any version of a module has defined: name to kind, and the hash of the last version that did."""
        found = self._names.get(module)
        if found is None:
            found = self._names[module] = json_of(f"names:{module}", self.read(f"names:{module}") or "{}")
        return found

    def note_names(self, unit: UnitCode) -> None:
        """A version has become the newest of its module."""
        module = unit.unit.module
        known = self.defined(module)
        names = known | {name: [export.kind, unit.hash] for name, export in unit.unit.exports.items()}
        if names != known:
            self._names[module] = names
            self.store(f"names:{module}", json.dumps(names))

    def define(self, module: str, name: str) -> None:
        """Bind a name that the newest version of a module does not define to what the last version that did says.

        Does nothing for a name that is bound already, or was never defined.
        """
        world, key = self.world, global_name(module, name)
        renamed = world.renamed.get((module, name))
        if renamed is not None:
            world.find_class(renamed)  # which binds the old name as well
        if key in world.globals or name not in self.defined(module):
            return
        hash_ = self.defined(module)[name][1]
        if self.read(f"module:{module}") == hash_:
            return  # it is bound when that version is linked
        unit = self.version(module, hash_)
        if key in world.globals:
            return  # compiling has met it
        spec = next((spec for spec in unit.unit.classes if spec.name == name), None)
        if spec is None:
            world.linker.bind(unit, name)
            return
        if spec.base is not None and ":" in spec.base and not spec.base.startswith("b:"):
            self.define(*spec.base.rsplit(":", 1))
        world.linker.class_(unit, spec, super_calls(unit).get(spec.global_name, set()))

    def error_constructor(self, name: str) -> FunctionType:
        """The constructor of a built-in error class, as a value."""
        world = self.world

        @declared
        def make(message: Any = "", cause: Any = None) -> Error:
            """A new error with a message, and the error that has caused it."""
            if cause is not None and not isinstance(cause, Error):
                fail("TypeError", f"the cause of an Error must be an Error or nil, not {kind_name(cause)}")
            error = make_error(name, message)
            error.f_cause = cause
            error._t = world.heap.token
            return error

        made = guest_callable(make, name)
        made.__dict__["__hold_class__"] = ERRORS[name]
        return made
