"""Sessions through the server: what ends one side ends the other, in the way the client can tell apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proa.apiserver.proxying.websockets import pass_both_ways

Session = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def connected(session: Session) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A client of a server that passes frames on to a node where `session` runs."""

    async def node(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await session(socket)
        return socket

    async def server(request: web.Request) -> web.WebSocketResponse:
        async with aiohttp.ClientSession() as client, client.ws_connect(backend.make_url("/")) as socket:
            front = web.WebSocketResponse()
            await front.prepare(request)
            await pass_both_ways(front, socket)
            return front

    async with serving(node) as backend, serving(server) as frontend, aiohttp.ClientSession() as client:
        yield await client.ws_connect(frontend.make_url("/"))


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.WebSocketResponse]]) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_get("/", handler)
    async with TestServer(app) as running:
        yield running


async def ended(socket: aiohttp.ClientWebSocketResponse) -> int:
    """The code of the close frame, after everything before it."""
    while (message := await socket.receive(timeout=5)).type is not aiohttp.WSMsgType.CLOSE:
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
    return int(message.data)


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_the_client_gets_the_code_with_which_the_node_closes(code: int) -> None:
    async def session(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x03status")
        await socket.close(code=code)

    async with connected(session) as client:
        assert (await client.receive(timeout=5)).data == b"\x03status"
        assert await ended(client) == code


async def test_a_node_that_does_not_wait_for_the_answer_has_still_closed_well() -> None:
    async def session(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x03status")
        await socket.close(drain=False)
        assert socket._req is not None
        assert socket._req.transport is not None
        socket._req.transport.abort()

    async with connected(session) as client:
        assert await ended(client) == 1000


async def test_a_lost_node_ends_the_session_as_an_internal_error() -> None:
    async def session(socket: web.WebSocketResponse) -> None:
        assert socket._req is not None
        assert socket._req.transport is not None
        socket._req.transport.close()

    async with connected(session) as client:
        assert await ended(client) == 1011


async def test_a_client_that_leaves_ends_the_session_on_the_node() -> None:
    seen: list[aiohttp.WSMsgType] = []

    async def session(socket: web.WebSocketResponse) -> None:
        async for message in socket:
            await socket.send_bytes(message.data)
        seen.append(aiohttp.WSMsgType.CLOSE)

    async with connected(session) as client:
        await client.send_bytes(b"\x00hello")
        assert (await client.receive(timeout=5)).data == b"\x00hello"
        await client.close()
    assert seen == [aiohttp.WSMsgType.CLOSE]
