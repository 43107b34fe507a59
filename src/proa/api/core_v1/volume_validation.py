"""What makes the spec of a persistent volume wrong beyond what its fields declare.

Not here: what may change (`storage_strategies`), the volumes of pods (`pod_validation`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from posixpath import normpath
from typing import Any

from proa.api.core_v1.persistent_volume import (
    CSIPersistentVolumeSource,
    FlexPersistentVolumeSource,
    ISCSIPersistentVolumeSource,
    PersistentVolumeSpec,
)
from proa.api.core_v1.placement_validation import validate_node_selector
from proa.api.core_v1.reference import SecretReference
from proa.api.core_v1.volume import AzureDiskVolumeSource, FCVolumeSource, FlockerVolumeSource, ISCSIVolumeSource
from proa.machinery import names
from proa.machinery.checks import check_names, check_required
from proa.machinery.fields import ErrorList, Path
from proa.machinery.quantity import canonical, parse

_NOTHING = parse(0)
_NOT_SOURCES = frozenset(
    {"capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions"}
    | {"volumeMode", "nodeAffinity", "volumeAttributesClassName"}
)
SOURCES = tuple(each for each in PersistentVolumeSpec.__struct_fields__ if each not in _NOT_SOURCES)
"""The fields of which a volume has exactly one."""

_LONGEST_PORTAL = 64
_INLINE = "in the context of inline volumes"
_IQN = re.compile(
    r"iqn\.\d{4}-\d{2}\.([-a-z0-9.]*)?[a-z0-9](:.+)?|eui\.[0-9a-fA-F]{16}|naa\.([0-9a-fA-F]{16}){1,2}", re.IGNORECASE
)


def validate_volume_spec(spec: PersistentVolumeSpec, name: str, path: Path, errors: ErrorList) -> None:
    """The spec of a persistent volume of that name."""
    validate_access_modes(spec.accessModes, path.child("accessModes"), errors)
    capacity = path.child("capacity")
    if not spec.capacity:
        errors.required(capacity)
    if set(spec.capacity) != {"storage"}:
        errors.unsupported(capacity, spec.capacity, ("storage",))
    for resource, quantity in spec.capacity.items():
        check_positive(errors, capacity.key(resource), quantity)
    affinity = path.child("nodeAffinity")
    if spec.nodeAffinity is not None:
        if spec.nodeAffinity.required is None:
            errors.required(affinity.child("required"), "must specify required node constraints")
        else:
            validate_node_selector(spec.nodeAffinity.required, affinity.child("required"), errors)
    elif spec.local is not None:
        errors.required(affinity, "Local volume requires node affinity")
    _validate_source(spec, name, path, errors)
    recycled = spec.persistentVolumeReclaimPolicy == "Recycle"
    if recycled and spec.hostPath is not None and normpath(spec.hostPath.path) == "/":
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        errors.forbidden(path.child("persistentVolumeReclaimPolicy"), detail)
    if spec.storageClassName:
        at = path.child("storageClassName")
        check_names(errors, at, spec.storageClassName, names.dns1123_subdomain(spec.storageClassName))
    _validate_attributes_class(spec, path, errors)


def validate_inline_volume_spec(spec: PersistentVolumeSpec, path: Path, errors: ErrorList) -> None:
    """The spec of a volume that has no object of its own (of a VolumeAttachment)."""
    for field in ("claimRef", "capacity", "nodeAffinity", "storageClassName"):
        if getattr(spec, field):
            errors.forbidden(path.child(field), f"may not be specified {_INLINE}")
    if spec.csi is None:
        errors.required(path.child("csi"), f"has to be specified {_INLINE}")
    validate_access_modes(spec.accessModes, path.child("accessModes"), errors)
    if spec.persistentVolumeReclaimPolicy not in ("", "Retain"):
        errors.forbidden(path.child("persistentVolumeReclaimPolicy"), f"may only be Retain {_INLINE}")
    if spec.volumeMode not in (None, "Filesystem"):
        errors.forbidden(path.child("volumeMode"), f"may not specify volumeMode other than Filesystem {_INLINE}")
    _validate_source(spec, "", path, errors)
    _validate_attributes_class(spec, path, errors)


def validate_access_modes(modes: tuple[str, ...], path: Path, errors: ErrorList, detail: str = "") -> None:
    if not modes:
        errors.required(path, detail)
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        errors.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def check_positive(errors: ErrorList, path: Path, quantity: str | int | float) -> None:
    """A quantity of more than nothing."""
    if parse(quantity) <= _NOTHING:
        errors.invalid(path, canonical(quantity), "must be greater than zero")


def _validate_attributes_class(spec: PersistentVolumeSpec, path: Path, errors: ErrorList) -> None:
    name, at = spec.volumeAttributesClassName, path.child("volumeAttributesClassName")
    if name is None:
        return
    if name:
        check_names(errors, at, name, names.dns1123_subdomain(name))
    else:
        errors.required(at, "an empty string is disallowed")
    if spec.csi is None:
        errors.required(path.child("csi"), "has to be specified when using volumeAttributesClassName")


def _validate_source(spec: PersistentVolumeSpec, name: str, path: Path, errors: ErrorList) -> None:
    chosen = [field for field in SOURCES if getattr(spec, field) is not None]
    if not chosen:
        errors.required(path, "must specify a volume type")
        return
    for extra in chosen[1:]:
        errors.forbidden(path.child(extra), "may not specify more than 1 volume type")
    source, at = getattr(spec, chosen[0]), path.child(chosen[0])
    validate_source(chosen[0], source, at, errors)
    if spec.iscsi is not None:
        check_initiator(spec.iscsi, name, at.child("targetportal"), spec.iscsi.targetPortal, errors)


def check_initiator(
    source: ISCSIPersistentVolumeSource | ISCSIVolumeSource, name: str, path: Path, value: str, errors: ErrorList
) -> None:
    """That a volume of that name and its portal fit into a name of their own. value: what at `path` is too long."""
    if source.initiatorName is not None and len(f"{name}:{source.targetPortal}") > _LONGEST_PORTAL:
        detail = (
            f"Total length of <volume name>:<iscsi.targetPortal> must be under {_LONGEST_PORTAL} characters if"
            " iscsi.initiatorName is specified."
        )
        errors.invalid(path, value, detail)


def validate_source(field: str, source: Any, path: Path, errors: ErrorList) -> None:
    """What a volume is made of: the field it is in, its value, its path. A pod's own volume says less of some."""
    check_required(errors, path, source)
    if field in _RULES:
        _RULES[field](source, path, errors)


