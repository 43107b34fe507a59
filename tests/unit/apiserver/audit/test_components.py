"""Calls of components as the audit log has them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.unit.apiserver.audit.test_auditor import Annotates, Held, Kept, OnlyMaps

from proa.api.core_v1 import ConfigMap
from proa.api.core_v1.resources import CONFIG_MAPS, NODES
from proa.apiserver.audit.auditor import BLOCKING, STRICT, Auditor
from proa.apiserver.audit.bodies import Bodies
from proa.apiserver.audit.events import Document
from proa.apiserver.audit.policy import Policy, Rule
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import User
from proa.client.protocol import Client
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError

MAPS = "/api/v1/namespaces/default/configmaps"
ROBOT = User("system:serviceaccount:kube-system:robot", groups=("system:authenticated",))


class Component:
    def __init__(self, server: ApiServer, level: str, kept: Kept | None = None) -> None:
        self.kept = kept or Kept()
        policy = Policy(rules=(Rule(level=level, omitStages=() if kept else ("RequestReceived",)),))
        server.install(authorizers=[OnlyMaps()], admission=[Annotates()])
        server.audit(Auditor(policy, [self.kept], Bodies(server.resources), server.config.clock, server.families))
        self.client: Client = server.client_for(ROBOT, "robot")

    @property
    def last(self) -> Document:
        return self.kept.events[-1]

    def said(self) -> list[tuple[str, str, int]]:
        return [(each["verb"], each["requestURI"], each["responseStatus"]["code"]) for each in self.kept.events]


def config_map(**data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="m", namespace="default"), data=data)


async def test_what_a_component_does_is_written_down_as_the_request_it_would_have_been(server: ApiServer) -> None:
    component = Component(server, "Metadata")
    client = component.client
    made = await client.create(CONFIG_MAPS, config_map())
    await client.get(CONFIG_MAPS, "m", "default")
    await client.list(CONFIG_MAPS, "default", label_selector="a=b")
    await client.update(CONFIG_MAPS, msgspec.structs.replace(made, data={"a": "b"}))
    await client.patch(CONFIG_MAPS, "m", "default", {"data": {"c": "d"}}, type="merge")
    await client.document("GET", f"{MAPS}/m")
    await client.delete(CONFIG_MAPS, "m", "default")
    await client.delete_collection(CONFIG_MAPS, "default")
    assert component.said() == [
        ("create", MAPS, 201),
        ("get", f"{MAPS}/m", 200),
        ("list", f"{MAPS}?labelSelector=a%3Db", 200),
        ("update", f"{MAPS}/m", 200),
        ("patch", f"{MAPS}/m", 200),
        ("get", f"{MAPS}/m", 200),
        ("delete", f"{MAPS}/m", 200),
        ("deletecollection", MAPS, 200),
    ]
    event = component.kept.events[0]
    assert event["user"]["username"] == ROBOT.name
    assert (event["userAgent"], event["sourceIPs"]) == ("robot", ["127.0.0.1"])
    assert event["annotations"] == {
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": "maps are free",
        "acme.com/seen": "yes",
    }


async def test_what_is_refused_is_written_down_too(server: ApiServer) -> None:
    component = Component(server, "Metadata")
    with pytest.raises(StatusError):
        await component.client.list(NODES)
    assert component.last["responseStatus"]["reason"] == "Forbidden"
    assert component.last["annotations"]["authorization.k8s.io/decision"] == "forbid"
    with pytest.raises(StatusError):
        await component.client.get(CONFIG_MAPS, "missing", "default")
    assert component.last["responseStatus"]["code"] == 404


async def test_bodies_are_there_at_their_levels(server: ApiServer) -> None:
    component = Component(server, "RequestResponse")
    await component.client.create(CONFIG_MAPS, config_map(a="b"))
    assert component.last["requestObject"]["data"] == {"a": "b"}
    assert component.last["responseObject"]["metadata"]["uid"]
    patch: Any = {"data": {"c": "d"}}
    await component.client.patch(CONFIG_MAPS, "m", "default", patch, type="merge")
    assert component.last["requestObject"] == patch


async def test_a_component_of_an_unaudited_server_is_not_burdened(server: ApiServer) -> None:
    assert type(server.client_for(ROBOT)).__name__ == "InProcessClient"


@pytest.mark.parametrize("mode", [BLOCKING, STRICT])
async def test_a_component_waits_for_its_events_too(server: ApiServer, mode: str) -> None:
    held = Held(mode)
    component = Component(server, "Metadata", held)
    task = asyncio.create_task(component.client.list(CONFIG_MAPS, "default"))
    assert await held.release(task) == "RequestReceived"
    assert await held.release(task) == "ResponseComplete"
    assert (await task).items == []


async def test_a_component_may_not_do_what_cannot_be_written_down(server: ApiServer) -> None:
    held = Held(STRICT)
    component = Component(server, "Metadata", held)
    task = asyncio.create_task(component.client.create(CONFIG_MAPS, config_map()))
    await held.release(task, stored=False)
    await held.release(task)
    with pytest.raises(StatusError, match="failed to store audit event"):
        await task
    assert server.registry(CONFIG_MAPS).cache.size == 0
