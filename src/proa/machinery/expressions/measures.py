"""`quantity('1.5Gi')` and `semver('1.2.3')`: parsing, comparing, and for quantities adding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from proa.lang.cel.cost import Fixed, Traversal
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import Library, function, member, overload
from proa.lang.cel.types import BOOL, DOUBLE, INT, STRING, Type, opaque
from proa.lang.cel.values import INT_MAX, INT_MIN
from proa.machinery import quantity
from proa.machinery.fields import quoted

QUANTITY_TYPE = opaque("kubernetes.Quantity")
SEMVER_TYPE = opaque("kubernetes.Semver")


@dataclass(frozen=True, slots=True)
class Quantity:
    amount: quantity.Quantity
    cel_type: ClassVar[Type] = QUANTITY_TYPE

    @property
    def whole(self) -> int | None:
        """The amount if it is an integer of 64 bits."""
        units = self.amount.value
        return units if self.amount == quantity.Quantity.of(units) and INT_MIN <= units <= INT_MAX else None


def quantity_of(text: str) -> Quantity:
    try:
        return Quantity(quantity.parse(text))
    except quantity.QuantityError as error:
        raise EvaluationError(str(error)) from None


def _as_integer(of: Quantity) -> int:
    if of.whole is None:
        raise EvaluationError("cannot convert value to integer")
    return of.whole


def _compare(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _compare_quantities(one: Quantity, other: Quantity) -> int:
    return _compare(one.amount, other.amount)


def _units(units: int) -> quantity.Quantity:
    return quantity.Quantity.of(units, "DecimalExponent")


@dataclass(frozen=True, slots=True)
class Semver:
    """A version by semver.org. Build metadata counts for equality of text only."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()
    cel_type: ClassVar[Type] = SEMVER_TYPE

    @property
    def rank(self) -> tuple[Any, ...]:
        """Orders versions: a release is above its pre-releases, numbers are below words."""
        parts = tuple((0, int(each), "") if each.isdigit() else (1, 0, each) for each in self.pre)
        return self.major, self.minor, self.patch, not self.pre, parts


_NUMBER = re.compile(r"[0-9]+")
_WORD = re.compile(r"[0-9A-Za-z-]+")


