"""Request counts and latencies, in upstream's names, so that existing dashboards read them.

Requests alike share a `Series`, which whoever handles them keeps, so that counting one is a dictionary and a bisect;
the text is only made when it is asked for. Not here: the metrics of other components.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from proa.apiserver.requestinfo import RequestInfo
from proa.base.metrics import REQUEST_BUCKETS, HistogramSamples, Samples
from proa.store.timing import Timings

_OWN_BUCKETS = REQUEST_BUCKETS[2:]
"""Upstream's of what the server itself took."""
_VERBS = {"create": "POST", "update": "PUT"}
_READING = frozenset({"get", "list", "watch"})
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_COMPONENT = "apiserver"


Flow = tuple[str, str]
"""Priority level and flow schema."""


class Series:
    """What was answered to requests that are alike. started: how many have had their turn."""

    __slots__ = (
        "codes", "dry_run", "elsewhere", "flow", "labels", "latencies", "long_running", "moved", "reading", "seconds",
        "started",
    )  # fmt: skip

    def __init__(self, labels: tuple[str, ...], dry_run: str, flow: Flow, reading: bool) -> None:
        self.labels = labels
        self.dry_run = dry_run
        self.flow = flow
        self.reading = reading
        self.started = 0
        self.codes: dict[int, int] = {}
        self.latencies = [0] * (len(REQUEST_BUCKETS) + 1)
        self.seconds = 0.0
        self.moved = [0] * (len(REQUEST_BUCKETS) + 1)
        self.elsewhere = 0.0
        self.long_running = 0

    def observe(self, code: int, seconds: float) -> None:
        """Count one that has been answered."""
        codes = self.codes
        codes[code] = codes.get(code, 0) + 1
        self.latencies[bisect_left(REQUEST_BUCKETS, seconds)] += 1
        self.seconds += seconds

    def excuse(self, seconds: float, elsewhere: float) -> None:
        """Of one that was observed with `seconds`, so many were spent on waiting for webhooks or its turn."""
        own = max(0.0, seconds - elsewhere)
        self.moved[bisect_left(REQUEST_BUCKETS, seconds)] -= 1
        self.moved[bisect_left(REQUEST_BUCKETS, own)] += 1
        self.elsewhere += seconds - own

    def own(self) -> tuple[list[int], float]:
        """Latencies by `_OWN_BUCKETS` and their sum, without what was spent on waiting for others."""
        numbers = [count + moved for count, moved in zip(self.latencies, self.moved, strict=True)]
        return [sum(numbers[:3]), *numbers[3:]], self.seconds - self.elsewhere

    def end(self) -> None:
        """A long-running one has ended."""
        self.long_running -= 1

    @property
    def running(self) -> int:
        """How many have had their turn and are not answered."""
        return max(0, self.started - sum(self.codes.values()))

    def join(self, other: Series) -> None:
        """Add what another has counted."""
        for code, count in other.codes.items():
            self.codes[code] = self.codes.get(code, 0) + count
        self.latencies = [mine + its for mine, its in zip(self.latencies, other.latencies, strict=True)]
        self.seconds += other.seconds
        self.moved = [mine + its for mine, its in zip(self.moved, other.moved, strict=True)]
        self.elsewhere += other.elsewhere
        self.long_running += other.long_running


