"""One request as handlers see it: what was asked, its body within limits, and whether the client is still there.

aiohttp's own request object is only made for WebSockets. Not here: its connection (`connection`), what a path means
(`requestinfo`), what is answered (`reply`).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import parse_qsl

from aiohttp.http import StreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_request import BaseRequest
from aiohttp.web_ws import WebSocketResponse

from proa.apiserver.identity import User, Witness
from proa.apiserver.reply import Reply, Stream
from proa.apiserver.requestinfo import RequestInfo
from proa.machinery import status as failures

if TYPE_CHECKING:
    from proa.apiserver.connection import Connection

BODY_LIMIT = 3 * 1024 * 1024
"""The largest request body in bytes, as upstream's."""
WRITE_SECONDS = 60.0
"""How long a client may leave what it is sent unread: then its connection is cut, so that it holds nothing."""


class Answer(Protocol):
    """What aiohttp's request loop asks of a response."""

    status: int
    keep_alive: bool

    async def prepare(self, request: Request) -> None: ...
    async def write_eof(self) -> None: ...


Response = Reply | Stream | Answer | WebSocketResponse

# Audit IDs are UUIDs whose last part counts: as unique, and made in a fraction of the time.
_AUDIT_PREFIX = str(uuid.uuid4())[:24].encode()
_audit_number = itertools.count(secrets.randbits(44)).__next__


