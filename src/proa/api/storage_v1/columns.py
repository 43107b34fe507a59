"""Printer columns of the storage resources."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, NONE, Document, dig, flag, length, path
from proa.machinery.resource import Column

_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _class_name(storage_class: Document) -> str:
    name = dig(storage_class, "metadata", "name") or ""
    annotations = dig(storage_class, "metadata", "annotations") or {}
    return f"{name} (default)" if any(annotations.get(each) == "true" for each in _DEFAULT_CLASS) else name


STORAGE_CLASSES = (
    Column("Name", _class_name, format="name", description=NAME.description),
    Column("Provisioner", path("provisioner"), description="Who makes its volumes."),
    Column("ReclaimPolicy", path("reclaimPolicy", "Delete"), description="What follows a claim's end."),
    Column("VolumeBindingMode", path("volumeBindingMode", "Immediate"), description="When volumes are bound."),
    Column("AllowVolumeExpansion", path("allowVolumeExpansion", False), description="Whether volumes may grow."),
    AGE,
)
VOLUME_ATTRIBUTES_CLASSES = (NAME, Column("DriverName", path("driverName"), description="Whose volumes."), AGE)
VOLUME_ATTACHMENTS = (
    NAME,
    Column("Attacher", path("spec.attacher"), format="name", description="Who attaches it."),
    Column("PV", path("spec.source.persistentVolumeName"), description="The volume."),
    Column("Node", path("spec.nodeName"), description="The node it is attached to."),
    flag("Attached", "status.attached", "Whether it is attached."),
    AGE,
)
CSI_NODES = (NAME, length("Drivers", "spec.drivers", "How many drivers run there."), AGE)


def _audiences(driver: Document) -> str:
    requests = dig(driver, "spec", "tokenRequests")
    return "<unset>" if not requests else ",".join(each.get("audience", "") for each in requests)


CSI_DRIVERS = (
    NAME,
    flag(
        "AttachRequired", "spec.attachRequired", "Whether volumes are attached before they are mounted.", missing=True
    ),
    flag("PodInfoOnMount", "spec.podInfoOnMount", "Whether it is told about the pod."),
    flag("StorageCapacity", "spec.storageCapacity", "Whether it says what room there is."),
    Column("TokenRequests", _audiences, description="The audiences of the tokens it is given."),
    flag("RequiresRepublish", "spec.requiresRepublish", "Whether it is asked again and again."),
    Column(
        "Modes",
        lambda d: ",".join(dig(d, "spec", "volumeLifecycleModes") or ()) or NONE,
        description="How long its volumes live.",
    ),
    AGE,
)
CSI_STORAGE_CAPACITIES = (
    NAME,
    Column("StorageClassName", path("storageClassName"), description="The class it is about."),
    Column("Capacity", path("capacity", "<unset>"), description="The room there is."),
)
