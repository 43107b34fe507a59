"""Admission plugins that look at objects, in a whole control plane."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import PersistentVolumeClaim, Pod
from proa.api.core_v1.resources import PERSISTENT_VOLUME_CLAIMS, PODS
from proa.api.networking_v1 import Ingress, IngressClass
from proa.api.networking_v1.resources import INGRESS_CLASSES, INGRESSES
from proa.api.node_v1 import RuntimeClass
from proa.api.node_v1.resources import RUNTIME_CLASSES
from proa.api.scheduling_v1 import PriorityClass
from proa.api.scheduling_v1.resources import PRIORITY_CLASSES
from proa.api.storage_v1 import StorageClass
from proa.api.storage_v1.resources import STORAGE_CLASSES
from proa.machinery.status import StatusError


def pod(name: str = "p", **spec: Any) -> Pod:
    document = {"metadata": {"name": name, "namespace": "default"}}
    return msgspec.convert({**document, "spec": {"containers": [{"name": "c", "image": "x"}], **spec}}, Pod)


def named(type: Any, name: str, **more: Any) -> Any:
    meta = {"name": name, **more.pop("metadata", {})}
    return msgspec.convert({"metadata": meta, **more}, type)


def claim(name: str, storage: str = "1Gi", **spec: Any) -> PersistentVolumeClaim:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}, **spec}
    return named(PersistentVolumeClaim, name, metadata={"namespace": "default"}, spec=spec)


def default(kind: str) -> dict[str, Any]:
    return {"annotations": {f"{kind}.kubernetes.io/is-default-class": "true"}}


def test_a_pod_has_the_priority_of_its_class_of_the_default_class_or_none(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        client = plane.client
        made = await client.create(PODS, pod("plain"))
        assert (made.spec.priority, made.spec.preemptionPolicy) == (0, "PreemptLowerPriority")
        made = await client.create(PODS, pod("system", priorityClassName="system-node-critical"))
        assert made.spec.priority == 2_000_001_000
        await client.create(PRIORITY_CLASSES, named(PriorityClass, "mild", value=7, preemptionPolicy="Never"))
        made = await client.create(PODS, pod("mild", priorityClassName="mild"))
        assert (made.spec.priority, made.spec.preemptionPolicy) == (7, "Never")
        await client.create(PRIORITY_CLASSES, named(PriorityClass, "usual", value=3, globalDefault=True))
        await plane.clock.settle()
        made = await client.create(PODS, pod("usual"))
        assert (made.spec.priorityClassName, made.spec.priority) == ("usual", 3)
        with pytest.raises(StatusError, match="PriorityClass usual is already marked as default"):
            await client.create(PRIORITY_CLASSES, named(PriorityClass, "other", value=4, globalDefault=True))
        with pytest.raises(StatusError, match='pods "x" is forbidden: no PriorityClass with name mine was found'):
            await client.create(PODS, pod("x", priorityClassName="mine"))
        with pytest.raises(StatusError, match=r"the integer value of priority \(8\) must not be provided in pod spec"):
            await client.create(PODS, pod("y", priorityClassName="mild", priority=8))

    simulate(body)


def test_a_runtime_class_adds_its_overhead_and_goes_where_it_is_offered(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        scheduling = {
            "nodeSelector": {"kind": "vm"},
            "tolerations": [{"key": "vm", "operator": "Exists", "effect": "NoSchedule"}],
        }
        heavy = named(
            RuntimeClass, "heavy", handler="vm", overhead={"podFixed": {"cpu": "100m"}}, scheduling=scheduling
        )
        await plane.client.create(RUNTIME_CLASSES, heavy)
        made = await plane.client.create(PODS, pod("a", runtimeClassName="heavy", nodeSelector={"disk": "ssd"}))
        assert made.spec.overhead == {"cpu": "100m"}
        assert made.spec.nodeSelector == {"disk": "ssd", "kind": "vm"}
        assert "vm" in [each.key for each in made.spec.tolerations]
        for spec, why in (
            ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
            ({"overhead": {"cpu": "1"}}, "Pod Overhead set without corresponding RuntimeClass defined Overhead"),
            ({"runtimeClassName": "heavy", "overhead": {"cpu": "1"}}, "Pod's Overhead doesn't match RuntimeClass's"),
            ({"runtimeClassName": "heavy", "nodeSelector": {"kind": "x"}}, "conflict: runtimeClass.scheduling"),
        ):
            with pytest.raises(StatusError, match=why):
                await plane.client.create(PODS, pod("b", **spec))

    simulate(body)


def test_a_claim_gets_the_default_storage_class_and_grows_only_where_that_is_allowed(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        client = plane.client
        without = await client.create(PERSISTENT_VOLUME_CLAIMS, claim("without"))
        assert without.spec.storageClassName is None
        await client.create(
            STORAGE_CLASSES,
            named(
                StorageClass, "usual", provisioner="x/y", metadata=default("storageclass"), allowVolumeExpansion=True
            ),
        )
        await plane.clock.settle()
        made = await client.create(PERSISTENT_VOLUME_CLAIMS, claim("with"))
        assert made.spec.storageClassName == "usual"
        none = await client.create(PERSISTENT_VOLUME_CLAIMS, claim("none", storageClassName=""))
        assert none.spec.storageClassName == ""
        grow = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        with pytest.raises(StatusError, match=r"spec is immutable after creation except resources\.requests"):
            await client.patch(PERSISTENT_VOLUME_CLAIMS, "with", "default", grow, type="merge")
        bound = {"status": {"phase": "Bound"}}
        for name in ("with", "none"):
            await client.patch(PERSISTENT_VOLUME_CLAIMS, name, "default", bound, type="merge", subresource="status")
        await client.patch(PERSISTENT_VOLUME_CLAIMS, "with", "default", grow, type="merge")
        with pytest.raises(StatusError, match="the storageclass that provisions the pvc must support resize"):
            await client.patch(PERSISTENT_VOLUME_CLAIMS, "none", "default", grow, type="merge")

    simulate(body)


def test_a_claim_stays_while_a_pod_uses_it(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        client = plane.client
        made = await client.create(PERSISTENT_VOLUME_CLAIMS, claim("data"))
        assert "kubernetes.io/pvc-protection" in made.metadata.finalizers
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
        await client.create(PODS, pod("user", volumes=volumes))
        await plane.until(lambda: plane.clock.monotonic() > 5)
        await client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "default")
        await plane.until(lambda: plane.clock.monotonic() > 10)
        kept = await plane.get(PERSISTENT_VOLUME_CLAIMS, "data")
        assert kept.metadata.deletionTimestamp
        await client.delete(PODS, "user", "default", grace_period_seconds=0)

        async def gone() -> bool:
            return await plane.get(PERSISTENT_VOLUME_CLAIMS, "data") is None

        await plane.until(gone)

    simulate(body)


def test_an_ingress_gets_the_default_class(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        usual = named(IngressClass, "usual", metadata=default("ingressclass"), spec={"controller": "x/y"})
        await plane.client.create(INGRESS_CLASSES, usual)
        await plane.clock.settle()
        backend = {"service": {"name": "s", "port": {"number": 80}}}
        ingress = named(Ingress, "i", metadata={"namespace": "default"}, spec={"defaultBackend": backend})
        assert (await plane.client.create(INGRESSES, ingress)).spec.ingressClassName == "usual"

    simulate(body)


def test_a_bound_pod_knows_zone_and_region_of_its_node(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(PODS, pod("a"))

        async def zone() -> str | None:
            found = await plane.get(PODS, "a")
            return found.metadata.labels.get("topology.kubernetes.io/zone")

        assert str(await plane.until(zone)).startswith("zone-")

    simulate(body)