class RequestMetrics:
    """What the server has answered since it started."""

    def __init__(self) -> None:
        self._series: dict[tuple[tuple[str, ...], str, Flow], Series] = {}
        self._terminations: dict[tuple[tuple[str, ...], int], int] = {}

    def series(self, info: RequestInfo, dry_run: str = "", flow: Flow = ("", "")) -> Series:
        """Where to count a request. flow: ('', '') for one that did not get so far."""
        labels = _labels(info)
        found = self._series.get((labels, dry_run, flow))
        if found is None:
            reading = info.verb in _READING
            found = self._series[labels, dry_run, flow] = Series(labels, dry_run, flow, reading)
        return found

    def flows(self) -> dict[Flow, tuple[int, int]]:
        """How many requests of each flow have had their turn, and how many of these are not answered."""
        found: dict[Flow, tuple[int, int]] = {}
        for each in self._series.values():
            if each.flow[0]:
                started, running = found.get(each.flow, (0, 0))
                found[each.flow] = started + each.started, running + each.running
        return found

    def requested(self) -> set[tuple[str, str, str, str]]:
        """Group, version, resource and subresource of all that was asked for by who may."""
        return {each.labels[1:5] for each in self._series.values() if each.flow[0] and each.codes and each.labels[3]}  # type: ignore[misc]

    def terminated(self, info: RequestInfo, code: int) -> None:
        """Count a request that the server gave up, before or while it was answered."""
        key = _labels(info), code
        self._terminations[key] = self._terminations.get(key, 0) + 1

    def samples(self) -> Iterator[Samples | HistogramSamples]:
        """For an exposition."""
        joined: dict[tuple[tuple[str, ...], str], Series] = {}
        for every in self._series.values():
            key = every.labels, every.dry_run
            joined.setdefault(key, Series(*key, ("", ""), every.reading)).join(every)
        series = list(joined.values())
        yield Samples(
            "apiserver_request_total",
            "Requests answered, by what they asked for and the code of the answer.",
            "counter",
            (*_LABELS, "dry_run", "code"),
            (((*each.labels, each.dry_run, str(code)), count) for each in series for code, count in each.codes.items()),
        )
        yield HistogramSamples(
            "apiserver_request_duration_seconds",
            "Seconds from the request to the answer.",
            (*_LABELS, "dry_run"),
            REQUEST_BUCKETS,
            (((*each.labels, each.dry_run), each.latencies, each.seconds) for each in series),
        )
        yield HistogramSamples(
            "apiserver_request_sli_duration_seconds",
            "Seconds from the request to the answer, less those of waiting for webhooks and for its turn.",
            _LABELS,
            _OWN_BUCKETS,
            ((each.labels, *each.own()) for each in series if not each.dry_run),
        )
        yield Samples(
            "apiserver_request_terminations_total",
            "Requests given up to protect the server, or because they took too long.",
            "counter",
            (*_LABELS, "code"),
            (((*labels, str(code)), count) for (labels, code), count in self._terminations.items()),
        )
        running = {True: 0, False: 0}
        for every in self._series.values():
            running[every.reading] += every.running
        yield Samples(
            "apiserver_current_inflight_requests",
            "Requests being answered now, by whether they change anything.",
            "gauge",
            ("request_kind",),
            ((("readOnly",), running[True]), (("mutating",), running[False])),
        )
        yield Samples(
            "apiserver_longrunning_requests",
            "Watches, logs, sessions and proxied connections that are open now.",
            "gauge",
            _LABELS,
            ((each.labels, each.long_running) for each in series if each.long_running or each.labels[0] == "WATCH"),
        )


def storage_samples(
    counts: Iterable[tuple[str, str, int]], events: Iterable[tuple[tuple[str, str, str], int]]
) -> Iterator[Samples]:
    """How many objects of each resource are stored, and how many of its events were sent to watchers.

    counts: group, resource, number. events: (group, version, resource), number.
    """
    found = list(counts)
    yield Samples(
        "apiserver_watch_events_total",
        "Events sent to watchers.",
        "counter",
        ("group", "version", "resource"),
        list(events),
    )
    yield Samples(
        "apiserver_storage_objects",
        "Objects stored, by resource.",
        "gauge",
        ("resource",),
        (((f"{plural}.{group}" if group else plural,), count) for group, plural, count in found),
    )
    yield Samples(
        "apiserver_resource_objects",
        "Objects stored, by group and resource.",
        "gauge",
        ("group", "resource"),
        (((group, plural), count) for group, plural, count in found),
    )


def store_samples(timings: Iterable[tuple[str, str, Timings]]) -> Iterator[Samples | HistogramSamples]:
    """How long the store took, whichever it is, under the names dashboards know. timings: group, resource, theirs."""
    found = [((operation, group, plural), took, each.errors.get(operation, 0))
             for group, plural, each in timings for operation, took in each.seconds.items()]  # fmt: skip
    labels = ("operation", "group", "resource")
    shown = [(values, took.counts, took.sum) for values, took, _ in found]
    help = "Seconds from asking the store to its answer, for a write until it is durable."
    yield HistogramSamples("etcd_request_duration_seconds", help, labels, REQUEST_BUCKETS, shown)
    rows = [(values, float(sum(took.counts))) for values, took, _ in found]
    yield Samples("etcd_requests_total", "Requests to the store.", "counter", labels, rows)
    errors = [(values, count) for values, _, count in found if count]
    yield Samples("etcd_request_errors_total", "Requests to the store that failed.", "counter", labels, errors)


def deprecation_samples(asked: Iterable[tuple[str, str, str, str]]) -> Iterator[Samples]:
    """Deprecated API that somebody uses. asked: group, version, resource, subresource. None of it has a date to go."""
    yield Samples(
        "apiserver_requested_deprecated_apis",
        "Deprecated API that was asked for, always 1.",
        "gauge",
        ("group", "version", "resource", "subresource", "removed_release"),
        [((*each, ""), 1) for each in sorted(asked)],
    )


def statistic_samples(statistics: Mapping[str, Mapping[str, float]]) -> Iterator[Samples]:
    """What long-lived parts say of themselves: component, name, value."""
    yield Samples(
        "proa_statistic",
        "What long-lived parts say of themselves.",
        "gauge",
        ("component", "name"),
        [((component, name), value) for component, values in statistics.items() for name, value in values.items()],
    )


def _labels(info: RequestInfo) -> tuple[str, ...]:
    verb = _VERBS.get(info.verb) or info.verb.upper()
    if not info.is_resource:
        return (verb, "", "", "", "", "", _COMPONENT)
    if info.name or info.verb == "create":
        scope = "resource"
    else:
        scope = "namespace" if info.namespace else "cluster"
    return (verb, info.group, info.version, info.resource, info.subresource, scope, _COMPONENT)
