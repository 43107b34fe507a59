"""The load: HTTP/1.1 over TLS with as little as possible between the wire and the next request.

Requests are bytes made beforehand; a lane (one kept connection) sends the next one from the callback that saw the last
answer end, so no future, no task and no parser of ours costs more than a few microseconds. Not here: what is sent
(the benches), to whom (`subject`).
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)")
_HEAD, _BODY, _CHUNK_SIZE, _CHUNK, _TRAILER = range(5)


class LoadError(Exception):
    """The subject answered what the bench cannot go on with; the message holds the answer."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An API server as the load sees it. headers: whole header lines that every request carries."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    server_name: str = ""
    headers: str = ""

    def request(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAccept: application/json\r\n{self.headers}"
        )
        if body or method in ("POST", "PUT", "PATCH"):
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body


class Answers(asyncio.Protocol):
    """Reads answers: Content-Length and chunked. Subclasses say what follows a piece of body and an answer's end."""

    def __init__(self) -> None:
        self.status = 0
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else is called
        self._state = _HEAD
        self._held = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def piece(self, data: bytes) -> None:
        """Some bytes of the body."""

    def complete(self) -> None:
        """The answer has ended."""

    def data_received(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        while data:
            if self._state == _BODY or self._state == _CHUNK:
                data = self._take(data)
            elif self._state == _HEAD:
                end = data.find(b"\r\n\r\n")
                if end < 0:
                    self._held = data
                    return
                self._head(data[:end])
                data = data[end + 4 :]
                if self._state == _BODY and not self._left:
                    self._end()
            else:
                end = data.find(b"\r\n")
                if end < 0:
                    self._held = data
                    return
                self._line(data[:end])
                data = data[end + 2 :]

    def _head(self, head: bytes) -> None:
        self.status = int(head[9:12])
        head = head.lower()
        found = _LENGTH.search(head)
        if found:
            self._state, self._left = _BODY, int(found[1])
        elif b"transfer-encoding: chunked" in head:
            self._state = _CHUNK_SIZE
        else:
            self._state, self._left = _BODY, 0

    def _take(self, data: bytes) -> bytes:
        """A piece of what is left of the body or chunk; returns what is beyond."""
        if len(data) < self._left:
            self._left -= len(data)
            self.piece(data)
            return b""
        piece, rest = (data, b"") if len(data) == self._left else (data[: self._left], data[self._left :])
        self._left = 0
        self.piece(piece)
        if self._state == _BODY:
            self._end()
        else:
            self._state = _CHUNK_SIZE
        return rest

    def _line(self, line: bytes) -> None:
        """A line between chunks: the empty one after a chunk, the size of the next, or a trailer."""
        if self._state == _TRAILER:
            if not line:
                self._end()
        elif line:
            self._left = int(line.partition(b";")[0], 16)
            self._state = _CHUNK if self._left else _TRAILER

    def _end(self) -> None:
        self._state = _HEAD
        self.complete()


class Lane(Answers):
    """One request after the other from `requests`, until they end or `until` has passed; counts what succeeded."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0
        self.bytes = 0
        self._failed = b""
        self._until = 0.0
        self._requests: Iterator[bytes] = iter(())
        self._finished: asyncio.Future[None] | None = None

    def start(self, requests: Iterator[bytes], until: float) -> asyncio.Future[None]:
        """The future ends with the last answer; it raises LoadError for any that is no 2xx, and a lost connection."""
        self.done = self.bytes = 0
        self._requests, self._until = requests, until
        self._finished = asyncio.get_running_loop().create_future()
        self._send()
        return self._finished

    def piece(self, data: bytes) -> None:
        self.bytes += len(data)
        if self.status >= 300:
            self._failed += data[:2000]

    def complete(self) -> None:
        if self.status >= 300:
            self._finish(LoadError(f"answered {self.status}: {self._failed[:2000].decode(errors='replace')}"))
            return
        self.done += 1
        if time.perf_counter() < self._until:
            self._send()
        else:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc or LoadError("the connection was closed"))

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._finish()
        else:
            self.transport.write(request)

    def _finish(self, error: Exception | None = None) -> None:
        if self._finished is not None and not self._finished.done():
            if error is None:
                self._finished.set_result(None)
            else:
                self._finished.set_exception(error)


class Lines(Answers):
    """A watch: calls `on_lines` with the moment (time.perf_counter) and the bytes of whole lines as they arrive."""

    def __init__(self, on_lines: Callable[[float, bytes], None]) -> None:
        super().__init__()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_lines = on_lines
        self._partial = b""

    def _head(self, head: bytes) -> None:
        super()._head(head)
        if self.opened.done():
            return
        if self.status == 200:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(LoadError(f"a watch was answered {self.status}"))

    def piece(self, data: bytes) -> None:
        now = time.perf_counter()
        whole, newline, rest = (self._partial + data if self._partial else data).rpartition(b"\n")
        self._partial = rest
        if newline:
            self._on_lines(now, whole)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or LoadError("the connection was closed"))


@dataclass(frozen=True, slots=True)
class Rate:
    """What one load reached. busy: the share of a core this process used: near 1 the load was the limit."""

    answers: float
    bytes: float
    busy: float


async def connect(endpoint: Endpoint) -> Lane:
    _, lane = await asyncio.get_running_loop().create_connection(
        Lane, endpoint.host, endpoint.port, ssl=endpoint.tls, server_hostname=_server_name(endpoint)
    )
    return lane


async def once(endpoint: Endpoint, request: bytes, expected: int = 200) -> bytes:
    """The body of one answer. Raises LoadError for another status than the expected one."""
    kept: list[bytes] = []

    class Keeping(Lane):
        def piece(self, data: bytes) -> None:
            super().piece(data)
            kept.append(data)

    _, lane = await asyncio.get_running_loop().create_connection(
        Keeping, endpoint.host, endpoint.port, ssl=endpoint.tls, server_hostname=_server_name(endpoint)
    )
    await lane.start(iter([request]), 0.0)
    lane.transport.close()
    if lane.status != expected:
        raise LoadError(f"answered {lane.status} where {expected} was expected")
    return b"".join(kept)


async def watch(endpoint: Endpoint, path: str, on_lines: Callable[[float, bytes], None]) -> Lines:
    """An open watch. Raises LoadError when it is refused."""
    _, lines = await asyncio.get_running_loop().create_connection(
        lambda: Lines(on_lines), endpoint.host, endpoint.port, ssl=endpoint.tls, server_hostname=_server_name(endpoint)
    )
    lines.transport.write(endpoint.request("GET", path))
    await lines.opened
    return lines


async def run(lanes: list[Lane], requests: Iterator[bytes], seconds: float = 1e9) -> Rate:
    """Every lane takes from `requests` until they end or `seconds` have passed. A rate is over its whole time."""
    start, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane.start(requests, start + seconds) for lane in lanes))
    took, used = time.perf_counter() - start, time.process_time() - used
    return Rate(sum(each.done for each in lanes) / took, sum(each.bytes for each in lanes) / took, used / took)


def close(lanes: list[Lane]) -> None:
    for lane in lanes:
        lane.transport.close()


def _server_name(endpoint: Endpoint) -> str | None:
    return (endpoint.server_name or endpoint.host) if endpoint.tls is not None else None
