"""The kubelet's endpoint, over real sockets, on a fake runtime."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proa.aio.clock import SystemClock
from proa.api.core_v1 import Container
from proa.client.metrics import ClientMetrics, client_samples
from proa.kubelet import spdy
from proa.kubelet.metrics import KubeletMetrics
from proa.kubelet.portforward import TUNNEL
from proa.kubelet.server import KubeletServer, certificate_holder
from proa.kubelet.simulated import NoVolumes
from proa.runtime.fake import FakeImages, FakeRuntime


class LogsOnly(NoVolumes):
    def __init__(self, root: Path) -> None:
        self.root = root

    def log_directory(self, pod: Any) -> Path | None:
        return self.root / pod.metadata.name


class Endpoint:
    """What the server asks of a kubelet, and a client of it."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.config = world.config
        self.allowed = True

    @property
    def pods(self) -> Any:
        return self.world.pods

    @property
    def services(self) -> Any:
        return self.world.pods.services

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
async def endpoint(make_world: Any, make_pod: Any, tmp_path: Path) -> AsyncIterator[Endpoint]:
    clock = SystemClock()
    images = FakeImages()
    world = make_world(clock, runtime=FakeRuntime(clock=clock, images=images), images=images)
    world.volumes = LogsOnly(tmp_path)
    await world.start()
    found = Endpoint(world)
    server = KubeletServer([found], lambda certificate: found.allowed)  # type: ignore[list-item]
    found.port = await server.start("127.0.0.1", 0, None)  # type: ignore[attr-defined]
    serving = Container(name="app", image="app:1", command=("sh", "-c", "echo one; echo two >&2; nc -l -p 8080 -e cat"))
    reading = Container(name="cat", image="app:1", command=("cat",), stdin=True)
    slow = Container(name="slow", image="broken", command=("x",))
    images._broken = {"broken": "no such image"}
    both_run = asyncio.Event()

    def told(old: Any, new: Any) -> None:
        if new is not None and sum(bool(each.started) for each in new.status.containerStatuses) == 2:
            both_run.set()

    world.api.watchers.append(told)
    world.create(make_pod(serving, reading, slow))
    await asyncio.wait_for(both_run.wait(), 10)
    yield found
    await server.close()
    await world.close()
    await world.runtime.close()


async def fetch(endpoint: Endpoint, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(endpoint.url(path)) as response:
        return response.status, await response.text()


async def session(endpoint: Endpoint, path: str, *send: bytes, protocol: str = "v5.channel.k8s.io") -> dict[int, bytes]:
    """Everything each channel said until the server closed the connection."""
    said: dict[int, bytes] = {}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(endpoint.url(path), protocols=(protocol,)) as socket,
    ):
        assert socket.protocol == protocol
        for each in send:
            await socket.send_bytes(each)
        async for message in socket:
            said[message.data[0]] = said.get(message.data[0], b"") + message.data[1:]
    return said


async def test_logs(endpoint: Endpoint) -> None:
    assert await fetch(endpoint, "/containerLogs/default/web/app") == (200, "one\ntwo\n")
    assert await fetch(endpoint, "/containerLogs/default/web/app?tailLines=1&stream=Stdout") == (200, "")
    assert await fetch(endpoint, "/containerLogs/default/web/app?limitBytes=3") == (200, "one")


@pytest.mark.parametrize(
    ("path", "code", "text"),
    [
        ("/containerLogs/default/nope/app", 404, 'pod "nope_default" does not exist'),
        ("/containerLogs/default/web/nope", 404, 'container "nope" in pod "web" is not available'),
        ("/containerLogs/default/web/app?previous=true", 400, 'previous terminated container "app" in pod "web"'),
        ("/containerLogs/default/web/app?tailLines=x", 400, "invalid log options"),
        ("/containerLogs/default/web/slow", 400, 'container "slow" in pod "web" is waiting to start: '),
        ("/exec/default/web/slow?command=ls", 404, 'container not found ("slow")'),
        ("/exec/default/web/app", 400, "you must specify at least 1 command"),
        ("/exec/default/web/app?command=ls", 400, "Upgrade request required"),
    ],
)
async def test_refusals_say_why(endpoint: Endpoint, path: str, code: int, text: str) -> None:
    status, body = await fetch(endpoint, path)
    assert status == code
    assert text in body


async def test_a_follower_hears_the_end(endpoint: Endpoint) -> None:
    reading = asyncio.ensure_future(fetch(endpoint, "/containerLogs/default/web/cat?follow=true"))
    await asyncio.sleep(0)
    endpoint.world.delete(grace=0)
    assert await asyncio.wait_for(reading, 10) == (200, "")


@pytest.mark.parametrize(("command", "ending"), [("true", b""), ("false", b"exit status 1")])
async def test_the_oldest_protocol_ends_with_a_text_if_anything_failed(
    endpoint: Endpoint, command: str, ending: bytes
) -> None:
    query = f"command={command}&output=1"
    said = await session(endpoint, f"/exec/default/web/app?{query}", protocol="channel.k8s.io")
    assert said.get(3, b"").endswith(ending)
    assert (3 in said) is bool(ending)


