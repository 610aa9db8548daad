"""Type inference inside one function: a forward pass over the structured IR.

The lattice is flat: a type, or ``any``.  ``num`` stands for Int, Float or Bool.  What is found is used only by the
direct shape, where a local changes by the function's own instructions alone; the resumable shape, whose locals may
have been changed by a debugger, starts from nothing.

A successful operation teaches something: behind ``a - b`` both are numbers, since anything else has left the direct
shape (see :mod:`holdfast.lang.direct`).
"""

from __future__ import annotations

from holdfast.lang import ir

ANY = "any"
NUMBERS = frozenset(("int", "float", "num", "bool"))
Env = dict[str, str]

_CONST = {int: "int", float: "float", bool: "bool", str: "text", bytes: "bytes", type(None): "nil"}
_BOOL_OPS = frozenset("lt le gt ge eq ne in notin isinst isnil not matches inrange islist isunset pairgone".split())
_MADE = {"list": "list", "map": "map", "text": "text", "range": "range", "closure": "fn", "alloc": "obj", "box": "box"}
_BUILTIN_RESULTS = {
    "b:len": "int",
    "b:Text": "text",
    "b:Float": "float",
    "b:Int": "int",
    "b:List": "list",
    "b:Map": "map",
}

TEXT_RESULTS = {
    **dict.fromkeys("upper lower trim replace repeat join slice title pad_start pad_end".split(), "text"),
    **dict.fromkeys("split lines chars".split(), "list"),
    **dict.fromkeys("starts_with ends_with contains".split(), "bool"),
}


def join(left: str, right: str) -> str:
    """The least type that covers both."""
    if left == right:
        return left
    if left in NUMBERS and right in NUMBERS:
        return "num"
    return ANY


def join_env(left: Env, right: Env) -> Env:
    """Locals known on both ways."""
    return {name: join(kind, right[name]) for name, kind in left.items() if name in right}


WORK_MAX = 2_000_000
"""Places where ways meet, times locals: a function above it (one arm of a match in ten thousand) gets no types."""


def too_large(body: list[ir.Node]) -> bool:
    """Would inference take too long?  Its work grows with the product."""
    ways, locals_ = 0, set[str | None]()
    for node in ir.walk(body):
        if isinstance(node, ir.Op):
            locals_.add(node.dst)
        else:
            ways += 1
    return ways * len(locals_) > WORK_MAX


