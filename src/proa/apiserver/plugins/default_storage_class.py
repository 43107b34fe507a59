"""DefaultStorageClass: a claim that names no class gets the one that is marked as the default."""

from __future__ import annotations

from typing import Any

from proa.api.storage_v1.resources import STORAGE_CLASSES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.resource import Resource
from proa.rules.volumes import OLD_CLASS_ANNOTATION

_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


class DefaultStorageClass:
    name = "DefaultStorageClass"

    def __init__(self, context: PluginContext) -> None:
        self._classes = context.informers.informer(STORAGE_CLASSES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "persistentvolumeclaims" and not subresource

    def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        document = attributes.document
        annotations = document["metadata"].get("annotations") or {}
        if OLD_CLASS_ANNOTATION in annotations or document["spec"].get("storageClassName") is not None:
            return  # '' is a choice too: no class
        name = self._default()
        if name:
            document["spec"]["storageClassName"] = name

    def _default(self) -> str:
        """The newest of several."""
        defaults = [
            each.metadata
            for each in self._classes.list()
            if any(each.metadata.annotations.get(name) == "true" for name in _DEFAULT)
        ]
        defaults.sort(key=lambda meta: meta.name)
        newest = max(defaults, key=lambda meta: meta.creationTimestamp or "", default=None)
        return newest.name if newest is not None else ""
