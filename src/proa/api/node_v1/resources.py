"""The resources of node.k8s.io/v1."""

from typing import Any

from proa.api.node_v1 import RuntimeClass, RuntimeClassList, columns
from proa.api.node_v1.strategies import RuntimeClassStrategy
from proa.machinery.resource import Resource

RUNTIME_CLASSES = Resource(
    group="node.k8s.io",
    version="v1",
    plural="runtimeclasses",
    type=RuntimeClass,
    list_type=RuntimeClassList,
    singular="runtimeclass",
    namespaced=False,
    columns=columns.RUNTIME_CLASSES,
    strategy=RuntimeClassStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (RUNTIME_CLASSES,)
