"""What a cluster refuses, adds and warns of, as a stock kubectl and running pods meet it."""

from __future__ import annotations

import json

import pytest
from tests.e2e.kubectl import Document, Failed, Kubectl, container, deployment, eventually, pod


def named(kind: str, name: str, api_version: str = "v1", **more: object) -> Document:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


def test_a_namespace_has_no_more_than_its_quota_and_gets_back_what_goes(kubectl: Kubectl) -> None:
    bounds = [{"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"cpu": "10m"}}]
    kubectl.apply(
        named("ResourceQuota", "q", spec={"hard": {"pods": "1", "limits.memory": "100Mi", "requests.cpu": "1"}}),
        named("LimitRange", "l", spec={"limits": bounds}),
    )
    eventually(lambda: kubectl.value("{.status.used.pods}", "quota", "q") == "0", "the quota is counted")
    kubectl.apply(pod("a"))
    assert kubectl.value("{.spec.containers[0].resources.limits.memory}", "pod", "a") == "64Mi"
    refused = "exceeded quota: q, requested: limits.memory=64Mi,pods=1, used: limits.memory=64Mi,pods=1"
    with pytest.raises(Failed) as caught:
        kubectl.apply(pod("b"))
    assert refused in caught.value.error
    kubectl.ready("a")
    kubectl("delete", "pod", "a")
    eventually(lambda: kubectl.value("{.status.used.limits\\.memory}", "quota", "q") == "0", "what went is given back")
    kubectl.apply(pod("b"))


def test_a_strict_namespace_refuses_pods_and_warns_of_templates_and_of_what_is_there(kubectl: Kubectl) -> None:
    kubectl.apply(pod("free", hostPID=True))
    label = ("label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/enforce=baseline")
    said = kubectl.run(*label).stderr
    assert "existing pods in namespace" in said
    assert "free: host namespaces" in said
    with pytest.raises(Failed, match='violates PodSecurity "baseline:latest": host namespaces \\(hostPID=true\\)'):
        kubectl.apply(pod("other", hostPID=True))
    privileged = deployment("d", container(securityContext={"privileged": True}), replicas=0)
    result = kubectl.run("create", "-f", "-", stdin=json.dumps(privileged))
    assert result.returncode == 0
    assert 'would violate PodSecurity "baseline:latest": privileged (container "main" must not set' in result.stderr


def test_an_eviction_waits_until_the_budget_allows_it(kubectl: Kubectl) -> None:
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "d"}}}
    kubectl.apply(deployment("d", replicas=2), named("PodDisruptionBudget", "b", "policy/v1", spec=spec))
    kubectl.rolled_out("deployment/d")
    eventually(lambda: kubectl.value("{.status.currentHealthy}", "pdb", "b") == "2", "both pods are counted")
    name = kubectl.value("{.items[0].metadata.name}", "pods")
    eviction = named("Eviction", name, "policy/v1")
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{name}/eviction"
    with pytest.raises(Failed, match="Cannot evict pod as it would violate the pod's disruption budget"):
        kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    kubectl("scale", "deployment/d", "--replicas=3")
    eventually(lambda: kubectl.value("{.status.disruptionsAllowed}", "pdb", "b") == "1", "one may go")
    kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    kubectl.wait("delete", f"pod/{name}")


def test_a_pod_runs_by_its_runtime_class_and_says_when_its_node_has_no_such_runtime(kubectl: Kubectl) -> None:
    name = kubectl.namespace
    overhead = {"podFixed": {"cpu": "50m"}}
    kubectl.apply(
        named("RuntimeClass", f"{name}-good", "node.k8s.io/v1", handler="proa", overhead=overhead),
        named("RuntimeClass", f"{name}-bad", "node.k8s.io/v1", handler="kata"),
        named("PriorityClass", f"{name}-high", "scheduling.k8s.io/v1", value=7),
        pod("good", runtimeClassName=f"{name}-good", priorityClassName=f"{name}-high"),
        pod("bad", runtimeClassName=f"{name}-bad"),
    )
    kubectl.ready("good")
    assert kubectl.value("{.spec.overhead.cpu} {.spec.priority}", "pod", "good") == "50m 7"
    eventually(
        lambda: 'no runtime for "kata" is configured' in kubectl("events", "--for", "pod/bad"), "the pod says why"
    )
    kubectl("delete", "runtimeclass", f"{name}-good", f"{name}-bad")
    kubectl("delete", "priorityclass", f"{name}-high")
