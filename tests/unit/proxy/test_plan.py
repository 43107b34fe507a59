"""From Services and EndpointSlices to what packets meet, traced over the plan."""

from __future__ import annotations

from typing import Any

import pytest

from proa.api.core_v1.service import (
    ClientIPConfig,
    LoadBalancerIngress,
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
    SessionAffinityConfig,
)
from proa.api.discovery_v1.types import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from proa.machinery.meta import ObjectMeta
from proa.proxy.plan import ProxyOptions, Ruleset, ServiceKey, Target, plan
from proa.proxy.trace import Connection, Fate, Trace, trace

OPTIONS = ProxyOptions("here", "10.244.0.0/16", zone="east")
VIP = "10.96.0.20"
POD, OUTSIDE, NODE = "10.244.9.9", "198.51.100.7", "192.0.2.1"
TERMINATING = EndpointConditions(ready=False, serving=True, terminating=True)
UNREADY = EndpointConditions(ready=False)


def service(labels: dict[str, str] | None = None, status: ServiceStatus | None = None, **spec: Any) -> Service:
    values = {"clusterIP": VIP, "clusterIPs": (VIP,), "type": "ClusterIP", **spec}
    values.setdefault("ports", (ServicePort(name="http", protocol="TCP", port=80, nodePort=spec.pop("node_port", 0)),))
    values.pop("node_port", None)
    meta = ObjectMeta(name="web", namespace="default", labels=labels or {})
    return Service(metadata=meta, spec=ServiceSpec(**values), status=status or ServiceStatus())


def endpoint(ip: str, conditions: EndpointConditions | None = None, **more: Any) -> Endpoint:
    return Endpoint(addresses=(ip,), conditions=conditions or EndpointConditions(ready=True), **more)


def endpoints(*found: Endpoint, name: str = "web-1", port: str = "http") -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name=name, namespace="default", labels={"kubernetes.io/service-name": "web"}),
        addressType="IPv4",
        endpoints=found,
        ports=(EndpointPort(name=port, protocol="TCP", port=8080),),
    )


def follow(ruleset: Ruleset, destination: str = VIP, port: int = 80, source: str = POD, **more: Any) -> Trace:
    return trace(ruleset, OPTIONS, Connection(source, destination, port, **more))


def ips(found: Trace) -> list[str]:
    return [target.ip for target in found.targets]


def test_a_cluster_ip_leads_to_every_ready_endpoint_of_every_slice() -> None:
    slices = [endpoints(endpoint("10.244.0.1")), endpoints(endpoint("10.244.0.2"), name="web-2")]
    found = follow(plan([service()], slices, OPTIONS))
    assert found.fate is Fate.TRANSLATED
    assert found.targets == (Target("10.244.0.1", 8080), Target("10.244.0.2", 8080))
    assert not found.masqueraded
    assert follow(plan([service()], slices, OPTIONS), source=OUTSIDE).masqueraded


def test_endpoints_that_are_not_ready_get_nothing_unless_the_service_publishes_them() -> None:
    slices = [endpoints(endpoint("10.244.0.1"), endpoint("10.244.0.2", UNREADY))]
    assert ips(follow(plan([service()], slices, OPTIONS))) == ["10.244.0.1"]
    published = service(publishNotReadyAddresses=True)
    assert ips(follow(plan([published], slices, OPTIONS))) == ["10.244.0.1", "10.244.0.2"]


def test_terminating_endpoints_serve_only_while_there_is_no_ready_one() -> None:
    leaving = endpoint("10.244.0.2", TERMINATING)
    assert ips(follow(plan([service()], [endpoints(endpoint("10.244.0.1"), leaving)], OPTIONS))) == ["10.244.0.1"]
    assert ips(follow(plan([service()], [endpoints(leaving)], OPTIONS))) == ["10.244.0.2"]


def test_an_endpoint_in_two_slices_counts_once_and_ready_wins() -> None:
    slices = [endpoints(endpoint("10.244.0.1", UNREADY)), endpoints(endpoint("10.244.0.1"), name="web-2")]
    assert ips(follow(plan([service()], slices, OPTIONS))) == ["10.244.0.1"]


def test_a_service_without_endpoints_is_refused_and_so_is_a_port_it_does_not_have() -> None:
    empty = plan([service()], [], OPTIONS)
    assert follow(empty).fate is Fate.REFUSED
    full = plan([service()], [endpoints(endpoint("10.244.0.1"))], OPTIONS)
    assert follow(full, port=81).fate is Fate.REFUSED
    assert follow(full, destination="10.96.0.99").fate is Fate.PASS


