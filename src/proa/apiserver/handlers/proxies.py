"""The proxy subresources: HTTP to pods, to the pods behind services, and to nodes, below the API's own paths.

Here: where `[scheme:]name[:port]` leads. Only addresses of pods and nodes: whoever may proxy must not reach what else
the server can (itself, its machine, link-local services). Not here: how requests are passed on (`proxying`).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import msgspec

from proa.api.core_v1.resources import PODS
from proa.apiserver.connecting import connect_options
from proa.apiserver.kubelets import Kubelets
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.proxying.backend import Backend, unverified
from proa.apiserver.proxying.links import Links
from proa.apiserver.proxying.reverse import ReverseProxy
from proa.apiserver.registry import Registry
from proa.apiserver.reply import Reply
from proa.apiserver.request import Request, Response
from proa.apiserver.services import ServiceResolver
from proa.machinery import status as failures
from proa.machinery.fields import quoted

if TYPE_CHECKING:
    from proa.client.protocol import Client


def is_public(address: str) -> bool:
    """Whether an address can be another machine's or a pod's: not loopback, link-local, multicast or unspecified."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)


class Proxies:
    """The handlers of the proxy subresources."""

    def __init__(
        self,
        pods: Registry,
        services: Registry,
        nodes: Registry,
        kubelets: Kubelets,
        resolver: ServiceResolver,
        client: Client,
        proxy: ReverseProxy,
    ) -> None:
        self._pods = pods
        self._services = services
        self._nodes = nodes
        self._kubelets = kubelets
        self._resolver = resolver
        self._client = client
        self._proxy = proxy
        self._unverified = unverified()

    async def pod(self, request: Request) -> Response:
        """pods/proxy: to the pod's address; without a port to its first declared one."""
        target = _target(request, "pod")
        await self._admit(self._pods, request)
        pod: Document = msgspec.json.decode((await self._pods.get(request.info.namespace, target.name)).body)
        address = (pod.get("status") or {}).get("podIP") or ""
        if not is_public(address):
            raise failures.bad_request("address not allowed")
        port = target.port or _first_port(pod)
        if port and not port.isdigit():
            raise failures.service_unavailable(f"error trying to reach service: unknown port {quoted(port)}")
        return await self._to(request, self._backend(target.scheme, address, port))

    async def service(self, request: Request) -> Response:
        """services/proxy: to one of the ready pods behind a port, which is a number or a name."""
        target, namespace = _target(request, "service"), request.info.namespace
        await self._admit(self._services, request)
        found = await self._resolver.resolve(namespace, target.name, target.port)
        if not is_public(found.host) or not await self._is_pod(namespace, found.host):
            raise failures.service_unavailable(f"no endpoints available for service {quoted(request.info.name)}")
        return await self._to(request, self._backend(target.scheme, found.host, str(found.port)))

    async def node(self, request: Request) -> Response:
        """nodes/proxy: to the kubelet with this server's credentials; to another port of the node without."""
        target = _target(request, "node")
        await self._admit(self._nodes, request)
        kubelet = await self._kubelets.of(target.name)
        if not target.port or target.port == str(kubelet.port):
            return await self._to(request, kubelet)
        if not is_public(kubelet.host):
            raise failures.bad_request("address not allowed")
        return await self._to(request, self._backend(target.scheme, kubelet.host, target.port))

    def _backend(self, scheme: str, host: str, port: str) -> Backend:
        if scheme == "https":
            return Backend(host, int(port or 443), self._unverified)
        return Backend(host, int(port or 80))

    async def _admit(self, registry: Registry, request: Request) -> None:
        info = request.info
        declared = registry.resource.subresource(info.subresource)
        asked = connect_options(declared, request.query_string, unquote(info.rest))
        options = WriteOptions(request.user, annotations=request.annotations)
        await registry.admit("CONNECT", info.subresource, info.namespace, info.name, asked, options)

    async def _is_pod(self, namespace: str, address: str) -> bool:
        """Endpoints are anybody's to write who may; what they name must be a pod to be proxied to."""
        return bool((await self._client.list(PODS, namespace, field_selector=f"status.podIP={address}")).items)

    async def _to(self, request: Request, backend: Backend) -> Response:
        rest = request.info.rest
        if not rest and not request.upgrade and request.method in ("GET", "HEAD"):
            # Relative links of the page have to stay below the proxy's own path.
            query = f"?{request.query_string}" if request.query_string else ""
            return Reply(301, b"", "", (("Location", f"{request.raw_path}/{query}"),))
        prefix = request.raw_path.removesuffix(rest)
        hosts = frozenset({backend.address, f"{backend.host}:{backend.port}", request.headers.get("Host", "")})
        return await self._proxy.pass_on(request, backend, rest or "/", Links(prefix, hosts))


class _Target(NamedTuple):
    scheme: str
    name: str
    port: str


def _target(request: Request, kind: str) -> _Target:
    """`name`, `name:port` or `scheme:name:port`. Raises StatusError 400."""
    name = request.info.name
    parts = name.split(":")
    match parts:
        case [only] if only:
            return _Target("http", only, "")
        case [only, port] if only:
            return _Target("http", only, port)
        case ["" | "http" | "https" as scheme, only, port] if only:
            return _Target(scheme or "http", only, port)
    raise failures.bad_request(f"invalid {kind} request {quoted(name)}")


def _first_port(pod: Document) -> str:
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            return str(port["containerPort"])
    return ""
