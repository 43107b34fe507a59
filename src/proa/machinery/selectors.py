"""Label selectors: their grammar, their errors, and matching.

A parsed selector is an immutable value, cached by its text. `matches` is a function composed once from its
requirements, because watches and controllers call it for every object. Not here: field selectors (`field_selectors`),
and validation of selectors inside objects (`object_meta`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import msgspec

from proa.base.errors import ProaError
from proa.machinery import names
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.meta import LabelSelector

Labels = Mapping[str, str]


class SelectorError(ProaError, ValueError):
    """The text or struct is not a selector; at the edge a 400 with this message."""


class Requirement(msgspec.Struct, frozen=True):
    """operator: '=', '==', '!=', 'in', 'notin', 'exists', '!', 'gt' or 'lt'. Values of a set are sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        joined = ",".join(self.values)
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({joined})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{joined}"
            case _:
                return f"{self.key}{self.operator}{joined}"

    def matches(self, labels: Labels) -> bool:
        """An absent label satisfies '!', '!=' and 'notin' and nothing else."""
        return _predicate(self)(labels)


class Selector:
    """A conjunction of requirements on labels. `matches(labels)` says whether all hold; an empty one always does."""

    __slots__ = ("_text", "matches", "requirements")

    matches: Callable[[Labels], bool]
    requirements: tuple[Requirement, ...]

    def __init__(self, requirements: Iterable[Requirement] = (), *, nothing: bool = False) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda each: each.key))
        self.matches = _never if nothing else _conjunction(self.requirements)
        self._text = ",".join(map(str, self.requirements))

    @property
    def empty(self) -> bool:
        """Whether everything matches."""
        return not self.requirements and self.matches is not _never

    def exact(self, key: str) -> str | None:
        """The one value that `key` must have, if the selector says so."""
        for each in self.requirements:
            if each.key == key and each.operator in ("=", "==", "in") and len(each.values) == 1:
                return each.values[0]
        return None

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Selector(nothing)" if self.matches is _never else f"Selector({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Selector)
            and self.requirements == other.requirements
            and (self.matches is _never) == (other.matches is _never)
        )

    def __hash__(self) -> int:
        return hash(self.requirements)


def _never(_: Labels) -> bool:
    return False


def _always(_: Labels) -> bool:
    return True


def _conjunction(requirements: tuple[Requirement, ...]) -> Callable[[Labels], bool]:
    if not requirements:
        return _always
    if len(requirements) == 1:
        return _predicate(requirements[0])
    if all(each.operator in ("=", "==") for each in requirements):
        pairs = tuple((each.key, each.values[0]) for each in requirements)

        def equal(labels: Labels) -> bool:
            get = labels.get
            return all(get(key) == value for key, value in pairs)

        return equal
    predicates = tuple(map(_predicate, requirements))
    return lambda labels: all(each(labels) for each in predicates)


def _predicate(requirement: Requirement) -> Callable[[Labels], bool]:
    key, values = requirement.key, frozenset(requirement.values)
    match requirement.operator:
        case "=" | "==":
            value = requirement.values[0]
            return lambda labels: labels.get(key) == value
        case "in":
            return lambda labels: labels.get(key) in values
        case "!=" | "notin":
            return lambda labels: labels.get(key) not in values
        case "exists":
            return lambda labels: key in labels
        case "!":
            return lambda labels: key not in labels
        case "gt" | "lt":
            bound, above = int(requirement.values[0]), requirement.operator == "gt"

            def compare(labels: Labels) -> bool:
                number = _integer(labels.get(key, ""))
                return number is not None and (number > bound if above else number < bound)

            return compare
        case other:
            raise SelectorError(f"{quoted(other)} is not a valid label selector operator")


def _integer(text: str) -> int | None:
    digits = text.removeprefix("-").removeprefix("+")
    if len(digits) > 19 or not (digits.isascii() and digits.isdigit()):
        return None
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 63 else None


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


# --- the text form ---

_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+)|$)")
_BINARY = "in, notin, =, ==, !=, gt, lt"


