"""Connections through the server: logs, exec, attach and port-forward to kubelets; proxying to pods, services, nodes.

WebSocket frames are passed on unread in both directions with the subprotocol the two ends agree on (v5.channel.k8s.io
and its predecessors, SPDY/3.1+portforward.k8s.io), so what a channel means is the client's and the kubelet's. Not here:
the streams themselves (kubelet, kubectl).
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import web

from proa.apiserver.identity import User
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.registry import Registry
from proa.apiserver.reply import Reply, Stream
from proa.apiserver.requestinfo import RequestInfo
from proa.apiserver.server import Request, Response
from proa.machinery import status as failures

STREAM_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io")
LOG_PROTOCOLS = ("binary.k8s.io",)
FORWARD_PROTOCOLS = ("SPDY/3.1+portforward.k8s.io",)
_ADDRESS_TYPES = ("InternalIP", "Hostname", "InternalDNS", "ExternalDNS", "ExternalIP")
_KUBELET_PORT = 10250
_CONNECT_SECONDS = 10.0
# Headers that belong to one connection (RFC 9110 7.6.1), and what the next hop sets itself.
_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
     "upgrade", "host", "content-length", "authorization", "accept-encoding"}
)  # fmt: skip
_LOG_QUERY = {"follow", "previous", "timestamps", "sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream",
              "insecureSkipTLSVerifyBackend", "pretty", "container"}  # fmt: skip


class ConnectHandlers:
    """`kubelet_tls` authenticates this server to kubelets and verifies them; None: they are not reachable."""

    def __init__(
        self,
        pods: Registry,
        nodes: Registry,
        services: Registry,
        slices: Registry,
        may: Callable[[User, RequestInfo], Awaitable[None]],
        kubelet_tls: ssl.SSLContext | None,
    ) -> None:
        self._pods = pods
        self._nodes = nodes
        self._services = services
        self._slices = slices
        self._may = may
        self._tls = kubelet_tls
        self._session: aiohttp.ClientSession | None = None
        self._open = 0

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def statistics(self) -> dict[str, int]:
        return {"open": self._open}

    # -- pods -----------------------------------------------------------------------------------------------------

    async def log(self, request: Request) -> Response:
        """GET pods/log: the kubelet's answer, streamed."""
        unknown = request.query.keys() - _LOG_QUERY
        if unknown:
            raise failures.bad_request(f"unknown log options: {', '.join(sorted(unknown))}")
        info, query = request.info, dict(request.query)
        pod = await self._pod(info.namespace, info.name)
        container = _container(pod, query.pop("container", ""), "log")
        if not pod["spec"].get("nodeName"):
            return Reply(200, b"", "text/plain")
        url = await self._kubelet(pod) + f"/containerLogs/{info.namespace}/{info.name}/{container}"
        response = await self._fetch("GET", url, query, {})
        if response.status != 200:
            raise await _kubelet_failure(response)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._log_over_websocket(request, response)
        return Stream(self._body(response), content_type=response.headers.get("Content-Type", "text/plain"))

    async def _log_over_websocket(self, request: Request, response: aiohttp.ClientResponse) -> Response:
        """The same bytes in binary messages, until the log ends or the client leaves."""
        front = web.WebSocketResponse(protocols=LOG_PROTOCOLS, compress=False)
        await front.prepare(request.websocket_request())

        async def send() -> None:
            async for chunk in self._body(response):
                await front.send_bytes(chunk)

        sending, leaving = asyncio.create_task(send()), asyncio.create_task(front.receive())
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            whole = sending.done() and sending.exception() is None
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        await front.close(code=aiohttp.WSCloseCode.OK if whole else aiohttp.WSCloseCode.INTERNAL_ERROR)
        return front

    async def exec(self, request: Request) -> Response:
        """pods/exec over a WebSocket."""
        if not request.query_values("command"):
            raise failures.bad_request("you must specify at least 1 command for the container")
        return await self._channel(request, "exec")

    async def attach(self, request: Request) -> Response:
        """pods/attach over a WebSocket."""
        return await self._channel(request, "attach")

    async def portforward(self, request: Request) -> Response:
        """pods/portforward: SPDY/3.1 inside of a WebSocket, passed on as it is."""
        info = request.info
        pod = await self._connecting(request)
        url = await self._kubelet(pod) + f"/portForward/{info.namespace}/{info.name}"
        return await self._websocket(request, url, FORWARD_PROTOCOLS)

    async def _channel(self, request: Request, kind: str) -> Response:
        info = request.info
        pod = await self._connecting(request)
        container = _container(pod, request.query.get("container", ""), kind)
        query: list[tuple[str, str]] = [("command", each) for each in request.query_values("command")]
        # The kubelet's names of the streams are older than the API's.
        for ours, theirs in (("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")):
            if request.query.get(ours, "").lower() in ("true", "1"):
                query.append((theirs, "1"))
        if not any(key in ("input", "output", "error") for key, _ in query):
            raise failures.bad_request("you must specify at least 1 of stdin, stdout, stderr")
        url = await self._kubelet(pod) + f"/{kind}/{info.namespace}/{info.name}/{container}?{urlencode(query)}"
        return await self._websocket(request, url, STREAM_PROTOCOLS)

    async def _connecting(self, request: Request) -> Document:
        """The pod, after admission of a connection to it."""
        info = request.info
        if info.verb == "get":  # a WebSocket opens with GET, but to read pods is not to run things in them
            await self._may(request.user, info._replace(verb="create"))
        options = WriteOptions(request.user, document=dict(request.query))
        pod = await self._pod(info.namespace, info.name)
        await self._pods.admit("CONNECT", info.subresource, info.namespace, info.name, None, options)
        if not pod["spec"].get("nodeName"):
            raise failures.bad_request(f"pod {info.name} does not have a host assigned")
        return pod

    async def _websocket(self, request: Request, url: str, protocols: Sequence[str]) -> Response:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise failures.bad_request("unable to upgrade: this connection is made over a WebSocket")
        offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        common = [each for each in offered if each in protocols]
        if not common:
            raise failures.bad_request(f"unable to upgrade: subprotocols served are {', '.join(protocols)}")
        try:
            backend = await self._client().ws_connect(
                url, protocols=common, ssl=self._kubelet_tls(), max_msg_size=0, autoclose=True, timeout=_ws_timeout()
            )
        except aiohttp.WSServerHandshakeError as error:
            raise failures.internal_error(
                f"the kubelet refused the connection: {error.status} {error.message}"
            ) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.internal_error(f"error dialing backend: {error}") from None
        try:
            front = web.WebSocketResponse(protocols=(backend.protocol or common[0],), max_msg_size=0, compress=False)
            await front.prepare(request.websocket_request())
            self._open += 1
            try:
                await pass_both_ways(front, backend)
            finally:
                self._open -= 1
            return front
        finally:
            await backend.close()

    # -- proxy ----------------------------------------------------------------------------------------------------

    async def pod_proxy(self, request: Request) -> Response:
        """pods/proxy: `[scheme:]name[:port]`, HTTP to the pod's address."""
        scheme, name, port = _split_target(request.info.name)
        pod = await self._pod(request.info.namespace, name)
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            raise failures.service_unavailable(f"pod {name} has no address yet")
        number = _pod_port(pod, port)
        return await self._proxy(request, f"{scheme}://{_bracketed(address)}:{number}", None)

    async def service_proxy(self, request: Request) -> Response:
        """services/proxy: `[scheme:]name[:port]`, HTTP to a ready endpoint."""
        scheme, name, port = _split_target(request.info.name)
        namespace = request.info.namespace
        service: Document = msgspec.json.decode((await self._services.get(namespace, name)).body)
        wanted = _service_port(service, port)
        prefix = self._slices.under(namespace)
        for item in (await self._slices.cache.items(prefix)).items:
            piece: Document = msgspec.json.decode(item.body)
            if (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != name:
                continue
            number = next((each["port"] for each in piece.get("ports") or [] if each.get("name", "") == wanted), None)
            for endpoint in piece.get("endpoints") or []:
                ready = (endpoint.get("conditions") or {}).get("ready")
                if number is not None and ready is not False and endpoint.get("addresses"):
                    return await self._proxy(
                        request, f"{scheme}://{_bracketed(endpoint['addresses'][0])}:{number}", None
                    )
        raise failures.service_unavailable(f'no endpoints available for service "{request.info.name}"')

    async def node_proxy(self, request: Request) -> Response:
        """nodes/proxy: HTTPS to the kubelet, with this server's credentials."""
        _, name, port = _split_target(request.info.name)
        base = await self._node_url(name)
        if port:
            base = f"{base.rpartition(':')[0]}:{port}"
        return await self._proxy(request, base, self._kubelet_tls())

    async def _proxy(self, request: Request, base: str, tls: ssl.SSLContext | None) -> Response:
        if request.upgrade:
            raise failures.not_implemented("upgrading a proxied connection is not served yet")
        if not request.info.rest and request.method in ("GET", "HEAD"):
            # Relative links of the page have to stay below the proxy's own path.
            query = f"?{request.query_string}" if request.query_string else ""
            return Reply(301, b"", "text/plain", (("Location", f"{request.raw_path}/{query}"),))
        url = base + (request.info.rest or "/")
        if request.query_string:
            url += "?" + request.query_string
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP}
        headers["X-Forwarded-Uri"] = request.raw_path
        data = _chunks(request) if request.method in ("POST", "PUT", "PATCH") else None
        try:
            response = await self._client().request(
                request.method, url, headers=headers, data=data, ssl=tls if tls is not None else False,
                allow_redirects=False, timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            )  # fmt: skip
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.service_unavailable(f"error trying to reach service: {error}") from None
        kept = tuple(
            (key, value)
            for key, value in response.headers.items()
            if key.lower() not in _HOP and key.lower() not in ("content-type", "date", "cache-control")
        )
        kind = response.headers.get("Content-Type", "")
        return Stream(self._body(response), content_type=kind, headers=kept, status=response.status)

    # -- kubelets -------------------------------------------------------------------------------------------------

    async def _pod(self, namespace: str, name: str) -> Document:
        pod: Document = msgspec.json.decode((await self._pods.get(namespace, name)).body)
        return pod

    async def _kubelet(self, pod: Document) -> str:
        return await self._node_url(pod["spec"]["nodeName"])

    async def _node_url(self, name: str) -> str:
        node: Document = msgspec.json.decode((await self._nodes.get("", name)).body)
        status = node.get("status") or {}
        addresses = {each["type"]: each["address"] for each in reversed(status.get("addresses") or [])}
        address = next((addresses[kind] for kind in _ADDRESS_TYPES if kind in addresses), None)
        if address is None:
            raise failures.internal_error(f'no preferred addresses found for node "{name}"')
        endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
        return f"https://{_bracketed(address)}:{endpoint.get('Port') or _KUBELET_PORT}"

    def _kubelet_tls(self) -> ssl.SSLContext:
        if self._tls is None:
            raise failures.not_implemented("this API server was given no credentials for kubelets")
        return self._tls

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False)
        return self._session

    async def _fetch(
        self, method: str, url: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        try:
            return await self._client().request(
                method, url, params=query, headers=headers, ssl=self._kubelet_tls(), timeout=timeout
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.internal_error(f"Get {url!r}: {error}") from None

    async def _body(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async for chunk in response.content.iter_any():
                yield chunk
        finally:
            self._open -= 1
            response.close()


async def pass_both_ways(front: web.WebSocketResponse, backend: aiohttp.ClientWebSocketResponse) -> None:
    """Frames in both directions until one side closes; its close code goes to the other.

    A side that is lost without a closing handshake ends the other with 1011, so a client sees that something broke.
    """

    async def pass_on(source: Any, target: Any) -> None:
        while True:
            message = await source.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                await target.send_bytes(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                await target.send_str(message.data)
            elif message.type is aiohttp.WSMsgType.CLOSE:
                # Not `close_code`: that turns into 1006, which no frame may carry, when the peer does not await ours.
                await target.close(code=message.data or aiohttp.WSCloseCode.OK)
                return
            else:
                await target.close(code=aiohttp.WSCloseCode.INTERNAL_ERROR)
                return

    directions = [asyncio.create_task(pass_on(front, backend)), asyncio.create_task(pass_on(backend, front))]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in directions:
            each.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        await front.close()


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.payload.iter_any():
        yield chunk


async def _kubelet_failure(response: aiohttp.ClientResponse) -> failures.StatusError:
    body = await response.read()
    return failures.StatusError(failures.decode_status(body, response.status))


def _ws_timeout() -> aiohttp.ClientWSTimeout:
    return aiohttp.ClientWSTimeout(ws_receive=None, ws_close=5.0)


def _container(pod: Document, wanted: str, what: str) -> str:
    """The container to connect to: the one asked for, the annotated default, or the only one. Raises StatusError."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    ordinary = [each["name"] for each in spec.get("containers") or []]
    every = [each["name"] for part in ("initContainers", "containers", "ephemeralContainers")
             for each in spec.get(part) or []]  # fmt: skip
    if wanted:
        if wanted not in every:
            raise failures.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    default: str = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container", "")
    if default in ordinary:
        return default
    if len(ordinary) == 1 or (ordinary and what != "log"):
        return str(ordinary[0])
    raise failures.bad_request(
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(ordinary)}]"
    )


def _split_target(name: str) -> tuple[str, str, str]:
    """(scheme, name, port) of `name`, `name:port`, `scheme:name:port`."""
    parts = name.split(":")
    if len(parts) == 3 and parts[0] in ("", "http", "https"):
        return parts[0] or "http", parts[1], parts[2]
    if len(parts) <= 2:
        return "http", parts[0], parts[1] if len(parts) == 2 else ""
    raise failures.bad_request(f"invalid proxy target {name!r}: use name, name:port or scheme:name:port")


def _pod_port(pod: Document, port: str) -> int:
    declared = [each for container in pod["spec"].get("containers") or [] for each in container.get("ports") or []]
    if not port:
        return int(declared[0]["containerPort"]) if declared else 80
    if port.isdigit():
        return int(port)
    for each in declared:
        if each.get("name") == port:
            return int(each["containerPort"])
    raise failures.bad_request(f"pod {pod['metadata']['name']} has no port named {port!r}")


def _service_port(service: Document, port: str) -> str:
    """The name under which endpoint slices list the port."""
    ports = service["spec"].get("ports") or []
    for each in ports:
        if not port and len(ports) == 1:
            return str(each.get("name", ""))
        if port and port in (each.get("name", ""), str(each.get("port"))):
            return str(each.get("name", ""))
    raise failures.service_unavailable(f"service {service['metadata']['name']} has no port {port!r}")


def _bracketed(address: str) -> str:
    try:
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address
