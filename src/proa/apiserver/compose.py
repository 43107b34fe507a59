"""The API server put together: store, caches, registries, handlers, HTTP. Start it, ask it for clients, stop it.

Here: the wiring, the one place that knows every part. Not here: what any part does.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from proa.aio.clock import Clock, SystemClock
from proa.api.core_v1.resources import BINDINGS, NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS, SERVICES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.api.groups import resources as builtin_resources
from proa.api.networking_v1.resources import IP_ADDRESSES, SERVICE_CIDRS
from proa.api.policy_v1.resources import POD_DISRUPTION_BUDGETS
from proa.api.scheduling_v1.resources import PRIORITY_CLASSES
from proa.apiserver.access import Access, Anonymous, HeaderAuthenticator, Witnesses
from proa.apiserver.actions import Action, PodActions
from proa.apiserver.admission import Chain, Plugin
from proa.apiserver.aggregation.component import Aggregator
from proa.apiserver.aggregation.trust import FrontProxy
from proa.apiserver.allocators.component import AddressKeeper
from proa.apiserver.allocators.records import AddressRecords
from proa.apiserver.allocators.services import ServiceAllocator
from proa.apiserver.bootstrap import (
    ensure_kubernetes_service,
    ensure_namespaces,
    ensure_priority_classes,
    ensure_service_cidr,
)
from proa.apiserver.catalog import Catalog
from proa.apiserver.checks import PROBES, Checks, once, well
from proa.apiserver.conversion import View
from proa.apiserver.deadlines import Deadlines
from proa.apiserver.dispatch import Dispatcher, Handle
from proa.apiserver.eviction import EvictionAction
from proa.apiserver.handlers.connect import Connections
from proa.apiserver.handlers.discovery import DiscoveryHandlers
from proa.apiserver.handlers.health import HealthHandlers, build_samples, metrics_handler, version
from proa.apiserver.handlers.openapi import OpenApiHandlers
from proa.apiserver.handlers.tables import Table, Tables
from proa.apiserver.handlers.zpages import ZPages
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
from proa.apiserver.limiting import Limiter, RequestLimits
from proa.apiserver.metadata import Document
from proa.apiserver.metrics import (
    RequestMetrics,
    deprecation_samples,
    statistic_samples,
    storage_samples,
    store_samples,
)
from proa.apiserver.options import WriteOptions
from proa.apiserver.proxying.reverse import ReverseProxy
from proa.apiserver.registry import Registry
from proa.apiserver.reply import JSON, Reply, json_reply
from proa.apiserver.request import Request, Response
from proa.apiserver.requestinfo import RequestInfo
from proa.apiserver.reviews import Reviews
from proa.apiserver.server import HttpServer, audited, witnessed
from proa.apiserver.services import ServiceResolver
from proa.apiserver.token_requests import TokenAction
from proa.apiserver.webhooks.client import WebhookClient
from proa.apiserver.webhooks.metrics import WebhookMetrics
from proa.base.build import KUBERNETES_VERSION
from proa.base.entropy import BlockRandom
from proa.base.metrics import Metrics
from proa.control.controller import Context
from proa.machinery import status as failures
from proa.machinery.resource import Resource
from proa.machinery.timestamps import format_time
from proa.store.protocol import Store


@dataclass(frozen=True)
class Config:
    """What an API server is made of, as far as it is known before it runs; the rest comes by `install`.

    tls: serves with it (its verify mode decides whether client certificates count); None: plain HTTP. kubelet_tls: the
    client side towards kubelets. advertise: the address the `kubernetes` Service leads to, '' for none. flags: the
    arguments behind all this, for people.
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
    limits: RequestLimits = field(default_factory=RequestLimits)
    flags: Mapping[str, str] = field(default_factory=dict)


