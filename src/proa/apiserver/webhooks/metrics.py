"""How webhooks did, under upstream's names, so that existing dashboards and alerts read them."""

from __future__ import annotations

from proa.base.metrics import Metrics

_PREFIX = "apiserver_admission_"
_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10, 25)
_CONVERSION_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 45, 60)

CALLING = "calling_webhook_error"
INTERNAL = "apiserver_internal_error"
REFUSED = "no_error"


class WebhookMetrics:
    """kind: 'admit' or 'validating', as upstream calls mutating and validating webhooks."""

    def __init__(self, metrics: Metrics) -> None:
        asked = ("name", "type", "operation")
        self._seconds = metrics.histogram(
            f"{_PREFIX}webhook_admission_duration_seconds",
            "Seconds that webhooks took, by name, type and operation.",
            (*asked, "rejected"),
            buckets=_BUCKETS,
        )
        self._requests = metrics.counter(
            f"{_PREFIX}webhook_request_total",
            "Calls of webhooks, by name, type, operation, status code and whether the request was rejected.",
            (*asked, "code", "rejected"),
        )
        self._rejections = metrics.counter(
            f"{_PREFIX}webhook_rejection_count",
            "Requests rejected because of a webhook, by name, type, operation, kind of error and status code.",
            (*asked, "error_type", "rejection_code"),
        )
        self._open = metrics.counter(
            f"{_PREFIX}webhook_fail_open_count",
            "Calls of webhooks that failed and were ignored, by name and type.",
            ("name", "type"),
        )
        self._excluded = metrics.counter(
            f"{_PREFIX}match_condition_exclusions_total",
            "Requests that match conditions kept from a webhook or policy.",
            ("name", "kind", "type", "operation"),
        )
        ended = ("result", "failure_type")
        self._conversions = metrics.counter(
            "apiserver_conversion_webhook_request_total",
            "Calls of conversion webhooks, by result and kind of failure.",
            ended,
        )
        self._conversion_seconds = metrics.histogram(
            "apiserver_conversion_webhook_duration_seconds",
            "Seconds that conversion webhooks took, by result and kind of failure.",
            ended,
            buckets=_CONVERSION_BUCKETS,
        )

    def asked(self, name: str, kind: str, operation: str, seconds: float, code: int, error: str | None = None) -> None:
        """One call. error: why the request is rejected, None when it is not."""
        rejected = "false" if error is None else "true"
        self._seconds.labels(name, kind, operation, rejected).observe(seconds)
        self._requests.labels(name, kind, operation, _shown(code), rejected).inc()
        if error is not None:
            self._rejections.labels(name, kind, operation, error, _shown(code)).inc()

    def failed_open(self, name: str, kind: str) -> None:
        self._open.labels(name, kind).inc()

    def converted(self, seconds: float, failure: str = "") -> None:
        """One call of a conversion webhook. failure: its kind, '' when it did what it should."""
        ended = ("failure" if failure else "success", failure)
        self._conversions.labels(*ended).inc()
        self._conversion_seconds.labels(*ended).observe(seconds)

    def excluded(self, name: str, kind: str, operation: str) -> None:
        self._excluded.labels(name, "webhook", kind, operation).inc()


def _shown(code: int) -> str:
    """No label for every number a webhook could invent."""
    return "600" if code > 600 else str(code)
