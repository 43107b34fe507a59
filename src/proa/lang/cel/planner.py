"""Turns a checked tree into one function of a frame, which gives the value and adds up what it cost.

Each node becomes a closure over those of its children, so walking the tree is done once. An error is an exception:
`&&`, `||` and the quantifiers catch it and may still know the answer. Cost is charged as it arises; the limit is looked
at once in each turn of a fold and at the end, since nothing between them can run long. Not here: types (`checker`),
how costs come about (`cost`), functions (`standard`, `extensions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from proa.lang.cel import types, values
from proa.lang.cel.ast import (
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    CreateStruct,
    Ident,
    Literal,
    Node,
    Select,
)
from proa.lang.cel.cost import LIST, MAP, STRUCT, CallCost, Comparison
from proa.lang.cel.errors import BudgetError, EvaluationError, no_such_overload
from proa.lang.cel.functions import Function, Overload, dispatch
from proa.lang.cel.macros import MAP_INSERT, NOT_STRICTLY_FALSE
from proa.lang.cel.types import Type
from proa.lang.cel.values import MapValue, Optional

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


class StructValue(MapValue):
    """What a literal `Name{field: value}` makes."""

    __slots__ = ("_fields", "type")
    cel_type: ClassVar[Type] = types.struct("struct", {})

    def __init__(self, type: Type, fields: dict[str, Any]) -> None:
        self.type = type
        self._fields = fields

    def __getitem__(self, key: Any) -> Any:
        return self._fields[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Plan:
    """The step of a whole tree, how many local variables a frame has for it, and which variables it refers to."""

    def __init__(self, tree: Node, constants: Mapping[str, Any], functions: Mapping[str, Function]) -> None:
        self._constants = constants
        self._functions = functions
        self._scope: dict[str, tuple[int, bool]] = {}
        self.locals = 0
        self.names: set[str] = set()
        self.step = self._plan(tree)

    def _plan(self, node: Node) -> Step:
        match node:
            case Literal():
                return _constant(node.value)
            case Ident():
                return self._ident(node.name)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case CreateList():
                return self._list(node)
            case CreateMap():
                return self._map(node)
            case CreateStruct():
                return self._struct(node)
            case Comprehension():
                return self._fold(node)
            case _:
                raise AssertionError(node)

    # Names and selections

    def _ident(self, name: str) -> Step:
        local = self._scope.get(name)
        if local is not None:
            place, stored = local
            return _stored(place) if stored else _local(place)
        if name in self._constants:
            return _constant(self._constants[name], cost=1)
        self.names.add(name)
        return _variable(name)

    def _select(self, node: Select) -> Step:
        if node.qualified:
            return self._ident(node.qualified)
        operand, field = self._plan(node.operand), node.field
        if node.test:
            return lambda frame: values.has(operand(frame), field)
        if node.optional:

            def optional(frame: Frame) -> Any:
                frame.cost += 1
                return values.select_optional(operand(frame), field)

            return optional
        select = values.select

        def selected(frame: Frame) -> Any:
            frame.cost += 1
            value = operand(frame)
            if type(value) is dict and field in value:
                return value[field]
            return select(value, field)

        return selected

    # Calls

    def _call(self, node: Call) -> Step:
        operands = [self._plan(each) for each in node.operands]
        match node.function:
            case "_&&_":
                return _logical(operands[0], operands[1], decisive=False)
            case "_||_":
                return _logical(operands[0], operands[1], decisive=True)
            case "_?_:_":
                return _conditional(*operands)
            case "_==_":
                return _equality(operands[0], operands[1], wanted=True)
            case "_!=_":
                return _equality(operands[0], operands[1], wanted=False)
            case "_[_]":
                return _charged(values.index, operands[0], operands[1])
            case "_[?_]":
                return _charged(values.index_optional, operands[0], operands[1])
            case name if name == NOT_STRICTLY_FALSE:
                return _not_strictly_false(operands[0])
            case _:
                rule = self._functions[node.function.removeprefix(".")].cost
                return _function(node.overloads, operands, rule)

    # Aggregates

    def _list(self, node: CreateList) -> Step:
        if all(isinstance(each, Literal) for each in node.elements) and not node.optional:
            return _constant([each.value for each in node.elements if isinstance(each, Literal)], cost=LIST)
        elements = [self._plan(each) for each in node.elements]
        optional = node.optional

        def made(frame: Frame) -> Any:
            frame.cost += LIST
            if not optional:
                return [each(frame) for each in elements]
            found: list[Any] = []
            for place, each in enumerate(elements):
                value = each(frame)
                if place not in optional:
                    found.append(value)
                elif _unwrapped(value).present:
                    found.append(value.content)
            return found

        return made

    def _map(self, node: CreateMap) -> Step:
        entries = [(self._plan(each.key), self._plan(each.value), each.optional) for each in node.entries if each.key]

        def made(frame: Frame) -> Any:
            frame.cost += MAP
            found: dict[Any, Any] = {}
            for key, value, optional in entries:
                name, content = key(frame), value(frame)
                if optional:
                    if not _unwrapped(content).present:
                        continue
                    content = content.content
                if values.find(found, name) is not values.MISSING:
                    raise EvaluationError(f"Failed with repeated key: {name}")
                found[name] = content
            return found

        return made

    def _struct(self, node: CreateStruct) -> Step:
        of = node.type
        entries = [(each.name, self._plan(each.value), each.optional) for each in node.entries]

        def made(frame: Frame) -> Any:
            frame.cost += STRUCT
            fields: dict[str, Any] = {}
            for name, value, optional in entries:
                content = value(frame)
                if optional:
                    if not _unwrapped(content).present:
                        continue
                    content = content.content
                fields[name] = content
            return StructValue(of, fields)

        return made

    # Folds

    def _fold(self, node: Comprehension) -> Step:
        over = self._plan(node.range)
        initial = _fresh(node.initial) or self._plan(node.initial)
        outside = dict(self._scope)
        accumulator = self._declare(node.accumulator, stored=True)
        inside = dict(self._scope)
        first = self._declare(node.variable)
        second = self._declare(node.variable2) if node.variable2 else -1
        walk: Callable[[Any], Iterator[Any]] = values.entries if node.variable2 else values.keys_or_elements
        predicate = _quantified(node)
        if predicate is not None:
            quantified = _quantifier(
                over, walk, self._plan(predicate), (first, second), decisive=_is_false(node.initial)
            )
            self._scope = outside
            return quantified
        condition = None if _is_true(node.condition) else self._plan(node.condition)
        step = self._step(node, accumulator)
        self._scope = inside
        result = self._plan(node.result)
        self._scope = outside

        def folded(frame: Frame) -> Any:
            local = frame.locals
            elements = walk(over(frame))
            local[accumulator] = initial(frame)
            for each in elements:
                if second >= 0:
                    local[first], local[second] = each
                else:
                    local[first] = each
                if condition is None:
                    local[accumulator] = step(frame)
                else:
                    if condition(frame) is False:
                        break
                    try:
                        local[accumulator] = step(frame)
                    except EvaluationError as error:
                        local[accumulator] = error
                if frame.cost > frame.limit:
                    raise BudgetError(EXCEEDED)
            return result(frame)

        return folded

    def _declare(self, name: str, *, stored: bool = False) -> int:
        place = self.locals
        self.locals += 1
        self._scope[name] = place, stored
        return place

    def _step(self, node: Comprehension, accumulator: int) -> Step:
        return self._growing(node.step, node, accumulator) or self._plan(node.step)

    def _growing(self, step: Node, node: Comprehension, accumulator: int) -> Step | None:
        """A step that appends or inserts changes the list or map that the fold made itself, instead of copying it."""
        if not isinstance(step, Call) or _fresh(node.initial) is None:
            return None
        if step.function == "_?_:_":
            condition, then = self._plan(step.args[0]), self._growing(step.args[1], node, accumulator)
            return None if then is None else _conditional(condition, then, _stored(accumulator))
        if step.function == "_+_" and isinstance(step.args[1], CreateList):
            return _append(accumulator, self._plan(step.args[1].elements[0]))
        if step.function == MAP_INSERT:
            return _insert(accumulator, [self._plan(each) for each in step.args[1:]])
        return None


def _quantified(node: Comprehension) -> Node | None:
    """The predicate, where a fold is one that `all` or `exists` stands for."""
    step, initial = node.step, node.initial
    if not isinstance(step, Call) or not isinstance(initial, Literal) or not isinstance(step.args[0], Ident):
        return None
    wanted = {True: "_&&_", False: "_||_"}.get(initial.value) if isinstance(initial.value, bool) else None
    return step.args[1] if step.function == wanted and step.args[0].name == node.accumulator else None


def _quantifier(
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


def _constant(value: Any, cost: int = 0) -> Step:
    if not cost:
        return lambda frame: value

    def constant(frame: Frame) -> Any:
        frame.cost += cost
        return value

    return constant


def _variable(name: str) -> Step:
    def variable(frame: Frame) -> Any:
        frame.cost += 1
        try:
            return frame.variables[name]
        except KeyError:
            raise EvaluationError(f"no such attribute(s): {name}") from None

    return variable


def _local(place: int) -> Step:
    def local(frame: Frame) -> Any:
        frame.cost += 1
        return frame.locals[place]

    return local


def _stored(place: int) -> Step:
    """An accumulator, which may have become an error."""

    def stored(frame: Frame) -> Any:
        frame.cost += 1
        value = frame.locals[place]
        if isinstance(value, EvaluationError):
            raise value
        return value

    return stored


def _logical(left: Step, right: Step, *, decisive: bool) -> Step:
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


def _conditional(condition: Step, then: Step, otherwise: Step) -> Step:
    def conditional(frame: Frame) -> Any:
        decision = condition(frame)
        if decision is True:
            return then(frame)
        if decision is False:
            return otherwise(frame)
        raise no_such_overload()

    return conditional


_COMPARISON = Comparison()


def _equality(left: Step, right: Step, *, wanted: bool) -> Step:
    equal, cost = values.equal, _COMPARISON.actual

    def equality(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        frame.cost += cost((one, other), None)
        return equal(one, other) is wanted

    return equality


def _charged(of: Callable[[Any, Any], Any], left: Step, right: Step) -> Step:
    def charged(frame: Frame) -> Any:
        frame.cost += 1
        return of(left(frame), right(frame))

    return charged


def _not_strictly_false(operand: Step) -> Step:
    def not_strictly_false(frame: Frame) -> Any:
        frame.cost += 1
        try:
            return operand(frame) is not False
        except EvaluationError:
            return True

    return not_strictly_false


def _function(overloads: Sequence[Overload], operands: Sequence[Step], rule: CallCost | None) -> Step:
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


def _fresh(node: Node) -> Step | None:
    """Makes a new empty list or map where the node is an empty literal."""
    if isinstance(node, CreateList) and not node.elements:
        return _made(list, LIST)
    if isinstance(node, CreateMap) and not node.entries:
        return _made(dict, MAP)
    return None


def _made(of: Callable[[], Any], cost: int) -> Step:
    def made(frame: Frame) -> Any:
        frame.cost += cost
        return of()

    return made


def _append(accumulator: int, element: Step) -> Step:
    def append(frame: Frame) -> Any:
        frame.cost += LIST + 2
        value = element(frame)
        into = frame.locals[accumulator]
        into.append(value)
        return into

    return append


def _insert(accumulator: int, entry: Sequence[Step]) -> Step:
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


def _unwrapped(value: Any) -> Optional:
    if not isinstance(value, Optional):
        raise EvaluationError(f"cannot initialize optional entry from non-optional value {value}")
    return value


def _is_true(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is True


def _is_false(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is False
