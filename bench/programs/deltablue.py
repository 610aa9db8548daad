"""DeltaBlue: an incremental solver of one-way constraints, on a long chain and on a projection."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from bench.programs.som import Benchmark, IdentityDictionary, Vector, vector_with


class DeltaBlue(Benchmark):
    """Both tests, with ``inner`` as the number of constraints."""

    def inner_benchmark_loop(self, inner: int) -> bool:
        Planner.chain_test(inner)
        Planner.projection_test(inner)
        return True


class Plan(Vector):
    """Constraints in the order in which they are to be executed."""

    def __init__(self) -> None:
        super().__init__(15)

    def execute(self) -> None:
        self.for_each(lambda c: c.execute())


class Planner:
    """Keeps the graph solved while constraints come and go."""

    def __init__(self) -> None:
        self.current_mark = 1

    def incremental_add(self, c: Any) -> None:
        """Tries to satisfy ``c``, then whatever that overrode, until nothing is overridden."""
        mark = self.new_mark()
        overridden = c.satisfy(mark, self)
        while overridden is not None:
            overridden = overridden.satisfy(mark, self)

    def incremental_remove(self, c: Any) -> None:
        """Takes a satisfied constraint out and tries to satisfy those that it had kept down."""
        out = c.get_output()
        c.mark_unsatisfied()
        c.remove_from_graph()
        unsatisfied = self.remove_propagate_from(out)
        unsatisfied.for_each(self.incremental_add)

    def extract_plan_from_constraints(self, constraints: Vector) -> Plan:
        sources = Vector()

        def each(c: Any) -> None:
            if c.is_input() and c.is_satisfied():
                sources.append(c)

        constraints.for_each(each)
        return self.make_plan(sources)

    def make_plan(self, sources: Vector) -> Plan:
        """The constraints downstream of the sources, each after all that determine its inputs."""
        mark = self.new_mark()
        plan = Plan()
        todo = sources
        while not todo.is_empty():
            c = todo.remove_first()
            if c.get_output().mark != mark and c.inputs_known(mark):
                plan.append(c)
                c.get_output().mark = mark
                self.add_constraints_consuming_to(c.get_output(), todo)
        return plan

    def propagate_from(self, v: Any) -> None:
        todo = Vector()
        self.add_constraints_consuming_to(v, todo)
        while not todo.is_empty():
            c = todo.remove_first()
            c.execute()
            self.add_constraints_consuming_to(c.get_output(), todo)

    @staticmethod
    def add_constraints_consuming_to(v: Any, collection: Vector) -> None:
        determining = v.determined_by

        def each(c: Any) -> None:
            if c is not determining and c.is_satisfied():
                collection.append(c)

        v.constraints.for_each(each)

    def add_propagate(self, c: Any, mark: int) -> bool:
        """Recomputes all that is downstream of ``c``; false, with ``c`` taken out, when that is a cycle."""
        todo = vector_with(c)
        while not todo.is_empty():
            d = todo.remove_first()
            if d.get_output().mark == mark:
                self.incremental_remove(c)
                return False
            d.recalculate()
            self.add_constraints_consuming_to(d.get_output(), todo)
        return True

    def change(self, variable: Any, new_value: int) -> None:
        edit = EditConstraint(variable, PREFERRED, self)
        plan = self.extract_plan_from_constraints(vector_with(edit))
        for _ in range(10):
            variable.value = new_value
            plan.execute()
        edit.destroy_constraint(self)

    @staticmethod
    def constraints_consuming(v: Any, block: Callable[[Any], None]) -> None:
        determining = v.determined_by

        def each(c: Any) -> None:
            if c is not determining and c.is_satisfied():
                block(c)

        v.constraints.for_each(each)

    def new_mark(self) -> int:
        self.current_mark += 1
        return self.current_mark

    def remove_propagate_from(self, out: Any) -> Vector:
        """Recomputes all that is downstream of ``out``; the unsatisfied constraints there, strongest first."""
        unsatisfied = Vector()
        out.determined_by = None
        out.walk_strength = absolute_weakest
        out.stay = True
        todo = vector_with(out)
        while not todo.is_empty():
            v = todo.remove_first()

            def each(c: Any) -> None:
                if not c.is_satisfied():
                    unsatisfied.append(c)

            v.constraints.for_each(each)

            def recalculate(c: Any) -> None:
                c.recalculate()
                todo.append(c.get_output())

            self.constraints_consuming(v, recalculate)

        def compare(a: Any, b: Any) -> int:
            return -1 if a.strength.stronger(b.strength) else 1

        unsatisfied.sort(compare)
        return unsatisfied

    @staticmethod
    def chain_test(n: int) -> None:
        """A chain of ``n`` equalities that ends in a stay; an edit at its head is planned and run a hundred times."""
        planner = Planner()
        variables: list[Any] = [None] * (n + 1)
        for i in range(n + 1):
            variables[i] = Variable()
        for i in range(n):
            v1 = variables[i]
            v2 = variables[i + 1]
            EqualityConstraint(v1, v2, REQUIRED, planner)
        StayConstraint(variables[n], STRONG_DEFAULT, planner)
        edit = EditConstraint(variables[0], PREFERRED, planner)
        plan = planner.extract_plan_from_constraints(vector_with(edit))
        for i in range(100):
            variables[0].value = i
            plan.execute()
            if variables[n].value != i:
                raise ValueError("the chain test failed")
        edit.destroy_constraint(planner)

    @staticmethod
    def projection_test(n: int) -> None:
        """``n`` pairs tied by one scale and one offset, each of which is changed in turn."""
        planner = Planner()
        targets = Vector()
        scale = Variable(10)
        offset = Variable(1000)
        source: Any = None
        target: Any = None
        for i in range(1, n + 1):
            source = Variable(i)
            target = Variable(i)
            targets.append(target)
            StayConstraint(source, DEFAULT, planner)
            ScaleConstraint(source, scale, offset, target, REQUIRED, planner)

        planner.change(source, 17)
        if target.value != 1170:
            raise ValueError("projection test 1 failed")
        planner.change(target, 1050)
        if source.value != 5:
            raise ValueError("projection test 2 failed")
        planner.change(scale, 5)
        for i in range(n - 1):
            if targets.at(i).value != (i + 1) * 5 + 1000:
                raise ValueError("projection test 3 failed")
        planner.change(offset, 2000)
        for i in range(n - 1):
            if targets.at(i).value != (i + 1) * 5 + 2000:
                raise ValueError("projection test 4 failed")


class Symbol:
    """The name of a strength."""

    def __init__(self, hash_: int) -> None:
        self.hash = hash_

    def custom_hash(self) -> int:
        return self.hash


ABSOLUTE_STRONGEST = Symbol(0)
REQUIRED = Symbol(1)
STRONG_PREFERRED = Symbol(2)
PREFERRED = Symbol(3)
STRONG_DEFAULT = Symbol(4)
DEFAULT = Symbol(5)
WEAK_DEFAULT = Symbol(6)
ABSOLUTE_WEAKEST = Symbol(7)


class Strength:
    """How much a constraint matters; the lower its number the stronger it is."""

    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self.arithmetic_value = strength_table.at(symbol)

    def same_as(self, other: Strength) -> Any:
        return self.arithmetic_value == other.arithmetic_value

    def stronger(self, other: Strength) -> Any:
        return self.arithmetic_value < other.arithmetic_value

    def weaker(self, other: Strength) -> Any:
        return self.arithmetic_value > other.arithmetic_value

    def weakest(self, other: Strength) -> Strength:
        return other if other.weaker(self) else self

    @staticmethod
    def of(symbol: Symbol) -> Any:
        return strength_constants.at(symbol)


def create_strength_table() -> IdentityDictionary:
    table = IdentityDictionary()
    table.at_put(ABSOLUTE_STRONGEST, -10000)
    table.at_put(REQUIRED, -800)
    table.at_put(STRONG_PREFERRED, -600)
    table.at_put(PREFERRED, -400)
    table.at_put(STRONG_DEFAULT, -200)
    table.at_put(DEFAULT, 0)
    table.at_put(WEAK_DEFAULT, 500)
    table.at_put(ABSOLUTE_WEAKEST, 10000)
    return table


def create_strength_constants() -> IdentityDictionary:
    constants = IdentityDictionary()
    strength_table.get_keys().for_each(lambda key: constants.at_put(key, Strength(key)))
    return constants


strength_table = create_strength_table()
strength_constants = create_strength_constants()
absolute_weakest = Strength.of(ABSOLUTE_WEAKEST)
required = Strength.of(REQUIRED)


class Direction(Enum):
    """Which of a constraint's two variables is its output."""

    FORWARD = 1
    BACKWARD = 2


