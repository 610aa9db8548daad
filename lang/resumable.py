"""The resumable shape: the same instructions as blocks under a dispatch loop, entered at any instruction.

::

    def r(_s):
        pc, v_a, t1, … = _s.values
        while True:
            try:
                while True:
                    if pc < 2: …
            except Exception:
                _x = _unwind(_s)        # which handler, if any: by the line of the failed instruction
            pc = _x[0]
            if pc == 7: t3 = _x[1]

It is generated for one entry point (most functions are entered at very few).  Nothing is speculated and nothing is
inferred here, since the locals may come from a record, from another version's frame or from a debugger.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.lang import ir
from holdfast.lang.emit import Emitter
from holdfast.lang.emit_guarded import Guarded
from holdfast.lang.guard import RUNNING
from holdfast.lang.lines import Line, NameTable, RawMethods
from holdfast.lang.verify import VerifyError


@dataclass(slots=True)
class Item:
    """One step of the linear form: an operation, or a jump."""

    n: int
    node: ir.Op | None = None
    value: ir.Operand | None = None
    """What a return returns, or a branch tests."""
    jump: str = ""
    """``""``, ``goto``, ``branch`` (to ``target`` when false), ``next`` (to ``target`` at the end), ``return``."""
    target: int = -1
    iterator: str = ""
    names: tuple[str, ...] = ()
    handler: int = -1


@dataclass(slots=True)
class Linear:
    """A function as a list of items; labels are numbers, placed in ``places``."""

    items: list[Item] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    start: dict[int, int] = field(default_factory=dict)
    """Instruction number to the index of its first item."""
    handlers: list[tuple[str, int]] = field(default_factory=list)
    """For each Try: the local that takes the error, and the label behind it."""
    labels: int = 0

    def label(self) -> int:
        """A new label."""
        self.labels += 1
        return self.labels - 1


class Linearizer:
    """Structured nodes to items."""

    def __init__(self, function: ir.Function) -> None:
        self.out = Linear()
        self.loops: list[tuple[int, int]] = []
        self.handler = -1
        self.block(function.body)
        self.item(Item(function.size, jump="return", value=ir.Const(None)))

    def item(self, item: Item) -> None:
        """Append."""
        item.handler = self.handler
        self.out.start.setdefault(item.n, len(self.out.items))
        self.out.items.append(item)

    def place(self, label: int) -> None:
        """The label stands here."""
        self.out.places[label] = len(self.out.items)

    def block(self, nodes: list[ir.Node]) -> None:
        """Nodes in order."""
        for node in nodes:
            self.out.start.setdefault(node.n, len(self.out.items))
            self.node(node)

    def node(self, node: ir.Node) -> None:
        """One node."""
        out = self.out
        match node:
            case ir.Op():
                self.item(Item(node.n, node))
            case ir.If():
                other, end = out.label(), out.label()
                self.item(Item(node.n, jump="branch", value=node.cond, target=other))
                self.block(node.then)
                self.item(Item(node.n, jump="goto", target=end))
                self.place(other)
                self.block(node.other)
                self.place(end)
            case ir.Logic():
                self.logic(node)
            case ir.Loop():
                again, end = out.label(), out.label()
                self.place(again)
                self.loops.append((again, end))
                self.block(node.body)
                self.loops.pop()
                self.item(Item(node.n, jump="goto", target=again))
                self.place(end)
            case ir.For():
                again, end = out.label(), out.label()
                self.place(again)
                self.item(Item(node.n, jump="next", iterator=node.iterator, names=node.names, target=end))
                self.loops.append((again, end))
                self.block(node.body)
                self.loops.pop()
                self.item(Item(node.n, jump="goto", target=again))
                self.place(end)
            case ir.Try():
                end = out.label()
                outer, self.handler = self.handler, len(out.handlers)
                out.handlers.append((node.error, end))
                self.block(node.body)
                self.handler = outer
                self.place(end)
            case ir.Break():
                self.item(Item(node.n, jump="goto", target=self.loops[-1][1]))
            case ir.Continue():
                self.item(Item(node.n, jump="goto", target=self.loops[-1][0]))
            case ir.Return():
                self.item(Item(node.n, jump="return", value=node.value))

    def logic(self, node: ir.Logic) -> None:
        """dst = left; a branch; the right side."""
        out = self.out
        end = out.label()
        self.item(Item(node.n, ir.Op(node.n, "move", node.dst, (node.left,))))
        if node.op == "and":
            self.item(Item(node.n, jump="branch", value=node.dst, target=end))
        else:
            right = out.label()
            self.item(Item(node.n, jump="branch", value=node.dst, target=right))
            self.item(Item(node.n, jump="goto", target=end))
            self.place(right)
        self.block(node.right)
        last = node.right[-1].n if node.right else node.n
        self.item(Item(last, ir.Op(last, "move", node.dst, (node.result,))))
        self.place(end)


@dataclass(slots=True, frozen=True)
class Layout:
    """What the machine must know to enter the resumable shape of a function."""

    locals: tuple[str, ...]
    """Order of the locals in a state's values, behind the block number."""
    entry: int
    """The block to enter."""
    handlers: dict[int, int]
    """Instruction number to the number of the innermost Try around it."""
    targets: tuple[int, ...]
    """For each Try the block behind it, """
    errors: tuple[str, ...]
    """and the local that takes the error."""


