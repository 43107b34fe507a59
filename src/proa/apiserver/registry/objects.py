"""The stored objects of one resource: their keys, how its version shows them, and single writes of encoded ones.

The one place of the registry that knows that a resource may be stored as another version than it is served (its view).
A lost race is a returned Conflict; whether to try again, and what is written, is decided elsewhere.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proa.apiserver import keys
from proa.apiserver.conversion import View
from proa.apiserver.metadata import Document
from proa.apiserver.registry.hooks import Hooks
from proa.apiserver.writing import Encoded
from proa.machinery.resource import Resource
from proa.store.item import Codec, Index, Item
from proa.store.protocol import Conflict, Entry
from proa.store.watchcache import WatchCache


class Objects:
    """One resource in one watch cache."""

    def __init__(
        self, resource: Resource[Any], cache: WatchCache, codec: Codec, hooks: Hooks | None, view: View | None
    ) -> None:
        self.resource = resource
        self.cache = cache
        self.hooks = hooks
        self.view = view
        self._codec = codec
        self._prefix = keys.prefix(resource)

    def key(self, namespace: str, name: str) -> str:
        """The store key of an object."""
        return f"{self._prefix}{namespace}/{name}" if self.resource.namespaced else self._prefix + name

    def under(self, namespace: str) -> str:
        """The key prefix of a namespace's objects, or of all."""
        return f"{self._prefix}{namespace}/" if namespace else self._prefix

    def named(self, item: Item) -> tuple[str, str]:
        """The namespace and the name that make an item's key."""
        namespace, _, name = item.key[len(self._prefix) :].rpartition("/")
        return namespace, name

    # -- as this version shows them -------------------------------------------------------------------------------

    def peek(self, namespace: str, name: str) -> Item | None:
        """The object if the cache has it now; never waits. Not for a converted resource."""
        return self.cache.item(self.key(namespace, name))

    async def newest(self, key: str) -> Item | None:
        """The object as it is in the store."""
        await self.cache.fresh()
        return self.cache.item(key)

    async def convert(self, item: Item) -> Item:
        """The item as this resource's version shows it, made now if it was not shown before."""
        if self.view is None:
            return item
        await self.view.prepare((item,))
        return self.view.of(item)

    def shown(self, item: Item) -> Item:
        """The same of an item that has been converted."""
        return item if self.view is None else self.view.of(item)

    def decoded(self, item: Item) -> Document:
        """A converted item as a new document."""
        document: Document = msgspec.json.decode(self.shown(item).body)
        return document

    def index_of(self, item: Item) -> Index:
        """What selectors match."""
        return item.index if self.view is None else self.view.index(item)

    def supposed(self, key: str, encoded: bytes, revision: int) -> Item:
        """An item of what is not in the store as it is shown: of a dry run, or of another version."""
        return Item(key, revision, Item.of(Entry("", encoded, revision)).body, self._codec)

    def unborn(self, key: str, encoded: bytes) -> Item:
        """An item of an object that a dry run would have created: it has no revision."""
        return Item(key, 0, encoded, self._codec)

    # -- single writes --------------------------------------------------------------------------------------------

    async def create(self, key: str, encoded: Encoded) -> Item | Conflict:
        """Store a new object."""
        stored, decoded = encoded if self.view is None else await self._stored(encoded, self.view)
        writing = self.cache.create(key, stored, ttl=self.resource.ttl, decoded=decoded, views=self._views(decoded))
        written = await (writing if self.hooks is None else self.hooks.write(None, encoded.object, writing))
        return written if isinstance(written, Conflict) else self._written(key, written, encoded.body, stored)

    async def update(self, item: Item, encoded: Encoded) -> Item | Conflict:
        """Store an object in the place of `item`. One that says the same is not stored, and `item` shown."""
        stored, decoded = encoded if self.view is None else await self._stored(encoded, self.view)
        if stored == item.entry.value:
            return self.shown(item)
        writing = self.cache.update(
            item.key, stored, item.revision, ttl=self.resource.ttl, decoded=decoded, views=self._views(decoded)
        )
        written = await (writing if self.hooks is None else self.hooks.write(item.object, encoded.object, writing))
        return written if isinstance(written, Conflict) else self._written(item.key, written, encoded.body, stored)

    async def mark(self, item: Item, stored: bytes) -> Item | Conflict:
        """Store bytes of the stored version in the place of `item`; the stored item."""
        written = await self.cache.update(item.key, stored, item.revision, ttl=self.resource.ttl)
        return written if isinstance(written, Conflict) else self._item(item.key, written, stored)

    async def remove(self, item: Item) -> Item | Conflict:
        """Take an object out of the store, and give back what it held; the object as it last was."""
        writing = self.cache.delete(item.key, item.revision)
        removed = await (writing if self.hooks is None else self.hooks.write(item.object, None, writing))
        if isinstance(removed, Conflict):
            return removed
        return await self.convert(item.at(removed))

    async def _stored(self, encoded: Encoded, view: View) -> Encoded:
        """What goes to the store; its object is None where the stored version is another one."""
        body = await view.stored(encoded.body)
        return encoded if body is encoded.body else Encoded(body, None)

    def _views(self, decoded: Any) -> dict[Any, Item | None] | None:
        """What is known of a new item that is stored as it was written (then it has an object)."""
        return self.view.own() if self.view is not None and decoded is not None else None

    def _written(self, key: str, revision: int, encoded: bytes, stored: bytes) -> Item:
        if self.view is None or (stored is encoded and self.view.own() is not None):
            return self._item(key, revision, encoded)
        return self.supposed(key, encoded, revision)

    def _item(self, key: str, revision: int, encoded: bytes) -> Item:
        """The cache's own item of a write, so that its decoded object is shared; made anew if it is already history."""
        item = self.cache.item(key)
        if item is not None and item.revision == revision:
            return item
        return Item.of(Entry(key, encoded, revision), self._codec)
