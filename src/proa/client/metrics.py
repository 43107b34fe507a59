"""What a client asked of the API server, in upstream's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from proa.base.metrics import Histogram, HistogramSamples, Samples

_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
_NO_ANSWER = "<error>"


class ClientMetrics:
    """The requests of one client to one host (with its port)."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.codes: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[str, Histogram] = {}

    def answered(self, method: str, code: int, seconds: float) -> None:
        """One request, until the head of its answer. code: 0 when nobody answered."""
        self.codes[str(code) if code else _NO_ANSWER, method] += 1
        took = self.seconds.get(method)
        if took is None:
            took = self.seconds[method] = Histogram(_BUCKETS)
        took.observe(seconds)


def client_samples(clients: Iterable[ClientMetrics]) -> Iterator[Samples | HistogramSamples]:
    """All of a process, added up by host."""
    codes: Counter[tuple[str, str, str]] = Counter()
    seconds: dict[tuple[str, str], Histogram] = {}
    for each in clients:
        for (code, method), count in each.codes.items():
            codes[code, method, each.host] += count
        for verb, took in each.seconds.items():
            total = seconds.setdefault((verb, each.host), Histogram(_BUCKETS))
            total.counts = [mine + its for mine, its in zip(total.counts, took.counts, strict=True)]
            total.sum += took.sum
    help = "Requests to the API server, by code, method and host."
    yield Samples("rest_client_requests_total", help, "counter", ("code", "method", "host"), codes.items())
    rows = [(labels, took.counts, took.sum) for labels, took in seconds.items()]
    help = "Seconds until the API server answered, by verb and host."
    yield HistogramSamples("rest_client_request_duration_seconds", help, ("verb", "host"), _BUCKETS, rows)
