"""ExtendedResourceToleration (opt-in): who asks for a special resource tolerates the taint that keeps others away."""

from __future__ import annotations

from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.columns import dig
from proa.machinery.resource import Resource
from proa.rules.resources import is_extended


class ExtendedResourceToleration(Stateless):
    name = "ExtendedResourceToleration"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.qualified == "pods" and not subresource and operation in ("CREATE", "UPDATE")

    def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        spec = attributes.document["spec"]
        containers = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
        asked = {name for each in containers for name in dig(each, "resources", "requests") or ()}
        tolerations = list(spec.get("tolerations") or ())
        for name in sorted(filter(is_extended, asked)):
            wanted = {"key": name, "operator": "Exists", "effect": "NoSchedule"}
            if wanted not in tolerations:
                tolerations.append(wanted)
                spec["tolerations"] = tolerations
