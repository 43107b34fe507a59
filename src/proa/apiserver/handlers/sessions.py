"""Connections to kubelets: logs, exec, attach and port-forward of pods.

WebSocket frames are passed on unread in both directions with the subprotocol the two ends agree on (v5.channel.k8s.io
and its predecessors, SPDY/3.1+portforward.k8s.io), so what a channel means is the client's and the kubelet's. Not here:
the streams themselves (kubelet, kubectl).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp.web_ws import WebSocketResponse

from proa.apiserver.connecting import connect_options
from proa.apiserver.identity import User
from proa.apiserver.kubelets import Kubelets
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.proxying.backend import Backend
from proa.apiserver.proxying.reverse import ReverseProxy
from proa.apiserver.proxying.websockets import pass_both_ways
from proa.apiserver.registry import Registry
from proa.apiserver.reply import Reply, Stream
from proa.apiserver.request import Request, Response
from proa.apiserver.requestinfo import RequestInfo
from proa.machinery import status as failures

STREAM_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io")
LOG_PROTOCOLS = ("binary.k8s.io",)
FORWARD_PROTOCOLS = ("SPDY/3.1+portforward.k8s.io",)
_LOG_QUERY = {"follow", "previous", "timestamps", "sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream",
              "insecureSkipTLSVerifyBackend", "pretty", "container"}  # fmt: skip


class PodSessions:
    """The handlers of pods' streaming subresources."""

    def __init__(
        self,
        pods: Registry,
        kubelets: Kubelets,
        proxy: ReverseProxy,
        may: Callable[[User, RequestInfo], Awaitable[None]],
    ) -> None:
        self._pods = pods
        self._kubelets = kubelets
        self._proxy = proxy
        self._may = may
        self.open = 0

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
        kubelet = await self._kubelets.of(pod["spec"]["nodeName"])
        response = await self._fetch(kubelet, f"/containerLogs/{info.namespace}/{info.name}/{container}", query)
        if response.status != 200:
            raise await _kubelet_failure(response)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._log_over_websocket(request, response)
        return Stream(self._body(response), content_type=response.headers.get("Content-Type", "text/plain"))

    async def _log_over_websocket(self, request: Request, response: aiohttp.ClientResponse) -> Response:
        """The same bytes in binary messages, until the log ends or the client leaves."""
        front = WebSocketResponse(protocols=LOG_PROTOCOLS, compress=False)
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
        pod, _ = await self._connecting(request)
        kubelet = await self._kubelets.of(pod["spec"]["nodeName"])
        return await self._websocket(request, kubelet, f"/portForward/{info.namespace}/{info.name}", FORWARD_PROTOCOLS)

    async def _channel(self, request: Request, kind: str) -> Response:
        info = request.info
        pod, asked = await self._connecting(request)
        container = _container(pod, asked.get("container", ""), kind)
        query: list[tuple[str, str]] = [("command", each) for each in asked.get("command", ())]
        # The kubelet's names of the streams are older than the API's.
        for ours, theirs in (("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")):
            if asked.get(ours):
                query.append((theirs, "1"))
        if not any(key in ("input", "output", "error") for key, _ in query):
            raise failures.bad_request("you must specify at least 1 of stdin, stdout, stderr")
        kubelet = await self._kubelets.of(pod["spec"]["nodeName"])
        path = f"/{kind}/{info.namespace}/{info.name}/{container}?{urlencode(query)}"
        return await self._websocket(request, kubelet, path, STREAM_PROTOCOLS)

    async def _connecting(self, request: Request) -> tuple[Document, Document]:
        """The pod, and what is asked for, after admission of a connection to it."""
        info = request.info
        if info.verb == "get":  # a WebSocket opens with GET, but to read pods is not to run things in them
            await self._may(request.user, info._replace(verb="create"))
        asked = connect_options(self._pods.resource.subresource(info.subresource), request.query_string)
        pod = await self._pod(info.namespace, info.name)
        options = WriteOptions(request.user, annotations=request.annotations)
        await self._pods.admit("CONNECT", info.subresource, info.namespace, info.name, asked, options)
        if not pod["spec"].get("nodeName"):
            raise failures.bad_request(f"pod {info.name} does not have a host assigned")
        return pod, asked

    async def _websocket(self, request: Request, kubelet: Backend, path: str, protocols: Sequence[str]) -> Response:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise failures.bad_request("unable to upgrade: this connection is made over a WebSocket")
        offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        common = [each for each in offered if each in protocols]
        if not common:
            raise failures.bad_request(f"unable to upgrade: subprotocols served are {', '.join(protocols)}")
        try:
            backend = await self._proxy.session.ws_connect(
                kubelet.base + path,
                protocols=common,
                ssl=kubelet.ssl,
                max_msg_size=0,
                autoclose=True,
                timeout=aiohttp.ClientWSTimeout(ws_receive=None, ws_close=5.0),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise failures.internal_error(
                f"the kubelet refused the connection: {error.status} {error.message}"
            ) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.internal_error(f"error dialing backend: {error}") from None
        try:
            front = WebSocketResponse(protocols=(backend.protocol or common[0],), max_msg_size=0, compress=False)
            await front.prepare(request.websocket_request())
            self.open += 1
            try:
                await pass_both_ways(front, backend)
            finally:
                self.open -= 1
            return front
        finally:
            await backend.close()

    async def _pod(self, namespace: str, name: str) -> Document:
        pod: Document = msgspec.json.decode((await self._pods.get(namespace, name)).body)
        return pod

    async def _fetch(self, kubelet: Backend, path: str, query: Mapping[str, str]) -> aiohttp.ClientResponse:
        url = kubelet.base + path
        try:
            return await self._proxy.session.get(url, params=query, ssl=kubelet.ssl)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.internal_error(f"Get {url!r}: {error}") from None

    async def _body(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            async for chunk in response.content.iter_any():
                yield chunk
        finally:
            self.open -= 1
            response.close()


async def _kubelet_failure(response: aiohttp.ClientResponse) -> failures.StatusError:
    body = await response.read()
    return failures.StatusError(failures.decode_status(body, response.status))


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
