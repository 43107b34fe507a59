"""Upgraded connections: after a backend has answered 101, bytes pass both ways unread until one side ends.

WebSocket, SPDY and whatever else comes after an Upgrade header: what it means is the two ends' business. Not here:
the plain requests (`reverse`).
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import NoReturn

from multidict import CIMultiDict

from proa.apiserver.proxying.backend import Backend
from proa.apiserver.request import Request

_HEAD_LIMIT = 1 << 16
_PIECE = 1 << 16


class _Tap:
    """Takes what the client sends from aiohttp's connection, in place of its HTTP parser."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self._reader.feed_eof()


class Tunnel:
    """The response to an upgrade that the backend has agreed to. `head` is its answer's, as it came."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 101
        self.keep_alive = False
        self._head = head
        self._reader = reader
        self._writer = writer
        self._request: Request | None = None

    def close(self) -> None:
        """End it."""
        self._writer.close()

    async def prepare(self, request: Request) -> None:
        self._request = request

    async def write_eof(self) -> None:
        """Pass on until one side ends; the other is closed then."""
        request = self._request
        assert request is not None
        self._request = None
        try:
            transport = request.transport()
            client = asyncio.StreamReader(limit=_PIECE)
            client.set_transport(transport)
            # Before the client knows of the upgrade: its next byte is no longer HTTP.
            request.connection.set_parser(_Tap(client))  # type: ignore[arg-type]  # two methods are all that is called
            transport.write(self._head)
            directions = [
                asyncio.create_task(self._to_backend(client)),
                asyncio.create_task(self._to_client(request)),
            ]
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in directions:
                    each.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
        finally:
            self._writer.close()

    async def _to_backend(self, client: asyncio.StreamReader) -> None:
        while data := await client.read(_PIECE):
            self._writer.write(data)
            await self._writer.drain()

    async def _to_client(self, request: Request) -> None:
        while data := await self._reader.read(_PIECE):
            request.transport().write(data)
            await request.drain()


class Refused(Exception):
    """The backend has answered an upgrade with something else."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.headers = headers
        self.body = body


async def upgrade(request: Request, backend: Backend, path: str, headers: CIMultiDict[str], seconds: float) -> Tunnel:
    """Ask `backend` for the same upgrade. Raises Refused, OSError (TimeoutError among them), ValueError."""
    if any("\r" in value or "\n" in value for value in headers.values()):
        raise ValueError("a header may not contain a line break")
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(
            backend.host,
            backend.port,
            ssl=backend.tls,
            server_hostname=(backend.server_name or backend.host) if backend.tls is not None else None,
            limit=_HEAD_LIMIT,
        )
    try:
        body = await request.body()
        lines = [f"{request.method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines += ["Connection: Upgrade", f"Upgrade: {request.headers['Upgrade']}"]
        if "Host" not in headers:
            lines.append(f"Host: {backend.address}")
        if body and "Content-Length" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body)
        async with asyncio.timeout(seconds):
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            status = _status(head)
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                return Tunnel(head, reader, writer)
            await _refuse(status, head, reader)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        writer.close()
        raise ConnectionResetError(f"no answer to the upgrade: {error}") from None
    except BaseException:
        writer.close()
        raise


async def _refuse(status: int, head: bytes, reader: asyncio.StreamReader) -> NoReturn:
    """A refusal's body is short: what of it comes within the limit is passed on."""
    headers = [
        (name.strip(), value.strip())
        for name, colon, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
        if colon
    ]
    length = next((value for name, value in headers if name.lower() == "content-length"), "")
    wanted = min(int(length), _HEAD_LIMIT) if length.isdigit() else 0
    raise Refused(status, headers, await reader.readexactly(wanted))


def _status(head: bytes) -> int:
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ConnectionResetError("the backend does not speak HTTP")
    return int(words[1])
