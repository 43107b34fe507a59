"""Addresses of Services and their IPAddress objects: with each write, also one whose request is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.unit.apiserver.conftest import options

from proa.api.core_v1.resources import SERVICES
from proa.api.networking_v1 import IPAddress, ParentReference
from proa.api.networking_v1.resources import IP_ADDRESSES
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.options import ReadOptions
from proa.machinery.status import StatusError, is_already_exists, is_invalid
from proa.store.memory import MemoryStore
from proa.store.protocol import Conflict

SERVICE_KEYS = "/registry/services/specs/"


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


class HeldUpStore(MemoryStore):
    """Its writes of Services that are begun while `open` is clear wait for it; `before` may raise in their place."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.begun = asyncio.Event()
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    async def create(self, key: str, value: bytes, *, ttl: float | None = None) -> int | Conflict:
        await self._held_up(key)
        result = await super().create(key, value, ttl=ttl)
        if key.startswith(SERVICE_KEYS):
            self.after()
        return result

    async def delete(self, key: str, revision: int) -> int | Conflict:
        await self._held_up(key)
        return await super().delete(key, revision)

    async def _held_up(self, key: str) -> None:
        if key.startswith(SERVICE_KEYS):
            self.begun.set()
            await self.open.wait()
            self.before()


@pytest.fixture
async def store() -> AsyncIterator[HeldUpStore]:
    store = HeldUpStore()
    yield store
    await store.close()


async def records(server: ApiServer) -> dict[str, IPAddress]:
    found = await server.registry(IP_ADDRESSES).list("", ReadOptions())
    return {item.object.metadata.name: item.object for item in found.items}


def parent_of(name: str) -> ParentReference:
    return ParentReference(resource="services", namespace="default", name=name)


async def is_refused(server: ApiServer, document: dict[str, Any]) -> None:
    """What it wants is somebody's; nobody waits for the store to say so."""
    with pytest.raises(StatusError, match="already allocated"):
        async with asyncio.timeout(10):
            await server.registry(SERVICES).create("default", document, options())


async def given_up(task: asyncio.Task[Any], store: HeldUpStore) -> None:
    """The request is cancelled, as by its deadline, while the store writes."""
    await store.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_service_has_an_ip_address_object_as_long_as_it_lasts(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    address = (await services.create("default", service("a"), options())).object.spec.clusterIP
    record = (await records(server))[address]
    assert record.metadata.labels == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }
    assert record.spec.parentRef == parent_of("a")
    assert record.metadata.managedFields[0].manager == "kube-apiserver"
    await services.delete("default", "a", {}, options())
    assert await records(server) == {}


async def test_the_ip_address_is_stored_before_the_service(server: ApiServer) -> None:
    made = (await server.registry(SERVICES).create("default", service("a"), options())).object
    record = (await records(server))[made.spec.clusterIP]
    assert int(record.metadata.resourceVersion) < int(made.metadata.resourceVersion)


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"type": "ExternalName", "externalName": "example.org"}])
async def test_a_service_without_an_address_has_no_object(server: ApiServer, spec: dict[str, Any]) -> None:
    await server.registry(SERVICES).create("default", service("a", **spec), options())
    assert await records(server) == {}


