"""Metrics: plain numbers on the hot path, turned into the Prometheus text format only when somebody asks.

So counting costs an attribute increment, and prometheus_client is imported at the first exposition. A component makes
one `Metrics`, declares its metrics on it by name, and serves `exposition()`. Values are touched from one thread, the
loop's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

# Seconds; upstream's request duration buckets are a subset of these, which reach lower.
LATENCY_BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0,
    8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
)  # fmt: skip
# Seconds; upstream's of requests to its API server, and of that to etcd.
REQUEST_BUCKETS = (0.005, 0.025, *LATENCY_BUCKETS[6:])


class Counter:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        self.value += amount


class Gauge:
    """A number that goes up and down."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        self.value = value

    def inc(self, amount: float = 1.0) -> None:
        self.value += amount


class Histogram:
    """How often values fell into which bucket (upper bounds, inclusive), and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


C = TypeVar("C", Counter, Gauge, Histogram)


class Family(Generic[C]):
    """One metric with labels. Keep what `labels` returns where it is used often."""

    def __init__(self, name: str, help: str, labels: Sequence[str], new: Callable[[], C]) -> None:
        self.name = name
        self.help = help
        self.label_names = tuple(labels)
        self._new: Callable[[], C] = new
        self._children: dict[tuple[str, ...], C] = {}

    def labels(self, *values: str) -> C:
        """The metric for these label values, in the order the labels were declared."""
        child = self._children.get(values)
        if child is None:
            if len(values) != len(self.label_names):
                raise ValueError(f"metric {self.name} has labels {self.label_names}, got values {values}")
            child = self._children[values] = self._new()
        return child

    def children(self) -> list[tuple[tuple[str, ...], C]]:
        return list(self._children.items())


@dataclass(frozen=True, slots=True)
class Samples:
    """A family that its owner counts in a way of its own, read only when somebody asks. rows: label values, value."""

    name: str
    help: str
    kind: Literal["counter", "gauge"]
    labels: Sequence[str]
    rows: Iterable[tuple[Sequence[str], float]]


@dataclass(frozen=True, slots=True)
class HistogramSamples:
    """The same of histograms. rows: label values, numbers by bucket (the last one beyond all bounds), their sum."""

    name: str
    help: str
    labels: Sequence[str]
    bounds: Sequence[float]
    rows: Iterable[tuple[Sequence[str], Sequence[float], float]]


Source = Callable[[], Iterable[Samples | HistogramSamples]]


class Metrics:
    """The metrics of one component. Declaring a name twice is an error. process: those of the process belong to it."""

    def __init__(self, *, process: bool = True) -> None:
        self._process = process
        self._counters: list[Family[Counter]] = []
        self._gauges: list[Family[Gauge]] = []
        self._histograms: list[Family[Histogram]] = []
        self._statistics: list[tuple[str, str, Callable[[], Mapping[str, float]]]] = []
        self._sources: list[Source] = []
        self._names: set[str] = set()
        self._registry: CollectorRegistry | None = None

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Family[Counter]:
        """A family of counters; `name` should end in `_total`. One of upstream's older names is shown as untyped,
        because the text format insists on the ending."""
        self._claim(name)
        family = Family(name, help, labels, Counter)
        self._counters.append(family)
        return family

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> Family[Gauge]:
        self._claim(name)
        family = Family(name, help, labels, Gauge)
        self._gauges.append(family)
        return family

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = LATENCY_BUCKETS
    ) -> Family[Histogram]:
        self._claim(name)
        bounds = tuple(sorted(buckets))
        family = Family(name, help, labels, lambda: Histogram(bounds))
        self._histograms.append(family)
        return family

    def statistics(self, name: str, help: str, source: Callable[[], Mapping[str, float]]) -> None:
        """Show an object's `statistics()` as gauge `name` with label `what`, read at each exposition."""
        self._claim(name)
        self._statistics.append((name, help, source))

    def computed(self, source: Source) -> None:
        """Show what `source` gives, read at each exposition."""
        self._sources.append(source)

    def exposition(self) -> bytes:
        """Everything, in the Prometheus text format; `process_*` and `python_*` included."""
        from prometheus_client import generate_latest

        return generate_latest(self._open_registry())

    def _claim(self, name: str) -> None:
        if name in self._names:
            raise ValueError(f"metric {name} is declared twice")
        self._names.add(name)

    def _open_registry(self) -> CollectorRegistry:
        if self._registry is None:
            from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(self)
            if self._process:
                ProcessCollector(registry=self._registry)
                PlatformCollector(registry=self._registry)
        return self._registry

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client: the metrics as it models them."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            UntypedMetricFamily,
        )

        for counters in self._counters:
            new = CounterMetricFamily if counters.name.endswith("_total") else UntypedMetricFamily
            counter = new(counters.name, counters.help, labels=counters.label_names)
            for values, count in counters.children():
                counter.add_metric(values, count.value)
            yield counter
        for gauges in self._gauges:
            gauge = GaugeMetricFamily(gauges.name, gauges.help, labels=gauges.label_names)
            for values, level in gauges.children():
                gauge.add_metric(values, level.value)
            yield gauge
        for histograms in self._histograms:
            histogram = HistogramMetricFamily(histograms.name, histograms.help, labels=histograms.label_names)
            for values, observed in histograms.children():
                histogram.add_metric(values, _cumulated(observed.bounds, observed.counts), observed.sum)
            yield histogram
        for each in (samples for source in self._sources for samples in source()):
            if isinstance(each, HistogramSamples):
                shown_histogram = HistogramMetricFamily(each.name, each.help, labels=each.labels)
                for labels, numbers, total in each.rows:
                    shown_histogram.add_metric(labels, _cumulated(each.bounds, numbers), total)
                yield shown_histogram
            else:
                family = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
                shown_values = family(each.name, each.help, labels=each.labels)
                for labels, value in each.rows:
                    shown_values.add_metric(labels, value)
                yield shown_values
        for name, help, statistics in self._statistics:
            shown = GaugeMetricFamily(name, help, labels=("what",))
            for what, value in statistics().items():
                shown.add_metric((what,), value)
            yield shown


def _cumulated(bounds: Sequence[float], numbers: Sequence[float]) -> list[tuple[str, float]]:
    """Buckets as the text format has them: each with everything below it."""
    total, buckets = 0.0, []
    for bound, number in zip((*bounds, "+Inf"), numbers, strict=True):
        total += number
        buckets.append((str(bound), total))
    return buckets
