"""The parser: tokens to the tree.

Purpose
-------
A table-driven LALR(1) loop over the tables that :mod:`holdfast.lang.maketables` works out from ``grammar.lark``.  The
tree is built bottom-up while parsing, so nothing here recurses, whatever the source is.

Invariants
----------
* Nothing but :class:`CompileError` leaves :func:`parse`, for any text.
* A tree that comes out is no deeper than :data:`MAX_DEPTH` nodes.  The depth of what is on the stack is kept beside
  it; the threat is a source of a few kilobytes (``1+1+1…``, ``----x``, ``2**2**2…``) that would overflow the host's
  stack in a later pass.
* After a syntax error the parser goes on at the next statement of the block; at most :data:`ERRORS_MAX` are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from holdfast.lang import tables
from holdfast.lang.builder import Builder
from holdfast.lang.diagnostics import CompileError, Diagnostic, Source
from holdfast.lang.explain import END_OF_FILE, explain
from holdfast.lang.lexer import Lexer
from holdfast.lang.lexer_core import Token
from holdfast.lang.tokens import END, EOF
from holdfast.lang.tree import Program, Span

MAX_DEPTH = 1_000
"""How deep the tree may nest.  Later passes recurse, with a few Python frames a level, under a raised limit."""

ERRORS_MAX = 20
"""So many syntax errors are reported; what follows is noise."""

Action = Callable[[list[Any], Span], Any]


def parse(source: Source) -> Program:
    """The tree of a source; raises :class:`CompileError` with all errors that could be found."""
    lexer = Lexer(source)
    tokens = lexer.run()
    errors = lexer.errors
    if lexer.gave_up:
        raise CompileError(errors)
    run = _Run(source, lexer)
    program = run.parse(tokens)
    if lexer.cut_off or lexer.unfinished:
        # A bracket, text or comment that is never closed was reported; that the source then ends is no second error.
        run.errors = [error for error in run.errors if error.code != END_OF_FILE]
    if errors or run.errors:
        raise CompileError([*errors, *run.errors])
    if program is None:
        raise AssertionError("a parse without errors gives a program")
    return program


class _Tables:
    """The tables in the form in which the loop uses them."""

    def __init__(self) -> None:
        rows = [_row(text) for text in tables.ROWS.split("|")]
        pairs = [pair.split() for pair in tables.STATES.split("|")]
        self.actions = [rows[int(action)] for action, _ in pairs]
        self.gotos = [rows[int(goto)] for _, goto in pairs]
        self.rules: list[tuple[str, int, str]] = []
        for rule in tables.RULES.split("|"):
            left, length, alias = rule.split()
            self.rules.append((left, int(length), alias))
        # Where a reduction leads for a given lookahead, rules that hand their one value on being followed to their
        # end: state to left side to lookahead to state.  Filled as it is asked for; it saves most of the work.
        self.jumps: list[dict[str, dict[str, int]]] = [{left: {} for left in gotos} for gotos in self.gotos]
        # Where error recovery can cut the stack back to: states that wait for the first element of a list, and states
        # with such a list on top; each with the separators of the list.
        self.list_starts: dict[int, frozenset[str]] = {}
        self.lists: dict[int, frozenset[str]] = {}
        for state, gotos in enumerate(self.gotos):
            for lefts, separators in _LISTS:
                if lefts[0] in gotos:
                    self.list_starts[state] = separators
                    self.lists.update(dict.fromkeys([gotos[left] for left in lefts if left in gotos], separators))

    def jump(self, state: int, left: str, kind: str) -> int:
        """The state after a reduction to ``left`` on top of ``state``, with ``kind`` ahead."""
        target = self.gotos[state][left]
        while True:
            action = self.actions[target].get(kind)
            if action is None or action >= 0:
                break
            rule_left, _, alias = self.rules[-1 - action]
            if alias != "-":
                break
            target = self.gotos[state][rule_left]
        self.jumps[state][left][kind] = target
        return target


def _row(text: str) -> dict[str, int]:
    row: dict[str, int] = {}
    for group in text.split(";") if text else ():
        number, *symbols = group.split()
        row.update(dict.fromkeys(symbols, int(number)))
    return row


@cache
def _get_tables() -> _Tables:
    """The decoded tables: every parse has the same, so they are decoded once."""
    return _Tables()


class _Run:
    """One parse of one source."""

    def __init__(self, source: Source, lexer: Lexer) -> None:
        self.source = source
        self.errors: list[Diagnostic] = []
        self.lexical_errors = lexer.errors
        self.builder = Builder(source.text, lexer.docs, lexer.file_doc, self.report)
        self.tables = _get_tables()
        self.rules: list[tuple[str, int, Action | None, int]] = []
        for left, length, alias in self.tables.rules:
            action = None if alias == "-" else getattr(self.builder, alias)
            deeper = 0 if alias == "-" or (alias.startswith(("list_", "pick_")) and "literal" not in alias) else 1
            self.rules.append((left, length, action, deeper))
        self.states = [0]
        self.values: list[Any] = []
        self.starts: list[int] = []
        self.depths: list[int] = []

    def report(self, code: str, message: str, span: Span, hint: str) -> None:
        """Note an error and go on."""
        self.errors.append(Diagnostic(code, message, span, hint, self.source))

    def parse(self, tokens: list[Token]) -> Program | None:
        """The program, or None if there was a syntax error."""
        end = len(self.source.text)
        tokens.append((EOF, end, end, None))
        at = 1
        failed = False
        last = 0
        while True:
            at = self._advance(tokens, at)
            if at < 0:  # accepted
                return None if failed else self.values[0]
            failed = True
            if at == 0 or len(self.errors) >= ERRORS_MAX:
                return None
            if not self._follows_lexical_error(tokens, at):
                self.report(*explain(tokens, at, self._expected(), self.source.text))
            resumed = self._recover(tokens, at)
            if resumed <= last:
                return None
            at = last = resumed

    def _advance(self, tokens: list[Token], at: int) -> int:
        """Parse from token ``at`` on: the index of a token that does not fit, 0 for too deep, -1 when done."""
        states, values, starts, depths = self.states, self.values, self.starts, self.depths
        table, rules, jumps = self.tables.actions, self.rules, self.tables.jumps
        jump = self.tables.jump
        state = states[-1]
        end = tokens[at - 1][2]
        token = tokens[at]
        kind = token[0]
        while True:
            action = table[state].get(kind)
            if action is None:
                return at
            if action > 0:
                state = action
                states.append(state)
                values.append(token)
                starts.append(token[1])
                depths.append(0)
                end = token[2]
                at += 1
                token = tokens[at]
                kind = token[0]
                continue
            if action == 0:
                return -1
            left, length, make, deeper = rules[-1 - action]
            if length == 1:
                del states[-1]
                if make is not None:
                    values[-1] = make(values[-1:], (starts[-1], end))
                    depths[-1] += deeper
            elif length:
                start = starts[-length]
                value = make(values[-length:], (start, end))  # type: ignore[misc]
                depth = max(depths[-length:]) + deeper
                del states[-length:], values[-length:], starts[-length:], depths[-length:]
                values.append(value)
                starts.append(start)
                depths.append(depth)
                if depth > MAX_DEPTH:
                    self._too_deep(start)
                    return 0
            else:
                values.append(make([], (token[1], token[1])))  # type: ignore[misc]
                starts.append(token[1])
                depths.append(deeper)
            below = states[-1]
            known = jumps[below][left].get(kind)
            state = jump(below, left, kind) if known is None else known
            states.append(state)

    def _too_deep(self, start: int) -> None:
        hint = "name parts of it with let, or move them into functions"
        self.report("E0302", f"program nests deeper than {MAX_DEPTH:,} levels", (start, start + 1), hint)

    # ------------------------------------------------------------------ errors

    def _follows_lexical_error(self, tokens: list[Token], at: int) -> bool:
        """Whether the lexer has reported something just before the token: then it is no wonder that it does not fit."""
        kind, start, end, _ = tokens[at]
        if start == end and kind != EOF:
            return True  # a closer that the lexer put in
        return any(tokens[at - 1][2] <= error.span[0] <= start for error in self.lexical_errors)

    def _expected(self) -> set[str]:
        """The kinds of tokens that would fit now: each one is tried on a copy of the stack of states."""
        return {kind for kind in self.tables.actions[self.states[-1]] if self._fits(kind)}

    def _fits(self, kind: str) -> bool:
        states = self.states.copy()
        while True:
            action = self.tables.actions[states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                return True
            left, length, _ = self.tables.rules[-1 - action]
            if length:
                del states[-length:]
            states.append(self.tables.gotos[states[-1]][left])

    def _recover(self, tokens: list[Token], at: int) -> int:
        """Drop the statement with the error; the index of the token to go on with.

        The stack is cut back to the innermost list of statements, members or arms, and tokens are left out up to the
        next separator at the same depth of brackets.  The lexer balances brackets, so counting them is enough.
        """
        states, known = self.states, self.tables
        keep = len(states) - 1
        while states[keep] not in known.lists and states[keep] not in known.list_starts:
            keep -= 1
        del states[keep + 1 :], self.values[keep:], self.starts[keep:], self.depths[keep:]
        first = states[keep] in known.list_starts
        separators = (known.list_starts if first else known.lists)[states[keep]]
        opened = sum((token[0] in _OPENING) - (token[0] in _CLOSING) for token in tokens[1:at])
        opened -= sum(type(value) is tuple and value[0] in _OPEN_ON_STACK for value in self.values)
        while tokens[at][0] != EOF:
            kind = tokens[at][0]
            if kind in _OPENING:
                opened += 1
            elif kind in _CLOSING:
                if opened == 0:
                    return at
                opened -= 1
            elif kind in separators and opened == 0:
                return at + 1 if first else at
            at += 1
        return at


_LISTS = (
    (("statements", "open_end", "closed_end"), frozenset({END})),
    (("members", "open_members", "closed_members"), frozenset({END})),
    (("arms",), frozenset({END, "COMMA"})),
)
_OPENING = frozenset({"LPAR", "LBRACK", "QLBRACK", "LBRACE", "LMAP", "TEXT_HEAD"})
_CLOSING = frozenset({"RPAR", "RBRACK", "RBRACE", "TEXT_TAIL"})
_OPEN_ON_STACK = _OPENING | {"TEXT_MID"}  # what comes before a TEXT_MID has been reduced to a list
