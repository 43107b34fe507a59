"""Get, list and watch: from the watch cache, as fresh as asked for. Nothing here writes or decodes.

How pages are cut (`listing`), events shown (`watching`) and selectors matched (`selecting`) is elsewhere.
"""

from __future__ import annotations

from proa.apiserver.listing import ItemList, list_items, parse_revision
from proa.apiserver.options import ReadOptions, WatchOptions
from proa.apiserver.registry.objects import Objects
from proa.apiserver.selecting import matcher
from proa.apiserver.watching import Watch
from proa.machinery import status as failures
from proa.store.item import Item
from proa.store.protocol import FutureRevisionError


class Reader:
    """The reading verbs of one resource."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._resource = objects.resource
        self._cache = objects.cache
        self._view = objects.view

    async def get(self, namespace: str, name: str, resource_version: str = "") -> Item:
        """One object: the newest for '', else at least as new as asked."""
        if not resource_version:
            await self._cache.fresh()
        elif resource_version != "0":
            asked = parse_revision(resource_version)
            try:
                await self._cache.reach(asked)
            except FutureRevisionError as error:
                raise failures.too_large_resource_version(error.requested, error.current) from None
        item = self._cache.item(self._objects.key(namespace, name))
        if item is None:
            raise failures.not_found(self._resource, name)
        return item if self._view is None else await self._objects.convert(item)

    async def list(self, namespace: str, options: ReadOptions) -> ItemList:
        """One page, in key order."""
        view, under = self._view, self._objects.under(namespace)
        matches = matcher(self._resource, options.label_selector, options.field_selector, self._objects.index_of)
        if view is not None and matches is not None:
            await view.prepare((await self._cache.items(under)).items)
        page = await list_items(self._cache, under, options, matches)
        if view is None:
            return page
        await view.prepare(page.items)
        return ItemList([view.of(item) for item in page.items], page.revision, page.continue_, page.remaining)

    async def watch(self, namespace: str, options: WatchOptions) -> Watch:
        """Events from now or from a revision on; the caller iterates and closes it."""
        matches = matcher(self._resource, options.label_selector, options.field_selector, self._objects.index_of)
        under = self._objects.under(namespace)
        return await Watch.open(self._cache, self._resource, under, options, matches, self._view)
