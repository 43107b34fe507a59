"""The verbs of a resource over HTTP: queries and bodies in, the registry in the middle, bytes out.

Reading writes out the bytes the cache holds; nothing is decoded unless another view of the objects is asked for. Not
here: subresources with a meaning of their own (the other modules of this package).
"""

from __future__ import annotations

import builtins
import random
from collections.abc import AsyncIterator
from typing import Any, cast

from proa.apiserver import patching
from proa.apiserver.components import ComponentStatuses
from proa.apiserver.handlers import views
from proa.apiserver.listing import ItemList
from proa.apiserver.negotiation import PLAIN, YAML, Accepted, accepted, decode_body, encode_yaml, media_type
from proa.apiserver.options import WriteOptions, dry_run, flag, integer, read_options, watch_options
from proa.apiserver.registry import Registry
from proa.apiserver.reply import JSON, Reply, Stream, json_reply, warning_headers
from proa.apiserver.server import Request, Response, compressed
from proa.apiserver.watching import Watch, error_line
from proa.machinery import status as failures
from proa.machinery.conform import normalise
from proa.machinery.decode import FieldValidation, to_typed
from proa.machinery.meta import DeleteOptions
from proa.machinery.schema import schema_of
from proa.store.item import Item

_WATCH_SECONDS = 1800.0
"""The least a watch lasts when the client does not say; the most is twice that, so that not all come back at once."""


def write_options(request: Request, raw: bytes | None = None) -> WriteOptions:
    """Create-, Update-, PatchOptions from the query."""
    query = request.query if request.query_string else {}
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        raise failures.bad_request("fieldManager: Too long: may not be more than 128 bytes")
    if not manager:
        manager = request.headers.get("User-Agent", "").partition("/")[0][:128]
    return WriteOptions(
        request.user,
        dry_run(request.query_values("dryRun")) if "dryRun" in query else False,
        manager,
        FieldValidation.of(query.get("fieldValidation", "")) if query else FieldValidation.WARN,
        raw=raw,
        document=query,
    )