def version_of(text: str, tolerant: bool = False) -> Semver:
    """Raises EvaluationError. tolerant: a leading v, leading zeros and missing parts are made good."""
    text = _normalized(text) if tolerant else text
    if not text:
        raise EvaluationError("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise EvaluationError("No Major.Minor.Patch elements found")
    numbers, _, build = parts[2].partition("+")
    patch, dash, pre = numbers.partition("-")
    words = tuple(pre.split(".")) if dash else ()
    for each in words:
        _check_word("Prerelease", each)
        if _NUMBER.fullmatch(each) and len(each) > 1 and each.startswith("0"):
            raise EvaluationError(f"Numeric PreRelease version must not contain leading zeroes {quoted(each)}")
    for each in build.split(".") if "+" in parts[2] else ():
        _check_word("Build meta data", each)
    return Semver(_number("Major", parts[0]), _number("Minor", parts[1]), _number("Patch", patch), words)


def _number(part: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise EvaluationError(f"Invalid character(s) found in {part.lower()} number {quoted(text)}")
    if len(text) > 1 and text.startswith("0"):
        raise EvaluationError(f"{part} number must not contain leading zeroes {quoted(text)}")
    if len(text) > 19 or int(text) > INT_MAX:
        raise EvaluationError(f"strconv.ParseUint: parsing {quoted(text)}: value out of range")
    return int(text)


def _check_word(part: str, text: str) -> None:
    if not text:
        raise EvaluationError(f"{part} is empty")
    if not _WORD.fullmatch(text):
        raise EvaluationError(f"Invalid character(s) found in {part.lower()} {quoted(text)}")


def _normalized(text: str) -> str:
    parts = text.removeprefix("v").split(".", 2)
    for place, part in enumerate(parts):
        if len(part) > 1:
            stripped = part.lstrip("0")
            parts[place] = stripped if stripped[:1].isdigit() else "0" + stripped
    if len(parts) < 3:
        if "+" in parts[-1] or "-" in parts[-1]:
            raise EvaluationError("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


def _compare_versions(one: Semver, other: Semver) -> int:
    return _compare(one.rank, other.rank)


def _is(of: Callable[..., Any]) -> Callable[..., bool]:
    def valid(*arguments: Any) -> bool:
        try:
            of(*arguments)
        except EvaluationError:
            return False
        return True

    return valid


_NOMINAL = Fixed()
_READ = Traversal()
_TWO_QUANTITIES = (QUANTITY_TYPE, QUANTITY_TYPE)
_TWO_VERSIONS = (SEMVER_TYPE, SEMVER_TYPE)

MEASURES = Library(
    (
        function("quantity", overload("string_to_quantity", (STRING,), QUANTITY_TYPE, quantity_of), cost=_READ),
        function("isQuantity", overload("is_quantity_string", (STRING,), BOOL, _is(quantity_of)), cost=_READ),
        function(
            "sign",
            overload("quantity_sign", (QUANTITY_TYPE,), INT, lambda each: _compare(each.amount, quantity.ZERO)),
            member("quantity_sign_member", (QUANTITY_TYPE,), INT, lambda each: _compare(each.amount, quantity.ZERO)),
            cost=_NOMINAL,
        ),
        function(
            "asApproximateFloat",
            member("quantity_get_float", (QUANTITY_TYPE,), DOUBLE, lambda each: float(each.amount)),
            cost=_NOMINAL,
        ),
        function("asInteger", member("quantity_get_int", (QUANTITY_TYPE,), INT, _as_integer), cost=_NOMINAL),
        function(
            "isInteger",
            member("quantity_is_integer", (QUANTITY_TYPE,), BOOL, lambda each: each.whole is not None),
            cost=_NOMINAL,
        ),
        function(
            "add",
            member("quantity_add", _TWO_QUANTITIES, QUANTITY_TYPE, lambda a, b: Quantity(a.amount + b.amount)),
            member(
                "quantity_add_int", (QUANTITY_TYPE, INT), QUANTITY_TYPE, lambda a, b: Quantity(a.amount + _units(b))
            ),
            cost=_NOMINAL,
        ),
        function(
            "sub",
            member("quantity_sub", _TWO_QUANTITIES, QUANTITY_TYPE, lambda a, b: Quantity(a.amount - b.amount)),
            member(
                "quantity_sub_int", (QUANTITY_TYPE, INT), QUANTITY_TYPE, lambda a, b: Quantity(a.amount - _units(b))
            ),
            cost=_NOMINAL,
        ),
        function(
            "compareTo",
            member("quantity_compare_to", _TWO_QUANTITIES, INT, _compare_quantities),
            member("semver_compare_to", _TWO_VERSIONS, INT, _compare_versions),
            cost=_NOMINAL,
        ),
        function(
            "isGreaterThan",
            member("quantity_is_greater_than", _TWO_QUANTITIES, BOOL, lambda a, b: _compare_quantities(a, b) > 0),
            member("semver_is_greater_than", _TWO_VERSIONS, BOOL, lambda a, b: _compare_versions(a, b) > 0),
            cost=_NOMINAL,
        ),
        function(
            "isLessThan",
            member("quantity_is_less_than", _TWO_QUANTITIES, BOOL, lambda a, b: _compare_quantities(a, b) < 0),
            member("semver_is_less_than", _TWO_VERSIONS, BOOL, lambda a, b: _compare_versions(a, b) < 0),
            cost=_NOMINAL,
        ),
        function(
            "semver",
            overload("string_to_semver", (STRING,), SEMVER_TYPE, version_of),
            overload("string_bool_to_semver", (STRING, BOOL), SEMVER_TYPE, version_of),
            cost=_READ,
        ),
        function(
            "isSemver",
            overload("is_semver_string", (STRING,), BOOL, _is(version_of)),
            overload("is_semver_string_bool", (STRING, BOOL), BOOL, _is(version_of)),
            cost=_READ,
        ),
        function("major", member("semver_major", (SEMVER_TYPE,), INT, lambda each: each.major), cost=_NOMINAL),
        function("minor", member("semver_minor", (SEMVER_TYPE,), INT, lambda each: each.minor), cost=_NOMINAL),
        function("patch", member("semver_patch", (SEMVER_TYPE,), INT, lambda each: each.patch), cost=_NOMINAL),
    ),
    {QUANTITY_TYPE.name: QUANTITY_TYPE, SEMVER_TYPE.name: SEMVER_TYPE},
)
