"""The client protocol without sockets: one user's calls straight to the registries.

The same authorization, admission and validation as over HTTP, but objects are the watch cache's own decoded ones,
shared and frozen, and nothing is encoded twice. Not here: retries and informers (`proa.client`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Protocol, TypeVar, cast
from urllib.parse import urlencode

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from proa.apiserver import patching
from proa.apiserver.identity import User
from proa.apiserver.metadata import Document
from proa.apiserver.options import ReadOptions, WatchOptions, WriteOptions
from proa.apiserver.parts import Part, part_of
from proa.apiserver.registry import Registry
from proa.apiserver.replacing import replace
from proa.apiserver.reply import JSON
from proa.apiserver.request import BODY_LIMIT, Request
from proa.apiserver.requestinfo import RequestInfo
from proa.client.protocol import Listing, PatchType, WatchEvent
from proa.machinery import status as failures
from proa.machinery.declare import Object
from proa.machinery.decode import to_document
from proa.machinery.resource import Resource
from proa.machinery.unstructured import Unstructured

T = TypeVar("T", bound=Object)


class Server(Protocol):
    """What of the API server a client needs."""

    def registry(self, resource: Resource[Any]) -> Registry: ...
    async def may(self, user: User, info: RequestInfo, fields: str = "", labels: str = "") -> None: ...
    async def post(
        self,
        resource: Resource[Any],
        namespace: str,
        name: str,
        subresource: str,
        body: Document,
        options: WriteOptions,
    ) -> Document: ...
    async def document(self, user: User, method: str, path: str, body: Any, query: Mapping[str, str]) -> Document: ...


class LocalRequest(Request):
    """A request of this process, for handlers that only serve HTTP: a body, a query and a user, no connection."""

    local = True
    __slots__ = ("_local_body",)

    def __init__(self, user: User, method: str, path: str, body: Any, query: Mapping[str, str]) -> None:
        self.method = method
        self.raw_path = path
        self.query_string = urlencode(query)
        self.headers = CIMultiDictProxy(CIMultiDict({"Content-Type": JSON}))
        self.user = user
        self.warnings = []
        self.witness = None
        self._query = None
        self._audit_id = b""
        self._local_body = b"" if body is None else msgspec.json.encode(body)

    async def body(self, limit: int = BODY_LIMIT) -> bytes:
        return self._local_body


class InProcessClient:
    """See `proa.client.protocol.Client`. `manager` is who managedFields says wrote."""

    def __init__(self, server: Server, user: User, manager: str = "") -> None:
        self._server = server
        self._user = user
        self._manager = manager or user.name.rpartition(":")[2]

    async def get(self, resource: Resource[T], name: str, namespace: str = "", *, resource_version: str = "") -> T:
        registry = await self._allowed("get", resource, namespace, name)
        return cast(T, (await registry.get(namespace, name, resource_version)).object)

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
        registry = await self._allowed("list", resource, namespace, selectors=(field_selector, label_selector))
        page = await registry.list(
            namespace, ReadOptions(label_selector, field_selector, limit, continue_, resource_version)
        )
        return Listing([item.object for item in page.items], str(page.revision), page.continue_)

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
        registry = await self._allowed("watch", resource, namespace, selectors=(field_selector, label_selector))
        options = WatchOptions(
            label_selector, field_selector, resource_version, timeout=timeout or 0.0, bookmarks=bookmarks
        )
        watch = await registry.watch(namespace, options)
        try:
            async for batch in watch.batches():
                yield [
                    WatchEvent(shown.type, _bookmark(resource, shown.item.revision) if shown.type == "BOOKMARK"
                               else shown.item.object)
                    for shown in batch
                ]  # fmt: skip
        finally:
            watch.close()

    async def create(self, resource: Resource[T], obj: T, *, dry_run: bool = False) -> T:
        document = to_document(obj)
        namespace = (document.get("metadata") or {}).get("namespace", "")
        registry = await self._allowed("create", resource, namespace)
        item = await registry.create(namespace, document, self._options(dry_run))
        return cast(T, item.object)

    async def update(self, resource: Resource[T], obj: T, *, subresource: str = "", dry_run: bool = False) -> T:
        document = to_document(obj)
        metadata = document.get("metadata") or {}
        namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
        registry = await self._allowed("update", resource, namespace, name, subresource)
        options = self._options(dry_run)
        if subresource or not resource.creates_on_update:
            item = await _writer(registry, subresource).update(namespace, name, document, options, subresource)
        else:
            create = partial(self._allowed, "create", resource, namespace, name)
            item, _ = await replace(registry, namespace, name, document, options, may_create=create)
        return cast(T, item.object)

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
        registry = await self._allowed("patch", resource, namespace, name, subresource)
        writer = _writer(registry, subresource)
        options = self._options(dry_run)
        options.field_manager = field_manager or options.field_manager
        if type == "apply":
            create = None if subresource else partial(self._allowed, "create", resource, namespace, name)
            item, _ = await patching.apply(
                writer, namespace, name, patch, options, subresource, may_create=create, force=force
            )
            return cast(T, item.object)
        change = patching.patch_of(resource, patching.BY_NAME[type], patch)
        return cast(T, (await writer.patch(namespace, name, change, options, subresource)).object)

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
        registry = await self._allowed("delete", resource, namespace, name)
        wanted: Document = {}
        if grace_period_seconds is not None:
            wanted["gracePeriodSeconds"] = grace_period_seconds
        if propagation:
            wanted["propagationPolicy"] = propagation
        if uid or resource_version:
            given = {"uid": uid, "resourceVersion": resource_version}
            wanted["preconditions"] = {name: value for name, value in given.items() if value}
        options = self._options()
        options.document = wanted
        await registry.delete(namespace, name, wanted, options)

    async def delete_collection(
        self, resource: Resource[T], namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> None:
        selectors = field_selector, label_selector
        registry = await self._allowed("deletecollection", resource, namespace, selectors=selectors)
        await registry.delete_collection(namespace, ReadOptions(label_selector, field_selector), {}, self._options())

    async def post(self, resource: Resource[T], name: str, namespace: str, subresource: str, body: Object) -> Document:
        await self._allowed("create", resource, namespace, name, subresource)
        return await self._server.post(resource, namespace, name, subresource, to_document(body), self._options())

    async def document(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None
    ) -> Document:
        return await self._server.document(self._user, method, path, body, query or {})

    async def close(self) -> None:
        """Nothing to give back."""

    async def _allowed(
        self,
        verb: str,
        resource: Resource[Any],
        namespace: str,
        name: str = "",
        subresource: str = "",
        selectors: tuple[str, str] = ("", ""),
    ) -> Registry:
        info = RequestInfo(
            True, verb, "", resource.group, resource.version, resource.plural, subresource, namespace, name
        )
        await self._server.may(self._user, info, *selectors)
        registry = self._server.registry(resource)
        if not registry.cache.is_loaded:
            await registry.awake()
        return registry

    def _options(self, dry_run: bool = False) -> WriteOptions:
        return WriteOptions(self._user, dry_run, self._manager)


def _bookmark(resource: Resource[T], revision: int) -> T:
    document = {"metadata": {"resourceVersion": str(revision)}}
    return cast(T, Unstructured.of(document)) if resource.custom else msgspec.convert(document, resource.type)


def _writer(registry: Registry, subresource: str) -> Registry | Part:
    """What writes the object, its status or a part of it; other subresources have bodies of their own."""
    if subresource in ("", "status"):
        return registry
    part = part_of(registry, subresource)
    if part is None:
        resource = registry.resource
        raise failures.not_implemented(f"{resource.plural}/{subresource} is not written as a {resource.kind}")
    return part
