from __future__ import annotations

from random import Random
from typing import Any

import pytest

from proa.api.apps_v1.resources import DEPLOYMENTS, STATEFUL_SETS
from proa.api.core_v1.resources import NODES, PODS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.identity import User
from proa.apiserver.plugins import UnknownPluginError, default_plugins
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.plugins.default_toleration_seconds import DefaultTolerationSeconds
from proa.apiserver.plugins.not_implemented import NotImplementedWarnings
from proa.apiserver.plugins.pod_quality import PodQuality
from proa.apiserver.plugins.taint_nodes_by_condition import TaintNodesByCondition
from proa.client.informer import Informers
from proa.machinery.resource import Resource

from .conftest import passed

ADMIN = User("admin", groups=("system:masters",))
KUBELET = User("system:node:n1", groups=("system:nodes",))


def attributes(
    resource: Resource[Any],
    document: dict[str, Any] | None,
    operation: Operation = "CREATE",
    *,
    old: dict[str, Any] | None = None,
    user: User = ADMIN,
    subresource: str = "",
    name: str = "x",
) -> Attributes:
    return Attributes(operation, resource, subresource, "", name, document, old, user)


async def test_a_pod_tolerates_a_lost_node_for_five_minutes_unless_it_says_how_long() -> None:
    pod: dict[str, Any] = {"spec": {"tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]}}
    await passed(DefaultTolerationSeconds().mutate(attributes(PODS, pod)))
    assert [each.get("tolerationSeconds") for each in pod["spec"]["tolerations"]] == [None, 300]
    await passed(DefaultTolerationSeconds().mutate(attributes(PODS, pod)))
    assert len(pod["spec"]["tolerations"]) == 2


@pytest.mark.parametrize(("operation", "handled"), [("CREATE", True), ("UPDATE", True), ("DELETE", False)])
def test_a_changed_pod_keeps_tolerating_a_lost_node(operation: Operation, handled: bool) -> None:
    assert DefaultTolerationSeconds().handles(PODS, "", operation) is handled
    assert not DefaultTolerationSeconds().handles(PODS, "status", operation)


async def test_a_new_node_is_tainted_until_it_is_ready() -> None:
    node: dict[str, Any] = {"spec": {}}
    await passed(TaintNodesByCondition().mutate(attributes(NODES, node)))
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


async def test_a_new_pod_has_its_quality_of_service_class() -> None:
    container = {"name": "a", "image": "x", "resources": {"limits": {"cpu": "1", "memory": "1Mi"}}}
    pod: dict[str, Any] = {"metadata": {"name": "a"}, "spec": {"containers": [container]}, "status": {"phase": "P"}}
    await passed(PodQuality().mutate(attributes(PODS, pod)))
    assert pod["status"] == {"phase": "P", "qosClass": "Guaranteed"}


async def test_a_malformed_quantity_is_left_to_validation() -> None:
    container = {"name": "a", "image": "x", "resources": {"limits": {"cpu": "much"}}}
    pod: dict[str, Any] = {"metadata": {"name": "a"}, "spec": {"containers": [container]}}
    await passed(PodQuality().mutate(attributes(PODS, pod)))
    assert "status" not in pod


async def test_a_pod_without_containers_is_left_to_validation() -> None:
    pod: dict[str, Any] = {"metadata": {"name": "a"}, "spec": {}}
    await passed(PodQuality().mutate(attributes(PODS, pod)))
    assert pod["status"] == {"qosClass": "BestEffort"}


async def test_what_nothing_acts_on_is_accepted_with_a_warning() -> None:
    request = attributes(STATEFUL_SETS, {"spec": {"template": {"spec": {}}}})
    await passed(NotImplementedWarnings().validate(request))
    assert request.warnings == ["statefulsets.apps are not implemented yet: no controller makes its pods"]


async def test_a_field_that_is_ignored_is_warned_about_once() -> None:
    spec = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}}
    document = {"spec": {"template": {"spec": spec}}}
    request = attributes(DEPLOYMENTS, document)
    await passed(NotImplementedWarnings().validate(request))
    assert request.warnings == [
        "spec.template.spec.affinity.podAntiAffinity is not implemented yet: the scheduler ignores it"
    ]
    unchanged = attributes(DEPLOYMENTS, document, "UPDATE", old=document)
    await passed(NotImplementedWarnings().validate(unchanged))
    assert unchanged.warnings == []


GRPC = {"grpc": {"port": 1}}
FILE_KEY = {"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}


def alone(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "a", **fields}]}