class ResourceHandlers:
    """The handlers of one resource."""

    def __init__(self, registry: Registry | ComponentStatuses) -> None:
        self._registry = cast(Registry, registry)  # of what is computed only the reading verbs are served
        resource = registry.resource
        kind = resource.list_type.__name__ if resource.list_type is not None else resource.kind + "List"
        self._list_open = f'{{"kind":"{kind}","apiVersion":"{resource.api_version}","metadata":{{"resourceVersion":"'

    async def get(self, request: Request) -> Response:
        info = request.info
        version = request.query.get("resourceVersion", "") if request.query_string else ""
        item = await self._registry.get(info.namespace, info.name, version)
        accept = accepted(request.headers.get("Accept", ""))
        return Reply(200, item.body) if accept is PLAIN else self._one(request, accept, item)

    async def list(self, request: Request) -> Response:
        query = request.query if request.query_string else {}
        accept = accepted(request.headers.get("Accept", ""))
        page = await self._registry.list(request.info.namespace, read_options(query))
        if accept.view != "object":
            reply = views.list_reply(self._registry.resource, accept, page, query)
        else:
            reply = Reply(200, self.list_parts(page))
            if accept.media_type == YAML:
                reply = _as_yaml(reply)
        encoding = request.headers.get("Accept-Encoding", "")
        return await compressed(reply, encoding) if encoding else reply

    def list_parts(self, page: ItemList) -> builtins.list[bytes]:
        """The body of a list, in parts: the items' bytes as they are, with what goes between them."""
        head = f'{self._list_open}{page.revision}"'
        if page.continue_:
            head += f',"continue":"{page.continue_}"'
            if page.remaining is not None:
                head += f',"remainingItemCount":{page.remaining}'
        items = page.items
        parts = [(head + '},"items":[').encode()]
        for at in range(0, len(items), 64):
            parts.append(b",".join([item.body for item in items[at : at + 64]]))
            parts.append(b",")
        parts[-1 if items else len(parts) :] = [b"]}\n"]
        return parts

    async def watch(self, request: Request) -> Response:
        query = request.query
        accept = accepted(request.headers.get("Accept", ""))
        options = watch_options(query, random.uniform(_WATCH_SECONDS, 2 * _WATCH_SECONDS))
        try:
            watch = await self._registry.watch(request.info.namespace, options)
        except failures.StatusError as error:
            if error.code != 410:
                raise
            return Stream(_only(error_line(error.status)), content_type="application/json")
        include = query.get("includeObject", "")
        line = views.watch_line(self._registry.resource, accept, include)
        kind = "application/json;stream=watch" if "stream=watch" in request.headers.get("Accept", "") else JSON
        return Stream(_lines(watch, line), content_type=kind)

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
        document, raw = await self._body(request)
        options = write_options(request, raw)
        item = await self._registry.update(info.namespace, info.name, document, options, info.subresource)
        return self._written(request, item, options)

    async def patch(self, request: Request) -> Response:
        info, registry = request.info, self._registry
        kind = media_type(request.headers.get("Content-Type", ""))
        body = patching.parse_body(kind, await request.body())
        options = write_options(request)
        if kind == patching.APPLY_YAML:
            force = flag(request.query, "force")
            item, created = await patching.apply(
                registry, info.namespace, info.name, body, options, info.subresource, force=force
            )
            return self._written(request, item, options, 201 if created else 200)
        if "force" in request.query:
            raise failures.bad_request("force: Forbidden: may not be specified for non-apply patch")
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
            return json_reply(self._registry.deleted_status(info.name, outcome.uid))
        return self._written(request, outcome.item, options)

    async def deletecollection(self, request: Request) -> Response:
        delete_options = await delete_options_of(request)
        options = write_options(request)
        options.dry_run = options.dry_run or dry_run(delete_options.get("dryRun") or [])
        options.document = delete_options
        read = read_options(request.query)
        found = await self._registry.delete_collection(request.info.namespace, read, delete_options, options)
        return Reply(200, self.list_parts(found))

    async def _body(self, request: Request) -> tuple[dict[str, Any], bytes | None]:
        kind = self._registry.resource.type
        return decode_body(request.headers.get("Content-Type", ""), await request.body(), kind)

    def _written(self, request: Request, item: Item, options: WriteOptions, status: int = 200) -> Reply:
        accept = accepted(request.headers.get("Accept", ""))
        reply = Reply(status, item.body) if accept is PLAIN else self._one(request, accept, item)
        reply.status = status
        if options.warnings:
            reply.headers = (*reply.headers, *warning_headers(options.warnings))
        return reply

    def _one(self, request: Request, accept: Accepted, item: Item) -> Reply:
        if accept.view != "object":
            return views.one_reply(self._registry.resource, accept, item, request.query)
        reply = Reply(200, item.body)
        return _as_yaml(reply) if accept.media_type == YAML else reply


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
        return checked_delete_options(options)
    query = request.query
    options = {}
    if "gracePeriodSeconds" in query:
        options["gracePeriodSeconds"] = integer(query, "gracePeriodSeconds")
    if "propagationPolicy" in query:
        options["propagationPolicy"] = query["propagationPolicy"]
    if "orphanDependents" in query:
        options["orphanDependents"] = flag(query, "orphanDependents")
    return options


def checked_delete_options(options: dict[str, Any]) -> dict[str, Any]:
    """DeleteOptions of a body, without nulls and of the right types. Raises StatusError 400."""
    normalise(options, schema_of(DeleteOptions))
    to_typed(options, DeleteOptions)
    return options


def _as_yaml(reply: Reply) -> Reply:
    body = reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)
    return Reply(reply.status, encode_yaml(body), YAML, reply.headers)


async def _only(line: bytes) -> AsyncIterator[bytes]:
    yield line


async def _lines(watch: Watch, line: views.Line | None) -> AsyncIterator[bytes]:
    """The chunks of a watch response: all lines of a batch at once; a failure is its last line."""
    try:
        async for batch in watch.batches():
            if line is None:
                yield b"".join([shown.line() for shown in batch])
            else:
                yield b"".join([line(shown) for shown in batch])
    except failures.StatusError as error:
        yield error_line(error.status)
    finally:
        watch.close()
