"""The nodes of a parsed expression. The checker writes the type of each and the overloads of calls into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proa.lang.cel import types

if TYPE_CHECKING:
    from proa.lang.cel.functions import Overload

ACCUMULATOR = "@result"


class Node:
    """One step of an expression at `offset` in the source. depth: of the tree below it, itself included."""

    __slots__ = ("depth", "offset", "type")

    def __init__(self, offset: int, children: Sequence[Node] = ()) -> None:
        self.offset = offset
        self.type: types.Type = types.DYN
        self.depth: int = 1 + max((each.depth for each in children), default=0)


class Literal(Node):
    __slots__ = ("value",)

    def __init__(self, offset: int, value: Any) -> None:
        super().__init__(offset)
        self.value = value


class Ident(Node):
    __slots__ = ("name",)

    def __init__(self, offset: int, name: str) -> None:
        super().__init__(offset)
        self.name = name


class Select(Node):
    """`operand.field`. test: `has(operand.field)`. optional: `operand.?field`.

    qualified: the checker found the whole to be the name of a variable.
    """

    __slots__ = ("field", "operand", "optional", "qualified", "test")

    def __init__(self, offset: int, operand: Node, field: str, *, test: bool = False, optional: bool = False) -> None:
        super().__init__(offset, (operand,))
        self.operand = operand
        self.field = field
        self.test = test
        self.optional = optional
        self.qualified = ""


class Call(Node):
    """A function or an operator. The checker clears `target` when it is only the first part of the function's name."""

    __slots__ = ("args", "function", "overloads", "target")

    def __init__(self, offset: int, function: str, args: Sequence[Node], target: Node | None = None) -> None:
        super().__init__(offset, args if target is None else (target, *args))
        self.function = function
        self.target = target
        self.args = tuple(args)
        self.overloads: tuple[Overload, ...] = ()

    @property
    def operands(self) -> tuple[Node, ...]:
        return self.args if self.target is None else (self.target, *self.args)


class CreateList(Node):
    """optional: the positions written `?element`."""

    __slots__ = ("elements", "optional")

    def __init__(self, offset: int, elements: Sequence[Node], optional: frozenset[int] = frozenset()) -> None:
        super().__init__(offset, elements)
        self.elements = tuple(elements)
        self.optional = optional


class Entry:
    """An entry of a map or a field of a struct. key: a node, or the field's name."""

    __slots__ = ("key", "name", "offset", "optional", "value")

    def __init__(self, offset: int, key: Node | None, name: str, value: Node, optional: bool) -> None:
        self.offset = offset
        self.key = key
        self.name = name
        self.value = value
        self.optional = optional


def _parts(entries: Sequence[Entry]) -> list[Node]:
    return [node for each in entries for node in (each.key, each.value) if node is not None]


class CreateMap(Node):
    __slots__ = ("entries",)

    def __init__(self, offset: int, entries: Sequence[Entry]) -> None:
        super().__init__(offset, _parts(entries))
        self.entries = tuple(entries)


class CreateStruct(Node):
    __slots__ = ("entries", "name")

    def __init__(self, offset: int, name: str, entries: Sequence[Entry]) -> None:
        super().__init__(offset, _parts(entries))
        self.name = name
        self.entries = tuple(entries)


class Comprehension(Node):
    """What the macros stand for: fold `step` over `range`, starting with `initial`, while `condition` holds."""

    __slots__ = ("accumulator", "condition", "initial", "range", "result", "step", "variable", "variable2")

    def __init__(
        self,
        offset: int,
        range: Node,
        variable: str,
        variable2: str,
        initial: Node,
        condition: Node,
        step: Node,
        result: Node,
        accumulator: str = ACCUMULATOR,
    ) -> None:
        super().__init__(offset, (range, initial, condition, step, result))
        self.range = range
        self.variable = variable
        self.variable2 = variable2
        self.accumulator = accumulator
        self.initial = initial
        self.condition = condition
        self.step = step
        self.result = result
