"""Replacing an object of a kind that is made by it where there is none (PUT, `Strategy.creates_on_update`).

Not here: the update itself (`registry.changing`), and kinds that must be there (the handlers ask the registry).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from proa.apiserver import metadata
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.registry import Registry
from proa.machinery import status as failures
from proa.store.item import Item


async def replace(
    registry: Registry,
    namespace: str,
    name: str,
    document: Document,
    options: WriteOptions,
    *,
    may_create: Callable[[], Awaitable[object]],
) -> tuple[Item, bool]:
    """The object, and whether it was created; 409 where the document names the uid of another.

    may_create: raises StatusError 403 for who may not, asked before an object is made.
    """
    created = False

    async def create(fresh: Document) -> Item:
        nonlocal created
        meta = metadata.of(fresh)
        if meta.get("uid"):
            raise failures.other_uid(registry.resource, name, meta["uid"], "")
        await may_create()
        meta.pop("resourceVersion", None)  # there is nothing that it could guard
        options.raw = None  # its warnings have been given
        item = await registry.create(namespace, fresh, options, name=name)
        created = True
        return item

    item = await registry.update(namespace, name, document, options, create=create)
    return item, created
