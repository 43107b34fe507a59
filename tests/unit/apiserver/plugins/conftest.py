from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from random import Random
from typing import Any

import msgspec
import pytest

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import LOOPBACK, User
from proa.apiserver.plugins.context import PluginContext
from proa.client.informer import Informers
from proa.client.protocol import Client
from proa.machinery.resource import Resource

ADMIN = User("admin", groups=("system:masters",))


@pytest.fixture
def client(server: ApiServer) -> Client:
    """The server's own; no plugin guards it."""
    return server.client_for(LOOPBACK)


@pytest.fixture
async def context(client: Client) -> AsyncIterator[PluginContext]:
    async with Informers(client) as informers:
        yield PluginContext(client, informers, Random(1))


async def current(context: PluginContext) -> None:
    """Return when every informer that was asked for shows what was written before."""
    await context.informers.synced()
    for _ in range(20):
        await asyncio.sleep(0)


async def passed(waiting: Awaitable[None] | None) -> None:
    """Wait for what a plugin's step waits for."""
    if waiting is not None:
        await waiting


def made(type: Any, name: str, namespace: str = "", **more: Any) -> Any:
    """A typed object."""
    meta = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return msgspec.convert({"metadata": meta, **more}, type)


def write(
    resource: Resource[Any],
    document: dict[str, Any] | None,
    operation: Operation = "CREATE",
    *,
    old: dict[str, Any] | None = None,
    user: User = ADMIN,
    subresource: str = "",
    namespace: str = "default",
) -> Attributes:
    name = ((document or old or {}).get("metadata") or {}).get("name", "")
    return Attributes(operation, resource, subresource, namespace, name, document, old, user)
