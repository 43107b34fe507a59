"""A reverse proxy: one request goes to one backend, the answer comes back as it arrives; nothing is kept whole.

What is a body here is a stream there, so uploads, watches and logs pass without waiting for their end. Not here:
which backend (`handlers.proxies`, `aggregation`).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from weakref import WeakSet

import aiohttp
from yarl import URL

from proa.apiserver.proxying.backend import Backend, forwarded, returned
from proa.apiserver.proxying.links import Links
from proa.apiserver.proxying.tunnel import Refused, Tunnel, upgrade
from proa.apiserver.request import Request
from proa.machinery import status as failures

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 60.0
# Pages larger than this are passed on with the links they have.
_PAGE_LIMIT = 8 << 20
_GZIP = zlib.MAX_WBITS | 16
_BODILESS = (204, 304)


class Relayed:
    """A backend's answer on its way to the client."""

    def __init__(
        self,
        status: int,
        reason: str,
        headers: list[tuple[str, str]],
        body: bytes | aiohttp.ClientResponse,
        first: bytes = b"",
    ) -> None:
        """first: what of the body was read already, if that is a stream."""
        self.status = status
        self.reason = reason
        self.headers = headers
        self.keep_alive = True
        self._body = body
        self._first = first
        self._request: Request | None = None

    async def prepare(self, request: Request) -> None:
        self._request = request
        self.keep_alive = request.keep_alive and request.http_1_1

    async def write_eof(self) -> None:
        request, body = self._request, self._body
        assert request is not None
        self._request = None
        try:
            if isinstance(body, bytes):
                request.transport().write(self._head(request, len(body)) + (b"" if request.method == "HEAD" else body))
                await request.drain()
                return
            if request.method == "HEAD" or self.status in _BODILESS:
                request.transport().write(self._head(request, None))
                return
            await self._pass_on(request, body)
        except BaseException:
            self.keep_alive = False
            raise
        finally:
            if not isinstance(body, bytes):
                body.close()

    async def _pass_on(self, request: Request, body: aiohttp.ClientResponse) -> None:
        sized = "Content-Length" in body.headers
        chunked = not sized and request.http_1_1
        request.transport().write(self._head(request, None, chunked=chunked))
        try:
            async with request.ended_by_disconnect():
                async for piece in _after(self._first, body):
                    request.transport().write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    await request.drain()
        except aiohttp.ClientError as error:
            raise ConnectionResetError(f"the backend's answer ended early: {error}") from None
        if chunked:
            request.transport().write(b"0\r\n\r\n")
        body.release()

    def _head(self, request: Request, length: int | None, *, chunked: bool = False) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if not any(name.lower() == "cache-control" for name, _ in self.headers):
            lines.append("Cache-Control: no-cache, private")
        if length is not None:
            lines.append(f"Content-Length: {length}")
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        if not self.keep_alive:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape") + request.head_lines() + b"\r\n"


class ReverseProxy:
    """One for all targets; it keeps their connections alive."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._open: WeakSet[aiohttp.ClientResponse | Tunnel] = WeakSet()

    def end_streams(self) -> None:
        """Cut what is passed on now; what has no answer yet may still get one."""
        for each in list(self._open):
            each.close()

    async def close(self) -> None:
        """Cut everything; nothing more is passed on."""
        self._closed = True
        self.end_streams()
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """Connections to any number of servers. Nothing that one client's request brings back stays for another's.

        Raises StatusError 503 when the proxy is closed.
        """
        if self._closed:
            raise failures.service_unavailable("the server is stopping")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS, ttl_dns_cache=10),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._session

    async def pass_on(
        self, request: Request, backend: Backend, path: str, links: Links | None = None
    ) -> Relayed | Tunnel:
        """The answer of `backend` to this request at `path`, still encoded; the query goes along.

        links: how to rewrite what the answer points to; None: leave it. Raises StatusError 503 when `backend` cannot
        be reached or does not answer.
        """
        headers = forwarded(request, backend)
        if links is not None:
            headers["X-Forwarded-Uri"] = links.prefix + path
        if request.query_string:
            path = f"{path}?{request.query_string}"
        try:
            if "Upgrade" in request.headers and "upgrade" in request.headers.get("Connection", "").lower():
                tunnel = await upgrade(request, backend, path, headers, _CONNECT_SECONDS)
                self._open.add(tunnel)
                return tunnel
            response = await self.session.request(
                request.method,
                URL(backend.base + path, encoded=True),
                headers=headers,
                data=_pieces(request) if request.has_body else None,
                ssl=backend.ssl,
                server_hostname=backend.server_name or None,
                allow_redirects=False,
            )
        except Refused as refused:
            return _refusal(refused)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise failures.service_unavailable(
                f"error trying to reach service: {str(error) or type(error).__name__}"
            ) from None
        self._open.add(response)
        relayed = Relayed(response.status, response.reason or "", returned(response.headers.items()), response)
        return relayed if links is None else await _rewritten(relayed, response, links)


async def _rewritten(relayed: Relayed, response: aiohttp.ClientResponse, links: Links) -> Relayed:
    """With the links of a redirection or a page rewritten."""
    if "Location" in response.headers:
        relayed.headers = [
            (name, links.url(value) if name.lower() == "location" else value) for name, value in relayed.headers
        ]
        return relayed
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    encoding = response.headers.get("Content-Encoding", "").lower()
    if kind != "text/html" or response.method == "HEAD" or encoding not in ("", "gzip"):
        return relayed
    if (response.content_length or 0) > _PAGE_LIMIT:
        return relayed
    pieces, size = [], 0
    try:
        async for piece in response.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > _PAGE_LIMIT:
                return Relayed(relayed.status, relayed.reason, relayed.headers, response, b"".join(pieces))
    except aiohttp.ClientError as error:
        response.close()
        raise failures.service_unavailable(f"error trying to reach service: {error}") from None
    response.release()
    page = await asyncio.to_thread(_page, b"".join(pieces), encoding, links)
    headers = [(name, value) for name, value in relayed.headers if name.lower() != "content-length"]
    return Relayed(relayed.status, relayed.reason, headers, page)


def _page(page: bytes, encoding: str, links: Links) -> bytes:
    """Latin-1 maps every byte to a character and back, whatever the page's own encoding; links are ASCII."""
    if not encoding:
        return links.page(page.decode("latin-1")).encode("latin-1")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        plain = unpacker.decompress(page, _PAGE_LIMIT)
    except zlib.error:
        return page
    if not unpacker.eof:
        return page
    packer = zlib.compressobj(wbits=_GZIP)
    return packer.compress(links.page(plain.decode("latin-1")).encode("latin-1")) + packer.flush()


async def _after(first: bytes, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in response.content.iter_any():
        yield piece


def _refusal(refused: Refused) -> Relayed:
    """What the backend said to an upgrade it does not make; an answer as if it were a plain request is no answer."""
    if refused.status < 400:
        raise failures.internal_error(f"invalid upgrade response: status code {refused.status}")
    headers = [(name, value) for name, value in returned(refused.headers) if name.lower() != "content-length"]
    return Relayed(refused.status, "", headers, refused.body)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.payload.iter_any():
        yield piece
