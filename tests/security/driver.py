"""A program in Hold that takes histories as data: compiled once, it does what `tests.security.render` writes out.

A history of its own as a program (`render`) is compiled for longer than it runs, and each of its places runs once.
The driver is the other half: it has one place for each kind of operation, which meets everything that the histories
bring, own and foreign, fast and after its guesses have failed.  ``script(history)`` is what it reads, a line for each
operation::

    NUMBER|DOMAIN|ORDER|AFTER       17|2|only x4 rw x1|

An order is ``KIND TO WHAT OPERAND…``: the operands, the first one last, are loaded from the locals of the domain's one
frame into p, q, r …; the operation's value is in v, and is stored from there into the local TO; WHAT are rights or an
index.  The order is what a thread is asked with, a Text, which crosses domains freely.  AFTER says what the program
does with the answer: ``birth 3`` keeps the thread of a new domain, ``give 2 x4`` passes a value on, ``take x4`` stores
it.

All else is as in `render`: domains are threads, the program's operations are done by the program itself, and each line
that it prints is the number of an operation and its outcome.  Revokers alone are kept in a Map, by their names.
"""

from __future__ import annotations

from tests.security.operations import (
    BODIES,
    AskRights,
    Birth,
    Call,
    Equal,
    Fetch,
    Get,
    GrantRights,
    History,
    Make,
    New,
    Only,
    Op,
    Push,
    Revocable,
    Revoke,
    Send,
    Set,
    Shed,
)
from tests.security.render import BODY, FAILED, HEAD, NEW, UNDONE

LOCALS = (*(f"x{n}" for n in range(8)), "y0", "y1", "y2", "a0", "a1")
"""The variables that a frame has."""
OPERANDS = "pqrst"
PLACES = {"a": ".a", "b": ".b", "at": "[Int(what)]"}


def values() -> dict[str, str]:
    """The statements of each kind of operation that has a value."""
    found = {f"new{kind}": f"v = {text}" for kind, text in NEW.items()}
    found |= {f"get{name}": f"v = p{place}" for name, place in PLACES.items()}
    found |= {f"make{body}": f"let c = p; v = fn(a) {BODY[body]}" for body in BODIES}
    found |= {f"fetch{n}": f"v = caps.g{n}" for n in range(3)}
    return found | {
        "only": "v = only(p, what)",
        "revocable": "let key = revocable(p, what); v = key.cap; keys[q] = key",
        "call": "try { v = p(q) } catch e is Parcel { v = e.what }",
    }


def deeds() -> dict[str, str]:
    """Of those that have none; what is to be printed, or passed on, is in o."""
    found = {f"set{name}": f"p{place} = q" for name, place in PLACES.items()}
    for count in range(4):
        given = ", ".join(f"g{n}: {OPERANDS[2 + n]}" for n in range(count))
        found[f"birth{count}"] = f"o = spawn actor(p, q) with {{{given}}}"
    for kind, shed in (("drop", "caps.drop(p)"), ("limit", "caps.limit(p, what)")):
        found |= {kind: shed, f"{kind}undone": f'try {{ atomic {{ {shed}; throw "undo" }} }} {UNDONE}'}
    return found | {
        "push": "p.push(q)",
        "rightsof": 'o = caps.rights(p); if o == "" { o = "-" }',
        "revoke": "keys[p].revoke()",
        "give": "o = p",
        "equal": 'o = if p == q { "true" } else { "false" }',
        "rights": "o = tell(p)",
    }


def arms(table: dict[str, str]) -> str:
    """Arms of a `match`."""
    return "\n".join(f'  "{name}" => {{ {body} }}' for name, body in table.items())


def variables(*names: str) -> str:
    """Definitions of variables."""
    return "\n".join(f"var {name} = nil" for name in names)


LOAD = "\n".join(f'  "{name}" => {name}' for name in LOCALS)
SHIFT = "; ".join(f"{to} = {name}" for to, name in zip(OPERANDS[:0:-1], OPERANDS[-2::-1], strict=True))
STORE = f"""\
o = tell(v)
match words[1] {{
{arms({name: f"{name} = v" for name in LOCALS})}
}}
"""


