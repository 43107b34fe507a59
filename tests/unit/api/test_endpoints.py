from __future__ import annotations

from typing import Any

import pytest

from proa.api.core_v1.resources import ENDPOINTS
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from tests.unit.api.writing import create_errors, update_errors

Document = dict[str, Any]


def check(found: list[str], error: str) -> None:
    assert [error in each for each in found] == ([True] if error else []), found


def endpoints(**subset: Any) -> Document:
    return {"metadata": {"name": "a"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}], **subset}]}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (endpoints(ports=[{"port": 80}]), ""),
        (endpoints(addresses=[], notReadyAddresses=[{"ip": "fd00::1", "hostname": "a", "nodeName": "n1"}]), ""),
        (endpoints(addresses=[]), "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
        (endpoints(addresses=[{"ip": "a"}]), 'subsets[0].addresses[0].ip: Invalid value: "a": must be a valid IP'),
        (endpoints(addresses=[{"ip": "0.0.0.0"}]), "may not be unspecified (0.0.0.0)"),
        (endpoints(addresses=[{"ip": "169.254.169.254"}]), "may not be in the link-local range"),
        (endpoints(addresses=[{"ip": "224.0.0.1"}]), "may not be in the link-local multicast range"),
        (endpoints(addresses=[{"ip": "10.0.0.1", "hostname": "A"}]), 'addresses[0].hostname: Invalid value: "A"'),
        (endpoints(ports=[{"port": 80}, {"port": 81, "name": "b"}]), "subsets[0].ports[0].name: Required value"),
        (endpoints(ports=[{"port": 0}]), "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535"),
    ],
)
def test_endpoints(document: Document, error: str) -> None:
    check(create_errors(ENDPOINTS, document), error)


def piece(*addresses: str, kind: str = "IPv4", ports: Any = (), **endpoint: Any) -> Document:
    return {
        "metadata": {"name": "a"},
        "addressType": kind,
        "endpoints": [{"addresses": list(addresses or ("10.0.0.1",)), **endpoint}],
        "ports": list(ports),
    }


def near(*zones: str) -> Document:
    return {"hints": {"forZones": [{"name": each} for each in zones]}}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (piece(ports=[{"name": "a", "port": 80}, {"port": 81}], **near("a")), ""),
        (piece("fd00::1", kind="IPv6"), ""),
        (piece("a.example.", kind="FQDN"), ""),
        ({**piece(), "endpoints": []}, ""),
        (piece(kind=""), "addressType: Required value"),
        (
            piece(ports=[{"protocol": "ICMP"}]),
            'ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
        ),
        (piece(kind="MAC"), 'addressType: Unsupported value: "MAC": supported values: "FQDN", "IPv4", "IPv6"'),
        (piece("fd00::1"), "must be an IPv4 address"),
        (piece("10.0.0.1", kind="IPv6"), "must be an IPv6 address"),
        (piece("a", kind="FQDN"), "should be a domain with at least two segments separated by dots"),
        (piece("169.254.0.1"), "may not be in the link-local range"),
        (
            {**piece(), "endpoints": [{"addresses": []}]},
            "endpoints[0].addresses: Required value: must contain at least 1",
        ),
        (piece(*(f"10.0.0.{at}" for at in range(1, 102))), "endpoints[0].addresses: Too many: 101"),
        (piece(nodeName="A"), 'endpoints[0].nodeName: Invalid value: "A"'),
        (piece(hostname="a.b"), 'endpoints[0].hostname: Invalid value: "a.b"'),
        (piece(**near("a", "a")), 'endpoints[0].hints.forZones[1].name: Duplicate value: "a"'),
        (piece(**near(*"abcdefghi")), "endpoints[0].hints.forZones: Too many: 9: must have at most 8 items"),
        (piece(ports=[{"port": 1}, {"port": 2}]), 'ports[1].name: Duplicate value: ""'),
        (piece(ports=[{"name": "A", "port": 1}]), 'ports[0].name: Invalid value: "A"'),
    ],
)
def test_a_slice_of_endpoints(document: Document, error: str) -> None:
    check(create_errors(ENDPOINT_SLICES, document), error)


def test_the_kind_of_addresses_stays() -> None:
    found = update_errors(ENDPOINT_SLICES, piece(), piece("a.example", kind="FQDN"))
    check(found, 'addressType: Invalid value: "FQDN": field is immutable')


def test_endpoints_that_were_stored_before_may_stay() -> None:
    old = piece("169.254.0.1")
    assert update_errors(ENDPOINT_SLICES, old, {**old, "metadata": {"name": "a", "labels": {"a": "b"}}}) == []
