"""The standard library: operators, conversions, and the functions of strings and times that every environment has."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any

from proa.lang.cel import patterns, texts, types
from proa.lang.cel.conversions import CONVERSIONS
from proa.lang.cel.cost import Contains, Match, Traversal
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import Function, Library, Overload, function, member, overload
from proa.lang.cel.operators import ARITHMETIC, RELATIONS
from proa.lang.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, list_of, map_of
from proa.lang.cel.values import SECOND, Duration, Timestamp

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
    (*ARITHMETIC, *RELATIONS, *CONVERSIONS, *_STRINGS, *_TIMES),
    {
        types.runtime_name(each): each
        for each in (
            BOOL, INT, UINT, DOUBLE, STRING, BYTES, types.NULL, TIMESTAMP, DURATION, list_of(DYN), map_of(DYN, DYN),
            types.type_of(DYN),
        )
    },
)  # fmt: skip


def _wrong_duration(value: Any) -> str | None:
    return "invalid duration argument" if isinstance(value, str) and texts.duration(value) is None else None


def _wrong_instant(value: Any) -> str | None:
    try:
        found = texts.instant(value) if isinstance(value, str) else Timestamp.of(int(value) * SECOND)
    except EvaluationError:
        found = None
    return None if found is not None else "invalid timestamp argument"


def _wrong_pattern(value: Any) -> str | None:
    return "invalid matches argument" if isinstance(value, str) and not patterns.is_valid(value) else None


LITERALS: dict[str, Callable[[Any], str | None]] = {
    "duration": _wrong_duration,
    "timestamp": _wrong_instant,
    "matches": _wrong_pattern,
}
"""What is wrong with a constant argument, said when the expression is compiled."""
