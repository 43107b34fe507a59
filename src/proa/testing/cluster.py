"""A simulated cluster as tests use it: words for what a test does again and again, over any resource.

Objects are typed where proa declares the type; a plain manifest is applied as kubectl would. Not here: fixtures
(`fixtures`), running a cluster (`proa.cluster.simulated`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from proa.api.core_v1 import Event
from proa.api.core_v1.resources import EVENTS
from proa.api.groups import resources
from proa.cluster.simulated import SimulatedCluster
from proa.lang import yaml
from proa.machinery.declare import Object
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_not_found
from proa.runtime.fake import Behaviour
from proa.runtime.protocol import ContainerConfig
from proa.testing.clock import SteeredClock, clock_of, in_seconds

T = TypeVar("T", bound=Object)
V = TypeVar("V")

FIELD_MANAGER = "proa-test"
_LOOK_AGAIN = 0.25


@dataclass(frozen=True, slots=True)
class Told:
    """An event as people read it: `Warning FailedScheduling Pod/default/web: ...`, `count` times."""

    type: str
    reason: str
    about: str
    message: str
    count: int = 1

    def __str__(self) -> str:
        return f"{self.type} {self.reason} {self.about}: {self.message}"


class Cluster(SimulatedCluster):
    """See SimulatedCluster. `clock` obeys the test; it belongs to the loop the cluster is made in."""

    clock: SteeredClock

    def __init__(
        self, *, nodes: int = 1, seed: int = 0, behaviour: Callable[[ContainerConfig], Behaviour] | None = None
    ) -> None:
        super().__init__(nodes=nodes, seed=seed, behaviour=behaviour, clock=clock_of(asyncio.get_running_loop()))

    async def __aenter__(self) -> Cluster:
        await super().__aenter__()
        await self.settle()
        return self

    async def settle(self) -> None:
        """Return when nothing can happen before time passes."""
        await self.clock.settle()

    async def until(self, what: Callable[[], V | Awaitable[V]], timeout: float | str = "60s", *, why: str = "") -> V:
        """Let time pass until `what()` is true; its value. Raises AssertionError after `timeout`."""
        seconds = in_seconds(timeout)
        deadline = self.clock.monotonic() + seconds
        while True:
            await self.settle()
            found = what()
            value: V = await found if inspect.isawaitable(found) else found
            if value:
                return value
            if self.clock.monotonic() >= deadline:
                raise AssertionError(f"not within {seconds:g} s: {why or what}")
            await asyncio.sleep(_LOOK_AGAIN)

    async def apply(self, manifest: str | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Any]:
        """Server-side apply of YAML, one document or several; the objects. Raises StatusError, ValueError."""
        if isinstance(manifest, str):
            documents = [each for each in yaml.documents(manifest) if each]
        elif isinstance(manifest, Mapping):
            documents = [dict(manifest)]
        else:
            documents = [dict(each) for each in manifest]
        return [await self._apply(each) for each in documents]

    async def get(self, resource: Resource[T], name: str, namespace: str = "default") -> T | None:
        """The object, None when there is none."""
        try:
            return await self.client.get(resource, name, namespace if resource.namespaced else "")
        except StatusError as error:
            if is_not_found(error):
                return None
            raise

    async def all(self, resource: Resource[T], namespace: str = "default", *, selector: str = "") -> Sequence[T]:
        """The objects of a namespace ('': of all) that match a label selector, by name."""
        where = namespace if resource.namespaced else ""
        return (await self.client.list(resource, where, label_selector=selector)).items

    async def events(self, reason: str = "", *, namespace: str = "") -> list[Told]:
        """What was told, in its order: all of it, or what has this reason."""
        await self.settle()
        found: Sequence[Event] = (await self.client.list(EVENTS, namespace)).items
        told = sorted(found, key=lambda each: int(each.metadata.resourceVersion))
        return [
            Told(each.type, each.reason, _about(each), each.message, each.count)
            for each in told
            if reason in ("", each.reason)
        ]

    async def _apply(self, document: dict[str, Any]) -> Any:
        resource = _resource_of(document)
        metadata = document.get("metadata") or {}
        namespace = metadata.get("namespace", "default") if resource.namespaced else ""
        return await self.client.patch(
            resource,
            metadata.get("name", ""),
            namespace,
            document,
            type="apply",
            field_manager=FIELD_MANAGER,
            force=True,
        )


def make(type: type[T], document: Mapping[str, Any]) -> T:
    """A typed object of a plain one. Raises msgspec.ValidationError."""
    return msgspec.convert(document, type)


def _about(event: Event) -> str:
    about = event.involvedObject
    return "/".join(filter(None, (about.kind, about.namespace, about.name)))


def _resource_of(document: Mapping[str, Any]) -> Resource[Any]:
    version, kind = document.get("apiVersion", ""), document.get("kind", "")
    for resource in resources():
        served = f"{resource.group}/{resource.version}" if resource.group else resource.version
        if (served, resource.kind) == (version, kind) and "patch" in resource.verbs:
            return resource
    raise ValueError(f"no resource of apiVersion {version!r}, kind {kind!r} can be applied")
