"""The kubelet's HTTPS endpoint, which the API server calls: logs, exec, attach, port-forward, pods, stats, health.

Paths are the ones API servers and scrapers know. Who may call is decided by an injected check of the client's
certificate; everything but /healthz needs it. One endpoint may serve several (simulated) nodes.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from proa.api.core_v1 import PodList
from proa.base.metrics import Source
from proa.kubelet import portforward, streaming
from proa.kubelet.logs import LogOptions, read_log
from proa.kubelet.metrics import KubeletMetrics
from proa.kubelet.summary import resource_metrics, summary
from proa.kubelet.worker import PodWorker
from proa.machinery.meta import ListMeta
from proa.machinery.timestamps import TimeError, to_epoch
from proa.runtime.protocol import ContainerState, ContainerStatus, NotFoundError, RuntimeFault, SandboxState

if TYPE_CHECKING:
    from proa.kubelet.kubelet import Kubelet

log = logging.getLogger(__name__)

Authorize = Callable[[Mapping[str, Any] | None], bool]
"""May the holder of this certificate (as `ssl.SSLSocket.getpeercert` gives it; None: there is none) call?"""

_OPEN = ("/healthz",)


def certificate_holder(certificate: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    """The user and groups a client certificate stands for: its common name and organizations."""
    user, groups = "", []
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                user = value
            elif name == "organizationName":
                groups.append(value)
    return user, tuple(groups)


class KubeletServer:
    """Serves the pods of `kubelets`. metrics: what else the process tells of itself at /metrics."""

    def __init__(self, kubelets: Collection[Kubelet], authorize: Authorize, metrics: Iterable[Source] = ()) -> None:
        self._kubelets = kubelets
        self._authorize = authorize
        self._runner: web.AppRunner | None = None
        self._requests = 0
        self._metrics = KubeletMetrics(kubelets, metrics)

    def statistics(self) -> dict[str, int]:
        return {"requests": self._requests}

    async def start(self, address: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; the port (useful when 0 was asked for)."""
        app = web.Application(middlewares=[self._guard])
        for pattern, handler in (
            ("/containerLogs/{namespace}/{pod}/{container}", self._logs),
            ("/exec/{namespace}/{pod}/{container}", self._exec),
            ("/exec/{namespace}/{pod}/{uid}/{container}", self._exec),
            ("/attach/{namespace}/{pod}/{container}", self._attach),
            ("/attach/{namespace}/{pod}/{uid}/{container}", self._attach),
            ("/portForward/{namespace}/{pod}", self._port_forward),
            ("/portForward/{namespace}/{pod}/{uid}", self._port_forward),
            ("/pods", self._pods),
            ("/stats/summary", self._summary),
            ("/metrics", self._own_metrics),
            ("/metrics/resource", self._resource_metrics),
            ("/healthz", self._healthz),
        ):
            app.router.add_get(pattern, handler)
            if pattern.startswith(("/exec", "/attach", "/portForward")):
                app.router.add_post(pattern, self._upgrade_required)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, address, port, ssl_context=tls)
        await site.start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    # Before each request

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self._requests += 1
        transport = request.transport
        certificate = transport.get_extra_info("peercert") if transport is not None else None
        if request.path not in _OPEN and not self._authorize(certificate):
            user, _ = certificate_holder(certificate)
            return web.Response(status=403 if certificate else 401, text=f"Forbidden (user={user or 'unknown'})\n")
        try:
            answer: web.StreamResponse = await handler(request)
        except _Refused as refused:
            return web.Response(status=refused.code, text=f"{refused}\n")
        except (RuntimeFault, OSError) as error:
            return web.Response(status=404 if isinstance(error, NotFoundError) else 500, text=f"{error}\n")
        return answer

    def _worker(self, request: web.Request) -> tuple[Kubelet, PodWorker]:
        namespace, name, uid = (request.match_info.get(each, "") for each in ("namespace", "pod", "uid"))
        for kubelet in self._kubelets:
            for worker in kubelet.pods.workers.values():
                meta = worker.pod.metadata
                if meta.name == name and meta.namespace == namespace and uid in ("", meta.uid):
                    return kubelet, worker
        raise _Refused(404, f'pod "{name}_{namespace}" does not exist' if not uid else f'pod "{name}" not found')

    def _running(self, request: web.Request) -> tuple[Kubelet, PodWorker, ContainerStatus]:
        kubelet, worker = self._worker(request)
        name = request.match_info["container"]
        status = worker.state.current(name)
        if status is None or status.state is not ContainerState.RUNNING:
            raise _Refused(404, f'container not found ("{name}")')
        return kubelet, worker, status

    # Logs

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        kubelet, worker = self._worker(request)
        name = request.match_info["container"]
        options = _log_options(request.query, kubelet.services.now())
        previous = _flag(request.query, "previous")
        if not any(each.name == name for each in _all_containers(worker)):
            raise _Refused(404, f'container "{name}" in pod "{worker.pod.metadata.name}" is not available')
        status = worker.state.previous(name) if previous else worker.state.newest(name)
        if status is None and not previous:
            waiting = worker.plan.waiting.get(name)
            reason = waiting.reason if waiting is not None else "ContainerCreating"
            text = f'container "{name}" in pod "{worker.pod.metadata.name}" is waiting to start: {reason}'
            raise _Refused(400, text)
        if status is None:
            raise _Refused(400, f'previous terminated container "{name}" in pod "{worker.pod.metadata.name}" not found')
        path = status.log_path
        if path is None or not path.exists():
            raise _Refused(404, f'the log of container "{name}" is not kept on this node')
        return await self._send_log(request, kubelet, status, path, options)

    async def _send_log(
        self, request: web.Request, kubelet: Kubelet, status: ContainerStatus, path: Path, options: LogOptions
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        if options.follow:
            response.enable_chunked_encoding()
        await response.prepare(request)
        ended = asyncio.Event()
        watching = asyncio.ensure_future(_watch_end(kubelet, status, ended)) if options.follow else None
        try:
            async for chunk in read_log(path, options, ended):
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:
            log.debug("the reader of %s has left", path)
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
        return response

    # Exec, attach, port-forward

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        kubelet, _, status = self._running(request)
        command = request.query.getall("command", [])
        if not command:
            raise _Refused(400, "you must specify at least 1 command to execute")
        wants = _wanted(request.query)
        socket = await _accept(request, streaming.PROTOCOLS)
        try:
            streams = await kubelet.services.runtime.exec(status.id, command, tty=wants["tty"], stdin=wants["stdin"])
        except (RuntimeFault, OSError) as error:
            return await _fail(socket, f"error executing command in container: {error}")
        await streaming.run_session(socket, streams, **wants)
        return socket

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        kubelet, _, status = self._running(request)
        wants = _wanted(request.query)
        wants["tty"] = status.config.tty
        wants["stdin"] = wants["stdin"] and status.config.stdin
        socket = await _accept(request, streaming.PROTOCOLS)
        try:
            streams = await kubelet.services.runtime.attach(status.id)
        except (RuntimeFault, OSError) as error:
            return await _fail(socket, f"error attaching to container: {error}")
        await streaming.run_session(socket, streams, **wants)
        return socket

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        kubelet, worker = self._worker(request)
        sandbox = worker.state.sandbox
        if sandbox is None or sandbox.state is not SandboxState.READY:
            raise _Refused(400, f'unable to forward port because pod is not running: "{worker.pod.metadata.name}"')
        identity = sandbox.id

        async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await kubelet.services.runtime.port_forward(identity, port)

        socket = await _accept(request, (portforward.TUNNEL, *portforward.CHANNELS))
        if socket.ws_protocol == portforward.TUNNEL:
            await portforward.Tunnel(socket, connect).run()
            return socket
        texts = [each for text in request.query.getall("port", []) for each in text.split(",")]
        ports = [int(each) for each in texts if each.isdigit() and 0 < int(each) < 65536]
        if not ports or len(ports) != len(texts):
            await socket.close(code=1002, message=b"query parameter port is needed: numbers of 1 to 65535")
            return socket
        await portforward.run_channels(socket, connect, ports)
        return socket

    async def _upgrade_required(self, request: web.Request) -> web.Response:
        return web.Response(status=501, text="only WebSocket connections (GET with Upgrade: websocket) are served\n")

    # What there is

    async def _pods(self, request: web.Request) -> web.Response:
        pods = [worker.pod for kubelet in self._kubelets for worker in kubelet.pods.workers.values()]
        body = msgspec.json.encode(PodList(metadata=ListMeta(), items=tuple(pods)))
        return web.Response(body=body, content_type="application/json")

    async def _summary(self, request: web.Request) -> web.Response:
        body = msgspec.json.encode(await summary(self._kubelets))
        return web.Response(body=body, content_type="application/json")

    async def _own_metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=await self._metrics.exposition(), content_type="text/plain", charset="utf-8")

    async def _resource_metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=await resource_metrics(self._kubelets), content_type="text/plain")

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