class AbstractConstraint:
    """A relation between variables that the planner maintains."""

    def __init__(self, strength: Symbol) -> None:
        self.strength = Strength.of(strength)

    def is_input(self) -> bool:
        """True for constraints that depend on the outside, such as the user's hand."""
        return False

    def is_satisfied(self) -> bool:
        raise NotImplementedError

    def add_constraint(self, planner: Planner) -> None:
        self.add_to_graph()
        planner.incremental_add(self)

    def add_to_graph(self) -> None:
        raise NotImplementedError

    def destroy_constraint(self, planner: Planner) -> None:
        if self.is_satisfied():
            planner.incremental_remove(self)
        self.remove_from_graph()

    def remove_from_graph(self) -> None:
        raise NotImplementedError

    def choose_method(self, mark: int) -> Any:
        raise NotImplementedError

    def inputs_do(self, block: Callable[[Any], Any]) -> None:
        raise NotImplementedError

    def inputs_has_one(self, block: Callable[[Any], bool]) -> bool:
        raise NotImplementedError

    def inputs_known(self, mark: int) -> bool:
        """True when each input is marked, stays, or is determined by nothing."""
        return not self.inputs_has_one(lambda v: not (v.mark == mark or v.stay or v.determined_by is None))

    def mark_unsatisfied(self) -> None:
        raise NotImplementedError

    def get_output(self) -> Any:
        raise NotImplementedError

    def satisfy(self, mark: int, planner: Planner) -> Any:
        """Enforces this constraint if it can be; the constraint that was overridden by it, or None."""
        self.choose_method(mark)
        if self.is_satisfied():

            def each(variable: Any) -> None:
                variable.mark = mark

            self.inputs_do(each)
            out = self.get_output()
            overridden = out.determined_by
            if overridden is not None:
                overridden.mark_unsatisfied()
            out.determined_by = self
            if not planner.add_propagate(self, mark):
                raise ValueError("the constraints form a cycle")
            out.mark = mark
        else:
            overridden = None
            if self.strength.same_as(required):
                raise ValueError("a required constraint cannot be satisfied")
        return overridden


