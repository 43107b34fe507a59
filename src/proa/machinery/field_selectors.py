"""Field selectors: their grammar, their errors, and the values they compare.

Not here: which fields of a resource can be selected (`Resource.fields`), and how a store indexes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from proa.machinery.fields import quoted
from proa.machinery.selectors import SelectorError

COMMON_FIELDS = ("metadata.name", "metadata.namespace")


class FieldSelector:
    """A conjunction of (field, '=' or '!=', value). `matches(values)` takes the object's values by field."""

    __slots__ = ("requirements",)

    def __init__(self, requirements: Iterable[tuple[str, str, str]] = ()) -> None:
        self.requirements = tuple(requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements

    def matches(self, values: Mapping[str, str]) -> bool:
        """A field that has no value has the value ''."""
        get = values.get
        return all((get(field, "") == value) is (sign == "=") for field, sign, value in self.requirements)

    def exact(self, field: str) -> str | None:
        """The one value `field` must have, if the selector says so."""
        return next((value for each, sign, value in self.requirements if each == field and sign == "="), None)

    def check(self, supported: Iterable[str]) -> None:
        """Raises SelectorError where a field beyond metadata.name and metadata.namespace is not in `supported`."""
        more = frozenset(supported)
        for field, _, _ in self.requirements:
            if field in COMMON_FIELDS or field in more:
                continue
            if more:
                raise SelectorError(f"field label not supported: {field}")
            only = ", ".join(map(quoted, COMMON_FIELDS))
            raise SelectorError(f"{quoted(field)} is not a known field selector: only {only}")

    def __str__(self) -> str:
        return ",".join(f"{field}{sign}{_escaped(value)}" for field, sign, value in self.requirements)

    def __repr__(self) -> str:
        return f"FieldSelector({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSelector) and self.requirements == other.requirements

    def __hash__(self) -> int:
        return hash(self.requirements)


@lru_cache(maxsize=2048)
def parse_fields(text: str) -> FieldSelector:
    """A field selector such as `spec.nodeName=n1,status.phase!=Failed`. Raises SelectorError."""
    found = []
    for term in _terms(text):
        if not term:
            continue
        field, sign, value = _split_term(term)
        if not sign:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        found.append((field, "!=" if sign == "!=" else "=", _unescaped(value)))
    return FieldSelector(found)


def _terms(text: str) -> list[str]:
    terms, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == ",":
            terms.append(text[start:at])
            start = at + 1
        at += 1
    return [*terms, text[start:]]


def _split_term(term: str) -> tuple[str, str, str]:
    for at in range(len(term)):
        for sign in ("!=", "==", "="):
            if term.startswith(sign, at):
                return term[:at], sign, term[at + len(sign) :]
    return term, "", ""


def _unescaped(value: str) -> str:
    if "\\" not in value and "=" not in value:
        return value
    out, at = [], 0
    while at < len(value):
        if value[at] == "\\":
            at += 1
            if at == len(value) or value[at] not in "\\,=":
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{value[at : at + 1]}")
        elif value[at] == "=":  # which is told by its number
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord('=')}")
        out.append(value[at])
        at += 1
    return "".join(out)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
