from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import PersistentVolumeClaim, Pod, ResourceQuota, Service
from proa.api.resource_v1 import ResourceClaim
from proa.rules.quota import Limited, QuotaRefusedError, Request, charge, evaluator_of, sources_of, total
from proa.rules.quota.scopes import Scope, claim_matches, pod_matches

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def quota(hard: dict[str, str], used: dict[str, str] | None = None, name: str = "q", **spec: Any) -> ResourceQuota:
    used = dict.fromkeys(hard, "0") if used is None else used
    document = {"metadata": {"name": name}, "spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used}}
    return msgspec.convert(document, ResourceQuota)


def pod(
    requests: dict[str, str] | None = None,
    limits: dict[str, str] | None = None,
    status: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
    **spec: Any,
) -> Pod:
    container = {"name": "main", "image": "x", "resources": {"requests": requests or {}, "limits": limits or {}}}
    document = {"metadata": {"name": "p", **(meta or {})}, "spec": {"containers": [container], **spec}}
    return msgspec.convert({**document, "status": status or {}}, Pod)


def service(type: str, **spec: Any) -> Service:
    return msgspec.convert({"metadata": {"name": "s"}, "spec": {"type": type, **spec}}, Service)


def claim(storage: str, status: dict[str, Any] | None = None, **spec: Any) -> PersistentVolumeClaim:
    document = {"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": storage}}, **spec}}
    return msgspec.convert({**document, "status": status or {}}, PersistentVolumeClaim)


def usage(resource: str, obj: Any) -> dict[str, str]:
    return {name: str(value) for name, value in evaluator_of(resource).usage(obj, NOW).items()}


def created(quotas: list[ResourceQuota], resource: str, obj: Any, limited: tuple[Limited, ...] = ()) -> list[Any]:
    after = charge(quotas, Request(evaluator_of(resource), "", obj), NOW, limited)
    return [dict(each.status.used) for each in after]


def test_a_pod_is_charged_its_requests_and_limits_in_their_own_format() -> None:
    assert usage("pods", pod({"cpu": "500m", "memory": "200Mi", "example.com/gpu": "2"}, {"memory": "1Gi"})) == {
        "count/pods": "1",
        "pods": "1",
        "cpu": "500m",
        "requests.cpu": "500m",
        "memory": "200Mi",
        "requests.memory": "200Mi",
        "limits.memory": "1Gi",
        "requests.example.com/gpu": "2",
    }


@pytest.mark.parametrize(
    "ended",
    [
        pod({"cpu": "1"}, status={"phase": "Succeeded"}),
        pod({"cpu": "1"}, meta={"deletionTimestamp": "2025-12-31T23:59:00Z", "deletionGracePeriodSeconds": 30}),
    ],
)
def test_a_pod_that_ended_or_should_be_gone_only_counts_as_stored(ended: Pod) -> None:
    assert usage("pods", ended) == {"count/pods": "1"}


@pytest.mark.parametrize(
    ("obj", "ports", "balancers"),
    [
        (service("ClusterIP", ports=[{"port": 1}]), "0", "0"),
        (service("NodePort", ports=[{"port": 1}, {"port": 2}]), "2", "0"),
        (service("LoadBalancer", ports=[{"port": 1}]), "1", "1"),
        (service("LoadBalancer", ports=[{"port": 1}], allocateLoadBalancerNodePorts=False), "0", "1"),
    ],
)
def test_a_service_is_charged_the_node_ports_it_will_get(obj: Service, ports: str, balancers: str) -> None:
    used = usage("services", obj)
    assert (used["services"], used["services.nodeports"], used["services.loadbalancers"]) == ("1", ports, balancers)


