"""What a request to the API server costs, beside the same bytes from a bare aiohttp-over-TLS handler.

python benches/api.py [--seconds S] [--store sqlite|memory] [--only get,configmap,pod,list] [--profile FILE]

Both servers are processes of their own; the load is a client that does little but read and write, so that the server
is the limit. A plain script: it prints figures and asserts nothing about them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import itertools
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import uvloop

TOKEN = "bench"
PODS = 16_000


@dataclass(frozen=True)
class Figure:
    """One measurement: proa's rate, and its ratio to bare's."""

    name: str
    value: float
    unit: str
    ratio: float


def pod(name: str) -> dict[str, object]:
    """A pod of two containers, about 2.4 KB as stored."""
    container = {
        "image": "registry.example.org/team/service:v1.2.3",
        "ports": [{"containerPort": 8080, "name": "http"}],
        "env": [
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "A", "value": "b"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/service"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web", "tier": "front"}, "annotations": {"note": "x" * 64}},
        "spec": {
            "containers": [{**container, "name": "web"}, {**container, "name": "side", "ports": []}],
            "volumes": [{"name": "config", "configMap": {"name": "service"}}],
        },
    }


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "v" * 200}}


# --- the load ---


class _Connection(asyncio.Protocol):
    """A keep-alive connection that knows just enough HTTP: one request at a time, a body with Content-Length."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[bytes] | None = None
        self._parts: list[bytes] = []
        self._missing = 0
        self._head = b""
        self.transport: asyncio.Transport = None  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data = self._head[:end], self._head[end + 4 :]
            self._head = b""
            at = head.lower().index(b"content-length: ") + 16
            stop = head.find(b"\r", at)
            self._status = head[9:12]
            self._missing = int(head[at : stop if stop > 0 else None])
            self._parts = []
        self._parts.append(data)
        self._missing -= len(data)
        if not self._missing and self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_result(self._status)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError("closed"))

    def send(self, request: bytes) -> asyncio.Future[bytes]:
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._waiter

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nAccept: application/json\r\n"
    )
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


async def _connect(port: int) -> _Connection:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port, ssl=context)
    return connection


async def load(port: int, connections: int, seconds: float, requests: Iterator[bytes]) -> float:
    """Answers a second; anything but a 2xx is an error."""
    opened = [await _connect(port) for _ in range(connections)]
    done = 0
    end = time.perf_counter() + seconds

    async def worker(connection: _Connection) -> None:
        nonlocal done
        while time.perf_counter() < end:
            status = await connection.send(next(requests))
            if status[:1] != b"2":
                raise RuntimeError(f"answered {status.decode()}: {connection.body[:500].decode()}")
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*map(worker, opened))
    rate = done / (time.perf_counter() - start)
    for connection in opened:
        connection.transport.close()
    return rate


async def once(port: int, request: bytes) -> bytes:
    connection = await _connect(port)
    await connection.send(request)
    connection.transport.close()
    return connection.body


# --- the servers ---