class Inference:
    """Result: :attr:`operands`, instruction number to the types of its operands."""

    def __init__(self, function: ir.Function, failed: frozenset[int], truths: frozenset[str] = frozenset()) -> None:
        self.failed = failed
        self.truths = truths
        self.operands: dict[int, tuple[str, ...]] = {}
        self.breaks: list[list[Env]] = []
        self.continues: list[list[Env]] = []
        self.handlers: list[list[Env]] = []
        # A method of a class is only ever called with an instance; the functions of the prelude are no such methods.
        me = function.parameters[0].py if function.method and function.parameters else ""
        if not too_large(function.body):
            self.block(function.body, {me: "obj"} if me else {})

    def kind(self, env: Env, operand: ir.Operand) -> str:
        """The type of an operand."""
        if isinstance(operand, ir.Const):
            return _CONST[type(operand.value)]
        return env.get(operand, ANY)

    def block(self, nodes: list[ir.Node], env: Env | None) -> Env | None:
        """Types after the nodes; None when their end is not reached."""
        for node in nodes:
            if env is None:
                return None
            env = self.node(node, env)
        return env

    def node(self, node: ir.Node, env: Env) -> Env | None:
        """Types after one node."""
        match node:
            case ir.Op():
                return self.op(node, env)
            case ir.If():
                self.operands[node.n] = (self.kind(env, node.cond),)
                return self.merge(self.block(node.then, dict(env)), self.block(node.other, dict(env)))
            case ir.Logic():
                return self.logic(node, env)
            case ir.Loop() | ir.For():
                return self.loop(node, env)
            case ir.Try():
                return self.try_(node, env)
            case ir.Break():
                self.breaks[-1].append(env)
                return None
            case ir.Continue():
                self.continues[-1].append(env)
                return None
            case ir.Return():
                return None

    @staticmethod
    def merge(left: Env | None, right: Env | None) -> Env | None:
        """Two ways meet."""
        if left is None or right is None:
            return right if left is None else left
        return join_env(left, right)

    def logic(self, node: ir.Logic, env: Env) -> Env:
        """``and`` / ``or``: the left value, or the right one."""
        left = self.kind(env, node.left)
        inner = self.block(node.right, dict(env))
        right = self.kind(inner, node.result) if inner is not None else left
        self.operands[node.n] = (left, right)
        out = join_env(env, inner) if inner is not None else env
        out[node.dst] = "bool" if node.dst in self.truths else join(left, right)
        return out

    def loop(self, node: ir.Loop | ir.For, env: Env) -> Env | None:
        """Iterate until the types at the loop's head stand; they only grow, so that ends."""
        head = dict(env)
        changed = ir.assigned([node])
        while True:
            self.breaks.append([])
            self.continues.append([])
            start = dict(head)
            if isinstance(node, ir.For):
                for name in node.names:
                    start[name] = "int" if head.get(node.iterator) == "intiter" else ANY
            end = self.block(node.body, start)
            breaks, again = self.breaks.pop(), self.continues.pop()
            if isinstance(node, ir.Loop) and node.once:
                again, end = [], None
            new = head
            for back in [*again, *([end] if end is not None else [])]:
                new = join_env(new, back)
            stable = all(new.get(name) == head.get(name) for name in changed) and len(new) == len(head)
            if stable:
                break
            head = dict(new)
        exits = breaks + ([head] if isinstance(node, ir.For) else [])
        out: Env | None = None
        for one in exits:
            out = self.merge(out, one)
        return out

    def try_(self, node: ir.Try, env: Env) -> Env | None:
        """An error may come from anywhere inside: what the body assigns is unknown behind it."""
        end = self.block(node.body, dict(env))
        unknown = ir.assigned(node.body)
        failed = {name: kind for name, kind in env.items() if name not in unknown}
        failed[node.error] = "err"
        if end is not None:
            end[node.error] = "err"
        return self.merge(end, failed)

    def op(self, node: ir.Op, env: Env) -> Env | None:
        """Types after an operation."""
        kinds = tuple(self.kind(env, a) for a in node.args)
        old = self.operands.get(node.n)
        self.operands[node.n] = kinds if old is None else tuple(join(a, b) for a, b in zip(kinds, old, strict=True))
        if node.op in ("throw", "rethrow", "assert"):
            return None
        result = self.result(node, kinds)
        if node.n not in self.failed:
            self.learn(node, env)
        if node.dst is not None:
            env[node.dst] = result
        return env

    def learn(self, node: ir.Op, env: Env) -> None:
        """Operands of arithmetic are numbers behind it, unless one may be a Text or List."""
        kinds = self.operands[node.n]
        if node.op in ("sub", "div", "neg", "mul", "mod") or (
            node.op == "add" and not any(k in ("text", "list", "bytes") for k in kinds)
        ):
            for arg in node.args:
                if isinstance(arg, str) and env.get(arg, ANY) == ANY:
                    env[arg] = "num"

    def result(self, node: ir.Op, kinds: tuple[str, ...]) -> str:
        """The type that an operation gives."""
        op = node.op
        if op in _BOOL_OPS:
            return "bool"
        if op in _MADE:
            return _MADE[op]
        if op == "move":
            return kinds[0]
        if op == "restlist":
            return "list"
        if op == "iter":
            return "intiter" if kinds[0] == "range" else ANY
        if op == "callg":
            return _BUILTIN_RESULTS.get(node.data[0], ANY)
        if op == "callm" and kinds[0] == "text":
            return TEXT_RESULTS.get(node.data[0], ANY)
        if op == "spawn":
            return "obj"
        if op in ("add", "sub", "mul", "div", "fdiv", "mod", "neg"):
            return self.arithmetic(op, kinds, node.n in self.failed)
        return ANY

    @staticmethod
    def arithmetic(op: str, kinds: tuple[str, ...], failed: bool) -> str:
        """Numbers give numbers; Text + Text a Text."""
        integral = all(k in ("int", "bool") for k in kinds)
        if op == "div":
            return "float"  # of whatever numbers; nothing else divides
        if integral:
            return "int"
        if "float" in kinds and all(k in NUMBERS for k in kinds):
            return "float"
        if op == "add" and any(k in ("text", "list", "bytes") for k in kinds):
            return kinds[0] if kinds[0] != ANY else kinds[1]
        if op == "mul" and any(k in ("text", "list", "bytes") for k in kinds):
            return ANY
        if failed and not all(k in NUMBERS for k in kinds):
            return ANY
        return "num"
