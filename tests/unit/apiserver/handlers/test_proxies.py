from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.unit.apiserver.conftest import Tokens, options, pod

from proa.api.core_v1.resources import NODES, PODS, SERVICES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.handlers import proxies
from proa.store.memory import MemoryStore

PAGE = '<a href="/next">x</a><script>"<a href=\'/kept\'>"</script><img src=pic.png><!-- <a href="/kept"> -->'
POD = "/api/v1/namespaces/default/pods"
SERVICE = "/api/v1/namespaces/default/services"


class Backend:
    """A pod that says what it was sent."""

    def __init__(self) -> None:
        self.headers: Any = {}
        self.asked: list[str] = []
        self.port = 0
        self.gone = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.headers = request.headers
        self.asked.append(str(request.rel_url))
        match request.path:
            case "/page":
                return web.Response(text=PAGE, content_type="text/html")
            case "/packed":
                body = gzip.compress(PAGE.encode())
                return web.Response(body=body, headers={"Content-Type": "text/html", "Content-Encoding": "gzip"})
            case "/moved":
                return web.Response(status=302, headers={"Location": request.query["to"]})
            case "/socket":
                return await self.echo(request)
            case "/slowly":
                return await self.slowly(request)
            case "/refused":
                return web.Response(status=403, text="no upgrade here")
            case _:
                text = f"{request.method} {await request.text()}"
                headers = {"X-Own": "kept", "Access-Control-Allow-Origin": "*", "Set-Cookie": "a=b", "X-Conn": "1",
                           "Connection": "X-Conn"}  # fmt: skip
                return web.Response(text=text, headers=headers)

    async def echo(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("echo",))
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        self.gone.set()
        return socket

    async def slowly(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b"first")
            await asyncio.Event().wait()
        finally:
            self.gone.set()
        return response


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    backend = Backend()
    runner = web.ServerRunner(web.Server(backend.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    backend.port = runner.addresses[0][1]
    yield backend
    await runner.cleanup()


@pytest.fixture
def server(store: MemoryStore) -> ApiServer:
    return ApiServer(Config(store, port=0, kubelet_tls=ssl.create_default_context()))


@pytest.fixture
async def http(
    server: ApiServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a server with one running pod, one service and one node, all at the backend's address."""
    monkeypatch.setattr(proxies, "is_public", lambda address: address == "127.0.0.1")
    await server.load()
    server.install(authenticators=[Tokens()])
    await server.listen()
    ports = [{"containerPort": backend.port}]
    containers = [{"name": "main", "image": "i", "ports": ports}]
    pods = server.registry(PODS)
    await pods.create("default", pod("a", spec={"nodeName": "n", "containers": containers}), options())
    status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
    await pods.patch("default", "a", lambda old: {**old, "status": status}, options(), "status")
    await pods.create("default", pod("nowhere"), options())
    for name in ("s", "empty"):
        service = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80, "name": "web"}]}}
        await server.registry(SERVICES).create("default", service, options())
    await server.registry(ENDPOINT_SLICES).create(
        "default",
        {
            "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
            "addressType": "IPv4",
            "ports": [{"name": "web", "port": backend.port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        },
        options(),
    )
    node_status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 1}},
    }
    await server.registry(NODES).create("", {"metadata": {"name": "n"}}, options())
    await server.registry(NODES).update(
        "", "n", {"metadata": {"name": "n"}, "status": node_status}, options(), "status"
    )
    headers = {"Authorization": "Bearer admin"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=headers) as session:
        yield session
    await server.stop()