async def _accept(request: web.Request, protocols: Iterable[str]) -> web.WebSocketResponse:
    """Upgrade, in a protocol the client offers; refused when it offers none of ours."""
    ours = tuple(protocols)
    offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise _Refused(400, "Upgrade request required")
    if not any(each in ours for each in offered):
        raise _Refused(403, f"unable to upgrade: none of {', '.join(ours)} was offered in Sec-WebSocket-Protocol")
    socket = web.WebSocketResponse(protocols=ours, max_msg_size=0, compress=False, autoping=True, timeout=1.0)
    await socket.prepare(request)
    return socket


async def _fail(socket: web.WebSocketResponse, message: str) -> web.WebSocketResponse:
    await socket.send_bytes(bytes((streaming.ERROR,)) + msgspec.json.encode(streaming.failure_status(message)))
    await socket.close()
    return socket


def _flag(query: Mapping[str, str], *names: str) -> bool:
    return any(query.get(name, "").lower() in ("1", "true") for name in names)


def _wanted(query: Mapping[str, str]) -> dict[str, bool]:
    """Kubelets call the streams input, output and error; the API calls them stdin, stdout and stderr. Both are read."""
    return {
        "stdin": _flag(query, "input", "stdin"),
        "stdout": _flag(query, "output", "stdout"),
        "stderr": _flag(query, "error", "stderr"),
        "tty": _flag(query, "tty"),
    }


