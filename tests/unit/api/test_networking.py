from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.networking_v1.resources import (
    INGRESS_CLASSES,
    INGRESSES,
    IP_ADDRESSES,
    NETWORK_POLICIES,
    SERVICE_CIDRS,
)
from tests.unit.api.writing import create_errors, defaulted, update_errors

Document = dict[str, Any]
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def named(spec: Document, name: str = "a", **metadata: Any) -> Document:
    return {"metadata": {"name": name, **metadata}, "spec": spec}


def ingress(**spec: Any) -> Document:
    return named({"defaultBackend": BACKEND, **spec}, namespace="d")


def routed(host: str = "a.example", backend: Document | None = None, **path: Any) -> Document:
    where = {"path": "/", "pathType": "Prefix", "backend": backend or BACKEND, **path}
    return ingress(rules=[{"host": host, "http": {"paths": [where]}}])


def backed(**backend: Any) -> Document:
    return named({"defaultBackend": backend}, namespace="d")


def serving(name: str = "web", **port: Any) -> Document:
    return backed(service={"name": name, "port": port})


@pytest.mark.parametrize(
    "document",
    [
        ingress(),
        routed(),
        routed("*.example"),
        routed(pathType="ImplementationSpecific", path=""),
        serving(name="1web", number=80),
        backed(service={"name": "web", "port": {"name": "http"}}),
        backed(resource={"apiGroup": "a.example", "kind": "Bucket", "name": "static"}),
        ingress(tls=[{"hosts": ["*.example", "a.example"], "secretName": "tls"}], ingressClassName="public"),
    ],
)
def test_an_ingress_may_be_written_so(document: Document) -> None:
    assert create_errors(INGRESSES, document) == []


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (named({}), "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"),
        (backed(), 'spec.defaultBackend: Invalid value: "": resource or service backend is required'),
        (
            backed(service=BACKEND["service"], resource={"kind": "A", "name": "b"}),
            'spec.defaultBackend: Invalid value: "": cannot set both resource and service backends',
        ),
        (serving(), "spec.defaultBackend: Required value: port name or number is required"),
        (serving(number=70000), "spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and"),
        (serving(name="", number=80), "spec.defaultBackend.service.name: Required value"),
        (serving(name="A", number=80), 'spec.defaultBackend.service.name: Invalid value: "A"'),
        (
            backed(service={"name": "a", "port": {"name": "http", "number": 80}}),
            'spec.defaultBackend: Invalid value: "": cannot set both port name & port number',
        ),
        (backed(resource={"kind": "", "name": "b"}), "spec.defaultBackend.resource.kind: Required value"),
        (routed("10.0.0.1"), 'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'),
        (routed("*.*.a"), 'spec.rules[0].host: Invalid value: "*.*.a": a wildcard DNS-1123 subdomain'),
        (routed("A"), 'spec.rules[0].host: Invalid value: "A"'),
        (routed(path="x"), 'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path'),
        (routed(path="/a//b"), "must not contain '//'"),
        (routed(path="/a/.."), "cannot end with '/..'"),
        (routed(pathType=None), "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"),
        (ingress(rules=[{"http": {"paths": []}}]), "spec.rules[0].http.paths: Required value"),
        (ingress(tls=[{"hosts": ["a_b"]}]), 'spec.tls[0].hosts[0]: Invalid value: "a_b"'),
        (ingress(tls=[{"secretName": "A"}]), 'spec.tls[0].secretName: Invalid value: "A"'),
        (ingress(ingressClassName="A"), 'spec.ingressClassName: Invalid value: "A"'),
        (
            {**ingress(ingressClassName="a"), "metadata": {"annotations": {"kubernetes.io/ingress.class": "b"}}},
            'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName`',
        ),
    ],
)
def test_a_wrong_ingress_is_refused(document: Document, error: str) -> None:
    found = create_errors(INGRESSES, document)
    assert len(found) == 1, found
    assert error in found[0]


@pytest.mark.parametrize(
    ("point", "error"),
    [
        ({"ip": "10.0.0.1", "hostname": "a.example"}, ""),
        ({"ip": "10.0.0"}, "status.loadBalancer.ingress[0].ip: Invalid value:"),
        ({"hostname": "10.0.0.1"}, "must be a DNS name, not an IP address"),
    ],
)
def test_an_ingress_is_served_at_addresses(point: Document, error: str) -> None:
    new = {**ingress(), "status": {"loadBalancer": {"ingress": [point]}}}
    found = update_errors(INGRESSES, ingress(), new)
    assert [error in each for each in found] == ([True] if error else [])


def ingress_class(controller: str = "example.com/ingress", **parameters: Any) -> Document:
    return named({"controller": controller, **({"parameters": parameters} if parameters else {})})


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (ingress_class(), ""),
        (ingress_class(kind="A", name="b"), ""),
        (ingress_class(kind="A", name="b", scope="Namespace", namespace="d"), ""),
        (ingress_class(""), "spec.controller: Required value"),
        (ingress_class("nobody"), "must be a domain-prefixed path"),
        (ingress_class("a.io/" + "x" * 250), "spec.controller: Too long: may not be more than 250 bytes"),
        (ingress_class(kind="A", name=""), "spec.parameters.name: Required value"),
        (ingress_class(kind="a/b", name="c"), "spec.parameters.kind: Invalid value: \"a/b\": may not contain '/'"),
        (
            ingress_class(kind="A", name="b", scope="Namespace"),
            "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
        ),
        (
            ingress_class(kind="A", name="b", namespace="d"),
            "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
        ),
    ],
)
def test_a_class_of_ingresses(document: Document, error: str) -> None:
    found = create_errors(INGRESS_CLASSES, document)
    assert [error in each for each in found] == ([True] if error else []), found