def test_a_claim_is_charged_to_its_storage_class_too_and_for_what_it_was_given_while_it_grows() -> None:
    assert usage(
        "persistentvolumeclaims", claim("1Gi", {"allocatedResources": {"storage": "2Gi"}}, storageClassName="gold")
    ) == {
        "persistentvolumeclaims": "1",
        "count/persistentvolumeclaims": "1",
        "requests.storage": "2Gi",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "gold.storageclass.storage.k8s.io/requests.storage": "2Gi",
    }


def test_a_claim_of_devices_is_charged_the_most_it_may_get() -> None:
    def of(name: str, count: int = 0, mode: str = "ExactCount") -> dict[str, Any]:
        return {"deviceClassName": name, "allocationMode": mode, "count": count}

    several = [of("gpu", 1), of("gpu", 3), of("nic", mode="All")]
    requests = [
        {"name": "a", "exactly": of("gpu", 2)},
        {"name": "b", "firstAvailable": [{"name": "x", **each} for each in several]},
    ]
    claim = msgspec.convert({"metadata": {"name": "c"}, "spec": {"devices": {"requests": requests}}}, ResourceClaim)
    assert usage("resourceclaims.resource.k8s.io", claim) == {
        "count/resourceclaims.resource.k8s.io": "1",
        "gpu.deviceclass.resource.k8s.io/devices": "5",
        "nic.deviceclass.resource.k8s.io/devices": "32",
    }


def test_any_resource_can_be_counted_and_a_few_by_their_old_names_too() -> None:
    assert usage("widgets.example.com", {}) == {"count/widgets.example.com": "1"}
    assert usage("secrets", {}) == {"count/secrets": "1", "secrets": "1"}


def test_a_charge_is_added_to_every_quota_that_is_concerned() -> None:
    quotas = [quota({"pods": "2"}), quota({"requests.cpu": "1"}, {"requests.cpu": "250m"}), quota({"secrets": "1"})]
    assert created(quotas, "pods", pod({"cpu": "500m"})) == [{"pods": "1"}, {"requests.cpu": "750m"}, {"secrets": "0"}]


def test_too_much_is_refused_with_what_was_asked_for_and_what_there_is() -> None:
    full = quota({"requests.cpu": "1", "pods": "5"}, {"requests.cpu": "750m", "pods": "1"}, "compute")
    why = "exceeded quota: compute, requested: requests.cpu=500m, used: requests.cpu=750m, limited: requests.cpu=1"
    with pytest.raises(QuotaRefusedError, match=why):
        created([full], "pods", pod({"cpu": "500m"}))


def test_every_container_must_say_what_a_quota_of_compute_resources_charges() -> None:
    with pytest.raises(QuotaRefusedError, match=r"^failed quota: q: must specify cpu for: main; memory for: main$"):
        created([quota({"cpu": "1", "memory": "1Gi", "pods": "1"})], "pods", pod())
    whole = pod(resources={"requests": {"cpu": "1"}})
    assert created([quota({"cpu": "1"})], "pods", whole) == [{"cpu": "1"}]


def test_nothing_is_made_before_the_usage_is_known() -> None:
    with pytest.raises(QuotaRefusedError, match=r"^status unknown for quota: q, resources: count/pods,pods$"):
        created([quota({"pods": "1", "count/pods": "1"}, {})], "pods", pod())


def test_an_update_is_charged_what_it_adds_and_nothing_for_what_it_frees() -> None:
    limit = [quota({"services.nodeports": "2"}, {"services.nodeports": "1"})]
    one, two = (service("NodePort", ports=[{"port": port} for port in range(count)]) for count in (1, 2))
    evaluator = evaluator_of("services")
    more = charge(limit, Request(evaluator, "", two, one), NOW)
    assert dict(more[0].status.used) == {"services.nodeports": "2"}
    assert charge(limit, Request(evaluator, "", one, two), NOW) == limit


