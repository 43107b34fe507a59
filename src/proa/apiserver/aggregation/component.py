"""The aggregator of one API server put together: what is remote, who keeps it known, how it joins what is served here.

Not here: what any part does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from proa.api.apiregistration_v1 import APIService
from proa.api.apiregistration_v1.resources import API_SERVICES
from proa.apiserver.aggregation.availability import Availability, is_available
from proa.apiserver.aggregation.discovery import RemoteDiscovery, RemoteVersion
from proa.apiserver.aggregation.extension import Extensions
from proa.apiserver.aggregation.openapi import RemoteOpenApi
from proa.apiserver.aggregation.priorities import GroupVersion, Priority, listing_priority, ordered
from proa.apiserver.aggregation.registration import Registration
from proa.apiserver.aggregation.remote import RemoteRoutes
from proa.apiserver.aggregation.trust import FrontProxy, publish
from proa.apiserver.catalog import Catalog
from proa.apiserver.proxying.reverse import ReverseProxy
from proa.apiserver.request import Request, Response
from proa.apiserver.routes import Handle
from proa.apiserver.services import ServiceResolver
from proa.base.metrics import Samples
from proa.client.informer import Informer
from proa.control.controller import Context, ControllerRunner
from proa.machinery import status as failures


class Aggregator:
    """Knows the order of everything from the beginning; of other servers from `start` on."""

    def __init__(self, catalog: Catalog, resolver: ServiceResolver, proxy: ReverseProxy) -> None:
        self._catalog = catalog
        self._extensions = Extensions(resolver, proxy)
        self._routes = RemoteRoutes(self._extensions)
        self._priorities: dict[GroupVersion, Priority] = {}
        self._runners: list[ControllerRunner] = []
        self._informer: Informer[APIService] | None = None
        self._registration: Registration | None = None
        self._availability: Availability | None = None
        self._discovery: RemoteDiscovery | None = None
        self._openapi: RemoteOpenApi | None = None
        self._serve: Callable[[Mapping[GroupVersion, Handle]], None] = lambda handlers: None
        self._discovery_changed: Callable[[], None] = lambda: None
        self._openapi_changed: Callable[[], None] = lambda: None

    def on_change(
        self,
        serve: Callable[[Mapping[GroupVersion, Handle]], None],
        discovery: Callable[[], None],
        openapi: Callable[[], None],
    ) -> None:
        """What to call when the handlers of remote group versions or the documents are others."""
        self._serve, self._discovery_changed, self._openapi_changed = serve, discovery, openapi

    async def start(self, context: Context, authority: str, front_proxy: FrontProxy | None) -> None:
        """Keep APIServices and follow them. authority, front_proxy: by what other servers know users and us."""
        await publish(context.client, authority, front_proxy)
        self._extensions.front_proxy = front_proxy
        informer = self._informer = context.informer(API_SERVICES)
        informer.on_change(self._changed)
        await informer.synced()
        self._registration = Registration(context, self._catalog.resources)
        self._discovery = RemoteDiscovery(context, self._extensions, self._discovery_changed)
        self._openapi = RemoteOpenApi(context, self._extensions, self._openapi_changed)
        self._availability = Availability(context, self._extensions)
        controllers = (self._registration, self._availability, self._discovery, self._openapi)
        for each in controllers:
            runner = ControllerRunner(each)
            self._runners.append(runner)
            await runner.start()
        self._catalog.on_change(self._registration.changed)
        self._registration.begin()

    async def close(self) -> None:
        for runner in self._runners:
            await runner.close()

    def samples(self) -> Iterator[Samples]:
        """Which APIServices are not available, and how often one ceased to be, as metrics."""
        found = self._informer.list() if self._informer is not None else []
        yield Samples(
            "aggregator_unavailable_apiservice",
            "Whether an APIService is not available.",
            "gauge",
            ("name",),
            [((each.metadata.name,), 0 if is_available(each) else 1) for each in found],
        )
        yield Samples(
            "aggregator_unavailable_apiservice_total",
            "How often an APIService ceased to be available, by reason.",
            "counter",
            ("name", "reason"),
            list(self._availability.losses.items()) if self._availability is not None else [],
        )

    def missing(self) -> list[str]:
        """APIServices of built-in groups that are not in order yet."""
        return self._registration.missing() if self._registration is not None else []

    def remote(self) -> Mapping[GroupVersion, RemoteVersion]:
        """What is known of the remote group versions."""
        known = self._discovery.versions() if self._discovery is not None else {}
        return {key: known.get(key) or RemoteVersion(*key) for key in self._routes.extensions()}

    def order(self) -> list[GroupVersion]:
        """Every group version, own and remote, in listing order."""
        served = {(each.group, each.version) for each in self._catalog.resources()} | self._routes.extensions().keys()
        return ordered({key: listing_priority(*key, known=self._priorities) for key in served})

    def openapi_paths(self) -> Mapping[GroupVersion, str]:
        """Where the version 3 documents of remote group versions are."""
        return self._openapi.paths if self._openapi is not None else {}

    def openapi_v2(self) -> Mapping[GroupVersion, dict[str, Any]]:
        """Version 2 documents of remote group versions."""
        return self._openapi.v2 if self._openapi is not None else {}

    def openapi_v3(self, key: GroupVersion) -> bytes | Callable[[Request], Awaitable[Response]] | None:
        """A remote version 3 document that we made, or the handler that gets it; None for what is not remote."""
        if self._openapi is None or key not in self._openapi.paths:
            return None
        made = self._openapi.made.get(key)
        return made if made is not None else self._pass_on(key)

    def _pass_on(self, key: GroupVersion) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            extension = self._routes.extensions().get(key)
            if extension is None or not extension.available:
                raise failures.service_unavailable("service unavailable")
            backend = await self._extensions.backend(extension, request.user)
            return await self._extensions.proxy.pass_on(request, backend, request.raw_path)

        return handle

    def _changed(self, old: APIService | None, new: APIService | None) -> None:
        if self._routes.changed(old, new):
            self._serve(self._routes.handlers)
        for each in (old, new):
            if each is not None:
                key, spec = (each.spec.group, each.spec.version), each.spec
                if each is new:
                    self._priorities[key] = Priority(spec.groupPriorityMinimum, spec.versionPriority)
                else:
                    self._priorities.pop(key, None)
        if old is None or new is None or old.spec != new.spec:
            self._discovery_changed()
