"""componentstatuses: computed, never stored; what this server can say of the parts it depends on.

Deprecated upstream since 1.19 and still asked for (`kubectl get cs`). Only the store is known here: other components
speak through leases and their own health endpoints.
"""

from __future__ import annotations

import msgspec

from proa.api.core_v1.resources import COMPONENT_STATUSES
from proa.apiserver.codec import codec_of
from proa.apiserver.listing import ItemList
from proa.apiserver.options import ReadOptions
from proa.apiserver.selecting import matcher
from proa.machinery import status as failures
from proa.store.item import Item
from proa.store.protocol import Store

_STORE = "etcd-0"
"""The store's name in every Kubernetes, whatever it is."""


class ComponentStatuses:
    """What `ResourceHandlers` reads from, in place of a registry."""

    resource = COMPONENT_STATUSES

    def __init__(self, store: Store) -> None:
        self._store = store
        self._codec = codec_of(COMPONENT_STATUSES)

    async def get(self, namespace: str, name: str, resource_version: str = "") -> Item:
        """One component. Raises StatusError 404."""
        if name != _STORE:
            raise failures.not_found(self.resource, name)
        return await self._of_store()

    async def list(self, namespace: str, options: ReadOptions) -> ItemList:
        """Every component."""
        matches = matcher(self.resource, options.label_selector, options.field_selector, lambda item: item.index)
        found = [await self._of_store()]
        return ItemList([item for item in found if matches is None or matches(item)], self._store.revision)

    async def _of_store(self) -> Item:
        try:
            await self._store.range("/registry/namespaces/", limit=1)
        except Exception as error:  # whatever is wrong with it is what is to be told
            condition = {"type": "Healthy", "status": "False", "message": "", "error": str(error)}
        else:
            condition = {"type": "Healthy", "status": "True", "message": "ok"}
        document = {
            "metadata": {"name": _STORE},
            "apiVersion": "v1",
            "kind": "ComponentStatus",
            "conditions": [condition],
        }
        return Item(_STORE, 0, msgspec.json.encode(document), self._codec)
