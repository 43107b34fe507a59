"""PersistentVolumeClaimResize: only a bound claim of a class that allows it may ask for more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.api.storage_v1.resources import STORAGE_CLASSES
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.columns import dig
from proa.machinery.quantity import parse
from proa.machinery.resource import Resource
from proa.rules.volumes import OLD_CLASS_ANNOTATION


class PersistentVolumeClaimResize:
    name = "PersistentVolumeClaimResize"

    def __init__(self, context: PluginContext) -> None:
        self._classes = context.informers.informer(STORAGE_CLASSES)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "UPDATE" and resource.qualified == "persistentvolumeclaims" and not subresource

    def validate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        assert attributes.old is not None
        new, old = attributes.document, attributes.old
        if _storage(new) <= _storage(old):
            return
        if dig(old, "status", "phase") != "Bound":
            raise attributes.forbidden("Only bound persistent volume claims can be expanded")
        name = _class(new)
        found = self._classes.get(name) if name and name == _class(old) else None
        if found is None or not found.allowVolumeExpansion:
            raise attributes.forbidden(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
                "support resize"
            )


def _storage(claim: Mapping[str, Any]) -> Any:
    return parse(dig(claim, "spec", "resources", "requests", "storage") or 0)


def _class(claim: Mapping[str, Any]) -> str:
    annotations = dig(claim, "metadata", "annotations") or {}
    return annotations.get(OLD_CLASS_ANNOTATION) or dig(claim, "spec", "storageClassName") or ""