def _tls(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    return context


def _certificate(directory: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.pem").write_bytes(certificate.public_bytes(pem) + secret)


async def serve_bare(directory: Path) -> None:
    """aiohttp alone: reads the body, answers with bytes it was given by PUT /."""
    from aiohttp import web

    held = {"body": b"{}"}

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.method == "PUT":
            held["body"] = body
        return web.Response(body=held["body"], content_type="application/json")

    server = web.Server(handle, access_log=None)

    def big(*args: object) -> web.BaseRequest:
        return web.BaseRequest(*args, asyncio.get_running_loop(), client_max_size=1 << 30)  # type: ignore[arg-type]

    server.request_factory = big
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=_tls(directory))
    print(listener.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def serve_proa(directory: Path, kind: str) -> None:
    from proa.apiserver.compose import ApiServer, Config
    from proa.apiserver.identity import AUTHENTICATED, MASTERS, Credentials, User
    from proa.store.memory import MemoryStore
    from proa.store.sqlite import SqliteStore

    class Known:
        async def authenticate(self, credentials: Credentials) -> User | None:
            return User("bench", groups=(MASTERS, AUTHENTICATED)) if credentials.token == TOKEN else None

    store = MemoryStore() if kind == "memory" else await SqliteStore.open(directory / "store")
    server = ApiServer(Config(store, tls=_tls(directory), port=0))
    await server.load()
    server.install(authenticators=[Known()])
    await server.listen()
    print(server.port, flush=True)
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def child(role: str, directory: Path, *more: str) -> AsyncIterator[int]:
    """A server process of this script; its port."""
    command = [sys.executable, __file__, "--role", role, "--directory", str(directory), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        yield int(line)
    finally:
        process.terminate()
        process.wait()


# --- the measurements ---


async def measure(seconds: float, store: str, only: set[str], profile: str) -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        _certificate(directory)
        more = ["--store", store, *(["--profile", profile] if profile else [])]
        async with child("proa", directory, *more) as proa, child("bare", directory) as bare:
            pods = "/api/v1/namespaces/default/pods"
            created = _request("POST", pods, json.dumps(pod("one")).encode())
            await once(proa, created)
            one = _request("GET", f"{pods}/one")

            async def pair(name: str, connections: int, ours: Callable[[], Iterator[bytes]], answer: bytes) -> None:
                await once(bare, _request("PUT", "/", answer))
                theirs = await load(bare, connections, seconds, ours())
                rate = await load(proa, connections, seconds, ours())
                figures.append(Figure(name, rate, "/s", rate / theirs))
                print(f"{name:<44} {rate:>9,.1f}/s   bare {theirs:>9,.1f}/s   ratio {rate / theirs:.2f}", flush=True)

            if "get" in only:
                await pair("GET one pod, 32 connections", 32, lambda: itertools.repeat(one), await once(proa, one))
            numbers = itertools.count()
            if "configmap" in only:
                maps = "/api/v1/namespaces/default/configmaps"
                sample = _request("POST", maps, json.dumps(config_map("first")).encode())

                def posts() -> Iterator[bytes]:
                    for number in numbers:
                        yield _request("POST", maps, msgspec.json.encode(config_map(f"c-{number}")))

                await pair("create ConfigMap, 64 connections", 64, posts, await once(proa, sample))
            if "pod" in only:
                sample = _request("POST", pods, json.dumps(pod("first")).encode())

                def pod_posts() -> Iterator[bytes]:
                    for number in numbers:
                        yield _request("POST", pods, msgspec.json.encode(pod(f"p-{number}")))

                await pair("create Pod, 64 connections", 64, pod_posts, await once(proa, sample))
            if "list" in only:
                await _fill(proa, directory)
                path = "/api/v1/namespaces/filled/pods"
                whole = await once(proa, _request("GET", path))
                await pair(
                    f"LIST {PODS:,} pods ({len(whole) / 1e6:.0f} MB), 2 connections", 2,
                    lambda: itertools.repeat(_request("GET", path)), whole,
                )  # fmt: skip
    return figures


async def _fill(port: int, directory: Path) -> None:
    """PODS pods in a namespace of their own."""
    await once(port, _request("POST", "/api/v1/namespaces", b'{"metadata":{"name":"filled"}}'))
    path = "/api/v1/namespaces/filled/pods"
    opened = [await _connect(port) for _ in range(64)]
    names = iter(range(PODS))

    async def worker(connection: _Connection) -> None:
        for number in names:
            status = await connection.send(_request("POST", path, msgspec.json.encode(pod(f"pod-{number:06}"))))
            assert status == b"201", connection.body

    await asyncio.gather(*map(worker, opened))
    for connection in opened:
        connection.transport.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--store", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--only", default="get,configmap,pod,list")
    parser.add_argument("--profile", default="", help="cProfile of the server, written here when it ends")
    parser.add_argument("--role", choices=("proa", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role is None:
        uvloop.run(measure(options.seconds, options.store, set(options.only.split(",")), options.profile))
        return
    directory = Path(options.directory)
    serve = serve_bare(directory) if options.role == "bare" else serve_proa(directory, options.store)
    profiler = cProfile.Profile() if options.profile else None

    async def until_told() -> None:
        import signal

        task = asyncio.ensure_future(serve)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    if profiler is not None:
        profiler.enable()
    uvloop.run(until_told())
    if profiler is not None:
        profiler.disable()
        profiler.dump_stats(options.profile)


if __name__ == "__main__":
    main()
