"""The ConfigMaps and Secrets that pods of this node refer to: each is watched by name while a pod uses it.

A node may read only what its pods name, so there is no watch of all of them. A change reaches the pods that use the
object at once; an object nobody uses is kept a little longer, because pods of one workload come and go together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from proa.aio.tasks import TaskScope
from proa.client.informer import Informer
from proa.client.protocol import Client
from proa.kubelet.services import StepError
from proa.machinery.declare import Object
from proa.machinery.resource import Resource

T = TypeVar("T", bound=Object)

# How long the first read may take, and how long an unused object stays known (seconds).
FIRST_READ = 10.0
LINGER = 60.0

_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Watched:
    informer: Informer[Any]
    task: asyncio.Task[None]
    users: set[str] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None


class References:
    """`changed` is told the uids of the pods that use an object which has changed."""

    def __init__(self, client: Client, scope: TaskScope, changed: Callable[[frozenset[str]], None]) -> None:
        self._client = client
        self._scope = scope
        self._changed = changed
        self._watched: dict[_Key, _Watched] = {}

    def statistics(self) -> dict[str, int]:
        return {"watched": len(self._watched), "used": sum(bool(each.users) for each in self._watched.values())}

    async def get(self, resource: Resource[T], namespace: str, name: str, pod_uid: str) -> T | None:
        """The object as it is now; None when there is none. Raises StepError when the API does not say."""
        key = (resource.plural, namespace, name)
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = self._watch(key, resource)
        watched.users.add(pod_uid)
        if watched.timer is not None:
            watched.timer.cancel()
            watched.timer = None
        try:
            async with asyncio.timeout(FIRST_READ):
                await watched.informer.synced()
        except TimeoutError:
            why = watched.informer.statistics()["last_error"]
            text = f'{resource.plural} "{name}" cannot be read: {why or "the API does not answer"}'
            raise StepError("CreateContainerConfigError", text, events=[("Failed", f"Error: {text}")]) from None
        found: T | None = watched.informer.get(f"{namespace}/{name}" if namespace else name)
        return found

    def release(self, pod_uid: str) -> None:
        for key, watched in self._watched.items():
            if pod_uid in watched.users:
                watched.users.discard(pod_uid)
                if not watched.users:
                    watched.timer = asyncio.get_running_loop().call_later(LINGER, self._drop, key)

    def _watch(self, key: _Key, resource: Resource[Any]) -> _Watched:
        plural, namespace, name = key
        informer = Informer(self._client, resource, namespace, field_selector=f"metadata.name={name}")
        task = self._scope.spawn(informer.run(), name=f"watch {plural} {namespace}/{name}")
        watched = _Watched(informer, task)

        def told(old: Any, new: Any) -> None:
            # The first read is awaited by whoever asked for it; what follows is news.
            if informer.is_synced and watched.users:
                self._changed(frozenset(watched.users))

        informer.on_change(told)
        return watched

    def _drop(self, key: _Key) -> None:
        watched = self._watched.get(key)
        if watched is not None and not watched.users:
            del self._watched[key]
            watched.task.cancel()

    def close(self) -> None:
        for watched in self._watched.values():
            watched.task.cancel()
            if watched.timer is not None:
                watched.timer.cancel()
        self._watched.clear()