def test_an_update_that_brings_a_pod_into_a_scope_is_charged_whole() -> None:
    ending = quota({"pods": "1"}, scopes=["Terminating"])
    evaluator = evaluator_of("pods")
    before, after = pod(), pod(activeDeadlineSeconds=5)
    assert evaluator.changes("", after, before)
    assert dict(charge([ending], Request(evaluator, "", after, before), NOW)[0].status.used) == {"pods": "1"}


AFFINITY = {
    "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "k", "namespaces": ["a"]}]}
}


@pytest.mark.parametrize(
    ("scope", "operator", "values", "obj", "matches"),
    [
        ("Terminating", "Exists", [], pod(activeDeadlineSeconds=1), True),
        ("NotTerminating", "Exists", [], pod(activeDeadlineSeconds=1), False),
        ("BestEffort", "Exists", [], pod(), True),
        ("NotBestEffort", "Exists", [], pod({"cpu": "1"}), True),
        ("PriorityClass", "In", ["high"], pod(priorityClassName="high"), True),
        ("PriorityClass", "NotIn", ["high"], pod(), True),
        ("PriorityClass", "Exists", [], pod(), False),
        ("PriorityClass", "DoesNotExist", [], pod(), True),
        ("CrossNamespacePodAffinity", "Exists", [], pod(affinity=AFFINITY), True),
        ("CrossNamespacePodAffinity", "Exists", [], pod(), False),
        ("VolumeAttributesClass", "Exists", [], pod(), False),
    ],
)
def test_a_scope_says_which_pods_a_quota_is_about(
    scope: str, operator: str, values: list[str], obj: Pod, matches: bool
) -> None:
    assert pod_matches(Scope(scopeName=scope, operator=operator, values=tuple(values)), obj) is matches


def test_a_claim_is_in_the_scope_of_every_attributes_class_it_has_or_wants() -> None:
    changing = claim("1", {"currentVolumeAttributesClassName": "silver"}, volumeAttributesClassName="gold")
    for name, matches in (("gold", True), ("silver", True), ("bronze", False)):
        scope = Scope(scopeName="VolumeAttributesClass", operator="In", values=(name,))
        assert claim_matches(scope, changing) is matches


def test_what_is_limited_cannot_be_had_without_a_quota_that_covers_it() -> None:
    critical = Limited(
        "pods", ("requests.example.com/",), (Scope(scopeName="PriorityClass", operator="In", values=("top",)),)
    )
    assert created([], "pods", pod({"cpu": "1"}), (critical,)) == []
    with pytest.raises(QuotaRefusedError, match=r"^insufficient quota to consume: requests.example.com/gpu$"):
        created([], "pods", pod({"example.com/gpu": "1"}), (critical,))
    with pytest.raises(
        QuotaRefusedError, match=r"insufficient quota to match these scopes: \[\{PriorityClass In \[top\]\}\]"
    ):
        created([], "pods", pod(priorityClassName="top"), (critical,))
    covering = quota(
        {"pods": "1"},
        scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["top"]}]},
    )
    assert created([covering], "pods", pod(priorityClassName="top"), (critical,)) == [{"pods": "1"}]


def test_a_whole_namespace_is_added_up_over_what_the_quota_is_about() -> None:
    limit = quota({"pods": "9", "requests.cpu": "9", "count/pods": "9", "nonsense": "1"}, {}, scopes=["NotTerminating"])
    pods = [
        pod({"cpu": "500m"}),
        pod({"cpu": "1"}, status={"phase": "Failed"}),
        pod({"cpu": "1"}, activeDeadlineSeconds=1),
    ]
    assert {name: str(value) for name, value in total(limit, {"pods": pods}, NOW).items()} == {
        "pods": "1",
        "requests.cpu": "500m",
        "count/pods": "2",
    }


def test_a_quota_names_what_must_be_counted() -> None:
    names = ["requests.cpu", "count/jobs.batch", "secrets", "gold.storageclass.storage.k8s.io/requests.storage"]
    assert sources_of(names) == {"pods", "jobs.batch", "secrets", "persistentvolumeclaims"}
