"""NodeDeclaredFeatureValidator: a pod is not changed into what its node does not know how to do (KEP-5328).

A node says what it knows in `status.declaredFeatures`; which changes need what is `rules.pod_updates`.
"""

from __future__ import annotations

from typing import Any

from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import NODES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.columns import dig
from proa.machinery.decode import to_typed
from proa.machinery.resource import Resource
from proa.rules.pod_updates import needed_features


class NodeDeclaredFeatureValidator:
    name = "NodeDeclaredFeatureValidator"

    def __init__(self, context: PluginContext) -> None:
        self._nodes = context.informers.informer(NODES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        # An ordinary update cannot change anything that needs a feature.
        return (resource.qualified, subresource, operation) == ("pods", "resize", "UPDATE")

    def validate(self, attributes: Attributes) -> None:
        new, old = attributes.document, attributes.old
        name = dig(new, "spec", "nodeName")
        if new is None or old is None or not name or new["spec"] == old["spec"]:
            return
        needed = needed_features(to_typed(new, Pod), to_typed(dict(old), Pod))
        if not needed:
            return
        node = self._nodes.get(name)
        if node is None:
            raise attributes.forbidden(f'node "{name}" not found')
        missing = [each for each in needed if each not in node.status.declaredFeatures]
        if missing:
            what = ", ".join(missing)
            why = f'pod update requires features {what} which are not available on node "{name}"'
            raise attributes.forbidden(why)
