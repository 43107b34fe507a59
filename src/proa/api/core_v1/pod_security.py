"""What makes the security contexts of a pod and its containers wrong, and what its operating system does not know.

Source: the API reference of core/v1 PodSecurityContext and SecurityContext. Not here: what a namespace forbids (pod
security admission), what is said to Windows (`pod_windows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from proa.api.core_v1.container import (
    AppArmorProfile,
    Container,
    EphemeralContainer,
    SeccompProfile,
    SecurityContext,
)
from proa.api.core_v1.pod import PodSecurityContext, PodSpec, Sysctl
from proa.api.core_v1.pod_checks import check, descending_path
from proa.api.core_v1.pod_windows import validate_host_process, validate_options
from proa.machinery.fields import ROOT, ErrorList, Path
from proa.machinery.names import in_range, sysctl_name

_CONTEXT = ROOT.child("securityContext")
_LARGEST_ID = 2**31 - 1
_LONGEST_PROFILE = 4095  # of a path, without the zero behind it
_OPERATING_SYSTEMS = ("linux", "windows")
_NOT_ON_WINDOWS = "cannot be set for a windows pod"
_ONLY_ON_LINUX = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
_CONTEXT_ONLY_ON_LINUX = (
    *("appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls"),
    *("runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy"),
)
_CONTAINER_ONLY_ON_LINUX = (
    *("appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem"),
    *("privileged", "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup"),
)
# The namespaces of kernel parameters that the host shares with a pod that asks for it.
_OF_IPC = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_OF_NETWORK = ("net.",)


def validate_pod_context(spec: PodSpec, errors: ErrorList) -> None:
    """Of a pod; where, relative to its spec."""
    context = spec.securityContext
    if context is not None:
        if context.supplementalGroups:
            _validate_groups(context.supplementalGroups, _CONTEXT, errors)
        _validate_profiles(context, _CONTEXT, errors)
        if context.sysctls:
            _validate_sysctls(context.sysctls, spec, _CONTEXT.child("sysctls"), errors)
    if spec.shareProcessNamespace and spec.hostPID:
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.invalid(_CONTEXT.child("shareProcessNamespace"), True, detail)
    if spec.hostUsers is False:
        _validate_users(spec, ROOT, errors)
    if _speaks_to_windows(spec):
        validate_host_process(spec, errors)
    if spec.os is not None:
        _validate_os(spec, ROOT, errors)


def _speaks_to_windows(spec: PodSpec) -> bool:
    if spec.securityContext is not None and spec.securityContext.windowsOptions is not None:
        return True
    for container in spec.containers or spec.initContainers:
        context = container.securityContext
        if context is not None and context.windowsOptions is not None:
            return True
    return False


def validate_context(context: SecurityContext, host_users: bool, path: Path, errors: ErrorList) -> None:
    """Of a container. host_users: whether the users of its pod are the node's."""
    if context.procMount == "Unmasked" and host_users:
        errors.invalid(path.child("procMount"), context.procMount, "`hostUsers` must be false to use `Unmasked`")
    _validate_profiles(context, path, errors)
    if context.allowPrivilegeEscalation is False:
        what = "cannot set `allowPrivilegeEscalation` to false and"
        if context.privileged:
            errors.invalid(path, context, f"{what} `privileged` to true")
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            errors.invalid(path, context, f"{what} `capabilities.Add` CAP_SYS_ADMIN")


def _validate_groups(groups: Iterable[int], path: Path, errors: ErrorList) -> None:
    for index, group in enumerate(groups):
        if not 0 <= group <= _LARGEST_ID:
            errors.invalid(path.child("supplementalGroups").index(index), group, in_range(0, _LARGEST_ID))


def _validate_profiles(context: PodSecurityContext | SecurityContext, path: Path, errors: ErrorList) -> None:
    if context.seccompProfile is not None:
        _validate_seccomp(context.seccompProfile, path.child("seccompProfile"), errors)
    if context.windowsOptions is not None:
        validate_options(context.windowsOptions, path.child("windowsOptions"), errors)
    if context.appArmorProfile is not None:
        _validate_apparmor(context.appArmorProfile, path.child("appArmorProfile"), errors)


