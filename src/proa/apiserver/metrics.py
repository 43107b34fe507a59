"""Request counts and latencies, in upstream's names, so that existing dashboards read them.

Counting is a dictionary and a bisect, because every request does it; the text is only made when it is asked for. Not
here: the metrics of other components.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from proa.apiserver.requestinfo import RequestInfo

_BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0,
            30.0, 45.0, 60.0)  # fmt: skip
_LONG = frozenset({"watch", "connect"})
_LONG_SUBRESOURCES = frozenset({"exec", "attach", "portforward", "log", "proxy"})

_Key = tuple[str, str, str, str, str, str]


class RequestMetrics:
    """What the server has answered since it started."""

    def __init__(self) -> None:
        self._counts: dict[tuple[_Key, int], int] = {}
        self._latencies: dict[_Key, list[float]] = {}
        self.in_flight = 0

    def observe(self, info: RequestInfo, code: int, seconds: float) -> None:
        """Count one finished request."""
        scope = ("resource" if info.name else "namespace" if info.namespace else "cluster") if info.is_resource else ""
        key = (info.verb, info.group, info.version, info.resource, info.subresource, scope)
        counts = self._counts
        counts[key, code] = counts.get((key, code), 0) + 1
        if info.verb in _LONG or info.subresource in _LONG_SUBRESOURCES:
            return
        latency = self._latencies.get(key)
        if latency is None:
            latency = self._latencies[key] = [0.0] * (len(_BUCKETS) + 2)
        latency[bisect_left(_BUCKETS, seconds)] += 1
        latency[-1] += seconds

    def text(self, statistics: Mapping[str, Mapping[str, float]]) -> str:
        """The Prometheus exposition; `statistics` are gauges of other parts: component -> name -> value."""
        lines = ["# HELP apiserver_request_total Requests answered, by verb, resource and code.",
                 "# TYPE apiserver_request_total counter"]  # fmt: skip
        for (key, code), count in sorted(self._counts.items()):
            lines.append(f'apiserver_request_total{{{_labels(key)},code="{code}"}} {count}')
        name = "apiserver_request_duration_seconds"
        lines += [f"# HELP {name} Seconds from the request to the answer.", f"# TYPE {name} histogram"]
        for key, latency in sorted(self._latencies.items()):
            labels, total = _labels(key), 0.0
            for bound, here in zip((*_BUCKETS, "+Inf"), latency, strict=False):
                total += here
                lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {total:.0f}')
            lines += [f"{name}_sum{{{labels}}} {latency[-1]:.6f}", f"{name}_count{{{labels}}} {total:.0f}"]
        lines += ["# HELP apiserver_current_inflight_requests Requests being answered now.",
                  "# TYPE apiserver_current_inflight_requests gauge",
                  f"apiserver_current_inflight_requests {self.in_flight}"]  # fmt: skip
        lines += _gauges(statistics)
        return "\n".join(lines) + "\n"


def _labels(key: _Key) -> str:
    verb, group, version, resource, subresource, scope = key
    return (
        f'verb="{verb.upper()}",group="{_escaped(group)}",version="{_escaped(version)}",'
        f'resource="{_escaped(resource)}",subresource="{_escaped(subresource)}",scope="{scope}"'
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _gauges(statistics: Mapping[str, Mapping[str, float]]) -> Iterable[str]:
    by_name: dict[str, list[str]] = {}
    for component, values in statistics.items():
        for name, value in values.items():
            by_name.setdefault(name, []).append(f'proa_statistic{{component="{component}",name="{name}"}} {value}')
    if by_name:
        yield "# HELP proa_statistic What long-lived parts say of themselves."
        yield "# TYPE proa_statistic gauge"
        for name in sorted(by_name):
            yield from by_name[name]