@pytest.mark.parametrize("base", [f"{POD}/a", f"{SERVICE}/s", f"{SERVICE}/http:s:web", f"{SERVICE}/s:80"])
@pytest.mark.parametrize("method", ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"])
async def test_every_method_is_passed_on_with_its_body(
    http: aiohttp.ClientSession, backend: Backend, base: str, method: str
) -> None:
    async with http.request(method, f"{base}/proxy/some/p%2Fath?x=y&x=z", data=b"body") as answer:
        assert (answer.status, await answer.text()) == (200, f"{method} body")
    assert backend.asked == ["/some/p%2Fath?x=y&x=z"]


async def test_head_has_no_body_and_the_connection_serves_on(http: aiohttp.ClientSession) -> None:
    for _ in range(2):
        async with http.head(f"{POD}/a/proxy/x") as answer:
            assert (answer.status, answer.headers["X-Own"], await answer.read()) == (200, "kept", b"")
        async with http.get(f"{POD}/a/proxy/x") as answer:
            assert await answer.text() == "GET "


async def test_the_root_ends_with_a_slash_where_links_are_followed(
    http: aiohttp.ClientSession, backend: Backend
) -> None:
    for method in ("GET", "HEAD"):
        async with http.request(method, f"{POD}/a/proxy?a=b", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, f"{POD}/a/proxy/?a=b")
    for path in ("proxy?a=b", "proxy/?a=b"):
        async with http.post(f"{POD}/a/{path}") as answer:
            assert answer.status == 200
    assert backend.asked == ["/?a=b", "/?a=b"]


async def test_a_backend_learns_who_asked_and_nothing_of_the_credentials(
    http: aiohttp.ClientSession, backend: Backend
) -> None:
    headers = {"X-Forwarded-For": "10.1.1.1", "X-Remote-User": "root", "Cookie": "c=d", "Accept": "text/csv",
               "Connection": "keep-alive, X-Mine", "X-Mine": "1"}  # fmt: skip
    async with http.get(f"{POD}/a/proxy/x", headers=headers) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "X-Conn" not in answer.headers
        assert answer.headers["Set-Cookie"] == "a=b"
    seen = backend.headers
    assert not {"Authorization", "X-Remote-User", "X-Mine"} & set(seen)
    assert seen["X-Forwarded-For"] == "10.1.1.1, 127.0.0.1"
    assert seen["X-Forwarded-Uri"] == f"{POD}/a/proxy/x"
    assert (seen["Cookie"], seen["Accept"]) == ("c=d", "text/csv")
    assert seen["Host"] == f"127.0.0.1:{http._base_url.port}"  # type: ignore[union-attr]


async def test_what_one_client_is_sent_is_not_sent_for_another(http: aiohttp.ClientSession, backend: Backend) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer admin"}) as other:
        for session in (http, other):
            async with session.get(http._build_url(f"{POD}/a/proxy/x")) as answer:
                assert answer.status == 200
            assert "Cookie" not in backend.headers


@pytest.mark.parametrize("page", ["page", "packed"])
async def test_links_of_a_page_stay_behind_the_proxy(http: aiohttp.ClientSession, page: str) -> None:
    async with http.get(f"{POD}/a/proxy/{page}") as answer:
        text = await answer.text()
    assert text == PAGE.replace('"/next"', f'"{POD}/a/proxy/next"')


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("/next/?a=b", f"{POD}/a/proxy/next/?a=b"),
        ("next", "next"),
        ("http://127.0.0.1:PORT/next", f"{POD}/a/proxy/next"),
        ("https://elsewhere.example/next", "https://elsewhere.example/next"),
    ],
)
async def test_redirections_stay_behind_the_proxy(
    http: aiohttp.ClientSession, backend: Backend, to: str, location: str
) -> None:
    query = {"to": to.replace("PORT", str(backend.port))}
    async with http.get(f"{POD}/a/proxy/moved", params=query, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, location)


async def test_an_upgraded_connection_passes_both_ways(http: aiohttp.ClientSession, backend: Backend) -> None:
    async with http.ws_connect(f"{SERVICE}/s/proxy/socket", protocols=("echo",)) as socket:
        assert socket.protocol == "echo"
        for message in (b"hello", b"x" * 300_000):
            await socket.send_bytes(message)
            assert await socket.receive_bytes() == message
    await asyncio.wait_for(backend.gone.wait(), 5)


async def test_any_protocol_may_be_upgraded_to(http: aiohttp.ClientSession, backend: Backend) -> None:
    async def own(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Upgrade: SPDY/3.1" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nhi ")
        writer.write(b"you said " + await reader.readexactly(3))
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(own, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    assert http._base_url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", http._base_url.port)
    writer.write(
        f"POST {POD}/a:{port}/proxy/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\nConnection: Upgrade\r\n"
        "Upgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(b"\0\1\2")
    assert await asyncio.wait_for(reader.read(), 5) == b"hi you said \0\1\2"
    writer.close()
    other.close()


async def test_a_refused_upgrade_is_answered_as_the_backend_did(http: aiohttp.ClientSession) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    async with http.post(f"{POD}/a/proxy/refused", headers=headers) as answer:
        assert (answer.status, await answer.text()) == (403, "no upgrade here")
    async with http.post(f"{POD}/a/proxy/x", headers=headers) as answer:
        assert (answer.status, (await answer.json())["message"]) == (
            500,
            "Internal error occurred: invalid upgrade response: status code 200",
        )


async def test_a_stream_arrives_as_it_is_sent_and_ends_with_the_client(
    http: aiohttp.ClientSession, backend: Backend
) -> None:
    async with http.get(f"{POD}/a/proxy/slowly") as answer:
        assert await answer.content.readany() == b"first"
        assert not backend.gone.is_set()
    answer.close()
    await asyncio.wait_for(backend.gone.wait(), 5)


async def test_a_stopping_server_does_not_wait_for_what_it_passes_on(
    http: aiohttp.ClientSession, server: ApiServer, backend: Backend
) -> None:
    async with http.get(f"{POD}/a/proxy/slowly") as answer:
        assert await answer.content.readany() == b"first"
        began = asyncio.get_running_loop().time()
        await server.stop()
        assert asyncio.get_running_loop().time() - began < 1.5
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{POD}/nowhere/proxy/", 400),
        (f"{POD}/a:1/proxy/", 503),
        (f"{POD}/missing/proxy/", 404),
        (f"{POD}/ftp:a:1/proxy/", 400),
        (f"{SERVICE}/empty/proxy/", 503),
        (f"{SERVICE}/s:81/proxy/", 503),
    ],
)
async def test_what_cannot_be_reached_is_said(http: aiohttp.ClientSession, path: str, code: int) -> None:
    async with http.get(path) as answer:
        assert answer.status == code, await answer.text()


async def test_only_pods_and_nodes_are_proxied_to(
    http: aiohttp.ClientSession, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for path, code in ((f"{POD}/a", 400), (f"{SERVICE}/s", 503), (f"/api/v1/nodes/n:{backend.port}", 400)):
        async with http.get(f"{path}/proxy/x") as answer:
            assert answer.status == code
    assert backend.asked == []
