"""What controllers do, in upstream's metric names for their queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from proa.aio.queue import BUCKETS, KeyedQueue
from proa.base.metrics import HistogramSamples, Samples

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


def duration_samples(queues: Mapping[str, KeyedQueue[str]]) -> Iterator[Samples | HistogramSamples]:
    """How long keys wait and are worked on. queues: those of controllers by name."""
    named = sorted(queues.items())
    for name, help, histograms in (
        (
            "queue",
            "Seconds from a key's first add until it was looked at.",
            {each: queue.waits for each, queue in named},
        ),
        ("work", "Seconds that looking at a key took.", {each: queue.works for each, queue in named}),
    ):
        shown = [((each,), found.counts, found.sum) for each, found in histograms.items()]
        yield HistogramSamples(f"workqueue_{name}_duration_seconds", help, ("name",), BUCKETS, shown)
    unfinished = {each: queue.unfinished() for each, queue in named}
    for name, help, total in (
        ("unfinished_work", "Seconds that keys being looked at now have taken, in sum.", sum),
        (
            "longest_running_processor",
            "Seconds that the one of them that began first has taken.",
            partial(max, default=0.0),
        ),
    ):
        rows = [((each,), total(seconds)) for each, seconds in unfinished.items()]
        yield Samples(f"workqueue_{name}_seconds", help, "gauge", ("name",), rows)
