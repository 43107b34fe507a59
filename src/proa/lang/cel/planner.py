"""Turns a checked tree into one step over a frame, which gives the value and adds up what it cost.

Each node becomes a closure over those of its children (`steps`), so walking the tree is done once. Cost is charged as
it arises; the limit is looked at in each turn of a fold and at the end, since nothing between them can run long. Not
here: types (`checker`), how costs come about (`cost`), functions (`standard`, `extensions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from proa.lang.cel import patterns, steps, types, values
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
from proa.lang.cel.cost import LIST, MAP, STRUCT
from proa.lang.cel.errors import BudgetError, EvaluationError, InstantiationError
from proa.lang.cel.functions import Function
from proa.lang.cel.macros import MAP_INSERT, NOT_STRICTLY_FALSE
from proa.lang.cel.steps import EXCEEDED, Frame, Step
from proa.lang.cel.types import Type
from proa.lang.cel.values import MapValue


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
                return steps.constant(node.value)
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
            return steps.stored(place) if stored else steps.local(place)
        if name in self._constants:
            return steps.constant(self._constants[name], cost=1)
        self.names.add(name)
        return steps.variable(name)

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
                return steps.logical(operands[0], operands[1], decisive=False)
            case "_||_":
                return steps.logical(operands[0], operands[1], decisive=True)
            case "_?_:_":
                return steps.conditional(*operands)
            case "_==_":
                return steps.equality(operands[0], operands[1], wanted=True)
            case "_!=_":
                return steps.equality(operands[0], operands[1], wanted=False)
            case "_[_]":
                return steps.charged(values.index, operands[0], operands[1])
            case "_[?_]":
                return steps.charged(values.index_optional, operands[0], operands[1])
            case name if name == NOT_STRICTLY_FALSE:
                return steps.not_strictly_false(operands[0])
            case _:
                _instantiate(node)
                rule = self._functions[node.function.removeprefix(".")].cost
                return steps.function(node.overloads, operands, rule)

    # Aggregates

    def _list(self, node: CreateList) -> Step:
        if all(isinstance(each, Literal) for each in node.elements) and not node.optional:
            return steps.constant([each.value for each in node.elements if isinstance(each, Literal)])
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
                elif steps.unwrapped(value).present:
                    found.append(value.content)
            return found

        return made

    def _map(self, node: CreateMap) -> Step:
        entries = [(self._plan(each.key), self._plan(each.value), each.optional) for each in node.entries if each.key]
        constant = all(isinstance(each.key, Literal) and isinstance(each.value, Literal) for each in node.entries)
        cost = 0 if constant else MAP

        def made(frame: Frame) -> Any:
            frame.cost += cost
            found: dict[Any, Any] = {}
            for key, value, optional in entries:
                name, content = key(frame), value(frame)
                if optional:
                    if not steps.unwrapped(content).present:
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
                    if not steps.unwrapped(content).present:
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
            quantified = steps.quantifier(
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
            return None if then is None else steps.conditional(condition, then, steps.stored(accumulator))
        if step.function == "_+_" and isinstance(step.args[1], CreateList):
            return steps.append(accumulator, self._plan(step.args[1].elements[0]))
        if step.function == MAP_INSERT:
            return steps.insert(accumulator, [self._plan(each) for each in step.args[1:]])
        return None


def _instantiate(node: Call) -> None:
    """Raises InstantiationError for a constant that is no regular expression where one is wanted."""
    for overload in node.overloads:
        operand = node.operands[overload.pattern] if overload.pattern >= 0 else None
        if isinstance(operand, Literal) and isinstance(operand.value, str):
            try:
                patterns.compiled(operand.value)
            except EvaluationError as error:
                raise InstantiationError(f"program instantiation failed: {error}") from None


def _quantified(node: Comprehension) -> Node | None:
    """The predicate, where a fold is one that `all` or `exists` stands for."""
    step, initial = node.step, node.initial
    if not isinstance(step, Call) or not isinstance(initial, Literal) or not isinstance(step.args[0], Ident):
        return None
    wanted = {True: "_&&_", False: "_||_"}.get(initial.value) if isinstance(initial.value, bool) else None
    return step.args[1] if step.function == wanted and step.args[0].name == node.accumulator else None


def _fresh(node: Node) -> Step | None:
    """Makes a new empty list or map where the node is an empty literal."""
    if isinstance(node, CreateList) and not node.elements:
        return steps.made(list)
    if isinstance(node, CreateMap) and not node.entries:
        return steps.made(dict)
    return None


def _is_true(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is True


def _is_false(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is False