class Request:
    """One request as handlers see it. `info` and `user` are set by the dispatcher before any handler runs."""

    local = False
    """Whether it comes from within this process, without a connection."""

    __slots__ = (
        "_audit_id",
        "_invited",
        "_message",
        "_payload",
        "_query",
        "connection",
        "deadline",
        "elsewhere",
        "headers",
        "info",
        "marks",
        "method",
        "overdue",
        "query_string",
        "raw_path",
        "task",
        "user",
        "warnings",
        "witness",
    )

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        connection: Connection,
        task: asyncio.Task[Any] | None,
    ) -> None:
        self._message = message
        self._payload = payload
        self._query: dict[str, str] | None = None
        self._audit_id = b""
        self._invited = False
        self.connection = connection
        self.deadline = 0.0
        """When it is given up, by time.perf_counter; 0: never."""
        self.elsewhere = 0.0
        """Seconds of it that others took: webhooks, and those whose turn came before."""
        self.overdue = False
        self.task = task
        """Who handles it."""
        self.marks = b""
        """Header lines that its response carries beside the handler's own."""
        self.method = message.method
        self.headers = message.headers
        self.raw_path, _, self.query_string = message.path.partition("?")
        self.info: RequestInfo = None  # type: ignore[assignment]
        self.user: User = None  # type: ignore[assignment]
        self.warnings: list[str] = []
        self.witness: Witness | None = None

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; of a repeated one the first, as upstream reads single values."""
        if self._query is None:
            self._query = {}
            if self.query_string:
                for key, value in parse_qsl(self.query_string, keep_blank_values=True):
                    self._query.setdefault(key, value)
        return self._query

    def query_values(self, name: str) -> list[str]:
        """Every value of a repeated query parameter."""
        return [value for key, value in parse_qsl(self.query_string, keep_blank_values=True) if key == name]

    @property
    def audit_id(self) -> str:
        """What names this request in logs and in the response: as the client says, else made up."""
        return self._audit().decode()

    def head_lines(self) -> bytes:
        """The header lines of every response to it."""
        return b"%bAudit-Id: %b\r\n" % (self.marks, self._audit_id or self._audit())

    def _audit(self) -> bytes:
        if not self._audit_id:
            given = self.headers.get("Audit-ID")
            if given is not None and given.isascii() and given.isprintable():
                self._audit_id = given[:64].encode()
            else:
                self._audit_id = b"%b%012x" % (_AUDIT_PREFIX, _audit_number())
        return self._audit_id

    @property
    def annotations(self) -> dict[str, str]:
        """Of its audit event, to be added to; of none when it is not written down."""
        return {} if self.witness is None else self.witness.annotations

    @property
    def keep_alive(self) -> bool:
        return not self._message.should_close

    @property
    def http_1_1(self) -> bool:
        return self._message.version >= (1, 1)

    @property
    def upgrade(self) -> bool:
        """Whether the client asks to change the protocol (WebSocket, SPDY)."""
        return self._message.upgrade

    @property
    def payload(self) -> StreamReader:
        """The body as a stream, for proxying; unlimited, and no longer in the encoding it was sent in."""
        self._invite()
        return self._payload

    @property
    def has_body(self) -> bool:
        return self._payload is not EMPTY_PAYLOAD

    @property
    def decompressed(self) -> bool:
        """Whether the body came in a Content-Encoding, which `payload` no longer has."""
        return bool(self._message.compression)

    @property
    def peer(self) -> str:
        """The client's address, '' where there is none."""
        peer = self.connection.peername
        return str(peer[0]) if isinstance(peer, tuple) else ""

    async def body(self, limit: int = BODY_LIMIT) -> bytes:
        """The whole body. Raises StatusError 413 beyond `limit` bytes."""
        body = await self._whole_body(limit)
        if self.witness is not None:
            self.witness.received(self.headers.get("Content-Type", ""), body)
        return body

    async def _whole_body(self, limit: int) -> bytes:
        payload = self._payload
        if payload is EMPTY_PAYLOAD:
            return b""
        if payload.is_eof():  # all of it came with the head, or soon after
            data = payload.read_nowait()
            return data if len(data) <= limit else self._too_large(limit)
        length = self.headers.get("Content-Length")
        if length is not None and length.isdigit() and int(length) > limit:
            self._too_large(limit)
        self._invite()
        parts, size = [], 0
        while not payload.at_eof():
            data = await payload.readany()
            parts.append(data)
            size += len(data)
            if size > limit:
                self._too_large(limit)
        return b"".join(parts)

    def _invite(self) -> None:
        """Have a client send its body that waits to be told to (RFC 9110 10.1.1), as curl does with large ones."""
        if not self._invited and self.http_1_1 and self.headers.get("Expect", "").lower() == "100-continue":
            self._invited = True
            if not self._payload.is_eof():
                self.transport().write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _too_large(self, limit: int) -> bytes:
        raise failures.request_entity_too_large(f"limit is {limit}")

    def websocket_request(self) -> BaseRequest:
        """aiohttp's request object, which its WebSocketResponse needs."""
        loop = asyncio.get_running_loop()
        writer = StreamWriter(self.connection, loop)
        return BaseRequest(self._message, self._payload, self.connection, writer, cast(Any, self.task), loop)

    def transport(self) -> asyncio.Transport:
        """The open transport. Raises ConnectionResetError when the client has gone."""
        transport = self.connection.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has closed the connection")
        return transport

    async def drain(self) -> None:
        """Wait while the client reads slower than we write. Raises ConnectionResetError when it stops reading."""
        connection = self.connection
        if connection._paused:
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    await connection._drain_helper()
            except TimeoutError:
                connection.cut()
                raise ConnectionResetError("the client has not read what it was sent") from None

    @asynccontextmanager
    async def ended_by_disconnect(self) -> AsyncIterator[None]:
        """The block is cancelled, and ConnectionResetError raised from it, when the client goes away meanwhile."""
        task = asyncio.current_task()
        assert task is not None
        lost = False

        def on_lost() -> None:
            nonlocal lost
            lost = True
            task.cancel()

        self.connection.on_lost = on_lost
        try:
            self.transport()
            yield
        except asyncio.CancelledError:
            if lost and task.uncancel() == 0:
                raise ConnectionResetError("the client has closed the connection") from None
            raise
        finally:
            self.connection.on_lost = None

    def _finish(self) -> None:
        """aiohttp's request loop calls this after the handler; nothing of ours is left over."""

    def _cancel(self, exc: BaseException) -> None:
        if self._payload is not EMPTY_PAYLOAD:
            self._payload.set_exception(exc)
