"""Named formats of strings: `format.dns1123Label().validate(name)` gives the errors, or nothing."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from proa.lang.cel.cost import REGEX, TRAVERSAL, Estimate, Fixed, Operand, scaled
from proa.lang.cel.functions import Function, Library, function, member, overload
from proa.lang.cel.types import STRING, Type, list_of, opaque, optional_of
from proa.lang.cel.values import NONE, Optional, charged_size
from proa.machinery import names
from proa.machinery.expressions import urls

FORMAT_TYPE = opaque("kubernetes.NamedFormat")
_LONGEST_PATTERN = 128

_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Format:
    """pattern: how long the regular expression is that does it, or that would."""

    name: str
    errors: Callable[[str], list[str]]
    pattern: int
    cel_type: ClassVar[Type] = FORMAT_TYPE


def _prefix(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """A name that something is appended to may end in a dash."""

    def errors(value: str) -> list[str]:
        return check(value[:-1] + "a" if len(value) > 1 and value.endswith("-") else value)

    return errors


def _when(valid: Callable[[str], bool], otherwise: str) -> Callable[[str], list[str]]:
    return lambda value: [] if valid(value) else [otherwise]


def _uri(value: str) -> list[str]:
    try:
        urls.parse(value)
    except urls.UrlError as error:
        return [str(error)]
    return []


def is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(value)


def is_date(value: str) -> bool:
    try:
        return len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


def is_datetime(value: str) -> bool:
    day, separator, time = value.lower().partition("t")
    match = _TIME.fullmatch(time)
    return (
        bool(separator)
        and is_date(day)
        and match is not None
        and (match[1] <= "23" and match[2] <= "59" and match[3] <= "59")
    )


_NAMED: dict[str, Format] = {
    "dns1123Label": Format("DNS1123Label", names.dns1123_label, 30),
    "dns1123Subdomain": Format("DNS1123Subdomain", names.dns1123_subdomain, 60),
    "dns1035Label": Format("DNS1035Label", names.dns1035_label, 30),
    "qualifiedName": Format("QualifiedName", names.qualified_name, 60),
    "dns1123LabelPrefix": Format("DNS1123LabelPrefix", _prefix(names.dns1123_label), 30),
    "dns1123SubdomainPrefix": Format("DNS1123SubdomainPrefix", _prefix(names.dns1123_subdomain), 60),
    "dns1035LabelPrefix": Format("DNS1035LabelPrefix", _prefix(names.dns1035_label), 30),
    "labelValue": Format("LabelValue", names.label_value, 40),
    "uri": Format("URI", _uri, 1103),
    "uuid": Format(
        "uuid", _when(lambda value: _UUID.fullmatch(value) is not None, "does not match the UUID format"), 79
    ),
    "byte": Format("byte", _when(is_base64, "invalid base64"), 84),
    "date": Format("date", _when(is_date, "invalid date"), 76),
    "datetime": Format("datetime", _when(is_datetime, "invalid datetime"), 76),
}


@dataclass(frozen=True, slots=True)
class _Validation:
    """A match of the format's pattern; any format may come before it is known which."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        text = scaled(1 + charged_size(operands[1]), TRAVERSAL)
        return text * scaled(operands[0].pattern, REGEX)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        return Estimate(operands[1].size.by(TRAVERSAL).by(_LONGEST_PATTERN * REGEX))


def _validate(format: Format, value: str) -> Optional:
    errors = format.errors(value)
    return Optional(errors) if errors else NONE


def _named(name: str) -> Optional:
    return Optional(_NAMED[name]) if name in _NAMED else NONE


def _constant(name: str, format: Format) -> Function:
    return function(f"format.{name}", overload(f"format.{name}", (), FORMAT_TYPE, lambda: format))


FORMATS = Library(
    (
        function(
            "validate",
            member("format-validate", (FORMAT_TYPE, STRING), optional_of(list_of(STRING)), _validate),
            cost=_Validation(),
        ),
        function("format.named", overload("format-named", (STRING,), optional_of(FORMAT_TYPE), _named), cost=Fixed()),
        *(_constant(name, format) for name, format in _NAMED.items()),
    ),
    {FORMAT_TYPE.name: FORMAT_TYPE},
)
