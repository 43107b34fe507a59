"""One client connection: its requests one after another, how long a client may take, and the end when it goes away.

aiohttp's low-level server parses, and lends its WebSockets; the loop over the requests is ours: it answers them in the
connection's own task and makes no response objects of aiohttp's, which was a third of what a small answer cost. Not
here: listening (`server`), what a request is for handlers (`request`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler

from proa.apiserver.request import Request, Response

log = logging.getLogger(__name__)

HEAD_SECONDS = 32.0
"""How long a client may take over the head of a request, as upstream's."""
LINGER_SECONDS = 2.0
"""How long a client may go on sending a body that nobody reads before its connection is closed."""

Handler = Callable[[Request], Awaitable[Response]]


class Connection(RequestHandler):
    """See the module. A long response is told through `on_lost` that the client has gone.

    `_current_request` is set while a handler runs: it is what deadlines and aiohttp's shutdown look at.
    """

    __slots__ = ("_certificate", "_certificate_read", "_handler", "_head_timer", "on_lost")

    def __init__(self, handler: Handler, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.on_lost: Callable[[], None] | None = None
        self._handler = handler
        self._certificate: bytes | None = None
        self._certificate_read = False
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages or self._current_request is not None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None:
            self._await_head()  # a part of a head

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Every body that is read calls this, though hardly ever was reading paused for it."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self.on_lost is not None:
            self.on_lost()

    def certificate(self) -> bytes | None:
        """The client's leaf certificate in DER, None without one."""
        if not self._certificate_read:
            self._certificate_read = True
            tls = self.transport.get_extra_info("ssl_object") if self.transport is not None else None
            self._certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        return self._certificate

    def cut(self) -> None:
        """End it at once, whatever has not been sent."""
        if self.transport is not None:
            self.transport.abort()

    async def start(self) -> None:
        """Answer requests until either side has enough."""
        task = asyncio.current_task()
        assert task is not None
        try:
            while not self._force_close:
                message, payload = await self._next()
                if not isinstance(message, RawRequestMessage):
                    self._refuse(message.message)
                    break
                if not await self._answered(Request(message, payload, self, task)):
                    break
                if payload is not EMPTY_PAYLOAD and not payload.is_eof() and not await self._lingered(payload):
                    break
                if self._close:
                    break
                self._await_another()
        except ConnectionError:
            pass  # the client has gone: there is nobody to tell
        except asyncio.CancelledError:
            self.force_close()
            raise
        except Exception:
            log.exception("a connection is closed in the middle of an answer")
            self.force_close()
        self._task_handler = None
        if self.transport is not None:
            self.transport.close()

    async def _next(self) -> tuple[Any, StreamReader]:
        """The next message and its body, as the parser gave them."""
        if not self._messages:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, payload = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        return message, payload

    async def _answered(self, request: Request) -> bool:
        """Answer a request; whether another one may follow."""
        assert self._manager is not None
        self._manager.requests_count += 1
        self._request_in_progress = True
        try:
            self._current_request = request  # type: ignore[assignment]
            try:
                response: Any = await self._handler(request)
            finally:
                self._current_request = None
            if request.upgrade:
                # What came behind a change of protocol that was declined is a request again: aiohttp has kept it.
                if (await self.finish_response(request, response, None))[1]:  # type: ignore[arg-type]
                    return False
            else:
                await response.prepare(request)
                await response.write_eof()
        finally:
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
        return bool(response.keep_alive)

    async def _lingered(self, payload: StreamReader) -> bool:
        """Read what nobody wanted of a body; whether it came to its end in time."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not payload.is_eof() and not self._force_close:
                    await payload.readany()
        except TimeoutError:
            return False
        return payload.is_eof()

    def _refuse(self, why: str) -> None:
        """Say that what came is not HTTP."""
        if self.transport is not None:
            head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
            text = "".join(each if each.isprintable() else " " for each in why)
            self.transport.write(head + f"400 Bad Request: {text}".encode())

    def _await_head(self) -> None:
        self._head_timer = self._loop.call_later(HEAD_SECONDS, self.cut)

    def _await_another(self) -> None:
        """Be idle from now on, for aiohttp's keep-alive time."""
        self._keepalive = True
        self._next_keepalive_close_time = closing = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(closing, self._process_keepalive)
