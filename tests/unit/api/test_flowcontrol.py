from __future__ import annotations

from typing import Any

import pytest

from proa.api.flowcontrol_v1 import bootstrap
from proa.api.flowcontrol_v1.resources import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from proa.machinery.decode import to_document
from tests.unit.api.writing import create_errors, created


def schema(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    body = {"priorityLevelConfiguration": {"name": "level"}, "rules": list(rules), **spec}
    return {"metadata": {"name": "schema"}, "spec": body}


def rule(**fields: Any) -> dict[str, Any]:
    return {
        "subjects": [{"kind": "User", "user": {"name": "u"}}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        **fields,
    }


def level(response: dict[str, Any], **limited: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "level"},
        "spec": {"type": "Limited", "limited": {"limitResponse": response, **limited}},
    }


def test_a_flow_schema_and_a_level_get_upstreams_defaults() -> None:
    assert created(FLOW_SCHEMAS, schema(rule()))["spec"]["matchingPrecedence"] == 1000
    limited = created(PRIORITY_LEVEL_CONFIGURATIONS, level({"type": "Queue", "queuing": {}}))["spec"]["limited"]
    assert limited == {
        "nominalConcurrencyShares": 30,
        "lendablePercent": 0,
        "limitResponse": {"type": "Queue", "queuing": {"queues": 64, "handSize": 8, "queueLengthLimit": 50}},
    }


@pytest.mark.parametrize(
    "objects",
    [
        (FLOW_SCHEMAS, (*bootstrap.MANDATORY_SCHEMAS, *bootstrap.SUGGESTED_SCHEMAS)),
        (PRIORITY_LEVEL_CONFIGURATIONS, (*bootstrap.MANDATORY_LEVELS, *bootstrap.SUGGESTED_LEVELS)),
    ],
)
def test_what_every_cluster_has_is_valid_and_stays_as_it_is_written(objects: Any) -> None:
    resource, all_of_them = objects
    for each in all_of_them:
        assert created(resource, to_document(each))["spec"] == to_document(each)["spec"]


@pytest.mark.parametrize(
    ("document", "errors"),
    [
        (schema(rule(), matchingPrecedence=1),
         ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"]),
        (schema(rule(), matchingPrecedence=10001),
         ["spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000"]),
        (schema(rule(), priorityLevelConfiguration={}),
         ["spec.priorityLevelConfiguration.name: Required value: must reference a priority level"]),
        (schema(rule(subjects=[])),
         ["spec.rules[0].subjects: Required value: subjects must contain at least one value"]),
        (schema(rule(nonResourceRules=[])),
         ["spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty"]),
        (schema(rule(subjects=[{"kind": "Group", "user": {"name": "u"}}])),
         ["spec.rules[0].subjects[0].group: Required value: group is required when subject kind is 'Group'",
          "spec.rules[0].subjects[0].user: Forbidden: user is forbidden when subject kind is not 'User'"]),
        (schema(rule(nonResourceRules=[{"verbs": ["get"], "nonResourceURLs": ["/a*"]}])),
         ['spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*": '
          "wildcard can only do suffix matching"]),
        (schema(rule(resourceRules=[{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
         ["spec.rules[0].resourceRules[0].namespaces: Required value: "
          "resource rules that are not cluster scoped must supply at least one namespace"]),
    ],
)  # fmt: skip
def test_a_flow_schema_is_refused_where_it_is_wrong(document: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(FLOW_SCHEMAS, document) == errors


@pytest.mark.parametrize(
    ("document", "errors"),
    [
        (level({"type": "Queue"}),
         ["spec.limited.limitResponse.queuing: Required value: "
          "must not be empty if limited.limitResponse.type is Limited"]),
        (level({"type": "Reject", "queuing": {}}),
         ["spec.limited.limitResponse.queuing: Forbidden: "
          "must be nil if limited.limitResponse.type is not Limited"]),
        (level({"type": "Reject"}, lendablePercent=101),
         ["spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive"]),
        (level({"type": "Queue", "queuing": {"queues": 2, "handSize": 3}}),
         ["spec.limited.limitResponse.queuing.handSize: Invalid value: 3: should not be greater than queues (2)"]),
        (level({"type": "Queue", "queuing": {"queues": 1024, "handSize": 7}}),
         ["spec.limited.limitResponse.queuing.handSize: Invalid value: 7: "
          "required entropy bits of deckSize 1024 and handSize 7 should not be greater than 60"]),
        ({"metadata": {"name": "level"}, "spec": {"type": "Exempt"}},
         ["spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'"]),
    ],
)  # fmt: skip
def test_a_level_is_refused_where_it_is_wrong(document: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(PRIORITY_LEVEL_CONFIGURATIONS, document) == errors


def test_the_mandatory_objects_may_not_be_changed() -> None:
    other = {**schema(rule()), "metadata": {"name": "catch-all"}}
    assert "spec of 'catch-all' must equal the fixed value" in create_errors(FLOW_SCHEMAS, other)[0]
    catch_all = {**level({"type": "Reject"}), "metadata": {"name": "catch-all"}}
    assert "must equal the fixed value" in create_errors(PRIORITY_LEVEL_CONFIGURATIONS, catch_all)[0]
    exempt = {"metadata": {"name": "exempt"}, "spec": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 5}}}
    assert create_errors(PRIORITY_LEVEL_CONFIGURATIONS, exempt) == []
