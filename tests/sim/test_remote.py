"""Controllers on another machine: the same work over HTTP, elected, and taken over when the first is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from proa.api.apps_v1 import ReplicaSet
from proa.api.apps_v1.resources import REPLICA_SETS
from proa.api.core_v1.resources import PODS
from proa.apiserver.authn.static_tokens import StaticTokenAuthenticator
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import MASTERS, User
from proa.client.connection import Connection
from proa.client.http import HttpClient
from proa.client.leases import ElectionTimes
from proa.control.manager import ControllerManager
from proa.controllers.registry import controllers
from proa.controllers.settings import Settings
from proa.store.memory import MemoryStore

ADMIN = User("admin", groups=(MASTERS,))
TIMES = ElectionTimes(duration=3.0, renew_deadline=2.0, retry_period=0.1)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    store = MemoryStore()
    server = ApiServer(Config(store=store, port=0))
    await server.load()
    server.install(authenticators=[StaticTokenAuthenticator({"secret": ADMIN})])
    await server.listen()
    yield server
    await server.stop()
    await store.close()


async def manager(server: ApiServer, identity: str) -> tuple[ControllerManager, HttpClient]:
    client = HttpClient(Connection(server=f"http://127.0.0.1:{server.port}", token="secret"))
    made = ControllerManager(client, controllers(Settings()), identity=identity, election_times=TIMES)
    await made.start()
    return made, client


def replica_set(replicas: int) -> ReplicaSet:
    document: dict[str, Any] = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "v1"}]},
            },
        },
    }
    return msgspec.convert(document, ReplicaSet)


async def test_controllers_work_over_http_and_a_second_set_takes_over(server):
    first, first_client = await manager(server, "first")
    second, second_client = await manager(server, "second")
    local = server.client_for(ADMIN)
    pods = 0
    arrived = asyncio.Event()

    async def watch() -> None:
        nonlocal pods
        async for batch in local.watch(PODS, "default", resource_version="0"):
            pods += sum(each.type == "ADDED" for each in batch)
            if pods in (5, 8):
                arrived.set()

    watching = asyncio.create_task(watch())
    await local.create(REPLICA_SETS, replica_set(5))
    await asyncio.wait_for(arrived.wait(), 10)
    arrived.clear()
    leaders = [each for each in (first, second) if each.statistics()["election"]["leads"]]
    assert len(leaders) == 1
    await leaders[0].close()
    await local.patch(REPLICA_SETS, "web", "default", {"spec": {"replicas": 8}}, type="merge")
    await asyncio.wait_for(arrived.wait(), 10)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    for each in {first, second} - set(leaders):
        await each.close()
    for client in (first_client, second_client):
        await client.close()
    assert len((await local.list(PODS, "default")).items) == 8
