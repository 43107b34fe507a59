"""How many events people see of what happened: the pure correlator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from proa.api.core_v1 import ObjectReference
from proa.client.events import Correlator, Create, Occurrence, Repeat

START = datetime(2026, 1, 1, tzinfo=UTC)
POD = ObjectReference(kind="Pod", namespace="ns", name="web", uid="1", apiVersion="v1")


def happened(
    message: str = "m", seconds: float = 0, reason: str = "Failed", about: ObjectReference = POD
) -> Occurrence:
    return Occurrence(about, "Warning", reason, message, "kubelet", "node", START + timedelta(seconds=seconds))


def test_the_first_time_an_event_is_written():
    decision = Correlator().decide(happened())
    assert isinstance(decision, Create)
    event = decision.event
    assert (event.metadata.namespace, event.count, event.reason, event.type) == ("ns", 1, "Failed", "Warning")
    assert event.metadata.name.startswith("web.")
    assert (event.source.component, event.source.host) == ("kubelet", "node")
    assert event.firstTimestamp == event.lastTimestamp == "2026-01-01T00:00:00Z"


def test_the_same_again_counts_the_event_up():
    correlator = Correlator()
    first = correlator.decide(happened())
    again = correlator.decide(happened(seconds=5))
    assert isinstance(first, Create)
    assert isinstance(again, Repeat)
    assert again.name == first.event.metadata.name
    assert again.patch == {"count": 2, "lastTimestamp": "2026-01-01T00:00:05Z", "message": "m"}
    assert again.instead.event.firstTimestamp == "2026-01-01T00:00:00Z"
    assert again.instead.event.count == 2


def test_many_events_that_differ_only_in_their_message_are_combined():
    correlator = Correlator()
    decisions = [correlator.decide(happened(f"message {number}", number)) for number in range(15)]
    assert sum(isinstance(each, Create) for each in decisions) == 10
    combined = decisions[9]
    assert isinstance(combined, Create)
    assert combined.event.message == "(combined from similar events): message 9"
    assert all(isinstance(each, Repeat) and each.name == combined.event.metadata.name for each in decisions[10:])


def test_similar_events_are_told_apart_again_after_ten_quiet_minutes():
    correlator = Correlator()
    for number in range(12):
        correlator.decide(happened(f"message {number}", number))
    later = correlator.decide(happened("message 99", 700))
    assert isinstance(later, Create)
    assert later.event.message == "message 99"


def test_a_noisy_object_is_throttled_and_others_are_not():
    correlator = Correlator()
    decisions = [correlator.decide(happened("same", 0)) for _ in range(40)]
    assert sum(each is not None for each in decisions) == 25
    assert correlator.decide(happened("same", 301)) is not None
    assert correlator.decide(happened("same", 302)) is None
    other = ObjectReference(kind="Pod", namespace="ns", name="other", uid="2", apiVersion="v1")
    assert correlator.decide(happened(about=other)) is not None


def test_cluster_scoped_objects_have_their_events_in_default_and_names_never_collide():
    correlator = Correlator()
    node = ObjectReference(kind="Node", name="node", uid="3", apiVersion="v1")
    first = correlator.decide(happened("one", about=node))
    second = correlator.decide(happened("two", about=node))
    assert isinstance(first, Create)
    assert isinstance(second, Create)
    assert first.event.metadata.namespace == "default"
    assert first.event.metadata.name != second.event.metadata.name
