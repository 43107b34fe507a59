"""Values that are a count or a percentage of one (`maxSurge: 25%`, `targetPort: http`)."""

from __future__ import annotations

from proa.base.errors import ProaError


class PercentError(ProaError, ValueError):
    """A text that is not a percentage."""


def percentage(value: str) -> int:
    """The number in `25%`. Raises PercentError."""
    digits = value.removesuffix("%")
    if digits == value or not (digits.removeprefix("-").isascii() and digits.removeprefix("-").isdigit()):
        raise PercentError("invalid value for IntOrString: invalid type: string is not a percentage")
    return int(digits)


def scaled(value: int | str, total: int, *, round_up: bool) -> int:
    """The count a value means of `total`: a number is itself, a percentage is rounded as told. Raises PercentError."""
    if isinstance(value, int):
        return value
    product = percentage(value) * total
    return -(-product // 100) if round_up else product // 100
