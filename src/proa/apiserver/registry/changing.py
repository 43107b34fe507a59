"""Update, patch and everything else that changes a stored object: one loop, again when somebody was faster.

Not here: what a patch says (`patching`), and what an update may touch (`writing`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

import msgspec

from proa.apiserver import deletion, metadata
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.registry.admitting import Admitting
from proa.apiserver.registry.objects import Objects
from proa.apiserver.writing import Change, Preparation
from proa.machinery import status as failures
from proa.store.item import Item
from proa.store.protocol import Conflict

_TRIES = 32


class Facet(Protocol):
    """One side of an object that is written as an object of its own (its Scale): what admission sees of a write."""

    def show(self, document: Document) -> Document:
        """That side of a whole object, as a new document."""

    def take(self, part: Document, document: Document) -> None:
        """Put what `part` says into the whole object. Raises StatusError."""


class _How(NamedTuple):
    """What of a change is the same at every try; see `Changer.change`."""

    options: WriteOptions
    subresource: str
    trusted: bool
    admitted: bool
    facet: Facet | None


class Changer:
    """The changes of one resource's objects. now: the time of a write."""

    def __init__(self, objects: Objects, prepare: Preparation, admission: Admitting, now: Callable[[], str]) -> None:
        self._objects = objects
        self._resource = objects.resource
        self._prepare = prepare
        self._admission = admission
        self._now = now

    async def update(
        self,
        namespace: str,
        name: str,
        document: Document,
        options: WriteOptions,
        subresource: str = "",
        *,
        create: Callable[[Document], Awaitable[Item]] | None = None,
    ) -> Item:
        """Replace an object (or with 'status' its status), guarded by the document's resourceVersion if it has one.

        create: makes an object that is not there of the document, which it owns; None where that is a 404.
        """
        self._prepare.decoded(document, options)
        copy = msgspec.json.encode(document)
        first = [document]

        def replace(_: Document) -> Document:
            if not first:
                again: Document = msgspec.json.decode(copy)
                return again
            self._prepare.check_conditional(document, name)  # what is not there is told first
            return first.pop()

        for _ in range(_TRIES):
            try:
                return await self.change(namespace, name, replace, options, subresource)
            except failures.StatusError as error:
                if create is None or error.status != failures.not_found(self._resource, name).status:
                    raise  # a plugin may say not found, too, of something else
            try:
                return await create(msgspec.json.decode(copy))
            except failures.StatusError as error:
                if not failures.is_already_exists(error):
                    raise
        raise failures.server_timeout(self._resource, "update")

    async def patch(
        self, namespace: str, name: str, patch: Change, options: WriteOptions, subresource: str = ""
    ) -> Item:
        """Change an object by a function of its stored document, again with a newer one when somebody was faster."""
        change = self._prepare.patched(patch, options)
        return await self.change(namespace, name, change, options, subresource)

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
    ) -> Item:
        """The one update loop. `change` makes the new document. trusted: the server itself makes the change and has
        checked it (binding), so what an update may not touch is not compared and no manager owns it. admitted:
        admission has been asked about what leads to this change, and is not asked again. facet: as what admission
        sees the object."""
        objects = self._objects
        how = _How(options, subresource, trusted, admitted, facet)
        key = objects.key(namespace, name)
        item = objects.cache.item(key)
        asked_store = False
        for _ in range(_TRIES):
            if item is None and not asked_store:
                asked_store, item = True, await objects.newest(key)
            if item is None:
                raise failures.not_found(self._resource, name)
            if objects.view is not None:
                await objects.convert(item)
            old = objects.decoded(item)
            document = change(objects.decoded(item))
            version = (document.get("metadata") or {}).get("resourceVersion")
            if version and version != str(item.revision):
                if asked_store:
                    raise failures.conflict(self._resource, name)
            else:
                result = await self._replace(item, old, document, how)
                if not isinstance(result, Conflict):
                    return result
            # Somebody was faster. A version that the caller named is no more the newest; one `change` took over is.
            asked_store, item = True, await objects.newest(key)
        raise failures.server_timeout(self._resource, "update")

    async def _replace(self, item: Item, old: Document, document: Document, how: _How) -> Item | Conflict:
        """One try: everything between the two documents and the store."""
        objects, resource, prepare, admission = self._objects, self._resource, self._prepare, self._admission
        options, subresource, trusted, admitted, facet = how
        meta = metadata.guard_update(resource, document, old, old["metadata"]["name"])
        metadata.dedup_owners(meta, options.warnings)
        document = prepare.shaped(document, old, subresource)
        prepare.changed(document, old, subresource)
        namespace, name = meta.get("namespace", ""), meta["name"]
        if not trusted:
            document = prepare.tracked(old, document, options, self._now(), subresource)
        seen = (document, old) if facet is None else (facet.show(document), facet.show(old))
        attributes = admission.attributes("UPDATE", subresource, namespace, name, seen[0], options, seen[1])
        if not admitted:
            meta = document["metadata"]
            await admission.mutate(attributes)
            if facet is not None:
                facet.take(seen[0], document)
            elif document["metadata"] is not meta:  # somebody outside of the server has made another
                metadata.check_settled(resource, document["metadata"], old, item.revision)
                if not trusted:
                    prepare.check_conditional(document, old["metadata"]["name"])
            metadata.dedup_owners(document["metadata"], options.warnings, metadata.AFTER_ADMISSION)
        self._count_generation(document, old, subresource)
        finish = None
        if objects.hooks is not None:
            finish = objects.hooks.begin_update(document, old, dry_run=options.dry_run)
        done = False
        try:
            document["metadata"].pop("resourceVersion", None)
            if trusted:
                encoded = prepare.encoded(document)
            else:
                before = objects.shown(item).object
                encoded = prepare.update(document, old, before, options)
                options.warnings += prepare.warnings(encoded.object, before, subresource)
            if not admitted:
                await admission.validate(attributes)
            if options.dry_run:
                return objects.supposed(item.key, encoded.body, item.revision)
            if deletion.complete(resource, document) and not deletion.complete(resource, old):
                return await objects.remove(item)  # its last finalizer is gone
            written = await objects.update(item, encoded)
            done = not isinstance(written, Conflict) and written.revision != item.revision
            return written
        finally:
            if finish is not None:
                finish(done)

    def _count_generation(self, document: Document, old: Document, subresource: str) -> None:
        resource = self._resource
        if resource.has_generation and subresource != "binding":
            status_counts = resource.custom and resource.subresource("status") is None
            if metadata.desired_changed(document, old, with_status=status_counts):
                document["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