async def test_what_is_refused_or_tried_dry_leaves_no_object(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    await services.create("default", service("a"), options(dry_run=True))
    with pytest.raises(StatusError, match="RFC 1123 label"):
        await services.create("default", service("A_B"), options())
    assert await records(server) == {}


async def test_a_name_that_is_taken_costs_no_address(server: ApiServer, store: HeldUpStore) -> None:
    services = server.registry(SERVICES)
    await services.create("default", service("a"), options())
    before, revision = server.allocator.statistics(), store.revision
    with pytest.raises(StatusError) as error:
        await services.create("default", service("a"), options())
    assert is_already_exists(error.value)
    assert server.allocator.statistics() == before
    assert store.revision == revision


async def test_of_two_creates_of_one_name_at_once_one_leaves_nothing(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    both = [services.create("default", service("a", type="NodePort"), options()) for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)
    (made,) = [each for each in results if not isinstance(each, BaseException)]
    assert list(await records(server)) == [made.object.spec.clusterIP]
    assert server.allocator.statistics()["addresses_taken"] == 1
    assert server.allocator.statistics()["node_ports_taken"] == 1


async def test_a_service_that_becomes_a_name_only_gives_its_address_up_and_gets_one_again(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    await services.create("default", service("a"), options())
    await services.update("default", "a", service("a", type="ExternalName", externalName="example.org"), options())
    assert await records(server) == {}
    again = (await services.update("default", "a", service("a", type="ClusterIP"), options())).object
    assert list(await records(server)) == [again.spec.clusterIP]
    assert server.allocator.statistics()["addresses_taken"] == 1


async def test_an_address_that_is_somebody_elses_object_is_given_to_no_service(server: ApiServer) -> None:
    parent = ParentReference(group="example.org", resource="gateways", name="g")
    document = {"metadata": {"name": "10.96.0.77"}, "spec": {"parentRef": {"group": parent.group,
                "resource": parent.resource, "name": parent.name}}}  # fmt: skip
    await server.registry(IP_ADDRESSES).create("", document, options())
    with pytest.raises(StatusError, match="already allocated") as error:
        await server.registry(SERVICES).create("default", service("a", clusterIP="10.96.0.77"), options())
    assert is_invalid(error.value)
    assert (await records(server))["10.96.0.77"].spec.parentRef == parent


async def test_an_object_left_by_a_server_that_died_is_taken_over_by_its_own_service(server: ApiServer) -> None:
    parent = {"resource": "services", "namespace": "default", "name": "a"}
    document = {"metadata": {"name": "10.96.0.77"}, "spec": {"parentRef": parent}}
    left = await server.registry(IP_ADDRESSES).create("", document, options())
    await is_refused(server, service("b", clusterIP="10.96.0.77"))
    await server.registry(SERVICES).create("default", service("a", clusterIP="10.96.0.77"), options())
    assert (await records(server))["10.96.0.77"].metadata.uid == left.object.metadata.uid


async def test_an_address_is_held_while_the_write_of_a_request_that_was_given_up_goes_on(
    server: ApiServer, store: HeldUpStore
) -> None:
    services = server.registry(SERVICES)
    wanted = service("a", type="NodePort", clusterIP="10.96.0.77", ports=[{"port": 80, "nodePort": 30777}])
    store.open.clear()
    await given_up(asyncio.create_task(services.create("default", wanted, options())), store)
    await is_refused(server, service("b", clusterIP="10.96.0.77"))
    await is_refused(server, service("b", type="NodePort", ports=[{"port": 80, "nodePort": 30777}]))
    store.open.set()
    await server.allocator.close()
    assert (await services.get("default", "a")).object.spec.clusterIP == "10.96.0.77"
    await is_refused(server, service("b", clusterIP="10.96.0.77"))
    assert list(await records(server)) == ["10.96.0.77"]


async def test_an_address_is_free_when_the_write_of_a_request_that_was_given_up_was_not_done(
    server: ApiServer, store: HeldUpStore
) -> None:
    services = server.registry(SERVICES)
    first = server.allocator.statistics()
    store.open.clear()
    both = [asyncio.create_task(services.create("default", service("a"), options())) for _ in range(2)]
    for task in both:
        await given_up(task, store)
    assert server.allocator.statistics()["addresses_taken"] == 2
    store.open.set()
    await server.allocator.close()
    made = (await services.get("default", "a")).object
    assert list(await records(server)) == [made.spec.clusterIP]
    await services.delete("default", "a", {}, options())
    assert server.allocator.statistics() == first


async def test_a_delete_that_was_given_up_gives_the_address_back_when_it_is_done(
    server: ApiServer, store: HeldUpStore
) -> None:
    services = server.registry(SERVICES)
    await services.create("default", service("a", clusterIP="10.96.0.77"), options())
    store.begun.clear()
    store.open.clear()
    await given_up(asyncio.create_task(services.delete("default", "a", {}, options())), store)
    await is_refused(server, service("b", clusterIP="10.96.0.77"))
    store.open.set()
    await server.allocator.close()
    await services.create("default", service("b", clusterIP="10.96.0.77"), options())
    assert (await records(server))["10.96.0.77"].spec.parentRef == parent_of("b")


class BrokenError(Exception):
    """What a store says when something is wrong with it."""


def _break() -> None:
    raise BrokenError("no answer")


async def test_a_write_that_failed_before_it_was_done_gives_the_address_back(
    server: ApiServer, store: HeldUpStore
) -> None:
    store.before = _break
    with pytest.raises(BrokenError):
        await server.registry(SERVICES).create("default", service("a"), options())
    assert server.allocator.statistics()["addresses_taken"] == 0
    assert await records(server) == {}


async def test_a_write_that_was_done_though_its_answer_was_lost_keeps_the_address(
    server: ApiServer, store: HeldUpStore
) -> None:
    store.after = _break
    with pytest.raises(BrokenError):
        await server.registry(SERVICES).create("default", service("a", clusterIP="10.96.0.77"), options())
    assert server.allocator.statistics()["addresses_taken"] == 1
    assert list(await records(server)) == ["10.96.0.77"]


async def test_a_restart_learns_the_addresses_of_services_that_have_no_objects(server: ApiServer) -> None:
    held = (await server.registry(SERVICES).create("default", service("a"), options())).object.spec.clusterIP
    await server.registry(IP_ADDRESSES).delete("", held, {}, options())
    second = ApiServer(Config(server.config.store, port=0))
    await second.load()
    await is_refused(second, service("b", clusterIP=held))
    await second.stop()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("nonsense", r"clusterIPs\[0\]: Invalid value: \"nonsense\": must be a valid IP address"),
        ("no::address", "must be a valid IP address"),
        ("fd00::7", "IPv6 is not configured on this cluster"),
        ("192.0.2.1", "not in the valid range"),
        ("10.96.0.0", "not in the valid range"),
    ],
)
async def test_an_address_of_no_range_is_refused(server: ApiServer, address: str, why: str) -> None:
    with pytest.raises(StatusError, match=why) as error:
        await server.registry(SERVICES).create("default", service("a", clusterIP=address), options())
    assert is_invalid(error.value)


async def test_a_full_range_gives_an_error_and_an_address_again_when_one_is_free(store: HeldUpStore) -> None:
    server = ApiServer(Config(store, port=0, service_cidr="10.96.0.0/30"))
    await server.load()
    services = server.registry(SERVICES)
    for name in ("a", "b"):
        await services.create("default", service(name), options())
    with pytest.raises(StatusError, match="range is full"):
        await services.create("default", service("c"), options())
    await services.delete("default", "a", {}, options())
    assert (await services.create("default", service("c"), options())).object.spec.clusterIP.startswith("10.96.0.")
    await server.stop()


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        ({"ipFamilies": ["IPv4", "IPv4"]}, 'spec.ipFamilies[1]: Duplicate value: "IPv4"'),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack'
            " services",
        ),
        (
            {"ipFamilies": ["IPv4", "IPv6"], "selector": {"a": "b"}},
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when"
            " multiple IP families are specified",
        ),
        (
            {"clusterIPs": ["10.96.0.7"]},
            'spec.clusterIPs: Invalid value: ["10.96.0.7"]: must be empty when `clusterIP` is not specified',
        ),
    ],
)
async def test_families_that_the_cluster_has_not_are_refused(
    server: ApiServer, spec: dict[str, Any], error: str
) -> None:
    with pytest.raises(StatusError) as raised:
        await server.registry(SERVICES).create("default", service("a", **spec), options())
    assert error in str(raised.value)


