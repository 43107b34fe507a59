"""What is published of custom resources: OpenAPI documents and discovery."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.unit.apiserver.custom.conftest import CRDS, definition, eventually, version

from proa.client.protocol import Client

Define = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A thing.",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["either", "maybe"],
            "properties": {
                "either": {"x-kubernetes-int-or-string": True},
                "maybe": {"type": "string", "nullable": True},
                "size": {"type": "integer", "minimum": 2},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}


async def test_version_3_publishes_what_was_written(client: Client, define: Define) -> None:
    await define(definition("things", version(schema=SCHEMA, subresources={"scale": SCALE})))
    found = await client.document("GET", "/openapi/v3/apis/example.com/v1")
    schemas = found["components"]["schemas"]
    thing = schemas["com.example.v1.Thing"]
    spec = thing["properties"]["spec"]["properties"]
    assert thing["description"] == "A thing."
    assert spec["maybe"] == {"type": "string", "nullable": True}
    assert spec["either"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert thing["x-kubernetes-group-version-kind"] == [{"group": "example.com", "version": "v1", "kind": "Thing"}]
    assert schemas["com.example.v1.ThingList"]["properties"]["items"]["items"] == {
        "$ref": "#/components/schemas/com.example.v1.Thing"
    }
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in schemas
    patch = found["paths"]["/apis/example.com/v1/namespaces/{namespace}/things/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
    assert "/apis/example.com/v1/namespaces/{namespace}/things/{name}/scale" in found["paths"]


async def test_version_2_leaves_out_what_it_cannot_say(client: Client, define: Define) -> None:
    await define(definition("things", version(schema=SCHEMA)))
    found = (await client.document("GET", "/openapi/v2"))["definitions"]["com.example.v1.Thing"]
    spec = found["properties"]["spec"]
    assert spec["required"] == ["either"]
    assert spec["properties"]["maybe"] == {}
    assert spec["properties"]["free"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert spec["properties"]["size"] == {"type": "integer", "minimum": 2}


async def test_a_changed_schema_is_published_at_once_and_the_rest_stays(client: Client, define: Define) -> None:
    crd = await define(definition("things", version(schema=SCHEMA)))
    before = (await client.document("GET", "/openapi/v3"))["paths"]
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "Another thing."
    await client.document("PUT", f"{CRDS}/things.example.com", crd)

    async def published() -> bool:
        found = await client.document("GET", "/openapi/v3/apis/example.com/v1")
        return bool(found["components"]["schemas"]["com.example.v1.Thing"]["description"] == "Another thing.")

    await eventually(published)
    after = (await client.document("GET", "/openapi/v3"))["paths"]
    assert {name for name in after if after[name] != before[name]} == {"apis/example.com/v1"}


async def test_a_version_that_is_served_no_more_is_published_no_more(client: Client, define: Define) -> None:
    crd = await define(definition("things", version("v1"), version("v2", storage=False)))
    assert "apis/example.com/v2" in (await client.document("GET", "/openapi/v3"))["paths"]
    crd["spec"]["versions"][1]["served"] = False
    await client.document("PUT", f"{CRDS}/things.example.com", crd)

    async def gone() -> bool:
        return "apis/example.com/v2" not in (await client.document("GET", "/openapi/v3"))["paths"]

    await eventually(gone)


async def test_an_index_asked_for_while_a_definition_arrives_is_not_kept(client: Client, define: Define) -> None:
    async def asking() -> None:
        while True:
            await client.document("GET", "/openapi/v3")
            await asyncio.sleep(0)

    # The first index takes longest to make, and the definition is established before it is.
    asked = [asyncio.create_task(asking()) for _ in range(2)]
    await asyncio.sleep(0)
    await define(definition("things", version(schema=SCHEMA)))

    async def listed() -> bool:
        return "apis/example.com/v1" in (await client.document("GET", "/openapi/v3"))["paths"]

    await eventually(listed)
    for each in asked:
        each.cancel()


async def test_a_definition_that_is_going_lets_nothing_be_made(client: Client, define: Define) -> None:
    await define(definition())
    held = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "finalizers": ["x.io/y"]}}
    await client.document("POST", "/apis/example.com/v1/namespaces/default/things", held)
    await client.document("DELETE", f"{CRDS}/things.example.com")

    async def verbs() -> Any:
        found = (await client.document("GET", "/apis/example.com/v1"))["resources"][0]["verbs"]
        return found if "create" not in found else None

    assert await eventually(verbs) == ["delete", "deletecollection", "get", "list", "watch"]


SCALE = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
