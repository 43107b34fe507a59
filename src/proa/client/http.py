"""The client over HTTPS: the same protocol as in process, for agents, tools and other machines.

One pool of kept connections; a watch has its own connection and is parsed in batches of whatever lines have arrived.
Refused requests (429) and unreachable servers are retried where that is safe. Fields a newer server knows and we do not
are dropped. Not here: where the address and identity come from (`connection`, `kubeconfig`).
"""

from __future__ import annotations

import asyncio
import random
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDict

from proa.aio.backoff import Backoff
from proa.base.errors import ProaError
from proa.client.connection import Connection
from proa.client.metrics import ClientMetrics
from proa.client.protocol import Document, Listing, PatchType, UnreachableError, WatchEvent
from proa.machinery.conform import prune
from proa.machinery.declare import Object
from proa.machinery.decode import to_typed
from proa.machinery.meta import ListMeta, Status, StatusDetails
from proa.machinery.resource import Resource
from proa.machinery.schema import schema_of
from proa.machinery.status import StatusError, decode_status

T = TypeVar("T", bound=Object)

RETRY = Backoff(base=0.1, factor=2.0, cap=2.0, jitter=0.2)
RETRIES = 5
# Seconds: a whole request; and the longest silence of a watch, which the server breaks with bookmarks every minute.
DEFAULT_TIMEOUT = aiohttp.ClientTimeout(total=60.0, sock_connect=10.0)
WATCH_SILENCE = 180.0
# A watch is asked to end after 5 to 10 minutes, so that load spreads again over servers.
WATCH_SECONDS = 300.0
TOKEN_SECONDS = 60.0
LINE_LIMIT = 64 * 1024 * 1024

