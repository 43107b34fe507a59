"""The client of every webhook: one JSON document posted, one JSON document back.

A backend is what clientConfig says: a URL, or a Service, whose endpoint is looked up when a connection is opened and
which must present a certificate for `<service>.<namespace>.svc`. Connections are kept and shared. Failures are worded
as upstream's (Go's) are, because people and tests look for these texts. Not here: what is asked and what an answer
means.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import math
import socket
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from proa.apiserver.webhooks.metrics import WebhookMetrics
from proa.base.errors import ProaError
from proa.base.metrics import Metrics
from proa.machinery import status as failures
from proa.machinery.fields import quoted

if TYPE_CHECKING:
    from proa.apiserver.services import ServiceResolver

Document = dict[str, Any]

ANSWER_LIMIT = 64 << 20
"""Bytes of an answer; a conversion answers with a whole list."""
_DEFAULT_PORT = 443
_CONTEXTS = 256
_JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, */*"}
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}  # X509_V_ERR_* of a chain that ends nowhere known
_EXPIRED = {9, 10}
_DEADLINE = "context deadline exceeded"


class WebhookFailure(ProaError):
    """A webhook could not be asked, or its answer not be understood. `code`: the HTTP status it counts as; `reason`
    says why without saying which webhook."""

    def __init__(self, reason: str, code: int = 503) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class WebhookClient:
    """Posts to webhooks. Nothing is opened before the first call; `close` ends what was. Callers count in `metrics`."""

    def __init__(self, services: ServiceResolver, metrics: WebhookMetrics | None = None) -> None:
        self.metrics = metrics or WebhookMetrics(Metrics())
        self._services = services
        self._session: aiohttp.ClientSession | None = None
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    async def call(
        self,
        config: Mapping[str, Any],
        body: Mapping[str, Any],
        timeout: float,
        *,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Document:
        """What the backend in `config` (url or service, caBundle) answers to `body`.

        timeout: seconds for the whole call, told to the backend in the query. tls: instead of one made from the
        caBundle, for callers with credentials of their own. Raises WebhookFailure.
        """
        url = f"{url_of(config)}?timeout={math.ceil(timeout)}s"
        context = tls or self._context(config.get("caBundle") or "")
        data = msgspec.json.encode(body)
        try:
            async with asyncio.timeout(timeout):
                status, answer = await self._post(url, data, context, {**_JSON_HEADERS, **(headers or {})})
        except TimeoutError:
            raise _failure(url, _DEADLINE) from None
        except (aiohttp.ClientError, OSError, failures.StatusError) as error:
            raise _failure(url, _worded(error)) from error
        if not 200 <= status < 300:
            raise _refusal(status, answer)
        try:
            document = msgspec.json.decode(answer)
        except msgspec.DecodeError as error:
            raise WebhookFailure(f"couldn't get version/kind; json parse error: {error}") from None
        if not isinstance(document, dict):
            raise WebhookFailure("couldn't get version/kind; json parse error: the answer is no object")
        return document

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(
        self, url: str, data: bytes, context: ssl.SSLContext, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        try:
            return await self._once(url, data, context, headers)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            # A kept connection that the backend closed just now says nothing about the backend: ask it anew.
            return await self._once(url, data, context, headers)

    async def _once(
        self, url: str, data: bytes, context: ssl.SSLContext, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        async with self._open().post(url, data=data, headers=headers, ssl=context, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > ANSWER_LIMIT:
                    raise aiohttp.ClientPayloadError(f"http: response body is larger than {ANSWER_LIMIT} bytes")
            return response.status, bytes(body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, resolver=_Resolver(self._services), use_dns_cache=False)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self._session

    def _context(self, bundle: str) -> ssl.SSLContext:
        """The TLS side of a caBundle; the same object for the same bundle, so that connections are shared."""
        found = self._contexts.get(bundle)
        if found is None:
            found = self._contexts[bundle] = verifying(bundle)
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        else:
            self._contexts.move_to_end(bundle)
        return found


def verifying(bundle: str) -> ssl.SSLContext:
    """TLS that trusts the certificates of a caBundle, or the system's roots without one. Raises WebhookFailure.

    As Go verifies: any certificate of the bundle ends a chain, names are only read from subject alternative names, and
    extensions that RFC 5280 wants in authorities may be missing.
    """
    try:
        # Charts write a line break for an authority that is filled in later: as if there were none.
        authorities = base64.b64decode(bundle, validate=True).decode("ascii").strip()
        context = ssl.create_default_context(cadata=authorities or None)
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError, ValueError):
        why = "could not get REST client: unable to load root certificates: unable to parse bytes as PEM block"
        raise WebhookFailure(why, 500) from None
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    return context


def url_of(config: Mapping[str, Any]) -> str:
    """The URL of a clientConfig, without a query. Raises WebhookFailure."""
    service = config.get("service")
    if service:
        path = (service.get("path") or "").removeprefix("/")
        port = service.get("port") or _DEFAULT_PORT
        return f"https://{server_name(service['namespace'], service['name'])}:{port}/{path}"
    if not config.get("url"):
        raise WebhookFailure("webhook configuration must have either service or URL", 500)
    return str(config["url"])


def server_name(namespace: str, name: str) -> str:
    """The name a Service's certificate must be valid for."""
    return f"{name}.{namespace}.svc"


