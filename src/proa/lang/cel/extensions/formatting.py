"""`"%s is %d".format([a, b])`: the clauses s, d, f, e, b, x, X, o and %%."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from proa.lang.cel import values
from proa.lang.cel.conversions import text_of
from proa.lang.cel.cost import bounded
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.types import Type
from proa.lang.cel.values import LISTS, MAPS, Duration, Timestamp

_NOT_PRINTABLE = (
    "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, "
    "and timestamps"
)
_CLAUSE = re.compile(r"%(?:\.(\d*))?(.)?", re.DOTALL)
_PLACES = 6
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def formatted(template: str, arguments: Sequence[Any]) -> str:
    """Raises EvaluationError for clauses and arguments that do not go together."""
    parts: list[str] = []
    at = used = length = 0
    while (percent := template.find("%", at)) >= 0:
        parts.append(template[at:percent])
        match = _CLAUSE.match(template, percent)
        assert match is not None
        at = match.end()
        if match[2] is None:
            raise EvaluationError(
                "unexpected end of string" if match[1] is None else "could not find end of precision specifier"
            )
        if match[0] == "%%":
            parts.append("%")
            continue
        if used >= len(arguments):
            raise EvaluationError(f"index {used} out of range")
        parts.append(_clause(match[2], match[1], arguments[used]))
        length += len(parts[-1])
        bounded(length)
        used += 1
    return "".join((*parts, template[at:]))


def _clause(kind: str, precision: str | None, value: Any) -> str:
    places = _PLACES if not precision else min(int(precision[:4]), 1000)
    match kind:
        case "s":
            return _string(value)
        case "d":
            return _decimal(value)
        case "f" | "e":
            return _real(kind, places, value)
        case "b":
            if type(value) is bool:
                return "1" if value else "0"
            return format(_integer(value, "only integers and bools can be formatted as binary"), "b")
        case "x" | "X":
            return _hexadecimal(kind, value)
        case "o":
            return format(_integer(value, "octal clause can only be used on integers"), "o")
        case _:
            raise EvaluationError(f'unrecognized formatting clause "{kind}"')


def _was_given(what: str, value: Any) -> EvaluationError:
    return EvaluationError(f"{what}, was given {values.type_name(value)}")


def _integer(value: Any, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise _was_given(what, value)


def _decimal(value: Any) -> str:
    return str(_integer(value, "decimal clause can only be used on integers"))


def _real(kind: str, places: int, value: Any) -> str:
    clause = "fixed-point" if kind == "f" else "scientific"
    number = _SPECIAL.get(value) if isinstance(value, str) else value
    if type(number) is not float:
        raise _was_given(f"{clause} clause can only be used on doubles", value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    text = format(number, f".{places}{kind}")
    if kind == "f":
        return text
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}×10{_superscript(exponent)}"


def _superscript(exponent: str) -> str:
    return f"{int(exponent):03d}".translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))[
        -2 if int(exponent) >= 0 else -3 :
    ]


def _hexadecimal(kind: str, value: Any) -> str:
    if isinstance(value, (str, bytes)):
        text = (value.encode() if isinstance(value, str) else value).hex()
        return text if kind == "x" else text.upper()
    return format(_integer(value, "only integers, byte buffers, and strings can be formatted as hex"), kind)


def _string(value: Any) -> str:
    if isinstance(value, LISTS):
        return f"[{', '.join(map(_inner, value))}]"
    if isinstance(value, MAPS):
        return f"{{{', '.join(sorted(f'{_key(key)}:{_inner(each)}' for key, each in value.items()))}}}"
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float, str, bytes, Timestamp, Duration, Type)):
        return text_of(value)
    raise _was_given(_NOT_PRINTABLE, value)


def _key(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else text_of(value)


def _inner(value: Any) -> str:
    """A value inside of a list or map, as a literal."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bytes():
            return f"b{json.dumps(text_of(value), ensure_ascii=False)}"
        case float() if not math.isfinite(value):
            return json.dumps(text_of(value))
        case float():
            return format(value, f".{_PLACES}f")
        case Timestamp():
            return f'timestamp("{text_of(value)}")'
        case Duration():
            return f'duration("{text_of(value)}")'
        case _:
            return _string(value)
