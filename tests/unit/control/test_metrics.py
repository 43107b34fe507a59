from __future__ import annotations

import asyncio

from proa.aio.clock import VirtualClock, virtual_run
from proa.aio.queue import KeyedQueue
from proa.base.metrics import Metrics
from proa.control.metrics import duration_samples, queue_samples


def test_queues_are_shown_by_upstreams_names() -> None:
    statistics = {"reconciles": 3, "errors": 1, "queue": {"depth": 2, "adds": 5, "retries": 1}}
    metrics = Metrics()
    metrics.computed(lambda: queue_samples({"deployment": statistics}))
    text = metrics.exposition().decode()
    assert 'workqueue_depth{name="deployment"} 2.0\n' in text
    assert 'workqueue_adds_total{name="deployment"} 5.0\n' in text
    assert 'workqueue_retries_total{name="deployment"} 1.0\n' in text
    assert 'proa_controller_reconcile_errors_total{controller="deployment"} 1.0\n' in text


def test_queues_tell_how_long_keys_waited_and_were_worked_on() -> None:
    async def main(clock: VirtualClock) -> str:
        queue: KeyedQueue[str] = KeyedQueue()
        for key in "ab":
            queue.add(key)
        await asyncio.sleep(2.0)
        queue.done(await queue.get())
        await queue.get()
        await asyncio.sleep(30.0)
        metrics = Metrics(process=False)
        metrics.computed(lambda: duration_samples({"job": queue}))
        return metrics.exposition().decode()

    text = virtual_run(main)
    assert 'workqueue_queue_duration_seconds_bucket{le="1.0",name="job"} 0.0\n' in text
    assert 'workqueue_queue_duration_seconds_bucket{le="10.0",name="job"} 2.0\n' in text
    assert 'workqueue_queue_duration_seconds_sum{name="job"} 4.0\n' in text
    assert 'workqueue_work_duration_seconds_bucket{le="1e-08",name="job"} 1.0\n' in text
    assert 'workqueue_work_duration_seconds_count{name="job"} 1.0\n' in text
    assert 'workqueue_unfinished_work_seconds{name="job"} 30.0\n' in text
    assert 'workqueue_longest_running_processor_seconds{name="job"} 30.0\n' in text
