"""What clients are told beside the answer, and watches that end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from tests.unit.apiserver.custom.conftest import CRDS, SCHEMA, definition, eventually, path, thing, version

from proa.apiserver.compose import ApiServer
from proa.apiserver.options import WatchOptions
from proa.client.protocol import Client
from proa.machinery.resource import Resource
from proa.machinery.structural.form import StructuralForm
from proa.machinery.unstructured import Unstructured

Define = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

THINGS: Resource[Any] = Resource(
    group="example.com",
    version="v1",
    plural="things",
    type=Unstructured,
    kind_name="Thing",
    custom_form=lambda: StructuralForm(lambda: None, ("example.com", "v1", "Thing")),
)


async def _warnings(server: ApiServer, method: str, where: str, body: Any = None) -> list[str]:
    headers = {"Authorization": "Bearer admin"}
    url = f"http://127.0.0.1:{server.port}{where}"
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()
        return answer.headers.getall("Warning", [])


async def test_every_answer_of_a_deprecated_version_carries_a_warning(
    listening: ApiServer, client: Client, define: Define
) -> None:
    old = version("v1beta1", deprecated=True, storage=False)
    older = version("v1alpha1", deprecated=True, deprecationWarning="go away", storage=False)
    await define(definition("things", version("v1"), old, older))
    assert await _warnings(listening, "GET", path()) == []
    assert await _warnings(listening, "GET", path(version="v1beta1")) == [
        '299 - "example.com/v1beta1 Thing is deprecated; use example.com/v1 Thing"'
    ]
    assert await _warnings(listening, "GET", path(version="v1alpha1")) == ['299 - "go away"']


async def test_a_format_that_means_nothing_is_told(listening: ApiServer, client: Client) -> None:
    text = {"type": "string", "format": "colour"}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"text": text}}}}
    told = await _warnings(listening, "POST", CRDS, definition("things", version(schema=schema)))
    assert told == ['299 - "unrecognized format \\"colour\\""']


async def test_a_finalizer_without_a_domain_is_told(listening: ApiServer, client: Client, define: Define) -> None:
    await define(definition())
    document = thing()
    document["metadata"]["finalizers"] = ["mine", "example.com/mine"]
    (told,) = await _warnings(listening, "POST", path(), document)
    assert "prefer a domain-qualified finalizer name to avoid accidental conflicts" in told


async def test_what_breaks_a_new_rule_and_has_not_changed_is_told(
    listening: ApiServer, client: Client, define: Define
) -> None:
    def of(*rules: str) -> dict[str, Any]:
        size = {"type": "integer", "x-kubernetes-validations": [{"rule": each} for each in rules]}
        names = {"type": "object", "properties": {"size": size, "other": {"type": "integer"}}}
        return version(schema={"type": "object", "properties": {"spec": names}})

    crd = await define(definition("things", of()))
    held = await client.document("POST", path(), thing(size=7))
    crd["spec"]["versions"] = [of("self < 5")]
    await client.document("PUT", f"{CRDS}/things.example.com", crd)
    held["spec"]["other"] = 1
    told = await eventually(lambda: _warnings(listening, "PUT", f"{path('a')}?dryRun=All", held))
    assert told == ['299 - "spec.size: Invalid value: 7: failed rule: self < 5"']


async def test_watches_end_when_the_definition_changes_and_only_then(
    server: ApiServer, client: Client, define: Define
) -> None:
    crd = await define(definition())
    registry = server.registry(THINGS)
    await registry.awake()
    watch = await registry.watch("", WatchOptions())

    async def seen() -> list[str]:
        return [shown.type async for batch in watch.batches() for shown in batch]

    watching = asyncio.create_task(seen())
    await client.document("POST", path(), thing())
    crd["metadata"]["labels"] = {"a": "b"}
    crd = await client.document("PUT", f"{CRDS}/things.example.com", crd)
    await client.document("POST", path(), thing("b"))
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = {**SCHEMA, "description": "Changed."}
    await client.document("PUT", f"{CRDS}/things.example.com", crd)
    assert await asyncio.wait_for(watching, 5) == ["ADDED", "ADDED"]
