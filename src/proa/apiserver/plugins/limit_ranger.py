"""LimitRanger: what one pod, container or claim of a namespace may ask for, and what a container asks for that says
nothing. The bounds themselves are `rules.limit_ranges`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proa.api.core_v1 import LimitRange
from proa.api.core_v1.resources import LIMIT_RANGES, PODS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.client.informer import NAMESPACE_INDEX
from proa.machinery.decode import to_typed
from proa.machinery.fields import aggregated
from proa.machinery.resource import Resource
from proa.rules.limit_ranges import claim_violations, give_defaults, pod_violations

ANNOTATION = "kubernetes.io/limit-ranger"
_HANDLED = frozenset(
    {
        ("pods", "", "CREATE"),
        ("pods", "resize", "UPDATE"),
        ("persistentvolumeclaims", "", "CREATE"),
        ("persistentvolumeclaims", "", "UPDATE"),
    }
)


class LimitRanger:
    name = "LimitRanger"

    def __init__(self, context: PluginContext) -> None:
        self._ranges = context.informers.informer(LIMIT_RANGES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return (resource.qualified, subresource, operation) in _HANDLED

    def mutate(self, attributes: Attributes) -> None:
        document = attributes.document
        assert document is not None
        ranges = self._applying(attributes)
        if not ranges or attributes.resource != PODS:
            return
        said = [each for one in ranges for each in give_defaults(one, document["spec"])]
        if said:
            meta = document["metadata"]
            meta["annotations"] = {
                **(meta.get("annotations") or {}),
                ANNOTATION: f"LimitRanger plugin set: {'; '.join(said)}",
            }

    def validate(self, attributes: Attributes) -> None:
        ranges = self._applying(attributes)
        if not ranges:
            return
        assert attributes.document is not None
        obj: Any = to_typed(attributes.document, attributes.resource.type)
        for each in ranges:
            wrong: Iterable[str] = (
                pod_violations(each, obj) if attributes.resource == PODS else claim_violations(each, obj)
            )
            why = aggregated(wrong)
            if why:
                raise attributes.forbidden(why)

    def _applying(self, attributes: Attributes) -> Sequence[LimitRange]:
        """None for what is going away."""
        if attributes.old is not None and attributes.old["metadata"].get("deletionTimestamp") is not None:
            return ()
        return self._ranges.by_index(NAMESPACE_INDEX, attributes.namespace)
