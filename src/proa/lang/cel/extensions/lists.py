"""Lists made of lists: `slice`, `flatten`, `sort`, `sortBy`, `distinct`, `reverse`, `lists.range`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from proa.lang.cel import values
from proa.lang.cel.cost import LIST, TRAVERSAL, UNLIMITED, Estimate, Operand, Range, bounded, exactly
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import A, Library, Overload, function, member, overload
from proa.lang.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, list_of
from proa.lang.cel.values import LISTS, charged_size

_COMPARABLE = (INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES)
_CALL = 1


def _allocating(factor: float, size: Range) -> Estimate:
    return Estimate(size.by(factor).plus(exactly(_CALL + LIST)), size)


def _constant(operand: Operand, otherwise: int) -> int:
    return max(operand.literal, 0) if type(operand.literal) is int else otherwise


@dataclass(frozen=True, slots=True)
class _Made:
    """As much as the result is long. length: what is known of that before."""

    length: Callable[[Sequence[Operand]], Range]

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return charged_size(result) + _CALL + LIST

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        return _allocating(1, self.length(operands))


@dataclass(frozen=True, slots=True)
class _Flattened:
    """The list, so many times as it is deep."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        depth = operands[1] if len(operands) > 1 else 1
        return int(charged_size(operands[0]) * depth) + _CALL + LIST

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        depth = _constant(operands[1], UNLIMITED) if len(operands) > 1 else 1
        return _allocating(depth, operands[0].size)


@dataclass(frozen=True, slots=True)
class _Compared:
    """Every element of one operand with every other one. text: of a list of strings."""

    operand: int = 0
    text: bool = False

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        elements = operands[self.operand]
        size = charged_size(elements)
        return int(size * size * self._factor(size > 0 and isinstance(elements[0], (str, bytes)))) + _CALL + LIST

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        size = operands[self.operand].size
        return _allocating(self._factor(self.text), size.times(size))

    def _factor(self, text: bool) -> float:
        return 2.0 + (TRAVERSAL if text else 0)


def _slice(elements: Sequence[Any], start: int, end: int) -> list[Any]:
    call = f"cannot slice({start}, {end})"
    if start < 0 or end < 0:
        raise EvaluationError(f"{call}, negative indexes not supported")
    if start > end:
        raise EvaluationError(f"{call}, start index must be less than or equal to end index")
    if len(elements) < end:
        raise EvaluationError(f"{call}, list is length {len(elements)}")
    return list(elements[start:end])


def _flatten(elements: Sequence[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    flat: list[Any] = []
    for each in elements:
        if isinstance(each, LISTS) and depth > 0:
            flat.extend(_flatten(each, depth - 1))
        else:
            flat.append(each)
        bounded(8 * len(flat))
    return flat


def _range(length: int) -> list[int]:
    bounded(8 * length)
    return list(range(length))


def _distinct(elements: Sequence[Any]) -> list[Any]:
    bounded(len(elements) ** 2)
    found: list[Any] = []
    for each in elements:
        if not any(values.equal(each, other) for other in found):
            found.append(each)
    return found


def _sort_by(elements: Sequence[Any], keys: Sequence[Any]) -> list[Any]:
    if len(elements) != len(keys):
        raise EvaluationError(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, "
            f"but got {len(elements)} and {len(keys)} elements respectively"
        )
    if len({values.type_name(each) for each in keys}) > 1:
        raise EvaluationError("list elements must have the same type")

    def compared(one: int, other: int) -> int:
        return values.compare(keys[one], keys[other])

    return [elements[place] for place in sorted(range(len(keys)), key=cmp_to_key(compared))]


def _sort(elements: Sequence[Any]) -> list[Any]:
    return _sort_by(elements, elements)


def _slice_length(operands: Sequence[Operand]) -> Range:
    return exactly(max(_constant(operands[2], operands[0].size.high) - _constant(operands[1], 0), 0))


def _sorts() -> list[Overload]:
    return [
        member(f"list_{each}_sort", (list_of(each),), list_of(each), _sort, _Compared(0, each in (STRING, BYTES)))
        for each in _COMPARABLE
    ]


def _sorts_by() -> list[Overload]:
    return [
        member(
            f"list_{each}_sortByAssociatedKeys",
            (list_of(A), list_of(each)),
            list_of(A),
            _sort_by,
            _Compared(1, each in (STRING, BYTES)),
        )
        for each in _COMPARABLE
    ]


LISTS_LIBRARY = Library(
    (
        function("slice", member("list_slice", (list_of(A), INT, INT), list_of(A), _slice, _Made(_slice_length))),
        function(
            "flatten",
            member("list_flatten", (list_of(list_of(A)),), list_of(A), _flatten, _Flattened()),
            member("list_flatten_int", (list_of(DYN), INT), list_of(DYN), _flatten, _Flattened()),
        ),
        function("sort", *_sorts()),
        function("@sortByAssociatedKeys", *_sorts_by()),
        function(
            "lists.range",
            overload(
                "lists_range", (INT,), list_of(INT), _range, _Made(lambda each: exactly(_constant(each[0], UNLIMITED)))
            ),
        ),
        function(
            "reverse",
            member(
                "list_reverse",
                (list_of(A),),
                list_of(A),
                lambda each: list(each)[::-1],
                _Made(lambda each: each[0].size),
            ),
        ),
        function("distinct", member("list_distinct", (list_of(A),), list_of(A), _distinct, _Compared())),
    )
)