async def test_endpoints_that_somebody_else_gives_a_headless_service_may_be_of_both_families(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    free = (await services.create("default", service("a", clusterIP="None"), options())).object.spec
    assert (free.ipFamilyPolicy, free.ipFamilies) == ("RequireDualStack", ("IPv4", "IPv6"))
    selecting = service("b", clusterIP="None", selector={"a": "b"})
    own = (await services.create("default", selecting, options())).object.spec
    assert (own.ipFamilyPolicy, own.ipFamilies) == ("SingleStack", ("IPv4",))


async def test_an_address_may_not_change_wherever_the_new_one_is(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    await services.create("default", service("a", clusterIP="10.96.0.7"), options())
    for address in ("192.0.2.1", "10.96.0.8", "None"):
        changed = service("a", clusterIP=address, clusterIPs=["10.96.0.7"])
        with pytest.raises(StatusError, match="may not change once set"):
            await services.update("default", "a", changed, options())


async def test_a_port_keeps_its_node_port_by_its_name(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    await services.create("default", service("a", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]), options())
    changed = service("a", type="NodePort", ports=[{"port": 81}])
    item = await services.update("default", "a", changed, options())
    assert [(each.port, each.nodePort) for each in item.object.spec.ports] == [(81, 30080)]


async def test_a_port_of_health_goes_with_the_load_balancer(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    made = await services.create("default", service("a", type="LoadBalancer", externalTrafficPolicy="Local"), options())
    assert made.object.spec.healthCheckNodePort
    changed = service("a", type="NodePort", externalTrafficPolicy="Local")
    item = await services.update("default", "a", changed, options())
    assert item.object.spec.healthCheckNodePort == 0
