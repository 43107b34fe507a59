"""How many requests each priority level may run at once: by its share, and what it lends and borrows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import msgspec

from proa.api.flowcontrol_v1 import PriorityLevelConfigurationSpec

SMOOTHING = 0.977
"""How slowly the remembered demand of a level falls, in each adjustment."""
_LEAST_TARGET = 0.001


class Limits(msgspec.Struct, frozen=True):
    """Seats of one level. nominal: its share; least: what it keeps when it lends; most: with what it may borrow."""

    nominal: int
    least: int
    most: int

    @property
    def initial(self) -> int:
        """Before anything is known of demands: half of what can be lent is."""
        return self.nominal - (self.nominal - self.least) // 2


class Demand(msgspec.Struct, frozen=True):
    """What a level wanted lately. highest: seats in use or waited for at once; smoothed: falls slowly."""

    highest: int
    smoothed: float

    def later(self, highest: int) -> Demand:
        return Demand(highest, max(highest, SMOOTHING * self.smoothed + (1 - SMOOTHING) * highest))


def shared(total: int, levels: Mapping[str, PriorityLevelConfigurationSpec]) -> dict[str, Limits]:
    """The limits of every level, of `total` seats of the server."""
    shares = {name: _shares(spec) for name, spec in levels.items()}
    whole = sum(shares.values()) or 1
    found = {}
    for name, spec in levels.items():
        part = spec.limited or spec.exempt
        nominal = ceil(total * shares[name] / whole)
        lendable = round(nominal * ((part.lendablePercent if part is not None else 0) or 0) / 100)
        borrowing = spec.limited.borrowingLimitPercent if spec.limited is not None else None
        most = nominal + (total if borrowing is None else round(nominal * borrowing / 100))
        found[name] = Limits(nominal, nominal - lendable, most)
    return found


def _shares(spec: PriorityLevelConfigurationSpec) -> int:
    if spec.limited is not None:
        shares = spec.limited.nominalConcurrencyShares
        return 30 if shares is None else shares
    return (spec.exempt.nominalConcurrencyShares if spec.exempt is not None else 0) or 0


def adjusted(limits: Mapping[str, Limits], demands: Mapping[str, Demand], exempt: frozenset[str]) -> dict[str, int]:
    """The current limit of every level: those who want more than their share get what others do not want.

    Exempt levels run whatever comes; what they use is taken from the others.
    """
    whole = sum(each.nominal for each in limits.values())
    found = {name: max(limits[name].least, demands[name].highest) for name in exempt}
    left = whole - sum(found.values())
    names = [name for name in limits if name not in exempt]
    least = {name: limits[name].least for name in names}
    wanted = {name: max(least[name], min(limits[name].nominal, demands[name].highest)) for name in names}
    if left <= sum(least.values()):
        return found | least
    if left <= sum(wanted.values()):
        fraction = (left - sum(least.values())) / (sum(wanted.values()) - sum(least.values()))
        return found | {name: least[name] + round((wanted[name] - least[name]) * fraction) for name in names}
    classes = [
        Bounds(wanted[name], max(wanted[name], limits[name].most), max(wanted[name], demands[name].smoothed))
        for name in names
    ]
    return found | {name: round(seats) for name, seats in zip(names, fair_allocation(left, classes), strict=True)}


class Bounds(msgspec.Struct, frozen=True):
    """What one class may get at least and at most, and what it would like."""

    lower: float
    upper: float
    target: float


def fair_allocation(total: float, classes: Sequence[Bounds]) -> list[float]:
    """Divide `total` in proportion to the targets, within the bounds; as near to it as the bounds allow."""

    def given(proportion: float) -> list[float]:
        return [min(each.upper, max(each.lower, proportion * max(each.target, _LEAST_TARGET))) for each in classes]

    low, high = 0.0, max((each.upper / max(each.target, _LEAST_TARGET) for each in classes), default=0.0)
    if sum(given(high)) <= total:
        return given(high)
    for _ in range(100):  # bisection: each step halves what the answer can be wrong by
        middle = (low + high) / 2
        if sum(given(middle)) < total:
            low = middle
        else:
            high = middle
    return given(high)