async def test_exec_returns_output_and_exit_code(endpoint: Endpoint) -> None:
    query = "command=sh&command=-c&command=echo+hi;+echo+oh+>%262;+exit+3&output=1&error=1"
    said = await session(endpoint, f"/exec/default/web/app?{query}")
    assert said[1] == b"hi\n"
    assert said[2] == b"oh\n"
    status = json.loads(said[3])
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_exec_takes_input_until_its_channel_is_closed(endpoint: Endpoint) -> None:
    said = await session(endpoint, "/exec/default/web/app?command=cat&input=1&output=1", b"\0hello", b"\xff\0")
    assert said[1] == b"hello"
    assert json.loads(said[3])["status"] == "Success"


async def test_attach_reaches_the_running_process(endpoint: Endpoint) -> None:
    said = await session(endpoint, "/attach/default/web/cat?input=1&output=1", b"\0abc", b"\xff\0")
    assert said[1] == b"abc"


async def test_an_unknown_protocol_is_refused(endpoint: Endpoint) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect(endpoint.url("/exec/default/web/app?command=ls"), protocols=("v9",))
    assert caught.value.status == 403


async def test_port_forward_multiplexes_connections_in_a_tunnel(endpoint: Endpoint) -> None:
    framer = spdy.Framer()
    heard: dict[int, bytes] = {}
    ended: set[int] = set()
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(endpoint.url("/portForward/default/web"), protocols=(TUNNEL,)) as socket,
    ):

        async def send(frame: spdy.Frame) -> None:
            await socket.send_bytes(framer.encode(frame))

        for request, port in (("0", "8080"), ("1", "8080"), ("2", "9")):
            first = 1 + 4 * int(request)
            await send(spdy.SynStream(first, {"streamtype": "error", "port": port, "requestid": request}, fin=True))
            await send(spdy.SynStream(first + 2, {"streamtype": "data", "port": port, "requestid": request}))
            await send(spdy.Data(first + 2, b"x" * 100_000 + request.encode(), fin=True))
        async for message in socket:
            for frame in framer.feed(message.data):
                if isinstance(frame, spdy.Data):
                    heard[frame.stream] = heard.get(frame.stream, b"") + frame.data
                    if frame.fin:
                        ended.add(frame.stream)
            if ended >= {1, 3, 5, 7, 9}:
                break
    assert heard[3] == b"x" * 100_000 + b"0"
    assert heard[7] == b"x" * 100_000 + b"1"
    assert heard[1] == heard[5] == b""
    assert heard[9].startswith(b"error forwarding port 9 to pod: ")


async def test_older_port_forward_channels(endpoint: Endpoint) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(endpoint.url("/portForward/default/web?port=8080"), protocols=("v4.channel.k8s.io",)) as socket,
    ):
        assert (await socket.receive()).data == b"\x00\x90\x1f"
        assert (await socket.receive()).data == b"\x01\x90\x1f"
        await socket.send_bytes(b"\0ping")
        assert (await socket.receive()).data == b"\0ping"


async def test_who_is_not_allowed_sees_only_health(endpoint: Endpoint) -> None:
    endpoint.allowed = False
    assert (await fetch(endpoint, "/pods"))[0] == 401
    assert await fetch(endpoint, "/healthz") == (200, "ok")


async def test_pods_and_stats(endpoint: Endpoint) -> None:
    _, body = await fetch(endpoint, "/pods")
    assert [each["metadata"]["name"] for each in json.loads(body)["items"]] == ["web"]
    _, body = await fetch(endpoint, "/stats/summary")
    (pod,) = json.loads(body)["pods"]
    assert {each["name"] for each in pod["containers"]} == {"app", "cat"}
    _, body = await fetch(endpoint, "/metrics/resource")
    assert 'container_memory_working_set_bytes{container="app",namespace="default",pod="web"}' in body
    _, body = await fetch(endpoint, "/metrics")
    assert 'kubelet_running_containers{container_state="running"} 2.0' in body
    assert "kubelet_running_pods 1.0" in body


async def test_metrics_tell_what_else_the_process_says_of_itself() -> None:
    client = ClientMetrics("10.0.0.1:6443")
    client.answered("GET", 200, 0.3)
    client.answered("GET", 0, 10.0)
    text = (await KubeletMetrics((), [lambda: client_samples([client, client])]).exposition()).decode()
    host = 'host="10.0.0.1:6443"'
    assert f'rest_client_requests_total{{code="200",{host},method="GET"}} 2.0\n' in text
    assert f'rest_client_requests_total{{code="<error>",{host},method="GET"}} 2.0\n' in text
    assert f'rest_client_request_duration_seconds_bucket{{{host},le="0.5",verb="GET"}} 2.0\n' in text
    assert f'rest_client_request_duration_seconds_sum{{{host},verb="GET"}} 20.6\n' in text


def test_a_certificate_says_who_calls() -> None:
    subject = ((("organizationName", "system:masters"),), (("commonName", "kube-apiserver-kubelet-client"),))
    assert certificate_holder({"subject": subject}) == ("kube-apiserver-kubelet-client", ("system:masters",))
    assert certificate_holder(None) == ("", ())