@pytest.mark.parametrize(
    ("spec", "warned"),
    [
        ({"schedulingGroup": {"podGroupName": "g"}}, "schedulingGroup"),
        (alone(env=[{"name": "B"}, FILE_KEY]), "containers[0].env[1].valueFrom.fileKeyRef"),
        (alone(readinessProbe=GRPC), "containers[0].readinessProbe.grpc"),
        (alone(startupProbe=GRPC), "containers[0].startupProbe.grpc"),
        ({"initContainers": [{"name": "a"}, {"name": "b", "livenessProbe": GRPC}]},
         "initContainers[1].livenessProbe.grpc"),
        (alone(restartPolicyRules=[{"action": "RestartAllContainers"}]), "containers[0].restartPolicyRules[0].action"),
        (alone(securityContext={"seLinuxOptions": {"level": "s0"}}), "containers[0].securityContext.seLinuxOptions"),
        (alone(securityContext={"appArmorProfile": {"type": "RuntimeDefault"}}),
         "containers[0].securityContext.appArmorProfile"),
    ],
)  # fmt: skip
async def test_what_nodes_and_the_scheduler_ignore_of_a_pod_is_warned_about(spec: dict[str, Any], warned: str) -> None:
    request = attributes(PODS, {"spec": spec})
    await passed(NotImplementedWarnings().validate(request))
    assert [each.partition(" is not implemented yet: ")[0] for each in request.warnings] == [f"spec.{warned}"]
    unchanged = attributes(PODS, {"spec": spec}, "UPDATE", old={"spec": spec})
    await passed(NotImplementedWarnings().validate(unchanged))
    assert unchanged.warnings == []


async def test_what_containers_said_before_is_not_warned_about_again_when_they_move() -> None:
    ignoring, changed = {"name": "a", "env": [FILE_KEY]}, {**FILE_KEY, "name": "Z"}
    old = {"spec": {"containers": [ignoring, {"name": "b", "env": [FILE_KEY]}]}}
    new = {"spec": {"containers": [{"name": "c"}, {"name": "b", "startupProbe": GRPC, "env": [changed]}, ignoring]}}
    request = attributes(PODS, new, "UPDATE", old=old)
    await passed(NotImplementedWarnings().validate(request))
    assert [each.partition(" is not implemented yet: ")[0] for each in request.warnings] == [
        "spec.containers[1].startupProbe.grpc"
    ]


@pytest.mark.parametrize(("users", "warned"), [(True, 0), (False, 1)])
async def test_a_pod_that_wants_users_of_its_own_is_warned_that_it_has_none(users: bool, warned: int) -> None:
    request = attributes(PODS, {"spec": {"hostUsers": users, "securityContext": {}, "affinity": {"podAffinity": {}}}})
    await passed(NotImplementedWarnings().validate(request))
    assert len(request.warnings) == warned


async def test_what_containers_can_say_is_accepted_in_silence() -> None:
    probe = {"tcpSocket": {"port": 1}}
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]
    variables = [{"name": "B", "value": "b"}, {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    spec = alone(env=variables, livenessProbe=probe, restartPolicyRules=rules, securityContext={"runAsUser": 1})
    request = attributes(PODS, {"spec": spec})
    await passed(NotImplementedWarnings().validate(request))
    assert request.warnings == []


async def test_an_ephemeral_container_is_warned_about_when_it_comes() -> None:
    assert NotImplementedWarnings().handles(PODS, "ephemeralcontainers", "UPDATE")
    old = {"spec": alone(env=[FILE_KEY])}
    new = {"spec": {**old["spec"], "ephemeralContainers": [{"name": "e", "env": [FILE_KEY]}]}}
    request = attributes(PODS, new, "UPDATE", old=old, subresource="ephemeralcontainers")
    await passed(NotImplementedWarnings().validate(request))
    assert request.warnings == [
        "spec.ephemeralContainers[0].env[0].valueFrom.fileKeyRef is not implemented yet: the variable is not set"
    ]


def context() -> PluginContext:
    client: Any = None
    return PluginContext(client, Informers(client), Random(1))


def test_plugins_run_unless_they_are_refused_and_opt_in_ones_only_when_asked_for() -> None:
    names = [each.name for each in default_plugins(context())]
    assert names[0] == "NamespaceLifecycle"
    fewer = [each.name for each in default_plugins(context(), disable=["Priority"])]
    assert fewer == [each for each in names if each != "Priority"]


@pytest.mark.parametrize(
    ("enable", "disable", "why"),
    [
        (["Nonsense"], [], "there is no admission plugin 'Nonsense': there are Namespace"),
        ([], ["PodQuality"], "there is no admission plugin 'PodQuality'"),
        (["Priority"], ["Priority"], "enabled and disabled at once: Priority"),
    ],
)
def test_a_name_that_no_plugin_has_is_an_error(enable: list[str], disable: list[str], why: str) -> None:
    with pytest.raises(UnknownPluginError, match=why):
        default_plugins(context(), enable=enable, disable=disable)
