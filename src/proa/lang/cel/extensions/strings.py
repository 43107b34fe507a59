"""More about strings: positions, parts, replacing, joining, quoting. `format` is in `formatting`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proa.lang.cel.cost import TRAVERSAL, UNLIMITED, Estimate, Operand, Range, Resized, Traversal, bounded, scaled
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.extensions.formatting import formatted
from proa.lang.cel.functions import Library, function, member, overload
from proa.lang.cel.types import DYN, INT, STRING, list_of
from proa.lang.cel.values import charged_size

_TWICE = 2 * TRAVERSAL
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_QUOTED = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\",
    '"': '\\"',
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Replacing:
    """Read once, written once; how long the result can be depends on what replaces what."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return scaled(charged_size(operands[0]), _TWICE)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        size, old, new = (each.size for each in operands[:3])
        most, kept_most = _times(size.high, old.low, new.high, grows=new.high > old.low)
        least, kept_least = _times(size.low, old.high, new.low, grows=old.high > new.low)
        result = Range(least, most).times(new).plus(Range(kept_least, kept_most))
        return Estimate(size.by(_TWICE), result)


def _times(size: int, old: int, new: int, *, grows: bool) -> tuple[int, int]:
    """How often something is replaced, and how much of the string stays."""
    if old == 0:
        return min(size + 1, UNLIMITED), size
    return (math.ceil(size / old), 0) if grows else (0, size)


@dataclass(frozen=True, slots=True)
class _Splitting:
    """Read once, written once; at most one part for each character, or as many as asked for."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return scaled(charged_size(operands[0]), _TWICE)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        size = operands[0].size
        asked = operands[2].literal if len(operands) > 2 else None
        return Estimate(size.by(_TWICE), Range(0, asked % (1 << 64) if type(asked) is int else size.high))


@dataclass(frozen=True, slots=True)
class _Joining:
    """As long as the result: the elements, and separators between them."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return scaled(charged_size(result), _TWICE)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        count = operands[0].size
        size = count.times(operands[0].element_size)
        if len(operands) > 1:
            size = size.plus(operands[1].size.times(Range(max(count.low - 1, 0), max(count.high - 1, 0))))
        return Estimate(size.by(TRAVERSAL), size)


def _outside(place: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {place}")


def _char_at(text: str, place: int) -> str:
    if not 0 <= place <= len(text):
        raise _outside(place)
    return text[place : place + 1]


def _index_of(text: str, part: str, offset: int = 0) -> int:
    if not part:
        return offset
    if offset < 0:
        raise _outside(offset)
    return text.find(part, offset)


def _last_index_of(text: str, part: str, offset: int | None = None) -> int:
    if not part:
        return len(text) if offset is None else offset
    if offset is None:
        return text.rfind(part)
    if offset < 0:
        raise _outside(offset)
    return -1 if offset >= len(text) else text.rfind(part, 0, offset + len(part))


def _lower(text: str) -> str:
    return "".join(each.lower() if each.isascii() else each for each in text)


def _upper(text: str) -> str:
    return "".join(each.upper() if each.isascii() else each for each in text)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    times = text.count(old) if count < 0 else min(count, text.count(old))
    bounded(len(text) + times * max(len(new) - len(old), 0))
    return text.replace(old, new, -1 if count < 0 else count)


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator:
        return text.split(separator, -1 if count < 0 else count - 1)
    if count < 0 or count >= len(text):
        return list(text)
    return [*text[: count - 1], text[count - 1 :]]


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is not None and start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    if not 0 <= start <= len(text):
        raise _outside(start)
    if end is not None and end > len(text):
        raise _outside(end)
    return text[start:end]


def _trim(text: str) -> str:
    return text.strip(_SPACE)


def _join(parts: Sequence[Any], separator: str = "") -> str:
    for each in parts:
        if not isinstance(each, str):
            raise EvaluationError(f"join: invalid input: {each}")
    bounded(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def quote(text: str) -> str:
    """The text as a literal."""
    return f'"{"".join(_QUOTED.get(each, each) for each in text)}"'


_SIZED = Traversal(sized=True)
_STRINGS = list_of(STRING)

STRINGS = Library(
    (
        function("charAt", member("string_char_at_int", (STRING, INT), STRING, _char_at)),
        function(
            "indexOf",
            member("string_index_of_string", (STRING, STRING), INT, _index_of),
            member("string_index_of_string_int", (STRING, STRING, INT), INT, _index_of),
        ),
        function(
            "lastIndexOf",
            member("string_last_index_of_string", (STRING, STRING), INT, _last_index_of),
            member("string_last_index_of_string_int", (STRING, STRING, INT), INT, _last_index_of),
        ),
        function("lowerAscii", member("string_lower_ascii", (STRING,), STRING, _lower), cost=_SIZED),
        function("upperAscii", member("string_upper_ascii", (STRING,), STRING, _upper), cost=_SIZED),
        function(
            "replace",
            member("string_replace_string_string", (STRING, STRING, STRING), STRING, _replace),
            member("string_replace_string_string_int", (STRING, STRING, STRING, INT), STRING, _replace),
            cost=_Replacing(),
        ),
        function(
            "split",
            member("string_split_string", (STRING, STRING), _STRINGS, _split),
            member("string_split_string_int", (STRING, STRING, INT), _STRINGS, _split),
            cost=_Splitting(),
        ),
        function(
            "substring",
            member("string_substring_int", (STRING, INT), STRING, _substring),
            member("string_substring_int_int", (STRING, INT, INT), STRING, _substring),
            cost=_SIZED,
        ),
        function("trim", member("string_trim", (STRING,), STRING, _trim), cost=_SIZED),
        function("format", member("string_format", (STRING, list_of(DYN)), STRING, formatted, Traversal())),
        function("strings.quote", overload("strings_quote", (STRING,), STRING, quote, Resized(1, 2, more=2))),
        function(
            "join",
            member("list_join", (_STRINGS,), STRING, _join),
            member("list_join_string", (_STRINGS, STRING), STRING, _join),
            cost=_Joining(),
        ),
    )
)
