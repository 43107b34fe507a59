"""The API server put together: store, caches, registries, handlers, HTTP. Start it, ask it for clients, stop it.

Here: the wiring, the one place that knows every part. Not here: what any part does.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proa.aio.clock import Clock, SystemClock
from proa.api.groups import resources as builtin_resources
from proa.apiserver import keys
from proa.apiserver.access import Access
from proa.apiserver.admission import Chain, Plugin
from proa.apiserver.codec import codec_of
from proa.apiserver.conversion import CONVERSIONS
from proa.apiserver.dispatch import Dispatcher, Served
from proa.apiserver.handlers.resources import ResourceHandlers
from proa.apiserver.identity import AnyAuthenticator, Authenticator, Authorizer, FirstOpinion, TokenIssuer
from proa.apiserver.metrics import RequestMetrics
from proa.apiserver.registry import Registry
from proa.apiserver.server import HttpServer
from proa.machinery.resource import Resource
from proa.store.protocol import Store
from proa.store.watchcache import WatchCache


@dataclass(frozen=True)
class Config:
    """What an API server is made of."""

    store: Store
    authenticators: Sequence[Authenticator]
    authorizers: Sequence[Authorizer]
    admission: Sequence[Plugin] = ()
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 6443
    clock: Clock = field(default_factory=SystemClock)
    token_issuer: TokenIssuer | None = None
    resources: Sequence[Resource[Any]] | None = None
    anonymous: bool = True


class ApiServer:
    """`await start()`, `client_for(user)`, `await stop()`. `port` is known after the start."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.port = config.port
        self.registries: dict[tuple[str, str, str], Registry] = {}
        self._caches: dict[str, WatchCache] = {}
        self._metrics = RequestMetrics()
        self._access = Access(
            AnyAuthenticator(config.authenticators), FirstOpinion(config.authorizers), anonymous=config.anonymous
        )
        self._dispatcher = Dispatcher(self._access, self._metrics)
        self._http = HttpServer(self._dispatcher)
        self._chain = Chain(config.admission)
        served = config.resources if config.resources is not None else builtin_resources()
        for resource in served:
            if "get" in resource.verbs and "update" in resource.verbs:
                self._add(resource)

    def _add(self, resource: Resource[Any]) -> None:
        prefix = keys.prefix(resource)
        identity = (resource.group, resource.version, resource.plural)
        codec = codec_of(resource)
        if prefix not in self._caches:
            stored = CONVERSIONS[identity].storage if identity in CONVERSIONS else None
            if stored is not None:
                raise ValueError(f"{resource.qualified} is stored as {stored}, which must be registered before it")
            self._caches[prefix] = WatchCache(self.config.store, prefix, codec=codec)
        registry = Registry(resource, self._caches[prefix], codec, clock=self.config.clock, admission=self._chain)
        self.registries[identity] = registry
        handlers = ResourceHandlers(registry)
        table: dict[tuple[str, str], Any] = {("", verb): getattr(handlers, verb) for verb in resource.verbs}
        if resource.subresource("status") is not None:
            for verb in ("get", "update", "patch"):
                table["status", verb] = getattr(handlers, verb)
        self._dispatcher.serve_resource(Served(resource, table, frozenset(each.name for each in resource.subresources)))

    def registry(self, resource: Resource[Any]) -> Registry:
        """The registry that serves a resource."""
        return self.registries[resource.group, resource.version, resource.plural]

    async def start(self) -> None:
        """Load the caches, listen."""
        await asyncio.gather(*(cache.start() for cache in self._caches.values()))
        self.port = await self._http.start(self.config.host, self.config.port, self.config.tls)

    async def stop(self) -> None:
        """End watches, close connections and caches; the store is its owner's."""
        await self._http.stop()
        for cache in self._caches.values():
            await cache.close()

    def statistics(self) -> Mapping[str, Mapping[str, float]]:
        found: dict[str, Mapping[str, float]] = {"http": self._http.statistics(), "access": self._access.statistics()}
        for prefix, cache in self._caches.items():
            found[f"cache{prefix.removeprefix('/registry')}".rstrip("/")] = cache.statistics()
        return found
