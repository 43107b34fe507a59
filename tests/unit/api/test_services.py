"""What a Service is told that makes no sense, and what its old type takes with it."""

from __future__ import annotations

from typing import Any

import pytest

from proa.api.core_v1.resources import SERVICES
from tests.unit.api.writing import create_errors, defaulted, update_errors

Document = dict[str, Any]
_SOURCES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def service(annotations: dict[str, str] | None = None, status: Document | None = None, **spec: Any) -> Document:
    return {
        "metadata": {"name": "s", "namespace": "d", "annotations": annotations or {}},
        "spec": {"ports": [{"port": 80}], **spec},
        "status": status or {},
    }


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}}},
            "sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than"
            " 86400",
        ),
        (
            {"externalIPs": ["169.254.1.1"]},
            'externalIPs[0]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16,'
            " fe80::/10)",
        ),
        (
            {"externalIPs": ["127.0.0.1"]},
            'externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        ),
        (
            {"loadBalancerSourceRanges": ["10.0.0.0/8"]},
            "LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0"]},
            'LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or'
            " 2001:db8::/64)",
        ),
        (
            {"allocateLoadBalancerNodePorts": True},
            "allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"loadBalancerClass": "a/b"},
            "loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"healthCheckNodePort": 30000},
            "healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and"
            " `externalTrafficPolicy` is 'Local'",
        ),
        (
            {"trafficDistribution": "Foo"},
            'trafficDistribution: Unsupported value: "Foo": supported values: "PreferClose", "PreferSameZone",'
            ' "PreferSameNode"',
        ),
        (
            {"type": "NodePort", "clusterIP": "None", "clusterIPs": ["None"]},
            "clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
        ),
        (
            {"type": "ExternalName", "externalName": "a.b", "ipFamilies": ["IPv4"]},
            "ipFamilies: Forbidden: may not be set for ExternalName services",
        ),
        (
            {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "10.96.0.8"]},
            'clusterIPs: Invalid value: ["10.96.0.7","10.96.0.8"]: may specify no more than one IP for each IP family',
        ),
        (
            {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"], "ipFamilies": ["IPv6"]},
            'clusterIPs[0]: Invalid value: "10.96.0.7": expected an IPv6 value as indicated by `ipFamilies[0]`',
        ),
    ],
)
def test_a_service_that_makes_no_sense_is_refused(spec: Document, error: str) -> None:
    assert create_errors(SERVICES, service(**spec)) == [f"spec.{error}"]


def test_sources_may_be_said_in_an_annotation() -> None:
    assert create_errors(SERVICES, service({_SOURCES: " 10.0.0.0/8, 10.1.0.0/16"}, type="LoadBalancer")) == []
    (error,) = create_errors(SERVICES, service({_SOURCES: "x"}, type="LoadBalancer"))
    assert error.startswith(f'metadata.annotations[{_SOURCES}]: Invalid value: "x": must be a valid CIDR value')


def test_what_can_be_reached_from_outside_has_a_traffic_policy() -> None:
    assert defaulted(SERVICES, service(externalIPs=["1.2.3.4"]))["spec"]["externalTrafficPolicy"] == "Cluster"
    assert "externalTrafficPolicy" not in defaulted(SERVICES, service())["spec"]


def _prepared(old: Document, new: Document) -> Document:
    assert SERVICES.strategy is not None
    before, after = defaulted(SERVICES, old), defaulted(SERVICES, new)
    SERVICES.strategy.prepare_for_update(after, before)
    return after


BALANCED = {
    "type": "LoadBalancer",
    "clusterIP": "10.96.0.7",
    "clusterIPs": ["10.96.0.7"],
    "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack",
    "loadBalancerClass": "a/b",
    "externalTrafficPolicy": "Local",
    "healthCheckNodePort": 31000,
    "ports": [{"port": 80, "nodePort": 30080}],
}
INGRESS = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4", "ipMode": "VIP"}]}}


def test_a_type_that_goes_takes_with_it_what_only_it_has() -> None:
    old = service(**BALANCED, status=INGRESS)
    inward = _prepared(old, service(**{**BALANCED, "type": "ClusterIP"}))
    gone = ("loadBalancerClass", "externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts")
    assert not [field for field in gone if field in inward["spec"]]
    assert "nodePort" not in inward["spec"]["ports"][0]
    assert inward["status"] == {"loadBalancer": {}}
    named = _prepared(old, service(**{**BALANCED, "type": "ExternalName", "externalName": "a.b"}))
    assert not [each for each in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy") if each in named["spec"]]
    changed = _prepared(old, service(**{**BALANCED, "type": "ClusterIP", "loadBalancerClass": "c/d"}))
    assert changed["spec"]["loadBalancerClass"] == "c/d"


def test_a_load_balancer_keeps_its_class_and_its_port_of_health() -> None:
    assert update_errors(SERVICES, service(**BALANCED), service(**{**BALANCED, "loadBalancerClass": "c/d"})) == [
        'spec.loadBalancerClass: Invalid value: "c/d": may not change once set'
    ]
    assert update_errors(SERVICES, service(**BALANCED), service(**{**BALANCED, "healthCheckNodePort": 31001})) == [
        "spec.healthCheckNodePort: Forbidden: field is immutable"
    ]


@pytest.mark.parametrize(
    ("ingress", "error"),
    [
        ({"ip": "x", "ipMode": "VIP"}, 'ip: Invalid value: "x": must be a valid IP address'),
        ({"hostname": "a.b", "ipMode": "VIP"}, "ipMode: Forbidden: may not be specified when `ip` is not set"),
        ({"hostname": "1.2.3.4"}, 'hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'),
    ],
)
def test_a_load_balancer_is_somewhere(ingress: Document, error: str) -> None:
    new = service(**BALANCED, status={"loadBalancer": {"ingress": [ingress]}})
    (said,) = update_errors(SERVICES, service(**BALANCED), new)
    assert said.startswith(f"status.loadBalancer.ingress[0].{error}")


def test_an_address_of_a_load_balancer_is_its_own_unless_it_says_otherwise() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "a.b"}]}}
    shown = defaulted(SERVICES, service(**BALANCED, status=status))["status"]["loadBalancer"]["ingress"]
    assert shown == [{"ip": "1.2.3.4", "ipMode": "VIP"}, {"hostname": "a.b"}]


def test_only_load_balancers_have_some_address_outside() -> None:
    assert update_errors(SERVICES, service(), service(status=INGRESS)) == [
        "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    ]
