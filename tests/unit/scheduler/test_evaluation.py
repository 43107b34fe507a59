from __future__ import annotations

from random import Random
from typing import Any

import pytest

from proa.api.core_v1 import Node, Pod
from proa.scheduler.columns import Columns
from proa.scheduler.evaluation import PodClasses, Refusal, demand_of, look_of
from proa.scheduler.framework import Happening
from proa.scheduler.ledger import Ledger
from proa.scheduler.plugins import default_profile
from tests.unit.scheduler.build import node, pod


class Cluster:
    def __init__(self, *nodes: Node) -> None:
        self.columns = Columns()
        self.ledger = Ledger(self.columns)
        self.classes = PodClasses(default_profile(), self.columns)
        self.random = Random(1)
        for each in nodes:
            self.columns.put_node(each)

    def choose(self, pod: Pod) -> str | Refusal:
        choice = self.classes.of(pod).best(self.random)
        return choice if isinstance(choice, Refusal) else self.columns.names[choice]

    def place(self, pod: Pod) -> str:
        name = self.choose(pod)
        assert isinstance(name, str)
        self.ledger.assume(pod.metadata.uid, name, demand_of(pod))
        return name

    def message(self, pod: Pod) -> str:
        refusal = self.choose(pod)
        assert isinstance(refusal, Refusal)
        return refusal.message


def affinity(operator: str, *values: str, key: str = "zone", kind: str = "required") -> dict[str, Any]:
    term = {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
    if kind == "required":
        selector: Any = {"nodeSelectorTerms": [term]}
        return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selector}}
    preferred = [{"weight": 100, "preference": term}]
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def test_without_nodes_there_is_nowhere_to_go() -> None:
    assert Cluster().message(pod()) == "no nodes available to schedule pods"


def test_every_refusing_node_is_counted_by_its_reason() -> None:
    cluster = Cluster(
        node("small", cpu="1"),
        node("smaller", cpu="1", memory="1Gi"),
        node("cordoned", unschedulable=True),
        node("tainted", taints=[{"key": "a", "effect": "NoSchedule"}]),
    )
    assert cluster.message(pod(requests={"cpu": "2", "memory": "2Gi"})) == (
        "0/4 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s),"
        " 1 node(s) were unschedulable, 2 Insufficient cpu."
    )


def test_a_pod_goes_where_most_is_free() -> None:
    cluster = Cluster(node("full"), node("free"))
    cluster.ledger.assume("other", "full", demand_of(pod(requests={"cpu": "3", "memory": "6Gi"})))
    assert cluster.choose(pod(requests={"cpu": "1", "memory": "1Gi"})) == "free"


def test_pods_that_look_alike_spread_and_fill_every_node_exactly() -> None:
    cluster = Cluster(*(node(f"n{each}") for each in range(5)))
    placed = [cluster.place(pod(f"p{each}", requests={"cpu": "1", "memory": "1Gi"})) for each in range(20)]
    assert {name: placed.count(name) for name in placed} == {f"n{each}": 4 for each in range(5)}
    assert cluster.message(pod("more", requests={"cpu": "1"})) == "0/5 nodes are available: 5 Insufficient cpu."


def test_a_pod_without_requests_counts_against_the_number_of_pods() -> None:
    cluster = Cluster(node("n", pods="1"))
    cluster.place(pod("a"))
    assert cluster.message(pod("b")) == "0/1 nodes are available: 1 Too many pods."


def test_what_changed_since_the_last_pod_of_a_look_is_seen() -> None:
    cluster = Cluster(node("a"))
    assert cluster.choose(pod(requests={"cpu": "4"})) == "a"
    cluster.columns.put_node(node("a", cpu="1"))
    cluster.columns.put_node(node("b"))
    assert cluster.choose(pod(requests={"cpu": "4"})) == "b"
    cluster.columns.remove_node("b")
    assert isinstance(cluster.choose(pod(requests={"cpu": "4"})), Refusal)


