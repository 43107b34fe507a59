"""Declared defaults are filled in, and values become canonical."""

import copy
from typing import Any

import pytest

from proa.api.apps_v1 import Deployment
from proa.api.core_v1 import Event, Pod, Service
from proa.machinery.declare import Field
from proa.machinery.default import apply_defaults
from proa.machinery.schema import INTEGER, STRING, ListSchema, MapSchema, ObjectSchema, Property, schema_of
from proa.machinery.status import StatusError


def defaulted(document: dict[str, Any], type: Any) -> dict[str, Any]:
    apply_defaults(document, schema_of(type))
    return document


def test_absent_fields_get_their_defaults() -> None:
    spec = defaulted({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}}, Pod)["spec"]
    assert spec["restartPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["securityContext"] == {}
    assert spec["enableServiceLinks"] is True
    assert spec["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert spec["containers"][0]["terminationMessagePolicy"] == "File"


def test_what_is_said_stays() -> None:
    document = {"spec": {"terminationGracePeriodSeconds": 0, "enableServiceLinks": False, "restartPolicy": "Never"}}
    spec = defaulted(document, Pod)["spec"]
    assert (spec["terminationGracePeriodSeconds"], spec["enableServiceLinks"], spec["restartPolicy"]) == (
        0,
        False,
        "Never",
    )


def test_an_empty_value_that_is_no_pointer_counts_as_absent() -> None:
    spec = defaulted({"spec": {"restartPolicy": "", "terminationGracePeriodSeconds": None}}, Pod)["spec"]
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"]) == ("Always", 30)


def test_a_default_reaches_into_what_it_made() -> None:
    spec = defaulted({"spec": {}}, Deployment)["spec"]
    assert spec["strategy"]["type"] == "RollingUpdate"
    assert spec["replicas"] == 1


def test_objects_that_are_no_pointers_exist_unsaid() -> None:
    document = defaulted({}, Service)
    assert document["spec"]["type"] == "ClusterIP"
    assert defaulted({"spec": {}}, Pod)["status"] == {"phase": "Pending"}


def test_an_object_that_is_there_is_completed_as_one_that_is_not() -> None:
    assert defaulted({"spec": {"securityContext": {}}}, Pod) == defaulted({}, Pod)
    assert defaulted({"spec": {"strategy": {}}}, Deployment) == defaulted({}, Deployment)


def test_defaults_are_not_shared_between_objects() -> None:
    one, other = defaulted({"spec": {}}, Pod), defaulted({"spec": {}}, Pod)
    assert one["spec"]["securityContext"] is not other["spec"]["securityContext"]


def test_quantities_and_times_become_canonical() -> None:
    resources = {"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": {"cpu": "1000m"}}
    document = {
        "metadata": {"creationTimestamp": "2024-01-01T02:00:00+02:00"},
        "spec": {"containers": [{"resources": resources}], "volumes": [{"emptyDir": {"sizeLimit": "1000Ki"}}]},
    }
    defaulted(document, Pod)
    assert resources == {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "1"}}
    assert document["metadata"] == {"creationTimestamp": "2024-01-01T00:00:00Z"}
    assert defaulted({"eventTime": "2024-01-01T00:00:00Z"}, Event)["eventTime"] == "2024-01-01T00:00:00.000000Z"


def test_a_malformed_quantity_is_named() -> None:
    with pytest.raises(StatusError) as caught:
        defaulted({"spec": {"containers": [{"resources": {"limits": {"cpu": "one"}}}]}}, Pod)
    assert caught.value.code == 400
    assert "cannot be handled as a Pod: spec.containers[0].resources.limits.cpu: quant" in caught.value.message


def test_defaulting_twice_changes_nothing() -> None:
    container = {"name": "a", "livenessProbe": {"exec": {}}}
    document = defaulted({"spec": {"containers": [container], "volumes": [{"configMap": {}}]}}, Pod)
    assert document["spec"]["volumes"][0]["configMap"] == {"defaultMode": 420}
    assert defaulted(copy.deepcopy(document), Pod) == document


def test_a_schema_made_by_hand_is_defaulted_the_same_way() -> None:
    leaf = ObjectSchema("Leaf", {"n": Property("n", INTEGER, Field(default=3), nullable=True)})
    tree: dict[str, Property] = {"name": Property("name", STRING, Field(default='it\'s "x"'), nullable=True)}
    schema = ObjectSchema("Tree", lambda: tree)
    tree["lists"] = Property("lists", ListSchema(ListSchema(leaf)))
    tree["map"] = Property("map", MapSchema(schema))
    document: dict[str, Any] = {"lists": [[{}, {"n": 0}]], "map": {"k": {"map": {"l": {"name": ""}}}}}
    apply_defaults(document, schema)
    name = 'it\'s "x"'
    assert document == {
        "name": name,
        "lists": [[{"n": 3}, {"n": 0}]],
        "map": {"k": {"name": name, "map": {"l": {"name": ""}}}},
    }
