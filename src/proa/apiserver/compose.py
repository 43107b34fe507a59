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
from proa.apiserver.handlers.discovery import DiscoveryHandlers
from proa.apiserver.handlers.health import HealthHandlers, metrics_handler, version
from proa.apiserver.handlers.resources import ResourceHandlers
from proa.apiserver.identity import AnyAuthenticator, Authenticator, Authorizer, FirstOpinion, TokenIssuer
from proa.apiserver.metrics import RequestMetrics
from proa.apiserver.registry import Registry
from proa.apiserver.reply import json_reply
from proa.apiserver.server import HttpServer, Request, Response
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
        self.metrics = RequestMetrics()
        self.access = Access(
            AnyAuthenticator(config.authenticators), FirstOpinion(config.authorizers), anonymous=config.anonymous
        )
        self._resources = tuple(config.resources if config.resources is not None else builtin_resources())
        self._caches: dict[str, WatchCache] = {}
        self._dispatcher = Dispatcher(self.access, self.metrics)
        self._http = HttpServer(self._dispatcher)
        self._chain = Chain(config.admission)
        self._started = False
        for resource in self._resources:
            if "get" in resource.verbs and "update" in resource.verbs:
                self._serve(resource)
        self._serve_paths()

    def _serve(self, resource: Resource[Any]) -> None:
        prefix = keys.prefix(resource)
        identity = (resource.group, resource.version, resource.plural)
        codec = codec_of(resource)
        if prefix not in self._caches:
            if identity in CONVERSIONS:
                stored = "/".join(CONVERSIONS[identity].storage)
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

    def _serve_paths(self) -> None:
        serve = self._dispatcher.serve_path
        discovery = DiscoveryHandlers(lambda: self._resources, lambda: f"{self.config.host}:{self.port}")
        serve("/api", discovery.legacy)
        serve("/apis", discovery.groups)
        serve("/api/", discovery.below)
        serve("/apis/", discovery.below)
        health = HealthHandlers({"ping": _well}, {"started": self._check_started, "shutdown": self._check_shutdown})
        for probe in ("/healthz", "/livez", "/readyz"):
            serve(probe, health.health)
            serve(probe + "/", health.health)
        serve("/version", version)
        serve("/metrics", metrics_handler(self.metrics, self.statistics))
        serve("/", self._paths)

    async def _paths(self, request: Request) -> Response:
        return json_reply({"paths": self._dispatcher.paths})

    async def _check_started(self) -> str:
        return "" if self._started else "the caches are being loaded"

    async def _check_shutdown(self) -> str:
        return "the server is stopping" if self._http.stopping.is_set() else ""

    def registry(self, resource: Resource[Any]) -> Registry:
        """The registry that serves a resource."""
        return self.registries[resource.group, resource.version, resource.plural]

    async def start(self) -> None:
        """Load the caches, listen."""
        await asyncio.gather(*(cache.start() for cache in self._caches.values()))
        self.port = await self._http.start(self.config.host, self.config.port, self.config.tls)
        self._started = True

    async def stop(self) -> None:
        """End watches, close connections and caches; the store is its owner's."""
        for cache in self._caches.values():
            await cache.close()
        await self._http.stop()

    def statistics(self) -> Mapping[str, Mapping[str, float]]:
        found: dict[str, Mapping[str, float]] = {"http": self._http.statistics(), "access": self.access.statistics()}
        for prefix, cache in self._caches.items():
            found[f"cache{prefix.removeprefix('/registry')}".rstrip("/")] = cache.statistics()
        return found


async def _well() -> str:
    return ""
