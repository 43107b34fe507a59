"""The verbs of a resource over HTTP: queries and bodies in, the registry in the middle, bytes out.

Reading writes out the bytes the cache holds; nothing is decoded unless another view of the objects is asked for. Not
here: subresources with a meaning of their own (the other modules of this package).
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from proa.apiserver import patching
from proa.apiserver.components import ComponentStatuses
from proa.apiserver.deletion import check_options
from proa.apiserver.identity import User
from proa.apiserver.metadata import match_name, name_of
from proa.apiserver.negotiation import decode_body, media_type
from proa.apiserver.options import (
    WriteOptions,
    checked_write,
    dry_run,
    flag,
    integer,
    read_options,
    refuse,
    watch_options,
)
from proa.apiserver.parts import Part
from proa.apiserver.registry import Registry
from proa.apiserver.replacing import replace
from proa.apiserver.reply import GZIP_FROM, Reply, Stream, compressed, warning_headers
from proa.apiserver.representation import Line, Representation, answer
from proa.apiserver.request import Request, Response
from proa.apiserver.requestinfo import RequestInfo
from proa.apiserver.watching import Watch
from proa.machinery import status as failures
from proa.machinery.conform import normalise
from proa.machinery.decode import to_document, to_typed
from proa.machinery.field_selectors import parse_fields
from proa.machinery.fields import ErrorList, Path
from proa.machinery.meta import DeleteOptions, Status
from proa.machinery.schema import schema_of
from proa.machinery.selectors import SelectorError
from proa.store.item import Item

_WATCH_SECONDS = 1800.0
"""The least a watch lasts when the client does not say; the most is twice that, so that not all come back at once."""


def write_options(request: Request, raw: bytes | None = None, kind: str = "CreateOptions") -> WriteOptions:
    """Create-, Update-, PatchOptions (`kind`) from the query. Raises StatusError 422."""
    query = request.query if request.query_string else {}
    manager = request.headers.get("User-Agent", "").partition("/")[0][:128]
    options = WriteOptions(request.user, field_manager=manager, raw=raw, document=query)
    if request.witness is not None:
        options.annotations = request.witness.annotations
    if query:
        checked_write(kind, options, query, request.query_values("dryRun"))
    return options


def patch_options(request: Request, content_type: str) -> WriteOptions:
    """PatchOptions from the query; who applies says under which name. Raises StatusError 422."""
    options = write_options(request, kind="PatchOptions")
    if content_type == patching.APPLY_YAML:
        options.field_manager = request.query.get("fieldManager", "") if request.query_string else ""
    return options


May = Callable[[User, RequestInfo], Awaitable[None]]
"""Raises StatusError 403 when somebody may not."""


class ResourceHandlers:
    """The handlers of one resource, or of one part of its objects. may: for what a request does beyond its verb."""

    def __init__(self, registry: Registry | Part | ComponentStatuses, may: May) -> None:
        self._may = may
        self._registry = cast(Registry, registry)  # who has only some of its methods is served for their verbs only
        self._shown = Representation(registry.resource)

    async def get(self, request: Request) -> Response:
        info = request.info
        version = request.query.get("resourceVersion", "") if request.query_string else ""
        item = await self._registry.get(info.namespace, info.name, version)
        reply = self._shown.one(request, item)
        return reply if len(item.body) <= GZIP_FROM else await compressed(reply, _encodings(request))

    async def list(self, request: Request) -> Response:
        query: Mapping[str, str] = request.query if request.query_string else {}
        if request.info.name:
            query = _of_one(query, request.info.name)
        page = await self._registry.list(request.info.namespace, read_options(query))
        reply = await self._shown.page(request, page)
        encodings = _encodings(request)
        return await compressed(reply, encodings) if encodings else reply

    async def watch(self, request: Request) -> Response:
        media_type, line, failure = self._shown.watch(request)
        query: Mapping[str, str] = request.query
        if request.info.name:
            query = _of_one(query, request.info.name)
        options = watch_options(query, random.uniform(_WATCH_SECONDS, 2 * _WATCH_SECONDS))
        try:
            watch = await self._registry.watch(request.info.namespace, options)
        except failures.StatusError as error:
            if error.code not in (410, 504):  # what is about versions, a watcher looks for among the events
                raise
            return Stream(_only(failure(error.status)), media_type, self._shown.headers)
        return Stream(_lines(watch, line, failure, self._registry), media_type, self._shown.headers)

    async def create(self, request: Request) -> Response:
        info = request.info
        if info.name and not info.subresource:
            raise failures.method_not_allowed()
        if self._registry.resource.namespaced and not info.namespace:
            raise failures.method_not_allowed()
        document, raw = await self._body(request)
        options = write_options(request, raw)
        item = await self._registry.create(info.namespace, document, options)
        return self._written(request, item, options, 201)

    async def update(self, request: Request) -> Response:
        info = request.info
        if not info.name:
            raise failures.method_not_allowed()
        document, raw = await self._body(request)
        options = write_options(request, raw, "UpdateOptions")
        match_name(name_of(document), info.name)
        registry = self._registry
        if info.subresource or not registry.resource.creates_on_update:
            item = await registry.update(info.namespace, info.name, document, options, info.subresource)
            return self._written(request, item, options)
        create = partial(self._may, request.user, info._replace(verb="create"))
        item, created = await replace(registry, info.namespace, info.name, document, options, may_create=create)
        return self._written(request, item, options, 201 if created else 200)

    async def patch(self, request: Request) -> Response:
        info, registry = request.info, self._registry
        if not info.name:
            raise failures.method_not_allowed()
        kind = media_type(request.headers.get("Content-Type", ""))
        body = patching.parse_body(kind, await request.body())
        options = patch_options(request, kind)
        if kind == patching.APPLY_YAML:
            force = flag(request.query, "force")
            create = None if info.subresource else partial(self._may, request.user, info._replace(verb="create"))
            item, created = await patching.apply(
                registry, info.namespace, info.name, body, options, info.subresource, may_create=create, force=force
            )
            return self._written(request, item, options, 201 if created else 200)
        if "force" in request.query:
            errors = ErrorList()
            errors.forbidden(Path("force"), "may not be specified for non-apply patch")
            refuse("PatchOptions", errors)
        change = patching.patch_of(registry.resource, kind, body)
        item = await registry.patch(info.namespace, info.name, change, options, info.subresource)
        return self._written(request, item, options)

    async def delete(self, request: Request) -> Response:
        info = request.info
        delete_options = await delete_options_of(request)
        options = write_options(request)
        options.dry_run = options.dry_run or dry_run(delete_options.get("dryRun") or [])
        options.document = delete_options
        outcome = await self._registry.delete(info.namespace, info.name, delete_options, options)
        if outcome.now and not _returns_deleted(self._registry):
            status = self._registry.deleted_status(info.name, outcome.uid)
            headers = (*self._shown.headers, *warning_headers(options.warnings))
            return answer(request, to_document(status), Status, headers=headers)
        return self._written(request, outcome.item, options)

    async def deletecollection(self, request: Request) -> Response:
        delete_options = await delete_options_of(request)
        options = write_options(request)
        options.dry_run = options.dry_run or dry_run(delete_options.get("dryRun") or [])
        options.document = delete_options
        read = read_options(request.query)
        found = await self._registry.delete_collection(request.info.namespace, read, delete_options, options)
        return _told(await self._shown.page(request, found), options)

    async def _body(self, request: Request) -> tuple[dict[str, Any], bytes | None]:
        resource = self._registry.resource
        kind = None if resource.custom else resource.type
        return decode_body(request.headers.get("Content-Type", ""), await request.body(), kind)

    def _written(self, request: Request, item: Item, options: WriteOptions, status: int = 200) -> Reply:
        return _told(self._shown.one(request, item, status), options)


def _told(reply: Reply, options: WriteOptions) -> Reply:
    """The reply with what its client should know."""
    if options.warnings:
        reply.headers = (*reply.headers, *warning_headers(options.warnings))
    return reply


# Upstream answers a completed delete of these with the object, of all others with a Status.
_RETURNED = frozenset(
    {"pods", "services", "persistentvolumes", "persistentvolumeclaims", "serviceaccounts", "resourcequotas",
     "podtemplates"}
)  # fmt: skip


def _returns_deleted(registry: Registry) -> bool:
    return registry.resource.qualified in _RETURNED


async def delete_options_of(request: Request) -> dict[str, Any]:
    """DeleteOptions from the body, or from the query when there is no body. Raises StatusError 400."""
    body = await request.body()
    if body.strip():
        options, _ = decode_body(request.headers.get("Content-Type", ""), body, DeleteOptions)
        if options.get("kind") not in (None, "", "DeleteOptions"):
            raise failures.bad_request(f"the body of a delete must be DeleteOptions, not {options['kind']}")
        normalise(options, schema_of(DeleteOptions))
        to_typed(options, DeleteOptions)
        check_options(options)
        return options
    query = request.query
    options = {}
    if query.get("gracePeriodSeconds"):
        options["gracePeriodSeconds"] = integer(query, "gracePeriodSeconds")
    if "propagationPolicy" in query:
        options["propagationPolicy"] = query["propagationPolicy"]
    if "orphanDependents" in query:
        options["orphanDependents"] = flag(query, "orphanDependents")
    check_options(options)
    return options


def _of_one(query: Mapping[str, str], name: str) -> Mapping[str, str]:
    """The query of a watch whose path names one object, or of a read whose field selector does."""
    fields = query.get("fieldSelector", "")
    if not fields:
        return {**query, "fieldSelector": f"metadata.name={name}"}
    try:
        selected = parse_fields(fields).exact("metadata.name")
    except SelectorError as error:
        raise failures.bad_request(str(error)) from None
    if selected != name:
        raise failures.bad_request("fieldSelector metadata.name doesn't match requested name")
    return query


async def _only(line: bytes) -> AsyncIterator[bytes]:
    yield line


async def _lines(
    watch: Watch, line: Line, failure: Callable[[Status], bytes], registry: Registry
) -> AsyncIterator[bytes]:
    """The chunks of a watch response: all lines of a batch at once; a failure is its last line."""
    try:
        async for batch in watch.batches():
            registry.watch_events += len(batch)
            yield b"".join([line(shown) for shown in batch])
    except failures.StatusError as error:
        yield failure(error.status)
    finally:
        watch.close()


def _encodings(request: Request) -> str:
    return request.headers.get("Accept-Encoding", "")
