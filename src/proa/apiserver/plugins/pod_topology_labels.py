"""PodTopologyLabels: a bound pod carries the zone and region of its node, to be told them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.api.core_v1.resources import NODES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.resource import Resource

LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels:
    name = "PodTopologyLabels"

    def __init__(self, context: PluginContext) -> None:
        self._nodes = context.informers.informer(NODES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "pods" and subresource in ("", "binding")

    def mutate(self, attributes: Attributes) -> None:
        document = attributes.document
        assert document is not None
        if attributes.subresource == "binding":
            target = document.get("target") or {}
            node = target.get("name") if target.get("kind") in (None, "", "Node") else None
        else:
            node = (document.get("spec") or {}).get("nodeName")
        if not node:
            return
        labels = self._labels_of(node)
        if labels:
            meta = document.setdefault("metadata", {})
            meta["labels"] = {**(meta.get("labels") or {}), **labels}

    def _labels_of(self, node: str) -> Mapping[str, str]:
        found = self._nodes.get(node)
        labels = found.metadata.labels if found is not None else {}
        return {name: labels[name] for name in LABELS if name in labels}
