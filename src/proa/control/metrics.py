"""What controllers do, in upstream's metric names for their queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proa.base.metrics import Samples

_FAMILIES = (
    ("workqueue_depth", "Keys that wait to be looked at.", "gauge", "depth"),
    ("workqueue_adds_total", "Keys that were added.", "counter", "adds"),
    ("workqueue_retries_total", "Keys that were added again after a failure.", "counter", "retries"),
)


def queue_samples(controllers: Mapping[str, Mapping[str, Any]]) -> Iterator[Samples]:
    """For an exposition. controllers: the statistics of each by name."""
    for name, help, kind, statistic in _FAMILIES:
        rows = [((controller,), each["queue"][statistic]) for controller, each in sorted(controllers.items())]
        yield Samples(name, help, "counter" if kind == "counter" else "gauge", ("name",), rows)
    for name, help, statistic in (
        ("proa_controller_reconcile_total", "Keys that were looked at.", "reconciles"),
        ("proa_controller_reconcile_errors_total", "How often that failed.", "errors"),
    ):
        rows = [((controller,), each[statistic]) for controller, each in sorted(controllers.items())]
        yield Samples(name, help, "counter", ("controller",), rows)
