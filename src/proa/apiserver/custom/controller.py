"""Keeps the status of definitions, and deletes the instances of those that are going away.

Runs beside the server, through its API like any controller. Not here: serving (`serving`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from proa.api.apiextensions_v1 import CustomResourceDefinition
from proa.api.apiextensions_v1.resources import CUSTOM_RESOURCE_DEFINITIONS
from proa.api.apiextensions_v1.strategies import FINALIZER
from proa.apiserver.custom.conditions import ESTABLISHED, TERMINATING, Condition, is_true, status_of, with_condition
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import Maps, Trigger
from proa.machinery.resource import Resource
from proa.machinery.timestamps import format_time

_AGAIN = 0.25
_AGAIN_AT_MOST = 5.0
"""Seconds until instances that wait for finalizers of their own are looked for again, at first and at most."""

Served = Callable[[str], Sequence[Resource[Any]]]
"""The resources that are served for a definition, by its name."""


class DefinitionController(Controller):
    name = "customresourcedefinitions"
    workers = 10

    def __init__(self, context: Context, served: Served, serve: Callable[[CustomResourceDefinition], None]) -> None:
        super().__init__(context)
        self._definitions = context.informer(CUSTOM_RESOURCE_DEFINITIONS)
        self._served = served
        self._serve = serve
        self._waits: dict[str, float] = {}

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (Maps(CUSTOM_RESOURCE_DEFINITIONS, self._concerned),)

    def _concerned(self, old: Any, new: Any) -> Iterable[str]:
        """Itself; and who may have waited for a name that it gave up."""
        if new is not None:
            yield new.metadata.name
        if old is not None and (new is None or new.status.acceptedNames != old.status.acceptedNames):
            yield from (each.metadata.name for each in self._others(old))

    def _others(self, crd: CustomResourceDefinition) -> list[CustomResourceDefinition]:
        name, group = crd.metadata.name, crd.spec.group
        return [each for each in self._definitions.list() if each.spec.group == group and each.metadata.name != name]

    async def reconcile(self, key: str) -> Outcome:
        crd = self._definitions.get(key)
        if crd is None:
            self._waits.pop(key, None)
            return DONE
        if crd.metadata.deletionTimestamp is not None:
            return await self._clean_up(crd) if FINALIZER in crd.metadata.finalizers else DONE
        status = status_of(crd, self._others(crd), self._time())
        if status == crd.status:
            return DONE
        accepted = replace(crd, status=status)
        # Served first: whoever reads that it is established may use it.
        self._serve(accepted)
        await self.client.update(CUSTOM_RESOURCE_DEFINITIONS, accepted, subresource="status")
        return Outcome(note="status")

    async def _clean_up(self, crd: CustomResourceDefinition) -> Outcome:
        name = crd.metadata.name
        if is_true(crd, ESTABLISHED):
            resources = self._served(name)
            if not resources:
                return requeue_after(_AGAIN, "waits for the resource to be served, to delete its instances")
            resource = resources[0]
            crd = await self._terminating(crd, "True", "InstanceDeletionInProgress", _IN_PROGRESS)
            await self.client.delete_collection(resource)
            left = (await self.client.list(resource)).items
            if left:
                wait = self._waits[name] = min(2 * self._waits.get(name, _AGAIN / 2), _AGAIN_AT_MOST)
                return requeue_after(wait, f"{len(left)} instances are left")
            crd = await self._terminating(crd, "False", "InstanceDeletionCompleted", "removed all instances")
        else:
            crd = await self._terminating(crd, "False", "NeverEstablished", "resource was never established")
        finalizers = tuple(each for each in crd.metadata.finalizers if each != FINALIZER)
        metadata = replace(crd.metadata, finalizers=finalizers)
        await self.client.update(CUSTOM_RESOURCE_DEFINITIONS, replace(crd, metadata=metadata))
        self._waits.pop(name, None)
        return Outcome(note="cleaned up")

    async def _terminating(
        self, crd: CustomResourceDefinition, status: str, reason: str, message: str
    ) -> CustomResourceDefinition:
        said = Condition(type=TERMINATING, status=status, reason=reason, message=message)
        conditions = with_condition(crd.status.conditions, said, self._time())
        if conditions == crd.status.conditions:
            return crd
        changed = replace(crd, status=replace(crd.status, conditions=conditions))
        return await self.client.update(CUSTOM_RESOURCE_DEFINITIONS, changed, subresource="status")

    def _time(self) -> str:
        return format_time(self.now())


_IN_PROGRESS = "CustomResource deletion is in progress"
