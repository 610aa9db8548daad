"""The direct shape: structured Python with speculative templates, at nearly CPython's own speed.

::

    def f(v_a, v_b=…):
        try:
            if _poll: _safepoint()
            …
        except _HOST:
            _d = _deopt()
        return _d.fn(_d)

``_HOST`` are the Python exceptions that a failed speculation (or a wrong program) raises.  ``_deopt()`` reads the
frame's line and locals from the traceback and returns a state whose ``fn`` is the resumable shape, entered at that
instruction.  The call stands outside the handler, since inside it every later exception would carry this one as
context.  Its line number is the function's ``size``: a frame that stands there is transparent to capture.

CPython allows 20 nested blocks; a function that nests deeper has a direct shape that enters the resumable one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest

from holdfast.lang import ir
from holdfast.lang.emit import Emitter
from holdfast.lang.emit_effects import SAFEPOINT
from holdfast.lang.emit_guarded import Guarded
from holdfast.lang.emit_lines import OWN as TESTED
from holdfast.lang.guard import CALLER, DEFINER, OWN, RUNNING, WEAKER
from holdfast.lang.hoist import Hoisted, Turning
from holdfast.lang.infer import ANY, Inference
from holdfast.lang.lines import CALLS, PURE, Line, NameTable, RawMethods, count_uses, literal

AHEAD = re.compile(r"h[0-9]+\b")
"""How a line that reads ahead begins: with the local that has what is read."""
BLOCKS_MAX = 16
NESTING_MAX = 40
INFERRED_MAX = 20_000
"""Instructions of a function whose types are inferred: the work grows with instructions times locals."""


class Direct(Emitter):
    """Structured control flow."""

    def __init__(self, function: ir.Function, names: NameTable, methods: RawMethods, failed: Failed) -> None:
        super().__init__(function, names, methods, tested=False)
        self.failed = frozenset(failed)
        self.hopeless = frozenset(n for n, level in failed.items() if level > 1)
        self.truths = truths(function.body)
        inferred = function.size <= INFERRED_MAX
        self.kinds = Inference(function, self.failed, self.truths).operands if inferred else {}
        self.repeated = frozenset(
            name
            for node in ir.walk(function.body)
            if isinstance(node, ir.Op) and node.op == "mul" and isinstance(name := node.args[0], str)
            if name.startswith("t") and self.uses.get(name) == (1, 1)
        )
        self.hoisted: Hoisted | None = None
        """Of the innermost loop, when that reads something ahead."""

    def op(self, op: ir.Op) -> None:
        """An operation; of what was read ahead the local that has it."""
        hoisted = self.hoisted
        if hoisted is not None and (op.n in hoisted.values or op.n in hoisted.views):
            self.here = op.n
            texts, first = self.take(op.args, op.n)
            whole = hoisted.values.get(op.n)
            self.value(op, hoisted.name(whole) if whole else f"{hoisted.name(hoisted.views[op.n])}[{texts[1]}]", first)
        else:
            super().op(op)

    def invariant(self, op: ir.Op, text: str) -> str | None:
        """The template by which an operation reads what only a store could change, from what has this text; or None."""
        if op.op == "getfield":
            return self.field(op, text) if op.data not in self.methods.computed else None
        if op.op == "getbox":
            return None if op.data[0] else "{0}.v"
        if op.op in ("index", "callg") and self.items(op):
            return "{0}.e[{1}]" if op.op == "index" else "_len({0}.v)"
        return None

    def block(self, nodes: list[ir.Node]) -> None:
        """Nodes in order."""
        skip = False
        for node, following in zip_longest(nodes, nodes[1:]):
            if skip:
                skip = False
                continue
            if isinstance(node, ir.Op) and node.dst is not None and self.uses.get(node.dst) == (1, 1):
                if node.op in CALLS and isinstance(following, ir.Return) and following.value == node.dst:
                    self.returned = node.dst
            asked = self.returned
            self.node(node)
            skip = asked is not None and self.returned is None
            self.returned = None

    def suite(self, nodes: list[ir.Node], n: int) -> None:
        """An indented block, never empty."""
        self.depth += 1
        before = len(self.lines)
        self.block(nodes)
        self.flush()
        if len(self.lines) == before:
            self.line("pass", n)
        self.depth -= 1

    def node(self, node: ir.Node) -> None:
        """One node."""
        self.here = node.n
        match node:
            case ir.Op():
                self.op(node)
            case ir.If():
                self.if_(node)
            case ir.Logic():
                self.logic(node)
            case ir.Loop():
                self.loop(node)
            case ir.For():
                self.flush()
                before = self.read_ahead(node)
                self.line(f"for {node.names[0]} in {node.iterator}:", node.n)
                self.turns([*node.body, ir.Op(0, "move", node.names[0], ())], node.body, node.n)
                self.reads_ahead(node, before)
            case ir.Try():
                self.try_(node)
            case ir.Break():
                self.flush()
                self.line("break", node.n)
            case ir.Continue():
                self.flush()
                self.line("continue", node.n)
            case ir.Return():
                texts, first = self.take((node.value,), node.n)
                self.flush()
                self.line(self.return_line(texts[0]), first)

    def condition(self, node: ir.If) -> tuple[str, int]:
        """The Python condition of an If, and its line."""
        text, first = self.truth(node.cond, self.kind(node.n, 0))
        self.flush()
        return text, node.n if first is None else first

    def if_(self, node: ir.If) -> None:
        """Both ways; behind them, what is current is what is current on both."""
        text, n = self.condition(node)
        before = set(self.current)
        if node.then or not node.other:
            self.line(f"if {text}:", n)
            self.suite(node.then, n)
            after = self.current
            self.current = set(before)
            if node.other:
                self.line("else:", n)
                self.suite(node.other, n)
            self.current &= after
        else:
            self.line(f"if not ({text}):", n)
            self.suite(node.other, n)
            self.current &= before

    def attempt(self, nodes: list[ir.Node], result: ir.Operand, truth_of: str | None = None) -> str | None:
        """The nodes as one pure expression, or None (and nothing has been emitted).

        With ``truth_of``, the kind of the result, the expression is its truth.
        """
        saved = self.lines, self.pending, set(self.current)
        if not all(
            isinstance(n, ir.Logic) or (isinstance(n, ir.Op) and (n.op in PURE or n.op == "callg")) for n in nodes
        ):
            return None
        self.lines, self.pending = [], []
        self.inline += 1
        self.block(nodes)
        text: str | None = None
        if truth_of is not None:
            text, _ = self.truth(result, truth_of)
        self.inline -= 1
        lines, pending = self.lines, self.pending
        self.lines, self.pending, self.current = saved
        if lines:
            return None
        if truth_of is not None:
            return text if not pending else None
        if not pending:
            return self.atom(result)
        if len(pending) != 1 or pending[0].temp != result or pending[0].products:
            return None
        return pending[0].text

    def logic(self, node: ir.Logic) -> None:
        """Python's own operator when the left side is a Bool and the right one an expression; else an ``if``.

        Where only the truth of the result is asked, any left side serves, as its truth.
        """
        kind, right_kind = self.kind(node.n, 0), self.kind(node.n, 1)
        only_truth = node.dst in self.truths
        if only_truth:
            text, at = self.truth(node.left, kind)
            self.flush()
            first = node.n if at is None else at
        else:
            texts, first = self.take((node.left,), node.n)
            text = texts[0]
        saved, self.pending = self.pending, []
        right = (
            self.attempt(node.right, node.result, right_kind if only_truth else None)
            if (kind == "bool" or only_truth)
            else None
        )
        self.pending = saved
        if right is not None:
            op = ir.Op(node.n, node.op, node.dst, ())
            self.value(op, f"({text}) {node.op} ({right})", min(first, node.n))
            return
        self.flush()
        self.assign(node.dst, text, first)
        test = node.dst if kind == "bool" or only_truth else f"{node.dst} is not None and {node.dst} is not False"
        self.line(f"if {test}:" if node.op == "and" else f"if not ({test}):", node.n)
        before = set(self.current)
        self.depth += 1
        self.block(node.right)
        last = node.right[-1].n if node.right else node.n
        if only_truth:
            inner, at = self.truth(node.result, right_kind)
            n = last if at is None else at
        else:
            found, n = self.take((node.result,), last)
            inner = found[0]
        self.flush()
        if inner != node.dst:
            self.assign(node.dst, inner, n)
        self.depth -= 1
        self.current &= before

    def loop(self, node: ir.Loop) -> None:
        """``while``: the condition goes into the header when it is one pure expression."""
        self.flush()
        self.forget(node.body)
        before = self.read_ahead(node)
        self.while_(node)
        self.reads_ahead(node, before)

    def while_(self, node: ir.Loop) -> None:
        """The header and what is repeated."""
        for position, inner in enumerate(node.body if not node.once else []):
            if not isinstance(inner, ir.If):
                continue
            if inner.then or len(inner.other) != 1 or not isinstance(inner.other[0], ir.Break):
                break
            text = self.attempt_condition(node.body[:position], inner)
            if text is None:
                break
            self.line(f"while {text}:", node.body[0].n)
            self.turns(node.body, node.body[position + 1 :], node.n)
            return
        self.line("while True:", node.n)
        self.turns(node.body, node.body, node.n)

    def read_ahead(self, node: Turning) -> int:
        """In front of a loop: find out what it can read ahead; gives the place for that."""
        self.hoisted = Hoisted(node, self)
        return len(self.lines)

    def reads_ahead(self, node: Turning, place: int) -> None:
        """Behind it: put in front of it, and behind its safepoint, what its lines came to use."""
        hoisted, self.hoisted = self.hoisted, None
        if hoisted is None:
            return  # there was another loop inside
        texts = hoisted.assignments(line.text for line in self.lines[place:])
        if not texts:
            return
        depth = self.lines[place].depth
        gone = [text.partition(" ")[0] + " = None" for text in texts]
        lines = ahead(texts, depth, node.n)
        for line in self.lines[place:]:
            if line.text == SAFEPOINT:
                # While others run, nothing that was read is held: it may be evicted, or be put in pieces.
                within = ["if _poll:", *gone, "_safepoint()"]
                lines += [Line(line.depth + (text is not within[0]), text, line.n, line.last) for text in within]
                lines += ahead(texts, line.depth + 1, line.n)
            else:
                lines.append(line)
        self.lines[place:] = [*lines, *(Line(depth, text, node.n, node.n) for text in gone)]

    def turns(self, changed: list[ir.Node], body: list[ir.Node], n: int) -> None:
        """The body of a loop, in which and behind which only what it does not change is as it was."""
        self.forget(changed)
        before = set(self.current)
        self.suite(body, n)
        self.current = before

    def attempt_condition(self, nodes: list[ir.Node], test: ir.If) -> str | None:
        """The condition of a while loop as an expression."""
        if isinstance(test.cond, ir.Const):
            return self.truth(test.cond, ANY)[0] if not nodes else None
        if self.kind(test.n, 0) != "bool":
            return None
        return self.attempt(nodes, test.cond)

    def try_(self, node: ir.Try) -> None:
        """The handler only stores the converted error; what stands behind the node decides."""
        self.flush()
        size = self.function.size
        place = len(self.lines)
        self.line("try:", node.n)
        self.turns([*node.body, ir.Op(0, "move", node.error, ())], node.body, node.n)
        self.line("except Exception:", size)
        self.depth += 1
        self.line(f"{node.error} = _caught()", size)
        self.depth -= 1
        for name in read_ahead(self.lines[place:]):
            self.line(f"{name} = None", size)
        # A failed speculation inside the body: go on in the resumable shape, which has the handlers too.  It is called
        # where no handler of this frame is around, so the state is raised to the function's end.
        self.line(f"if type({node.error}) is _State: raise {node.error}", size)


def read_ahead(lines: list[Line]) -> list[str]:
    """The locals that these lines read ahead: what they hold is let go of where the frame goes on behind a loop."""
    return sorted({line.text.split()[0] for line in lines if AHEAD.match(line.text)})


def ahead(texts: list[str], depth: int, n: int) -> list[Line]:
    """The lines that read ahead.  Whatever goes wrong there, the loop reads for itself from then on: it may come to no
    read at all, or to an error of its own before."""
    lines = [
        (0, "_n = None"),
        (0, "try:"),
        *((1, text) for text in texts),
        (0, "except Exception:"),
        (1, "_n = _late()"),
    ]
    return [Line(depth + more, text, n, n) for more, text in [*lines, (0, "if _n is not None: raise _n")]]


def parameters(function: ir.Function) -> str:
    """The parameter list of the Python function."""
    out = []
    for p in function.parameters:
        if p.rest:
            out.append(f"*{p.py}")
        elif p.optional:
            out.append(f"{p.py}={literal(p.default.value) if p.default is not None else '_U'}")
        else:
            out.append(p.py)
    return ", ".join(out)


def nesting(nodes: list[ir.Node]) -> tuple[int, int]:
    """How deep blocks (loops and tries) and all structures nest."""
    blocks_max = deepest = 0
    stack = [(nodes, 0, 0)]
    while stack:
        inner, blocks, depth = stack.pop()
        blocks_max, deepest = max(blocks_max, blocks), max(deepest, depth)
        for node in inner:
            own = blocks + isinstance(node, ir.Loop | ir.For | ir.Try)
            stack.extend((below, own, depth + 1) for below in ir.children(node))
    return blocks_max, deepest


def truths(nodes: list[ir.Node]) -> frozenset[str]:
    """Temporaries of which only the truth is ever asked: results of ``and`` / ``or`` that are only conditions."""
    uses = count_uses(nodes)
    asked: dict[str, int] = {}

    def ask(operand: ir.Operand) -> None:
        if isinstance(operand, str):
            asked[operand] = asked.get(operand, 0) + 1

    logics = []
    for node in ir.walk(nodes):
        if isinstance(node, ir.If):
            ask(node.cond)
        elif isinstance(node, ir.Op) and node.op == "not":
            ask(node.args[0])
        elif isinstance(node, ir.Logic):
            logics.append(node)
    found: set[str] = set()
    for node in reversed(logics):  # an outer one stands before those inside it: its parts are asked by it
        if node.dst.startswith("t") and uses[node.dst][0] == 1 and asked.get(node.dst, 0) == uses[node.dst][1]:
            found.add(node.dst)
    return frozenset(found)


class GuardedDirect(Guarded, Direct):
    """Structured control flow over guarded templates."""


def prologue(function: ir.Function, names: NameTable) -> str:
    """The line that finds out in which domain the code runs."""
    made = function.definer == DEFINER
    definer = DEFINER if made else names.name(function.definer)
    if function.domain == OWN:
        return f"{RUNNING} = {definer}"
    return f"{RUNNING} = {CALLER} if {CALLER} is {definer} else {'_weakfn' if made else '_weaker'}({CALLER}, {definer})"


Failed = Mapping[int, int]
"""Instructions whose speculation has failed, and how often."""


def direct(
    function: ir.Function,
    names: NameTable,
    methods: RawMethods,
    failed: Failed,
    key: str,
    enter: bool = False,
    own: str = "",
) -> list[Line]:
    """The lines of the direct shape, inside a maker function that binds the captures.

    ``key`` finds the function again in the machine, for the entry of one that nests too deeply; with ``enter`` every
    function is treated so, which runs whole programs in the resumable shape.  ``own`` is a parameter of a guarded
    variant whose object its callers have shown to be own.
    """
    size = function.size
    out = [Line(0, f"def maker({', '.join(function.captures)}):", size)]
    out.append(Line(1, f"def f({parameters(function)}):", size))
    blocks, depth = nesting(function.body)
    if enter or blocks > BLOCKS_MAX or depth > NESTING_MAX:
        given = [p.py for p in function.parameters] + function.captures
        if function.domain in (WEAKER, OWN):
            out.append(Line(2, prologue(function, names), size))
            given.append(RUNNING)
        pairs = "".join(f"({name!r}, {name}), " for name in given)
        out.append(Line(2, f"_d = _enter({key!r}, ({pairs}))", size))
        out.append(Line(2, "return _d.fn(_d)", size))
    else:
        emitter = (GuardedDirect if function.domain else Direct)(function, names, methods, failed)
        emitter.depth = 3
        if function.domain in (WEAKER, OWN):
            emitter.line(prologue(function, names), 0)
        if own:
            emitter.current.add(own + TESTED)
        if leaf(function):
            pass  # whoever calls it in a loop or recursion has a safepoint
        else:
            emitter.safepoint(0)
        emitter.block(function.body)
        emitter.flush()
        emitter.line("return None", size)
        out.append(Line(2, "try:", size))
        out.extend(emitter.lines)
        out.append(Line(2, "except _HOST:", size))
        out.append(Line(3, "_d = _deopt()", size))
        out.extend(Line(3, f"{name} = None", size) for name in read_ahead(emitter.lines))
        out.append(Line(2, "return _d.fn(_d)", size))
    out.append(Line(1, "return f", size))
    return out


def leaf(function: ir.Function) -> bool:
    """No loop, and no call of anything but what the machine provides."""
    return not any(
        isinstance(n, ir.Loop | ir.For)
        or (isinstance(n, ir.Op) and n.op in CALLS and not (n.op == "callg" and n.data[0].startswith("b:")))
        for n in ir.walk(function.body)
    )