_PATCH_TYPES: dict[PatchType, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")


class _Page(msgspec.Struct, Generic[T]):
    metadata: ListMeta
    items: list[T] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


@cache
def _decoder(type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type)


_EVENT = msgspec.json.Decoder(_Event)


def decode_object(body: bytes | msgspec.Raw, type: type[T]) -> T:
    """The typed object; unknown fields are dropped. Raises UnreachableError for what is no such object."""
    try:
        return _decoder(type).decode(body)  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        document = msgspec.json.decode(body)
        prune(document, schema_of(type))
        return to_typed(document, type)
    except msgspec.DecodeError as error:
        raise UnreachableError(f"the server sent no {type.__name__}: {error}") from error


def decode_page(body: bytes, type: type[T]) -> Listing[T]:
    """One page of a list."""
    try:
        page: Any = _decoder(_Page[type]).decode(body)  # type: ignore[valid-type]
        items, meta = page.items or [], page.metadata
    except msgspec.ValidationError:
        document = msgspec.json.decode(body)
        items = []
        for each in document.get("items") or ():
            prune(each, schema_of(type))
            items.append(to_typed(each, type))
        meta = msgspec.convert(document.get("metadata", {}), ListMeta)
    except msgspec.DecodeError as error:
        raise UnreachableError(f"the server sent no list of {type.__name__}: {error}") from error
    return Listing(items, meta.resourceVersion, meta.continue_)


def path_of(resource: Resource[Any], namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The URL path of a collection, an object or its subresource."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    inner = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
    return "/".join(filter(None, (f"{root}{inner}/{resource.plural}", name, subresource)))


class HttpClient:
    """See `proa.client.protocol.Client`. manager: the field manager its writes are recorded under."""

    def __init__(self, connection: Connection, *, manager: str = "proa", user_agent: str = "proa") -> None:
        self.connection = connection
        self._manager = manager
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._token = connection.token
        self._token_read = -TOKEN_SECONDS
        self.metrics = ClientMetrics(urlsplit(connection.server).netloc)
        self._requests = 0
        self._retries = 0
        self._watches = 0

    # The protocol

    async def get(self, resource: Resource[T], name: str, namespace: str = "", *, resource_version: str = "") -> T:
        query = {"resourceVersion": resource_version}
        return decode_object(await self._request("GET", path_of(resource, namespace, name), query), resource.type)

    async def list(
        self,
        resource: Resource[T],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
    ) -> Listing[T]:
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": str(limit) if limit else "",
            "continue": continue_,
            "resourceVersion": resource_version,
        }
        return decode_page(await self._request("GET", path_of(resource, namespace), query), resource.type)

    async def watch(
        self,
        resource: Resource[T],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        bookmarks: bool = True,
        timeout: float | None = None,
    ) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        seconds = timeout if timeout is not None else WATCH_SECONDS * (1 + random.random())
        query = {
            "watch": "true",
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true" if bookmarks else "",
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        silence = WATCH_SILENCE if bookmarks else seconds + WATCH_SILENCE
        limits = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        response = await self._send("GET", path_of(resource, namespace), query, timeout=limits)
        self._watches += 1
        try:
            pending = b""
            while True:
                chunk = await response.content.readany()
                if not chunk:
                    return
                head, newline, tail = (pending + chunk).rpartition(b"\n")
                pending = tail
                if len(pending) > LINE_LIMIT:
                    raise UnreachableError(f"a watch event of {resource.qualified} is over {LINE_LIMIT} bytes")
                if newline:
                    yield [self._event(line, resource) for line in head.split(b"\n") if line]
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnreachableError(f"watch of {resource.qualified}: {_says(error)}") from error
        finally:
            self._watches -= 1
            response.close()

    async def create(self, resource: Resource[T], obj: T, *, dry_run: bool = False) -> T:
        path = path_of(resource, _meta(obj).namespace)
        body = await self._request("POST", path, self._write_query(dry_run), msgspec.json.encode(obj))
        return decode_object(body, resource.type)

    async def update(self, resource: Resource[T], obj: T, *, subresource: str = "", dry_run: bool = False) -> T:
        meta = _meta(obj)
        path = path_of(resource, meta.namespace, meta.name, subresource)
        body = await self._request("PUT", path, self._write_query(dry_run), msgspec.json.encode(obj))
        return decode_object(body, resource.type)

    async def patch(
        self,
        resource: Resource[T],
        name: str,
        namespace: str,
        patch: Any,
        *,
        type: PatchType = "strategic",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> T:
        query = {**self._write_query(dry_run), "force": "true" if force else ""}
        if field_manager:
            query["fieldManager"] = field_manager
        path = path_of(resource, namespace, name, subresource)
        body = await self._request("PATCH", path, query, msgspec.json.encode(patch), _PATCH_TYPES[type])
        return decode_object(body, resource.type)

    async def delete(
        self,
        resource: Resource[T],
        name: str,
        namespace: str = "",
        *,
        grace_period_seconds: int | None = None,
        propagation: Literal["", "Background", "Foreground", "Orphan"] = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if propagation:
            options["propagationPolicy"] = propagation
        guards = {"uid": uid, "resourceVersion": resource_version}
        if any(guards.values()):
            options["preconditions"] = {key: value for key, value in guards.items() if value}
        await self._request("DELETE", path_of(resource, namespace, name), {}, msgspec.json.encode(options))

    async def delete_collection(
        self, resource: Resource[T], namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> None:
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        await self._request("DELETE", path_of(resource, namespace), query)

    async def post(self, resource: Resource[T], name: str, namespace: str, subresource: str, body: Object) -> Document:
        path = path_of(resource, namespace, name, subresource)
        return _document(await self._request("POST", path, self._write_query(False), msgspec.json.encode(body)))

    async def document(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None
    ) -> Document:
        content = msgspec.json.encode(body) if body is not None else None
        return _document(await self._request(method, path, query or {}, content))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def statistics(self) -> dict[str, int]:
        return {"requests": self._requests, "retries": self._retries, "watches": self._watches}

    # The wire

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        """The body of a successful response. Raises StatusError, UnreachableError."""
        response = await self._send(method, path, query, body, content_type)
        try:
            return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnreachableError(f"{method} {path}: {_says(error)}") from error
        finally:
            response.release()

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> aiohttp.ClientResponse:
        """A response with its head read and status good; the caller releases it."""
        parameters = {key: value for key, value in query.items() if value}
        attempt = 0
        while True:
            try:
                return await self._send_once(method, path, parameters, body, content_type, timeout)
            except (StatusError, UnreachableError) as error:
                pause = self._pause(error, method, attempt)
                if pause is None:
                    raise
            attempt += 1
            self._retries += 1
            await asyncio.sleep(pause)

    def _pause(self, error: ProaError, method: str, attempt: int) -> float | None:
        """Seconds until the request may be sent again; None when it must not."""
        if attempt >= RETRIES:
            return None
        if isinstance(error, StatusError):
            refused = error.code == 429 or (error.code == 503 and error.retry_after and method == "GET")
            if error.code == 401 and self.connection.token_file and attempt == 0:
                self._token_read = -TOKEN_SECONDS  # it may have been replaced a moment ago
                return 0.0
            return max(error.retry_after, RETRY.delay(attempt)) if refused else None
        cause = error.__cause__
        unsent = isinstance(cause, aiohttp.ClientConnectorError) and not isinstance(cause, aiohttp.ClientSSLError)
        return RETRY.delay(attempt) if unsent and method in _IDEMPOTENT else None

    async def _send_once(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        timeout: aiohttp.ClientTimeout | None,
    ) -> aiohttp.ClientResponse:
        session = self._opened()
        headers = self._identity()
        if body is not None:
            headers["Content-Type"] = content_type
        self._requests += 1
        began, code = time.perf_counter(), 0
        try:
            response = await session.request(
                method,
                self.connection.server.rstrip("/") + path,
                params=parameters,
                data=body,
                headers=headers,
                server_hostname=self.connection.server_name or None,
                timeout=timeout or DEFAULT_TIMEOUT,
            )
            code = response.status
            if code < 400:
                return response
            failure = decode_status(await response.read(), response.status)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise UnreachableError(f"{method} {self.connection.server}{path}: {_says(error)}") from error
        finally:
            self.metrics.answered(method, code, time.perf_counter() - began)
        raise StatusError(_with_retry_after(failure, response.headers.get("Retry-After", "")))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            tls = self.connection.tls()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, ssl=tls if tls is not None else True, keepalive_timeout=90, ttl_dns_cache=10
                ),
                headers={"User-Agent": self._user_agent, "Accept": "application/json"},
                skip_auto_headers=("Content-Type",),
                read_bufsize=256 * 1024,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _identity(self) -> CIMultiDict[str]:
        connection = self.connection
        headers: CIMultiDict[str] = CIMultiDict()
        if connection.token_file:
            now = asyncio.get_running_loop().time()
            if now - self._token_read >= TOKEN_SECONDS:
                self._token = Path(connection.token_file).read_text().strip()
                self._token_read = now
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        elif connection.username:
            pair = f"{connection.username}:{connection.password}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        if connection.impersonate:
            headers["Impersonate-User"] = connection.impersonate
            for group in connection.impersonate_groups:
                headers.add("Impersonate-Group", group)
        return headers

    def _write_query(self, dry_run: bool) -> dict[str, str]:
        return {"fieldManager": self._manager, "dryRun": "All" if dry_run else ""}

    def _event(self, line: bytes, resource: Resource[T]) -> WatchEvent[T]:
        try:
            event = _EVENT.decode(line)
        except msgspec.DecodeError as error:
            raise UnreachableError(f"watch of {resource.qualified} sent no event: {error}") from error
        if event.type == "ERROR":
            raise StatusError(decode_status(bytes(event.object)))
        return WatchEvent(event.type, decode_object(event.object, resource.type))


def _with_retry_after(failure: Status, header: str) -> Status:
    """The Status with the header's seconds, where it does not say them itself."""
    if not header.isdecimal() or (failure.details is not None and failure.details.retryAfterSeconds):
        return failure
    details = failure.details if failure.details is not None else StatusDetails()
    return msgspec.structs.replace(failure, details=msgspec.structs.replace(details, retryAfterSeconds=int(header)))


def _document(body: bytes) -> Document:
    try:
        document = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError as error:
        raise UnreachableError(f"the server sent no JSON: {error}") from error
    if not isinstance(document, dict):
        raise UnreachableError(f"the server sent {type(document).__name__} where a JSON object was expected")
    return document


def _meta(obj: Any) -> Any:
    return obj.metadata


def _says(error: BaseException) -> str:
    return str(error) or type(error).__name__
