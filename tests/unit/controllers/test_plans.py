"""The pure decisions of controllers: sizes of a rollout, who goes first, slices, networks, evictions."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.api.apps_v1 import Deployment, ReplicaSet
from proa.api.core_v1 import Node, Pod, Service
from proa.api.discovery_v1 import EndpointSlice
from proa.controllers.deployment.sizes import Bounds, bounds_of, new_size, rescale, shrink_old
from proa.controllers.endpointslice.plan import MAX_ENDPOINTS, plan
from proa.controllers.node_ipam import CIDRExhaustedError, CIDRPool
from proa.controllers.node_lifecycle.health import EvictionLimit, Heartbeats, eviction_rate, silenced
from proa.controllers.replicaset.ranking import first_to_go
from proa.machinery.meta import ObjectMeta

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def deployment(replicas: int, surge: Any = 1, unavailable: Any = 1) -> Deployment:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return msgspec.convert({"spec": {"replicas": replicas, "strategy": strategy}}, Deployment)


def replica_set(name: str, size: int, available: int | None = None, *, desired: int = 0, most: int = 0) -> ReplicaSet:
    notes = {
        "deployment.kubernetes.io/desired-replicas": str(desired),
        "deployment.kubernetes.io/max-replicas": str(most),
    }
    return msgspec.convert(
        {
            "metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z", "annotations": notes},
            "spec": {"replicas": size},
            "status": {"replicas": size, "availableReplicas": size if available is None else available},
        },
        ReplicaSet,
    )


@given(
    replicas=st.integers(1, 30),
    surge=st.integers(0, 10),
    unavailable=st.integers(0, 10),
    data=st.data(),
)
def test_a_rollout_from_any_state_ends_and_never_breaks_its_bounds(replicas, surge, unavailable, data):
    wanted = deployment(replicas, surge, unavailable)
    bounds = bounds_of(wanted)
    sizes = {
        "old-0": data.draw(st.integers(0, replicas)),
        "old-1": data.draw(st.integers(0, replicas)),
        "new-2": data.draw(st.integers(0, replicas)),
    }
    for _ in range(200):
        old = [replica_set(name, sizes[name]) for name in ("old-0", "old-1")]
        new = replica_set("new-2", sizes["new-2"])
        everything = sum(sizes.values())
        target = new_size(bounds, sizes["new-2"], everything)
        step = {"new-2": target} if target != sizes["new-2"] else shrink_old(bounds, new, old)
        if not step:
            break
        before = everything
        sizes |= step
        total = sum(sizes.values())
        assert total <= max(before, bounds.replicas + bounds.surge)
        assert total >= min(before, bounds.least_available)
    assert sizes == {"old-0": 0, "old-1": 0, "new-2": replicas}


def test_pods_that_are_not_available_anyway_are_taken_from_old_replica_sets_first():
    bounds = Bounds(replicas=10, surge=3, unavailable=2)
    old = [replica_set("old-0", 4, 4), replica_set("old-1", 4, 0)]
    assert shrink_old(bounds, replica_set("new-2", 5, 5), old) == {"old-0": 3, "old-1": 0}


def test_an_unavailable_new_version_keeps_the_old_one_up():
    bounds = Bounds(replicas=4, surge=1, unavailable=1)
    assert shrink_old(bounds, replica_set("new-2", 2, 0), [replica_set("old-0", 3, 3)]) == {}


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    surge=st.integers(0, 20),
    replicas=st.integers(0, 120),
)
def test_rescaling_half_a_rollout_uses_exactly_what_is_allowed(sizes, surge, replicas):
    before = max(1, sum(sizes) - surge)
    old = [replica_set(f"old-{i}", n, 0, desired=before, most=before + surge) for i, n in enumerate(sizes[1:])]
    new = replica_set("new-9", sizes[0], 0, desired=before, most=before + surge)
    wanted = deployment(replicas, surge, 1)
    result = {each.metadata.name: each.spec.replicas or 0 for each in [new, *old]} | rescale(wanted, new, old)
    assert all(size >= 0 for size in result.values())
    assert sum(result.values()) == bounds_of(wanted).most


def pod(name: str, node: str = "n", *, ready_for: float | None = 100, phase: str = "Running", **more: Any) -> Pod:
    conditions = []
    if ready_for is not None:
        since = (NOW - timedelta(seconds=ready_for)).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    created = (NOW - timedelta(seconds=more.get("age", 1000))).strftime("%Y-%m-%dT%H:%M:%SZ")
    restarts = [{"name": "c", "restartCount": more.get("restarts", 0)}]
    notes = {"controller.kubernetes.io/pod-deletion-cost": str(more["cost"])} if "cost" in more else {}
    return msgspec.convert(
        {
            "metadata": {"name": name, "uid": name, "creationTimestamp": created, "annotations": notes},
            "spec": {"nodeName": node},
            "status": {"phase": phase, "conditions": conditions, "containerStatuses": restarts,
                       "podIP": more.get("ip", "")},
        },
        Pod,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("goes", "stays"),
    [
        (pod("a", node=""), pod("b", ready_for=None)),
        (pod("a", phase="Pending", ready_for=None), pod("b", ready_for=None)),
        (pod("a", ready_for=None), pod("b")),
        (pod("a", cost=-5), pod("b")),
        (pod("a", ready_for=10), pod("b", ready_for=1000)),
        (pod("a", restarts=3), pod("b")),
        (pod("a", age=10), pod("b", age=10000)),
    ],
)
def test_the_pod_whose_loss_hurts_least_goes_first(goes, stays):
    assert first_to_go([stays, goes], 1, [], NOW) == [goes]


def test_pods_are_taken_from_crowded_nodes():
    pods = [pod("a", "one"), pod("b", "two"), pod("c", "two")]
    (first,) = first_to_go(pods, 1, pods, NOW)
    assert first.spec.nodeName == "two"


def service() -> Service:
    document = {
        "metadata": {"name": "web", "namespace": "default", "uid": "svc"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }
    return msgspec.convert(document, Service)


def serving(count: int) -> list[Pod]:
    return [pod(f"p{i:04}", ip=f"10.1.{i // 250}.{i % 250 + 1}") for i in range(count)]


_names = itertools.count()


def planned(pods: Sequence[Pod], slices: Sequence[EndpointSlice]) -> tuple[list[EndpointSlice], int]:
    """The slices after the plan is done, and how many writes it took."""
    step = plan(service(), pods, slices, zone_of=lambda node: None)
    after = {each.metadata.name: each for each in slices}
    for each in step.update:
        after[each.metadata.name] = each
    for each in step.delete:
        del after[each.metadata.name]
    for each in step.create:
        name = f"web-{next(_names)}"
        meta = msgspec.structs.replace(each.metadata, name=name)
        after[name] = msgspec.structs.replace(each, metadata=meta)
    return list(after.values()), len(step.create) + len(step.update) + len(step.delete)


@given(st.lists(st.integers(0, 330), min_size=1, max_size=5))
def test_slices_always_tell_of_exactly_the_pods_there_are(counts):
    slices: list[EndpointSlice] = []
    for count in counts:
        pods = serving(count)
        slices, _ = planned(pods, slices)
        told = [each.targetRef.uid for slice in slices for each in slice.endpoints]
        assert sorted(told) == [each.metadata.uid for each in pods]
        assert all(len(each.endpoints) <= MAX_ENDPOINTS for each in slices)
        assert slices
        _, writes = planned(pods, slices)
        assert writes == 0


def test_the_empty_slice_is_filled_when_pods_come():
    slices, _ = planned([], [])
    filled, writes = planned(serving(3), slices)
    assert writes == 1
    assert filled[0].metadata.name == slices[0].metadata.name


def test_one_changed_pod_changes_one_slice():
    pods = serving(250)
    slices, _ = planned(pods, [])
    pods[7] = pod("p0007", ip="10.1.0.8", ready_for=None)
    _, writes = planned(pods, slices)
    assert writes == 1


def test_networks_are_shared_out_lowest_first_and_given_back():
    pool = CIDRPool("10.244.0.0/22", 24)
    pool.occupy("10.244.1.0/24")
    assert [pool.allocate(), pool.allocate(), pool.allocate()] == ["10.244.0.0/24", "10.244.2.0/24", "10.244.3.0/24"]
    with pytest.raises(CIDRExhaustedError, match="all 4 shares"):
        pool.allocate()
    pool.release("10.244.2.0/24")
    assert pool.allocate() == "10.244.2.0/24"
    assert ipaddress.ip_network(CIDRPool("fd00::/48", 64).allocate()) == ipaddress.ip_network("fd00::/64")
    assert CIDRPool("fd00:1::/48", 64).allocate() == "fd00:1::/64"
    with pytest.raises(ValueError, match="prefix"):
        CIDRPool("10.0.0.0/24", 16)


def node(name: str, ready: str) -> Node:
    return msgspec.convert({"metadata": {"name": name}, "status": {"conditions": [
        {"type": "Ready", "status": ready, "lastHeartbeatTime": "t0"}]}}, Node)  # fmt: skip


def nodes(ready: int, silent: int) -> list[Node]:
    return [node(f"r{i}", "True") for i in range(ready)] + [node(f"s{i}", "Unknown") for i in range(silent)]


@pytest.mark.parametrize(
    ("ready", "silent", "rate"),
    [(3, 0, 0.1), (3, 1, 0.1), (1, 2, 0.1), (0, 1, 0.0), (0, 3, 0.0), (3, 5, 0.0), (30, 60, 0.01), (60, 30, 0.1)],
)
def test_evictions_slow_down_or_stop_when_most_nodes_are_silent(ready, silent, rate):
    assert eviction_rate(nodes(ready, silent), 0.1) == rate


def test_evictions_are_so_far_apart():
    limit = EvictionLimit()
    assert limit.take(0.1, 100.0) == 0
    assert limit.take(0.1, 103.0) == 7
    assert limit.take(0.1, 110.0) == 0


def test_a_node_is_heard_of_by_its_lease_or_its_status_and_only_by_news():
    heartbeats = Heartbeats()
    heartbeats.status(node("n", "True"), 0)
    heartbeats.status(node("n", "True"), 30)
    assert heartbeats.age("n", 40) == 40
    heartbeats.lease("n", "t1", 50)
    heartbeats.lease("n", "t1", 60)
    assert heartbeats.age("n", 65) == 15
    heartbeats.status(Node(metadata=ObjectMeta(name="m")), 5)
    assert heartbeats.age("m", 25) == 20


def test_a_silent_node_says_nothing_any_more_and_one_never_heard_of_never_did():
    conditions = silenced(node("n", "True").status.conditions, "now")
    by_type = {each.type: each for each in conditions}
    assert set(by_type) == {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}
    assert (by_type["Ready"].status, by_type["Ready"].reason) == ("Unknown", "NodeStatusUnknown")
    assert by_type["DiskPressure"].reason == "NodeStatusNeverUpdated"
    assert silenced(conditions, "later") == conditions
