"""Owner references: who controls an object (metadata.ownerReferences, KEP-less since 1.5).

At most one reference has `controller: true`; that owner acts on the object, all owners keep it from being collected.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proa.machinery.declare import Object
from proa.machinery.meta import OwnerReference
from proa.machinery.resource import Resource


def controller_of(obj: Any) -> OwnerReference | None:
    """The reference of the object's managing controller."""
    for reference in obj.metadata.ownerReferences:
        if reference.controller:
            return reference  # type: ignore[no-any-return]
    return None


def is_controlled_by(obj: Any, owner: Any) -> bool:
    """Whether `owner` (this very one, by uid) controls `obj`."""
    reference = controller_of(obj)
    return reference is not None and reference.uid == owner.metadata.uid


def controller_reference(owner: Object) -> OwnerReference:
    """The reference with which `owner` controls what it creates; foreground deletion of it waits for them."""
    metadata: Any = owner.metadata  # type: ignore[attr-defined]
    return OwnerReference(
        apiVersion=owner.apiVersion,  # type: ignore[attr-defined]
        kind=owner.kind,  # type: ignore[attr-defined]
        name=metadata.name,
        uid=metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )


def refers_to(reference: OwnerReference, resource: Resource[Any]) -> bool:
    """Whether `reference` names an object of `resource`, in whatever version of its group."""
    group, _, _ = reference.apiVersion.rpartition("/")
    return reference.kind == resource.kind and group == resource.group


def replace_metadata(obj: Any, **changes: Any) -> Any:
    """`obj` with these fields of its metadata changed."""
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, **changes))
