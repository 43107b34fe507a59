"""Every subresource that is a connection to somewhere else, put together.

Not here: what they do (`sessions`, `proxies`).
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from proa.api.core_v1.resources import NODES, PODS, SERVICES
from proa.apiserver.handlers.proxies import Proxies
from proa.apiserver.handlers.sessions import PodSessions
from proa.apiserver.identity import User
from proa.apiserver.kubelets import Kubelets
from proa.apiserver.proxying.reverse import ReverseProxy
from proa.apiserver.registry import Registry
from proa.apiserver.requestinfo import RequestInfo
from proa.apiserver.routes import Handle
from proa.apiserver.services import ServiceResolver
from proa.machinery.resource import Resource

if TYPE_CHECKING:
    from proa.client.protocol import Client


class Connections:
    """`client` reads everything; `may` raises StatusError 403; `kubelet_tls` as in `Kubelets`."""

    def __init__(
        self,
        registry: Callable[[Resource[Any]], Registry],
        client: Client,
        may: Callable[[User, RequestInfo], Awaitable[None]],
        kubelet_tls: ssl.SSLContext | None,
        resolver: ServiceResolver,
        proxy: ReverseProxy,
    ) -> None:
        pods, nodes, services = registry(PODS), registry(NODES), registry(SERVICES)
        kubelets = Kubelets(nodes, kubelet_tls)
        self._sessions = sessions = PodSessions(pods, kubelets, proxy, may)
        proxies = Proxies(pods, services, nodes, kubelets, resolver, client, proxy)
        self._handlers: Mapping[tuple[Resource[Any], str], Handle] = {
            (PODS, "log"): sessions.log,
            (PODS, "exec"): sessions.exec,
            (PODS, "attach"): sessions.attach,
            (PODS, "portforward"): sessions.portforward,
            (PODS, "proxy"): proxies.pod,
            (SERVICES, "proxy"): proxies.service,
            (NODES, "proxy"): proxies.node,
        }

    def handlers(self, resource: Resource[Any]) -> Mapping[tuple[str, str], Handle]:
        """By (subresource, verb). OPTIONS is no verb of the API's own; a proxy passes on every method."""
        return {
            (each.name, verb): self._handlers[resource, each.name]
            for each in resource.subresources
            if (resource, each.name) in self._handlers
            for verb in (*each.verbs, *(("options",) if each.name == "proxy" else ()))
        }

    def statistics(self) -> dict[str, int]:
        return {"open": self._sessions.open}
