"""PodQuality: a new pod's status says its quality of service class from the start.

Upstream computes it as the last thing before a pod is stored; so this runs after the plugins that change requests and
limits. Not here: what the class means to a node.
"""

from __future__ import annotations

from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.quantity import QuantityError
from proa.machinery.resource import Resource
from proa.rules.qos import qos_class_of_document


class PodQuality(Stateless):
    name = "PodQuality"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "pods" and not subresource

    def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        document = attributes.document
        try:
            quality = qos_class_of_document(document["spec"])
        except QuantityError:
            return  # validation comes next, refuses the pod, and names the field
        document["status"] = {**(document.get("status") or {}), "qosClass": quality}