class BinaryConstraint(AbstractConstraint):
    """A constraint with two possible outputs."""

    def __init__(self, v1: Any, v2: Any, strength: Symbol, _planner: Planner) -> None:
        super().__init__(strength)
        self.v1 = v1
        self.v2 = v2
        self.direction: Direction | None = None

    def is_satisfied(self) -> bool:
        return self.direction is not None

    def add_to_graph(self) -> None:
        self.v1.add_constraint(self)
        self.v2.add_constraint(self)
        self.direction = None

    def remove_from_graph(self) -> None:
        if self.v1 is not None:
            self.v1.remove_constraint(self)
        if self.v2 is not None:
            self.v2.remove_constraint(self)
        self.direction = None

    def choose_method(self, mark: int) -> Direction | None:
        """Away from the marked variable; with none marked, towards the weaker one; if it is weaker than this."""
        if self.v1.mark == mark:
            if self.v2.mark != mark and self.strength.stronger(self.v2.walk_strength):
                self.direction = Direction.FORWARD
                return self.direction
            self.direction = None
            return self.direction

        if self.v2.mark == mark:
            if self.v1.mark != mark and self.strength.stronger(self.v1.walk_strength):
                self.direction = Direction.BACKWARD
                return self.direction
            self.direction = None
            return self.direction

        if self.v1.walk_strength.weaker(self.v2.walk_strength):
            if self.strength.stronger(self.v1.walk_strength):
                self.direction = Direction.BACKWARD
                return self.direction
            self.direction = None
            return self.direction

        if self.strength.stronger(self.v2.walk_strength):
            self.direction = Direction.FORWARD
            return self.direction
        self.direction = None
        return self.direction

    def inputs_do(self, block: Callable[[Any], Any]) -> None:
        if self.direction is Direction.FORWARD:
            block(self.v1)
        else:
            block(self.v2)

    def inputs_has_one(self, block: Callable[[Any], bool]) -> bool:
        if self.direction is Direction.FORWARD:
            return block(self.v1)
        return block(self.v2)

    def mark_unsatisfied(self) -> None:
        self.direction = None

    def get_output(self) -> Any:
        return self.v2 if self.direction is Direction.FORWARD else self.v1

    def execute(self) -> None:
        raise NotImplementedError

    def recalculate(self) -> None:
        if self.direction is Direction.FORWARD:
            source = self.v1
            target = self.v2
        else:
            source = self.v2
            target = self.v1
        target.walk_strength = self.strength.weakest(source.walk_strength)
        target.stay = source.stay
        if target.stay:
            self.execute()


