"""What a pod, or a template, must say in the annotations that mean something for the pod itself.

AppArmor and seccomp profiles were annotations before they were fields; who still says both says the same twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from proa.api.core_v1.container import AppArmorProfile, Container, EphemeralContainer, SeccompProfile
from proa.api.core_v1.pod import PodSpec
from proa.api.core_v1.pod_checks import at, check, descending_path
from proa.machinery.fields import ErrorList, Path, quoted

SECCOMP_OF_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
"""Of a container, whose name follows."""

_MIRROR = "kubernetes.io/config.mirror"
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_LOCAL = "localhost/"
_SECCOMP_VALUES = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default", "docker/default")}
_APPARMOR_VALUES = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default",)}


def validate_annotations(annotations: Mapping[str, str], spec: PodSpec, path: Path, errors: ErrorList) -> None:
    """path: of the annotations. Most pods have none of these, many none at all."""
    for key, value in annotations.items():
        if key == _MIRROR:
            if not spec.nodeName:
                errors.invalid(path.key(key), value, "must set spec.nodeName if mirror pod annotation is set")
        elif key == _DELETION_COST:
            if not _is_32_bit(value):
                errors.invalid(path.key(key), value, "must be a 32bit integer")
        elif key == SECCOMP_OF_POD or key.startswith(SECCOMP):
            _validate_seccomp(value, path.child(key), errors)
        elif key.startswith(APPARMOR):
            _validate_apparmor(key.removeprefix(APPARMOR), value, spec, path.key(key), errors)


def _is_32_bit(text: str) -> bool:
    return re.fullmatch("0|-?[1-9][0-9]*", text) is not None and -(2**31) <= int(text) < 2**31


def _validate_seccomp(profile: str, path: Path, errors: ErrorList) -> None:
    if profile.startswith(_LOCAL):
        check(errors, descending_path, profile.removeprefix(_LOCAL), path)
    elif not any(profile in values for values in _SECCOMP_VALUES.values()):
        errors.invalid(path, profile, "must be a valid seccomp profile")


def _validate_apparmor(name: str, profile: str, spec: PodSpec, path: Path, errors: ErrorList) -> None:
    if all(container.name != name for _, container in _containers(spec, path)):
        errors.invalid(path, name, "container not found")
    known = not profile or any(profile in values for values in _APPARMOR_VALUES.values())
    if not known and not profile.startswith(_LOCAL):
        errors.invalid(path, profile, f"invalid AppArmor profile name: {quoted(profile)}")


def check_fields(annotations: Mapping[str, str], spec: PodSpec, path: Path, errors: ErrorList) -> None:
    """That the fields say what the annotations do. path: the spec's."""
    if not any(key == SECCOMP_OF_POD or key.startswith((SECCOMP, APPARMOR)) for key in annotations):
        return
    context = spec.securityContext
    where = path.child("securityContext", "seccompProfile")
    of_pod = context.appArmorProfile if context is not None else None
    _check_seccomp(
        annotations.get(SECCOMP_OF_POD), context.seccompProfile if context is not None else None, where, errors
    )
    for where, container in _containers(spec, path):
        own = container.securityContext
        said = annotations.get(SECCOMP + container.name)
        _check_seccomp(
            said,
            own.seccompProfile if own is not None else None,
            where.child("securityContext", "seccompProfile"),
            errors,
        )
        if spec.os is not None and spec.os.name == "windows":
            continue
        said = annotations.get(APPARMOR + container.name)
        profile = (own.appArmorProfile if own is not None else None) or of_pod
        if said is not None and profile is not None:
            where = where.child("securityContext", "appArmorProfile")
            _check_same("apparmor", said, profile, _APPARMOR_VALUES, where, errors)


def _check_seccomp(said: str | None, profile: SeccompProfile | None, path: Path, errors: ErrorList) -> None:
    if said is not None and profile is not None:
        _check_same("seccomp", said, profile, _SECCOMP_VALUES, path, errors)


def _check_same(
    what: str,
    said: str,
    profile: SeccompProfile | AppArmorProfile,
    values: Mapping[str, tuple[str, ...]],
    path: Path,
    errors: ErrorList,
) -> None:
    if profile.type != "Localhost":
        if said not in values.get(profile.type, (said,)):
            errors.forbidden(path.child("type"), f"{what} type in annotation and field must match")
    elif not said.startswith(_LOCAL):
        errors.forbidden(path.child("type"), f"{what} type in annotation and field must match")
    elif said.removeprefix(_LOCAL) != profile.localhostProfile:
        errors.forbidden(path.child("localhostProfile"), f"{what} profile in annotation and field must match")


def _containers(spec: PodSpec, path: Path) -> Iterator[tuple[Path, Container | EphemeralContainer]]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(getattr(spec, field)):
            yield at(path, field, index), container


def check_changes(new: Mapping[str, str], old: Mapping[str, str], path: Path, errors: ErrorList) -> None:
    """A pod that shows a static one stays that, and no other becomes one; containers keep their AppArmor profiles."""
    for kind, is_one in (("AppArmor annotations", _is_apparmor), ("mirror pod annotation", _is_mirror)):
        for key, value in old.items():
            if is_one(key) and new.get(key) != value:
                errors.forbidden(path.key(key), f"may not remove or update {kind}")
        for key in new:
            if is_one(key) and key not in old:
                errors.forbidden(path.key(key), f"may not add {kind}")


def _is_apparmor(key: str) -> bool:
    return key.startswith(APPARMOR)


def _is_mirror(key: str) -> bool:
    return key == _MIRROR
