"""Keeps `status` of every ResourceQuota: what is limited, and what its namespace really uses.

Admission charges a quota for what comes (`apiserver.plugins.resource_quota`); here is counted anew when a quota
changes, when what it counts goes away or needs less, and now and then, because a write may fail after it was charged.
What a quota counts is watched from the moment the first quota counts it, so that a cluster without quotas pays nothing;
custom resources too, as long as they are defined. What other servers serve is asked for now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from proa.api.apiextensions_v1.resources import CUSTOM_RESOURCE_DEFINITIONS
from proa.api.apiextensions_v1.served import resource_of
from proa.api.core_v1 import ResourceQuotaStatus
from proa.api.core_v1.resources import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_QUOTAS, SERVICES
from proa.api.groups import resources
from proa.client.discovery import discover
from proa.client.informer import NAMESPACE_INDEX, Informer, key_of
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.quantity import parse
from proa.machinery.resource import Resource
from proa.machinery.scalars import Quantity
from proa.rules.quota import COUNT_PREFIX, evaluator_of, sources_of, total

# Seconds for which what a quota counts may take to be known.
SYNC = 10.0
# Seconds until a quota is counted anew, whatever happened; until one is counted again that was just corrected, because
# what admission charged for may have been on its way; until one that counts a resource nobody watches here is.
AGAIN, CHECK, UNWATCHED = 300.0, 1.0, 10.0


@dataclass(frozen=True, slots=True)
class _Watched:
    resource: Resource[Any]
    informer: Informer[Any]
    disconnect: Callable[[], None]


class ResourceQuotaController(Controller):
    name = "resourcequota"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._quotas = context.informer(RESOURCE_QUOTAS)
        self._definitions = context.informer(CUSTOM_RESOURCE_DEFINITIONS)
        self._builtin = {each.qualified: each for each in resources() if each.namespaced and "watch" in each.verbs}
        self._watched: dict[str, _Watched] = {}

    def close(self) -> None:
        for watched in self._watched.values():
            watched.disconnect()

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (
            For(RESOURCE_QUOTAS, when=_is_changed),
            Maps(CUSTOM_RESOURCE_DEFINITIONS, self._definition_changed),
        )

    def _definition_changed(self, old: Any, new: Any) -> Iterable[str]:
        """The quotas that count what is defined; in what version, or whether at all, may be another matter now."""
        name = (new or old).metadata.name
        watched = self._watched.get(name)
        resource = resource_of(new)
        if watched is not None and watched.resource != resource:
            self._watched.pop(name).disconnect()
        if old is None or new is None or resource_of(old) != resource:
            yield from (key_of(quota) for quota in self._quotas.list() if COUNT_PREFIX + name in quota.spec.hard)

    async def reconcile(self, key: str) -> Outcome:
        quota = self._quotas.get(key)
        if quota is None:
            return DONE
        hard, namespace = quota.spec.hard, quota.metadata.namespace
        objects: dict[str, Iterable[Any]] = {}
        unwatched: list[str] = []
        for qualified in sorted(sources_of(hard)):
            resource = self._builtin.get(qualified) or resource_of(self._definitions.get(qualified))
            if resource is None:
                unwatched.append(qualified)
                continue
            informer = self._watch(resource)
            async with asyncio.timeout(SYNC):
                await informer.synced()
            objects[qualified] = informer.by_index(NAMESPACE_INDEX, namespace)
        objects |= await self._listed(namespace, unwatched)
        counted = total(quota, objects, self.now())
        used: dict[str, Quantity] = {name: value for name, value in quota.status.used.items() if name in hard}
        used |= {name: str(value) for name, value in counted.items()}
        again = UNWATCHED if unwatched else AGAIN
        status = ResourceQuotaStatus(hard=dict(hard), used=used)
        if _same(status.hard, quota.status.hard) and _same(status.used, quota.status.used):
            return requeue_after(again)
        await self.client.update(RESOURCE_QUOTAS, msgspec.structs.replace(quota, status=status), subresource="status")
        return requeue_after(min(again, CHECK), "usage counted")

    def _watch(self, resource: Resource[Any]) -> Informer[Any]:
        """The objects of a resource, whose going away is from now on a reason to count."""
        watched = self._watched.get(resource.qualified)
        if watched is None:

            def changed(old: Any, new: Any) -> None:
                if old is not None and (new is None or _needs_less(resource, old, new)):
                    self._count_again(resource.qualified, old.metadata.namespace)

            informer = self.context.informer(resource)
            watched = _Watched(resource, informer, informer.on_change(changed))
            self._watched[resource.qualified] = watched
        return watched.informer

    def _count_again(self, qualified: str, namespace: str) -> None:
        evaluator = evaluator_of(qualified)
        for quota in self._quotas.by_index(NAMESPACE_INDEX, namespace):
            if evaluator.names(quota.spec.hard):
                self.queue.add(key_of(quota))

    async def _listed(self, namespace: str, names: Iterable[str]) -> dict[str, Iterable[Any]]:
        """The objects of resources that only another server knows; none of what is not served."""
        wanted = set(names)
        if not wanted:
            return {}
        found: dict[str, Iterable[Any]] = {}
        for served in (await discover(self.client)).resources:
            if served.qualified in wanted and served.namespaced and "list" in served.verbs:
                listed = await self.client.document("GET", served.path(namespace))
                found[served.qualified] = listed.get("items") or ()
        return found


def _is_changed(old: Any, new: Any) -> bool:
    """What is used is admission's to say, and ours; that the limits are those of the spec is ours alone."""
    return new is not None and (old is None or old.spec != new.spec or not _same(new.status.hard, new.spec.hard))


def _needs_less(resource: Resource[Any], old: Any, new: Any) -> bool:
    """Whether an update may free something: upstream looks at few of them, since each costs a count."""
    if resource == PODS:
        ended = new.status.phase in ("Succeeded", "Failed") and new.status.phase != old.status.phase
        return (
            ended
            or old.spec.activeDeadlineSeconds != new.spec.activeDeadlineSeconds
            or _resources(old) != _resources(new)
        )
    if resource == SERVICES:
        return bool(old.spec.type != new.spec.type)
    if resource == PERSISTENT_VOLUME_CLAIMS:
        return bool(old.status != new.status)
    return False


def _resources(pod: Any) -> list[Any]:
    statuses = (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    return [(each.name, each.resources) for each in statuses if each.resources is not None]


def _same(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(parse(one[name]) == parse(other[name]) for name in one)
