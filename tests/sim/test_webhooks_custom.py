"""Admission and conversion webhooks about custom resources."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

import pytest
from tests.sim.conftest import ControlPlane
from tests.sim.test_webhooks import Document, Scene, Simulate, forbidden_data, hook, judging, stage
from tests.webhook_server import Answer

from proa.apiserver.custom.conversion import converter_of
from proa.apiserver.custom.serving import CustomResources

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ANY_FIELD = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@asynccontextmanager
async def defining(plane: ControlPlane, answers: Mapping[str, Answer]) -> AsyncIterator[Scene]:
    """A scene in which custom resources are served."""
    scene = Scene(plane, answers)
    converter = partial(converter_of, scene.webhooks, Random(1))
    custom = CustomResources(plane.server, plane.client, plane.informers, plane.clock, converter_of=converter)
    await custom.start()
    try:
        yield scene
    finally:
        await custom.close()


def version(name: str, *, storage: bool = False, schema: Document = ANY_FIELD, **more: Any) -> Document:
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}, **more}


async def define(scene: Scene, *versions: Document, conversion: Document | None = None) -> None:
    """widgets.example.com."""
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    spec: Document = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": list(versions)}
    if conversion is not None:
        spec["conversion"] = conversion
    await scene.do("POST", DEFINITIONS, {"metadata": {"name": "widgets.example.com"}, "spec": spec})


def path(version: str, name: str = "") -> str:
    return f"/apis/example.com/{version}/namespaces/default/widgets" + (f"/{name}" if name else "")


def widget(name: str, version: str = "v1", **more: Any) -> Document:
    return {"apiVersion": f"example.com/{version}", "kind": "Widget", "metadata": {"name": name}, **more}


def about_widgets(at: str, *operations: str, **more: Any) -> Document:
    """A webhook that names the version v1 of widgets only."""
    made = hook(at, "widgets", group="example.com", operations=operations or ("*",), **more)
    made["rules"][0]["apiVersions"] = ["v1"]
    return made


def test_custom_objects_can_be_denied_to_come_change_and_go(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with defining(plane, {"/judge": judging(forbidden_data)}) as scene:
            await define(scene, version("v1", storage=True))
            await scene.configure("validating", about_widgets("/judge"))
            error = await scene.refused("POST", path("v1"), widget("a", data={"bad": "yes"}))
            assert "the data is forbidden" in error.message
            made = await scene.do("POST", path("v1"), widget("a", data={"good": "yes"}))
            await scene.refused("PUT", path("v1", "a"), {**made, "data": {"bad": "yes"}})
            await scene.do("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hooks")
            await scene.do("PUT", path("v1", "a"), {**made, "data": {"bad": "yes"}})
            await scene.configure("validating", about_widgets("/judge", "DELETE"))
            error = await scene.refused("DELETE", path("v1", "a"))
            assert "the data is forbidden" in error.message

    simulate(body)


def test_custom_objects_are_mutated_in_stages(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with defining(plane, {"/one": stage(1), "/two": stage(2)}) as scene:
            await define(scene, version("v1", storage=True))
            await scene.configure("mutating", about_widgets("/one"), about_widgets("/two"))
            made = await scene.do("POST", path("v1"), widget("a", data={"start": "yes"}))
            assert made["data"] == {"start": "yes", "stage-1": "yes", "stage-2": "yes"}

    simulate(body)


def test_what_the_schema_does_not_know_is_pruned_from_a_mutation(simulate: Simulate) -> None:
    text = {"type": "string"}
    data = {"type": "object", "properties": {"start": text, "stage-1": text, "late": {**text, "default": "x"}}}
    schema = {"type": "object", "properties": {"data": data}}

    async def body(plane: ControlPlane) -> None:
        async with defining(plane, {"/one": stage(1), "/two": stage(2)}) as scene:
            await define(scene, version("v1", storage=True, schema=schema))
            await scene.configure("mutating", about_widgets("/one"), about_widgets("/two"))
            made = await scene.do("POST", path("v1"), widget("a", data={"start": "yes"}))
            assert made["data"] == {"start": "yes", "stage-1": "yes", "late": "x"}

    simulate(body)


def test_objects_are_mutated_whichever_version_is_stored_or_written(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with defining(plane, {"/one": stage(1)}) as scene:
            await define(scene, version("v1", storage=True), version("v2"))
            await scene.configure("mutating", about_widgets("/one", "CREATE", "UPDATE"))
            await scene.do("POST", path("v1"), widget("a"))
            definition = await scene.do("GET", f"{DEFINITIONS}/widgets.example.com")
            definition["spec"]["versions"] = [version("v1"), version("v2", storage=True)]
            await scene.do("PUT", f"{DEFINITIONS}/widgets.example.com", definition)
            found = await scene.do("GET", path("v1", "a"))
            changed = await scene.do("PUT", path("v1", "a"), {**found, "data": {"start": "yes"}})
            assert changed["data"] == {"start": "yes", "stage-1": "yes"}
            other = await scene.do("POST", path("v2"), widget("b", "v2", data={"start": "yes"}))
            assert (other["apiVersion"], other["data"]) == ("example.com/v2", {"start": "yes", "stage-1": "yes"})
            last = scene.webhooks.asked[-1]
            assert (last["resource"]["version"], last["requestResource"]["version"]) == ("v1", "v2")
            assert last["object"]["apiVersion"] == "example.com/v1"

    simulate(body)


def converting(review: Document) -> Document:
    """v1 says `hostPort: a:1` where v2 says `host: a, port: 1`."""
    request = review["request"]
    made = []
    for each in request["objects"]:
        new = {**each, "apiVersion": request["desiredAPIVersion"]}
        if request["desiredAPIVersion"] == "example.com/v2":
            new["host"], _, new["port"] = new.pop("hostPort").partition(":")
        else:
            new["hostPort"] = f"{new.pop('host')}:{new.pop('port')}"
        made.append(new)
    response = {"uid": request["uid"], "convertedObjects": made, "result": {"status": "Success"}}
    return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}


CONVERSION = {
    "strategy": "Webhook",
    "webhook": {"clientConfig": {"url": "https://hooks.example.com/convert"}, "conversionReviewVersions": ["v1"]},
}


@pytest.fixture
def converted(simulate: Simulate) -> Callable[..., None]:
    """Run a body with widgets in two versions that a webhook converts."""

    def run(body: Callable[[Scene], Any]) -> None:
        async def inside(plane: ControlPlane) -> None:
            async with defining(plane, {"/convert": converting}) as scene:
                await define(scene, version("v1", storage=True), version("v2"), conversion=CONVERSION)
                await body(scene)

        simulate(inside)

    return run


def test_an_object_written_in_one_version_is_read_in_another(converted: Callable[..., None]) -> None:
    async def body(scene: Scene) -> None:
        await scene.do("POST", path("v1"), widget("a", hostPort="a:1"))
        assert not scene.webhooks.asked
        found = await scene.do("GET", path("v2", "a"))
        assert (found["host"], found["port"], found["metadata"]["generation"]) == ("a", "1", 1)
        found["port"] = "2"
        changed = await scene.do("PUT", path("v2", "a"), found)
        assert (changed["apiVersion"], changed["port"]) == ("example.com/v2", "2")
        assert (await scene.do("GET", path("v1", "a")))["hostPort"] == "a:2"

    converted(body)


def test_a_list_of_objects_stored_in_both_versions_is_of_one(converted: Callable[..., None]) -> None:
    async def body(scene: Scene) -> None:
        await scene.do("POST", path("v1"), widget("a", hostPort="a:1"))
        definition = await scene.do("GET", f"{DEFINITIONS}/widgets.example.com")
        definition["spec"]["versions"] = [version("v1"), version("v2", storage=True)]
        await scene.do("PUT", f"{DEFINITIONS}/widgets.example.com", definition)
        await scene.do("POST", path("v1"), widget("b", hostPort="b:1"))
        await scene.do("POST", path("v2"), widget("c", "v2", host="c", port="1"))
        scene.webhooks.asked.clear()
        first = await scene.do("GET", path("v1"))
        assert [(each["apiVersion"], each["hostPort"]) for each in first["items"]] == [
            ("example.com/v1", "a:1"),
            ("example.com/v1", "b:1"),
            ("example.com/v1", "c:1"),
        ]
        assert len(scene.webhooks.asked) == 1
        second = await scene.do("GET", path("v2"))
        assert [each["host"] for each in second["items"]] == ["a", "b", "c"]

    converted(body)


def test_a_converter_that_fails_fails_the_request(converted: Callable[..., None]) -> None:
    async def body(scene: Scene) -> None:
        await scene.do("POST", path("v1"), widget("a", hostPort="a:1"))
        scene.webhooks.answers = {"/convert": lambda _: {"kind": "Nonsense"}}
        error = await scene.refused("GET", path("v2", "a"))
        assert error.code == 500
        assert error.message.startswith("conversion webhook for example.com/v1, Kind=Widget failed: expected")

    converted(body)


def test_a_webhook_that_knows_one_version_sees_others_converted(converted: Callable[..., None]) -> None:
    def host_of(obj: Document) -> str:
        return "not that host" if obj["hostPort"].startswith("bad") else ""

    async def body(scene: Scene) -> None:
        scene.webhooks.answers = {"/convert": converting, "/judge": judging(host_of)}
        await scene.configure("validating", about_widgets("/judge"))
        error = await scene.refused("POST", path("v2"), widget("a", "v2", host="bad", port="1"))
        assert "not that host" in error.message
        await scene.do("POST", path("v2"), widget("a", "v2", host="good", port="1"))

    converted(body)
