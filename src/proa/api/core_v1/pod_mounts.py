"""What makes it wrong where a container wants the volumes of its pod.

Source: the API reference of core/v1 VolumeMount and VolumeDevice.
"""

from __future__ import annotations

from collections.abc import Mapping

from proa.api.core_v1.container import Container, EphemeralContainer, VolumeMount
from proa.api.core_v1.pod_checks import at, check, descending_path, without_steps_back
from proa.api.core_v1.volume import Volume
from proa.machinery.fields import ErrorList, Path

AnyContainer = Container | EphemeralContainer


def validate_mounts(container: AnyContainer, volumes: Mapping[str, Volume], where: Path, errors: ErrorList) -> None:
    """The places where a container wants its volumes. where: the list's path."""
    places: set[str] = set()
    devices = {each.name: each.devicePath for each in container.volumeDevices} if container.volumeDevices else {}
    for index, mount in enumerate(container.volumeMounts):
        name, place = mount.name, mount.mountPath
        if not name:
            errors.required(at(where, index, "name"))
        if name not in volumes:
            errors.not_found(at(where, index, "name"), name)
        if not place:
            errors.required(at(where, index, "mountPath"))
        if place in places:
            errors.invalid(at(where, index, "mountPath"), place, "must be unique")
        places.add(place)
        if name in devices:
            errors.invalid(at(where, index, "name"), name, "must not already exist in volumeDevices")
        if place in devices.values():
            errors.invalid(at(where, index, "mountPath"), place, "must not already exist as a path in volumeDevices")
        if mount.subPath or mount.subPathExpr:
            _validate_subpaths(mount, at(where, index), where, errors)
        if mount.mountPropagation is not None:
            _validate_propagation(mount, container, where.child("mountPropagation"), errors)
        if mount.recursiveReadOnly is not None:
            _validate_recursive(mount, where.child("recursiveReadOnly"), errors)


def _validate_subpaths(mount: VolumeMount, own: Path, path: Path, errors: ErrorList) -> None:
    """own: the mount's path; path: that of the list, at which a wrong path is said to be."""
    if mount.subPath and mount.subPathExpr:
        detail = "subPathExpr and subPath are mutually exclusive"
        errors.invalid(own.child("subPathExpr"), mount.subPathExpr, detail)
    check(errors, descending_path, mount.subPath, path, "subPath")
    check(errors, descending_path, mount.subPathExpr, path, "subPathExpr")


def _validate_propagation(mount: VolumeMount, container: AnyContainer, path: Path, errors: ErrorList) -> None:
    context = container.securityContext
    if mount.mountPropagation == "Bidirectional" and not (context is not None and context.privileged):
        errors.forbidden(path, "Bidirectional mount propagation is available only to privileged containers")


def _validate_recursive(mount: VolumeMount, path: Path, errors: ErrorList) -> None:
    if mount.recursiveReadOnly not in ("Disabled", "Enabled", "IfPossible"):
        errors.unsupported(path, mount.recursiveReadOnly, ("Disabled", "Enabled", "IfPossible"))
    elif mount.recursiveReadOnly != "Disabled":
        if not mount.readOnly:
            errors.forbidden(path, "may only be specified when readOnly is true")
        if mount.mountPropagation not in (None, "None"):
            errors.forbidden(path, "may only be specified when mountPropagation is None or not specified")


def validate_devices(container: AnyContainer, volumes: Mapping[str, Volume], where: Path, errors: ErrorList) -> None:
    """The volumes that a container wants as they are, without a file system. where: the list's path."""
    names: set[str] = set()
    places: set[str] = set()
    mounts = {each.name: each.mountPath for each in container.volumeMounts}
    for index, device in enumerate(container.volumeDevices):
        name, place = device.name, device.devicePath
        own, volume = where.index(index), volumes.get(device.name)
        if not name:
            errors.required(own.child("name"))
        if name in names:
            errors.invalid(own.child("name"), name, "must be unique")
        if volume is None:
            errors.not_found(own.child("name"), name)
        elif volume.persistentVolumeClaim is None and volume.ephemeral is None:
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.invalid(own.child("name"), name, detail)
        if not place:
            errors.required(own.child("devicePath"))
        if place in places:
            errors.invalid(own.child("devicePath"), place, "must be unique")
        if without_steps_back(place):
            errors.invalid(own.child("devicePath"), place, "can not contain backsteps ('..')")
        if name in mounts:
            errors.invalid(own.child("name"), name, "must not already exist in volumeMounts")
        if place in mounts.values():
            errors.invalid(own.child("devicePath"), place, "must not already exist as a path in volumeMounts")
        names.add(name)
        places.add(place)
