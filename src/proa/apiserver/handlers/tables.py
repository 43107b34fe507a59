"""Which handler answers each verb of a resource and its subresources: from its declaration, the same for all.

What is declared and has no handler here answers 405. Not here: what handlers do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proa.api.core_v1.resources import COMPONENT_STATUSES
from proa.apiserver.actions import Action
from proa.apiserver.catalog import Catalog
from proa.apiserver.components import ComponentStatuses
from proa.apiserver.dispatch import Handle
from proa.apiserver.handlers.resources import May, ResourceHandlers
from proa.apiserver.handlers.subresources import ScaleHandlers, action_handler
from proa.apiserver.parts import part_of
from proa.machinery.resource import VERBS, Resource
from proa.store.protocol import Store

Table = Mapping[tuple[str, str], Handle]
"""Handlers by subresource and verb."""


class Tables:
    """actions: the creates that store nothing, by resource and subresource. connections: what leads elsewhere. may:
    see `ResourceHandlers`."""

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        actions: Mapping[tuple[Resource[Any], str], Action],
        connections: Callable[[Resource[Any]], Table],
        may: May,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._actions = actions
        self._connections = connections
        self._may = may

    def of(self, resource: Resource[Any]) -> Table:
        """Every handler of a resource."""
        table: dict[tuple[str, str], Handle] = {}
        for (acting, subresource), action in self._actions.items():
            if acting == resource:
                declared = resource.subresource(subresource)
                kind = declared.type if declared is not None and declared.type is not None else resource.type
                table[subresource, "create"] = action_handler(action, kind)
        if resource == COMPONENT_STATUSES:
            computed = ResourceHandlers(ComponentStatuses(self._store), self._may)
            return {**table, ("", "get"): computed.get, ("", "list"): computed.list}
        if not self._catalog.stores(resource):
            return table
        registry = self._catalog.registry(resource)
        plain = ResourceHandlers(registry, self._may)
        # A resource whose definition is being deleted does not say all that it does (`custom.definitions`).
        verbs = VERBS if resource.custom else resource.verbs
        table |= {("", verb): getattr(plain, verb) for verb in verbs}
        parts: dict[str, Any] = {"status": plain}
        if resource.scale is not None:
            parts["scale"] = ScaleHandlers(registry, resource.scale)
        for each in resource.subresources:
            part = part_of(registry, each.name)
            handlers = parts.get(each.name) if part is None else ResourceHandlers(part, self._may)
            if handlers is not None:
                table |= {(each.name, verb): getattr(handlers, verb) for verb in each.verbs}
        return {**table, **self._connections(resource)}
