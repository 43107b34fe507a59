"""NamespaceLifecycle: nothing is made in a namespace that does not exist or is ending; some namespaces never end."""

from __future__ import annotations

from typing import Any

from proa.api.core_v1 import Namespace
from proa.api.core_v1.resources import NAMESPACES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.meta import StatusCause
from proa.machinery.resource import Resource
from proa.machinery.status import with_cause

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
# Seconds for which a namespace is looked at in the API itself after somebody asked to delete it.
_DOUBT = 30.0
# Reviews ask about access; they leave nothing behind in the namespace.
_REVIEWS = frozenset({"localsubjectaccessreviews", "selfsubjectaccessreviews", "subjectaccessreviews"})


class NamespaceLifecycle:
    name = "NamespaceLifecycle"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._namespaces = context.informers.informer(NAMESPACES)
        self._clock = context.clock
        # Namespaces whose deletion passed here, which the informer may not know yet, and until when to ask the API.
        self._ending: dict[str, float] = {}
        self._namespaces.on_change(self._changed)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        if resource.group == "" and resource.plural == "namespaces":
            return operation == "DELETE"
        return operation == "CREATE" and resource.namespaced and resource.plural not in _REVIEWS

    async def validate(self, attributes: Attributes) -> None:
        if attributes.operation == "DELETE":
            if attributes.name in IMMORTAL:
                raise attributes.forbidden("this namespace may not be deleted")
            self._ending[attributes.name] = self._clock.monotonic() + _DOUBT
            return
        # What the informer does not know yet may just have been made or be about to end: the API has the last word.
        namespace = self._namespaces.get(attributes.namespace)
        if namespace is None or self._is_in_doubt(attributes.namespace):
            namespace = await self._client.get(NAMESPACES, attributes.namespace)
        if namespace.status.phase == "Terminating" or namespace.metadata.deletionTimestamp is not None:
            why = f"unable to create new content in namespace {attributes.namespace} because it is being terminated"
            raise with_cause(
                attributes.forbidden(why),
                StatusCause(
                    reason="NamespaceTerminating",
                    message=f"namespace {attributes.namespace} is being terminated",
                    field="metadata.namespace",
                ),
            )

    def _is_in_doubt(self, name: str) -> bool:
        return name in self._ending and self._clock.monotonic() < self._ending[name]

    def _changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if self._ending and (new is None or new.metadata.deletionTimestamp is not None):
            gone = new or old
            assert gone is not None
            self._ending.pop(gone.metadata.name, None)
