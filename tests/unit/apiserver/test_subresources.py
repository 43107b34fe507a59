from __future__ import annotations

import pytest
from tests.unit.apiserver.conftest import ADMIN, NOBODY, options, pod

from proa.api.core_v1 import Binding, Pod
from proa.api.core_v1.reference import ObjectReference
from proa.api.core_v1.resources import EVENTS, PODS, SERVICES
from proa.api.events_v1.resources import EVENTS as NEW_EVENTS
from proa.api.policy_v1 import Eviction
from proa.apiserver.compose import ApiServer
from proa.apiserver.inprocess import InProcessClient
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError


@pytest.fixture
def client(server: ApiServer) -> InProcessClient:
    return server.client_for(ADMIN, "test")


def binding(node: str) -> Binding:
    return Binding(target=ObjectReference(kind="Node", name=node))


async def test_a_pod_is_bound_once(server: ApiServer, client: InProcessClient) -> None:
    await server.registry(PODS).create("default", pod("a"), options())
    await client.post(PODS, "a", "default", "binding", binding("n1"))
    bound: Pod = await client.get(PODS, "a", "default")
    assert bound.spec.nodeName == "n1"
    assert [(each.type, each.status) for each in bound.status.conditions] == [("PodScheduled", "True")]
    with pytest.raises(StatusError, match="already assigned") as caught:
        await client.post(PODS, "a", "default", "binding", binding("n2"))
    assert caught.value.code == 409


async def test_a_binding_without_a_node_is_invalid(server: ApiServer, client: InProcessClient) -> None:
    await server.registry(PODS).create("default", pod("a"), options())
    with pytest.raises(StatusError, match=r"target\.name") as caught:
        await client.post(PODS, "a", "default", "binding", binding(""))
    assert caught.value.code == 422


async def test_an_evicted_pod_goes(server: ApiServer, client: InProcessClient) -> None:
    await server.registry(PODS).create("default", pod("a"), options())
    await client.post(PODS, "a", "default", "eviction", Eviction(metadata=ObjectMeta(name="a")))
    with pytest.raises(StatusError) as caught:
        await client.get(PODS, "a", "default")
    assert caught.value.code == 404


async def test_who_may_not_is_told_what(server: ApiServer) -> None:
    with pytest.raises(StatusError, match='User "nobody" cannot get resource "pods" in API group "" in the namespace'):
        await server.client_for(NOBODY).get(PODS, "a", "default")


async def test_an_object_read_twice_is_the_same_object(server: ApiServer, client: InProcessClient) -> None:
    await server.registry(PODS).create("default", pod("a"), options())
    first = await client.get(PODS, "a", "default")
    assert (await client.list(PODS)).items[0] is first


async def test_both_versions_of_events_are_one_store(server: ApiServer) -> None:
    old, new = server.registry(EVENTS), server.registry(NEW_EVENTS)
    document = {
        "metadata": {"name": "e"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "c",
        "reportingInstance": "i",
        "action": "a",
        "reason": "r",
        "type": "Normal",
        "note": "text",
        "regarding": {"kind": "Pod", "namespace": "default", "name": "p"},
    }
    await new.create("default", document, options())
    stored = (await old.get("default", "e")).object
    assert (stored.message, stored.involvedObject.name, stored.reportingComponent) == ("text", "p", "c")
    shown = (await new.get("default", "e")).object
    assert (shown.note, shown.regarding.name, shown.reportingController) == ("text", "p", "c")


def service(name: str, **spec: object) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


async def test_a_service_gets_an_address_and_gives_it_back(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    first = (await services.create("default", service("a"), options())).object
    assert first.spec.clusterIP.startswith("10.96.")
    assert first.spec.clusterIPs == (first.spec.clusterIP,)
    with pytest.raises(StatusError, match="already allocated"):
        await services.create("default", service("b", clusterIP=first.spec.clusterIP), options())
    await services.delete("default", "a", {}, options())
    again = (await services.create("default", service("b", clusterIP=first.spec.clusterIP), options())).object
    assert again.spec.clusterIP == first.spec.clusterIP


async def test_a_failed_or_dry_create_takes_no_address(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    before = server.allocator.statistics()
    await services.create("default", service("a", type="NodePort"), options(dry_run=True))
    with pytest.raises(StatusError):
        await services.create("default", service("A_B", type="NodePort"), options())
    assert server.allocator.statistics() == before


async def test_a_node_port_stays_over_updates_and_goes_with_the_type(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    port = (await services.create("default", service("a", type="NodePort"), options())).object.spec.ports[0].nodePort
    assert 30000 <= port <= 32767
    kept = await services.update("default", "a", service("a", type="NodePort", selector={"x": "y"}), options())
    assert kept.object.spec.ports[0].nodePort == port
    await services.update("default", "a", service("a"), options())
    assert server.allocator.statistics()["node_ports_taken"] == 0


async def test_what_services_hold_is_learnt_at_the_start(server: ApiServer) -> None:
    held = (await server.registry(SERVICES).create("default", service("a"), options())).object.spec.clusterIP
    second = ApiServer(server.config)
    await second.load()
    with pytest.raises(StatusError, match="already allocated"):
        await second.registry(SERVICES).create("default", service("b", clusterIP=held), options())
    await second.stop()
