"""Delete one object, or all that match: admission, and carrying out what was decided.

Not here: what a delete means for an object (`deletion`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from proa.aio.clock import Clock
from proa.apiserver import deletion
from proa.apiserver.deletion import Deletion
from proa.apiserver.listing import ItemList
from proa.apiserver.metadata import Document
from proa.apiserver.options import ReadOptions, WriteOptions
from proa.apiserver.registry.admitting import Admitting
from proa.apiserver.registry.objects import Objects
from proa.apiserver.registry.reading import Reader
from proa.apiserver.writing import Preparation
from proa.machinery import status as failures
from proa.machinery.meta import Status
from proa.store.item import Item
from proa.store.protocol import Conflict

_TRIES = 32
# Deletes of a collection that wait for the store together, so that they share its commits.
_DELETED_AT_ONCE = 64


class Deleted:
    """The outcome of a delete: `item` is the object as it is while it goes away, or as it last was when `now`."""

    __slots__ = ("item", "now", "uid")

    def __init__(self, item: Item, now: bool, uid: str) -> None:
        self.item = item
        self.now = now
        self.uid = uid


class Deleter:
    """The deletes of one resource's objects."""

    def __init__(
        self, objects: Objects, prepare: Preparation, admission: Admitting, reader: Reader, clock: Clock
    ) -> None:
        self._objects = objects
        self._resource = objects.resource
        self._prepare = prepare
        self._admission = admission
        self._reader = reader
        self._clock = clock

    async def delete(
        self,
        namespace: str,
        name: str,
        delete_options: Mapping[str, Any],
        options: WriteOptions,
        *,
        admitted: bool = False,
        collected: bool = False,
    ) -> Deleted:
        """Delete one object, or mark it as going away. admitted: something else was that means this (an eviction).
        collected: the request is about a collection and names no object, so admission sees no name, as upstream."""
        resource, objects = self._resource, self._objects
        deletion.check_options(delete_options)
        options.warnings += deletion.warnings(resource, delete_options)
        key = objects.key(namespace, name)
        item = objects.cache.item(key)
        if item is None:
            item = await objects.newest(key)
        for _ in range(_TRIES):
            if item is None:
                raise failures.not_found(resource, name)
            if objects.view is not None:
                await objects.convert(item)
            old: Document = msgspec.json.decode(item.body)
            uid = old["metadata"].get("uid", "")
            try:
                deletion.check_preconditions(resource, name, delete_options, uid, str(item.revision))
            except failures.StatusError:
                newer = await objects.newest(key)
                if newer is item:
                    raise
                item = newer
                continue
            if not admitted:
                shown = old if objects.view is None else objects.decoded(item)
                named = "" if collected else name
                await self._admission.admit("DELETE", "", namespace, named, None, options, old=shown)
            outcome = deletion.decide(resource, old, delete_options, self._clock.now())
            result = await self._carry_out(outcome, item, old, dry_run=options.dry_run)
            if not isinstance(result, Conflict):
                return Deleted(result, outcome.document is None, uid)
            item = objects.cache.item(key)
        raise failures.server_timeout(resource, "delete")

    async def _carry_out(self, outcome: Deletion, item: Item, old: Document, *, dry_run: bool) -> Item | Conflict:
        objects, document = self._objects, outcome.document
        if document is None:
            return objects.shown(item) if dry_run else await objects.remove(item)
        if not outcome.changed:
            if self._resource.qualified == "namespaces" and deletion.holds_namespace(self._resource, old):
                raise failures.conflict(self._resource, old["metadata"]["name"], _NAMESPACE_GOING)
            return objects.shown(item)
        document["metadata"].pop("resourceVersion", None)
        encoded = self._marked(document)
        if dry_run:
            return await objects.convert(objects.supposed(item.key, encoded, item.revision))
        going = await objects.mark(item, encoded)
        return going if isinstance(going, Conflict) else await objects.convert(going)

    def _marked(self, document: Document) -> bytes:
        """The stored bytes of a stored document whose metadata alone changed."""
        if self._objects.view is not None:
            return msgspec.json.encode(document)
        return self._prepare.encoded(document).body

    async def delete_collection(
        self, namespace: str, read: ReadOptions, delete_options: Mapping[str, Any], options: WriteOptions
    ) -> ItemList:
        """Delete everything that matches; what was found. An object that goes away meanwhile is no failure."""
        found = await self._reader.list(namespace, read)
        left = iter(found.items)

        async def work() -> None:
            for item in left:
                inside, name = self._objects.named(item)
                try:
                    await self.delete(inside, name, delete_options, options, collected=True)
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
        return failures.success(self._resource, name, uid)


_NAMESPACE_GOING = (
    "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will "
    "automatically be purged by the system."
)


def _already_going(error: failures.StatusError) -> bool:
    return failures.is_conflict(error) and _NAMESPACE_GOING in error.message
