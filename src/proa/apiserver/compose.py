"""The API server put together: store, caches, registries, handlers, HTTP. Start it, ask it for clients, stop it.

Here: the wiring, the one place that knows every part. Not here: what any part does.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from proa.aio.clock import Clock, SystemClock
from proa.api.core_v1.resources import BINDINGS, COMPONENT_STATUSES, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS, SERVICES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.api.groups import resources as builtin_resources
from proa.apiserver import keys
from proa.apiserver.access import Access
from proa.apiserver.actions import Action, PodActions, TokenAction
from proa.apiserver.admission import Chain, Plugin
from proa.apiserver.allocators.services import ServiceAllocator
from proa.apiserver.bootstrap import ensure_kubernetes_service, ensure_namespaces
from proa.apiserver.codec import codec_of
from proa.apiserver.components import ComponentStatuses
from proa.apiserver.conversion import CONVERSIONS
from proa.apiserver.dispatch import Dispatcher, Handle, Served
from proa.apiserver.handlers.connect import ConnectHandlers
from proa.apiserver.handlers.discovery import DiscoveryHandlers
from proa.apiserver.handlers.health import HealthHandlers, metrics_handler, version
from proa.apiserver.handlers.openapi import OpenApiHandlers
from proa.apiserver.handlers.resources import ResourceHandlers
from proa.apiserver.handlers.subresources import (
    PartHandlers,
    ScaleHandlers,
    action_handler,
    take_ephemeral_containers,
    take_finalizers,
    take_resources,
)
from proa.apiserver.identity import (
    LOOPBACK,
    AnyAuthenticator,
    Authenticator,
    Authorizer,
    FirstOpinion,
    TokenIssuer,
    User,
)
from proa.apiserver.inprocess import InProcessClient, LocalRequest
from proa.apiserver.metadata import Document
from proa.apiserver.metrics import RequestMetrics
from proa.apiserver.options import ReadOptions, WriteOptions
from proa.apiserver.registry import Registry
from proa.apiserver.reply import JSON, Reply, json_reply
from proa.apiserver.requestinfo import RequestInfo
from proa.apiserver.reviews import Reviews
from proa.apiserver.server import HttpServer, Request, Response
from proa.apiserver.services import ServiceResolver
from proa.apiserver.webhooks.client import WebhookClient
from proa.base.build import KUBERNETES_VERSION
from proa.base.entropy import BlockRandom
from proa.machinery import status as failures
from proa.machinery.resource import Resource
from proa.store.protocol import Store
from proa.store.watchcache import WatchCache


@dataclass(frozen=True)
class Config:
    """What an API server is made of, as far as it is known before it runs; the rest comes by `install`.

    tls: serves with it (its verify mode decides whether client certificates count); None: plain HTTP. kubelet_tls: the
    client side towards kubelets. advertise: the address the `kubernetes` Service leads to, '' for none.
    """

    store: Store
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 6443
    advertise: str = ""
    service_cidr: str = "10.96.0.0/16"
    node_ports: tuple[int, int] = (30000, 32767)
    kubelet_tls: ssl.SSLContext | None = None
    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=BlockRandom)
    resources: Sequence[Resource[Any]] | None = None
    anonymous: bool = True


class ApiServer:
    """`load()` the caches, `install(...)` what guards it, `listen()`, `stop()`.

    From `load` on `client_for(user)` works, so that authenticators, authorizers and admission plugins, which read
    through such clients, can be made before anybody outside is served. `port` is known after `listen`.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.port = config.port
        self.registries: dict[tuple[str, str, str], Registry] = {}
        self.metrics = RequestMetrics()
        self.access = Access(anonymous=config.anonymous)
        self.allocator = ServiceAllocator(config.service_cidr, config.node_ports, config.random)
        self.services = ServiceResolver(self.client_for(LOOPBACK), config.random)
        self.webhooks = WebhookClient(self.services)
        self._resources = tuple(config.resources if config.resources is not None else builtin_resources())
        self._caches: dict[str, WatchCache] = {}
        self._actions: dict[tuple[Resource[Any], str], Action] = {}
        self._dispatcher = Dispatcher(self.access, self.metrics)
        self._http = HttpServer(self._dispatcher)
        self._chain = Chain()
        self._issuer: TokenIssuer | None = None
        self._connect: ConnectHandlers | None = None
        self._ready = False
        self._serve_resources()
        self._serve_paths()

    # -- life -----------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load the caches and the system objects."""
        await asyncio.gather(*(cache.start() for cache in self._caches.values()))
        client = self.client_for(LOOPBACK)
        if NAMESPACES in self._resources:
            await ensure_namespaces(client)
        if SERVICES in self._resources:
            services = await self.registry(SERVICES).list("", ReadOptions())
            self.allocator.load(msgspec.json.decode(item.body) for item in services.items)

    def install(
        self,
        *,
        authenticators: Sequence[Authenticator] = (),
        authorizers: Sequence[Authorizer] = (),
        admission: Sequence[Plugin] = (),
        token_issuer: TokenIssuer | None = None,
    ) -> None:
        """Set what guards the server. Until then nobody is known and only members of system:masters may do anything."""
        self.access.install(AnyAuthenticator(authenticators), FirstOpinion(authorizers))
        self._chain.install(admission)
        self._issuer = token_issuer

    async def listen(self) -> None:
        """Serve."""
        config = self.config
        self.port = await self._http.start(config.host, config.port, config.tls)
        await self.publish()

    async def publish(self) -> None:
        """Say in the API where it is served, and be ready; enough where everybody is in this process."""
        advertise = self.config.advertise
        if advertise:
            address = self.allocator.address(0)
            await ensure_kubernetes_service(self.client_for(LOOPBACK), address, advertise, self.port)
        self._ready = True

    async def stop(self) -> None:
        """End watches, close connections and caches; the store is its owner's."""
        self._ready = False
        for cache in self._caches.values():
            await cache.close()
        await self._http.stop()
        if self._connect is not None:
            await self._connect.close()
        await self.webhooks.close()

    # -- for components of this process ---------------------------------------------------------------------------

    def client_for(self, user: User, manager: str = "") -> InProcessClient:
        """A client that acts as `user`; `manager` is the field manager of its writes (default: from the user)."""
        return InProcessClient(self, user, manager)

    def registry(self, resource: Resource[Any]) -> Registry:
        """The registry that serves a resource. Raises StatusError 404 when none does."""
        found = self.registries.get((resource.group, resource.version, resource.plural))
        if found is None:
            raise failures.no_such_page()
        return found

    async def may(self, user: User, info: RequestInfo) -> None:
        """Raises StatusError 403 when `user` may not."""
        await self.access.authorize(user, info)

    async def post(
        self,
        resource: Resource[Any],
        namespace: str,
        name: str,
        subresource: str,
        body: Document,
        options: WriteOptions,
    ) -> Document:
        """Do the action of a resource or subresource. Raises StatusError."""
        action = self._actions.get((resource, subresource))
        if action is None:
            raise failures.method_not_supported(resource, f"create {subresource}".strip())
        return await action(namespace, name, body, options)

    async def document(self, user: User, method: str, path: str, body: Any, query: Mapping[str, str]) -> Document:
        """Any path with plain JSON, answered as over HTTP. Raises StatusError."""
        request = LocalRequest(user, method, path, body, query)
        response = await self._dispatcher.local(request)
        if not isinstance(response, Reply):
            raise failures.bad_request(f"{path} answers with a stream, not with a document")
        whole = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        return msgspec.json.decode(whole) if response.content_type.startswith(JSON) else {"body": whole.decode()}

    # -- wiring ---------------------------------------------------------------------------------------------------

    def _serve_resources(self) -> None:
        for resource in self._resources:
            if "get" in resource.verbs and "update" in resource.verbs:
                self._make_registry(resource)
        self._actions.update(self._all_actions())
        if all(each in self._resources for each in (PODS, NODES, SERVICES, ENDPOINT_SLICES)):
            self._connect = ConnectHandlers(
                self.registry(PODS),
                self.registry(NODES),
                self.registry(SERVICES),
                self.registry(ENDPOINT_SLICES),
                self.may,
                self.config.kubelet_tls,
            )
        for resource in self._resources:
            names = frozenset(each.name for each in resource.subresources)
            self._dispatcher.serve_resource(Served(resource, self._handlers(resource), names))

    def _make_registry(self, resource: Resource[Any]) -> None:
        prefix = keys.prefix(resource)
        identity = (resource.group, resource.version, resource.plural)
        codec = codec_of(resource)
        if prefix not in self._caches:
            if identity in CONVERSIONS:
                stored = "/".join(CONVERSIONS[identity].storage)
                raise ValueError(f"{resource.qualified} is stored as {stored}, which must be registered before it")
            self._caches[prefix] = WatchCache(self.config.store, prefix, codec=codec)
        self.registries[identity] = Registry(
            resource,
            self._caches[prefix],
            codec,
            clock=self.config.clock,
            random=self.config.random,
            admission=self._chain,
            hooks=self.allocator if resource is SERVICES else None,
        )

    def _all_actions(self) -> dict[tuple[Resource[Any], str], Action]:
        actions: dict[tuple[Resource[Any], str], Action] = {}
        if PODS in self._resources:
            pods = PodActions(self.registry(PODS))
            actions |= {(PODS, "binding"): pods.bind, (PODS, "eviction"): pods.evict, (BINDINGS, ""): pods.bindings}
        if SERVICE_ACCOUNTS in self._resources:
            tokens = TokenAction(self.registry(SERVICE_ACCOUNTS), lambda: self._issuer)
            actions[SERVICE_ACCOUNTS, "token"] = tokens.request
        reviews = Reviews(self.access).actions()
        for resource in self._resources:
            review = reviews.get((resource.group, resource.plural))
            if review is not None:
                actions[resource, ""] = review
        return actions

    def _handlers(self, resource: Resource[Any]) -> dict[tuple[str, str], Handle]:
        """Every handler of a resource; what is declared and missing here answers 405."""
        table: dict[tuple[str, str], Handle] = {}
        for (acting, subresource), action in self._actions.items():
            if acting is resource:
                declared = resource.subresource(subresource)
                kind = declared.type if declared is not None and declared.type is not None else resource.type
                table[subresource, "create"] = action_handler(action, kind)
        if resource is COMPONENT_STATUSES:
            computed = ResourceHandlers(ComponentStatuses(self.config.store))
            return table | {("", "get"): computed.get, ("", "list"): computed.list}
        identity = (resource.group, resource.version, resource.plural)
        if identity not in self.registries:
            return table
        registry = self.registries[identity]
        plain = ResourceHandlers(registry)
        table |= {("", verb): getattr(plain, verb) for verb in resource.verbs}
        parts: dict[str, Any] = {"status": plain}
        if resource.scale is not None:
            parts["scale"] = ScaleHandlers(registry, resource.scale)
        if resource is NAMESPACES:
            parts["finalize"] = PartHandlers(registry, take_finalizers)
        if resource is PODS:
            parts["ephemeralcontainers"] = PartHandlers(registry, take_ephemeral_containers)
            parts["resize"] = PartHandlers(registry, take_resources)
        for each in resource.subresources:
            if each.name in parts:
                table |= {(each.name, verb): getattr(parts[each.name], verb) for verb in each.verbs}
        return table | self._connections(resource)

    def _connections(self, resource: Resource[Any]) -> dict[tuple[str, str], Handle]:
        connect = self._connect
        if connect is None:
            return {}
        handlers: dict[Resource[Any], dict[str, Handle]] = {
            PODS: {
                "log": connect.log,
                "exec": connect.exec,
                "attach": connect.attach,
                "portforward": connect.portforward,
                "proxy": connect.pod_proxy,
            },
            SERVICES: {"proxy": connect.service_proxy},
            NODES: {"proxy": connect.node_proxy},
        }
        mine = handlers.get(resource, {})
        return {
            (subresource.name, verb): mine[subresource.name]
            for subresource in resource.subresources
            if subresource.name in mine
            for verb in (*subresource.verbs, *(("options",) if subresource.name == "proxy" else ()))
        }

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
        openapi = OpenApiHandlers(lambda: self._resources, KUBERNETES_VERSION)
        serve("/openapi/v2", openapi.v2)
        serve("/openapi/v3", openapi.index)
        serve("/openapi/v3/", openapi.group)
        serve("/version", version)
        serve("/metrics", metrics_handler(self.metrics, self.statistics))
        serve("/", self._paths)

    async def _paths(self, request: Request) -> Response:
        return json_reply({"paths": self._dispatcher.paths})

    async def _check_started(self) -> str:
        return "" if self._ready or self._http.stopping.is_set() else "the server is starting"

    async def _check_shutdown(self) -> str:
        return "the server is stopping" if self._http.stopping.is_set() else ""

    def statistics(self) -> Mapping[str, Mapping[str, float]]:
        found: dict[str, Mapping[str, float]] = {
            "http": self._http.statistics(),
            "access": self.access.statistics(),
            "services": self.allocator.statistics(),
        }
        if self._connect is not None:
            found["connect"] = self._connect.statistics()
        for prefix, cache in self._caches.items():
            found[f"cache{prefix.removeprefix('/registry')}".rstrip("/")] = cache.statistics()
        return found


async def _well() -> str:
    return ""
