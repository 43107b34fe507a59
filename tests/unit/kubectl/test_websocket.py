"""The WebSocket client against the server library that the API server uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType, web

from proa.client.connection import Connection
from proa.kubectl.client import Client, StatusError
from proa.kubectl.websocket import CLOSE, ERROR, STDIN, STDOUT, connect


async def echo(request: web.Request) -> web.StreamResponse:
    """Sends stdin back on stdout; ends when stdin is closed."""
    if request.query.get("refuse"):
        return web.json_response({"reason": "NotFound", "message": "no such pod"}, status=404)
    stream = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
    await stream.prepare(request)
    async for message in stream:
        assert message.type is WSMsgType.BINARY
        if message.data[0] == CLOSE:
            assert message.data[1] == STDIN
            break
        await stream.ping()
        await stream.send_bytes(bytes((STDOUT,)) + message.data[1:])
    await stream.send_bytes(bytes((ERROR,)) + b'{"status":"Success"}')
    await stream.close()
    return stream


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    application = web.Application()
    application.router.add_get("/exec", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield Client(Connection(f"http://127.0.0.1:{port}"), timeout=10)
    await runner.cleanup()


def exchange(client: Client, payloads: list[bytes]) -> tuple[bytes, bytes]:
    import select

    stream = connect(client, "/exec", {"command": ["a", "b"]})
    out = {STDOUT: b"", ERROR: b""}
    for payload in payloads:
        stream.send(STDIN, payload)
    stream.end(STDIN)
    while not stream.closed:
        select.select((stream,), (), (), 10)
        for channel, data in stream.messages():
            out[channel] += data
    stream.close()
    return out[STDOUT], out[ERROR]


async def test_streams_pass_in_both_directions_until_stdin_ends(client: Client) -> None:
    payloads = [b"", b"x", b"y" * 125, b"z" * 126, b"w" * 70000]
    out, status = await asyncio.to_thread(exchange, client, payloads)
    assert out == b"".join(payloads)
    assert status == b'{"status":"Success"}'


async def test_a_refusal_is_the_server_s_status(client: Client) -> None:
    with pytest.raises(StatusError, match=r"Error from server \(NotFound\): no such pod"):
        await asyncio.to_thread(connect, client, "/exec", {"refuse": "1"})