class UnaryConstraint(AbstractConstraint):
    """A constraint with one possible output."""

    def __init__(self, v: Any, strength: Symbol, planner: Planner) -> None:
        super().__init__(strength)
        self.output = v
        self.satisfied = False
        self.add_constraint(planner)

    def is_satisfied(self) -> bool:
        return self.satisfied

    def add_to_graph(self) -> None:
        self.output.add_constraint(self)
        self.satisfied = False

    def remove_from_graph(self) -> None:
        if self.output is not None:
            self.output.remove_constraint(self)
        self.satisfied = False

    def choose_method(self, mark: int) -> None:
        self.satisfied = self.output.mark != mark and self.strength.stronger(self.output.walk_strength)

    def execute(self) -> None:
        raise NotImplementedError

    def inputs_do(self, block: Callable[[Any], Any]) -> None:
        pass

    def inputs_has_one(self, block: Callable[[Any], bool]) -> bool:
        return False

    def mark_unsatisfied(self) -> None:
        self.satisfied = False

    def get_output(self) -> Any:
        return self.output

    def recalculate(self) -> None:
        self.output.walk_strength = self.strength
        self.output.stay = not self.is_input()
        if self.output.stay:
            self.execute()


class EditConstraint(UnaryConstraint):
    """Says that a variable is about to be changed from outside."""

    def is_input(self) -> bool:
        return True

    def execute(self) -> None:
        pass


class StayConstraint(UnaryConstraint):
    """Says that a variable should rather stay as it is."""

    def execute(self) -> None:
        pass


class EqualityConstraint(BinaryConstraint):
    """``v1 == v2``."""

    def __init__(self, v1: Any, v2: Any, strength: Symbol, planner: Planner) -> None:
        super().__init__(v1, v2, strength, planner)
        self.add_constraint(planner)

    def execute(self) -> None:
        if self.direction is Direction.FORWARD:
            self.v2.value = self.v1.value
        else:
            self.v1.value = self.v2.value


class ScaleConstraint(BinaryConstraint):
    """``v2 == v1 * scale + offset``; scale and offset are only read."""

    def __init__(self, source: Any, scale: Any, offset: Any, target: Any, strength: Symbol, planner: Planner) -> None:
        super().__init__(source, target, strength, planner)
        self.scale = scale
        self.offset = offset
        self.add_constraint(planner)

    def add_to_graph(self) -> None:
        self.v1.add_constraint(self)
        self.v2.add_constraint(self)
        self.scale.add_constraint(self)
        self.offset.add_constraint(self)
        self.direction = None

    def remove_from_graph(self) -> None:
        if self.v1 is not None:
            self.v1.remove_constraint(self)
        if self.v2 is not None:
            self.v2.remove_constraint(self)
        if self.scale is not None:
            self.scale.remove_constraint(self)
        if self.offset is not None:
            self.offset.remove_constraint(self)
        self.direction = None

    def execute(self) -> None:
        if self.direction is Direction.FORWARD:
            self.v2.value = self.v1.value * self.scale.value + self.offset.value
        else:
            self.v1.value = (self.v2.value - self.offset.value) / self.scale.value

    def inputs_do(self, block: Callable[[Any], Any]) -> None:
        if self.direction is Direction.FORWARD:
            block(self.v1)
            block(self.scale)
            block(self.offset)
        else:
            block(self.v2)
            block(self.scale)
            block(self.offset)

    def recalculate(self) -> None:
        if self.direction is Direction.FORWARD:
            source = self.v1
            target = self.v2
        else:
            target = self.v1
            source = self.v2
        target.walk_strength = self.strength.weakest(source.walk_strength)
        target.stay = source.stay and self.scale.stay and self.offset.stay
        if target.stay:
            self.execute()


class Variable:
    """A value, the constraints on it, and what the planner notes about it."""

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self.constraints = Vector(2)
        self.determined_by: Any = None
        self.mark = 0
        self.walk_strength = absolute_weakest
        self.stay = True

    def add_constraint(self, c: Any) -> None:
        self.constraints.append(c)

    def remove_constraint(self, c: Any) -> None:
        self.constraints.remove(c)
        if self.determined_by is c:
            self.determined_by = None


def benchmark(inner: int) -> bool:
    return DeltaBlue().inner_benchmark_loop(inner)
