"""NamespaceExists (opt-in): nothing whatever is done in a namespace that does not exist."""

from __future__ import annotations

from typing import Any

from proa.api.core_v1.resources import NAMESPACES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.resource import Resource


class NamespaceExists:
    name = "NamespaceExists"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._namespaces = context.informers.informer(NAMESPACES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.namespaced and operation != "CONNECT"

    async def validate(self, attributes: Attributes) -> None:
        """Raises StatusError 404."""
        name = attributes.namespace
        if name and name not in self._namespaces:
            await self._client.get(NAMESPACES, name)
