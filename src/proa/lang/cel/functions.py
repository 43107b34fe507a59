"""How functions are declared: overloads with types, an implementation, and a rule of cost.

Here: the declarations and libraries of them, and the check of arguments at run time. Not here: any function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proa.lang.cel import types
from proa.lang.cel.cost import CallCost
from proa.lang.cel.errors import no_such_overload
from proa.lang.cel.macros import Expander, MacroKey
from proa.lang.cel.types import Type
from proa.lang.cel.values import LISTS, MAPS, Optional, Uint, is_hosted

Accepts = Callable[[Any], bool]
Implementation = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function. member: written `parameters[0].name(...)`. cost: 1 without a rule.

    pattern: which parameter is a regular expression, to be looked at before the first call if it is constant; -1: none.
    """

    id: str
    parameters: tuple[Type, ...]
    result: Type
    implementation: Implementation
    member: bool = False
    cost: CallCost | None = None
    pattern: int = -1
    checks: tuple[tuple[int, Accepts], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks = ((place, acceptance(each)) for place, each in enumerate(self.parameters))
        object.__setattr__(self, "checks", tuple((place, accepts) for place, accepts in checks if accepts is not None))

    @property
    def type_parameters(self) -> frozenset[str]:
        return frozenset().union(*(_parameters(each) for each in (*self.parameters, self.result)))

    def accepts(self, arguments: Sequence[Any]) -> bool:
        """Whether values have the types this takes."""
        return len(arguments) == len(self.parameters) and all(
            accepts(arguments[place]) for place, accepts in self.checks
        )


@dataclass(frozen=True, slots=True)
class Function:
    """A name and its overloads. cost: a rule for all of them, even for a call whose overload only its values decide."""

    name: str
    overloads: tuple[Overload, ...]
    cost: CallCost | None = None

    def extended(self, other: Function) -> Function:
        return Function(self.name, (*self.overloads, *other.overloads), self.cost or other.cost)


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Functions, and the names of types, that come together. Each is itself, whatever it contains.

    family: finds types of which there are too many to name them. macros: by name, number of arguments, and whether
    there is a receiver.
    """

    functions: tuple[Function, ...]
    types: Mapping[str, Type] = field(default_factory=dict)
    family: Callable[[str], Type | None] | None = None
    macros: Mapping[MacroKey, Expander] = field(default_factory=dict)


def function(name: str, *overloads: Overload, cost: CallCost | None = None) -> Function:
    return Function(name, overloads, cost)


def overload(
    id: str, parameters: Sequence[Type], result: Type, implementation: Implementation, cost: CallCost | None = None
) -> Overload:
    """A function called `name(...)`."""
    return Overload(id, tuple(parameters), result, implementation, False, cost)


def member(
    id: str,
    parameters: Sequence[Type],
    result: Type,
    implementation: Implementation,
    cost: CallCost | None = None,
    *,
    pattern: int = -1,
) -> Overload:
    """A function called `receiver.name(...)`."""
    return Overload(id, tuple(parameters), result, implementation, True, cost, pattern)


def dispatch(overloads: Sequence[Overload], arguments: Sequence[Any]) -> Overload:
    """The first overload that takes such values. Raises EvaluationError."""
    for each in overloads:
        if each.accepts(arguments):
            return each
    raise no_such_overload()


_EXACT: dict[str, type] = {
    "bool": bool, "int": int, "uint": Uint, "double": float, "string": str, "bytes": bytes, "null": type(None),
}  # fmt: skip


def acceptance(wanted: Type) -> Accepts | None:
    """The check whether a value has a type, as far as it shows without looking inside; None if all have."""
    exact = _EXACT.get(wanted.kind)
    if exact is not None:
        return lambda value: type(value) is exact
    match wanted.kind:
        case "list":
            return lambda value: isinstance(value, LISTS)
        case "map":
            return lambda value: isinstance(value, MAPS)
        case "type":
            return lambda value: isinstance(value, Type)
        case "opaque" if wanted.name == "optional_type":
            return lambda value: isinstance(value, Optional)
        case "opaque" | "timestamp" | "duration" | "struct":
            return lambda value: is_hosted(value) and value.cel_type.name == wanted.name
        case _:
            return None


def _parameters(of: Type) -> frozenset[str]:
    if of.kind == "parameter":
        return frozenset({of.name})
    return frozenset().union(*(_parameters(each) for each in of.parameters))


A, B = types.parameter("A"), types.parameter("B")
"""The type parameters that declarations use."""
