"""PodResizeValidator: a pod is not resized to what its node could never give, so that it is told at once."""

from __future__ import annotations

from typing import Any

from proa.api.core_v1 import Node, Pod
from proa.api.core_v1.resources import NODES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.columns import dig
from proa.machinery.decode import to_typed
from proa.machinery.meta import StatusCause
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, with_cause
from proa.rules.resources import CPU, MEMORY, amounts, pod_requests

_OS_LABEL = "kubernetes.io/os"


class PodResizeValidator:
    name = "PodResizeValidator"

    def __init__(self, context: PluginContext) -> None:
        self._nodes = context.informers.informer(NODES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return (resource.qualified, subresource, operation) == ("pods", "resize", "UPDATE")

    def validate(self, attributes: Attributes) -> None:
        name = dig(attributes.document, "spec", "nodeName")
        if not name or dig(attributes.document, "spec") == dig(attributes.old, "spec"):
            return
        node = self._nodes.get(name)
        if node is None:
            raise attributes.forbidden(f'node "{name}" not found')
        system = node.metadata.labels.get(_OS_LABEL, "linux")
        if system != "linux":
            why = f'pod resize is only supported on linux nodes, node "{name}" is "{system}"'
            raise _refused(attributes, why, "UnsupportedPlatform")
        assert attributes.document is not None
        missing = _beyond(to_typed(attributes.document, Pod), node)
        if missing:
            why = f"node didn't have enough allocatable resources: {missing}"
            raise _refused(attributes, why, "NodeCapacity")


def _beyond(pod: Pod, node: Node) -> str:
    """What of the pod's requests is more than the whole node."""
    requests, has = pod_requests(pod), amounts(node.status.allocatable)
    return "; ".join(
        f"{resource}, requested: {requests[resource]}, allocatable: {has.get(resource, 0)}"
        for resource in (CPU, MEMORY)
        if requests.get(resource, 0) > has.get(resource, 0)
    )


def _refused(attributes: Attributes, why: str, reason: str) -> StatusError:
    return with_cause(attributes.forbidden(why), StatusCause(reason=reason))
