"""Patches and applied configurations of custom resources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.unit.apiserver.custom.conftest import definition, thing, version

from proa.client.protocol import Client
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError
from proa.machinery.structural.form import StructuralForm
from proa.machinery.unstructured import Unstructured

Define = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

LIST = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
              "required": ["name"]},
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"text": {"type": "string"}, "ports": LIST}}},
}


def resource(of: str = "v1") -> Resource[Any]:
    return Resource(
        group="example.com",
        version=of,
        plural="things",
        type=Unstructured,
        kind_name="Thing",
        custom_form=lambda: StructuralForm(lambda: None, ("example.com", of, "Thing")),
    )


async def apply(client: Client, document: dict[str, Any], manager: str, of: str = "v1", **more: Any) -> dict[str, Any]:
    applied = await client.patch(resource(of), "a", "default", document, type="apply", field_manager=manager, **more)
    return dict(applied.document)


async def test_elements_of_a_map_list_have_owners_of_their_own(client: Client, define: Define) -> None:
    await define(definition("things", version(schema=SCHEMA)))
    await apply(client, thing(ports=[{"name": "one", "port": 1}]), "first")
    await apply(client, thing(ports=[{"name": "two", "port": 2}]), "second")
    left = await apply(client, thing(text="x"), "first")
    assert left["spec"] == {"text": "x", "ports": [{"name": "two", "port": 2}]}


async def test_a_field_of_another_manager_is_a_conflict(client: Client, define: Define) -> None:
    await define(definition("things", version(schema=SCHEMA)))
    await apply(client, thing(text="x"), "first")
    with pytest.raises(StatusError, match=r'conflict with "first": \.spec\.text'):
        await apply(client, thing(text="y"), "second")
    assert (await apply(client, thing(text="y"), "second", force=True))["spec"] == {"text": "y"}


async def test_what_the_schema_does_not_know_cannot_be_applied(client: Client, define: Define) -> None:
    await define(definition("things", version(schema=SCHEMA)))
    with pytest.raises(StatusError) as refused:
        await apply(client, thing(more=1), "first")
    assert refused.value.code == 500
    assert refused.value.message == (
        "failed to create typed patch object (/a; example.com/v1, Kind=Thing): .spec.more: field not declared in schema"
    )


async def test_a_manager_may_go_on_in_another_version(client: Client, define: Define) -> None:
    await define(definition("things", version(schema=SCHEMA), version("v2", schema=SCHEMA, storage=False)))
    await apply(client, thing(text="x"), "first")
    changed = await apply(client, thing(version="v2", ports=[{"name": "one"}]), "first", "v2")
    assert changed["spec"] == {"ports": [{"name": "one"}]}
    managed = changed["metadata"]["managedFields"]
    assert [(each["manager"], each["apiVersion"]) for each in managed] == [("first", "example.com/v2")]


async def test_a_merge_patch_that_leaves_something_wrong_is_refused(client: Client, define: Define) -> None:
    await define(definition("things", version(schema=SCHEMA)))
    await client.document("POST", "/apis/example.com/v1/namespaces/default/things", thing(text="x"))
    with pytest.raises(StatusError, match="must be of type string"):
        await client.patch(resource(), "a", "default", {"spec": {"text": 1}}, type="merge")
    patched = await client.patch(resource(), "a", "default", {"spec": {"text": None, "more": 1}}, type="merge")
    assert patched.document["spec"] == {}


async def test_a_dry_run_stores_nothing(client: Client, define: Define) -> None:
    await define(definition("things", version(schema=SCHEMA)))
    path = "/apis/example.com/v1/namespaces/default/things"
    made = await client.document("POST", path, thing(text="x"), query={"dryRun": "All"})
    assert made["spec"] == {"text": "x"}
    assert (await client.document("GET", path))["items"] == []
