from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.apps_v1.resources import DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS
from proa.api.rbac_v1.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLES
from tests.unit.api.writing import create_errors, defaulted, update_errors


def workload(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
    return {
        "metadata": {"name": "w", "namespace": "d"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template, **spec},
    }


def test_a_deployment_rolls_a_quarter_at_a_time_by_default() -> None:
    spec = defaulted(DEPLOYMENTS, workload())["spec"]
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"


def test_a_template_gets_no_requests_from_limits_and_no_host_ports() -> None:
    main = {"name": "a", "image": "x", "resources": {"limits": {"cpu": "1"}}, "ports": [{"containerPort": 80}]}
    document = workload()
    document["spec"]["template"]["spec"] = {"hostNetwork": True, "containers": [main]}
    (main,) = defaulted(DEPLOYMENTS, document)["spec"]["template"]["spec"]["containers"]
    assert main["resources"] == {"limits": {"cpu": "1"}}
    assert "hostPort" not in main["ports"][0]  # type: ignore[index]


@pytest.mark.parametrize("resource", [DEPLOYMENTS, DAEMON_SETS, STATEFUL_SETS])
def test_a_selector_must_match_the_template_and_may_not_change(resource: Any) -> None:
    assert create_errors(resource, workload()) == []
    (error,) = create_errors(resource, workload(selector={"matchLabels": {"app": "b"}}))
    assert error.startswith("spec.template.metadata.labels: Invalid value:")
    assert error.endswith("`selector` does not match template `labels`")
    changed = deepcopy(workload())
    changed["spec"]["selector"]["matchLabels"]["more"] = "x"
    assert update_errors(resource, workload(), changed)


def test_a_rolling_update_must_be_able_to_move() -> None:
    stuck = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}
    assert create_errors(DEPLOYMENTS, workload(strategy=stuck)) == [
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"
    ]


def test_pods_of_a_workload_must_restart() -> None:
    broken = workload()
    broken["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    assert create_errors(DEPLOYMENTS, broken) == [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'
    ]


def test_a_role_says_verbs_groups_and_resources() -> None:
    errors = create_errors(ROLES, {"metadata": {"name": "r"}, "rules": [{"verbs": []}]})
    assert [each.partition(":")[0] for each in errors] == ["rules[0].verbs", "rules[0].apiGroups", "rules[0].resources"]
    urls = {"metadata": {"name": "r"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}
    assert create_errors(CLUSTER_ROLES, deepcopy(urls)) == []
    assert len(create_errors(ROLES, urls)) == 1


def test_a_bindings_role_may_not_change() -> None:
    old = {"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "a"}}
    new = {"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "b"}}
    (error,) = update_errors(CLUSTER_ROLE_BINDINGS, old, new)
    assert error.endswith("cannot change roleRef")


def test_a_malformed_selector_is_an_error_with_its_path_before_anything_is_matched_by_it() -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": "Sometimes"}]}
    assert create_errors(DAEMON_SETS, workload(selector=selector)) == [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Sometimes": not a valid selector operator'
    ]
