"""Priority: a pod's priority class becomes a number; at most one class is the default.

The two system classes are objects like others, made at every start (`bootstrap`).
"""

from __future__ import annotations

from typing import Any

from proa.api.core_v1.resources import PODS
from proa.api.scheduling_v1 import PriorityClass
from proa.api.scheduling_v1.resources import PRIORITY_CLASSES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_not_found

_NO_CLASS = PriorityClass(value=0, preemptionPolicy="PreemptLowerPriority")
_HANDLED = frozenset(
    {
        ("pods", "CREATE"),
        ("pods", "UPDATE"),
        ("priorityclasses.scheduling.k8s.io", "CREATE"),
        ("priorityclasses.scheduling.k8s.io", "UPDATE"),
    }
)


class Priority:
    name = "Priority"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._classes = context.informers.informer(PRIORITY_CLASSES)
        self._default: PriorityClass | None = None
        self._classes.on_change(self._changed)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return (resource.qualified, operation) in _HANDLED and not subresource

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.resource != PODS:
            return
        assert attributes.document is not None
        spec = attributes.document["spec"]
        if attributes.old is not None:
            for field in ("priority", "preemptionPolicy"):
                if spec.get(field) is None and attributes.old["spec"].get(field) is not None:
                    spec[field] = attributes.old["spec"][field]
            return
        name = spec.get("priorityClassName")
        found = self._classes.get(name) if name else self._default or _NO_CLASS
        if found is None:
            found = await self._class(attributes, name)
        if found.metadata.name:
            spec["priorityClassName"] = found.metadata.name
        for field, kind, value in (
            ("priority", "integer value of priority", found.value),
            ("preemptionPolicy", "string value of PreemptionPolicy", found.preemptionPolicy),
        ):
            if value is None:
                continue
            if spec.get(field) not in (None, value):
                why = f"the {kind} ({spec[field]}) must not be provided in pod spec; priority admission controller"
                raise attributes.forbidden(f"{why} computed {value} from the given PriorityClass name")
            spec[field] = value

    def validate(self, attributes: Attributes) -> None:
        document = attributes.document
        if document is None or not document.get("globalDefault") or attributes.resource == PODS:
            return
        default = self._default
        if default is not None and default.metadata.name != document["metadata"].get("name"):
            why = f"PriorityClass {default.metadata.name} is already marked as default. Only one default can exist"
            raise attributes.forbidden(why)

    async def _class(self, attributes: Attributes, name: str) -> PriorityClass:
        """One the informer does not know yet."""
        try:
            return await self._client.get(PRIORITY_CLASSES, name)
        except StatusError as error:
            if not is_not_found(error):
                raise
            raise attributes.forbidden(f"no PriorityClass with name {name} was found") from None

    def _changed(self, old: PriorityClass | None, new: PriorityClass | None) -> None:
        """Which is the default, anew. Should there be several after all, the least."""
        defaults = (each for each in self._classes.list() if each.globalDefault)
        self._default = min(defaults, key=lambda each: each.value, default=None)