# --- what each source needs beyond its required fields ---


def _no_steps_back(source: Any, path: Path, errors: ErrorList) -> None:
    if ".." in source.path.split("/"):
        errors.invalid(path.child("path"), source.path, "must not contain '..'")


def _absolute(source: Any, path: Path, errors: ErrorList) -> None:
    if not source.path.startswith("/"):
        errors.invalid(path.child("path"), source.path, "must be an absolute path")


def _partition(source: Any, path: Path, errors: ErrorList) -> None:
    if not 0 <= source.partition <= 255:
        errors.invalid(path.child("partition"), source.partition, names.in_range(1, 255))


def _glusterfs(source: Any, path: Path, errors: ErrorList) -> None:
    namespace, at = getattr(source, "endpointsNamespace", None), path.child("endpointsNamespace")
    if namespace == "":
        detail = "if the endpointnamespace is set, it must be a valid namespace name"
        errors.invalid(at, namespace, detail)
    elif namespace is not None:
        check_names(errors, at, namespace, names.dns1123_label(namespace))


def _flocker(source: FlockerVolumeSource, path: Path, errors: ErrorList) -> None:
    if not source.datasetName and not source.datasetUUID:
        errors.required(path, "one of datasetName and datasetUUID is required")
    if source.datasetName and source.datasetUUID:
        errors.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in source.datasetName:
        errors.invalid(path.child("datasetName"), source.datasetName, "must not contain '/'")


