"""What volumes, claims and the pods that use them mean to each other (core/v1 Volume, PersistentVolumeClaim)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from proa.api.core_v1 import PersistentVolumeClaim, Pod

OLD_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"

# The finalizer that keeps an object for as long as somebody uses it, by resource.
PROTECTION: Mapping[str, str] = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
    "volumeattributesclasses.storage.k8s.io": "kubernetes.io/vac-protection",
}


def class_of(claim: PersistentVolumeClaim) -> str:
    """The storage class a claim names, '' for none; the annotation of old wins."""
    old = claim.metadata.annotations.get(OLD_CLASS_ANNOTATION)
    return old if old is not None else claim.spec.storageClassName or ""


def claims_of(pod: Pod) -> Iterator[str]:
    """The names of the claims whose volumes a pod mounts; an ephemeral volume's claim is named after pod and volume."""
    for volume in pod.spec.volumes:
        if volume.persistentVolumeClaim is not None:
            yield volume.persistentVolumeClaim.claimName
        elif volume.ephemeral is not None:
            yield f"{pod.metadata.name}-{volume.name}"


def attributes_classes(claim: PersistentVolumeClaim) -> Collection[str]:
    """The VolumeAttributesClasses that a claim has, wants or is on the way to."""
    changing = claim.status.modifyVolumeStatus
    names = (
        claim.spec.volumeAttributesClassName,
        claim.status.currentVolumeAttributesClassName,
        changing.targetVolumeAttributesClassName if changing is not None else None,
    )
    return {name for name in names if name}
