"""The steps that plans are made of: closures over other steps, each of which charges the frame what it costs.

An error is an exception: `&&`, `||` and the quantifiers catch it and may still know the answer. Not here: which step a
node of the tree becomes (`planner`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from proa.lang.cel import values
from proa.lang.cel.cost import LIST, CallCost, Comparison
from proa.lang.cel.errors import BudgetError, EvaluationError, no_such_overload
from proa.lang.cel.functions import Overload, dispatch
from proa.lang.cel.values import NONE, Optional

EXCEEDED = "operation cancelled: actual cost limit exceeded"


class Frame:
    """One evaluation: what the variables are, what the folds are at, what it has cost."""

    __slots__ = ("cost", "limit", "locals", "variables")

    def __init__(self, variables: Mapping[str, Any], locals: int, limit: int) -> None:
        self.variables = variables
        self.locals: list[Any] = [None] * locals
        self.cost = 0
        self.limit = limit


Step = Callable[[Frame], Any]


def constant(value: Any) -> Step:
    return lambda frame: value


def also(step: Step, cost: int) -> Step:
    """The same for some more."""

    def also(frame: Frame) -> Any:
        frame.cost += cost
        return step(frame)

    return also


def variable(name: str, cost: int = 1) -> Step:
    def variable(frame: Frame) -> Any:
        frame.cost += cost
        try:
            return frame.variables[name]
        except KeyError:
            raise EvaluationError(f"no such attribute(s): {name}") from None

    return variable


def local(place: int, cost: int = 1) -> Step:
    def local(frame: Frame) -> Any:
        frame.cost += cost
        return frame.locals[place]

    return local


def stored(place: int, cost: int = 1) -> Step:
    """An accumulator, which may have become an error."""

    def stored(frame: Frame) -> Any:
        frame.cost += cost
        value = frame.locals[place]
        if isinstance(value, EvaluationError):
            raise value
        return value

    return stored


def logical(left: Step, right: Step, *, decisive: bool) -> Step:
    """`&&` (decided by false) and `||` (by true): either side may decide, even if the other one is an error."""

    def logical(frame: Frame) -> Any:
        try:
            one = left(frame)
        except EvaluationError as error:
            if right(frame) is decisive:
                return decisive
            raise error
        if one is decisive:
            return decisive
        other = right(frame)
        if other is decisive:
            return decisive
        if type(one) is not bool or type(other) is not bool:
            raise no_such_overload()
        return other

    return logical


def conditional(condition: Step, then: Step, otherwise: Step) -> Step:
    def conditional(frame: Frame) -> Any:
        decision = condition(frame)
        if decision is True:
            return then(frame)
        if decision is False:
            return otherwise(frame)
        raise no_such_overload()

    return conditional


_COMPARISON = Comparison()


def equality(left: Step, right: Step, *, wanted: bool) -> Step:
    equal, cost = values.equal, _COMPARISON.actual

    def equality(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        frame.cost += cost((one, other), None)
        return equal(one, other) is wanted

    return equality


def field(operand: Step, field: str) -> Step:
    select = values.select

    def selected(frame: Frame) -> Any:
        frame.cost += 1
        value = operand(frame)
        if type(value) is dict and field in value:
            return value[field]
        found = select(value, field)
        if found is NONE:
            frame.cost -= 1
        return found

    return selected


def selected(of: Callable[[Any, Any], Any], operand: Step, field: Any) -> Step:
    """What may be absent, which costs nothing then."""
    return indexed(of, operand, constant(field))


def indexed(of: Callable[[Any, Any], Any], operand: Step, index: Step) -> Step:
    def indexed(frame: Frame) -> Any:
        frame.cost += 1
        found = of(operand(frame), index(frame))
        if found is NONE:
            frame.cost -= 1
        return found

    return indexed


def member(operand: Step, among: Sequence[Any]) -> Step:
    """`in` with a list that is known, which upstream has made a set of: free."""
    texts = frozenset(each for each in among if type(each) is str)

    def member(frame: Frame) -> Any:
        value = operand(frame)
        return value in texts if type(value) is str else any(values.equal(value, each) for each in among)

    return member


def alternative(optional: Step, other: Step, *, unwrap: bool) -> Step:
    """`or` and `orValue`, which look at the other one only where there is no value."""

    def alternative(frame: Frame) -> Any:
        value = optional(frame)
        if not isinstance(value, Optional):
            raise no_such_overload()
        if value.present:
            return value.content if unwrap else value
        return other(frame)

    return alternative


def seen_twice(operand: Step, place: int, then: Step) -> Step:
    """Binds an optional. Upstream looks at it again for its value, if it has one."""

    def seen_twice(frame: Frame) -> Any:
        before = frame.cost
        value = operand(frame)
        if value is not NONE:
            frame.cost += frame.cost - before
        frame.locals[place] = value
        return then(frame)

    return seen_twice


def not_strictly_false(operand: Step) -> Step:
    def not_strictly_false(frame: Frame) -> Any:
        frame.cost += 1
        try:
            return operand(frame) is not False
        except EvaluationError:
            return True

    return not_strictly_false


def function(overloads: Sequence[Overload], operands: Sequence[Step], rule: CallCost | None) -> Step:
    only = overloads[0] if len(overloads) == 1 else None
    rule = rule or (only.cost if only else None)
    cost = rule.actual if rule else None
    if only is not None and len(operands) == 2:
        return _binary(only, operands[0], operands[1], cost)

    def called(frame: Frame) -> Any:
        arguments = [each(frame) for each in operands]
        chosen = only or dispatch(overloads, arguments)
        if only is not None and not only.accepts(arguments):
            raise no_such_overload()
        result = chosen.implementation(*arguments)
        frame.cost += cost(arguments, result) if cost else 1
        return result

    return called


def _binary(only: Overload, left: Step, right: Step, cost: Callable[[Sequence[Any], Any], int] | None) -> Step:
    """A function of two operands that is already chosen, as most operators are."""
    implementation = only.implementation
    checks = dict(only.checks)
    first, second = checks.get(0), checks.get(1)

    def called(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        if (first is not None and not first(one)) or (second is not None and not second(other)):
            raise no_such_overload()
        result = implementation(one, other)
        frame.cost += cost((one, other), result) if cost else 1
        return result

    return called


def quantifier(
    over: Step, walk: Callable[[Any], Iterator[Any]], predicate: Step, places: tuple[int, int], *, decisive: bool
) -> Step:
    """The fold of `all` (decided by false) and `exists` (by true), which is most of what there is to do quickly.

    An error counts only if no element decides.
    """
    first, second = places
    # The accumulator is read twice and tested, for `exists` also negated.
    turn = 4 if decisive else 3

    def quantifier(frame: Frame) -> Any:
        local, failure = frame.locals, None
        elements = walk(over(frame))
        for each in elements:
            if second >= 0:
                local[first], local[second] = each
            else:
                local[first] = each
            frame.cost += turn
            try:
                value = predicate(frame)
            except EvaluationError as error:
                failure = failure or error
            else:
                if value is decisive:
                    # The result is read, and the test made that ends the fold where it would go on.
                    frame.cost += 1 if next(elements, elements) is elements else turn
                    return decisive
                if type(value) is not bool:
                    failure = failure or no_such_overload()
            if frame.cost > frame.limit:
                raise BudgetError(EXCEEDED)
        frame.cost += 1
        if failure is not None:
            raise failure
        return not decisive

    return quantifier


def made(of: Callable[[], Any]) -> Step:
    return lambda frame: of()


def append(accumulator: int, element: Step) -> Step:
    def append(frame: Frame) -> Any:
        frame.cost += LIST + 2
        value = element(frame)
        into = frame.locals[accumulator]
        into.append(value)
        return into

    return append


def insert(accumulator: int, entry: Sequence[Step]) -> Step:
    def insert(frame: Frame) -> Any:
        frame.cost += 2
        parts = [each(frame) for each in entry]
        into = frame.locals[accumulator]
        for key, value in [parts] if len(parts) == 2 else parts[0].items():
            if values.find(into, key) is not values.MISSING:
                raise EvaluationError(f"insert failed: key {key} already exists")
            into[key] = value
        return into

    return insert


def unwrapped(value: Any) -> Optional:
    if not isinstance(value, Optional):
        raise EvaluationError(f"cannot initialize optional entry from non-optional value {value}")
    return value
