"""Facts of objects that more than one component acts on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.api.core_v1 import Pod, Taint, Toleration
from proa.machinery.decode import to_document
from proa.machinery.meta import LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference
from proa.rules.owners import controller_of, controller_reference, is_controlled_by
from proa.rules.pods import available_in, find_port, is_pod_available, is_pod_ready
from proa.rules.qos import qos_class, qos_class_of_document
from proa.rules.replica_sets import template_hash
from proa.rules.resources import pod_limits, pod_requests
from proa.rules.rolling import rolling_bounds
from proa.rules.selection import matches
from proa.rules.taints import find_untolerated, tolerates, toleration_seconds

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def container(name: str = "c", cpu: str = "", memory: str = "", *, limits: Any = None, **more: Any) -> dict[str, Any]:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": name, "resources": {"requests": requests, "limits": limits or {}}, **more}


def pod(*containers: Any, init: Any = (), conditions: Any = (), **spec: Any) -> Pod:
    document = {
        "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {"containers": list(containers), "initContainers": list(init), **spec},
        "status": {"phase": "Running", "conditions": list(conditions)},
    }
    return msgspec.convert(document, Pod)


def test_containers_add_up_and_init_containers_count_by_the_largest():
    asked = pod_requests(
        pod(container("a", "100m", "1Gi"), container("b", "0.2"), init=[container("i", "250m", "2Gi")])
    )
    assert asked == {"cpu": 300, "memory": 2 << 30}


def test_a_sidecar_counts_beside_the_containers_and_in_later_init_steps():
    sidecar = container("s", "50m", restartPolicy="Always")
    assert pod_requests(pod(container("a", "100m"), init=[sidecar]))["cpu"] == 150
    assert pod_requests(pod(container("a", "100m"), init=[sidecar, container("i", "200m")]))["cpu"] == 250
    assert pod_requests(pod(container("a", "100m"), init=[container("i", "200m"), sidecar]))["cpu"] == 200


def test_pod_level_resources_replace_sums_and_overhead_comes_on_top():
    spec = {"resources": {"requests": {"cpu": "1"}}, "overhead": {"cpu": "10m", "memory": "1Mi"}}
    assert pod_requests(pod(container("a", "100m", "1Mi"), **spec)) == {"cpu": 1010, "memory": 2 << 20}
    assert pod_requests(pod(container("a", "100m", "1Mi"), **spec), overhead=False) == {"cpu": 1000, "memory": 1 << 20}
    limited = pod(container("a", limits={"cpu": "2"}), overhead={"cpu": "10m", "memory": "1Mi"})
    assert pod_limits(limited) == {"cpu": 2010}


@pytest.mark.parametrize(
    ("containers", "wanted"),
    [
        ([container()], "BestEffort"),
        ([container(cpu="1")], "Burstable"),
        ([container(limits={"cpu": "1", "memory": "1Gi"})], "Guaranteed"),
        ([container(cpu="1", memory="1Gi", limits={"cpu": "1", "memory": "1024Mi"})], "Guaranteed"),
        ([container(cpu="500m", memory="1Gi", limits={"cpu": "1", "memory": "1Gi"})], "Burstable"),
        ([container(limits={"cpu": "1", "memory": "1Gi"}), container("d")], "Burstable"),
        ([container(), container("d", limits={"cpu": "1", "memory": "1Gi"})], "Burstable"),
        ([container(limits={"cpu": "0", "memory": "0"}), container("d", cpu="0")], "BestEffort"),
    ],
)
def test_quality_of_service_follows_requests_and_limits(containers, wanted):
    made = pod(*containers)
    assert qos_class(made.spec) == wanted
    assert qos_class_of_document(to_document(made)["spec"]) == wanted


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({}, "Guaranteed"),
        ({"limits": {}}, "Guaranteed"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1"}}, "Guaranteed"),
    ],
)
def test_what_a_pod_says_for_all_its_containers_decides_its_quality_of_service(resources, wanted):
    step = container("step", limits={"cpu": "1", "memory": "1Gi"})
    made = pod(container(limits={"cpu": "1", "memory": "1Gi"}), initContainers=[step], resources=resources)
    assert qos_class(made.spec) == wanted
    assert qos_class_of_document(to_document(made)["spec"]) == wanted


def ready(status: str = "True", since: str = "2026-01-01T00:00:50Z") -> dict[str, str]:
    return {"type": "Ready", "status": status, "lastTransitionTime": since}


def test_a_pod_is_available_when_it_was_ready_long_enough():
    assert not is_pod_ready(pod())
    assert is_pod_available(pod(conditions=[ready()]), 0, NOW)
    assert is_pod_available(pod(conditions=[ready()]), 10, NOW)
    assert not is_pod_available(pod(conditions=[ready()]), 11, NOW)
    assert available_in(pod(conditions=[ready()]), 15, NOW) == 5
    assert available_in(pod(conditions=[ready("False")]), 15, NOW) is None


def test_a_named_port_is_found_in_containers_and_sidecars_by_protocol():
    ports = [{"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"name": "dns", "containerPort": 54}]
    spec = pod(container("a", ports=ports), init=[container("s", restartPolicy="Always",
               ports=[{"name": "side", "containerPort": 9}])]).spec  # fmt: skip
    assert find_port(spec, "dns", "UDP") == 53
    assert find_port(spec, "dns", "TCP") == 54
    assert find_port(spec, "side", "TCP") == 9
    assert find_port(spec, "none", "TCP") is None
    assert find_port(spec, 8080, "TCP") == 8080


def test_the_controller_is_the_one_reference_that_says_so():
    owner = pod()
    obj = Pod(metadata=ObjectMeta(ownerReferences=(OwnerReference(uid="x"), controller_reference(owner))))
    assert controller_of(obj) == controller_reference(owner)
    assert is_controlled_by(obj, owner)
    assert controller_of(Pod(metadata=ObjectMeta(ownerReferences=(OwnerReference(uid="u"),)))) is None


@pytest.mark.parametrize(
    ("toleration", "taint", "wanted"),
    [
        ({"operator": "Exists"}, ("k", "v", "NoExecute"), True),
        ({"key": "k", "operator": "Exists"}, ("k", "v", "NoSchedule"), True),
        ({"key": "k", "value": "v"}, ("k", "v", "NoSchedule"), True),
        ({"key": "k", "value": "w"}, ("k", "v", "NoSchedule"), False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, ("k", "v", "NoSchedule"), False),
        ({"key": "j", "operator": "Exists"}, ("k", "v", "NoSchedule"), False),
        ({"key": "k", "operator": "Gt", "value": "5"}, ("k", "7", "NoSchedule"), True),
        ({"key": "k", "operator": "Lt", "value": "5"}, ("k", "7", "NoSchedule"), False),
        ({"key": "k", "operator": "Lt", "value": "5"}, ("k", "few", "NoSchedule"), False),
    ],
)
def test_a_toleration_matches_by_key_value_and_effect(toleration, taint, wanted):
    key, value, effect = taint
    assert tolerates(Toleration(**toleration), Taint(key=key, value=value, effect=effect)) is wanted


def test_the_shortest_toleration_decides_how_long_a_pod_stays():
    taints = [
        Taint(key="a", effect="NoExecute"),
        Taint(key="b", effect="NoExecute"),
        Taint(key="c", effect="NoSchedule"),
    ]
    both = [Toleration(key="a", operator="Exists", tolerationSeconds=300), Toleration(key="b", operator="Exists")]
    assert toleration_seconds(taints, both) == 300
    assert toleration_seconds(taints, both[:1]) == 0
    assert toleration_seconds(taints, [Toleration(operator="Exists")]) is None
    assert toleration_seconds([], []) is None
    assert find_untolerated(taints, both) == taints[2]


def test_a_label_selector_holds_when_every_requirement_does():
    def of(operator: str, *values: str) -> LabelSelector:
        return LabelSelector(matchExpressions=(LabelSelectorRequirement(key="k", operator=operator, values=values),))

    labels = {"k": "v", "other": "x"}
    assert matches(LabelSelector(matchLabels={"k": "v"}), labels)
    assert not matches(LabelSelector(matchLabels={"k": "w"}), labels)
    assert matches(LabelSelector(), {})
    assert not matches(None, labels)
    assert matches(of("In", "v", "w"), labels)
    assert matches(of("NotIn", "w"), {})
    assert not matches(of("Exists"), {})
    assert matches(of("DoesNotExist"), {})


@given(
    replicas=st.integers(0, 500),
    surge=st.one_of(st.integers(0, 50), st.integers(0, 100).map("{}%".format)),
    unavailable=st.one_of(st.integers(0, 50), st.integers(0, 100).map("{}%".format)),
)
def test_a_rolling_update_can_always_move(replicas, surge, unavailable):
    more, fewer = rolling_bounds(surge, unavailable, replicas)
    assert more >= 0
    assert fewer >= 0
    assert more + fewer > 0


def test_equal_templates_have_equal_hashes_and_collisions_change_them():
    first = msgspec.convert({"metadata": {"labels": {"a": "1", "b": "2"}}}, type=_template())
    second = msgspec.convert({"metadata": {"labels": {"b": "2", "a": "1"}}}, type=_template())
    assert template_hash(first) == template_hash(second)
    assert len({template_hash(first), template_hash(first, 1), template_hash(first, 2)}) == 3
    assert not set(template_hash(first)) & set("aeiou013")


def _template() -> Any:
    from proa.api.core_v1 import PodTemplateSpec

    return PodTemplateSpec
