"""Macros: calls that the parser replaces by what they stand for.

`has(a.b)` becomes a test, the quantifiers and transformations become folds (`ast.Comprehension`), `optMap` a
conditional. Added per number of arguments in the table below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from proa.lang.cel.ast import (
    ACCUMULATOR,
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    Ident,
    Literal,
    Node,
    Select,
)

NOT_STRICTLY_FALSE = "@not_strictly_false"
MAP_INSERT = "cel.@mapInsert"
TARGET = "@target"
"""What an optional is bound to that a macro looks at twice."""

_RESERVED_ACCUMULATORS = (ACCUMULATOR, "__result__")


class MacroError(Exception):
    """A macro whose arguments are not what it takes, at `offset`."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


Expander = Callable[[int, "Node | None", Sequence[Node]], "Node | None"]
"""What a call at an offset stands for; None: itself."""
MacroKey = tuple[str, int, bool]


def expand(
    offset: int, name: str, target: Node | None, args: Sequence[Node], more: Mapping[MacroKey, Expander]
) -> Node | None:
    """What the call stands for; None when it is no macro. more: macros that not everybody has. Raises MacroError."""
    key = (name, len(args), target is not None)
    expander = MACROS.get(key) or more.get(key)
    return None if expander is None else expander(offset, target, args)


def _has(offset: int, target: Node | None, args: Sequence[Node]) -> Node:
    (argument,) = args
    if not isinstance(argument, Select):
        raise MacroError(argument.offset, "invalid argument to has() macro")
    return Select(offset, argument.operand, argument.field, test=True)


def _variable(argument: Node, otherwise: str) -> str:
    if not isinstance(argument, Ident):
        raise MacroError(argument.offset, otherwise)
    if argument.name in _RESERVED_ACCUMULATORS:
        raise MacroError(argument.offset, "iteration variable overwrites accumulator variable")
    return argument.name


class _Fold:
    """The pieces that the folds are made of, all at the place of the call."""

    def __init__(self, offset: int, target: Node | None, args: Sequence[Node], variables: int, otherwise: str) -> None:
        assert target is not None
        self.offset = offset
        self.range = target
        self.names = [_variable(each, otherwise) for each in args[:variables]]
        if len(set(self.names)) < variables:
            raise MacroError(args[1].offset, f"duplicate variable name: {self.names[1]}")
        self.rest = args[variables:]

    @property
    def accumulator(self) -> Node:
        return Ident(self.offset, ACCUMULATOR)

    def literal(self, value: bool | int) -> Node:
        return Literal(self.offset, value)

    def call(self, function: str, *args: Node) -> Node:
        return Call(self.offset, function, args)

    def fold(self, initial: Node, condition: Node, step: Node, result: Node | None = None) -> Node:
        second = self.names[1] if len(self.names) > 1 else ""
        return Comprehension(
            self.offset, self.range, self.names[0], second, initial, condition, step, result or self.accumulator
        )

    def filtered(self, step: Node, condition: Node | None) -> Node:
        return step if condition is None else self.call("_?_:_", condition, step, self.accumulator)

    def collect(self, element: Node, condition: Node | None) -> Node:
        step = self.call("_+_", self.accumulator, CreateList(self.offset, [element]))
        return self.fold(CreateList(self.offset, []), self.literal(True), self.filtered(step, condition))

    def insert(self, entry: Sequence[Node], condition: Node | None) -> Node:
        step = self.call(MAP_INSERT, self.accumulator, *entry)
        return self.fold(CreateMap(self.offset, []), self.literal(True), self.filtered(step, condition))


_NOT_SIMPLE = "argument must be a simple name"
_NO_IDENTIFIER = "argument is not an identifier"


def _quantifier(variables: int, kind: str) -> Expander:
    def expander(offset: int, target: Node | None, args: Sequence[Node]) -> Node:
        pieces = _Fold(offset, target, args, variables, _NOT_SIMPLE)
        (predicate,) = pieces.rest
        accumulator = pieces.accumulator
        if kind == "all":
            condition = pieces.call(NOT_STRICTLY_FALSE, accumulator)
            return pieces.fold(pieces.literal(True), condition, pieces.call("_&&_", accumulator, predicate))
        if kind == "exists":
            condition = pieces.call(NOT_STRICTLY_FALSE, pieces.call("!_", accumulator))
            return pieces.fold(pieces.literal(False), condition, pieces.call("_||_", accumulator, predicate))
        counted = pieces.filtered(pieces.call("_+_", accumulator, pieces.literal(1)), predicate)
        result = pieces.call("_==_", accumulator, pieces.literal(1))
        return pieces.fold(pieces.literal(0), pieces.literal(True), counted, result)

    return expander


