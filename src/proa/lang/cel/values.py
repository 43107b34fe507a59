"""The values of expressions, and what holds for all of them: type, equality, order, size, access.

null, bool, int, double, string, bytes, list and map are Python's own, so plain JSON documents need no conversion.
Here are the rest: unsigned integers, timestamps, durations, optionals, and the two classes to derive from for values
that are shown as lists and maps without being Python's. Any other class may be a value if it names its type in
`cel_type`; it is equal to others as Python says. Not here: functions over values (`standard`, `extensions`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from proa.lang.cel import types
from proa.lang.cel.errors import EvaluationError, no_such_key, no_such_overload
from proa.lang.cel.types import Type

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
UINT_MAX = (1 << 64) - 1
SECOND = 1_000_000_000
# The years 1 to 9999, as the protobuf type has them.
_FIRST, _LAST = -62135596800 * SECOND, 253402300800 * SECOND - 1


class Uint(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """An instant, in nanoseconds since 1970. offset: of the zone it was written in, in seconds."""

    nanos: int
    offset: int = field(default=0, compare=False)
    cel_type: ClassVar[Type] = types.TIMESTAMP

    @classmethod
    def of(cls, nanos: int, offset: int = 0) -> Timestamp:
        """Raises EvaluationError outside the years 1 to 9999."""
        if not _FIRST <= nanos <= _LAST:
            raise EvaluationError("timestamp overflow")
        return cls(nanos, offset)

    @property
    def is_zero(self) -> bool:
        """Whether it is the beginning of the year 1, which stands for none."""
        return self.nanos == _FIRST


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds."""

    nanos: int
    cel_type: ClassVar[Type] = types.DURATION

    @classmethod
    def of(cls, nanos: int) -> Duration:
        """Raises EvaluationError beyond 64 bits."""
        if not INT_MIN <= nanos <= INT_MAX:
            raise EvaluationError("duration overflow")
        return cls(nanos)


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be absent. `NONE` is the absent one."""

    content: Any
    present: bool = True
    cel_type: ClassVar[Type] = types.optional_of(types.DYN)

    def value(self) -> Any:
        """Raises EvaluationError when it is absent."""
        if not self.present:
            raise EvaluationError("optional.none() dereference")
        return self.content


NONE = Optional(None, present=False)


class ListValue(Sequence[Any]):
    """Derive from it to show something as a list. What `==` says of two lists then is up to the class."""

    __slots__ = ()

    def joined(self, other: Sequence[Any]) -> Sequence[Any]:
        """`self + other`."""
        return [*self, *other]


class MapValue(Mapping[Any, Any]):
    """Derive from it to show something as a map or an object. `__getitem__` raises KeyError for what is not there."""

    __slots__ = ()


def is_hosted(value: Any) -> bool:
    """Whether it is a value of the embedding program, or one of the classes here."""
    return hasattr(value, "cel_type")


LISTS = (list, ListValue, tuple)
MAPS = (dict, MapValue)

_TYPES: dict[type, Type] = {
    bool: types.BOOL,
    int: types.INT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    type(None): types.NULL,
    Uint: types.UINT,
    list: types.list_of(types.DYN),
    tuple: types.list_of(types.DYN),
    dict: types.map_of(types.DYN, types.DYN),
    Type: types.type_of(types.DYN),
}
_NUMBERS = (int, float, Uint)


def type_of(value: Any) -> Type:
    """The type a value has at run time; what is inside of lists and maps is not looked at."""
    known = _TYPES.get(type(value))
    if known is not None:
        return known
    if isinstance(value, ListValue):
        return _TYPES[list]
    if isinstance(value, MapValue):
        return _TYPES[dict]
    if is_hosted(value):
        of: Type = value.cel_type
        return of
    raise EvaluationError(f"unsupported value: {type(value).__name__}")


def type_name(value: Any) -> str:
    return types.runtime_name(type_of(value))


def equal(one: Any, other: Any) -> bool:
    """Equality over all types: numbers by value, containers by content, different types are never equal."""
    kind, kind2 = type(one), type(other)
    if kind is kind2 and kind in (str, int, bool, bytes):
        return bool(one == other)
    if kind in _NUMBERS and kind2 in _NUMBERS:
        return bool(one == other)
    if isinstance(one, LISTS):
        if not isinstance(other, LISTS):
            return False
        if isinstance(one, ListValue) or isinstance(other, ListValue):
            return one == other if isinstance(one, ListValue) else other == one
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, MAPS):
        return (
            isinstance(other, MAPS)
            and len(one) == len(other)
            and all(_has_equal(other, key, value) for key, value in one.items())
        )
    if isinstance(one, Type):
        return isinstance(other, Type) and types.runtime_name(one) == types.runtime_name(other)
    if isinstance(one, Optional) and isinstance(other, Optional):
        return one.present == other.present and (not one.present or equal(one.content, other.content))
    return kind is kind2 and bool(one == other)


def _has_equal(container: Mapping[Any, Any], key: Any, value: Any) -> bool:
    found = find(container, key)
    return found is not MISSING and equal(value, found)


class _Missing:
    __slots__ = ()


MISSING: Any = _Missing()


def find(container: Mapping[Any, Any], key: Any) -> Any:
    """The value at a key, or MISSING. Numbers of different types are the same key if they are equal, booleans never."""
    if type(key) is str:
        return container.get(key, MISSING)
    if type(key) is bool or type(key) in _NUMBERS:
        if (container and any(type(each) is bool for each in container)) or type(key) is bool:
            for each, value in container.items():
                if equal(each, key):
                    return value
            return MISSING
        return container.get(key, MISSING)
    raise EvaluationError(f"unsupported key type: {type_name(key)}")


def compare(one: Any, other: Any) -> int:
    """-1, 0 or 1. Raises EvaluationError for values that have no order."""
    kind, kind2 = type(one), type(other)
    if kind in _NUMBERS and kind2 in _NUMBERS:
        if (kind is float and math.isnan(one)) or (kind2 is float and math.isnan(other)):
            raise EvaluationError("NaN values cannot be ordered")
    elif kind is not kind2 or kind not in (str, bool, bytes, Timestamp, Duration):
        raise no_such_overload()
    return int(one > other) - int(one < other)


def size(value: Any) -> int:
    """What `size()` says. Raises EvaluationError for values without one."""
    if isinstance(value, (str, bytes, *LISTS, *MAPS)):
        return len(value)
    raise no_such_overload()


def charged_size(value: Any) -> int:
    """The size that costs are computed from: 1 for what has none."""
    kind = type(value)
    if kind is str or kind is bytes or kind is list or kind is dict:
        return len(value)
    if isinstance(value, (ListValue, MapValue, tuple)):
        return len(value)
    if isinstance(value, Optional) and value.present:
        return charged_size(value.content)
    measured = getattr(value, "cel_size", None)
    return 1 if measured is None else int(measured)


def select(value: Any, field: str) -> Any:
    """`value.field`. Raises EvaluationError."""
    if isinstance(value, MAPS):
        try:
            return value[field]
        except KeyError:
            raise no_such_key(field) from None
    if isinstance(value, Optional):
        return select_optional(value, field)
    raise no_such_overload()


def has(value: Any, field: str) -> bool:
    """`has(value.field)`."""
    if isinstance(value, MAPS):
        return field in value
    if isinstance(value, Optional):
        return value.present and has(value.content, field)
    raise no_such_overload()


def select_optional(value: Any, field: str) -> Optional:
    """`value.?field`."""
    if isinstance(value, Optional):
        if not value.present:
            return NONE
        value = value.content
    if isinstance(value, MAPS):
        try:
            return Optional(value[field])
        except KeyError:
            return NONE
    raise no_such_overload()


def index(container: Any, key: Any) -> Any:
    """`container[key]`. Raises EvaluationError."""
    if isinstance(container, MAPS):
        found = find(container, key)
        if found is MISSING:
            raise no_such_key(key)
        return found
    if isinstance(container, LISTS):
        position = _position(key)
        if not 0 <= position < len(container):
            raise EvaluationError(f"index out of bounds: {position}")
        return container[position]
    if isinstance(container, Optional):
        return index_optional(container, key)
    raise no_such_overload()


def index_optional(container: Any, key: Any) -> Optional:
    """`container[?key]`."""
    if isinstance(container, Optional):
        if not container.present:
            return NONE
        container = container.content
    if isinstance(container, MAPS):
        found = find(container, key)
        return NONE if found is MISSING else Optional(found)
    if isinstance(container, LISTS):
        position = _position(key)
        return Optional(container[position]) if 0 <= position < len(container) else NONE
    raise no_such_overload()


def _position(key: Any) -> int:
    if type(key) in (int, Uint):
        return int(key)
    if type(key) is float and key.is_integer():
        return int(key)
    raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")


def keys_or_elements(value: Any) -> Iterator[Any]:
    """What a comprehension with one variable walks over."""
    if isinstance(value, (*LISTS, *MAPS)):
        return iter(value)
    raise no_such_overload()


def entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """What a comprehension with two variables walks over."""
    if isinstance(value, LISTS):
        return iter(enumerate(value))
    if isinstance(value, MAPS):
        return iter(value.items())
    raise no_such_overload()


def checked_int(number: int) -> int:
    """Raises EvaluationError beyond 64 bits."""
    if not INT_MIN <= number <= INT_MAX:
        raise EvaluationError("integer overflow")
    return number


def checked_uint(number: int) -> Uint:
    """Raises EvaluationError beyond 64 bits."""
    if not 0 <= number <= UINT_MAX:
        raise EvaluationError("unsigned integer overflow")
    return Uint(number)
