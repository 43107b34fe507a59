"""Clients that are slow, stuck, half gone, or there while the server stops."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from tests.unit.apiserver.conftest import config_map, options

from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver import connection
from proa.apiserver import request as http
from proa.apiserver.compose import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def raw(listening: ApiServer) -> AsyncIterator[Streams]:
    """A connection nothing was sent on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port, limit=1 << 16)
    yield reader, writer
    writer.close()


def head(method: str, path: str, *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Authorization: Bearer admin", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.05)
    monkeypatch.setattr(http, "WRITE_SECONDS", 0.1)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n"])
async def test_a_request_that_does_not_come_is_not_waited_for(
    impatient: None, listening: ApiServer, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(sent)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_is_kept_between_whole_requests(impatient: None, raw: Streams) -> None:
    reader, writer = raw
    for _ in range(3):
        request = head("GET", "/livez")
        writer.write(request[:9])
        writer.write(request[9:])
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(2) == b"ok"
        await asyncio.sleep(0.06)  # longer than a head may take


async def read_status(reader: asyncio.StreamReader) -> bytes:
    """The status line of the next answer, whose body is read too."""
    answer = await reader.readuntil(b"\r\n\r\n")
    lines = answer.split(b"\r\n")
    length = next(int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length"))
    await reader.readexactly(length)
    return lines[0]


async def test_what_is_not_http_is_refused(raw: Streams) -> None:
    reader, writer = raw
    writer.write(b"HELO there\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_requests_sent_at_once_are_answered_in_their_order(raw: Streams) -> None:
    reader, writer = raw
    writer.write(head("GET", "/livez") + head("GET", "/nothing") + head("GET", "/livez"))
    async with asyncio.timeout(5):
        codes = [(await read_status(reader)).split()[1] for _ in range(3)]
    assert codes == [b"200", b"404", b"200"]


async def test_a_body_that_nobody_wants_does_not_disturb_the_next_request(raw: Streams) -> None:
    reader, writer = raw
    writer.write(head("POST", "/nothing", "Content-Length: 300000") + b"x" * 300_000 + head("GET", "/livez"))
    async with asyncio.timeout(5):
        assert b"404" in await read_status(reader)
        assert b"200" in await read_status(reader)


async def test_a_body_that_nobody_wants_and_that_does_not_end_closes_the_connection(
    impatient: None, raw: Streams
) -> None:
    reader, writer = raw
    writer.write(head("POST", "/nothing", "Content-Length: 300000") + b"x")
    async with asyncio.timeout(5):
        assert b"404" in await read_status(reader)
        assert await reader.read() == b""


async def test_after_a_change_of_protocol_that_is_declined_requests_go_on(raw: Streams) -> None:
    reader, writer = raw
    upgrade = head("GET", "/livez", "Connection: Upgrade", "Upgrade: websocket")
    writer.write(upgrade + head("GET", "/nothing"))
    async with asyncio.timeout(5):
        assert b"200" in await read_status(reader)
        assert b"404" in await read_status(reader)


async def test_the_connection_of_who_says_so_is_closed_after_the_answer(raw: Streams) -> None:
    reader, writer = raw
    writer.write(head("GET", "/livez", "Connection: close"))
    async with asyncio.timeout(5):
        assert (await reader.read()).count(b"HTTP/1.1 200") == 1


async def test_a_client_that_waits_to_be_told_sends_its_body(raw: Streams) -> None:
    reader, writer = raw
    body = b'{"metadata":{"name":"a"}}'
    lines = "Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue"
    writer.write(head("POST", MAPS, *lines))
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await read_status(reader)).startswith(b"HTTP/1.1 201")


async def test_a_client_whose_body_is_too_large_is_not_told_to_send_it(raw: Streams) -> None:
    reader, writer = raw
    writer.write(head("POST", MAPS, f"Content-Length: {1 << 30}", "Expect: 100-continue"))
    async with asyncio.timeout(5):
        assert (await read_status(reader)).startswith(b"HTTP/1.1 413")


async def test_a_client_that_reads_nothing_is_cut(impatient: None, listening: ApiServer) -> None:
    maps = listening.registry(CONFIG_MAPS)
    for number in range(40):
        await maps.create("default", config_map(f"m{number}", {"k": "x" * 500_000}), options())
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(stuck, ("127.0.0.1", listening.port))
    await loop.sock_sendall(stuck, head("GET", MAPS))
    async with asyncio.timeout(5):
        while listening.statistics()["http"]["requests"] == 0:  # noqa: ASYNC110 - the loop's turns are what is waited for
            await asyncio.sleep(0)
        while listening.statistics()["http"]["connections"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    stuck.close()


async def test_a_client_that_closes_its_sending_side_still_gets_its_answer_or_an_end(raw: Streams) -> None:
    reader, writer = raw
    writer.write(head("GET", "/livez"))
    writer.write_eof()
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 200")


async def test_what_has_begun_is_finished_while_the_server_stops(
    listening: ApiServer, raw: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = raw
    cache = listening.registry(CONFIG_MAPS).cache
    began, go_on, create = asyncio.Event(), asyncio.Event(), cache.create

    async def slowly(*args: object, **more: object) -> object:
        began.set()
        await go_on.wait()
        return await create(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "create", slowly)
    body = b'{"metadata":{"name":"a"}}'
    writer.write(head("POST", MAPS, "Content-Type: application/json", f"Content-Length: {len(body)}") + body)
    await began.wait()
    stopping = asyncio.create_task(listening.stop())
    await asyncio.sleep(0)
    go_on.set()
    assert (await reader.readline()).startswith(b"HTTP/1.1 201")
    await stopping
