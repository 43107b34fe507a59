"""DefaultIngressClass: an Ingress that names no class gets the one that is marked as the default."""

from __future__ import annotations

from typing import Any

from proa.api.networking_v1.resources import INGRESS_CLASSES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.resource import Resource

_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_OLD_CLASS = "kubernetes.io/ingress.class"


class DefaultIngressClass:
    name = "DefaultIngressClass"

    def __init__(self, context: PluginContext) -> None:
        self._classes = context.informers.informer(INGRESS_CLASSES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "ingresses.networking.k8s.io" and not subresource

    def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        document = attributes.document
        annotations = document["metadata"].get("annotations") or {}
        if _OLD_CLASS in annotations or (document.get("spec") or {}).get("ingressClassName") is not None:
            return
        name = self._default()
        if name:
            document["spec"] = {**(document.get("spec") or {}), "ingressClassName": name}

    def _default(self) -> str:
        """The newest of several."""
        classes = [each.metadata for each in self._classes.list()]
        defaults = sorted(
            (meta for meta in classes if meta.annotations.get(_DEFAULT) == "true"), key=lambda meta: meta.name
        )
        newest = max(defaults, key=lambda meta: meta.creationTimestamp or "", default=None)
        return newest.name if newest is not None else ""