def _log_options(query: Mapping[str, str], now: float) -> LogOptions:
    try:
        since = None
        if "sinceSeconds" in query:
            since = now - int(query["sinceSeconds"])
        elif query.get("sinceTime"):
            since = to_epoch(query["sinceTime"])
        return LogOptions(
            follow=_flag(query, "follow"),
            tail=int(query["tailLines"]) if "tailLines" in query else None,
            since=since,
            limit=int(query["limitBytes"]) if "limitBytes" in query else None,
            timestamps=_flag(query, "timestamps"),
            stream=query.get("stream") or "All",
        )
    except (ValueError, TimeError) as error:
        raise _Refused(400, f"invalid log options: {error}") from error


def _all_containers(worker: PodWorker) -> list[Any]:
    spec = worker.pod.spec
    return [*spec.containers, *spec.initContainers, *spec.ephemeralContainers]


async def _watch_end(kubelet: Kubelet, status: ContainerStatus, ended: asyncio.Event) -> None:
    """Set `ended` when the container has exited."""
    runtime = kubelet.services.runtime
    events = runtime.events()
    try:
        now = await runtime.container(status.id)
    except NotFoundError:
        ended.set()
        return
    if now.state is ContainerState.EXITED:
        ended.set()
        return
    async for event in events:
        if event.container_id == status.id and event.kind in ("stopped", "deleted"):
            ended.set()
            return
