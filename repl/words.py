"""What the keywords mean, for ``?while`` and its like."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "and": "a and b\n  b if a is true, else a.  Only nil and false are false.",
    "assert": 'assert CONDITION, "message"\n  Throws an AssertError unless the condition holds.',
    "atomic": (
        "atomic { … }\n  All of it happens, or nothing: an error undoes everything that was written "
        "inside, and no other\n"
        "  thread runs in between.  What it prints and starts takes effect at its end."
    ),
    "break": "break\n  Leaves the innermost loop.",
    "catch": "try { … } catch e is KeyError { … } catch e { … }\n  Takes an error; see ?try.",
    "class": (
        "class Name extends Base {\n  owner            // must be given\n  balance = 0      // has a default\n"
        '  fn deposit(amount) { self.balance += amount }\n}\nlet a = Name(owner: "Ada")'
    ),
    "continue": "continue\n  Goes on with the next turn of the innermost loop.",
    "else": "if c { … } else if d { … } else { … }",
    "false": "false\n  A Bool; with nil the only value that counts as false.",
    "finally": "try { … } finally { … }\n  Runs at the end in any case; see ?try.",
    "fn": "fn name(a, b = 1, ...rest) { return a }\nfn(x) => x + 1",
    "for": (
        "for x in LIST { … }\nfor key, value in MAP { … }\nfor i in 0..10 { … }\n"
        "  Walks over a List, Map, Set, Text, Bytes or Range."
    ),
    "if": 'if n > 0 { … } else { … }\nlet size = if n > 5 { "big" } else { "small" }',
    "import": 'import "bank.hold" as bank\nimport { pay } from "bank.hold"\nimport "std/json" as json',
    "in": 'x in xs, "key" in map, x not in xs',
    "is": "x is Account\n  True for an instance of the class, or of one that extends it.",
    "let": "let name = value\n  A variable that cannot be assigned again.",
    "match": 'match n { 0 => "zero", 1..=9 => "digit", Int => "number", [a, b] => "pair", _ => "other" }',
    "nil": "nil\n  No value.  a ?? b gives b where a is nil, a?.f gives nil where a is.",
    "not": "not a\n  false if a is true.  Only nil and false are false.",
    "on_behalf": "on_behalf(message) { … }\n  Runs with rights cut down to those of the message's sender.",
    "or": "a or b\n  a if that is true, else b.",
    "return": "return value",
    "spawn": "let t = spawn work(10)\n  Runs the call in a new thread.  t.join() gives its result.",
    "super": "super.method(…)\n  Calls a method of the base class.",
    "throw": 'throw "text"\n  Throws an Error with that message, or an error that you have made: throw KeyError("…")',
    "true": "true\n  A Bool.",
    "try": "try { … } catch e is KeyError { print(e.message) } catch e { throw e } finally { … }",
    "var": "var name = value\n  A variable that can be assigned again.",
    "while": "while n < 10 { n += 1 }",
}
"""Keyword to a few lines about it."""
