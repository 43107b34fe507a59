"""NamespaceAutoProvision (opt-in): a namespace is made when something is first made in it."""

from __future__ import annotations

from typing import Any

from proa.api.core_v1 import Namespace
from proa.api.core_v1.resources import NAMESPACES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.meta import ObjectMeta
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_already_exists


class NamespaceAutoProvision:
    name = "NamespaceAutoProvision"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._namespaces = context.informers.informer(NAMESPACES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.namespaced and operation == "CREATE"

    async def mutate(self, attributes: Attributes) -> None:
        name = attributes.namespace
        if attributes.dry_run or not name or name in self._namespaces:
            return
        try:
            await self._client.create(NAMESPACES, Namespace(metadata=ObjectMeta(name=name)))
        except StatusError as error:
            if not is_already_exists(error):
                raise attributes.forbidden(error.message) from error