def all_locals(function: ir.Function) -> tuple[str, ...]:
    """Every local of a function's frame, in a fixed order."""
    names = {p.py for p in function.parameters} | set(function.captures) | ir.assigned(function.body)
    if function.domain:
        names.add(RUNNING)
    return tuple(sorted(names))


class Blocks(Emitter):
    """Writes the blocks."""

    def __init__(self, function: ir.Function, names: NameTable, methods: RawMethods, entry: int, after: bool) -> None:
        super().__init__(function, names, methods, tested=True)
        self.linear = Linearizer(function).out
        index = self.linear.start.get(entry, 0)
        self.entry_label = self.linear.label()
        self.linear.places[self.entry_label] = index + after
        leaders = {0, *self.linear.places.values()}
        for number, item in enumerate(self.linear.items):
            if item.jump:
                leaders.add(number + 1)
        self.leaders = sorted(n for n in leaders if n < len(self.linear.items))
        self.number = {place: block for block, place in enumerate(self.leaders)}

    def block_of(self, label: int) -> int:
        """The block that a label stands at.  Raises VerifyError where nothing stands there: the generator never makes a
        function that ends without a ``return``."""
        found = self.number.get(self.linear.places[label])
        if found is None:
            raise VerifyError("refused by the verifier: an end without return")
        return found

    def layout(self) -> Layout:
        """Entry, handlers and locals."""
        handlers = {item.n: item.handler for item in self.linear.items if item.handler >= 0}
        targets = tuple(self.block_of(label) for _, label in self.linear.handlers)
        errors = tuple(error for error, _ in self.linear.handlers)
        return Layout(all_locals(self.function), self.block_of(self.entry_label), handlers, targets, errors)

    def tree(self, low: int, high: int) -> None:
        """A balanced tree of tests over the blocks low … high - 1."""
        if high - low == 1:
            self.block(low)
            return
        middle = (low + high) // 2
        self.line(f"if pc < {middle}:", self.function.size)
        self.depth += 1
        self.tree(low, middle)
        self.depth -= 1
        self.line("else:", self.function.size)
        self.depth += 1
        self.tree(middle, high)
        self.depth -= 1

    def block(self, number: int) -> None:
        """One block: straight-line code, then a jump."""
        start = self.leaders[number]
        end = self.leaders[number + 1] if number + 1 < len(self.leaders) else len(self.linear.items)
        self.current.clear()
        for item in self.linear.items[start:end]:
            if item.node is not None:
                self.op(item.node)
            else:
                self.jump(item, number)
        self.flush()
        if not self.linear.items[end - 1].jump or self.linear.items[end - 1].jump in ("branch", "next"):
            self.line(f"pc = {number + 1}", self.function.size)
        self.pending.clear()

    def jump(self, item: Item, number: int) -> None:
        """The end of a block."""
        if item.jump == "return":
            assert item.value is not None
            texts, first = self.take((item.value,), item.n)
            self.flush()
            self.line(self.return_line(texts[0]), first)
            return
        target = self.block_of(item.target) if self.linear.places[item.target] in self.number else -1
        if item.jump == "goto":
            self.flush()
            self.line(f"pc = {target}; continue", item.n)
        elif item.jump == "next":
            self.flush()
            # Python's own `for` leaves the iterator where a saved frame can read its position.
            self.line(f"for {item.names[0]} in {item.iterator}: break", item.n)
            self.line(f"else: pc = {target}; continue", item.n)
        else:
            assert item.value is not None
            text, at = self.truth(item.value, "any")
            self.flush()
            self.line(f"if not ({text}): pc = {target}; continue", item.n if at is None else at)


class GuardedBlocks(Guarded, Blocks):
    """Blocks of guarded templates."""


def resumable(
    function: ir.Function, names: NameTable, methods: RawMethods, entry: int, after: bool
) -> tuple[list[Line], Layout]:
    """The lines of the resumable shape and its layout.

    ``entry`` is the instruction to begin with; with ``after`` the one behind it (a call that has returned).
    """
    blocks = (GuardedBlocks if function.domain else Blocks)(function, names, methods, entry, after)
    layout = blocks.layout()
    size = function.size
    blocks.line("def r(_s):", size)
    blocks.depth = 1
    blocks.line(f"{', '.join(('pc', *layout.locals))}, = _s.values", size)
    handlers = blocks.linear.handlers
    if handlers:
        blocks.lines += [Line(1, "while True:", size), Line(2, "try:", size)]
    blocks.depth = 3 if handlers else 1
    blocks.line("while True:", size)
    blocks.depth += 1
    blocks.tree(0, len(blocks.leaders))
    if handlers:
        blocks.lines += [Line(2, "except Exception:", size), Line(3, "_x = _unwind(_s)", size)]
        blocks.lines.append(Line(2, "pc = _x[0]", size))
        for number, (error, _) in enumerate(handlers):
            blocks.lines.append(Line(2, f"if _x[1] == {number}: {error} = _x[2]", size))
        blocks.lines.append(Line(2, "_x = None", size))
    return blocks.lines, layout