class _Resolver(AbstractResolver):
    """Names of Services become an endpoint of theirs; all others are asked of the machine's resolver."""

    def __init__(self, services: ServiceResolver) -> None:
        self._services = services
        self._others = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        labels = host.split(".")
        if len(labels) != 3 or labels[2] != "svc":
            return await self._others.resolve(host, port, family)
        address, number = await self._services.resolve(labels[1], labels[0], port)
        if not _is_address(address):
            return await self._others.resolve(address, number, family)
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host=address, port=number, family=kind, proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
        ]  # fmt: skip

    async def close(self) -> None:
        await self._others.close()


def _is_address(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        return False
    return True


def _failure(url: str, why: str) -> WebhookFailure:
    return WebhookFailure(f"Post {quoted(url)}: {why}")


def _refusal(status: int, body: bytes) -> WebhookFailure:
    """An answer that is no success: the Status it carries, else what client-go makes of its code."""
    text = body[:2048].decode("utf-8", "replace").strip()
    known = failures.decode_status(body, status)
    if known.kind == "Status" and known.status == "Failure" and known.message != text:
        return WebhookFailure(known.message or known.reason, known.code or status)
    if status == 404:
        return WebhookFailure("the server could not find the requested resource", status)
    if status >= 500:
        return WebhookFailure(
            f"an error on the server ({quoted(text or 'unknown')}) has prevented the request from succeeding", status
        )
    return WebhookFailure(
        f"the server responded with the status code {status} but did not return more information", status
    )


def _worded(error: BaseException) -> str:
    """The failure of a connection in Go's words."""
    if isinstance(error, failures.StatusError):
        details = error.status.details
        if failures.is_not_found(error) and details is not None:
            return f"service {quoted(details.name)} not found"
        return error.message
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        if "WRONG_VERSION" in str(error.os_error):
            return "http: server gave HTTP response to HTTPS client"
        return f"tls: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        where = f"{error.host}:{error.port}"
        if isinstance(cause, ConnectionRefusedError):
            return f"dial tcp {where}: connect: connection refused"
        return f"dial tcp {where}: connect: {_strerror(cause)}"
    if isinstance(error, aiohttp.InvalidURL):
        return "unsupported protocol scheme" if not urlsplit(str(error.url)).scheme else f"invalid URL: {error}"
    if isinstance(error, (aiohttp.ServerDisconnectedError, ConnectionResetError)):
        return "EOF"
    return str(error) or type(error).__name__


def _strerror(error: OSError) -> str:
    if error.errno is not None and error.errno in errno.errorcode:
        return (error.strerror or "").lower()
    return str(error)


def _certificate(error: Exception) -> str:
    code = getattr(error, "verify_code", 0)
    if code in _UNKNOWN_AUTHORITY:
        why = "certificate signed by unknown authority"
    elif code in _EXPIRED:
        why = "certificate has expired or is not yet valid"
    else:
        why = str(getattr(error, "verify_message", "") or error)
    return f"tls: failed to verify certificate: x509: {why}"
