"""Keeps claims while pods use them, volumes while claims do, and volume attribute classes while either does.

A finalizer keeps each (admission sets it); it goes when the object is being deleted and nobody uses it any more. Before
that the API itself is asked: the copy may not know the newest user yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from proa.api.core_v1.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from proa.api.storage_v1 import VolumeAttributesClass
from proa.api.storage_v1.resources import VOLUME_ATTRIBUTES_CLASSES
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_not_found
from proa.rules.owners import is_controlled_by
from proa.rules.volumes import PROTECTION, attributes_classes, claims_of

CLAIM_INDEX = "claim"
CLASS_INDEX = "volumeAttributesClass"


class Protection(Controller):
    """The base: `resource` is protected; a subclass says by whom an object is used."""

    resource: Resource[Any]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._objects = context.informer(self.resource)
        self._finalizer = PROTECTION[self.resource.qualified]

    async def reconcile(self, key: str) -> Outcome:
        obj = self._objects.get(key)
        if obj is None:
            return DONE
        finalizers = obj.metadata.finalizers
        if obj.metadata.deletionTimestamp is None:
            if self._finalizer in finalizers:
                return DONE
            await self._write(obj, (*finalizers, self._finalizer))
            return Outcome(note="protected")
        if self._finalizer not in finalizers:
            return DONE
        if await self.is_used(obj):
            return Outcome(note="kept: it is in use")
        await self._write(obj, tuple(each for each in finalizers if each != self._finalizer))
        return Outcome(note="let go: nobody uses it")

    async def is_used(self, obj: Any) -> bool:
        raise NotImplementedError

    async def _write(self, obj: Any, finalizers: tuple[str, ...]) -> None:
        metadata = msgspec.structs.replace(obj.metadata, finalizers=finalizers)
        try:
            await self.client.update(self.resource, msgspec.structs.replace(obj, metadata=metadata))
        except StatusError as error:
            if not is_not_found(error):
                raise


class ClaimProtection(Protection):
    name = "persistentvolumeclaim-protection"
    resource = PERSISTENT_VOLUME_CLAIMS

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pods = context.informer(PODS)
        self._pods.add_index(CLAIM_INDEX, _claim_keys)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(self.resource), Maps(PODS, self._pod_changed))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterable[str]:
        """A pod that is gone, or has ended, may have been the last user."""
        if old is not None and old.spec.volumes and (new is None or new.status.phase in ("Succeeded", "Failed")):
            yield from _claim_keys(old)

    async def is_used(self, obj: PersistentVolumeClaim) -> bool:
        meta = obj.metadata
        if any(_uses(pod, obj) for pod in self._pods.by_index(CLAIM_INDEX, f"{meta.namespace}/{meta.name}")):
            return True
        return any(_uses(pod, obj) for pod in (await self.client.list(PODS, meta.namespace)).items)


class VolumeProtection(Protection):
    name = "persistentvolume-protection"
    resource = PERSISTENT_VOLUMES

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(self.resource),)

    async def is_used(self, obj: PersistentVolume) -> bool:
        return obj.status.phase == "Bound"


class AttributesClassProtection(Protection):
    name = "volumeattributesclass-protection"
    resource = VOLUME_ATTRIBUTES_CLASSES

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
        self._claims.add_index(CLASS_INDEX, attributes_classes)
        self._volumes = context.informer(PERSISTENT_VOLUMES)
        self._volumes.add_index(CLASS_INDEX, _volume_classes)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (
            For(self.resource),
            Maps(PERSISTENT_VOLUME_CLAIMS, lambda old, new: _no_more(attributes_classes, old, new)),
            Maps(PERSISTENT_VOLUMES, lambda old, new: _no_more(_volume_classes, old, new)),
        )

    async def is_used(self, obj: VolumeAttributesClass) -> bool:
        name = obj.metadata.name
        return bool(self._claims.by_index(CLASS_INDEX, name) or self._volumes.by_index(CLASS_INDEX, name))


def _claim_keys(pod: Pod) -> Iterable[str]:
    return (f"{pod.metadata.namespace}/{name}" for name in claims_of(pod)) if pod.spec.volumes else ()


def _uses(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    """Only a scheduled pod uses a claim: a kubelet starts none with a claim that is being deleted.

    An ephemeral volume's claim goes with its pod, so one that has stopped holds it no more.
    """
    if not pod.spec.nodeName:
        return False
    stopped = pod.metadata.deletionTimestamp is not None and pod.metadata.deletionGracePeriodSeconds == 0
    for volume in pod.spec.volumes:
        source = volume.persistentVolumeClaim
        if source is not None and source.claimName == claim.metadata.name:
            return True
        ephemeral = volume.ephemeral is not None and f"{pod.metadata.name}-{volume.name}" == claim.metadata.name
        if ephemeral and not stopped and is_controlled_by(claim, pod):
            return True
    return False


def _volume_classes(volume: PersistentVolume) -> Iterable[str]:
    return (volume.spec.volumeAttributesClassName,) if volume.spec.volumeAttributesClassName else ()


def _no_more(classes: Any, old: Any, new: Any) -> Iterable[str]:
    """The classes that `old` used and `new` does not."""
    return {*classes(old)} - {*classes(new)} if old is not None and new is not None else classes(old or new)