def executed(more: dict[str, str]) -> str:
    """The statements that do what `words` say."""
    return f"""\
what = words[2]
for w in words[3..words.len()] {{
  {SHIFT}
  p = match w {{
{LOAD}
  "nil" => nil
  _ => if w[0] == "k" or w[0] == "g" {{ w }} else {{ Int(w) }}
  }}
}}
match words[0] {{
{arms(values() | deeds() | more)}
}}
if words[1] != "-" {{
{STORE}}}
"""


DRIVER = f"""\
{HEAD}
fn actor(a0, a1) {{
let keys = {{}}
{variables(*LOCALS[:-2], *OPERANDS, "v", "what")}
while true {{
var m = receive()
var o = "ok"
try {{
let words = m.value.split(" ")
{executed({"take": 'm.reply("go"); m = receive(); v = m.value', "stop": 'm.reply("stopped"); return nil'})}
}} {FAILED}
m.reply(o)
}}
}}

let keys = {{}}
let actors = {{}}
{variables(*LOCALS, *OPERANDS, "v", "what", "o")}
for line in args[1].split("\\n") {{
let parts = line.split("|")
var words = parts[2].split(" ")
o = "ok"
if parts[1] != "0" {{ o = actors[parts[1]].ask(parts[2]) }} else {{
try {{
{executed({})}
}} {FAILED}
}}
words = parts[3].split(" ")
match words[0] {{
"birth" => {{ actors[words[1]] = o; o = "ok" }}
"give" => {{ actors[words[1]].ask("take " + words[2] + " -"); o = actors[words[1]].ask(o) }}
"take" => {{
v = o
{STORE}}}
}}
print(args[0], parts[0], o)
}}
for number, thread in actors {{ thread.ask("stop - -") }}
"""
"""Its arguments are what stands in front of each line that it prints, and the script."""


def script(history: History) -> str:
    """What the driver reads."""
    return "\n".join(f"{number}|{op.dom}|{order(op)}|{after(op)}" for number, op in enumerate(history))


def after(op: Op) -> str:
    """What the program does with a domain's answer."""
    if isinstance(op, Birth):
        return f"birth {op.child}"
    if isinstance(op, Send):
        return f"give {op.other} {op.to}" if op.other else f"take {op.to}"
    return ""


def order(op: Op) -> str:
    """An operation as a domain is told of it."""
    kind, what, operands = told(op)
    to = "-" if isinstance(op, Send) else getattr(op, "to", "-")
    assert to in (*LOCALS, "-"), op
    return " ".join([kind, to, what, *reversed(operands)])


def told(op: Op) -> tuple[str, str, tuple[str, ...]]:
    """Kind, rights or index, and operands."""
    match op:
        case New():
            return f"new{op.kind}", "", ()
        case Get():
            return f"get{place(op.slot)}", str(op.slot), (op.x,)
        case Set():
            return f"set{place(op.slot)}", str(op.slot), (op.x, str(op.y))
        case Push():
            return "push", "", (op.x, op.y)
        case Only():
            return "only", op.rights, (op.x,)
        case Birth():
            args = (*op.args, "nil", "nil")[:2]
            assert [name for name, _ in op.given] == [f"g{n}" for n in range(len(op.given))]
            return f"birth{len(op.given)}", "", (*args, *(x for _, x in op.given))
        case Fetch():
            return f"fetch{op.name[1:]}", "", ()
        case GrantRights():
            return "rightsof", "", (op.name,)
        case Shed():
            kind = "drop" if op.rights is None else "limit"
            return kind + "undone" * op.undone, op.rights or "", (op.name,)
        case Revocable():
            return "revocable", op.rights, (op.x, op.key)
        case Revoke():
            return "revoke", "", (op.key,)
        case Make():
            return f"make{op.body}", "", (op.x,)
        case Call():
            return "call", "", (op.f, op.x)
        case Send():
            return "give", "", (op.x,)
        case Equal():
            return "equal", "", (op.x, op.y)
        case AskRights():
            return "rights", "", (op.x,)
    raise AssertionError(op)


def place(slot: str | int) -> str:
    """The kind of place that a slot is."""
    return slot if isinstance(slot, str) else "at"
