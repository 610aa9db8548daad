"""A history as a program in Hold that does the same on the machine, and prints the same outcomes, one a line.

``render(history)`` gives the text; what it prints is ``run(history)``, line by line, each with the number of its
operation in front (``numbered``).  How it is made so that the order of things is that of the history:

- Domain 0 is the program itself: its operations stand at the top of the file.
- Each other domain is a thread that is spawned by its parent's code at its birth: the grants are the `with` entries and
  those arguments that are capabilities.  It runs a top-level function of the program (code of the whole world, so it
  runs as its caller) with an arm for each of its operations.  Its variables are locals of that one frame.
- The program asks the thread to do operation n with the message `"n"`, a Text, and prints the answer, a Text too, which
  cross domains freely.  Nothing else is in its mailbox then.
- A value is sent in two steps: the sender's answer is the value itself, and the program, which is unrestricted and so
  cuts nothing down, passes it on as the next message.  A thread is spawned in the same way: the answer is the thread.
- `tell` says what may be done with a value: by `==` with nil, `is Int`, and `rights`.

`Peek` is not rendered: generate histories for the machine with ``peeks=False``.
"""

from __future__ import annotations

from tests.security.operations import (
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

HEAD = """\
class Box { a = nil; b = nil }
class Parcel extends Error { what = nil }
fn tell(x) {
  if x == nil { return "nil" }
  if x is Int { return Text(x) }
  let r = rights(x)
  return if r == "" { "-" } else { r }
}
"""

NEW = {"Box": "Box()", "Map": "({a: nil, b: nil})", "List": "[nil, nil]"}
BODY = {
    "give": "=> a",
    "get": "=> a.a",
    "put": "{ a.a = c }",
    "held": "=> c",
    "only": '=> only(a, "r")',
    "caps": "=> caps.g0",
    "throw": '{ throw Parcel("p", what: a) }',
    "new": "=> Box()",
    "call": "=> c(a)",
}


UNDONE = 'catch e { if e.message != "undo" { throw e }; o = "undone" }'
FAILED = 'catch e is CapabilityError { o = "CapabilityError" } catch { o = "error" }'


def numbered(outcomes: list[str]) -> list[str]:
    """Outcomes as the program prints them."""
    return [f"{number} {outcome}" for number, outcome in enumerate(outcomes)]


def render(history: History) -> str:
    """The program."""
    births = [op for op in history if isinstance(op, Birth)]
    lines = [HEAD]
    for birth in births:
        lines += actor(history, birth)
    lines += [f"var {name} = nil" for name in ["o", "d", *names(history, 0), *(f"t{birth.child}" for birth in births)]]
    for number, op in enumerate(history):
        lines += driven(number, op)
    lines += [f't{birth.child}.ask("stop")' for birth in reversed(births)]
    return "\n".join(lines) + "\n"


def names(history: History, dom: int) -> list[str]:
    """The variables of a domain's frame."""
    found: dict[str, None] = {}
    for op in history:
        fields = {name: getattr(op, name, None) for name in ("x", "y", "f", "to", "key")}
        if isinstance(op, Send) and op.other == dom:
            found[op.to] = None
        if op.dom == dom:
            if isinstance(op, Send):
                del fields["to"]
            if isinstance(op, Birth):
                found |= dict.fromkeys([x for _, x in op.given] + list(op.args))
            found |= {name: None for name in fields.values() if isinstance(name, str)}
    return list(found)


def actor(history: History, birth: Birth) -> list[str]:
    """The function that a domain's thread runs."""
    dom = birth.child
    parameters = [f"a{number}" for number in range(len(birth.args))]
    lines = [f"fn actor{dom}({', '.join(parameters)}) {{"]
    lines += [f"  var {name} = nil" for name in names(history, dom) if name not in parameters]
    lines += ["  while true {", "    var m = receive()", '    var o = "ok"', "    try {", "      match m.value {"]
    for number, op in enumerate(history):
        if op.dom == dom:
            lines.append(f'        "{number}" => {{ {work(op)} }}')
        elif isinstance(op, Send) and op.other == dom:
            lines.append(
                f'        "{number}" => {{ m.reply("go"); m = receive(); {op.to} = m.value; o = tell({op.to}) }}'
            )
    lines += ['        "stop" => { m.reply("stopped"); return nil }', "      }", f"    }} {FAILED}", "    m.reply(o)"]
    return [*lines, "  }", "}"]


def driven(number: int, op: Op) -> list[str]:
    """What the program does so that an operation takes place, and its outcome is printed."""
    if op.dom == 0:
        lines = ['o = "ok"', f"try {{ {work(op)} }} {FAILED}"]
    else:
        lines = [f'o = t{op.dom}.ask("{number}")']
    if isinstance(op, Birth):
        return [*lines, f't{op.child} = o; print({number}, "ok")']
    if isinstance(op, Send):
        if op.other == 0:
            return [*lines, f"{op.to} = o; print({number}, tell({op.to}))"]
        return [*lines, f'd = o; t{op.other}.ask("{number}"); print({number}, t{op.other}.ask(d))']
    return [*lines, f"print({number}, o)"]


def work(op: Op) -> str:
    """The statements of an operation, in the domain that does it; the outcome (or the value to pass on) is in o."""
    match op:
        case New():
            return f"{op.to} = {NEW[op.kind]}; o = tell({op.to})"
        case Get():
            return f"{op.to} = {op.x}{place(op.slot)}; o = tell({op.to})"
        case Set():
            return f"{op.x}{place(op.slot)} = {op.y}"
        case Push():
            return f"{op.x}.push({op.y})"
        case Only():
            return f'{op.to} = only({op.x}, "{op.rights}"); o = tell({op.to})'
        case Birth():
            given = ", ".join(f"{name}: {x}" for name, x in op.given)
            return f"o = spawn actor{op.child}({', '.join(op.args)}) with {{{given}}}"
        case Fetch():
            return f"{op.to} = caps.{op.name}; o = tell({op.to})"
        case GrantRights():
            return f'o = caps.rights("{op.name}"); if o == "" {{ o = "-" }}'
        case Shed():
            shed = f'caps.drop("{op.name}")' if op.rights is None else f'caps.limit("{op.name}", "{op.rights}")'
            if not op.undone:
                return shed
            return f'try {{ atomic {{ {shed}; throw "undo" }} }} {UNDONE}'
        case Revocable():
            return f'{op.key} = revocable({op.x}, "{op.rights}"); {op.to} = {op.key}.cap; o = tell({op.to})'
        case Revoke():
            return f"{op.key}.revoke()"
        case Make():
            return f"let c = {op.x}; {op.to} = fn(a) {BODY[op.body]}; o = tell({op.to})"
        case Call():
            thrown = f"catch e is Parcel {{ {op.to} = e.what }}"
            return f"try {{ {op.to} = {op.f}({op.x}) }} {thrown}; o = tell({op.to})"
        case Send():
            return f"o = {op.x}"
        case Equal():
            return f'o = if {op.x} == {op.y} {{ "true" }} else {{ "false" }}'
        case AskRights():
            return f"o = tell({op.x})"
    raise AssertionError(op)


def place(slot: str | int) -> str:
    """A field, entry or element, as it is written behind its container."""
    return f".{slot}" if isinstance(slot, str) else f"[{slot}]"
