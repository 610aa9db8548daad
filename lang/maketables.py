"""Makes ``tables.py`` out of ``grammar.lark``: ``python -m holdfast.lang.maketables``.

Purpose: lark takes 120 ms to work out the tables of the grammar and 35 ms to be imported; a command line tool should
not spend that at each start.  So they are worked out once, by lark in its strict mode (which refuses conflicts), and
kept in the repository; a test checks that they are up to date.  This module is the only one that imports lark.

Formats
-------
``tables.py`` holds three texts, whose parts are separated by ``|``.  ``RULES``: for each rule ``left-side length
alias`` (``-`` for a rule that hands its one value on).  ``STATES``: for each state the numbers of its rows in
``ROWS``, of actions, then of gotos.  ``ROWS``: groups separated by ``;``, each a number and the symbols that it is
for.  As an action, a number above 0 is a shift to that state, one below 0 a reduction by rule ``-1 - number``, and 0
accepts; as a goto it is the state.  State 0 is the start.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lark import Lark
from lark.lexer import Lexer as LarkLexer
from lark.lexer import Token as LarkToken
from lark.parsers.lalr_analysis import Shift

from holdfast.lang.diagnostics import CompileError, Source
from holdfast.lang.lexer import Lexer
from holdfast.lang.tokens import EOF

GRAMMAR = Path(__file__).with_name("grammar.lark")
TABLES = Path(__file__).with_name("tables.py")


class HoldLexer(LarkLexer):
    """Hold's lexer in the form in which lark wants it (``lexer=HoldLexer``)."""

    def __init__(self, configuration: object) -> None:
        del configuration  # the terminals are declared in the grammar; there is nothing to configure

    def lex(self, data: str) -> Iterator[LarkToken]:  # type: ignore[override]
        """The tokens of a source as lark's own."""
        lexer = Lexer(Source("<lark>", data))
        tokens = lexer.run()
        if lexer.errors:
            raise CompileError(lexer.errors)
        for kind, start, end, _ in tokens[1:]:
            yield LarkToken(kind, data[start:end], start_pos=start, end_pos=end)


def lark_parser() -> Lark:
    """Lark's own parser for the grammar; strict mode raises on any conflict."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer=HoldLexer, start="program", strict=True, maybe_placeholders=False)


def make_tables() -> str:
    """The text of ``tables.py``; the same for the same grammar, whatever lark's hashing does."""
    table: Any = lark_parser().parser.parser._parse_table
    number = _number_states(table)
    rules = sorted({_rule(argument) for row in table.states.values() for action, argument in row.values()
                    if action is not Shift})  # fmt: skip
    rows: dict[str, int] = {}
    states = []
    for state in number:
        actions: dict[str, int] = {}
        gotos: dict[str, int] = {}
        for symbol, (action, argument) in table.states[state].items():
            if action is not Shift:
                actions[symbol] = -1 - rules.index(_rule(argument))
            elif symbol.isupper():
                actions[symbol] = number[argument]
            else:
                gotos[symbol] = number[argument]
        if state == table.end_states["program"]:
            actions = {EOF: 0}
        pair = [rows.setdefault(_row(row), len(rows)) for row in (actions, gotos)]
        states.append(f"{pair[0]} {pair[1]}")
    return _module({"RULES": rules, "STATES": states, "ROWS": list(rows)})


def _number_states(table: Any) -> dict[Any, int]:
    """Numbers for the states in the order in which they are met from the start, following symbols by name."""
    order = [table.start_states["program"]]
    number = {order[0]: 0}
    for state in order:
        for _, (action, target) in sorted(table.states[state].items(), key=lambda item: item[0]):
            if action is Shift and target not in number:
                number[target] = len(order)
                order.append(target)
    return number


def _rule(rule: Any) -> str:
    return f"{rule.origin.name} {len(rule.expansion)} {rule.alias or '-'}"


def _row(entries: dict[str, int]) -> str:
    groups: dict[int, list[str]] = {}
    for symbol, number in sorted(entries.items()):
        groups.setdefault(number, []).append(symbol)
    return ";".join(f"{number} {' '.join(symbols)}" for number, symbols in groups.items())


def _module(texts: dict[str, list[str]]) -> str:
    lines = ['"""The parser\'s tables, made by maketables.py out of grammar.lark: do not edit."""', ""]
    for name, content in texts.items():
        lines.append(f"{name} = (")
        packed = textwrap.wrap("|".join(content), 112, break_long_words=False, break_on_hyphens=False)
        lines += [f'    "{line} "' for line in packed[:-1]] + [f'    "{packed[-1]}"', ")"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLES.write_text(make_tables(), encoding="utf-8")
