from __future__ import annotations

from proa.base.metrics import Metrics
from proa.control.metrics import queue_samples


def test_queues_are_shown_by_upstreams_names() -> None:
    statistics = {"reconciles": 3, "errors": 1, "queue": {"depth": 2, "adds": 5, "retries": 1}}
    metrics = Metrics()
    metrics.computed(lambda: queue_samples({"deployment": statistics}))
    text = metrics.exposition().decode()
    assert 'workqueue_depth{name="deployment"} 2.0\n' in text
    assert 'workqueue_adds_total{name="deployment"} 5.0\n' in text
    assert 'workqueue_retries_total{name="deployment"} 1.0\n' in text
    assert 'proa_controller_reconcile_errors_total{controller="deployment"} 1.0\n' in text
