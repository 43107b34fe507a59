from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.admissionregistration_v1 import RuleWithOperations
from proa.api.admissionregistration_v1.resources import RESOURCES as CONFIGURATIONS
from proa.api.core_v1.resources import EVENTS, NAMESPACES, NODES, PODS
from proa.api.events_v1.resources import RESOURCES as NEWER_EVENTS
from proa.apiserver.matching import configures_admission, matched_version, rule_matches


def rule(**more: Any) -> RuleWithOperations:
    document = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], **more}
    return msgspec.convert(document, RuleWithOperations)


@pytest.mark.parametrize(
    ("more", "matches"),
    [
        ({}, True),
        ({"operations": ["UPDATE", "DELETE"]}, False),
        ({"operations": ["*"]}, True),
        ({"apiGroups": ["apps"]}, False),
        ({"apiGroups": ["*"]}, True),
        ({"apiVersions": ["v2"]}, False),
        ({"apiVersions": ["*"]}, True),
        ({"resources": ["services", "*"]}, True),
        ({"resources": ["pods/*"]}, True),
        ({"resources": ["*/*"]}, True),
        ({"resources": ["pods/status"]}, False),
        ({"scope": "Namespaced"}, True),
        ({"scope": "Cluster"}, False),
        ({"scope": "*"}, True),
    ],
)
def test_a_rule_names_groups_versions_resources_operations_and_scope(more: dict[str, Any], matches: bool) -> None:
    assert rule_matches(rule(**more), PODS, "", "CREATE") is matches


@pytest.mark.parametrize(
    ("resources", "matches"),
    [(["pods"], False), (["*"], False), (["pods/exec"], True), (["pods/*"], True), (["*/exec"], True), (["*/*"], True)],
)
def test_a_subresource_must_be_named(resources: list[str], matches: bool) -> None:
    assert rule_matches(rule(operations=["CONNECT"], resources=resources), PODS, "exec", "CONNECT") is matches


@pytest.mark.parametrize("resource", [NAMESPACES, NODES])
def test_namespaces_are_of_the_cluster(resource: Any) -> None:
    assert rule_matches(rule(resources=["*"], scope="Cluster"), resource, "", "CREATE")
    assert not rule_matches(rule(resources=["*"], scope="Namespaced"), resource, "", "CREATE")


def test_a_rule_that_names_the_resource_itself_goes_before_one_for_another_version() -> None:
    (newer,) = NEWER_EVENTS
    for_newer = rule(apiGroups=["events.k8s.io"], resources=["events"])
    for_older = rule(resources=["events"])
    assert matched_version([for_newer], EVENTS, "", "CREATE", [newer]) is newer
    assert matched_version([for_newer], EVENTS, "", "CREATE") is None
    assert matched_version([for_newer, for_older], EVENTS, "", "CREATE", [newer]) is EVENTS


def test_what_configures_admission_is_nobodys_business() -> None:
    assert all(map(configures_admission, CONFIGURATIONS))
    assert not configures_admission(PODS)