def _validate_seccomp(profile: SeccompProfile, path: Path, errors: ErrorList) -> None:
    file, where = profile.localhostProfile, path.child("localhostProfile")
    if not profile.type:
        errors.required(path.child("type"), "type is required when seccompProfile is set")
    if profile.type != "Localhost":
        if file is not None:
            errors.invalid(where, profile, "can only be set when seccomp type is Localhost")
    elif file is None:
        errors.required(where, "must be set when seccomp type is Localhost")
    else:
        check(errors, descending_path, file, where)


def _validate_apparmor(profile: AppArmorProfile, path: Path, errors: ErrorList) -> None:
    name, where = profile.localhostProfile, path.child("localhostProfile")
    if not profile.type:
        errors.required(path.child("type"), "type is required when appArmorProfile is set")
    elif profile.type != "Localhost":
        if name is not None:
            errors.invalid(where, name, "can only be set when AppArmor type is Localhost")
    elif not name:
        errors.required(where, "must be set when AppArmor type is Localhost")
    else:
        if name != name.strip():
            errors.invalid(where, name, "must not be padded with whitespace")
        if len(name) > _LONGEST_PROFILE:
            errors.too_long(where, _LONGEST_PROFILE)


def _validate_sysctls(sysctls: Iterable[Sysctl], spec: PodSpec, path: Path, errors: ErrorList) -> None:
    """Which of them a pod may set, its node says; none of those that belong to the node itself."""
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        where = path.index(index).child("name")
        name = sysctl.name
        if not name:
            errors.required(where)
        elif sysctl_name(name):
            check(errors, sysctl_name, name, where)
        elif name in seen:
            errors.duplicate(where, name)
        seen.add(name)
        dotted = name.replace("/", ".")
        if spec.hostNetwork and dotted.startswith(_OF_NETWORK):
            errors.invalid(where, name, "may not be specified when 'hostNetwork' is true")
        elif spec.hostIPC and dotted.startswith(_OF_IPC):
            errors.invalid(where, name, "may not be specified when 'hostIPC' is true")


def _containers(spec: PodSpec, path: Path) -> Iterator[tuple[Path, Container | EphemeralContainer]]:
    """Every container and its path."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(getattr(spec, field)):
            yield path.child(field).index(index), container


def _validate_users(spec: PodSpec, path: Path, errors: ErrorList) -> None:
    """A pod with users of its own shares nothing with its node in which its root would be somebody else."""
    detail = "when `hostUsers` is false"
    for field, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
        if getattr(spec, field):
            errors.forbidden(path.child(shown), detail)
    for where, container in _containers(spec, path):
        if container.volumeDevices:
            errors.forbidden(where.child("volumeDevices"), detail)


def _validate_os(spec: PodSpec, path: Path, errors: ErrorList) -> None:
    name = spec.os.name if spec.os is not None else ""
    if not name:
        errors.required(path.child("os", "name"))
    elif name not in _OPERATING_SYSTEMS:
        errors.unsupported(path.child("os"), name, _OPERATING_SYSTEMS)
    elif name == "windows":
        _forbid(spec, _ONLY_ON_LINUX, _NOT_ON_WINDOWS, path, errors)
        _forbid(spec.securityContext, _CONTEXT_ONLY_ON_LINUX, _NOT_ON_WINDOWS, path.child("securityContext"), errors)
        for where, container in _containers(spec, path):
            context = container.securityContext
            _forbid(context, _CONTAINER_ONLY_ON_LINUX, _NOT_ON_WINDOWS, where.child("securityContext"), errors)
    else:
        contexts: list[tuple[Path, PodSecurityContext | SecurityContext | None]] = [(path, spec.securityContext)]
        contexts += [(where, container.securityContext) for where, container in _containers(spec, path)]
        for where, each in contexts:
            detail = "windows options cannot be set for a linux pod"
            _forbid(each, ("windowsOptions",), detail, where.child("securityContext"), errors)


def _forbid(value: Any, fields: Iterable[str], detail: str, path: Path, errors: ErrorList) -> None:
    for field in fields:
        if value is not None and getattr(value, field) not in (None, False, ()):
            errors.forbidden(path.child(field), detail)
