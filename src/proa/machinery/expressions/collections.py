"""What Kubernetes adds for lists and regular expressions: `isSorted`, `sum`, `min`, `max`, `indexOf`; `find`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from proa.lang.cel import patterns, values
from proa.lang.cel.cost import Match, WholeList
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import A, Library, Overload, function, member
from proa.lang.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
)
from proa.lang.cel.values import Duration, Uint, checked_int, checked_uint

_COMPARABLE = (INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES)
_WHOLE = WholeList()


def _is_sorted(elements: Sequence[Any]) -> bool:
    return all(values.compare(one, other) <= 0 for one, other in pairwise(elements))


def _best(name: str, sign: int) -> Callable[[Sequence[Any]], Any]:
    def best(elements: Sequence[Any]) -> Any:
        if not elements:
            raise EvaluationError(f"{name} called on empty list")
        found = elements[0]
        for each in elements:
            if values.compare(each, found) == sign:
                found = each
        return found

    return best


def _index_of(elements: Sequence[Any], wanted: Any) -> int:
    return next((place for place, each in enumerate(elements) if values.equal(each, wanted)), -1)


def _last_index_of(elements: Sequence[Any], wanted: Any) -> int:
    return next((place for place in reversed(range(len(elements))) if values.equal(elements[place], wanted)), -1)


_SUMS: tuple[tuple[Type, Callable[[Sequence[Any]], Any]], ...] = (
    (INT, lambda each: checked_int(sum(each))),
    (UINT, lambda each: checked_uint(sum(each)) if each else Uint(0)),
    (DOUBLE, lambda each: float(sum(each))),
    (DURATION, lambda each: Duration.of(sum(one.nanos for one in each))),
)


def _each(name: str, result: Callable[[Type], Type], implementation: Callable[[Sequence[Any]], Any]) -> list[Overload]:
    return [
        member(f"list_{each}_{name}_{result(each)}", (list_of(each),), result(each), implementation)
        for each in _COMPARABLE
    ]


LISTS = Library(
    (
        function("isSorted", *_each("is_sorted", lambda each: BOOL, _is_sorted), cost=_WHOLE),
        function(
            "sum", *(member(f"list_{each}_sum_{each}", (list_of(each),), each, of) for each, of in _SUMS), cost=_WHOLE
        ),
        function("max", *_each("max", lambda each: each, _best("max", 1)), cost=_WHOLE),
        function("min", *_each("min", lambda each: each, _best("min", -1)), cost=_WHOLE),
        function("indexOf", member("list_a_index_of_int", (list_of(A), A), INT, _index_of), cost=_WHOLE),
        function("lastIndexOf", member("list_a_last_index_of_int", (list_of(A), A), INT, _last_index_of), cost=_WHOLE),
    )
)

_MATCH = Match(parts=True)

REGEX = Library(
    (
        function("find", member("string_find_string", (STRING, STRING), STRING, patterns.find, pattern=1), cost=_MATCH),
        function(
            "findAll",
            member("string_find_all_string", (STRING, STRING), list_of(STRING), patterns.find_all, pattern=1),
            member("string_find_all_string_int", (STRING, STRING, INT), list_of(STRING), patterns.find_all, pattern=1),
            cost=_MATCH,
        ),
    )
)
