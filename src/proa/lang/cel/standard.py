"""The standard library of the language: operators, conversions, and the functions every environment has.

Source: the CEL language definition. Logic, equality and indices are done by the planner; here they only have their
types and costs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any

from proa.lang.cel import patterns, texts, types, values
from proa.lang.cel.cost import Comparison, Concatenation, Contains, Fixed, Match, Resized, Traversal
from proa.lang.cel.errors import BudgetError, EvaluationError
from proa.lang.cel.functions import A, B, Function, Library, Overload, function, member, overload
from proa.lang.cel.macros import MAP_INSERT, NOT_STRICTLY_FALSE
from proa.lang.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, Type, list_of, map_of
from proa.lang.cel.values import (
    INT_MAX,
    INT_MIN,
    SECOND,
    UINT_MAX,
    Duration,
    ListValue,
    Timestamp,
    Uint,
    checked_int,
    checked_uint,
)

LARGEST = 10_000_000
"""Nothing longer is made of strings and lists: making it would cost more than any evaluation may."""


def bounded(length: int) -> None:
    """Raises BudgetError for a result that would be too large to make."""
    if length > LARGEST:
        raise BudgetError("operation cancelled: actual cost limit exceeded")


def _planned(*arguments: Any) -> Any:
    raise AssertionError("evaluated by the planner")


# Arithmetic


def _divide(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("division by zero")
    quotient = abs(one) // abs(other)
    return checked_int(quotient if (one < 0) == (other < 0) else -quotient)


def _modulo(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("modulus by zero")
    return checked_int(int(math.copysign(1, one)) * (abs(one) % abs(other)))


def _divide_double(one: float, other: float) -> float:
    if other == 0:
        return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1, other)
    return one / other


def _unsigned(of: Callable[[int, int], int], zero: str = "") -> Callable[[Uint, Uint], Uint]:
    def applied(one: Uint, other: Uint) -> Uint:
        if zero and other == 0:
            raise EvaluationError(zero)
        return checked_uint(of(int(one), int(other)))

    return applied


def _signed(of: Callable[[int, int], int]) -> Callable[[int, int], int]:
    return lambda one, other: checked_int(of(one, other))


def _later(one: Timestamp | Duration, other: Timestamp | Duration) -> Timestamp:
    return Timestamp.of(one.nanos + other.nanos)


def _concatenated(one: Any, other: Any) -> Any:
    bounded(len(one) + len(other))
    return one + other


def _joined(one: Any, other: Any) -> Any:
    bounded(8 * (len(one) + len(other)))
    return one.joined(other) if isinstance(one, ListValue) else [*one, *other]


def _both(name: str, of: Type, implementation: Callable[[Any, Any], Any]) -> Overload:
    return overload(f"{name}_{of}", (of, of), of, implementation)


_ARITHMETIC = (
    function(
        "_+_",
        overload("add_bytes", (BYTES, BYTES), BYTES, _concatenated, Concatenation()),
        _both("add", DOUBLE, operator.add),
        overload("add_duration_duration", (DURATION, DURATION), DURATION, lambda a, b: Duration.of(a.nanos + b.nanos)),
        overload("add_duration_timestamp", (DURATION, TIMESTAMP), TIMESTAMP, _later),
        overload("add_timestamp_duration", (TIMESTAMP, DURATION), TIMESTAMP, _later),
        _both("add", INT, _signed(operator.add)),
        overload("add_list", (list_of(A), list_of(A)), list_of(A), _joined, Concatenation(copied=False)),
        overload("add_string", (STRING, STRING), STRING, _concatenated, Concatenation()),
        _both("add", UINT, _unsigned(operator.add)),
    ),
    function(
        "_-_",
        _both("subtract", DOUBLE, operator.sub),
        overload(
            "subtract_duration_duration", (DURATION, DURATION), DURATION, lambda a, b: Duration.of(a.nanos - b.nanos)
        ),
        _both("subtract", INT, _signed(operator.sub)),
        overload(
            "subtract_timestamp_duration",
            (TIMESTAMP, DURATION),
            TIMESTAMP,
            lambda a, b: Timestamp.of(a.nanos - b.nanos),
        ),
        overload(
            "subtract_timestamp_timestamp",
            (TIMESTAMP, TIMESTAMP),
            DURATION,
            lambda a, b: Duration.of(a.nanos - b.nanos),
        ),
        _both("subtract", UINT, _unsigned(operator.sub)),
    ),
    function(
        "_*_",
        _both("multiply", DOUBLE, operator.mul),
        _both("multiply", INT, _signed(operator.mul)),
        _both("multiply", UINT, _unsigned(operator.mul)),
    ),
    function(
        "_/_",
        _both("divide", DOUBLE, _divide_double),
        _both("divide", INT, _divide),
        _both("divide", UINT, _unsigned(operator.floordiv, "division by zero")),
    ),
    function("_%_", _both("modulo", INT, _modulo), _both("modulo", UINT, _unsigned(operator.mod, "modulus by zero"))),
    function(
        "-_",
        overload("negate_double", (DOUBLE,), DOUBLE, operator.neg),
        overload("negate_int64", (INT,), INT, lambda a: checked_int(-a)),
    ),
)

# Logic, equality, order, containers


def _orders(name: str, decides: Callable[[int, int], bool]) -> Function:
    def implementation(one: Any, other: Any) -> bool:
        return decides(values.compare(one, other), 0)

    numbers = (INT, UINT, DOUBLE)
    pairs = [(a, b) for a in numbers for b in numbers]
    pairs += [(each, each) for each in (BOOL, STRING, BYTES, TIMESTAMP, DURATION)]
    return function(
        name,
        *(
            overload(f"{name}_{a}_{b}", (a, b), BOOL, implementation, Comparison() if a in (STRING, BYTES) else None)
            for a, b in pairs
        ),
    )


def _contained(element: Any, container: Any) -> bool:
    return any(values.equal(element, each) for each in container)


_RELATIONS = (
    function("_?_:_", overload("conditional", (BOOL, A, A), A, _planned)),
    function("_&&_", overload("logical_and", (BOOL, BOOL), BOOL, _planned)),
    function("_||_", overload("logical_or", (BOOL, BOOL), BOOL, _planned)),
    function("!_", overload("logical_not", (BOOL,), BOOL, operator.not_)),
    function(NOT_STRICTLY_FALSE, overload("not_strictly_false", (BOOL,), BOOL, _planned)),
    function("_==_", overload("equals", (A, A), BOOL, _planned, Comparison())),
    function("_!=_", overload("not_equals", (A, A), BOOL, _planned, Comparison())),
    _orders("_<_", operator.lt),
    _orders("_<=_", operator.le),
    _orders("_>_", operator.gt),
    _orders("_>=_", operator.ge),
    function(
        "_[_]",
        overload("index_list", (list_of(A), INT), A, _planned),
        overload("index_map", (map_of(A, B), A), B, _planned),
    ),
    function(
        "@in",
        overload("in_list", (A, list_of(A)), BOOL, _contained, Traversal(1, 1)),
        overload("in_map", (A, map_of(A, B)), BOOL, lambda a, b: values.find(b, a) is not values.MISSING),
    ),
    function(
        "size",
        *(
            made(f"{prefix}size_{each.kind}", (each,), INT, values.size)
            for made, prefix in ((overload, ""), (member, "member_"))
            for each in (BYTES, list_of(A), map_of(A, B), STRING)
        ),
    ),
    function(
        MAP_INSERT,
        overload("@mapInsert_map_key_value", (map_of(A, B), A, B), map_of(A, B), _planned),
        overload("@mapInsert_map_map", (map_of(A, B), map_of(A, B)), map_of(A, B), _planned),
    ),
)

# Conversions


def _failed(given: str, wanted: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from '{given}' to '{wanted}'")


def _int_of_text(text: str) -> int:
    number = _digits(text)
    if number is None or not INT_MIN <= number <= INT_MAX:
        raise _failed("string", "int")
    return number


def _uint_of_text(text: str) -> Uint:
    number = _digits(text)
    if number is None or not 0 <= number <= UINT_MAX or text[:1] in "+-":
        raise _failed("string", "uint")
    return Uint(number)


def _digits(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 30 else None


def _double_of_text(text: str) -> float:
    try:
        if text.strip() != text or "_" in text:
            raise ValueError(text)
        number = float(text)
    except ValueError:
        raise _failed("string", "double") from None
    if math.isinf(number) and text.lstrip("+-").lower() not in ("inf", "infinity"):
        raise _failed("string", "double")
    return number


_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


def _bool_of_text(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise _failed("string", "bool")


def _int_of_double(number: float) -> int:
    # The largest int has no double of its own: the next double is out of range already.
    if math.isnan(number) or math.isinf(number) or not INT_MIN < number < float(INT_MAX):
        raise EvaluationError("integer overflow")
    return int(number)


def _uint_of_double(number: float) -> Uint:
    if math.isnan(number) or not 0 <= number < float(UINT_MAX):
        raise EvaluationError("unsigned integer overflow")
    return Uint(int(number))


def _text_of_bytes(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def _bytes_of_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _duration_of_text(text: str) -> Duration:
    found = texts.duration(text)
    if found is None:
        raise _failed("string", "google.protobuf.Duration")
    return found


def _instant_of_text(text: str) -> Timestamp:
    found = texts.instant(text)
    if found is None:
        raise _failed("string", "google.protobuf.Timestamp")
    return found


def _same(value: Any) -> Any:
    return value


def text_of(value: Any) -> str:
    """What `string(value)` gives for a scalar."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return texts.of_float(value)
        case bytes():
            return _text_of_bytes(value)
        case Timestamp():
            return texts.of_instant(value)
        case Duration():
            return texts.of_seconds(value)
        case Type():
            return types.runtime_name(value)
        case _:
            return str(value)


