"""StorageObjectInUseProtection: volumes, claims and attribute classes are not gone before nobody uses them.

Here they get their finalizers; `controllers.volume_protection` takes them away.
"""

from __future__ import annotations

from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.resource import Resource
from proa.rules.volumes import PROTECTION


class StorageObjectInUseProtection(Stateless):
    name = "StorageObjectInUseProtection"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified in PROTECTION and not subresource

    def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        meta, finalizer = attributes.document["metadata"], PROTECTION[attributes.resource.qualified]
        finalizers = meta.get("finalizers") or []
        if finalizer not in finalizers:
            meta["finalizers"] = [*finalizers, finalizer]
