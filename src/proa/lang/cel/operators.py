"""Operators: arithmetic, order, equality, containers. Source: the CEL language definition.

Logic, equality and indices are done by the planner; here they only have their types and costs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from proa.lang.cel import values
from proa.lang.cel.cost import Comparison, Concatenation, Traversal, bounded
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import A, B, Function, Overload, function, member, overload
from proa.lang.cel.macros import MAP_INSERT, NOT_STRICTLY_FALSE
from proa.lang.cel.types import BOOL, BYTES, DOUBLE, DURATION, INT, STRING, TIMESTAMP, UINT, Type, list_of, map_of
from proa.lang.cel.values import Duration, ListValue, Timestamp, Uint, checked_int, checked_uint


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


ARITHMETIC = (
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


RELATIONS = (
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