def _conversions(result: Type, *ways: tuple[Type, Callable[[Any], Any]]) -> Function:
    made = [overload(f"{given}_to_{result}", (given,), result, implementation) for given, implementation in ways]
    return function(result.name, *made)


_STRING_CONVERSIONS = function(
    "string",
    *(
        overload(f"{each}_to_string", (each,), STRING, text_of, Resized(0.25, 1) if each is BYTES else None)
        for each in (STRING, BOOL, BYTES, DOUBLE, DURATION, INT, TIMESTAMP, UINT)
    ),
)
_CONVERSIONS = (
    function("dyn", overload("to_dyn", (A,), DYN, _same)),
    function("type", overload("type", (A,), types.type_of(A), values.type_of, Fixed())),
    _conversions(BOOL, (BOOL, _same), (STRING, _bool_of_text)),
    function(
        "bytes",
        overload("bytes_to_bytes", (BYTES,), BYTES, _same),
        overload("string_to_bytes", (STRING,), BYTES, _bytes_of_text, Resized(1, 4)),
    ),
    _conversions(DOUBLE, (DOUBLE, _same), (INT, float), (STRING, _double_of_text), (UINT, float)),
    _conversions(DURATION, (DURATION, _same), (INT, lambda a: Duration.of(a * SECOND)), (STRING, _duration_of_text)),
    _conversions(
        INT,
        (INT, _same),
        (DOUBLE, _int_of_double),
        (DURATION, lambda a: a.nanos),
        (STRING, _int_of_text),
        (TIMESTAMP, lambda a: a.nanos // SECOND),
        (UINT, lambda a: checked_int(int(a))),
    ),
    _STRING_CONVERSIONS,
    _conversions(TIMESTAMP, (TIMESTAMP, _same), (INT, lambda a: Timestamp.of(a * SECOND)), (STRING, _instant_of_text)),
    _conversions(UINT, (UINT, _same), (DOUBLE, _uint_of_double), (INT, checked_uint), (STRING, _uint_of_text)),
)

# Strings and time

_STRINGS = (
    function("contains", member("contains_string", (STRING, STRING), BOOL, operator.contains, Contains())),
    function("endsWith", member("ends_with_string", (STRING, STRING), BOOL, str.endswith, Traversal(0, before=1))),
    function(
        "startsWith", member("starts_with_string", (STRING, STRING), BOOL, str.startswith, Traversal(0, before=1))
    ),
    function(
        "matches",
        overload("matches", (STRING, STRING), BOOL, patterns.matches, Match()),
        member("matches_string", (STRING, STRING), BOOL, patterns.matches, Match()),
    ),
)


def _part(name: str, of: Callable[[datetime], int], *others: Overload) -> Function:
    def plain(instant: Timestamp) -> int:
        return of(texts.local(instant, None))

    def zoned(instant: Timestamp, zone: str) -> int:
        return of(texts.local(instant, zone))

    return function(
        name,
        member(f"{name}_timestamp", (TIMESTAMP,), INT, plain),
        member(f"{name}_timestamp_zone", (TIMESTAMP, STRING), INT, zoned),
        *others,
    )


def _whole(unit: int, name: str) -> Overload:
    def implementation(duration: Duration) -> int:
        return int(math.copysign(abs(duration.nanos) // unit, duration.nanos))

    return member(f"{name}_duration", (DURATION,), INT, implementation)


def _milliseconds() -> Function:
    def of(instant: Timestamp, zone: str | None = None) -> int:
        texts.local(instant, zone)
        return instant.nanos % SECOND // 1_000_000

    def of_duration(duration: Duration) -> int:
        return int(math.copysign(abs(duration.nanos) // 1_000_000, duration.nanos))

    return function(
        "getMilliseconds",
        member("getMilliseconds_timestamp", (TIMESTAMP,), INT, of),
        member("getMilliseconds_timestamp_zone", (TIMESTAMP, STRING), INT, of),
        member("getMilliseconds_duration", (DURATION,), INT, of_duration),
    )


_TIMES = (
    _part("getFullYear", lambda moment: moment.year),
    _part("getMonth", lambda moment: moment.month - 1),
    _part("getDayOfYear", lambda moment: moment.timetuple().tm_yday - 1),
    _part("getDayOfMonth", lambda moment: moment.day - 1),
    _part("getDate", lambda moment: moment.day),
    _part("getDayOfWeek", lambda moment: moment.isoweekday() % 7),
    _part("getHours", lambda moment: moment.hour, _whole(3600 * SECOND, "getHours")),
    _part("getMinutes", lambda moment: moment.minute, _whole(60 * SECOND, "getMinutes")),
    _part("getSeconds", lambda moment: moment.second, _whole(SECOND, "getSeconds")),
    _milliseconds(),
)

STANDARD = Library(
    (*_ARITHMETIC, *_RELATIONS, *_CONVERSIONS, *_STRINGS, *_TIMES),
    {
        types.runtime_name(each): each
        for each in (
            BOOL, INT, UINT, DOUBLE, STRING, BYTES, types.NULL, TIMESTAMP, DURATION, list_of(DYN), map_of(DYN, DYN),
            types.type_of(DYN),
        )
    },
)  # fmt: skip


def _wrong_duration(text: str) -> str | None:
    return None if texts.duration(text) is not None else "invalid duration argument"


def _wrong_instant(text: str) -> str | None:
    try:
        found = texts.instant(text)
    except EvaluationError:
        found = None
    return None if found is not None else "invalid timestamp argument"


def _wrong_pattern(text: str) -> str | None:
    return None if patterns.is_valid(text) else "invalid matches argument"


LITERALS: dict[str, Callable[[str], str | None]] = {
    "duration": _wrong_duration,
    "timestamp": _wrong_instant,
    "matches": _wrong_pattern,
}
"""What is wrong with a constant argument, said when the expression is compiled."""
