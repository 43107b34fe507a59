from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.apiserver.conftest import Tokens, options, pod

from proa.api.core_v1.resources import NODES, PODS
from proa.apiserver.compose import ApiServer, Config
from proa.store.memory import MemoryStore

POD = "/api/v1/namespaces/default/pods/a"


class Kubelet:
    """A kubelet that answers logs, echoes what is sent to exec and forwards, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(str(request.rel_url))
        if request.path.startswith("/containerLogs/"):
            if request.path.endswith("/broken"):
                return web.Response(status=400, text="container is waiting to start")
            return web.Response(body=b"line 1\nline 2\n", content_type="text/plain")
        if not request.headers.get("Upgrade"):
            return web.Response(text=f"{request.method} {await request.text()}", headers={"X-Own": "kept"})
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "SPDY/3.1+portforward.k8s.io"))
        await socket.prepare(request)
        async for message in socket:
            if message.data == b"\0bye":
                await socket.close(code=1000)
                break
            await socket.send_bytes(b"\1" + message.data[1:])
        return socket


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubelet")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "kubelet.pem"
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


@pytest.fixture
async def kubelet(certificate: Path) -> AsyncIterator[Kubelet]:
    kubelet = Kubelet()
    runner = web.ServerRunner(web.Server(kubelet.handle))
    await runner.setup()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    kubelet.port = runner.addresses[0][1]
    yield kubelet
    await runner.cleanup()


@pytest.fixture
async def http(store: MemoryStore, kubelet: Kubelet) -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    server = ApiServer(Config(store, port=0, kubelet_tls=tls))
    await server.load()
    server.install(authenticators=[Tokens()])
    await server.listen()
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
    }
    nodes = server.registry(NODES)
    await nodes.create("", {"metadata": {"name": "n"}}, options())
    await nodes.update("", "n", {"metadata": {"name": "n"}, "status": status}, options(), "status")
    containers = [{"name": "main", "image": "i"}, {"name": "broken", "image": "i"}]
    spec = {"nodeName": "n", "containers": containers}
    annotations = {"kubectl.kubernetes.io/default-container": "main"}
    await server.registry(PODS).create("default", pod("a", spec=spec, annotations=annotations), options())
    await server.registry(PODS).create("default", pod("unbound"), options())
    headers = {"Authorization": "Bearer admin"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=headers) as session:
        yield session
    await server.stop()


async def test_logs_come_from_the_kubelet_as_they_are(http: aiohttp.ClientSession, kubelet: Kubelet) -> None:
    async with http.get(f"{POD}/log", params={"tailLines": "2", "follow": "true"}) as answer:
        assert await answer.text() == "line 1\nline 2\n"
        assert answer.content_type == "text/plain"
    assert kubelet.asked == ["/containerLogs/default/a/main?tailLines=2&follow=true"]


async def test_logs_come_over_a_websocket_too(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(f"{POD}/log", protocols=("binary.k8s.io",)) as socket:
        assert socket.protocol == "binary.k8s.io"
        said = b"".join([message.data async for message in socket])
    assert (said, socket.close_code) == (b"line 1\nline 2\n", 1000)


async def test_a_kubelets_refusal_is_passed_on(http: aiohttp.ClientSession) -> None:
    async with http.get(f"{POD}/log", params={"container": "broken"}) as answer:
        body = await answer.json()
    assert (answer.status, body["reason"], body["message"]) == (400, "BadRequest", "container is waiting to start")


async def test_a_wrong_container_or_option_is_refused_here(http: aiohttp.ClientSession, kubelet: Kubelet) -> None:
    for query in ({"container": "nothing"}, {"nonsense": "1"}):
        async with http.get(f"{POD}/log", params=query) as answer:
            assert answer.status == 400
    async with http.get("/api/v1/namespaces/default/pods/unbound/log") as answer:
        assert (answer.status, await answer.text()) == (200, "")
    assert kubelet.asked == []


async def test_frames_of_exec_pass_both_ways(http: aiohttp.ClientSession, kubelet: Kubelet) -> None:
    query = {"command": "sh", "stdin": "true", "stdout": "true"}
    async with http.ws_connect(f"{POD}/exec", params=query, protocols=("v5.channel.k8s.io",)) as socket:
        assert socket.protocol == "v5.channel.k8s.io"
        await socket.send_bytes(b"\0hello")
        assert await socket.receive_bytes() == b"\1hello"
        await socket.send_bytes(b"\0bye")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1000
    assert kubelet.asked == ["/exec/default/a/main?command=sh&input=1&output=1"]


async def test_a_port_forward_is_passed_through_with_its_protocol(http: aiohttp.ClientSession) -> None:
    protocol = "SPDY/3.1+portforward.k8s.io"
    async with http.ws_connect(f"{POD}/portforward", protocols=(protocol,)) as socket:
        assert socket.protocol == protocol
        await socket.send_bytes(b"\0data")
        assert await socket.receive_bytes() == b"\1data"


async def test_what_is_no_websocket_is_told_so(http: aiohttp.ClientSession) -> None:
    async with http.post(f"{POD}/exec", params={"command": "sh", "stdout": "true"}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (400, "BadRequest")