def _quobyte(source: Any, path: Path, errors: ErrorList) -> None:
    if source.registry and len(source.tenant) >= 65:
        errors.required(path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters")
    elif source.registry and not all(re.fullmatch(r"[^:]*:[^:]*", each) for each in source.registry.split(",")):
        detail = "must be a host:port pair or multiple pairs separated by commas"
        errors.invalid(path.child("registry"), source.registry, detail)


def _iscsi(source: ISCSIPersistentVolumeSource, path: Path, errors: ErrorList) -> None:
    for field, value in (("iqn", source.iqn), ("initiatorname", source.initiatorName)):
        if value and not _IQN.fullmatch(value):
            errors.invalid(path.child(field), value, "must be valid format")
    if not 0 <= source.lun <= 255:
        errors.invalid(path.child("lun"), source.lun, names.in_range(0, 255))
    if source.secretRef is None:
        if source.chapAuthDiscovery or source.chapAuthSession:
            errors.required(path.child("secretRef"))
    elif not source.secretRef.name:
        errors.required(path.child("secretRef", "name"))


def _fibre_channel(source: FCVolumeSource, path: Path, errors: ErrorList) -> None:
    at = path.child("targetWWNs")
    if not source.targetWWNs and not source.wwids:
        errors.required(at, "must specify either targetWWNs or wwids, but not both")
    if source.targetWWNs and source.wwids:
        errors.invalid(at, source.targetWWNs, "targetWWNs and wwids can not be specified simultaneously")
    if source.targetWWNs:
        if source.lun is None:
            errors.required(path.child("lun"), "lun is required if targetWWNs is specified")
        elif not 0 <= source.lun <= 255:
            errors.invalid(path.child("lun"), source.lun, names.in_range(0, 255))


def _flex(source: FlexPersistentVolumeSource, path: Path, errors: ErrorList) -> None:
    for key in source.options:
        if f".{key.partition('/')[0].lower()}".endswith((".kubernetes.io", ".k8s.io")):
            detail = "kubernetes.io and k8s.io namespaces are reserved"
            errors.invalid(path.child("options").key(key), key, detail)


def _azure_file(source: Any, path: Path, errors: ErrorList) -> None:
    if getattr(source, "secretNamespace", None) == "":
        errors.required(path.child("secretNamespace"))


def _azure_disk(source: AzureDiskVolumeSource, path: Path, errors: ErrorList) -> None:
    managed = source.kind == "Managed"
    if source.kind is not None and not source.diskURI.startswith("/subscriptions/" if managed else "https://"):
        example = (
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
            if managed
            else "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
        )
        errors.unsupported(path.child("diskURI"), source.diskURI, (example,))


def _named_secret(source: Any, path: Path, errors: ErrorList) -> None:
    if source.secretRef is not None:
        for field in ("name", "namespace"):
            if getattr(source.secretRef, field, None) == "":  # a pod's secret is in its own namespace
                errors.required(path.child("secretRef", field))


def _scale_io(source: Any, path: Path, errors: ErrorList) -> None:
    if not source.volumeName:
        errors.required(path.child("volumeName"))


def _storageos(source: Any, path: Path, errors: ErrorList) -> None:
    if not source.volumeName:
        errors.required(path.child("volumeName"))
    for field in ("volumeName", "volumeNamespace"):
        value = getattr(source, field)
        if value:
            check_names(errors, path.child(field), value, names.dns1123_label(value))
    _named_secret(source, path, errors)


def _csi(source: CSIPersistentVolumeSource, path: Path, errors: ErrorList) -> None:
    if source.driver:
        check_driver_name(errors, path.child("driver"), source.driver)
    for field in ("controllerPublish", "controllerExpand", "nodePublish", "nodeExpand"):
        secret: SecretReference | None = getattr(source, f"{field}SecretRef")
        if secret is None:
            continue
        at = path.child(f"{field}SecretRef")
        for part, rule in (("name", names.dns1123_subdomain), ("namespace", names.dns1123_label)):
            value = getattr(secret, part)
            if value:
                check_names(errors, at.child(part), value, rule(value))
            else:
                errors.required(at.child(part))


def check_driver_name(errors: ErrorList, path: Path, name: str) -> None:
    """The name of a CSI driver."""
    if not name:
        errors.required(path)
        return
    if len(name) > 63:
        errors.too_long(path, 63)
    check_names(errors, path, name, names.dns1123_subdomain(name.lower()))


_RULES: Mapping[str, Callable[[Any, Path, ErrorList], None]] = {
    "hostPath": _no_steps_back,
    "local": _no_steps_back,
    "nfs": _absolute,
    "gcePersistentDisk": _partition,
    "awsElasticBlockStore": _partition,
    "glusterfs": _glusterfs,
    "flocker": _flocker,
    "quobyte": _quobyte,
    "iscsi": _iscsi,
    "fc": _fibre_channel,
    "flexVolume": _flex,
    "azureFile": _azure_file,
    "azureDisk": _azure_disk,
    "cinder": _named_secret,
    "scaleIO": _scale_io,
    "storageos": _storageos,
    "csi": _csi,
}
