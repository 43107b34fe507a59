"""What priority and fairness do, in upstream's metric names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from proa.apiserver.fairness.driver import WAIT_BUCKETS, Fairness, LevelState
from proa.base.metrics import HistogramSamples, Samples

_PREFIX = "apiserver_flowcontrol_"
_FLOW = ("priority_level", "flow_schema")

_LEVEL_GAUGES: tuple[tuple[str, str, Callable[[LevelState], float]], ...] = (
    ("nominal_limit_seats", "Seats of the level by its share.", lambda each: each.limits.nominal),
    ("lower_limit_seats", "Seats of the level when it has lent all it lends.", lambda each: each.limits.least),
    ("upper_limit_seats", "Seats of the level when it has borrowed all it may.", lambda each: each.limits.most),
    ("current_limit_seats", "Seats the level has now.", lambda each: each.current),
    ("current_executing_seats", "Seats in use.", lambda each: each.level.seats),
    ("demand_seats_high_watermark", "Seats in use or waited for at once, at most.", lambda each: each.demand.highest),
    ("demand_seats_smoothed", "That number as it falls slowly.", lambda each: each.demand.smoothed),
)


def samples(
    fairness: Fairness, turns: Mapping[tuple[str, str], tuple[int, int]]
) -> Iterator[Samples | HistogramSamples]:
    """For an exposition. turns: how many requests of each level and schema have had theirs, and how many run."""
    levels = sorted(fairness.levels.items())
    for name, help, read in _LEVEL_GAUGES:
        rows = [((level,), read(state)) for level, state in levels]
        yield Samples(_PREFIX + name, help, "gauge", ("priority_level",), rows)
    counts = sorted(fairness.counts.items())
    yield Samples(
        f"{_PREFIX}current_executing_requests",
        "Requests that run now.",
        "gauge",
        _FLOW,
        [(key, running) for key, (_, running) in sorted(turns.items())],
    )
    yield Samples(
        f"{_PREFIX}current_inqueue_requests",
        "Requests that wait for their turn.",
        "gauge",
        _FLOW,
        [(key, each.queued) for key, each in counts],
    )
    yield Samples(
        f"{_PREFIX}dispatched_requests_total",
        "Requests that have had their turn.",
        "counter",
        _FLOW,
        [(key, started) for key, (started, _) in sorted(turns.items())],
    )
    yield Samples(
        f"{_PREFIX}rejected_requests_total",
        "Requests that were turned away, by why.",
        "counter",
        (*_FLOW, "reason"),
        [((*key, reason), number) for key, each in counts for reason, number in each.rejected.items()],
    )
    yield HistogramSamples(
        f"{_PREFIX}request_wait_duration_seconds",
        "Seconds a request has waited for its turn.",
        (*_FLOW, "execute"),
        WAIT_BUCKETS,
        [
            row
            for key, each in counts
            for row in (
                # Who need not wait is not timed: that took no time.
                ((*key, "true"), [turns.get(key, (0, 0))[0] - sum(each.waits[1:]), *each.waits[1:]], each.waited),
                ((*key, "false"), each.refusals, each.refused_after),
            )
        ],
    )
