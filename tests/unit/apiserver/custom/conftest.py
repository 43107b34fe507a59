"""A server with nothing but what custom resources need, and definitions to make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.unit.apiserver.conftest import ADMIN

from proa.aio.clock import SystemClock
from proa.apiserver.compose import ApiServer
from proa.apiserver.custom.serving import CustomResources
from proa.apiserver.identity import LOOPBACK
from proa.client.informer import Informers
from proa.client.protocol import Client

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "size": {"type": "integer", "default": 3, "minimum": 0},
                "replicas": {"type": "integer"},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def version(name: str = "v1", schema: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    said = {"openAPIV3Schema": SCHEMA if schema is None else schema}
    return {"name": name, "served": True, "storage": True, "schema": said, **more}


def definition(plural: str = "things", *versions: dict[str, Any], **more: Any) -> dict[str, Any]:
    kind = plural.capitalize().removesuffix("s")
    names = {"plural": plural, "kind": kind, **more.pop("names", {})}
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": names,
        "versions": list(versions or (version(),)),
        **more,
    }
    return {"metadata": {"name": f"{plural}.example.com"}, "spec": spec}


def thing(name: str = "a", kind: str = "Thing", version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"example.com/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}


def path(name: str = "", version: str = "v1", plural: str = "things", namespace: str = "default") -> str:
    inner = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/example.com/{version}{inner}/{plural}" + (f"/{name}" if name else "")


async def eventually(check: Callable[[], Awaitable[Any]]) -> Any:
    """What `check` returns once it returns something."""
    for _ in range(1000):
        if found := await check():
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    """Of an administrator, at a server that follows definitions."""
    own = server.client_for(LOOPBACK)
    async with Informers(own) as informers:
        custom = CustomResources(server, own, informers, SystemClock())
        await custom.start()
        yield server.client_for(ADMIN)
        await custom.close()


@pytest.fixture
def define(client: Client) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Makes a definition and waits until it is established."""

    async def make(crd: dict[str, Any]) -> dict[str, Any]:
        await client.document("POST", CRDS, crd)
        name = crd["metadata"]["name"]

        async def established() -> dict[str, Any] | None:
            found = await client.document("GET", f"{CRDS}/{name}")
            conditions = {each["type"]: each["status"] for each in found["status"].get("conditions", ())}
            return found if conditions.get("Established") == "True" else None

        found: dict[str, Any] = await eventually(established)
        return found

    return make
