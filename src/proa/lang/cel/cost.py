"""What calls cost: ranges of sizes and costs, and the rules that functions are declared with.

A unit is about one selection of a field. A rule says both what a call did cost (`actual`, from the values) and what it
may cost (`estimate`, from what is known of their sizes before there are any); the numbers are upstream's, because they
decide which custom resource definitions are accepted. Not here: the walk over an expression (`estimate`), charging
while it runs (`planner`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from proa.lang.cel.errors import BudgetError
from proa.lang.cel.types import SCALARS, Type, unwrap_optional
from proa.lang.cel.values import LISTS, MAPS, charged_size, is_hosted

UNLIMITED = (1 << 64) - 1
LARGEST = 10_000_000
"""Nothing longer is made of strings and lists: making it would cost more than any evaluation may."""

LIST, MAP, STRUCT = 10, 30, 40
"""What making one costs."""
TRAVERSAL = 0.1
"""For each character of a string that is read once."""
REGEX = 0.25
"""For each character of a pattern, times the string's."""


class Range(NamedTuple):
    """The least and the most that a size or a cost can be; `UNLIMITED` stands for all beyond."""

    low: int
    high: int

    def plus(self, other: Range) -> Range:
        return Range(min(self.low + other.low, UNLIMITED), min(self.high + other.high, UNLIMITED))

    def times(self, other: Range) -> Range:
        return Range(min(self.low * other.low, UNLIMITED), min(self.high * other.high, UNLIMITED))

    def by(self, factor: float) -> Range:
        return Range(scaled(self.low, factor), scaled(self.high, factor))

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))


def exactly(number: int) -> Range:
    return Range(number, number)


ANY = Range(0, UNLIMITED)
ONE = exactly(1)


def scaled(number: int, factor: float) -> int:
    """The product rounded up, at most UNLIMITED."""
    product = float(number) * factor
    return UNLIMITED if product >= 2.0**64 else math.ceil(product)


def _read(length: int) -> int:
    """What reading so many characters costs."""
    return math.ceil(length * TRAVERSAL)


def scalar_size(of: Type) -> Range | None:
    """The size of values whose type fixes it."""
    inner, _ = unwrap_optional(of)
    return ONE if inner.kind in SCALARS else None


@dataclass(frozen=True, slots=True)
class Operand:
    """What is known of an operand before it has a value. literal: its value where it is a constant."""

    type: Type
    size: Range
    element_size: Range = ANY
    literal: Any = None


class Estimate(NamedTuple):
    """What a call may cost, and how large its result may be (None: not known from the call)."""

    cost: Range
    size: Range | None = None


class CallCost(Protocol):
    """A rule; operands begin with the receiver, if there is one."""

    def actual(self, operands: Sequence[Any], result: Any) -> int: ...

    def estimate(self, operands: Sequence[Operand]) -> Estimate: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same for every call."""

    cost: int = 1

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return self.cost

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        return Estimate(exactly(self.cost))


@dataclass(frozen=True, slots=True)
class Traversal:
    """One operand is read. sized: the result is as large as it."""

    operand: int = 0
    factor: float = TRAVERSAL
    sized: bool = False
    before: int | None = None
    """The operand that estimates look at, where upstream looks at another than when it runs."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return scaled(charged_size(operands[self.operand]), self.factor)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        size = operands[self.operand if self.before is None else self.before].size
        return Estimate(size.by(self.factor), size if self.sized else None)


@dataclass(frozen=True, slots=True)
class Resized:
    """A string is read and another one results, between `low` and `high` times as large, plus `more`."""

    low: float
    high: float
    more: int = 0

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return scaled(charged_size(operands[0]), TRAVERSAL)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        size = operands[0].size
        result = Range(int(size.low * self.low), scaled(size.high, self.high)).plus(exactly(self.more))
        return Estimate(size.by(TRAVERSAL), result)


@dataclass(frozen=True, slots=True)
class Match:
    """A pattern is searched in a string: the product of what each costs. parts: each character may be a part found."""

    parts: bool = False

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        text = scaled(1 + charged_size(operands[0]), TRAVERSAL)
        return text * scaled(charged_size(operands[1]), REGEX)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        text, pattern = operands[0].size, operands[1].size
        cost = text.plus(ONE).by(TRAVERSAL).times(pattern.by(REGEX))
        return Estimate(cost, Range(0, text.high) if self.parts else None)


@dataclass(frozen=True, slots=True)
class Contains:
    """A string is searched in another one."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return scaled(charged_size(operands[0]), TRAVERSAL) * scaled(charged_size(operands[1]), TRAVERSAL)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        return Estimate(operands[0].size.by(TRAVERSAL).times(operands[1].size.by(TRAVERSAL)))


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Both operands are copied, or for lists neither."""

    copied: bool = True

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return _read(charged_size(operands[0]) + charged_size(operands[1])) if self.copied else 1

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        size = operands[0].size.plus(operands[1].size)
        return Estimate(size.by(TRAVERSAL) if self.copied else ONE, size)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Read in step until the shorter one ends. Values of the embedding program compare at once."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        one, other = operands
        if type(one) is str and type(other) is str:
            return _read(min(len(one), len(other)))
        return 1 if is_hosted(one) else _read(min(charged_size(one), charged_size(other)))

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        one, other = operands[0].type, operands[1].type
        if one.kind == "opaque" and one.name != "optional_type" and one == other:
            most = operands[1].size.high
            return Estimate(Range(1, 1 if most == UNLIMITED else max(most, 1)).by(TRAVERSAL))
        most = min(operands[0].size.high, operands[1].size.high)
        return Estimate(Range(1 if most else 0, most).by(TRAVERSAL))


@dataclass(frozen=True, slots=True)
class WholeList:
    """Every element is looked at, strings character by character."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return tree_size(operands[0])

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        target = operands[0]
        if not target.type.parameters:
            return Estimate(target.size.by(TRAVERSAL))
        element = ONE
        if target.type.parameters[0].kind in ("string", "bytes"):
            element = element.plus(target.element_size.by(TRAVERSAL))
        return Estimate(target.size.times(element))


def tree_size(value: Any) -> int:
    """What reading a value with all that is in it costs."""
    if isinstance(value, (str, bytes)):
        return int(len(value) * TRAVERSAL)
    if isinstance(value, LISTS):
        return sum(map(tree_size, value))
    if isinstance(value, MAPS):
        return sum(tree_size(key) + tree_size(each) for key, each in value.items())
    return 1


def bounded(length: int) -> None:
    """Raises BudgetError for a result that would be too large to make."""
    if length > LARGEST:
        raise BudgetError("operation cancelled: actual cost limit exceeded")
