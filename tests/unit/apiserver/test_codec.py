"""What the watch cache reads out of stored bytes."""

from __future__ import annotations

import msgspec
import pytest

from proa.api.apps_v1.resources import REPLICA_SETS
from proa.api.core_v1.resources import EVENTS, NODES, PODS
from proa.api.events_v1.resources import EVENTS as SERVED_EVENTS
from proa.apiserver.codec import codec_of
from proa.machinery.resource import Resource


@pytest.mark.parametrize(
    ("resource", "field", "expected"),
    [
        (NODES, "spec.unschedulable", "false"),
        (PODS, "spec.hostNetwork", "false"),
        (PODS, "spec.nodeName", ""),
        (REPLICA_SETS, "status.replicas", "0"),
        (EVENTS, "source", ""),
    ],
)
def test_an_absent_field_is_selected_by_what_it_means(resource: Resource[object], field: str, expected: str) -> None:
    index = codec_of(resource).index(msgspec.json.encode({"metadata": {"name": "a"}}))
    assert index.fields[field] == expected


def test_a_field_that_is_there_is_selected_by_its_text() -> None:
    body = msgspec.json.encode({"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"unschedulable": True}})
    index = codec_of(NODES).index(body)
    assert index.fields == {"metadata.name": "a", "spec.unschedulable": "true"}
    assert index.labels == {"x": "y"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"source": {"component": "kubelet"}, "reportingComponent": "other"}, "kubelet"),
        ({"source": {}, "reportingComponent": "scheduler"}, "scheduler"),
    ],
)
def test_the_source_of_an_event_is_its_component_or_its_reporter(document: dict[str, object], expected: str) -> None:
    index = codec_of(EVENTS).index(msgspec.json.encode({"metadata": {"name": "a"}, **document}))
    assert index.fields["source"] == expected


def test_events_of_both_groups_are_selected_by_their_own_names_of_fields() -> None:
    document = {"metadata": {"name": "a"}, "regarding": {"kind": "Pod"}, "reportingController": "c"}
    fields = codec_of(SERVED_EVENTS).index(msgspec.json.encode(document)).fields
    assert (fields["regarding.kind"], fields["reportingController"], fields["type"]) == ("Pod", "c", "")
