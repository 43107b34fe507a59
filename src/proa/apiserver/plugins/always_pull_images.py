"""AlwaysPullImages (opt-in): nobody runs an image they could not pull themselves, however it came to the node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.fields import ErrorList, Path
from proa.machinery.resource import Resource

ALWAYS = "Always"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


class AlwaysPullImages(Stateless):
    name = "AlwaysPullImages"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.qualified == "pods" and not subresource and operation in ("CREATE", "UPDATE")

    def mutate(self, attributes: Attributes) -> None:
        if _has_new_images(attributes):
            for _, holder, field in _pulls(attributes.document):
                holder[field] = ALWAYS

    def validate(self, attributes: Attributes) -> None:
        if not _has_new_images(attributes):
            return
        errors = ErrorList()
        for path, holder, field in _pulls(attributes.document):
            if holder.get(field) != ALWAYS:
                errors.unsupported(path.child(field), holder.get(field) or "", [ALWAYS])
        if errors:
            raise attributes.forbidden(errors.message)


def _pulls(document: Mapping[str, Any] | None) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Where a pod says when to pull: the path, the object, its field."""
    spec = (document or {}).get("spec") or {}
    for part in _CONTAINERS:
        for position, each in enumerate(spec.get(part) or ()):
            yield Path("spec", part).index(position), each, "imagePullPolicy"
    for position, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("image") is not None:
            yield Path("spec", "volumes").index(position).child("image"), volume["image"], "pullPolicy"


def _has_new_images(attributes: Attributes) -> bool:
    return attributes.old is None or bool(_images(attributes.document) - _images(attributes.old))


def _images(document: Mapping[str, Any] | None) -> set[str]:
    spec = (document or {}).get("spec") or {}
    return {each.get("image", "") for part in _CONTAINERS for each in spec.get(part) or ()}
