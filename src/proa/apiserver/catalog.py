"""What the server serves at this moment: resources with their registries, caches and handlers.

Built-in resources come when the server is made and stay; others (custom resources) come and go while it runs, and cost
nothing until somebody asks for them: their caches are loaded at the first request. Not here: which handlers a resource
has (`handlers.tables`), and who makes resources at run time (`custom`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random
from typing import Any

from proa.aio.clock import Clock
from proa.aio.tasks import TaskScope
from proa.apiserver import keys
from proa.apiserver.admission import Chain
from proa.apiserver.codec import codec_of
from proa.apiserver.conversion import ConvertedView, View, conversion_of
from proa.apiserver.dispatch import Dispatcher, Handle, Served
from proa.apiserver.registry import Registry
from proa.apiserver.registry.hooks import Hooks
from proa.apiserver.request import Request, Response
from proa.apiserver.requestinfo import RequestInfo
from proa.machinery import status as failures
from proa.machinery.resource import Resource
from proa.store.protocol import Store
from proa.store.timing import Timings
from proa.store.watchcache import WatchCache

_Identity = tuple[str, str, str]

_FORGET_AFTER = 2.0
"""Seconds that requests under way have before the cache of a withdrawn resource is closed."""


class Catalog:
    """`add` gives a stored resource its registry, `show` serves it; `withdraw` takes both away."""

    def __init__(self, store: Store, dispatcher: Dispatcher, chain: Chain, clock: Clock, random: Random) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._chain = chain
        self._clock = clock
        self._random = random
        self._registries: dict[_Identity, Registry] = {}
        self._caches: dict[str, WatchCache] = {}
        self._resources: dict[_Identity, Resource[Any]] = {}
        self._shown: tuple[Resource[Any], ...] = ()
        self._listeners: list[Callable[[], None]] = []
        self._scope = TaskScope("withdrawn resources")

    # -- life -----------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load the caches of what is there from the beginning."""
        await asyncio.gather(*(each.cache.start() for each in self._registries.values() if not each.resource.custom))

    def end_watches(self) -> None:
        """End the watches there are; everything else goes on."""
        for cache in self._caches.values():
            cache.end_watches()

    async def close(self) -> None:
        """End watches and close every cache."""
        for cache in self._caches.values():
            await cache.close()
        await self._scope.close()

    # -- reading --------------------------------------------------------------------------------------------------

    def resources(self) -> tuple[Resource[Any], ...]:
        """What is served, in the order in which it came."""
        return self._shown

    def registry(self, resource: Resource[Any]) -> Registry:
        """The registry that serves a resource. Raises StatusError 404 when none does."""
        found = self._registries.get(_identity(resource))
        if found is None:
            raise failures.no_such_page()
        return found

    def stores(self, resource: Resource[Any]) -> bool:
        """Whether a registry serves it: some resources only act or compute."""
        return _identity(resource) in self._registries

    def count(self, info: RequestInfo) -> int:
        """How many objects a list of what a request asks for has to look at."""
        registry = self._registries.get((info.group, info.version, info.resource))
        return registry.cache.size if registry is not None and registry.cache.is_loaded else 0

    def counts(self) -> Iterator[tuple[str, str, int]]:
        """Group, plural and number of objects of every resource that is stored and loaded."""
        for group, plural, cache in self._loaded():
            yield group, plural, cache.size

    def timings(self) -> Iterator[tuple[str, str, Timings]]:
        """Group, plural and how long the store took of the same."""
        for group, plural, cache in self._loaded():
            yield group, plural, cache.timings

    def _loaded(self) -> Iterator[tuple[str, str, WatchCache]]:
        seen: set[str] = set()
        for (group, _, plural), registry in self._registries.items():
            if registry.cache.prefix not in seen and registry.cache.is_loaded:
                seen.add(registry.cache.prefix)
                yield group, plural, registry.cache

    def deprecated(self, asked: Iterable[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
        """Which of these (group, version, plural, subresource) are served and deprecated."""
        found = ((each, self._resources.get(each[:3])) for each in asked)
        return [each for each, resource in found if resource is not None and resource.deprecated]

    def watch_events(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        """How many events each resource's watchers were sent, by group, version and plural."""
        for identity, registry in self._registries.items():
            if registry.watch_events:
                yield identity, registry.watch_events

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call it whenever `resources()` has changed."""
        self._listeners.append(listener)

    def statistics(self) -> Iterator[tuple[str, Mapping[str, float]]]:
        for prefix, cache in self._caches.items():
            yield f"cache{prefix.removeprefix('/registry')}".rstrip("/"), cache.statistics()

    # -- changing -------------------------------------------------------------------------------------------------

    def add(self, resource: Resource[Any], *, hooks: Hooks | None = None, view: View | None = None) -> None:
        """Give a resource a registry over the cache of its prefix, which the versions of one resource share."""
        prefix = keys.prefix(resource)
        codec = codec_of(resource)
        conversion = conversion_of(resource)
        if conversion is not None:
            view = ConvertedView(conversion, codec)
        if prefix not in self._caches:
            if conversion is not None:
                stored = "/".join(conversion.storage)
                raise ValueError(f"{resource.qualified} is stored as {stored}, which must be registered before it")
            self._caches[prefix] = WatchCache(self._store, prefix, codec=codec)
        if _identity(resource) in self._registries:
            self._caches[prefix].start_anew()
            self._chain.forget(resource)
        self._registries[_identity(resource)] = Registry(
            resource,
            self._caches[prefix],
            codec,
            clock=self._clock,
            random=self._random,
            admission=self._chain,
            hooks=hooks,
            view=view,
        )

    def show(self, resource: Resource[Any], handlers: Mapping[tuple[str, str], Handle]) -> None:
        """Serve a resource with these handlers."""
        if resource.custom:
            registry = self.registry(resource)
            handlers = {at: _awake(registry, handle) for at, handle in handlers.items()}
        names = frozenset(each.name for each in resource.subresources)
        self._dispatcher.serve_resource(Served(resource, handlers, names))
        self._resources[_identity(resource)] = resource
        self._tell()

    def withdraw(self, resource: Resource[Any]) -> None:
        """Serve it no more. Its watches end; its cache goes when no other version is served from it."""
        self._dispatcher.withdraw_resource(resource)
        self._resources.pop(_identity(resource), None)
        self._chain.forget(resource)
        registry = self._registries.pop(_identity(resource), None)
        if registry is not None:
            registry.cache.start_anew()
            if not any(each.cache is registry.cache for each in self._registries.values()):
                self._caches.pop(registry.cache.prefix, None)
                self._scope.spawn(self._close_later(registry.cache), name=f"close {resource.qualified}")
        self._tell()

    async def _close_later(self, cache: WatchCache) -> None:
        try:
            await asyncio.sleep(_FORGET_AFTER)
        finally:
            await cache.close()

    def _tell(self) -> None:
        self._shown = tuple(self._resources.values())
        for listener in self._listeners:
            listener()


def _identity(resource: Resource[Any]) -> _Identity:
    return resource.group, resource.version, resource.plural


def _awake(registry: Registry, handle: Handle) -> Handle:
    """The handler behind a cache that is loaded when it is first asked."""

    async def loaded(request: Request) -> Response:
        if not registry.cache.is_loaded:
            await registry.awake()
        return await handle(request)

    return loaded
