from __future__ import annotations

from proa.scheduler.framework import Happening
from proa.scheduler.queue import LONGEST_WAIT, SchedulingQueue
from tests.unit.scheduler.build import pod


def keys(queue: SchedulingQueue, now: float) -> list[str]:
    found = []
    while (queued := queue.pop(now)) is not None:
        found.append(queued.key)
    return found


def test_higher_priority_goes_first_then_who_came_first() -> None:
    queue = SchedulingQueue()
    for name, priority in (("a", 0), ("b", 10), ("c", 0), ("d", 10)):
        queue.put(name, pod(name, priority=priority))
    assert keys(queue, 0.0) == ["b", "d", "a", "c"]


def test_a_refused_pod_waits_until_something_relevant_happens() -> None:
    queue = SchedulingQueue()
    queue.put("a", pod("a"))
    queued = queue.pop(0.0)
    assert queued is not None
    queue.refuse(queued, Happening.POD_REMOVED, 0.0)
    assert keys(queue, 50.0) == []
    assert queue.happened(Happening.NODE_LABELS, 50.0) == 0
    assert queue.happened(Happening.POD_REMOVED, 50.0) == 1
    assert keys(queue, 50.0) == ["a"]


def test_a_pod_that_fails_again_and_again_is_tried_less_and_less_often() -> None:
    queue = SchedulingQueue()
    queue.put("a", pod("a"))
    now, waits = 0.0, []
    for _ in range(6):
        queued = queue.pop(now)
        assert queued is not None
        queue.refuse(queued, Happening.POD_REMOVED, now)
        queue.happened(Happening.POD_REMOVED, now)
        due = queue.next_due()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_pod_nothing_happened_for_is_tried_again_after_minutes() -> None:
    queue = SchedulingQueue()
    queue.put("a", pod("a"))
    queued = queue.pop(0.0)
    assert queued is not None
    queue.refuse(queued, Happening.POD_REMOVED, 0.0)
    assert queue.next_due() == LONGEST_WAIT
    assert keys(queue, LONGEST_WAIT) == ["a"]


def test_a_gated_pod_is_tried_only_when_its_gates_are_gone() -> None:
    queue = SchedulingQueue()
    queue.put("a", pod("a"), admitted=False)
    queue.happened(Happening.NODE_ADDED, 0.0)
    assert keys(queue, LONGEST_WAIT) == []
    queue.put("a", pod("a"))
    assert keys(queue, 0.0) == ["a"]


def test_a_status_update_does_not_wake_a_waiting_pod_but_a_change_of_the_pod_does() -> None:
    queue = SchedulingQueue()
    queue.put("a", pod("a"))
    queued = queue.pop(0.0)
    assert queued is not None
    queue.refuse(queued, Happening.NODE_ADDED, 0.0)
    queue.put("a", pod("a"))
    assert keys(queue, 5.0) == []
    queue.changed("a", 5.0)
    assert keys(queue, 5.0) == ["a"]


def test_a_removed_pod_never_comes_back() -> None:
    queue = SchedulingQueue()
    queue.put("a", pod("a"))
    queued = queue.pop(0.0)
    assert queued is not None
    queue.remove("a")
    queue.fail(queued, 0.0)
    assert keys(queue, 100.0) == []
    assert queue.next_due() is None
