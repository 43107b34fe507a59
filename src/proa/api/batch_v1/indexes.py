"""Sets of indexes as jobs write them: `1,3-5,7`, in increasing order.

Not here: computing with them (the job controller).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proa.base.errors import ProaError
from proa.machinery.fields import quoted


class IndexesError(ProaError, ValueError):
    """A text that is no set of indexes; the message says why."""


def intervals(text: str, completions: int) -> list[tuple[int, int]]:
    """The first and last index of each interval. Raises IndexesError."""
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        first, last = _interval(part, completions)
        if found and found[-1][1] >= first:
            raise IndexesError(f"non-increasing order, previous: {found[-1][1]}, current: {first}")
        found.append((first, last))
    return found


def count(text: str, completions: int) -> int:
    """How many indexes the text names. Raises IndexesError."""
    return sum(last - first + 1 for first, last in intervals(text, completions))


def overlap(one: str, other: str, completions: int) -> int | None:
    """The first index that both texts name; intervals that are none are passed over."""
    return next(
        (
            max(first, start)
            for first, last in _readable(one, completions)
            for start, end in _readable(other, completions)
            if first <= end and start <= last
        ),
        None,
    )


def _readable(text: str, completions: int) -> Iterator[tuple[int, int]]:
    for part in text.split(",") if text else ():
        try:
            yield _interval(part, completions)
        except IndexesError:
            continue


def _interval(part: str, completions: int) -> tuple[int, int]:
    limits = part.split("-")
    if len(limits) > 2:
        raise IndexesError(
            f"the fragment {quoted(part)} violates the requirement that an index interval can have at most two parts "
            "separated by '-'"
        )
    first, *rest = (_index(each, completions) for each in limits)
    if rest and first >= rest[0]:
        raise IndexesError(f"non-increasing order, previous: {first}, current: {rest[0]}")
    return first, rest[0] if rest else first


def _index(text: str, completions: int) -> int:
    if not re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        raise IndexesError(f"cannot convert string to integer for index: {quoted(text)}")
    if int(text) >= completions:
        raise IndexesError(f"too large index: {quoted(text)}")
    return int(text)
