"""Agrees an expression with the types: what every node is, which overloads every call may mean.

Source: the type system of the CEL definition. Problems are collected, not raised, so that one answer names them all;
what is wrong becomes the error type, which goes with everything, so that one mistake is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proa.lang.cel import types
from proa.lang.cel.ast import (
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    CreateStruct,
    Entry,
    Ident,
    Literal,
    Node,
    Select,
)
from proa.lang.cel.errors import Issue
from proa.lang.cel.functions import Function, Overload
from proa.lang.cel.types import Bindings, Type
from proa.lang.cel.values import type_of

_MIXING = frozenset({"format"})
"""Functions whose arguments may be literals of mixed types."""


def check(
    tree: Node,
    variables: Mapping[str, Type],
    functions: Mapping[str, Function],
    literals: Mapping[str, Callable[[Any], str | None]],
) -> list[Issue]:
    """Writes types and overloads into the tree; gives what is wrong with it.

    literals: functions whose last argument, where it is written as a constant, is looked at right away.
    """
    checker = _Checker(variables, functions, literals)
    checker.visit(tree)
    if not checker.issues:
        checker.settle()
    return checker.issues


class _Checker:
    def __init__(
        self,
        variables: Mapping[str, Type],
        functions: Mapping[str, Function],
        literals: Mapping[str, Callable[[Any], str | None]],
    ) -> None:
        self.issues: list[Issue] = []
        self._scopes: list[Mapping[str, Type]] = [variables]
        self._functions = functions
        self._literals = literals
        self._bindings = Bindings()
        self._visited: list[Node] = []
        self._mixing = 0
        self._aggregates: list[CreateList | CreateMap] = []

    def settle(self) -> None:
        """Replace type parameters that stayed open by dyn, then look at what only the final types tell."""
        for node in self._visited:
            node.type = self._bindings.resolve(node.type, rest=types.DYN)
        for each in self._aggregates:
            self._one_type(each)

    def visit(self, node: Node) -> Type:
        match node:
            case Literal():
                found = type_of(node.value)
            case Ident():
                found = self._ident(node)
            case Select():
                found = self._select(node)
            case Call():
                found = self._call(node)
            case CreateList():
                found = self._list(node)
            case CreateMap():
                found = self._map(node)
            case CreateStruct():
                found = self._struct(node)
            case Comprehension():
                found = self._comprehension(node)
            case _:
                raise AssertionError(node)
        node.type = found
        self._visited.append(node)
        return found

    def _say(self, offset: int, message: str) -> Type:
        self.issues.append(Issue(offset, message))
        return types.ERROR

    def _mismatch(self, offset: int, expected: Type, actual: Type) -> Type:
        return self._say(offset, f"expected type '{self._shown(expected)}' but found '{self._shown(actual)}'")

    def _shown(self, of: Type) -> Type:
        return self._bindings.resolve(of)

    def _undeclared(self, offset: int, name: str) -> Type:
        return self._say(offset, f"undeclared reference to '{name}' (in container '')")

    def _lookup(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            found = scope.get(name)
            if found is not None:
                return found
        return None

    # Names

    def _ident(self, node: Ident) -> Type:
        node.name = node.name.removeprefix(".")
        return self._lookup(node.name) or self._undeclared(node.offset, node.name)

    def _select(self, node: Select) -> Type:
        if not node.test and not node.optional:
            name = _qualified_name(node)
            known = self._lookup(name) if name else None
            if known is not None:
                node.qualified = name
                return known
        operand = self._bindings.resolve(self.visit(node.operand))
        target, was_optional = types.unwrap_optional(operand)
        match target.kind:
            case "map":
                found = target.parameters[1]
            case "struct":
                found = target.fields.get(node.field) or self._say(node.offset, f"undefined field '{node.field}'")
            case "parameter":
                self._bindings.assign([(types.DYN, target)])
                found = types.DYN
            case _:
                if not types.is_dynamic(target):
                    self._say(node.offset, f"type '{target}' does not support field selection")
                found = types.DYN
        if node.test:
            return types.BOOL
        if was_optional or node.optional:
            found = types.optional_of(found)
        return self._bindings.resolve(found)

    # Calls

    def _call(self, node: Call) -> Type:
        mixing = node.function in _MIXING
        self._mixing += mixing
        try:
            return self._called(node)
        finally:
            self._mixing -= mixing

    def _called(self, node: Call) -> Type:
        for each in node.args:
            self.visit(each)
        function = None
        if node.target is not None:
            prefix = _qualified_name(node.target)
            function = self._functions.get(f"{prefix}.{node.function}") if prefix else None
            if function is not None:
                node.function, node.target = function.name, None
            else:
                self.visit(node.target)
        function = function or self._functions.get(node.function.removeprefix("."))
        if function is None:
            return self._undeclared(node.offset, node.function)
        found = self._resolve(node, function)
        if found.kind != "!error!":
            self._look_at_literal(node)
        return found

    def _resolve(self, node: Call, function: Function) -> Type:
        given = [each.type for each in node.operands]
        result: Type | None = None
        chosen: list[Overload] = []
        for each in function.overloads:
            if each.member != (node.target is not None) or len(each.parameters) != len(given):
                continue
            fresh = Bindings()
            fresh_names = {name: self._bindings.fresh() for name in sorted(each.type_parameters)}
            if fresh_names:
                fresh.assign([(value, types.parameter(name)) for name, value in fresh_names.items()])
            wanted = [fresh.resolve(one) for one in each.parameters] if fresh_names else each.parameters
            if not self._bindings.assign(zip(given, wanted, strict=True)):
                continue
            chosen.append(each)
            own = self._bindings.resolve(fresh.resolve(each.result) if fresh_names else each.result)
            if result is None:
                result = own
            elif not types.is_dynamic(result) and own != result:
                result = types.DYN
        if result is None:
            shown = types.signature(
                [self._bindings.resolve(one, rest=types.DYN) for one in given], node.target is not None
            )
            return self._say(node.offset, f"found no matching overload for '{function.name}' applied to '{shown}'")
        node.overloads = tuple(chosen)
        return result

    def _look_at_literal(self, node: Call) -> None:
        look = self._literals.get(node.function)
        argument = node.args[-1] if node.args else None
        if look is not None and isinstance(argument, Literal):
            wrong = look(argument.value)
            if wrong is not None:
                self._say(argument.offset, wrong)

    # Aggregates

    def _element(self, node: Node, optional: bool) -> Type:
        found = self.visit(node)
        if not optional:
            return found
        inner, was_optional = types.unwrap_optional(found)
        if not was_optional and not types.is_dynamic(inner):
            self._mismatch(node.offset, types.optional_of(inner), inner)
        return inner

    def _join(self, previous: Type | None, current: Type) -> Type:
        if previous is None:
            return current
        if self._bindings.assign([(previous, current)]):
            return self._bindings.most_general(previous, current)
        return types.DYN

    def _one_type(self, node: CreateList | CreateMap) -> None:
        """What is written into one literal has one type, unless it is there to be formatted."""
        if isinstance(node, CreateList):
            for each in _others([(each, place in node.optional) for place, each in enumerate(node.elements)])[:1]:
                self._mismatch(each.offset, _content(node.elements[0], 0 in node.optional), each.type)
            return
        for part in (
            [(each.key, False) for each in node.entries if each.key],
            [(each.value, each.optional) for each in node.entries],
        ):
            for each in _others(part):
                self._mismatch(each.offset, _content(*part[0]), each.type)

    def _remember(self, node: CreateList | CreateMap) -> None:
        if not self._mixing:
            self._aggregates.append(node)

    def _list(self, node: CreateList) -> Type:
        element: Type | None = None
        for place, each in enumerate(node.elements):
            element = self._join(element, self._element(each, place in node.optional))
        self._remember(node)
        return types.list_of(element or self._bindings.fresh())

    def _map(self, node: CreateMap) -> Type:
        key: Type | None = None
        value: Type | None = None
        for each in node.entries:
            assert each.key is not None
            key = self._join(key, self.visit(each.key))
            value = self._join(value, self._element(each.value, each.optional))
        self._remember(node)
        return types.map_of(key or self._bindings.fresh(), value or self._bindings.fresh())

    def _struct(self, node: CreateStruct) -> Type:
        node.name = node.name.removeprefix(".")
        known = self._lookup(node.name)
        if known is None:
            return self._undeclared(node.offset, node.name)
        if known.kind != "type":
            return self._say(node.offset, f"'{node.name}' is not a type")
        (made,) = known.parameters
        if made.kind != "struct" or not made.literal:
            return self._say(node.offset, f"'{node.name}' is not a message type")
        for each in node.entries:
            self._field(each, made)
        return made

    def _field(self, entry: Entry, made: Type) -> None:
        given = self._element(entry.value, entry.optional)
        wanted = made.fields.get(entry.name)
        if wanted is None:
            self._say(entry.offset, f"undefined field '{entry.name}'")
        elif not self._bindings.assign([(given, wanted)]):
            self._say(
                entry.offset,
                f"expected type of field '{entry.name}' is '{wanted}' but provided type is '{self._shown(given)}'",
            )

    # Folds

    def _comprehension(self, node: Comprehension) -> Type:
        range_type = self.visit(node.range)
        accumulator = self.visit(node.initial)
        element = self._variables(node, self._bindings.resolve(range_type))
        self._scopes.append({node.accumulator: accumulator})
        self._scopes.append(element)
        self._assert(node.condition, types.BOOL)
        self._assert(node.step, accumulator)
        self._scopes.pop()
        result = self.visit(node.result)
        self._scopes.pop()
        return self._bindings.resolve(result)

    def _variables(self, node: Comprehension, over: Type) -> dict[str, Type]:
        two = bool(node.variable2)
        first: Type
        second: Type = types.DYN
        match over.kind:
            case "list":
                first, second = (types.INT, over.parameters[0]) if two else (over.parameters[0], types.DYN)
            case "map":
                first, second = over.parameters
            case "dyn" | "!error!" | "parameter":
                self._bindings.assign([(types.DYN, over)])
                first = types.DYN
            case _:
                what = f"expression of type '{over}' cannot be range of a comprehension (must be list, map, or dynamic)"
                first = second = self._say(node.range.offset, what)
        return {node.variable: first, node.variable2: second} if two else {node.variable: first}

    def _assert(self, node: Node, wanted: Type) -> None:
        found = self.visit(node)
        if not self._bindings.assign([(found, wanted)]):
            self._mismatch(node.offset, wanted, found)


def _content(node: Node, optional: bool) -> Type:
    return types.unwrap_optional(node.type)[0] if optional else node.type


def _others(nodes: Sequence[tuple[Node, bool]]) -> list[Node]:
    """The nodes whose type is not that of the first one."""
    return [node for node, optional in nodes if _content(node, optional) != _content(*nodes[0])]


def _qualified_name(node: Node) -> str:
    """`a.b.c` of plain selections; else ''."""
    names: list[str] = []
    while isinstance(node, Select) and not node.test and not node.optional:
        names.append(node.field)
        node = node.operand
    if not isinstance(node, Ident):
        return ""
    return ".".join((node.name.removeprefix("."), *reversed(names)))