@pytest.mark.parametrize(
    ("operator", "values", "where"),
    [
        ("In", ("east",), {"a"}),
        ("NotIn", ("east",), {"b", "c"}),
        ("Exists", (), {"a", "b"}),
        ("DoesNotExist", (), {"c"}),
    ],
)
def test_required_affinity_allows_only_matching_nodes(operator: str, values: tuple[str, ...], where: set[str]) -> None:
    cluster = Cluster(node("a", labels={"zone": "east"}), node("b", labels={"zone": "west"}), node("c"))
    chosen = {cluster.choose(pod(affinity=affinity(operator, *values))) for _ in range(30)}
    assert chosen == where


@pytest.mark.parametrize(("operator", "where"), [("Gt", "big"), ("Lt", "small")])
def test_affinity_compares_whole_numbers(operator: str, where: str) -> None:
    cluster = Cluster(node("big", labels={"gen": "9"}), node("small", labels={"gen": "2"}), node("none"))
    assert cluster.choose(pod(affinity=affinity(operator, "5", key="gen"))) == where


def test_preferred_affinity_wins_over_free_room() -> None:
    cluster = Cluster(node("liked", labels={"zone": "east"}), node("free"))
    cluster.ledger.assume("other", "liked", demand_of(pod(requests={"cpu": "2", "memory": "4Gi"})))
    assert cluster.choose(pod(affinity=affinity("In", "east", kind="preferred"))) == "liked"


def test_a_node_selector_must_match() -> None:
    cluster = Cluster(node("a", labels={"disk": "ssd"}), node("b"))
    assert cluster.choose(pod(nodeSelector={"disk": "ssd"})) == "a"
    assert cluster.message(pod(nodeSelector={"disk": "tape"})) == (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
    )


def test_tolerations_open_tainted_nodes_and_soft_taints_repel() -> None:
    hard, soft = {"key": "a", "effect": "NoExecute"}, {"key": "b", "effect": "PreferNoSchedule"}
    cluster = Cluster(node("hard", taints=[hard]))
    assert cluster.choose(pod(tolerations=[{"key": "a", "operator": "Exists"}])) == "hard"
    cluster = Cluster(node("soft", taints=[soft]), node("plain"))
    assert {cluster.choose(pod()) for _ in range(20)} == {"plain"}


def test_a_host_port_is_given_once_per_node() -> None:
    web = [{"containerPort": 80, "hostPort": 8080}]
    cluster = Cluster(node("a"), node("b"))
    assert {cluster.place(pod("1", ports=web)), cluster.place(pod("2", ports=web))} == {"a", "b"}
    assert "didn't have free ports" in cluster.message(pod("3", ports=web))
    assert isinstance(cluster.choose(pod("4", ports=[{"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}])), str)


def test_a_large_image_draws_its_pod() -> None:
    image = {"names": ["big:1"], "sizeBytes": 900 * 1024 * 1024}
    cluster = Cluster(node("has", images=[image]), node("has-not"))
    assert {cluster.choose(pod(image="big:1")) for _ in range(20)} == {"has"}


def test_extended_resources_are_counted_like_any_other() -> None:
    cluster = Cluster(node("plain"), node("gpu", extended={"nvidia.com/gpu": "1"}))
    assert cluster.place(pod("1", requests={"nvidia.com/gpu": "1"})) == "gpu"
    assert cluster.message(pod("2", requests={"nvidia.com/gpu": "1"})) == (
        "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
    )


def test_a_refusal_says_what_would_be_worth_another_try() -> None:
    refusal = Cluster(node("n", cpu="1")).choose(pod(requests={"cpu": "2"}))
    assert isinstance(refusal, Refusal)
    assert refusal.plugins == {"NodeResourcesFit"}
    assert Happening.POD_REMOVED in refusal.retry_on
    assert Happening.NODE_LABELS not in refusal.retry_on


def test_names_do_not_change_a_look_but_requests_do() -> None:
    assert look_of(pod("a")) == look_of(pod("b"))
    assert look_of(pod("a")) != look_of(pod("a", requests={"cpu": "1"}))


def test_more_nodes_than_expected_still_have_rows() -> None:
    cluster = Cluster(*(node(f"n{each}", labels={"number": str(each)}) for each in range(100)))
    assert cluster.choose(pod(nodeSelector={"number": "77"})) == "n77"
    for each in range(100, 300):
        cluster.columns.put_node(node(f"n{each}", labels={"number": str(each)}))
    assert cluster.choose(pod(nodeSelector={"number": "299"})) == "n299"
