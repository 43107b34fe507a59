"""Lists taken as sets: `sets.contains`, `sets.equivalent`, `sets.intersects`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proa.lang.cel import values
from proa.lang.cel.cost import ONE, Estimate, Operand
from proa.lang.cel.functions import A, Library, function, overload
from proa.lang.cel.types import BOOL, list_of
from proa.lang.cel.values import charged_size


@dataclass(frozen=True, slots=True)
class _EachWithEach:
    """Every element of the one is compared with every element of the other, so many times."""

    times: int

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return 1 + charged_size(operands[0]) * charged_size(operands[1]) * self.times

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        return Estimate(operands[0].size.times(operands[1].size).by(self.times).plus(ONE))


def _in(element: Any, elements: Sequence[Any]) -> bool:
    return any(values.equal(element, each) for each in elements)


def _contains(elements: Sequence[Any], part: Sequence[Any]) -> bool:
    return all(_in(each, elements) for each in part)


def _equivalent(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return _contains(one, other) and _contains(other, one)


def _intersects(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return any(_in(each, other) for each in one)


_BOTH = (list_of(A), list_of(A))

SETS = Library(
    (
        function("sets.contains", overload("list_sets_contains_list", _BOTH, BOOL, _contains, _EachWithEach(1))),
        function("sets.equivalent", overload("list_sets_equivalent_list", _BOTH, BOOL, _equivalent, _EachWithEach(2))),
        function("sets.intersects", overload("list_sets_intersects_list", _BOTH, BOOL, _intersects, _EachWithEach(1))),
    )
)
