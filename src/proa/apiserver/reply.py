"""What handlers return: finished bytes, or a stream of them, and how those reach the socket.

aiohttp's own response classes build header maps per response; an API server sends the same few header lines
thousands of times a second, so here a head is one format of precomputed bytes and goes out in one write with the body.
Both classes speak the small part of aiohttp's response interface that its request loop uses (`prepare`, `write_eof`,
`keep_alive`). Not here: what is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from proa.machinery.meta import Status

if TYPE_CHECKING:
    from proa.apiserver.request import Request

JSON = "application/json"
Headers = tuple[tuple[str, str], ...]
GZIP_FROM = 128 * 1024
"""Replies larger than this many bytes are compressed for clients that take gzip."""

# A body in parts is written in joins of about this many bytes, so that a list of 40 MB is not copied as one.
_JOIN = 1 << 18

_encode = msgspec.json.Encoder().encode
_UNCACHED = b"Cache-Control: no-cache, private\r\n"
_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}


class _Clock:
    """The Date header line, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._line = f"Date: {formatdate(now, usegmt=True)}\r\n".encode()
        return self._line


_date = _Clock().line
_starts: dict[tuple[int, str], bytes] = {}


def head_start(status: int, content_type: str) -> bytes:
    """The status line and the headers that depend on nothing else; remembered (there are a few dozen)."""
    found = _starts.get((status, content_type))
    if found is None:
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n".encode()
        found = line + kind.encode() + _UNCACHED
        if len(_starts) < 1000:
            _starts[status, content_type] = found
    return found


def _extra(headers: Headers) -> bytes:
    for name, value in headers:
        if "\n" in value or "\r" in value or "\n" in name or "\r" in name:
            raise ValueError(f"a header may not contain a line break: {name!r}: {value!r}")
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode()


class Reply:
    """A complete response. `body` is bytes, or a list of parts that are written after one another."""

    __slots__ = ("_marks", "_request", "body", "content_type", "headers", "keep_alive", "status")

    def __init__(
        self, status: int, body: bytes | list[bytes] = b"", content_type: str = JSON, headers: Headers = ()
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.keep_alive = True
        self._marks = b""
        self._request: Request | None = None

    def head(self, length: int, keep_alive: bool) -> bytes:
        """The header block of this reply."""
        start = head_start(self.status, self.content_type)
        if self.headers:
            if any(name == "Cache-Control" for name, _ in self.headers):
                start = start.replace(_UNCACHED, b"")
            start += _extra(self.headers)
        if not keep_alive:
            start += b"Connection: close\r\n"
        return b"%b%b%bContent-Length: %d\r\n\r\n" % (start, self._marks, _date(), length)

    async def prepare(self, request: Request) -> None:
        self._request = request
        self._marks = request.head_lines()
        self.keep_alive = request.keep_alive

    async def write_eof(self) -> None:
        request = self._request
        assert request is not None
        self._request = None
        transport = request.transport()
        body = self.body
        if isinstance(body, bytes):
            head = self.head(len(body), self.keep_alive)
            transport.write(head if request.method == "HEAD" else head + body)
            await request.drain()
            return
        parts = [self.head(sum(map(len, body)), self.keep_alive)]
        size = 0
        for part in body if request.method != "HEAD" else ():
            parts.append(part)
            size += len(part)
            if size >= _JOIN:
                transport.write(b"".join(parts))
                parts, size = [], 0
                await request.drain()
                transport = request.transport()
        transport.write(b"".join(parts))
        await request.drain()


class Stream:
    """A response of unknown length: chunks are sent as they come, until the iterator ends or the client is gone.

    The iterator is closed in either case; after an error in it the connection is closed without the final chunk, so
    that the client notices.
    """

    __slots__ = ("_chunks", "_request", "content_type", "headers", "keep_alive", "on_end", "status")

    def __init__(
        self, chunks: AsyncIterator[bytes], content_type: str = JSON, headers: Headers = (), status: int = 200
    ) -> None:
        self.status = status
        self.content_type = content_type
        self.headers = headers
        self.keep_alive = True
        self.on_end: Callable[[], None] | None = None
        self._chunks = chunks
        self._request: Request | None = None

    async def prepare(self, request: Request) -> None:
        self._request = request
        self.keep_alive = request.keep_alive and request.http_1_1

    async def write_eof(self) -> None:
        request = self._request
        assert request is not None
        self._request = None
        chunked = request.http_1_1
        try:
            head = head_start(self.status, self.content_type) + _extra(self.headers) + request.head_lines() + _date()
            if not self.keep_alive:
                head += b"Connection: close\r\n"
            request.transport().write(head + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"))
            if request.method == "HEAD":
                return
            async with request.ended_by_disconnect():
                async for chunk in self._chunks:
                    transport = request.transport()
                    transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
                    await request.drain()
        except BaseException:
            self.keep_alive = False
            raise
        finally:
            if self.on_end is not None:
                self.on_end()
            close = getattr(self._chunks, "aclose", None)
            if close is not None:
                await close()
        if chunked:
            request.transport().write(b"0\r\n\r\n")


def json_reply(document: Any, status: int = 200, headers: Headers = ()) -> Reply:
    """Any JSON document or struct."""
    return Reply(status, _encode(document), JSON, headers)


def status_reply(status: Status) -> Reply:
    """A failure as the client sees it, with Retry-After where the status says when."""
    headers: Headers = ()
    if status.details is not None and status.details.retryAfterSeconds:
        headers = (("Retry-After", str(status.details.retryAfterSeconds)),)
    return Reply(status.code or 200, _encode(status), JSON, headers)


def text_reply(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Reply:
    return Reply(status, text.encode(), content_type)


def warning_headers(warnings: Sequence[str]) -> Headers:
    """RFC 7234 Warning headers, as `kubectl` prints them."""
    found = []
    for warning in dict.fromkeys(filter(None, warnings)):
        text = "".join(each if each.isprintable() else " " for each in warning)
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        found.append(("Warning", f'299 - "{text}"'))
    return tuple(found)


async def compressed(reply: Reply, accept_encoding: str) -> Reply:
    """A large reply gzipped, where the client takes that, in a thread: the loop goes on serving."""
    body = reply.body
    size = len(body) if isinstance(body, bytes) else sum(map(len, body))
    if size <= GZIP_FROM or "gzip" not in accept_encoding:
        return reply
    from isal import igzip

    whole = body if isinstance(body, bytes) else b"".join(body)
    packed = await asyncio.to_thread(igzip.compress, whole, 1)
    headers = (*reply.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return Reply(reply.status, packed, reply.content_type, headers)
