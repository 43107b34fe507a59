"""What roles and bindings must say."""

from __future__ import annotations

from typing import Any

import pytest

from proa.api.rbac_v1.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from tests.unit.api.writing import create_errors, defaulted, update_errors

GROUP = "rbac.authorization.k8s.io"
GET_PODS = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}


def role(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r"}, "rules": list(rules), **more}


def binding(*subjects: dict[str, Any], kind: str = "ClusterRole", name: str = "r") -> dict[str, Any]:
    reference = {"apiGroup": GROUP, "kind": kind, "name": name}
    return {"metadata": {"name": "b"}, "roleRef": reference, "subjects": list(subjects)}


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({**GET_PODS, "verbs": []}, "rules[0].verbs: Required value"),
        ({**GET_PODS, "apiGroups": []}, "rules[0].apiGroups: Required value"),
        ({**GET_PODS, "resources": []}, "rules[0].resources: Required value"),
        ({**GET_PODS, "nonResourceURLs": ["/x"]}, "both regular resources and non-resource URLs"),
    ],
)
def test_a_rule_says_what_may_be_done_to_what(rule: dict[str, Any], why: str) -> None:
    assert create_errors(ROLES, role(GET_PODS)) == []
    assert why in "\n".join(create_errors(CLUSTER_ROLES, role(rule)))


def test_paths_are_a_cluster_roles_matter() -> None:
    rule = {"verbs": ["get"], "nonResourceURLs": ["/x"]}
    assert create_errors(CLUSTER_ROLES, role(rule)) == []
    assert "namespaced rules cannot apply to non-resource URLs" in create_errors(ROLES, role(rule))[0]


@pytest.mark.parametrize(
    ("aggregation", "why"),
    [
        ({"clusterRoleSelectors": []}, "at least one clusterRoleSelector required"),
        ({"clusterRoleSelectors": [{"matchLabels": {"a/b/c": "x"}}]}, "clusterRoleSelectors[0].matchLabels"),
        ({"clusterRoleSelectors": [{"matchExpressions": [{"key": "a", "operator": "Like"}]}]}, "operator"),
    ],
)
def test_a_role_gathers_by_selectors_that_are_some(aggregation: dict[str, Any], why: str) -> None:
    assert why in "\n".join(create_errors(CLUSTER_ROLES, role(aggregationRule=aggregation)))
    good = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    assert create_errors(CLUSTER_ROLES, role(aggregationRule=good)) == []


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ({"kind": "Robot", "name": "x"}, "subjects[0].kind: Unsupported value"),
        ({"kind": "User", "name": ""}, "subjects[0].name: Required value"),
        ({"kind": "User", "apiGroup": "other", "name": "x"}, "subjects[0].apiGroup: Unsupported value"),
        ({"kind": "ServiceAccount", "name": "X", "namespace": "a"}, "subjects[0].name: Invalid value"),
        ({"kind": "ServiceAccount", "apiGroup": GROUP, "name": "x", "namespace": "a"}, "apiGroup: Unsupported value"),
        ({"kind": "ServiceAccount", "name": "x"}, "subjects[0].namespace: Required value"),
    ],
)
def test_a_subject_is_a_user_a_group_or_an_account(subject: dict[str, Any], why: str) -> None:
    assert why in "\n".join(create_errors(CLUSTER_ROLE_BINDINGS, binding(subject)))


def test_an_account_bound_in_a_namespace_may_be_of_it() -> None:
    assert create_errors(ROLE_BINDINGS, binding({"kind": "ServiceAccount", "name": "x"})) == []


def test_users_and_groups_get_their_api_group() -> None:
    made = defaulted(ROLE_BINDINGS, binding({"kind": "User", "name": "x"}, {"kind": "Group", "name": "y"}))
    assert [each["apiGroup"] for each in made["subjects"]] == [GROUP, GROUP]


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ({"kind": "Role"}, "roleRef.kind: Unsupported value"),
        ({"name": ""}, "roleRef.name: Required value"),
        ({"name": "a/b"}, "roleRef.name: Invalid value"),
    ],
)
def test_a_cluster_binding_names_a_cluster_role(reference: dict[str, str], why: str) -> None:
    assert why in "\n".join(create_errors(CLUSTER_ROLE_BINDINGS, binding(**reference)))


def test_what_is_bound_never_changes() -> None:
    assert update_errors(ROLE_BINDINGS, binding(), binding()) == []
    (error,) = update_errors(ROLE_BINDINGS, binding(), binding(kind="Role"))
    assert "cannot change roleRef" in error
