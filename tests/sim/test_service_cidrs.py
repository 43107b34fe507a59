"""Ranges of Service addresses on a whole simulated cluster, and the repair of the objects that record addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import Service
from proa.api.core_v1.resources import SERVICES
from proa.api.networking_v1 import IPAddress, ServiceCIDR
from proa.api.networking_v1.resources import IP_ADDRESSES, SERVICE_CIDRS
from proa.machinery.meta import Condition
from proa.machinery.status import StatusError, is_invalid
from proa.rules.service_addresses import FINALIZER
from proa.testing import Cluster

pytestmark = pytest.mark.proa(virtual_time=True, nodes=1)

MORE = "203.0.113.0/24"
ADDRESS = "203.0.113.10"
MANAGED = {"ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}


def service(name: str, **spec: Any) -> Service:
    document = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}
    return msgspec.convert(document, Service)


def record(address: str, service: str, labels: Mapping[str, str] = MANAGED) -> IPAddress:
    parent = {"resource": "services", "namespace": "default", "name": service}
    document = {"metadata": {"name": address, "labels": labels}, "spec": {"parentRef": parent}}
    return msgspec.convert(document, IPAddress)


async def add_range(cluster: Cluster, name: str, *cidrs: str) -> None:
    document = {"metadata": {"name": name}, "spec": {"cidrs": cidrs}}
    await cluster.client.create(SERVICE_CIDRS, msgspec.convert(document, ServiceCIDR))
    await cluster.clock.advance("1s")


async def ready(cluster: Cluster, name: str) -> Condition:
    found = await cluster.get(SERVICE_CIDRS, name)
    assert found is not None
    (condition,) = found.status.conditions
    assert condition.type == "Ready"
    return condition


async def test_every_range_is_ready_and_protected(proa_cluster: Cluster) -> None:
    await add_range(proa_cluster, "more", MORE)
    for name in ("kubernetes", "more"):
        assert (await ready(proa_cluster, name)).status == "True"
        found = await proa_cluster.get(SERVICE_CIDRS, name)
        assert found is not None
        assert found.metadata.finalizers == (FINALIZER,)


async def test_a_service_gets_the_address_it_wants_from_a_further_range(proa_cluster: Cluster) -> None:
    with pytest.raises(StatusError, match="not in the valid range") as error:
        await proa_cluster.client.create(SERVICES, service("web", clusterIP=ADDRESS))
    assert is_invalid(error.value)
    await add_range(proa_cluster, "more", MORE)
    made = await proa_cluster.client.create(SERVICES, service("web", clusterIP=ADDRESS))
    assert made.spec.clusterIPs == (ADDRESS,)
    found = await proa_cluster.get(IP_ADDRESSES, ADDRESS)
    assert found is not None
    assert found.metadata.labels == MANAGED


async def test_the_clusters_own_services_have_objects(proa_cluster: Cluster) -> None:
    services = await proa_cluster.all(SERVICES, "")
    held = {each.spec.clusterIP: (each.metadata.namespace, each.metadata.name) for each in services}
    assert ("default", "kubernetes") in held.values()
    parents = {each.metadata.name: each.spec.parentRef for each in await proa_cluster.all(IP_ADDRESSES)}
    assert {name: (each.namespace, each.name) for name, each in parents.items() if each} == held


async def test_a_range_stays_until_its_last_address_is_given_up(proa_cluster: Cluster) -> None:
    await add_range(proa_cluster, "more", MORE)
    await proa_cluster.client.create(SERVICES, service("web", clusterIP=ADDRESS))
    await proa_cluster.client.delete(SERVICE_CIDRS, "more")
    await proa_cluster.clock.advance("60s")
    condition = await ready(proa_cluster, "more")
    assert (condition.status, condition.reason) == ("False", "Terminating")
    with pytest.raises(StatusError, match="not in the valid range"):
        await proa_cluster.client.create(SERVICES, service("other", clusterIP="203.0.113.11"))
    await proa_cluster.client.delete(SERVICES, "web", "default")
    await proa_cluster.clock.advance("1s")
    assert await proa_cluster.get(SERVICE_CIDRS, "more") is None


async def test_a_range_goes_when_another_has_its_addresses_too(proa_cluster: Cluster) -> None:
    await add_range(proa_cluster, "more", MORE)
    await proa_cluster.client.create(SERVICES, service("web", clusterIP=ADDRESS))
    await proa_cluster.client.delete(SERVICE_CIDRS, "more")
    await proa_cluster.clock.advance("60s")
    assert await proa_cluster.get(SERVICE_CIDRS, "more") is not None
    await add_range(proa_cluster, "wide", "203.0.112.0/23")
    assert await proa_cluster.get(SERVICE_CIDRS, "more") is None
    assert await proa_cluster.get(IP_ADDRESSES, ADDRESS) is not None


async def test_an_unused_range_goes_after_a_while_in_which_it_gives_nothing(proa_cluster: Cluster) -> None:
    await add_range(proa_cluster, "more", MORE)
    await proa_cluster.client.delete(SERVICE_CIDRS, "more")
    await proa_cluster.clock.advance("5s")
    assert await proa_cluster.get(SERVICE_CIDRS, "more") is not None
    with pytest.raises(StatusError, match="not in the valid range"):
        await proa_cluster.client.create(SERVICES, service("web", clusterIP=ADDRESS))
    await proa_cluster.clock.advance("10s")
    assert await proa_cluster.get(SERVICE_CIDRS, "more") is None


async def test_the_default_range_comes_back(proa_cluster: Cluster) -> None:
    before = await proa_cluster.get(SERVICE_CIDRS, "kubernetes")
    assert before is not None
    (own,) = before.spec.cidrs
    await add_range(proa_cluster, "same", own)
    await proa_cluster.client.delete(SERVICE_CIDRS, "kubernetes")
    await proa_cluster.clock.advance("15s")
    again = await proa_cluster.get(SERVICE_CIDRS, "kubernetes")
    assert again is not None
    assert again.metadata.uid != before.metadata.uid
    assert again.spec == before.spec
    assert (await ready(proa_cluster, "kubernetes")).status == "True"


async def test_an_object_that_is_deleted_is_made_again_while_its_service_lasts(proa_cluster: Cluster) -> None:
    made = await proa_cluster.client.create(SERVICES, service("web"))
    address = made.spec.clusterIP
    await proa_cluster.client.delete(IP_ADDRESSES, address)
    await proa_cluster.clock.advance("1s")
    again = await proa_cluster.get(IP_ADDRESSES, address)
    assert again is not None
    assert again.spec == record(address, "web").spec
    (told,) = await proa_cluster.events("ClusterIPNotAllocated")
    assert address in told.message


async def test_an_object_whose_labels_were_changed_is_made_anew(proa_cluster: Cluster) -> None:
    address = (await proa_cluster.client.create(SERVICES, service("web"))).spec.clusterIP
    patch = {"metadata": {"labels": {"ipaddress.kubernetes.io/managed-by": "me"}}}
    await proa_cluster.client.patch(IP_ADDRESSES, address, "", patch, type="merge")
    await proa_cluster.clock.advance("1s")
    again = await proa_cluster.get(IP_ADDRESSES, address)
    assert again is not None
    assert again.metadata.labels == MANAGED


async def test_an_object_without_its_service_goes_when_none_can_be_on_its_way(proa_cluster: Cluster) -> None:
    await add_range(proa_cluster, "more", MORE)
    await proa_cluster.client.create(IP_ADDRESSES, record(ADDRESS, "nobody"))
    await proa_cluster.clock.advance("50s")
    assert await proa_cluster.get(IP_ADDRESSES, ADDRESS) is not None
    with pytest.raises(StatusError, match="already allocated"):
        await proa_cluster.client.create(SERVICES, service("web", clusterIP=ADDRESS))
    await proa_cluster.clock.advance("15s")
    assert await proa_cluster.get(IP_ADDRESSES, ADDRESS) is None
    await proa_cluster.client.create(SERVICES, service("web", clusterIP=ADDRESS))


async def test_an_object_of_a_service_with_another_address_goes(proa_cluster: Cluster) -> None:
    await add_range(proa_cluster, "more", MORE)
    await proa_cluster.client.create(SERVICES, service("web"))
    await proa_cluster.clock.advance("1s")
    await proa_cluster.client.create(IP_ADDRESSES, record(ADDRESS, "web"))
    await proa_cluster.clock.advance("10s")
    assert await proa_cluster.get(IP_ADDRESSES, ADDRESS) is None


async def test_an_object_that_says_it_is_the_allocators_but_no_services_goes(proa_cluster: Cluster) -> None:
    parent = {"group": "example.org", "resource": "gateways", "name": "g"}
    document = {"metadata": {"name": ADDRESS, "labels": MANAGED}, "spec": {"parentRef": parent}}
    await proa_cluster.client.create(IP_ADDRESSES, msgspec.convert(document, IPAddress))
    await proa_cluster.clock.advance("1s")
    assert await proa_cluster.get(IP_ADDRESSES, ADDRESS) is None


async def test_objects_of_others_are_left_alone(proa_cluster: Cluster) -> None:
    await proa_cluster.client.create(IP_ADDRESSES, record(ADDRESS, "nobody", labels={"mine": "yes"}))
    await proa_cluster.clock.advance("300s")
    assert await proa_cluster.get(IP_ADDRESSES, ADDRESS) is not None


async def test_services_that_come_and_go_are_no_news(proa_cluster: Cluster) -> None:
    for number in range(5):
        await proa_cluster.client.create(SERVICES, service(f"web-{number}"))
        await proa_cluster.client.delete(SERVICES, f"web-{number}", "default")
        await proa_cluster.client.create(SERVICES, service(f"web-{number}", type="NodePort"))
    await proa_cluster.clock.advance("300s")
    told = await proa_cluster.events()
    assert not [each for each in told if each.reason.startswith(("ClusterIP", "IPAddress"))]
    assert len(await proa_cluster.all(IP_ADDRESSES)) == len(await proa_cluster.all(SERVICES, ""))


async def test_many_services_deleted_at_once_leave_no_objects(proa_cluster: Cluster) -> None:
    before = await proa_cluster.all(IP_ADDRESSES)
    for number in range(20):
        await proa_cluster.client.create(SERVICES, service(f"web-{number}"))
    for each in await proa_cluster.all(SERVICES):
        if each.metadata.name != "kubernetes":
            await proa_cluster.client.delete(SERVICES, each.metadata.name, "default")
    assert await proa_cluster.all(IP_ADDRESSES) == before


async def test_an_address_in_no_range_is_told_and_gets_its_object_when_a_range_comes(proa_cluster: Cluster) -> None:
    await add_range(proa_cluster, "more", MORE)
    await proa_cluster.client.create(SERVICES, service("web", clusterIP=ADDRESS))
    await proa_cluster.client.delete(SERVICE_CIDRS, "more")
    await proa_cluster.client.patch(SERVICE_CIDRS, "more", "", {"metadata": {"finalizers": None}}, type="merge")
    await proa_cluster.client.delete(IP_ADDRESSES, ADDRESS)
    await proa_cluster.clock.advance("1s")
    (told,) = await proa_cluster.events("ClusterIPOutOfRange")
    assert ADDRESS in told.message
    assert await proa_cluster.get(IP_ADDRESSES, ADDRESS) is None
    await add_range(proa_cluster, "again", MORE)
    assert await proa_cluster.get(IP_ADDRESSES, ADDRESS) is not None


async def test_an_object_that_names_another_service_is_made_anew_for_the_one_that_has_the_address(
    proa_cluster: Cluster,
) -> None:
    address = (await proa_cluster.client.create(SERVICES, service("web"))).spec.clusterIP
    await proa_cluster.client.delete(IP_ADDRESSES, address)
    await proa_cluster.client.create(IP_ADDRESSES, record(address, "nobody"))
    await proa_cluster.clock.advance("1s")
    again = await proa_cluster.get(IP_ADDRESSES, address)
    assert again is not None
    assert again.spec == record(address, "web").spec