@lru_cache(maxsize=2048)
def parse_labels(text: str) -> Selector:
    """A label selector such as `app=web,tier in (a,b),!old,size>3`; '' selects everything. Raises SelectorError."""
    return _Parser(text).selector() if text else EVERYTHING


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [found[1] or found[2] for found in _TOKEN.finditer(text) if found[1] or found[2]]
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def selector(self) -> Selector:
        found: list[Requirement] = []
        while self._peek():
            if not (self._peek() == "!" or _is_identifier(self._peek())):
                raise SelectorError(f"found '{self._peek()}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            token = self._next()
            if not token:
                break
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            if not (self._peek() == "!" or _is_identifier(self._peek())):
                raise SelectorError(f"found '{self._peek()}', expected: identifier after ','")
        return Selector(found)

    def _requirement(self) -> Requirement:
        negated = self._peek() == "!"
        if negated:
            self._next()
        key = self._next()
        if not _is_identifier(key):
            raise SelectorError(f"found '{key}', expected: identifier")
        if negated or self._peek() in ("", ","):
            return requirement(key, "!" if negated else "exists", ())
        operator = self._next()
        match operator:
            case "=" | "==" | "!=":
                return requirement(key, operator, (self._value(),))
            case ">" | "<":
                return requirement(key, "gt" if operator == ">" else "lt", (self._value(),))
            case "in" | "notin":
                return requirement(key, operator, self._set())
            case _:
                raise SelectorError(f"found '{operator}', expected: {_BINARY}")

    def _value(self) -> str:
        if self._peek() in ("", ","):
            return ""
        token = self._next()
        if not _is_identifier(token):
            raise SelectorError(f"found '{token}', expected: identifier")
        return token

    def _set(self) -> tuple[str, ...]:
        """`(a,b)`: between commas may be nothing, which is the empty value."""
        token = self._next()
        if token != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        values = set()
        while True:
            token = self._next()
            value = token if _is_identifier(token) else ""
            values.add(value)
            if value:
                token = self._next()
            if token == ")":
                return tuple(sorted(values))
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or ')'")


def _is_identifier(token: str) -> bool:
    return bool(token) and token[0] not in "=!(),<>"


def requirement(key: str, operator: str, values: Iterable[str]) -> Requirement:
    """A checked requirement. Raises SelectorError."""
    values = tuple(sorted(set(values)))
    errors = ErrorList()
    if wrong := names.qualified_name(key):
        errors.invalid(Path("key"), key, "; ".join(wrong))
    at = Path("values")
    match operator:
        case "in" | "notin":
            if not values:
                errors.invalid(at, [], "for 'in', 'notin' operators, values set can't be empty")
        case "=" | "==" | "!=":
            if len(values) != 1:
                errors.invalid(at, list(values), "exact-match compatibility requires one single value")
        case "exists" | "!":
            if values:
                errors.invalid(at, list(values), "values set must be empty for exists and does not exist")
        case "gt" | "lt":
            if len(values) != 1:
                errors.invalid(at, list(values), "for 'Gt', 'Lt' operators, exactly one value is required")
            for position, value in enumerate(values):
                if _integer(value) is None:
                    detail = "for 'Gt', 'Lt' operators, the value must be an integer"
                    errors.invalid(at.index(position), value, detail)
        case _:
            errors.unsupported(Path("operator"), operator, ("in", "notin", "=", "==", "!=", "gt", "lt", "exists", "!"))
    for value in values:
        if wrong := names.label_value(value):
            errors.invalid(at.key(key), value, "; ".join(wrong))
    if errors:
        raise SelectorError(errors.message)
    return Requirement(key, operator, values)


# --- the struct form ---

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def label_selector(selector: LabelSelector | None) -> Selector:
    """The selector a `LabelSelector` means: an absent one selects nothing, an empty one everything.

    Raises SelectorError for an unknown operator.
    """
    if selector is None:
        return NOTHING
    found = [Requirement(key, "=", (value,)) for key, value in selector.matchLabels.items()]
    found += [
        Requirement(each.key, operator(each.operator), tuple(sorted(each.values))) for each in selector.matchExpressions
    ]
    return Selector(found) if found else EVERYTHING


def label_set(labels: Labels) -> Selector:
    """The selector of a plain map (Service, ReplicationController): every pair must be there."""
    return Selector(Requirement(key, "=", (value,)) for key, value in labels.items()) if labels else EVERYTHING


def operator(name: str) -> str:
    """The operator of a requirement in an object (`In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`)."""
    try:
        return _OPERATORS[name]
    except KeyError:
        raise SelectorError(f"{quoted(name)} is not a valid label selector operator") from None


def format_label_selector(selector: LabelSelector | None) -> str:
    """How messages and tables write it; `<none>` for none."""
    return str(label_selector(selector)) or "<none>"
