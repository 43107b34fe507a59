"""Figures: what a bench returns, how rounds become one value, how it is printed."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. ratio: to the bare handler under the same load in the same run; None where there is none."""

    name: str
    value: float
    unit: str
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a bench found. notes: what a reader must know to judge it."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("no values were measured")
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def spread(name: str, seconds: Sequence[float], *percents: int) -> tuple[Figure, ...]:
    """Latencies in seconds as one figure in ms for each percentile."""
    return tuple(Figure(f"{name}, p{each}", percentile(seconds, each) * 1e3, "ms") for each in percents)


def machine() -> str:
    """The line that says where the figures come from."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return f"{cores} cores, Linux {platform.release()}, Python {platform.python_version()}, load {load:.1f} before"


def as_json(reports: Sequence[Report]) -> str:
    return json.dumps([asdict(figure) for report in reports for figure in report.figures], indent=2)


def as_table(reports: Sequence[Report]) -> str:
    """Names, values with their units, ratios where there are any; notes below."""
    figures = [figure for report in reports for figure in report.figures]
    rows = [("FIGURE", "VALUE", "UNIT", "RATIO")]
    rows += [(each.name, _number(each.value), each.unit, _ratio(each.ratio)) for each in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {unit:<{widths[2]}}  {ratio:>{widths[3]}}".rstrip()
        for name, value, unit, ratio in rows
    ]
    return "\n".join([*lines, *(note for report in reports for note in report.notes)])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
