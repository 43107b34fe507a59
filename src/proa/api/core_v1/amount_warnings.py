"""Amounts of bytes that are no whole numbers: accepted since early clients sent them, and rounded up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from proa.machinery.fields import Path, quoted
from proa.machinery.quantity import parse
from proa.machinery.scalars import Quantity


def fraction_warnings(amounts: Mapping[str, Quantity], names: Iterable[str], path: Path) -> list[str]:
    """Of the resources `names`, which are counted in bytes, among the amounts at `path`."""
    return [f"{path.key(name)}: {text}" for name, text in fractions(amounts, names)]


def fractions(amounts: Mapping[str, Quantity], names: Iterable[str]) -> list[tuple[str, str]]:
    """The resources whose amount is a fraction, and what to say of it."""
    return [(name, text) for name in names if name in amounts and (text := _fraction(amounts[name]))]


@lru_cache(1024)
def _fraction(amount: Quantity) -> str:
    """Nothing is said of a whole number. Nearly every pod has the amounts of some pod before it."""
    quantity = parse(amount)
    if quantity.milli % 1000 == 0:
        return ""
    return f"fractional byte value {quoted(str(quantity))} is invalid, must be an integer"
