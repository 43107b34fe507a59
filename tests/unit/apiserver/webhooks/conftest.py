from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from tests.unit.apiserver.conftest import ADMIN, options

from proa.api.admissionregistration_v1.resources import (
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from proa.api.core_v1.resources import SERVICE_ACCOUNTS
from proa.apiserver.compose import ApiServer
from proa.apiserver.plugins import default_plugins
from proa.apiserver.plugins.context import PluginContext
from proa.client.informer import Informers
from proa.machinery.resource import Resource
from proa.store.item import Item

CONFIGURATIONS: dict[str, Resource[Any]] = {
    "mutating": MUTATING_WEBHOOK_CONFIGURATIONS,
    "validating": VALIDATING_WEBHOOK_CONFIGURATIONS,
}


class Guarded:
    """An API server with every admission plugin, in process, and the admission webhooks it knows."""

    def __init__(self, server: ApiServer, informers: Informers) -> None:
        self.server = server
        self.informers = informers
        self.warnings: list[str] = []

    async def configure(self, kind: str, *hooks: dict[str, Any], name: str = "hooks") -> Item:
        """Create a configuration; it is effective when this returns."""
        resource = CONFIGURATIONS[kind]
        document = {"metadata": {"name": name}, "webhooks": list(hooks)}
        item = await self.server.registry(resource).create("", document, options())
        await self.known(resource, item.revision)
        return item

    async def known(self, resource: Resource[Any], revision: int) -> None:
        informer = self.informers.informer(resource)
        while int(informer.resource_version or 0) < revision:  # noqa: ASYNC110 - a watch has no other end to wait for
            await asyncio.sleep(0)

    async def create(self, resource: Resource[Any], document: dict[str, Any], **more: Any) -> Any:
        """The stored object, typed."""
        namespace = "default" if resource.namespaced else ""
        said = options(**more)
        try:
            item = await self.server.registry(resource).create(namespace, document, said)
        finally:
            self.warnings = said.warnings
        return item.object


def hook(client_config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A webhook that is asked about every write of ConfigMaps."""
    return {
        "name": "hook.example.com",
        "clientConfig": client_config,
        "rules": [rule()],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }


def rule(**more: Any) -> dict[str, Any]:
    return {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], **more}


@pytest.fixture
async def guarded(server: ApiServer) -> AsyncIterator[Guarded]:
    client = server.client_for(ADMIN)
    async with Informers(client) as informers:
        server.install(admission=default_plugins(PluginContext(client, informers, Random(1), server=server)))
        await informers.synced()
        await server.registry(SERVICE_ACCOUNTS).create("default", {"metadata": {"name": "default"}}, options())
        yield Guarded(server, informers)