def test_the_controller_of_a_class_stays() -> None:
    (error,) = update_errors(INGRESS_CLASSES, ingress_class(), ingress_class("example.com/other"))
    assert error == 'spec.controller: Invalid value: "example.com/other": field is immutable'


def policy(**spec: Any) -> Document:
    return named({"podSelector": {}, **spec}, namespace="d")


def from_peer(**peer: Any) -> Document:
    return policy(ingress=[{"from": [peer]}])


def on_port(**port: Any) -> Document:
    return policy(egress=[{"ports": [port]}])


def test_a_policy_is_about_what_it_has_rules_for() -> None:
    assert defaulted(NETWORK_POLICIES, policy())["spec"]["policyTypes"] == ["Ingress"]
    assert defaulted(NETWORK_POLICIES, policy(egress=[{}]))["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert defaulted(NETWORK_POLICIES, on_port(port=53))["spec"]["egress"] == [
        {"ports": [{"port": 53, "protocol": "TCP"}]}
    ]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (from_peer(ipBlock={"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}), ""),
        (from_peer(podSelector={}, namespaceSelector={}), ""),
        (on_port(port=80, endPort=90), ""),
        (from_peer(), "spec.ingress[0].from[0]: Required value: must specify a peer"),
        (
            from_peer(podSelector={}, ipBlock={"cidr": "10.0.0.0/8"}),
            "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer",
        ),
        (from_peer(ipBlock={"cidr": ""}), "spec.ingress[0].from[0].ipBlock.cidr: Required value"),
        (from_peer(ipBlock={"cidr": "10.0.0.1/8"}), "must not have bits set beyond the prefix length"),
        (
            from_peer(ipBlock={"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}),
            'from[0].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
        ),
        (from_peer(ipBlock={"cidr": "10.0.0.0/8", "except": ["fd00::/64"]}), "must be a strict subset of `cidr`"),
        (
            from_peer(podSelector={"matchExpressions": [{"key": "a", "operator": "Is"}]}),
            "not a valid selector operator",
        ),
        (on_port(port=0), "spec.egress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        (on_port(port="a-"), "must not begin or end with a hyphen"),
        (on_port(endPort=80), "endPort: Invalid value: 80: may not be specified when `port` is not specified"),
        (on_port(port="http", endPort=80), "may not be specified when `port` is non-numeric"),
        (on_port(port=80, endPort=79), "endPort: Invalid value: 80: must be greater than or equal to `port`"),
        (policy(policyTypes=["Ingress", "Egress", "Ingress"]), "may not specify more than two policyTypes"),
    ],
)
def test_a_policy(document: Document, error: str) -> None:
    found = create_errors(NETWORK_POLICIES, document)
    assert [error in each for each in found] == ([True] if error else []), found


def test_a_network_that_was_stored_before_the_rules_became_stricter_may_stay() -> None:
    old = from_peer(ipBlock={"cidr": "10.0.0.1/8"})
    assert (
        update_errors(NETWORK_POLICIES, old, {**deepcopy(old), "metadata": {"name": "a", "labels": {"a": "b"}}}) == []
    )
    (error,) = update_errors(NETWORK_POLICIES, old, from_peer(ipBlock={"cidr": "10.0.0.2/8"}))
    assert "must not have bits set beyond the prefix length" in error


PARENT = {"group": "", "resource": "services", "namespace": "default", "name": "kubernetes"}


def address(ip: str = "10.0.0.1", **parent: Any) -> Document:
    return named({"parentRef": {**PARENT, **parent}}, ip)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (address(), ""),
        (address("2001:db8::1", group="a.example"), ""),
        (address("2001:DB8::1"), 'metadata.name: Invalid value: "2001:DB8::1": must be in canonical form'),
        (address("a"), "must be a valid IP address"),
        (named({}, "10.0.0.1"), "spec.parentRef: Required value"),
        (address(resource=""), "spec.parentRef.resource: Required value"),
        (address(namespace="a/b"), "spec.parentRef.namespace: Invalid value:"),
    ],
)
def test_an_address_belongs_to_something(document: Document, error: str) -> None:
    found = create_errors(IP_ADDRESSES, document)
    assert [error in each for each in found] == ([True] if error else []), found


def test_what_an_address_belongs_to_stays() -> None:
    (error,) = update_errors(IP_ADDRESSES, address(), address(resource="gateways"))
    assert error.startswith("spec.parentRef: Invalid value:")


@pytest.mark.parametrize(
    ("cidrs", "error"),
    [
        (["10.0.0.0/24", "fd00::/112"], ""),
        ([], "spec.cidrs: Required value: at least one CIDR required"),
        (["10.0.0.0/24"] * 3, "may only hold up to 2 values"),
        (["10.0.0.0/24", "10.0.1.0/24"], "may specify no more than one IP for each IP family"),
        (["10.0.0.1/24"], "spec.cidrs[0]: Invalid value:"),
    ],
)
def test_the_ranges_of_service_addresses(cidrs: list[str], error: str) -> None:
    found = create_errors(SERVICE_CIDRS, named({"cidrs": cidrs}))
    assert [error in each for each in found] == ([True] if error else []), found


@pytest.mark.parametrize(
    ("after", "errors"),
    [
        (["10.0.0.0/24"], []),
        (["10.0.0.0/24", "fd00::/112"], []),
        (["10.0.1.0/24"], ['spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable']),
        ([], ["spec.cidrs: Invalid value: []: field is immutable"]),
    ],
)
def test_ranges_stay_but_for_one_of_the_other_family(after: list[str], errors: list[str]) -> None:
    assert update_errors(SERVICE_CIDRS, named({"cidrs": ["10.0.0.0/24"]}), named({"cidrs": after})) == errors
