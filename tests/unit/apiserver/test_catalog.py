"""Resources that come and go while the server runs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.apiserver.conftest import ADMIN, options

from proa.apiserver.compose import ApiServer
from proa.apiserver.options import ReadOptions, WatchOptions
from proa.machinery.decode import field_validation
from proa.machinery.default import apply_defaults
from proa.machinery.meta import ObjectMeta
from proa.machinery.resource import STATUS, Resource
from proa.machinery.schema import ANY, STRING, ObjectSchema, Property, schema_of
from proa.machinery.status import StatusError
from proa.machinery.unstructured import Unstructured, encode


class HandMade:
    """The form of things with a `spec.text`."""

    schema = ObjectSchema(
        "Thing",
        {
            "apiVersion": Property("apiVersion", STRING),
            "kind": Property("kind", STRING),
            "metadata": Property("metadata", schema_of(ObjectMeta)),
            "spec": Property("spec", ObjectSchema("", {"text": Property("text", STRING)}), nullable=True),
            "status": Property("status", ANY),
        },
    )

    def shape(self, document: Any, mode: Any, raw: bytes | None = None) -> list[str]:
        return field_validation(document, self.schema, mode, raw)

    def default(self, document: Any) -> None:
        apply_defaults(document, self.schema)

    def typed(self, document: Any) -> Unstructured:
        return Unstructured.of(document)

    def encode(self, typed: Unstructured) -> bytes:
        return encode(typed)

    def validate(self, document: Any, typed: Any, errors: Any, old: Any = None) -> None:
        """Anything goes."""


THINGS: Resource[Any] = Resource(
    group="example.com",
    version="v1",
    plural="things",
    type=Unstructured,
    singular="thing",
    kind_name="Thing",
    list_kind_name="ThingList",
    custom_form=HandMade,
    has_generation=True,
    subresources=(STATUS,),
)


def thing(name: str, text: str = "hello") -> Unstructured:
    return Unstructured.of({"metadata": {"name": name, "namespace": "default"}, "spec": {"text": text}})


@pytest.fixture
def serving(server: ApiServer) -> ApiServer:
    server.serve([THINGS])
    return server


async def test_a_resource_made_at_run_time_is_written_and_read_like_any_other(serving: ApiServer) -> None:
    client = serving.client_for(ADMIN)
    made = await client.create(THINGS, thing("a"))
    assert (made.kind, made.metadata.name, made.metadata.generation) == ("Thing", "a", 1)
    changed = await client.patch(THINGS, "a", "default", {"spec": {"text": "other"}}, type="merge")
    assert (changed.document["spec"], changed.metadata.generation) == ({"text": "other"}, 2)
    listed = await client.list(THINGS, "default")
    assert [each.metadata.name for each in listed.items] == ["a"]
    await client.delete(THINGS, "a", "default")
    with pytest.raises(StatusError, match=r'things\.example\.com "a" not found'):
        await client.get(THINGS, "a", "default")


async def test_unknown_fields_of_a_custom_resource_are_dropped_with_a_warning(serving: ApiServer) -> None:
    said = options()
    document = {"metadata": {"name": "a"}, "spec": {"text": "hello", "more": 1}}
    registry = serving.registry(THINGS)
    await registry.awake()
    item = await registry.create("default", document, said)
    assert said.warnings == ['unknown field "spec.more"']
    assert item.object.document["spec"] == {"text": "hello"}


async def test_a_custom_resource_takes_no_strategic_merge_patch(serving: ApiServer) -> None:
    client = serving.client_for(ADMIN)
    await client.create(THINGS, thing("a"))
    with pytest.raises(StatusError) as refused:
        await client.patch(THINGS, "a", "default", {"spec": {"text": "other"}})
    assert refused.value.code == 415


async def test_its_cache_is_loaded_when_it_is_first_asked_for(serving: ApiServer) -> None:
    registry = serving.registry(THINGS)
    assert not registry.cache.is_loaded
    await serving.client_for(ADMIN).list(THINGS)
    assert registry.cache.is_loaded


async def test_discovery_tells_what_is_served_now(serving: ApiServer) -> None:
    client = serving.client_for(ADMIN)
    found = await client.document("GET", "/apis/example.com/v1")
    assert [each["name"] for each in found["resources"]] == ["things", "things/status"]
    serving.withdraw([THINGS])
    with pytest.raises(StatusError):
        await client.document("GET", "/apis/example.com/v1")
    assert THINGS not in serving.resources()


async def test_what_is_withdrawn_is_not_found_and_its_watches_end(serving: ApiServer) -> None:
    registry = serving.registry(THINGS)
    await registry.awake()
    watch = await registry.watch("", WatchOptions())
    serving.withdraw([THINGS])
    assert [batch async for batch in watch.batches()] == []
    with pytest.raises(StatusError, match="could not find"):
        await serving.client_for(ADMIN).list(THINGS)


async def test_what_is_served_again_still_has_its_objects(serving: ApiServer) -> None:
    client = serving.client_for(ADMIN)
    await client.create(THINGS, thing("a"))
    serving.withdraw([THINGS])
    serving.serve([THINGS])
    registry = serving.registry(THINGS)
    await registry.awake()
    page = await registry.list("", ReadOptions())
    assert [item.object.metadata.name for item in page.items] == ["a"]
