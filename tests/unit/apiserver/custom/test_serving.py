"""Definitions come, change and go, and with them what is served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from tests.unit.apiserver.custom.conftest import CRDS, definition, eventually, path, thing, version

from proa.apiserver.compose import ApiServer
from proa.client.protocol import Client
from proa.machinery.status import StatusError

Define = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def test_a_defined_resource_is_served_once_its_definition_is_established(client: Client, define: Define) -> None:
    crd = await define(definition())
    assert crd["status"]["acceptedNames"] == {
        "plural": "things",
        "singular": "thing",
        "kind": "Thing",
        "listKind": "ThingList",
    }
    assert crd["status"]["storedVersions"] == ["v1"]
    made = await client.document("POST", path(), thing(text="hello"))
    assert (made["spec"], made["metadata"]["generation"]) == ({"text": "hello", "size": 3}, 1)
    listed = await client.document("GET", path())
    assert (listed["kind"], len(listed["items"])) == ("ThingList", 1)


async def test_what_is_wrong_is_refused_as_invalid(client: Client, define: Define) -> None:
    await define(definition())
    with pytest.raises(StatusError) as refused:
        await client.document("POST", path(), thing(size="three"))
    assert refused.value.code == 422
    assert refused.value.message == (
        'Thing.example.com "a" is invalid: spec.size: Invalid value: "string": '
        'spec.size in body must be of type integer: "string"'
    )


async def test_versions_show_the_same_objects(client: Client, define: Define) -> None:
    await define(definition("things", version("v1beta1", storage=False), version("v1")))
    await client.document("POST", path(version="v1beta1"), thing(version="v1beta1", text="a"))
    found = await client.document("GET", path("a"))
    assert (found["apiVersion"], found["spec"]["text"]) == ("example.com/v1", "a")
    older = await client.document("GET", path("a", version="v1beta1"))
    assert older["apiVersion"] == "example.com/v1beta1"
    group = await client.document("GET", "/apis/example.com")
    assert [each["version"] for each in group["versions"]] == ["v1", "v1beta1"]
    assert group["preferredVersion"]["version"] == "v1"


async def test_a_changed_schema_counts_for_what_is_stored_already(client: Client, define: Define) -> None:
    crd = await define(definition())
    await client.document("POST", path(), thing(text="a"))
    properties = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties["color"] = {"type": "string", "default": "red"}
    del properties["text"]
    await client.document("PUT", f"{CRDS}/things.example.com", crd)

    async def shown() -> Any:
        spec = (await client.document("GET", path("a")))["spec"]
        return spec if "color" in spec else None

    assert await eventually(shown) == {"size": 3, "color": "red"}


async def test_a_deleted_definition_takes_its_objects_along(client: Client, define: Define) -> None:
    await define(definition())
    await client.document("POST", path(), thing())
    await client.document("DELETE", f"{CRDS}/things.example.com")

    async def gone() -> bool:
        try:
            await client.document("GET", f"{CRDS}/things.example.com")
        except StatusError as error:
            return error.code == 404
        return False

    await eventually(gone)
    with pytest.raises(StatusError) as refused:
        await client.document("GET", path())
    assert refused.value.code == 404
    await define(definition())
    assert (await client.document("GET", path()))["items"] == []


async def test_a_definition_that_goes_waits_for_the_finalizers_of_its_objects(client: Client, define: Define) -> None:
    await define(definition())
    held = thing()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.document("POST", path(), held)
    await client.document("DELETE", f"{CRDS}/things.example.com")

    async def going() -> dict[str, Any] | None:
        found = await client.document("GET", path("a"))
        return found if "deletionTimestamp" in found["metadata"] else None

    found = await eventually(going)
    with pytest.raises(StatusError) as refused:
        await client.document("POST", path(), thing("b"))
    assert (refused.value.code, refused.value.message) == (
        403,
        'things.example.com "b" is forbidden: create not allowed while custom resource definition is terminating',
    )
    del found["metadata"]["finalizers"]
    await client.document("PUT", path("a"), found)

    async def gone() -> bool:
        try:
            await client.document("GET", f"{CRDS}/things.example.com")
        except StatusError as error:
            return error.code == 404
        return False

    assert await eventually(gone)


async def test_a_definition_that_serves_no_version_takes_its_objects_along(client: Client, define: Define) -> None:
    crd = await define(definition())
    await client.document("POST", path(), thing())
    crd["spec"]["versions"][0]["served"] = False
    await client.document("PUT", f"{CRDS}/things.example.com", crd)

    async def missing(what: str) -> bool:
        try:
            await client.document("GET", what)
        except StatusError as error:
            return error.code == 404
        return False

    await eventually(lambda: missing(path()))
    await client.document("DELETE", f"{CRDS}/things.example.com")
    await eventually(lambda: missing(f"{CRDS}/things.example.com"))
    await define(definition())
    assert (await client.document("GET", path()))["items"] == []


async def test_a_definition_whose_names_are_taken_waits_until_they_are_free(client: Client, define: Define) -> None:
    await define(definition())
    await client.document("POST", CRDS, definition("others", names={"kind": "Thing", "listKind": "Others"}))

    async def refused() -> Any:
        found = await client.document("GET", f"{CRDS}/others.example.com")
        return found["status"].get("conditions")

    conditions = {each["type"]: each for each in await eventually(refused)}
    assert conditions["NamesAccepted"]["reason"] == "KindConflict"
    assert conditions["NamesAccepted"]["message"] == '"Thing" is already in use'
    assert conditions["Established"]["status"] == "False"
    await client.document("DELETE", f"{CRDS}/things.example.com")

    async def accepted() -> Any:
        found = await client.document("GET", f"{CRDS}/others.example.com")
        return any(each["type"] == "Established" and each["status"] == "True" for each in found["status"]["conditions"])

    await eventually(accepted)


async def test_the_status_has_a_subresource_only_where_it_is_declared(client: Client, define: Define) -> None:
    await define(definition("things", version(subresources={"status": {}})))
    await define(definition("plains"))
    made = await client.document("POST", path(), {**thing(), "status": {"x": 1}})
    assert "status" not in made
    made["status"] = {"x": 2}
    made["spec"]["text"] = "ignored"
    made = await client.document("PUT", path("a") + "/status", made)
    assert (made["status"], made["spec"], made["metadata"]["generation"]) == ({"x": 2}, {"size": 3}, 1)
    plain = await client.document("POST", path(plural="plains"), {**thing(kind="Plain"), "status": {"x": 1}})
    assert plain["status"] == {"x": 1}
    plain["status"] = {"x": 2}
    plain = await client.document("PUT", path("a", plural="plains"), plain)
    assert plain["metadata"]["generation"] == 2


SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


async def test_scale_reads_and_writes_the_declared_paths(client: Client, define: Define) -> None:
    await define(definition("things", version(subresources={"status": {}, "scale": SCALE})))
    await client.document("POST", path(), thing(replicas=2))
    found = await client.document("GET", path("a") + "/scale")
    assert found["spec"] == {"replicas": 2}
    found["spec"]["replicas"] = 5
    await client.document("PUT", path("a") + "/scale", found)
    assert (await client.document("GET", path("a")))["spec"]["replicas"] == 5


async def test_a_scale_has_the_selector_that_the_status_says(client: Client, define: Define) -> None:
    await define(definition("things", version(subresources={"status": {}, "scale": SCALE})))
    made = await client.document("POST", path(), thing(replicas=2))
    made["status"] = {"replicas": 1, "selector": "app=a,tier in (x,y)"}
    await client.document("PUT", path("a") + "/status", made)
    found = await client.document("GET", path("a") + "/scale")
    assert found["status"] == {"replicas": 1, "selector": "app=a,tier in (x,y)"}


async def test_a_scale_of_what_says_no_replicas_is_none_until_some_are_wanted(
    listening: ApiServer, client: Client, define: Define
) -> None:
    await define(definition("things", version(subresources={"scale": SCALE})))
    await client.document("POST", path(), thing())
    merge = {"Content-Type": "application/merge-patch+json", "Authorization": "Bearer admin"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{listening.port}", headers=merge) as http:

        async def scale(wanted: dict[str, Any] | None = None) -> dict[str, Any]:
            method = "GET" if wanted is None else "PATCH"
            async with http.request(method, path("a") + "/scale", json={"spec": wanted}) as answer:
                found: dict[str, Any] = await answer.json()
                return found

        found = await scale()
        assert (found["code"], found["message"]) == (
            500,
            'Internal error occurred: the spec replicas field ".spec.replicas" does not exist',
        )
        found = await scale({})
        assert (found["code"], found["message"]) == (400, 'the spec replicas field ".spec.replicas" cannot be empty')
        found = await scale({"replicas": -1})
        assert (found["code"], found["message"]) == (
            422,
            'Thing.example.com "a" is invalid: .spec.replicas: Invalid value: -1: should be a non-negative integer',
        )
        assert (await scale({"replicas": 3}))["spec"] == {"replicas": 3}
        assert (await scale())["spec"] == {"replicas": 3}


async def test_an_update_must_say_which_version_it_replaces(client: Client, define: Define) -> None:
    await define(definition())
    made = await client.document("POST", path(), thing())
    del made["metadata"]["resourceVersion"]
    with pytest.raises(StatusError, match=r"metadata\.resourceVersion: Invalid value: 0: must be specified"):
        await client.document("PUT", path("a"), made)
    made["metadata"] = {"name": "b"}
    with pytest.raises(StatusError, match=r'things\.example\.com "b" not found'):
        await client.document("PUT", path("b"), made)


async def test_whole_numbers_are_written_as_such(listening: ApiServer, client: Client, define: Define) -> None:
    numbers = {"size": {"type": "integer"}, "share": {"type": "number", "maximum": 10}, "text": {"type": "string"}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": numbers}}}
    await define(definition("things", version(schema=schema)))
    headers = {"Authorization": "Bearer admin", "Content-Type": "application/json"}
    body = b'{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"a"},"spec":%s}'
    async with aiohttp.ClientSession(f"http://127.0.0.1:{listening.port}", headers=headers) as http:
        async with http.post(path(), data=body % b'{"size":2.0,"share":1e1,"text":"1.0"}') as answer:
            assert b'"spec":{"size":2,"share":10,"text":"1.0"}' in await answer.read()
        async with http.get(f"{CRDS}/things.example.com") as answer:
            assert b'"maximum":10}' in (await answer.read()).replace(b" ", b"").replace(b"\n", b"")


async def test_selectable_fields_select(client: Client, define: Define) -> None:
    await define(definition("things", version(selectableFields=[{"jsonPath": ".spec.text"}])))
    for name in ("a", "b"):
        await client.document("POST", path(), thing(name, text=name))
    found = await client.document("GET", path(), query={"fieldSelector": "spec.text=b"})
    assert [each["metadata"]["name"] for each in found["items"]] == ["b"]


async def test_migrated_objects_are_stored_in_the_new_version(client: Client, define: Define) -> None:
    crd = await define(definition("things", version("v1"), version("v2", storage=False)))
    await client.document("POST", path(), thing(text="a"))
    crd["spec"]["versions"][0]["storage"], crd["spec"]["versions"][1]["storage"] = False, True
    changed = await client.document("PUT", f"{CRDS}/things.example.com", crd)
    assert changed["status"]["storedVersions"] == ["v1", "v2"]
    before = (await client.document("GET", path("a", version="v2")))["metadata"]["resourceVersion"]

    async def rewritten() -> Any:
        """Once the changed definition is served, an update that changes nothing writes the new version."""
        found = await client.document("GET", path("a", version="v2"))
        written = await client.document("PUT", path("a", version="v2"), found)
        return written if written["metadata"]["resourceVersion"] != before else None

    written = await eventually(rewritten)
    again = await client.document("PUT", path("a", version="v2"), written)
    assert again["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]


async def test_an_object_of_another_kind_is_invalid(client: Client, define: Define) -> None:
    await define(definition())
    with pytest.raises(StatusError) as refused:
        await client.document("POST", path(), thing(kind="Other"))
    assert (refused.value.code, refused.value.message) == (
        422,
        'Other.example.com "a" is invalid: kind: Invalid value: "Other": must be Thing',
    )
    with pytest.raises(StatusError) as refused:
        await client.document("POST", path(), thing(version="v2"))
    assert (refused.value.code, refused.value.message) == (
        400,
        "the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)",
    )


async def test_a_patch_that_makes_another_kind_is_invalid(listening: ApiServer, client: Client, define: Define) -> None:
    await define(definition())
    await client.document("POST", path(), thing())
    headers = {"Content-Type": "application/merge-patch+json", "Authorization": "Bearer admin"}
    said = {"apiVersion": "example.com/v2", "kind": "Other"}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{listening.port}", headers=headers) as http,
        http.patch(path("a"), json=said) as answer,
    ):
        body = await answer.json()
    assert (answer.status, body["message"]) == (
        422,
        'Other.example.com "a" is invalid: [kind: Invalid value: "Other": must be Thing, '
        'apiVersion: Invalid value: "example.com/v2": must be example.com/v1]',
    )


async def test_what_is_not_defined_is_told_in_text_and_what_an_object_has_not_by_a_status(
    listening: ApiServer, client: Client, define: Define
) -> None:
    await define(definition())
    headers = {"Authorization": "Bearer admin"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{listening.port}", headers=headers) as http:
        for unknown in (
            "/apis/example.com/v9",
            "/apis/example.com/v9/things",
            "/apis/example.com/v1/others",
            "/apis/example.com/v1/things/a",
        ):
            async with http.get(unknown) as answer:
                assert (answer.status, await answer.text()) == (404, "404 page not found\n"), unknown
        async with http.get(path("a") + "/nothing") as answer:
            assert (answer.status, (await answer.json())["message"]) == (404, 'things.example.com "a" not found')
