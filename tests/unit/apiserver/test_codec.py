"""What the watch cache reads out of stored bytes."""

from __future__ import annotations

import msgspec
import pytest

from proa.api.apps_v1.resources import REPLICA_SETS
from proa.api.core_v1.resources import EVENTS, NODES, PODS
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
