"""What an expression may cost at most, before there are values: a walk over the checked tree.

Sizes come from literals, from what results of calls are known to be, and from a `Sizes` of the embedding program that
knows how large what lies at a path can be. Source: the estimator of the reference implementation, whose numbers decide
which rules may be stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from proa.lang.cel import types
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
from proa.lang.cel.cost import ANY, LIST, MAP, ONE, STRUCT, Estimate, Operand, Range, exactly, scalar_size
from proa.lang.cel.functions import Function, Overload
from proa.lang.cel.macros import TARGET
from proa.lang.cel.types import Type

Path = tuple[str, ...]
ITEMS, KEYS, VALUES, INDICES = "@items", "@keys", "@values", "@indices"


class Sizes(Protocol):
    """What is known of the values an expression will see."""

    def size(self, path: Path | None, of: Type) -> Range | None:
        """How large the value at a path may be: a variable's name, then fields, ITEMS, KEYS, VALUES."""


class UnknownSizes:
    """Nothing is known."""

    def size(self, path: Path | None, of: Type) -> Range | None:
        return None


@dataclass(frozen=True, slots=True)
class _Inner:
    """How large the keys and the elements of a list or map are."""

    kind: str
    key: Range
    value: Range

    def union(self, other: _Inner) -> _Inner:
        return _Inner(self.kind, self.key.union(other.key), self.value.union(other.value))


@dataclass(frozen=True, slots=True)
class _Local:
    path: Path | None
    size: Range | None
    inner: _Inner | None = None
    cost: Range = ONE


def estimate(tree: Node, functions: Mapping[str, Function], sizes: Sizes) -> Range:
    """The cost of a checked tree."""
    return _Walk(functions, sizes).cost(tree)