class ApiServer:
    """`load()` the caches, `install(...)` what guards it, `listen()`, `stop()`.

    From `load` on `client_for(user)` works, so that authenticators, authorizers and admission plugins, which read
    through such clients, can be made before anybody outside is served. `port` is known after `listen`.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.port = config.port
        self.checks = Checks()
        self.metrics = RequestMetrics()
        self.access = Access(anonymous=config.anonymous)
        self.allocator = ServiceAllocator(config.service_cidr, config.node_ports, config.random)
        self._addresses = AddressKeeper(self.allocator.ranges)
        self.services = ServiceResolver(self.client_for(LOOPBACK), config.random)
        self.families = Metrics()
        self.webhooks = WebhookClient(self.services, WebhookMetrics(self.families))
        self._builtin = tuple(config.resources if config.resources is not None else builtin_resources())
        self._limiter = Limiter(config.limits, self.metrics)
        self._dispatcher = Dispatcher(self.access, self.metrics, self._limiter.turns)
        self._http = HttpServer(self._dispatcher)
        self.elsewhere = self._http.elsewhere
        self._deadlines = self._dispatcher.deadlines = Deadlines(config.limits.seconds, self._http.handling)
        self._chain = Chain()
        self.catalog = Catalog(config.store, self._dispatcher, self._chain, config.clock, config.random)
        self._issuer: TokenIssuer | None = None
        self._connections: Connections | None = None
        self._proxy = ReverseProxy()
        self.aggregator = Aggregator(self.catalog, self.services, self._proxy)
        self._dispatcher.objects = self.catalog.count
        self._ready = False
        self._serve_builtin()
        self._serve_paths()

    # -- life -----------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load the caches and the system objects."""
        await self.catalog.load()
        client = self.client_for(LOOPBACK)
        wanted: list[Awaitable[None]] = []
        done: list[Callable[[], None]] = []
        if NAMESPACES in self._builtin:
            done.append(self.checks.step("start-system-namespaces-controller"))
            wanted.append(ensure_namespaces(client))
        if PRIORITY_CLASSES in self._builtin:
            done.append(self.checks.step("scheduling/bootstrap-system-priority-classes"))
            wanted.append(ensure_priority_classes(client))
        if SERVICE_CIDRS in self._builtin:
            now = format_time(self.config.clock.now())
            wanted.append(ensure_service_cidr(client, self.config.service_cidr, now))
        await asyncio.gather(*wanted)
        for each in done:
            each()
        if SERVICES in self._builtin:
            records = AddressRecords(self.client_for(LOOPBACK, "kube-apiserver"), self.registry(IP_ADDRESSES))
            await self.allocator.load(self.registry(SERVICES), records)

    def install(
        self,
        *,
        authenticators: Sequence[Authenticator] = (),
        authorizers: Sequence[Authorizer] = (),
        admission: Sequence[Plugin] = (),
        token_issuer: TokenIssuer | None = None,
        front_proxy: HeaderAuthenticator | None = None,
        anonymous: Anonymous | None = None,
        audiences: Sequence[str] = (),
    ) -> None:
        """Set what guards the server. Until then nobody is known and only members of system:masters may do anything.

        audiences: for whom tokens must be that count here.
        """
        self.access.install(
            AnyAuthenticator(authenticators),
            FirstOpinion(authorizers),
            front_proxy=front_proxy,
            anonymous=anonymous,
            audiences=tuple(audiences),
        )
        self._chain.install(admission)
        self._issuer = token_issuer

    def audit(self, witnesses: Witnesses) -> None:
        """Let these see every request, and every call of a component that gets its client from now on."""
        self.access.witnesses = witnesses
        self._dispatcher.put_around(witnessed)
        self._http.handler = audited(self._dispatcher)

    def serve_path(self, path: str, handle: Handle) -> None:
        """A path of its own that is no resource; with a slash at its end, everything below it too."""
        self._dispatcher.serve_path(path, handle)

    async def listen(self, port: int | None = None) -> None:
        """Serve. port: another than the configured one, 0 for any that is free."""
        config = self.config
        self.port = await self._http.start(config.host, config.port if port is None else port, config.tls)
        self._deadlines.start()
        await self.publish()

    async def attend(self, context: Context, authority: str, front_proxy: FrontProxy | None) -> None:
        """Keep the objects that are about the server itself: API services, flow schemas, priority levels, addresses.

        authority, front_proxy: by what other API servers know users and this server.
        """
        await self.aggregator.start(context, authority, front_proxy)
        await self._limiter.start(context)
        repairing = self.checks.step("start-service-ip-repair-controllers")
        await self._addresses.start(context, self.client_for(LOOPBACK, "kube-apiserver"))
        repairing()
        self.checks.ready("informer-sync", once(lambda: ", ".join(context.informers.behind())))
        for each in ("producer", "consumer"):  # one part is both
            self.checks.hook(f"priority-and-fairness-config-{each}", self._limiter.is_synced)
        self.checks.hook("apiservice-registration-controller", lambda: not self.aggregator.missing())
        self.checks.live("autoregister-completion", once(lambda: " ".join(self.aggregator.missing())))

    async def publish(self) -> None:
        """Say in the API where it is served, and be ready; enough where everybody is in this process."""
        advertise = self.config.advertise
        if advertise:
            address = self.allocator.ranges.first
            await ensure_kubernetes_service(self.client_for(LOOPBACK), address, advertise, self.port)
        self._ready = True

    async def stop(self) -> None:
        """End watches, let other requests finish, close connections and caches; the store is its owner's."""
        self._ready = False
        self.catalog.end_watches()
        self._proxy.end_streams()
        await self._http.stop()
        self._deadlines.close()
        await self._limiter.close()
        await self.aggregator.close()
        await self._addresses.close()
        await self.allocator.close()
        await self.catalog.close()
        await self._proxy.close()
        await self.webhooks.close()

    # -- for components of this process ---------------------------------------------------------------------------

    def client_for(self, user: User, manager: str = "") -> InProcessClient:
        """A client that acts as `user`; `manager` is the field manager of its writes (default: from the user)."""
        if self.access.witnesses is not None:
            from proa.apiserver.audit.components import AuditedClient

            return AuditedClient(self, user, manager, self.access.witnesses, self.access)
        return InProcessClient(self, user, manager)

    def registry(self, resource: Resource[Any]) -> Registry:
        """The registry that serves a resource. Raises StatusError 404 when none does."""
        return self.catalog.registry(resource)

    def resources(self) -> tuple[Resource[Any], ...]:
        """What is served now."""
        return self.catalog.resources()

    def serve(self, resources: Sequence[Resource[Any]], views: Mapping[Resource[Any], View] | None = None) -> None:
        """Serve more resources. views: how versions of a custom resource see what is stored."""
        for resource in resources:
            self.catalog.add(resource, view=(views or {}).get(resource))
            self.catalog.show(resource, self._tables.of(resource))

    def keep(self, resource: Resource[Any], view: View) -> None:
        """Let components of this process have a resource that is not served."""
        self.catalog.add(resource, view=view)

    def withdraw(self, resources: Sequence[Resource[Any]]) -> None:
        """Serve these no more."""
        for resource in resources:
            self.catalog.withdraw(resource)

    async def may(self, user: User, info: RequestInfo, fields: str = "", labels: str = "") -> None:
        """Raises StatusError 403 when `user` may not; fields, labels: the selectors of a list or watch."""
        await self.access.authorize(user, info, fields=fields, labels=labels)

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

    def _serve_builtin(self) -> None:
        for resource in self._builtin:
            if "get" in resource.verbs and "update" in resource.verbs:
                self.catalog.add(resource, hooks=self.allocator if resource is SERVICES else None)
        if all(each in self._builtin for each in (PODS, NODES, SERVICES, ENDPOINT_SLICES)):
            self._connections = Connections(
                self.registry,
                self.client_for(LOOPBACK),
                self.may,
                self.config.kubelet_tls,
                self.services,
                self._proxy,
            )
        self._actions = self._all_actions()
        self._tables = Tables(self.catalog, self.config.store, self._actions, self._connections_of, self.may)
        for resource in self._builtin:
            self.catalog.show(resource, self._tables.of(resource))

    def _connections_of(self, resource: Resource[Any]) -> Table:
        return {} if self._connections is None else self._connections.handlers(resource)

    def _all_actions(self) -> dict[tuple[Resource[Any], str], Action]:
        actions: dict[tuple[Resource[Any], str], Action] = {}
        if PODS in self._builtin:
            pods = PodActions(self.registry(PODS))
            budgets = self.registry(POD_DISRUPTION_BUDGETS) if POD_DISRUPTION_BUDGETS in self._builtin else None
            evictions = EvictionAction(self.registry(PODS), budgets)
            actions |= {
                (PODS, "binding"): pods.bind,
                (PODS, "eviction"): evictions.evict,
                (BINDINGS, ""): pods.bindings,
            }
        if SERVICE_ACCOUNTS in self._builtin:
            tokens = TokenAction(self.registry(SERVICE_ACCOUNTS), lambda: self._issuer)
            actions[SERVICE_ACCOUNTS, "token"] = tokens.request
        reviews = Reviews(self.access, self._chain).actions()
        return actions | {(each, ""): reviews[each] for each in self._builtin if each in reviews}

    def _serve_paths(self) -> None:
        serve = self._dispatcher.serve_path
        discovery = DiscoveryHandlers(self.catalog.resources, self._address, self.aggregator)
        serve("/api", discovery.legacy)
        serve("/apis", discovery.groups)
        serve("/api/", discovery.below)
        serve("/apis/", discovery.below)
        self.checks.live("ping", well)
        self.checks.live("etcd", self._check_store)
        self.checks.ready("etcd-readiness", self._check_store)
        self.checks.hook("bootstrap-controller", lambda: self._ready or self._http.stopping.is_set())
        self.checks.ready("shutdown", self._check_shutdown)
        health = HealthHandlers(self.checks)
        for probe in PROBES:
            serve(f"/{probe}", health.health)
            serve(f"/{probe}/", health.health)
        openapi = OpenApiHandlers(self.catalog.resources, KUBERNETES_VERSION, self.aggregator)
        self.catalog.on_change(discovery.changed)
        self.catalog.on_change(openapi.changed)
        self.aggregator.on_change(self._dispatcher.serve_remote, discovery.changed, openapi.changed)
        self._limiter.attach(self._dispatcher)
        serve("/openapi/v2", openapi.v2)
        serve("/openapi/v3", openapi.index)
        serve("/openapi/v3/", openapi.group)
        serve("/version", version)
        serve("/metrics", metrics_handler(self.families))
        serve("/metrics/slis", metrics_handler(health.results))
        self.families.computed(build_samples)
        self.families.computed(self.aggregator.samples)
        self.families.computed(self.metrics.samples)
        self.families.computed(lambda: deprecation_samples(self.catalog.deprecated(self.metrics.requested())))
        self.families.computed(self._limiter.samples)
        self.families.computed(self.access.samples)
        self.families.computed(lambda: storage_samples(self.catalog.counts(), self.catalog.watch_events()))
        self.families.computed(lambda: store_samples(self.catalog.timings()))
        self.families.computed(lambda: statistic_samples(self.statistics()))
        zpages = ZPages(lambda: self._dispatcher.paths, self.config.flags)
        serve("/statusz", zpages.statusz)
        serve("/flagz", zpages.flagz)
        serve("/", self._paths)

    def _address(self) -> str:
        return f"{self.config.host}:{self.port}"

    async def _paths(self, request: Request) -> Response:
        checks = (f"/{probe}/{name}" for probe in PROBES for name in self.checks.of(probe))
        return json_reply({"paths": sorted({*self._dispatcher.paths, *checks})})

    async def _check_store(self) -> str:
        """Whether the store reads."""
        try:
            async with asyncio.timeout(2.0):
                await self.config.store.get("/registry/health")
        except Exception as error:
            return f"the store does not answer: {str(error) or type(error).__name__}"
        return ""

    async def _check_shutdown(self) -> str:
        return "the server is stopping" if self._http.stopping.is_set() else ""

    def statistics(self) -> Mapping[str, Mapping[str, float]]:
        found: dict[str, Mapping[str, float]] = {
            "http": self._http.statistics(),
            "access": self.access.statistics(),
            "services": self.allocator.statistics(),
        }
        if self._connections is not None:
            found["connections"] = self._connections.statistics()
        return {**found, **dict(self.catalog.statistics())}
