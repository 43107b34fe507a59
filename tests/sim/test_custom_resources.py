"""Custom resources in a whole cluster: owners and owned, namespaces, definitions that come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.sim.conftest import ControlPlane

from proa.api.core_v1 import ConfigMap, Namespace
from proa.api.core_v1.resources import CONFIG_MAPS, EVENTS, NAMESPACES
from proa.apiserver.custom.serving import CustomResources
from proa.machinery.meta import ObjectMeta, OwnerReference
from proa.machinery.status import StatusError, is_not_found

Simulate = Callable[..., float]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/example.com/v1/namespaces/default/things"


def definition() -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [version],
    }
    return {"metadata": {"name": "things.example.com"}, "spec": spec}


def thing(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name, **metadata}}


def owned_by(owner: dict[str, Any], *, block: bool = True) -> OwnerReference:
    return OwnerReference(
        apiVersion=owner["apiVersion"],
        kind=owner["kind"],
        name=owner["metadata"]["name"],
        uid=owner["metadata"]["uid"],
        blockOwnerDeletion=block,
    )


def config_map(name: str, *owners: OwnerReference, namespace: str = "default") -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace, ownerReferences=owners))


@asynccontextmanager
async def custom_resources(plane: ControlPlane) -> AsyncIterator[None]:
    """The plane with a definition that is established."""
    custom = CustomResources(plane.server, plane.client, plane.informers, plane.clock)
    await custom.start()
    await plane.client.document("POST", CRDS, definition())
    await plane.until(lambda: custom.resources_of("things.example.com"))
    yield
    await custom.close()


async def found(plane: ControlPlane, path: str) -> dict[str, Any] | None:
    try:
        return await plane.client.document("GET", path)
    except StatusError as error:
        if not is_not_found(error):
            raise
        return None


def test_what_a_custom_object_owns_goes_with_it(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with custom_resources(plane):
            owner = await plane.client.document("POST", THINGS, thing("owner"))
            await plane.client.create(CONFIG_MAPS, config_map("owned", owned_by(owner)))
            await plane.client.document("POST", THINGS, thing("below", ownerReferences=[{
                "apiVersion": "example.com/v1", "kind": "Thing", "name": "owner", "uid": owner["metadata"]["uid"],
            }]))  # fmt: skip
            await plane.client.document("DELETE", f"{THINGS}/owner")

            async def gone() -> bool:
                below = await found(plane, f"{THINGS}/below")
                return below is None and await plane.get(CONFIG_MAPS, "owned") is None

            await plane.until(gone, 5)

    simulate(body)


def test_a_custom_object_goes_with_its_built_in_owner(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with custom_resources(plane):
            owner = await plane.client.create(CONFIG_MAPS, config_map("owner"))
            reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
            await plane.client.document("POST", THINGS, thing("owned", ownerReferences=[reference]))
            await plane.client.delete(CONFIG_MAPS, "owner", "default")

            async def gone() -> bool:
                return await found(plane, f"{THINGS}/owned") is None

            await plane.until(gone, 5)

    simulate(body)


def test_a_foreground_deletion_waits_for_what_blocks_it(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with custom_resources(plane):
            owner = await plane.client.document("POST", THINGS, thing("owner"))
            held = config_map("owned", owned_by(owner))
            metadata = ObjectMeta(
                name="owned", namespace="default", ownerReferences=held.metadata.ownerReferences, finalizers=("x.io/y",)
            )
            await plane.client.create(CONFIG_MAPS, ConfigMap(metadata=metadata))
            await plane.client.document("DELETE", f"{THINGS}/owner", {"propagationPolicy": "Foreground"})
            await plane.clock.advance(5)
            assert await found(plane, f"{THINGS}/owner") is not None
            await plane.client.patch(CONFIG_MAPS, "owned", "default", {"metadata": {"finalizers": None}}, type="merge")

            async def gone() -> bool:
                return await found(plane, f"{THINGS}/owner") is None

            await plane.until(gone, 5)

    simulate(body)


def test_a_custom_object_goes_and_tells_when_its_owner_is_in_another_namespace(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with custom_resources(plane):
            await plane.client.create(NAMESPACES, Namespace(metadata=ObjectMeta(name="other")))
            owner = await plane.client.document("POST", THINGS.replace("default", "other"), thing("owner"))
            await plane.clock.advance(1)
            reference = {name: owner[name] for name in ("apiVersion", "kind")}
            reference |= {name: owner["metadata"][name] for name in ("name", "uid")}
            await plane.client.document("POST", THINGS, thing("child", ownerReferences=[reference]))
            await plane.clock.advance(5)
            assert (await plane.client.document("GET", THINGS))["items"] == []
            [event] = [each for each in await plane.all(EVENTS) if each.involvedObject.kind == "Thing"]
            about = event.involvedObject
            assert (about.apiVersion, about.name, event.reason) == (
                "example.com/v1",
                "child",
                "OwnerRefInvalidNamespace",
            )
            assert event.message == (
                f"ownerRef [example.com/v1/Thing, namespace: default, name: owner, uid: {reference['uid']}] does not "
                'exist in namespace "default"'
            )

    simulate(body)


def test_what_objects_of_a_deleted_definition_owned_goes_too(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with custom_resources(plane):
            owner = await plane.client.document("POST", THINGS, thing("owner"))
            await plane.client.create(CONFIG_MAPS, config_map("owned", owned_by(owner)))
            await plane.clock.advance(1)
            await plane.client.document("DELETE", f"{CRDS}/things.example.com")

            async def gone() -> bool:
                definition_gone = await found(plane, f"{CRDS}/things.example.com") is None
                return definition_gone and await plane.get(CONFIG_MAPS, "owned") is None

            await plane.until(gone, 10)

    simulate(body)


def test_what_is_owned_stays_when_the_version_of_its_owner_changes(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with custom_resources(plane):
            owner = await plane.client.document("POST", THINGS, thing("owner"))
            await plane.client.create(CONFIG_MAPS, config_map("owned", owned_by(owner)))
            await plane.clock.advance(1)
            crd = await plane.client.document("GET", f"{CRDS}/things.example.com")
            (old,) = crd["spec"]["versions"]
            crd["spec"]["versions"] = [{**old, "storage": False, "served": False}, {**old, "name": "v2"}]
            await plane.client.document("PUT", f"{CRDS}/things.example.com", crd)
            await plane.clock.advance(60)
            assert await found(plane, f"{THINGS.replace('v1', 'v2')}/owner") is not None
            assert await plane.get(CONFIG_MAPS, "owned") is not None
            await plane.client.document("DELETE", f"{THINGS.replace('v1', 'v2')}/owner")

            async def gone() -> bool:
                return await plane.get(CONFIG_MAPS, "owned") is None

            await plane.until(gone, 5)

    simulate(body)


def test_a_namespace_takes_its_custom_objects_along_and_says_what_it_waits_for(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with custom_resources(plane):
            await plane.client.create(NAMESPACES, Namespace(metadata=ObjectMeta(name="team")))
            things = THINGS.replace("default", "team")
            await plane.client.document("POST", things, thing("free"))
            await plane.client.document("POST", things, thing("held", finalizers=["x.io/y"]))
            await plane.client.delete(NAMESPACES, "team")
            await plane.clock.advance(2)
            going = await plane.get(NAMESPACES, "team", "")
            said = {each.type: each for each in going.status.conditions}
            assert said["NamespaceContentRemaining"].message == (
                "Some resources are remaining: things.example.com has 1 resource instances"
            )
            assert said["NamespaceFinalizersRemaining"].message == (
                "Some content in the namespace has finalizers remaining: x.io/y in 1 resource instances"
            )
            path = f"{things}/held"
            await plane.client.document("PUT", path, {
                **(held := await plane.client.document("GET", path)),
                "metadata": {**held["metadata"], "finalizers": []},
            })  # fmt: skip

            async def gone() -> bool:
                return await plane.get(NAMESPACES, "team", "") is None

            await plane.until(gone, 20)

    simulate(body)