class _Walk:
    def __init__(self, functions: Mapping[str, Function], sizes: Sizes) -> None:
        self._functions = functions
        self._sizes = sizes
        self._scopes: list[dict[str, _Local]] = []
        self._paths: dict[int, Path | None] = {}
        self._known: dict[int, Range] = {}
        self._inner: dict[int, _Inner] = {}

    def cost(self, node: Node) -> Range:
        match node:
            case Literal():
                return exactly(0)
            case Ident():
                return self._ident(node, node.name)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case CreateList():
                return self._list(node)
            case CreateMap():
                return self._map(node)
            case CreateStruct():
                total = exactly(STRUCT)
                for each in node.entries:
                    total = total.plus(self.cost(each.value))
                return total
            case Comprehension():
                return self._bind(node) if _is_bind(node) else self._fold(node)
            case _:
                raise AssertionError(node)

    # Paths and sizes

    def _local(self, name: str) -> _Local | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def _path(self, node: Node) -> Path | None:
        if isinstance(node, Ident) and (local := self._local(node.name)) is not None:
            return local.path
        return self._paths.get(id(node))

    def _size(self, node: Node) -> Range | None:
        known = self._known.get(id(node))
        if known is not None:
            return known
        own = _literal_size(node)
        if own is not None:
            return own
        told = self._sizes.size(self._path(node) or None, node.type)
        if told is not None:
            self._known[id(node)] = told
            return told
        fixed = scalar_size(node.type)
        if fixed is not None:
            return fixed
        local = self._local(node.name) if isinstance(node, Ident) else None
        return local.size if local else None

    def _size_or_any(self, node: Node) -> Range:
        return self._size(node) or ANY

    def _inner_of(self, node: Node) -> _Inner | None:
        found = self._inner.get(id(node))
        if found is None and isinstance(node, Ident) and (local := self._local(node.name)) is not None:
            return local.inner
        return found

    def _operand(self, node: Node) -> Operand:
        element = ANY
        if node.type.parameters:
            path = self._path(node)
            told = self._sizes.size((*path, ITEMS), node.type.parameters[0]) if path else None
            element = told or ANY
        literal = node.value if isinstance(node, Literal) else None
        return Operand(node.type, self._size_or_any(node), element, literal)

    # Nodes

    def _ident(self, node: Node, name: str) -> Range:
        local = self._local(name)
        self._paths[id(node)] = local.path if local is not None else (name,)
        return local.cost if local is not None else ONE

    def _select(self, node: Select) -> Range:
        if node.qualified:
            return self._ident(node, node.qualified)
        total = self.cost(node.operand)
        if node.test:
            return total
        target, _ = types.unwrap_optional(node.operand.type)
        if target.kind in ("map", "struct", "parameter") or node.optional:
            total = total.plus(ONE)
        path = None if node.optional else self._path(node.operand)
        self._paths[id(node)] = None if path is None else (*path, node.field)
        return total

    def _list(self, node: CreateList) -> Range:
        total = exactly(LIST)
        sizes: Range | None = None
        for each in node.elements:
            total = total.plus(self.cost(each))
            size = self._size_or_any(each)
            sizes = size if sizes is None else sizes.union(size)
        self._inner[id(node)] = _Inner("list", ONE, sizes or exactly(0))
        return total

    def _map(self, node: CreateMap) -> Range:
        total = exactly(MAP)
        keys: Range | None = None
        contents: Range | None = None
        for each in node.entries:
            assert each.key is not None
            total = total.plus(self.cost(each.key)).plus(self.cost(each.value))
            key, content = self._size_or_any(each.key), self._size_or_any(each.value)
            keys = key if keys is None else keys.union(key)
            contents = content if contents is None else contents.union(content)
        self._inner[id(node)] = _Inner("map", keys or exactly(0), contents or exactly(0))
        return total

    def _call(self, node: Call) -> Range:
        costs = [self.cost(each) for each in node.operands]
        total = exactly(0)
        for each in costs:
            total = total.plus(each)
        match node.function:
            case "dyn":
                self._paths[id(node)] = self._path(node.args[0])
                return total.plus(ONE)
            case "_&&_" | "_||_":
                return Range(costs[0].low, total.high)
            case "_?_:_":
                return self._conditional(node, costs)
        found: Estimate | None = None
        for overload in node.overloads:
            one = self._overload(node, overload)
            if found is None:
                found = one
            else:
                size = one.size if found.size is None else found.size.union(one.size) if one.size else found.size
                found = Estimate(found.cost.union(one.cost), size)
        if found is None:
            return exactly(0)
        self._follow(node, found)
        return total.plus(found.cost)

    def _overload(self, node: Call, overload: Overload) -> Estimate:
        function = self._functions.get(node.function.removeprefix("."))
        rule = (function.cost if function else None) or overload.cost
        if rule is None:
            return Estimate(ONE)
        return rule.estimate([self._operand(each) for each in node.operands])

    def _follow(self, node: Call, found: Estimate) -> None:
        """Remember where the result lies and how large it is."""
        if node.function == "_[_]":
            inner = self._inner_of(node.args[0])
            if inner is not None:
                self._known[id(node)] = inner.value
            path = self._path(node.args[0])
            kind = node.args[0].type.kind
            if path is not None and kind in ("list", "map"):
                self._paths[id(node)] = (*path, ITEMS if kind == "list" else VALUES)
            return
        if node.function == "_+_":
            left, right = self._inner_of(node.args[0]), self._inner_of(node.args[1])
            if left is not None and right is not None:
                self._inner[id(node)] = left.union(right)
        if found.size is not None:
            self._known[id(node)] = found.size

    def _conditional(self, node: Call, costs: list[Range]) -> Range:
        _, then, otherwise = node.args
        self._known[id(node)] = self._size_or_any(then).union(self._size_or_any(otherwise))
        left, right = self._inner_of(then), self._inner_of(otherwise)
        if left is not None and right is not None:
            self._inner[id(node)] = left.union(right)
        return costs[0].plus(costs[1].union(costs[2]))

    # Folds

    def _fold(self, node: Comprehension) -> Range:
        total = self.cost(node.range).plus(self.cost(node.initial))
        accumulator = _Local(self._path(node.initial), self._size(node.initial), self._inner_of(node.initial))
        self._scopes.append({node.accumulator: accumulator})
        self._scopes.append(self._variables(node))
        turn = self.cost(node.condition).plus(self.cost(node.step))
        self._scopes.pop()
        total = total.plus(self.cost(node.result))
        self._scopes.pop()
        turns = self._size_or_any(node.range)
        if isinstance(node.initial, Literal):
            self._known[id(node)] = ONE
        elif isinstance(node.initial, (CreateList, CreateMap)):
            self._known[id(node)] = turns
            inner = self._inner_of(node.step)
            if inner is not None:
                self._inner[id(node)] = inner
        return total.plus(turns.times(turn))

    def _variables(self, node: Comprehension) -> dict[str, _Local]:
        inner, path = self._inner_of(node.range), self._path(node.range)
        kind = inner.kind if inner is not None else node.range.type.kind

        def below(step: str) -> Path | None:
            return (*(path or ()), step)

        key = _Local(below(INDICES if kind == "list" else KEYS), inner.key if inner else None)
        value = _Local(below(ITEMS if kind == "list" else VALUES), inner.value if inner else None)
        if node.variable2:
            return {node.variable: key, node.variable2: value}
        return {node.variable: value if kind == "list" else key}

    def _bind(self, node: Comprehension) -> Range:
        cost, total = self.cost(node.initial), self.cost(node.range)
        bound = _Local(self._path(node.initial), self._size(node.initial), self._inner_of(node.initial))
        if node.accumulator == TARGET:
            bound, total = replace(bound, cost=cost), exactly(0)
        else:
            total = total.plus(cost)
        self._scopes.append({node.accumulator: bound})
        total = total.plus(self.cost(node.result))
        size, inner = self._size(node.result), self._inner_of(node.result)
        self._scopes.pop()
        if size is not None:
            self._known[id(node)] = size
        if inner is not None:
            self._inner[id(node)] = inner
        return total


def _literal_size(node: Node) -> Range | None:
    match node:
        case Literal(value=str() | bytes()):
            return exactly(len(node.value))
        case Literal():
            return ONE
        case CreateList():
            return exactly(len(node.elements))
        case CreateMap():
            return exactly(len(node.entries))
        case _:
            return None


def _is_bind(node: Comprehension) -> bool:
    return isinstance(node.range, CreateList) and not node.range.elements and node.variable == "#unused"
