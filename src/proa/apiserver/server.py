"""The HTTP server: listening, serving, and graceful shutdown.

Not here: a connection (`connection`), a request (`request`), what a path means.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from proa.apiserver.connection import Connection, Handler
from proa.apiserver.request import Request, Response
from proa.apiserver.routes import Handle

IDLE_SECONDS = 3630.0


class _Server(Server):
    """aiohttp's server with our connections."""

    def __call__(self) -> RequestHandler:
        return Connection(cast(Any, self.request_handler), self, loop=self._loop, **self._kwargs)


def audited(handler: Handler) -> Handler:
    """The handler, whose answers each request's witness sees."""

    async def answer(request: Request) -> Response:
        response = await handler(request)
        if request.witness is not None:
            request.witness.responded(response)
            await request.witness.written()
        return response

    return answer


def witnessed(handle: Handle) -> Handle:
    """The handler, which begins when each request's witness lets it."""

    async def begin(request: Request) -> Response:
        if request.witness is not None:
            await request.witness.begun()
        return await handle(request)

    return begin


class HttpServer:
    """Listens and serves `handler` until stopped."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        """What answers, as it is when the server starts."""
        self._http: _Server | None = None
        self._listeners: list[asyncio.Server] = []
        self.stopping = asyncio.Event()
        """Set when the server stops: long responses (watches) end themselves cleanly."""

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; the port (which one, for port 0)."""
        if self._http is None:
            self._http = _Server(
                cast(Any, self.handler),
                access_log=None,
                keepalive_timeout=IDLE_SECONDS,
                max_line_size=65536,
                max_field_size=65536,
                auto_decompress=True,
            )
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._http, host, port, ssl=tls, backlog=1024, reuse_address=True)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def stop(self, grace: float = 2.0) -> None:
        """Accept nothing more, let what runs end within `grace` seconds, then close every connection."""
        self.stopping.set()
        for listener in self._listeners:
            listener.close()
        if self._http is not None:
            self._http.pre_shutdown()
            await self._http.shutdown(grace)
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()

    def handling(self) -> Iterator[Request]:
        """The requests whose handlers run now."""
        for each in self._http.connections if self._http is not None else ():
            request: Any = each._current_request
            if isinstance(request, Request):
                yield request

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """What the request that the current task handles waits for in the block is not the server's own doing."""
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds, task = time.perf_counter() - began, asyncio.current_task()
            for each in self.handling():
                if each.task is task:
                    each.elsewhere += seconds

    def statistics(self) -> dict[str, int]:
        if self._http is None:
            return {"connections": 0, "requests": 0}
        return {"connections": len(self._http.connections), "requests": self._http.requests_count}
