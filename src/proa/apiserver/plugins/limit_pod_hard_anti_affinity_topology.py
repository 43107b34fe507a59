"""LimitPodHardAntiAffinityTopology (opt-in): nobody keeps others off more than single nodes."""

from __future__ import annotations

from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.columns import dig
from proa.machinery.resource import Resource

_HOSTNAME = "kubernetes.io/hostname"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


class LimitPodHardAntiAffinityTopology(Stateless):
    name = "LimitPodHardAntiAffinityTopology"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.qualified == "pods" and not subresource and operation in ("CREATE", "UPDATE")

    def validate(self, attributes: Attributes) -> None:
        for term in dig(attributes.document, "spec", "affinity", "podAntiAffinity", _REQUIRED) or ():
            key = term.get("topologyKey") or ""
            if key != _HOSTNAME:
                what = f"has TopologyKey {key} but only key {_HOSTNAME} is allowed"
                raise attributes.forbidden(f"affinity.PodAntiAffinity.RequiredDuringScheduling {what}")
