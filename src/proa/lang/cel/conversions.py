"""Conversions between types: `int('5')`, `string(1.5)`, `timestamp('...')`. Source: the CEL language definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from proa.lang.cel import texts, types, values
from proa.lang.cel.cost import Fixed, Resized
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import A, Function, function, overload
from proa.lang.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, Type
from proa.lang.cel.values import (
    INT_MAX,
    INT_MIN,
    SECOND,
    UINT_MAX,
    Duration,
    Timestamp,
    Uint,
    checked_int,
    checked_uint,
)


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
CONVERSIONS = (
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
