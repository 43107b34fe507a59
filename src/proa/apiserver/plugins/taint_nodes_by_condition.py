"""TaintNodesByCondition: a new node takes no pods until it has been seen ready."""

from __future__ import annotations

from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.resource import Resource

_TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition(Stateless):
    name = "TaintNodesByCondition"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "nodes" and not subresource

    def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        spec = attributes.document.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any(each.get("key") == _TAINT["key"] and each.get("effect") == _TAINT["effect"] for each in taints):
            spec["taints"] = [*taints, dict(_TAINT)]
