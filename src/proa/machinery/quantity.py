"""Kubernetes quantities (`500m`, `1.5Gi`, `12e6`): exact arithmetic on a fixed-point number that remembers its format.

An amount is an integer count of nano-units, the finest a quantity can say; what is finer is rounded up, because who
asks for some should get some. The canonical form keeps the value exactly, has no fraction, and uses the largest suffix
that allows that. Not here: what a resource name means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering
from typing import Literal

from proa.base.errors import ProaError

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_NANO = 10**9
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {exponent // 10: suffix for suffix, exponent in _BINARY.items()} | {0: ""}
_SPLIT = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_EXPONENT = re.compile(r"[eE]([-+]?[0-9]+)")
_LARGEST_EXPONENT = 300  # a bound on the work a hostile exponent can cause; no resource comes near
_LARGEST_BINARY = (2**63 - 1) * _NANO

FORMAT_ERROR = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_ERROR = "unable to parse quantity's suffix"


class QuantityError(ProaError, ValueError):
    """The text is not a quantity."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """nanos: the value times 10**9. Equal and ordered by value alone; `str()` is the canonical form."""

    nanos: int
    format: Format = "DecimalSI"

    @classmethod
    def parse(cls, text: str | int | float) -> Quantity:
        """Raises QuantityError. A JSON number counts as its decimal text."""
        return parse(text)

    @classmethod
    def of(cls, units: int, format: Format = "DecimalSI") -> Quantity:
        """A whole number of units (bytes, cores)."""
        return cls(units * _NANO, format)

    @classmethod
    def of_milli(cls, milli: int, format: Format = "DecimalSI") -> Quantity:
        """Thousandths of a unit (millicores)."""
        return cls(milli * 10**6, format)

    @property
    def value(self) -> int:
        """Whole units, rounded away from zero."""
        return _rounded_away(self.nanos, _NANO)

    @property
    def milli(self) -> int:
        """Thousandths, rounded away from zero."""
        return _rounded_away(self.nanos, 10**6)

    def __float__(self) -> float:
        return self.nanos / _NANO

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __lt__(self, other: Quantity) -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __mul__(self, factor: int) -> Quantity:
        return Quantity(self.nanos * factor, self.format)

    def __neg__(self) -> Quantity:
        return Quantity(-self.nanos, self.format)

    def __str__(self) -> str:
        if self.nanos == 0:
            return "0"
        if self.format == "BinarySI" and abs(self.nanos) >= 1024 * _NANO and self.nanos % _NANO == 0:
            units, power = self.nanos // _NANO, 0
            while power < 6 and units % 1024 == 0:
                units //= 1024
                power += 1
            return f"{units}{_BINARY_SUFFIX[power]}"
        digits, exponent = self.nanos, -9
        while digits % 1000 == 0 and (exponent < 18 or self.format == "DecimalExponent"):
            digits //= 1000
            exponent += 3
        if self.format == "DecimalExponent":
            return f"{digits}e{exponent}" if exponent else str(digits)
        return f"{digits}{_DECIMAL_SUFFIX[exponent]}"

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"


ZERO = Quantity(0)


def _rounded_away(amount: int, unit: int) -> int:
    whole = -(-abs(amount) // unit)
    return whole if amount >= 0 else -whole


def parse(text: str | int | float) -> Quantity:
    """The quantity a text or JSON number says. Raises QuantityError."""
    return _parse(text if isinstance(text, str) else _number(text))


def canonical(text: str | int | float) -> str:
    """The canonical form of a quantity: `0.5` is `500m`. Raises QuantityError."""
    return _canonical(text if isinstance(text, str) else _number(text))


def _number(value: int | float) -> str:
    if isinstance(value, bool):
        raise QuantityError(FORMAT_ERROR)
    return repr(value)


@lru_cache(maxsize=8192)
def _canonical(text: str) -> str:
    return str(_parse(text))


@lru_cache(maxsize=8192)
def _parse(text: str) -> Quantity:
    found = _SPLIT.fullmatch(text.strip())
    if found is None or not (found[2] or found[3]):
        raise QuantityError(FORMAT_ERROR)
    sign, whole, fraction, suffix = found[1], found[2], found[3] or "", found[4]
    digits = int(whole + fraction)
    scale = len(fraction)
    format: Format = "DecimalSI"
    if suffix in _DECIMAL:
        exponent, factor = _DECIMAL[suffix], 1
    elif suffix in _BINARY:
        exponent, factor, format = 0, 1 << _BINARY[suffix], "BinarySI"
    else:
        stated = _EXPONENT.fullmatch(suffix)
        if stated is None or abs(int(stated[1])) > _LARGEST_EXPONENT:
            raise QuantityError(SUFFIX_ERROR)
        exponent, factor, format = int(stated[1]), 1, "DecimalExponent"
    shift = 9 + exponent - scale
    nanos = digits * factor * 10**shift if shift >= 0 else -(-digits * factor // 10**-shift)
    if format == "BinarySI":
        nanos = min(nanos, _LARGEST_BINARY)
        if nanos < _NANO:
            format = "DecimalSI"  # a fraction of a unit is not binary
    return Quantity(-nanos if sign == "-" else nanos, format)
