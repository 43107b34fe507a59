"""Priority: a pod's priority class becomes a number. Only the two system classes exist until scheduling.k8s.io does."""

from __future__ import annotations

from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.resource import Resource
from proa.machinery.status import forbidden

SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
DEFAULT_PRIORITY = 0


class Priority(Stateless):
    name = "Priority"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "pods" and not subresource

    async def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        spec = attributes.document["spec"]
        name = spec.get("priorityClassName") or ""
        if name and name not in SYSTEM_CLASSES:
            why = f"no PriorityClass with name {name} was found"
            raise forbidden(attributes.resource, attributes.name, why)
        value = SYSTEM_CLASSES.get(name, DEFAULT_PRIORITY)
        if spec.get("priority") not in (None, value):
            why = f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; {value} is"
            raise forbidden(attributes.resource, attributes.name, f"{why} the one of its priority class")
        spec["priority"] = value
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
