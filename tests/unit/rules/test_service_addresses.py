"""Which addresses a Service holds, and what their IPAddress objects say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import Service, ServiceSpec
from proa.rules.service_addresses import cluster_addresses, is_managed, record_of, service_key


@pytest.mark.parametrize(
    ("spec", "addresses"),
    [
        ({"clusterIP": "10.96.0.7", "clusterIPs": ("10.96.0.7",)}, ("10.96.0.7",)),
        ({"clusterIP": "10.96.0.7"}, ("10.96.0.7",)),
        ({"clusterIP": "FD00:0::7"}, ("fd00::7",)),
        ({"clusterIP": "10.96.0.7", "clusterIPs": ("10.96.0.7", "FD00::7")}, ("10.96.0.7", "fd00::7")),
        ({"clusterIP": "None", "clusterIPs": ("None",)}, ()),
        ({"type": "ExternalName", "clusterIP": "10.96.0.7"}, ()),
        ({}, ()),
    ],
)
def test_a_service_holds_the_addresses_that_it_has_in_canonical_form(
    spec: dict[str, Any], addresses: tuple[str, ...]
) -> None:
    assert cluster_addresses(ServiceSpec(**spec)) == addresses


@pytest.mark.parametrize(("address", "family"), [("10.96.0.7", "IPv4"), ("fd00::7", "IPv6")])
def test_the_object_of_an_address_names_its_family_its_maker_and_its_service(address: str, family: str) -> None:
    record = record_of(address, msgspec.convert({"metadata": {"name": "web", "namespace": "shop"}}, Service))
    assert record.metadata.name == address
    assert record.metadata.labels["ipaddress.kubernetes.io/ip-family"] == family
    assert is_managed(record)
    assert service_key(record) == "shop/web"
