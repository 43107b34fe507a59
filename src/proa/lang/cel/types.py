"""The types of the expression language, how they are written, and which fits where.

Here: `Type`, its constructors, and `Bindings`, which assigns types while it learns what the type parameters stand
for. Not here: values (`values`), which function takes which type (`functions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Type:
    """A type. kind: list, map, type, struct, opaque, parameter, or for all the others the name itself.

    A struct knows its fields; `literal` ones may be written in expressions, `Name{field: value}`.
    """

    kind: str
    name: str
    parameters: tuple[Type, ...] = ()
    fields: Mapping[str, Type] = field(default_factory=dict, compare=False, repr=False)
    literal: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(map(str, self.parameters))})"


def _simple(name: str) -> Type:
    return Type(name, name)


DYN = _simple("dyn")
ERROR = _simple("!error!")
NULL = Type("null", "null")
BOOL = _simple("bool")
INT = _simple("int")
UINT = _simple("uint")
DOUBLE = _simple("double")
STRING = _simple("string")
BYTES = _simple("bytes")
TIMESTAMP = _simple("timestamp")
DURATION = _simple("duration")

SCALARS = frozenset({"bool", "int", "uint", "double", "timestamp", "duration"})
"""Kinds whose values have a size that never varies."""

_RUNTIME_NAMES = {
    "null": "null_type",
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
}


def list_of(element: Type) -> Type:
    return Type("list", "list", (element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", "map", (key, value))


def type_of(instance: Type) -> Type:
    return Type("type", "type", (instance,))


def optional_of(value: Type) -> Type:
    return Type("opaque", "optional_type", (value,))


def opaque(name: str) -> Type:
    """The type of values that only their own functions look into."""
    return Type("opaque", name)


def struct(name: str, fields: Mapping[str, Type], *, literal: bool = False) -> Type:
    """An object with known fields. literal: expressions may write `name{field: value}`."""
    return Type("struct", name, (), fields, literal)


def parameter(name: str) -> Type:
    return Type("parameter", name)


def runtime_name(of: Type) -> str:
    """What `type(value)` prints."""
    return _RUNTIME_NAMES.get(of.kind, of.name)


def is_dynamic(of: Type) -> bool:
    return of.kind in ("dyn", "!error!")


def unwrap_optional(of: Type) -> tuple[Type, bool]:
    if of.kind == "opaque" and of.name == "optional_type":
        return of.parameters[0], True
    return of, False


def signature(arguments: Sequence[Type], member: bool) -> str:
    """The arguments as an error about overloads shows them."""
    texts = [str(each) for each in arguments]
    if member:
        return f"{texts[0]}.({', '.join(texts[1:])})"
    return f"({', '.join(texts)})"


class Bindings:
    """What type parameters stand for, learned as types are assigned to one another."""

    def __init__(self) -> None:
        self._known: dict[str, Type] = {}
        self._fresh = 0

    def fresh(self) -> Type:
        """A type parameter nobody has used."""
        self._fresh += 1
        return parameter(f"_var{self._fresh - 1}")

    def resolve(self, of: Type, *, rest: Type | None = None) -> Type:
        """The type with its parameters replaced by what is known; unknown ones by `rest` if that is given."""
        if of.kind == "parameter":
            known = self._known.get(of.name)
            if known is not None:
                return self.resolve(known, rest=rest)
            return of if rest is None else rest
        if not of.parameters:
            return of
        parameters = tuple(self.resolve(each, rest=rest) for each in of.parameters)
        return of if parameters == of.parameters else Type(of.kind, of.name, parameters, of.fields, of.literal)

    def assign(self, pairs: Iterable[tuple[Type, Type]]) -> bool:
        """Whether each first type may stand where the second is wanted; what that teaches is kept only if all may."""
        before = dict(self._known)
        if all(self._assign(given, wanted) for given, wanted in pairs):
            return True
        self._known = before
        return False

    def most_general(self, one: Type, other: Type) -> Type:
        """Of two types that go together, the one that says less."""
        return one if self._says_less(one, other) else other

    def _assign(self, given: Type, wanted: Type) -> bool:
        if wanted.kind == "parameter":
            return self._learn(wanted, given)
        if given.kind == "parameter":
            return self._learn(given, wanted)
        if is_dynamic(given) or is_dynamic(wanted):
            return True
        if given.kind == "null" or wanted.kind == "null":
            other = wanted if given.kind == "null" else given
            return other.kind in ("null", "struct", "opaque", "timestamp", "duration")
        if given.kind != wanted.kind:
            return False
        if given.kind == "type":
            return True
        if given.name != wanted.name or len(given.parameters) != len(wanted.parameters):
            return False
        return all(self._assign(a, b) for a, b in zip(given.parameters, wanted.parameters, strict=True))

    def _learn(self, unknown: Type, fits: Type) -> bool:
        if fits == unknown:
            return True
        known = self._known.get(unknown.name)
        if known is None:
            if self._mentions(fits, unknown):
                return False
            self._known[unknown.name] = fits
            return True
        if not self._assign(fits, known):
            return False
        general = self.most_general(self.resolve(fits), self.resolve(known))
        if not self._mentions(general, unknown):
            self._known[unknown.name] = general
        return True

    def _mentions(self, within: Type, unknown: Type) -> bool:
        if within.kind == "parameter":
            if within.name == unknown.name:
                return True
            known = self._known.get(within.name)
            return known is not None and self._mentions(known, unknown)
        return any(self._mentions(each, unknown) for each in within.parameters)

    def _says_less(self, one: Type, other: Type) -> bool:
        if is_dynamic(one) or one.kind == "parameter":
            return True
        if is_dynamic(other) or other.kind == "parameter":
            return False
        if one.kind == "null" or other.kind == "null":
            return other.kind == "null"
        if one.kind != other.kind or one.name != other.name or len(one.parameters) != len(other.parameters):
            return False
        return all(self._says_less(a, b) for a, b in zip(one.parameters, other.parameters, strict=True))
