"""Amounts of bytes that are no whole numbers: accepted since early clients sent them, and rounded up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from proa.machinery.fields import Path, quoted
from proa.machinery.quantity import parse
from proa.machinery.scalars import Quantity

# A fraction has a point, a negative exponent, or a suffix that makes it small.
_may_be_fraction = re.compile(r"[.num-]").search


def fraction_warnings(amounts: Mapping[str, Quantity], names: Iterable[str], path: Path) -> list[str]:
    """Of the resources `names`, which are counted in bytes, among the amounts at `path`."""
    found = []
    for name in names:
        amount = amounts.get(name)
        if amount is not None and _may_be_fraction(str(amount)) and parse(amount).milli % 1000:
            text = quoted(str(parse(amount)))
            found.append(f"{path.key(name)}: fractional byte value {text} is invalid, must be an integer")
    return found
