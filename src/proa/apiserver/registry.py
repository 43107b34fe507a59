"""The generic registry: what get, list, watch, create, update, patch and delete mean for any resource.

One instance a resource. Documents go in, items (bytes with a revision) come out; the order of a write is fixed here:
decode, default, prepare, admission, validation, store. Who may ask was decided before. Not here: HTTP, the steps of a
write that need no store (`writing`), and what is special to one resource: its strategy, `hooks`, and the handlers of
its subresources.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, Protocol

import msgspec

from proa.aio.clock import Clock
from proa.apiserver import deletion, keys, metadata
from proa.apiserver.admission import Attributes, Chain, Operation
from proa.apiserver.conversion import View
from proa.apiserver.listing import ItemList, list_items, parse_revision
from proa.apiserver.metadata import Document
from proa.apiserver.options import ReadOptions, WatchOptions, WriteOptions
from proa.apiserver.selecting import matcher
from proa.apiserver.watching import Watch
from proa.apiserver.writing import Encoded, Preparation
from proa.machinery import status as failures
from proa.machinery.decode import FieldValidation
from proa.machinery.form import DeclaredForm
from proa.machinery.meta import Status
from proa.machinery.names import generate_name
from proa.machinery.resource import Resource
from proa.machinery.timestamps import format_time
from proa.store.item import Codec, Item
from proa.store.protocol import Conflict, Entry, FutureRevisionError
from proa.store.watchcache import WatchCache

_NAME_TRIES = 8
_WRITE_TRIES = 32
# Deletes of a collection that wait for the store together, so that they share its commits.
_DELETED_AT_ONCE = 64

Change = Callable[[Document], Document]
"""Makes the new document from the stored one. It may be called again with a newer one; it owns what it is given."""


class Hooks(Protocol):
    """Resources outside of the object that a write takes and gives back: addresses and ports of a Service.

    Each of the first two may change the document, and returns what is to be called with whether the write happened.
    Raises StatusError.
    """

    def begin_create(self, document: Document, *, dry_run: bool) -> Callable[[bool], None]: ...
    def begin_update(self, document: Document, old: Mapping[str, Any], *, dry_run: bool) -> Callable[[bool], None]: ...
    def deleted(self, document: Mapping[str, Any]) -> None: ...


class Facet(Protocol):
    """One side of an object that is written as an object of its own (its Scale): what admission sees of a write."""

    def show(self, document: Document) -> Document:
        """That side of a whole object, as a new document."""

    def take(self, part: Document, document: Document) -> None:
        """Put what `part` says into the whole object. Raises StatusError."""


class Deleted:
    """The outcome of a delete: `item` is the object as it is while it goes away, or as it last was when `now`."""

    __slots__ = ("item", "now", "uid")

    def __init__(self, item: Item, now: bool, uid: str) -> None:
        self.item = item
        self.now = now
        self.uid = uid


class Registry:
    """Serves one resource from one watch cache. Everything raises StatusError."""

    def __init__(
        self,
        resource: Resource[Any],
        cache: WatchCache,
        codec: Codec,
        *,
        clock: Clock,
        random: Random,
        admission: Chain,
        hooks: Hooks | None = None,
        view: View | None = None,
    ) -> None:
        self.resource = resource
        self.cache = cache
        self.codec = codec
        self.hooks = hooks
        self.view = view
        self.watch_events = 0
        """How many events have been sent to watchers over HTTP."""
        self._prefix = keys.prefix(resource)
        self._clock = clock
        self._random = random
        self._admission = admission.of(resource)
        self._prepare = Preparation(resource)

    async def awake(self) -> None:
        """Have the cache loaded: those of resources made at run time are when they are first asked for."""
        if not self.cache.is_loaded:
            await self.cache.start()

    def now(self) -> str:
        """The time of a write (RFC 3339)."""
        return format_time(self._clock.now())

    # -- reading --------------------------------------------------------------------------------------------------

    def key(self, namespace: str, name: str) -> str:
        """The store key of an object."""
        return f"{self._prefix}{namespace}/{name}" if self.resource.namespaced else self._prefix + name

    def under(self, namespace: str) -> str:
        """The key prefix of a namespace's objects, or of all."""
        return f"{self._prefix}{namespace}/" if namespace else self._prefix

    def peek(self, namespace: str, name: str) -> Item | None:
        """The object if the cache has it now; never waits. Not for a converted resource."""
        return self.cache.item(self.key(namespace, name))

    async def get(self, namespace: str, name: str, resource_version: str = "") -> Item:
        """One object: the newest for '', else at least as new as asked."""
        if not resource_version:
            await self.cache.fresh()
        elif resource_version != "0":
            asked = parse_revision(resource_version)
            try:
                await self.cache.reach(asked)
            except FutureRevisionError as error:
                raise failures.too_large_resource_version(error.requested, error.current) from None
        item = self.cache.item(self.key(namespace, name))
        if item is None:
            raise failures.not_found(self.resource, name)
        if self.view is None:
            return item
        await self.view.prepare((item,))
        return self.view.of(item)

    async def list(self, namespace: str, options: ReadOptions) -> ItemList:
        """One page, in key order."""
        view = self.view
        matches = matcher(self.resource, options.label_selector, options.field_selector, self._index_of)
        if view is not None and matches is not None:
            await view.prepare((await self.cache.items(self.under(namespace))).items)
        page = await list_items(self.cache, self.under(namespace), options, matches)
        if view is None:
            return page
        await view.prepare(page.items)
        return ItemList([view.of(item) for item in page.items], page.revision, page.continue_, page.remaining)

    async def watch(self, namespace: str, options: WatchOptions) -> Watch:
        """Events from now or from a revision on; the caller iterates and closes it."""
        matches = matcher(self.resource, options.label_selector, options.field_selector, self._index_of)
        return await Watch.open(self.cache, self.resource, self.under(namespace), options, matches, self.view)

    def shown(self, item: Item) -> Item:
        """The item as this resource's version shows it."""
        return item if self.view is None else self.view.of(item)

    # -- writing --------------------------------------------------------------------------------------------------

    async def create(self, namespace: str, document: Document, options: WriteOptions, *, name: str = "") -> Item:
        """Store a new object; `name` is the URL's where it has one (apply). The document is used up."""
        resource = self.resource
        prepare = self._prepare
        prepare.decoded(document, options)
        now = self.now()
        meta = metadata.fill_for_create(resource, document, namespace, now, self._random)
        if name:
            meta["name"] = name
        base = "" if meta.get("name") else meta.get("generateName", "")
        if base:
            meta["name"] = generate_name(base, self._random)
        prepare.new(document)
        document = prepare.tracked(None, document, options, now)
        attributes = self._attributes("CREATE", "", namespace, "" if base else meta.get("name", ""), document, options)
        await self._admission.mutate(attributes)
        finish = self.hooks.begin_create(document, dry_run=options.dry_run) if self.hooks is not None else None
        done = False
        try:
            encoded = prepare.create(document)
            options.warnings += prepare.warnings(encoded.object)
            await self._admission.validate(attributes)
            item = await self._insert(document, encoded, base, namespace, options)
            done = not options.dry_run
            return item
        finally:
            if finish is not None:
                finish(done)

    async def _insert(
        self, document: Document, encoded: Encoded, base: str, namespace: str, options: WriteOptions
    ) -> Item:
        meta = document["metadata"]
        for attempt in range(_NAME_TRIES):
            if attempt:
                meta["name"] = generate_name(base, self._random)
                encoded = self._prepare.create(document)
            key = self.key(namespace, meta["name"])
            if options.dry_run:
                if self.cache.item(key) is None:
                    return Item(key, 0, encoded.body, self.codec)
            else:
                stored, decoded = await self._stored(encoded)
                written = await self.cache.create(
                    key, stored, ttl=self.resource.ttl, decoded=decoded, views=self._views(decoded)
                )
                if not isinstance(written, Conflict):
                    return self._written(key, written, encoded.body, stored)
            if not base:
                raise failures.already_exists(self.resource, meta["name"])
        raise failures.generate_name_conflict(self.resource, meta["name"])

    async def update(
        self, namespace: str, name: str, document: Document, options: WriteOptions, subresource: str = ""
    ) -> Item:
        """Replace an object (or with 'status' its status), guarded by the document's resourceVersion if it has one."""
        self._prepare.decoded(document, options)
        self._prepare.check_conditional(document, name)
        copy = msgspec.json.encode(document)
        first = [document]

        def replace(_: Document) -> Document:
            return first.pop() if first else msgspec.json.decode(copy)

        return await self.change(namespace, name, replace, options, subresource, tries=_WRITE_TRIES)

    async def patch(
        self, namespace: str, name: str, patch: Change, options: WriteOptions, subresource: str = ""
    ) -> Item:
        """Change an object by a function of its stored document, again with a newer one when somebody was faster."""

        def patched(stored: Document) -> Document:
            document = patch(stored)
            self._prepare.decoded(document, options)
            return document

        return await self.change(namespace, name, patched, options, subresource)

    async def change(
        self,
        namespace: str,
        name: str,
        change: Change,
        options: WriteOptions,
        subresource: str = "",
        *,
        trusted: bool = False,
        admitted: bool = False,
        facet: Facet | None = None,
        tries: int = _WRITE_TRIES,
    ) -> Item:
        """The one update loop. `change` makes the new document. trusted: the server itself makes the change and has
        checked it (binding), so what an update may not touch is not compared and no manager owns it. admitted:
        admission has been asked about what leads to this change, and is not asked again. facet: as what admission
        sees the object."""
        resource = self.resource
        key = self.key(namespace, name)
        item = self.cache.item(key)
        asked_store = False
        for _ in range(tries):
            if item is None and not asked_store:
                await self.cache.fresh()
                asked_store, item = True, self.cache.item(key)
            if item is None:
                raise failures.not_found(resource, name)
            if self.view is not None:
                await self.view.prepare((item,))
            old: Document = self._decoded(item)
            document = change(self._decoded(item))
            version = (document.get("metadata") or {}).get("resourceVersion")
            if version and version != str(item.revision):
                if asked_store:
                    raise failures.conflict(resource, name)
                await self.cache.fresh()
                asked_store, item = True, self.cache.item(key)
                continue
            result = await self._replace(key, item, old, document, options, subresource, trusted, admitted, facet)
            if not isinstance(result, Conflict):
                return result
            # Somebody was faster. A version that the caller named is no more the newest; one `change` took over is.
            await self.cache.fresh()
            asked_store, item = True, self.cache.item(key)
        raise failures.server_timeout(resource, "update")

    async def _replace(
        self,
        key: str,
        item: Item,
        old: Document,
        document: Document,
        options: WriteOptions,
        subresource: str,
        trusted: bool,
        admitted: bool,
        facet: Facet | None,
    ) -> Item | Conflict:
        resource, prepare = self.resource, self._prepare
        meta = metadata.guard_update(resource, document, old, old["metadata"]["name"])
        document = prepare.shaped(document, old, subresource)
        prepare.changed(document, old, subresource)
        namespace, name = meta.get("namespace", ""), meta["name"]
        if not trusted:
            document = prepare.tracked(old, document, options, self.now(), subresource)
        seen = (document, old) if facet is None else (facet.show(document), facet.show(old))
        attributes = self._attributes("UPDATE", subresource, namespace, name, seen[0], options, seen[1])
        if not admitted:
            await self._admission.mutate(attributes)
            if facet is not None:
                facet.take(seen[0], document)
        if resource.has_generation and subresource != "binding":
            status_counts = resource.custom and resource.subresource("status") is None
            if metadata.desired_changed(document, old, with_status=status_counts):
                document["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        finish = None
        if self.hooks is not None:
            finish = self.hooks.begin_update(document, old, dry_run=options.dry_run)
        done = False
        try:
            document["metadata"].pop("resourceVersion", None)
            if trusted:
                encoded = prepare.encoded(document)
            else:
                before = self.shown(item).object
                encoded = prepare.update(document, old, before)
                options.warnings += prepare.warnings(encoded.object, before)
            if not admitted:
                await self._admission.validate(attributes)
            if options.dry_run:
                return Item(key, item.revision, _at(encoded.body, item.revision), self.codec)
            if deletion.complete(resource, document) and not deletion.complete(resource, old):
                return await self._remove(key, item)
            stored, decoded = await self._stored(encoded)
            if stored == self._bytes_of(item):
                return self.shown(item)
            views = self._views(decoded)
            written = await self.cache.update(
                key, stored, item.revision, ttl=resource.ttl, decoded=decoded, views=views
            )
            if isinstance(written, Conflict):
                return written
            done = True
            return self._written(key, written, encoded.body, stored)
        finally:
            if finish is not None:
                finish(done)

    async def _remove(self, key: str, item: Item) -> Item | Conflict:
        """Delete an object whose last finalizer an update took away."""
        removed = await self.cache.delete(key, item.revision)
        if isinstance(removed, Conflict):
            return removed
        if self.hooks is not None:
            self.hooks.deleted(msgspec.json.decode(item.body))
        return await self._last(item, removed)

    async def _last(self, item: Item, revision: int) -> Item:
        """The item as it was when it was deleted at a revision."""
        gone = item.at(revision)
        if self.view is None:
            return gone
        await self.view.prepare((gone,))
        return self.view.of(gone)

    # -- deleting -------------------------------------------------------------------------------------------------

    async def delete(
        self,
        namespace: str,
        name: str,
        delete_options: Mapping[str, Any],
        options: WriteOptions,
        *,
        admitted: bool = False,
    ) -> Deleted:
        """Delete one object, or mark it as going away. admitted: something else was that means this (an eviction)."""
        resource = self.resource
        deletion.check_options(delete_options)
        key = self.key(namespace, name)
        item = self.cache.item(key)
        for attempt in range(_WRITE_TRIES):
            if item is None:
                if attempt == 0:
                    await self.cache.fresh()
                    item = self.cache.item(key)
                if item is None:
                    raise failures.not_found(resource, name)
            if self.view is not None:
                await self.view.prepare((item,))
            old: Document = msgspec.json.decode(item.body)
            uid = old["metadata"].get("uid", "")
            try:
                deletion.check_preconditions(resource, name, delete_options, uid, str(item.revision))
            except failures.StatusError:
                await self.cache.fresh()
                newer = self.cache.item(key)
                if newer is item:
                    raise
                item = newer
                continue
            shown = old if self.view is None else self._decoded(item)
            if not admitted:
                attributes = self._attributes("DELETE", "", namespace, name, None, options, shown)
                await self._admission.mutate(attributes)
                await self._admission.validate(attributes)
            outcome = deletion.decide(resource, old, delete_options, self._clock.now())
            if outcome.document is None:
                if options.dry_run:
                    return Deleted(self.shown(item), True, uid)
                removed = await self.cache.delete(key, item.revision)
                if not isinstance(removed, Conflict):
                    if self.hooks is not None:
                        self.hooks.deleted(old)
                    return Deleted(await self._last(item, removed), True, uid)
            elif not outcome.changed:
                if resource.qualified == "namespaces" and deletion.holds_namespace(resource, old):
                    raise failures.conflict(resource, name, _NAMESPACE_GOING)
                return Deleted(self.shown(item), False, uid)
            else:
                document = outcome.document
                document["metadata"].pop("resourceVersion", None)
                encoded = self._marked(document)
                if options.dry_run:
                    going = Item(key, item.revision, _at(encoded, item.revision), self.codec)
                else:
                    written = await self.cache.update(key, encoded, item.revision, ttl=resource.ttl)
                    if isinstance(written, Conflict):
                        item = self.cache.item(key)
                        continue
                    going = self._item(key, written, encoded)
                if self.view is not None:
                    await self.view.prepare((going,))
                return Deleted(self.shown(going), False, uid)
            item = self.cache.item(key)
        raise failures.server_timeout(resource, "delete")

    async def delete_collection(
        self, namespace: str, read: ReadOptions, delete_options: Mapping[str, Any], options: WriteOptions
    ) -> ItemList:
        """Delete everything that matches; what was found. An object that goes away meanwhile is no failure."""
        found = await self.list(namespace, read)
        left = iter(found.items)

        async def work() -> None:
            for item in left:
                inside, _, name = item.key[len(self._prefix) :].rpartition("/")
                try:
                    await self.delete(inside, name, delete_options, options)
                except failures.StatusError as error:
                    if not failures.is_not_found(error) and not _already_going(error):
                        raise

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_DELETED_AT_ONCE, len(found.items))):
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return found

    def deleted_status(self, name: str, uid: str) -> Status:
        """The body that tells of a completed delete."""
        return failures.success(self.resource, name, uid)

    # -- parts ----------------------------------------------------------------------------------------------------

    async def admit(
        self,
        operation: Operation,
        subresource: str,
        namespace: str,
        name: str,
        document: Document | None,
        options: WriteOptions,
        act: Callable[[], Awaitable[Any]] | None = None,
    ) -> Any:
        """Admission around something that is not a write of this registry: connect, binding, eviction, token."""
        attributes = self._attributes(operation, subresource, namespace, name, document, options)
        await self._admission.mutate(attributes)
        await self._admission.validate(attributes)
        return await act() if act is not None else None

    def settle(self, attributes: Attributes) -> None:
        """Bring the document of a write in order again after somebody outside of the server changed it in admission.

        Raises StatusError when it is none of its kind any more.
        """
        document, resource = attributes.document, self.resource
        assert document is not None
        if document.get("kind") in (None, resource.kind):
            document["apiVersion"], document["kind"] = resource.api_version, resource.kind
            self._prepare.settled(document, attributes.old, attributes.subresource)
            return
        declared = resource.subresource(attributes.subresource)  # a binding, an eviction: no object of ours
        if declared is not None and declared.type is not None:
            form = DeclaredForm(declared.type)
            form.shape(document, FieldValidation.IGNORE)
            form.default(document)

    def _attributes(
        self,
        operation: Operation,
        subresource: str,
        namespace: str,
        name: str,
        document: Document | None,
        options: WriteOptions,
        old: Mapping[str, Any] | None = None,
    ) -> Attributes:
        return Attributes(
            operation,
            self.resource,
            subresource,
            namespace,
            name,
            document,
            old,
            options.user,
            options.dry_run,
            options.document,
            options.warnings,
            options.annotations,
        )

    def _decoded(self, item: Item) -> Document:
        document: Document = msgspec.json.decode(self.shown(item).body)
        return document

    async def _stored(self, encoded: Encoded) -> Encoded:
        """What goes to the store; its object is None where the stored version is another one."""
        if self.view is None:
            return encoded
        body = await self.view.stored(encoded.body)
        return encoded if body is encoded.body else Encoded(body, None)

    def _marked(self, document: Document) -> bytes:
        """The stored bytes of a stored document whose metadata alone changed."""
        return msgspec.json.encode(document) if self.view is not None else self._prepare.encoded(document).body

    def _bytes_of(self, item: Item) -> bytes:
        return item.entry.value

    def _views(self, decoded: Any) -> dict[Any, Item | None] | None:
        """What is known of a new item that is stored as it was written (then it has an object)."""
        return self.view.own() if self.view is not None and decoded is not None else None

    def _written(self, key: str, revision: int, encoded: bytes, stored: bytes) -> Item:
        if self.view is None:
            return self._item(key, revision, encoded)
        if stored is encoded and self.view.own() is not None:
            return self._item(key, revision, encoded)
        return Item(key, revision, _at(encoded, revision), self.codec)

    def _item(self, key: str, revision: int, encoded: bytes) -> Item:
        """The cache's own item of a write, so that its decoded object is shared; made anew if it is already history."""
        item = self.cache.item(key)
        if item is not None and item.revision == revision:
            return item
        return Item.of(Entry(key, encoded, revision), self.codec)

    def _index_of(self, item: Item) -> Any:
        return item.index if self.view is None else self.view.index(item)


_NAMESPACE_GOING = (
    "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will "
    "automatically be purged by the system."
)


def _already_going(error: failures.StatusError) -> bool:
    return failures.is_conflict(error) and _NAMESPACE_GOING in error.message


def _at(encoded: bytes, revision: int) -> bytes:
    return Item.of(Entry("", encoded, revision)).body