@pytest.mark.parametrize(
    "ignored",
    [
        service(clusterIP="None", clusterIPs=("None",)),
        service(type="ExternalName"),
        service(labels={"service.kubernetes.io/service-proxy-name": "mine"}),
        service(labels={"service.kubernetes.io/headless": ""}),
        service(clusterIP="", clusterIPs=()),
    ],
)
def test_headless_external_and_foreign_services_are_left_alone(ignored: Service) -> None:
    assert plan([ignored], [endpoints(endpoint("10.244.0.1"))], OPTIONS).services == {}


def test_a_slice_port_is_matched_by_name_and_protocol() -> None:
    assert follow(plan([service()], [endpoints(endpoint("10.244.0.1"), port="other")], OPTIONS)).fate is Fate.REFUSED


def test_a_node_port_leads_everywhere_and_is_masqueraded() -> None:
    ruleset = plan([service(node_port=30080, type="NodePort")], [endpoints(endpoint("10.244.0.1"))], OPTIONS)
    for destination in (NODE, "127.0.0.1"):
        found = follow(ruleset, destination, 30080, OUTSIDE, to_node=True)
        assert found.fate is Fate.TRANSLATED
        assert found.masqueraded
    assert follow(ruleset, NODE, 30080, OUTSIDE).fate is Fate.PASS


def test_external_traffic_policy_local_keeps_the_client_and_drops_without_local_endpoints() -> None:
    spec = {"node_port": 30080, "type": "NodePort", "externalTrafficPolicy": "Local"}
    far, near = endpoint("10.244.1.1", nodeName="there"), endpoint("10.244.0.1", nodeName="here")
    both = plan([service(**spec)], [endpoints(far, near)], OPTIONS)
    found = follow(both, NODE, 30080, OUTSIDE, to_node=True)
    assert ips(found) == ["10.244.0.1"]
    assert not found.masqueraded
    assert len(follow(both, NODE, 30080, POD, to_node=True).targets) == 2
    elsewhere = plan([service(**spec)], [endpoints(far)], OPTIONS)
    assert follow(elsewhere, NODE, 30080, OUTSIDE, to_node=True).fate is Fate.DROPPED
    assert follow(elsewhere, NODE, 30080, NODE, to_node=True, from_node=True).masqueraded


def test_internal_traffic_policy_local_keeps_to_the_node() -> None:
    far, near = endpoint("10.244.1.1", nodeName="there"), endpoint("10.244.0.1", nodeName="here")
    local = service(internalTrafficPolicy="Local")
    assert ips(follow(plan([local], [endpoints(far, near)], OPTIONS))) == ["10.244.0.1"]
    assert follow(plan([local], [endpoints(far)], OPTIONS)).fate is Fate.DROPPED


def test_a_load_balancers_address_admits_only_its_source_ranges() -> None:
    status = ServiceStatus(loadBalancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip="203.0.113.5"),)))
    balanced = service(status=status, type="LoadBalancer", loadBalancerSourceRanges=("198.51.100.0/24",))
    ruleset = plan([balanced], [endpoints(endpoint("10.244.0.1"))], OPTIONS)
    assert follow(ruleset, "203.0.113.5", source=OUTSIDE).fate is Fate.TRANSLATED
    assert follow(ruleset, "203.0.113.5", source="192.0.2.99").fate is Fate.DROPPED


def test_hints_narrow_to_the_node_or_the_zone_when_every_endpoint_has_them() -> None:
    def hinted(ip: str, node: str, zone: str) -> Endpoint:
        return endpoint(ip, hints=EndpointHints(forNodes=(ForNode(name=node),), forZones=(ForZone(name=zone),)))

    one, two = hinted("10.244.0.1", "here", "east"), hinted("10.244.1.1", "there", "east")
    assert ips(follow(plan([service()], [endpoints(one, two)], OPTIONS))) == ["10.244.0.1"]
    three = hinted("10.244.2.1", "third", "west")
    assert ips(follow(plan([service()], [endpoints(two, three)], OPTIONS))) == ["10.244.1.1"]
    plain = endpoint("10.244.3.1")
    assert len(follow(plan([service()], [endpoints(one, plain)], OPTIONS)).targets) == 2


def test_session_affinity_carries_its_timeout() -> None:
    config = SessionAffinityConfig(clientIP=ClientIPConfig(timeoutSeconds=60))
    sticky = service(sessionAffinity="ClientIP", sessionAffinityConfig=config)
    assert plan([sticky], [], OPTIONS).ports[0].affinity_seconds == 60
    assert plan([service(sessionAffinity="ClientIP")], [], OPTIONS).ports[0].affinity_seconds == 10800


def test_a_ruleset_is_the_same_object_when_nothing_changes() -> None:
    ruleset = plan([service()], [endpoints(endpoint("10.244.0.1"))], OPTIONS)
    key = ServiceKey("default", "web")
    assert ruleset.with_services({key: ruleset.services[key]}) is ruleset
    assert ruleset.with_services({key: ()}).services == {}