def _map(variables: int) -> Expander:
    def expander(offset: int, target: Node | None, args: Sequence[Node]) -> Node:
        pieces = _Fold(offset, target, args, variables, _NO_IDENTIFIER if variables == 1 else _NOT_SIMPLE)
        *condition, element = pieces.rest
        return pieces.collect(element, condition[0] if condition else None)

    return expander


def _filter(offset: int, target: Node | None, args: Sequence[Node]) -> Node:
    pieces = _Fold(offset, target, args, 1, _NO_IDENTIFIER)
    return pieces.collect(Ident(args[0].offset, pieces.names[0]), pieces.rest[0])


def _transform_map(offset: int, target: Node | None, args: Sequence[Node]) -> Node:
    pieces = _Fold(offset, target, args, 2, _NOT_SIMPLE)
    *condition, value = pieces.rest
    return pieces.insert([Ident(offset, pieces.names[0]), value], condition[0] if condition else None)


def _transform_map_entry(offset: int, target: Node | None, args: Sequence[Node]) -> Node:
    pieces = _Fold(offset, target, args, 2, _NOT_SIMPLE)
    *condition, entry = pieces.rest
    return pieces.insert([entry], condition[0] if condition else None)


def _bind(offset: int, name: str, value: Node, result: Node) -> Node:
    """`result` with a name for a value that is computed once: a fold over nothing."""
    empty = CreateList(offset, [])
    return Comprehension(
        offset, empty, "#unused", "", value, Literal(offset, False), Ident(offset, name), result, accumulator=name
    )


def _optional_map(flat: bool) -> Expander:
    name = "optFlatMap" if flat else "optMap"

    def expander(offset: int, target: Node | None, args: Sequence[Node]) -> Node:
        assert target is not None
        variable = _variable(args[0], f"{name}() variable name must be a simple identifier")
        receiver = Ident(offset, TARGET)
        mapped = _bind(offset, variable, Call(offset, "value", [], receiver), args[1])
        present = mapped if flat else Call(offset, "optional.of", [mapped])
        absent = Call(offset, "optional.none", [])
        choice = Call(offset, "_?_:_", [Call(offset, "hasValue", [], receiver), present, absent])
        return _bind(offset, receiver.name, target, choice)

    return expander


def _sort_by(offset: int, target: Node | None, args: Sequence[Node]) -> Node:
    assert target is not None
    receiver = Ident(offset, "@input")
    pieces = _Fold(offset, receiver, args, 1, "sortBy() variable name must be a simple identifier")
    keys = pieces.collect(pieces.rest[0], None)
    return _bind(offset, receiver.name, target, Call(offset, "@sortByAssociatedKeys", [keys], receiver))


def _bind_macro(offset: int, target: Node | None, args: Sequence[Node]) -> Node | None:
    """`cel.bind(name, value, result)`."""
    if not isinstance(target, Ident) or target.name != "cel":
        return None
    name = _variable(args[0], "cel.bind() variable names must be simple identifiers")
    return _bind(offset, name, args[1], args[2])


BINDINGS: Mapping[MacroKey, Expander] = {("bind", 3, True): _bind_macro}

MACROS: Mapping[MacroKey, Expander] = {
    ("has", 1, False): _has,
    ("all", 2, True): _quantifier(1, "all"),
    ("exists", 2, True): _quantifier(1, "exists"),
    ("exists_one", 2, True): _quantifier(1, "exists_one"),
    ("existsOne", 2, True): _quantifier(1, "exists_one"),
    ("all", 3, True): _quantifier(2, "all"),
    ("exists", 3, True): _quantifier(2, "exists"),
    ("exists_one", 3, True): _quantifier(2, "exists_one"),
    ("existsOne", 3, True): _quantifier(2, "exists_one"),
    ("map", 2, True): _map(1),
    ("map", 3, True): _map(1),
    ("filter", 2, True): _filter,
    ("transformList", 3, True): _map(2),
    ("transformList", 4, True): _map(2),
    ("transformMap", 3, True): _transform_map,
    ("transformMap", 4, True): _transform_map,
    ("transformMapEntry", 3, True): _transform_map_entry,
    ("transformMapEntry", 4, True): _transform_map_entry,
    ("optMap", 2, True): _optional_map(flat=False),
    ("optFlatMap", 2, True): _optional_map(flat=True),
    ("sortBy", 2, True): _sort_by,
}
