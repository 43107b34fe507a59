from __future__ import annotations

from proa.apiserver.metrics import RequestMetrics
from proa.apiserver.requestinfo import parse
from proa.base.metrics import HistogramSamples

LIST = parse("GET", "/api/v1/namespaces/default/pods", "")


def own(metrics: RequestMetrics) -> tuple[list[float], float]:
    """Numbers by bucket of what the server itself took, and their sum."""
    (found,) = [each for each in metrics.samples() if each.name == "apiserver_request_sli_duration_seconds"]
    assert isinstance(found, HistogramSamples)
    assert found.bounds[:3] == (0.05, 0.1, 0.2)
    ((_, numbers, total),) = found.rows
    return list(numbers), total


def test_what_a_request_waited_for_others_is_no_time_of_the_servers() -> None:
    metrics = RequestMetrics()
    series = metrics.series(LIST)
    series.observe(200, 0.01)
    series.observe(200, 0.25)
    series.excuse(0.25, 0.125)
    numbers, total = own(metrics)
    assert numbers[:4] == [1, 0, 1, 0]
    assert sum(numbers) == 2
    assert total == 0.135


def test_dry_runs_say_nothing_about_the_time_that_requests_take() -> None:
    metrics = RequestMetrics()
    metrics.series(LIST, "All").observe(200, 1.0)
    metrics.series(LIST).observe(200, 0.5)
    assert own(metrics)[1] == 0.5


def test_only_what_was_let_in_counts_as_requested() -> None:
    metrics = RequestMetrics()
    metrics.series(LIST).observe(403, 0.1)
    assert metrics.requested() == set()
    metrics.series(LIST, "", ("global-default", "global-default")).observe(200, 0.1)
    assert metrics.requested() == {("", "v1", "pods", "")}
