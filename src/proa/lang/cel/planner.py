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
from proa.lang.cel.macros import MAP_INSERT, NOT_STRICTLY_FALSE, TARGET
from proa.lang.cel.steps import EXCEEDED, Frame, Step
from proa.lang.cel.types import Type
from proa.lang.cel.values import MapValue

_CONVERSIONS = frozenset(
    ("bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"),
)
_ALTERNATIVES = ("optional_or_optional", "optional_orValue_value")
_PATHS = ("_[_]", "_[?_]", "_?_:_")


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

    def _plan(self, node: Node, *, inner: bool = False) -> Step:
        """inner: it is an index or a choice of a conditional, where upstream does not count the name it begins with."""
        known = self._constant(node)
        if known is not None:
            return steps.constant(known[0])
        match node:
            case Ident():
                return self._ident(node.name, 0 if inner else 1)
            case Select():
                return self._select(node, inner)
            case Call():
                return self._call(node, inner)
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

    # What is known before there are variables: nothing of it is charged

    def _constant(self, node: Node) -> tuple[Any] | None:
        match node:
            case Literal():
                return (node.value,)
            case Ident() | Select(qualified=str()) if (name := _name(node)) and name not in self._scope:
                return (self._constants[name],) if name in self._constants else None
            case CreateList() if not node.optional:
                elements = [self._constant(each) for each in node.elements]
                return None if None in elements else ([each[0] for each in elements if each],)
            case CreateMap():
                return self._constant_map(node)
            case Call() if node.function in _CONVERSIONS and len(node.operands) == 1:
                return self._converted(node)
            case _:
                return None

    def _constant_map(self, node: CreateMap) -> tuple[Any] | None:
        found: dict[Any, Any] = {}
        for each in node.entries:
            key, value = each.key and self._constant(each.key), self._constant(each.value)
            if not key or not value or each.optional or values.find(found, key[0]) is not values.MISSING:
                return None
            found[key[0]] = value[0]
        return (found,)

    def _converted(self, node: Call) -> tuple[Any] | None:
        known = self._constant(node.operands[0])
        if known is None:
            return None
        try:
            return (steps.function(node.overloads, [steps.constant(known[0])], None)(Frame({}, 0, 0)),)
        except EvaluationError as error:
            raise InstantiationError(f"program instantiation failed: {error}") from None

    # Names and selections

    def _ident(self, name: str, cost: int) -> Step:
        local = self._scope.get(name)
        if local is not None:
            place, stored = local
            if name == TARGET:
                cost = 0
            return steps.stored(place, cost) if stored else steps.local(place, cost)
        self.names.add(name)
        return steps.variable(name, cost)

    def _base(self, node: Node, inner: bool) -> Step:
        """What something is selected of; what is no name itself counts as one."""
        step = self._plan(node, inner=inner)
        return step if inner or _is_name(node) else steps.also(step, 1)

    def _select(self, node: Select, inner: bool) -> Step:
        if node.qualified:
            return self._ident(node.qualified, 0 if inner else 1)
        operand, field = self._base(node.operand, inner), node.field
        if node.test:
            return lambda frame: values.has(operand(frame), field)
        if node.optional:
            return steps.selected(values.select_optional, operand, field)
        return steps.field(operand, field)

    # Calls

    def _call(self, node: Call, inner: bool) -> Step:
        match node.function:
            case "_?_:_":
                condition, then, otherwise = node.args
                branches = (self._plan(each, inner=True) for each in (then, otherwise))
                return steps.conditional(self._plan(condition), *branches)
            case "_[_]" | "_[?_]":
                of = values.index if node.function == "_[_]" else values.index_optional
                return steps.indexed(of, self._base(node.args[0], inner), self._plan(node.args[1], inner=True))
            case "@in" if (among := self._constant(node.args[1])) and all(map(_is_primitive, among[0])):
                return steps.member(self._plan(node.args[0]), among[0])
            case "or" | "orValue" if node.overloads and node.overloads[0].id in _ALTERNATIVES:
                return steps.alternative(*map(self._plan, node.operands), unwrap=node.function == "orValue")
        operands = [self._plan(each) for each in node.operands]
        match node.function:
            case "_&&_":
                return steps.logical(operands[0], operands[1], decisive=False)
            case "_||_":
                return steps.logical(operands[0], operands[1], decisive=True)
            case "_==_":
                return steps.equality(operands[0], operands[1], wanted=True)
            case "_!=_":
                return steps.equality(operands[0], operands[1], wanted=False)
            case name if name == NOT_STRICTLY_FALSE:
                return steps.not_strictly_false(operands[0])
            case _:
                _instantiate(node)
                rule = self._functions[node.function.removeprefix(".")].cost
                return steps.function(node.overloads, operands, rule)

    # Aggregates

    def _list(self, node: CreateList) -> Step:
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

        def made(frame: Frame) -> Any:
            frame.cost += MAP
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
        if node.accumulator == TARGET:
            return steps.seen_twice(initial, accumulator, result)

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
            return None if then is None else steps.conditional(condition, then, steps.stored(accumulator, 0))
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


def _name(node: Ident | Select) -> str:
    return node.name if isinstance(node, Ident) else node.qualified


def _is_name(node: Node) -> bool:
    """Whether selections and indices of it are one path with it."""
    return isinstance(node, (Ident, Select)) or (isinstance(node, Call) and node.function in _PATHS)


def _is_primitive(value: Any) -> bool:
    return type(value) in (bool, int, float, str) or isinstance(value, values.Uint)


def _is_true(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is True


def _is_false(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is False
