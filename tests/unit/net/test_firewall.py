"""Host ports as values, before they are rules."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from proa.net import firewall
from proa.net.protocol import NetworkError

POD = IPv4Address("10.244.0.9")


@dataclass(frozen=True)
class Mapping:
    host_port: int
    container_port: int = 80
    protocol: str = "TCP"
    host_ip: str = ""


def test_a_mapping_without_a_host_port_is_nothing() -> None:
    assert firewall.forwards([Mapping(0)], POD) == ()


def test_a_host_port_is_for_every_address_or_for_one() -> None:
    every, one = firewall.forwards([Mapping(8080), Mapping(53, 53, "UDP", "127.0.0.1")], POD)
    assert (every.map, every.element) == ("host-ports", "tcp . 8080 : 10.244.0.9 . 80")
    assert (one.map, one.element) == ("host-address-ports", "127.0.0.1 . udp . 53 : 10.244.0.9 . 53")


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (Mapping(80, protocol="ICMP"), "protocol 'ICMP' is not one of"),
        (Mapping(80, host_ip="::1"), "'::1' is not an IPv4"),
    ],
)
def test_a_bad_mapping_is_refused_by_name(mapping: Mapping, words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        firewall.forwards([mapping], POD)
