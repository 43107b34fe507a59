"""One function for each control of the Pod Security Standards; what it refuses it says in upstream's words.

A control looks at a `Subject` and returns a Violation or None. Which level and version has which is `standard`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from proa.api.core_v1 import (
    Container,
    EphemeralContainer,
    LifecycleHandler,
    PodSpec,
    Probe,
    SELinuxOptions,
    Volume,
)


class Subject(NamedTuple):
    """A pod, or the template of one."""

    annotations: Mapping[str, str]
    spec: PodSpec

    @property
    def containers(self) -> Sequence[Container | EphemeralContainer]:
        return (*self.spec.initContainers, *self.spec.containers, *self.spec.ephemeralContainers)

    @property
    def is_windows(self) -> bool:
        return self.spec.os is not None and self.spec.os.name == "windows"

    @property
    def is_in_user_namespace(self) -> bool:
        return self.spec.hostUsers is False


class Violation(NamedTuple):
    """reason: what is wrong, in short. detail: where."""

    reason: str
    detail: str = ""


# -- baseline ---------------------------------------------------------------------------------------------------------

_APP_ARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_CAPABILITIES = frozenset(
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"}
    | {"SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
)
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_syncookies",
    }
)


def app_armor(subject: Subject) -> Violation | None:
    """The default AppArmor profile is not taken away."""
    pod, containers, values = _profiles(subject, "appArmorProfile")
    forbidden = sorted(
        f'{name}="{value}"'
        for name, value in subject.annotations.items()
        if name.startswith(_APP_ARMOR_ANNOTATION)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    who = [*_setters(pod, containers), *([_plural("annotation", forbidden)] if forbidden else ())]
    if not who:
        return None
    bad = [*values, *forbidden]
    return Violation(
        _plural("forbidden AppArmor profile", bad),
        f"{' and '.join(who)} must not set AppArmor profile type to {_quoted(bad)}",
    )


def capabilities(subject: Subject) -> Violation | None:
    """No capabilities beyond the usual ones are added."""
    added = {each.name: {*_capabilities(each)[0]} - _CAPABILITIES for each in subject.containers}
    bad = [name for name, names in added.items() if names]
    if not bad:
        return None
    names = _quoted(sorted(set().union(*added.values())))
    return Violation(
        "non-default capabilities", f"{_containers(bad)} must not include {names} in securityContext.capabilities.add"
    )


def host_namespaces(subject: Subject) -> Violation | None:
    used = [name for name in ("hostNetwork", "hostPID", "hostIPC") if getattr(subject.spec, name)]
    return Violation("host namespaces", ", ".join(f"{name}=true" for name in used)) if used else None


def host_path_volumes(subject: Subject) -> Violation | None:
    bad = [each.name for each in subject.spec.volumes if each.hostPath is not None]
    return Violation("hostPath volumes", f"{_plural('volume', bad)} {_quoted(bad)}") if bad else None


def host_ports(subject: Subject) -> Violation | None:
    used = {each.name: {str(port.hostPort) for port in each.ports if port.hostPort} for each in subject.containers}
    bad = [name for name, ports in used.items() if ports]
    if not bad:
        return None
    ports = sorted(set().union(*used.values()))
    return Violation("hostPort", f"{_use(bad)} {_plural('hostPort', ports)} {', '.join(ports)}")


def probe_hosts(subject: Subject) -> Violation | None:
    """Probes and lifecycle hooks reach only the pod itself."""
    reached = {each.name: {*_hosts(each)} for each in subject.containers}
    bad = sorted(name for name, hosts in reached.items() if hosts)
    if not bad:
        return None
    hosts = sorted(set().union(*reached.values()))
    return Violation(
        "probe or lifecycle host", f"{_use(bad)} {_plural('probe or lifecycle host', hosts)} {_quoted(hosts)}"
    )


def privileged(subject: Subject) -> Violation | None:
    bad = [each.name for each in subject.containers if _context(each, "privileged")]
    return Violation("privileged", f"{_containers(bad)} must not set securityContext.privileged=true") if bad else None


def proc_mount(subject: Subject) -> Violation | None:
    """/proc is masked."""
    mounts = {each.name: _context(each, "procMount") for each in subject.containers}
    bad = [name for name, mount in mounts.items() if mount not in (None, "Default")]
    if not bad:
        return None
    values = _quoted(sorted({mounts[name] for name in bad}))
    return Violation("procMount", f"{_containers(bad)} must not set securityContext.procMount to {values}")


def proc_mount_outside_user_namespace(subject: Subject) -> Violation | None:
    return None if subject.is_in_user_namespace else proc_mount(subject)


def selinux_of(types: Collection[str], subject: Subject) -> Violation | None:
    """No SELinux user, role, or type beyond those of containers."""
    options = [each for each in (_options(subject.spec),) if each is not None and _is_bad_selinux(each, types)]
    of_containers = {each.name: _options(each) for each in subject.containers}
    bad = {name: each for name, each in of_containers.items() if each is not None and _is_bad_selinux(each, types)}
    who = _setters(bool(options), list(bad))
    if not who:
        return None
    options += bad.values()
    forbidden = sorted({each.type for each in options} - {*types})
    said = [f"{_plural('type', forbidden)} {_quoted(forbidden)}"] if forbidden else []
    said += ["user may not be set"] if any(each.user for each in options) else []
    said += ["role may not be set"] if any(each.role for each in options) else []
    return Violation(
        "seLinuxOptions", f"{' and '.join(who)} set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"
    )


def seccomp_annotations(subject: Subject) -> Violation | None:
    """Seccomp is not taken away: as said before there was a field for it (v1.18)."""
    names = (_SECCOMP_POD, *(_SECCOMP_CONTAINER + each.name for each in subject.containers))
    values = ((name, subject.annotations.get(name)) for name in names)
    allowed = ("runtime/default", "docker/default")
    bad = sorted(
        {
            f'{name}="{value}"'
            for name, value in values
            if value is not None and value not in allowed and not value.startswith("localhost/")
        }
    )
    return Violation("seccompProfile", f"forbidden {_plural('annotation', bad)} {', '.join(bad)}") if bad else None


def seccomp(subject: Subject) -> Violation | None:
    """Seccomp is not taken away."""
    pod, containers, values = _profiles(subject, "seccompProfile")
    who = _setters(pod, containers)
    if not who:
        return None
    said = f"must not set securityContext.seccompProfile.type to {_quoted(values)}"
    return Violation("seccompProfile", f"{' and '.join(who)} {said}")


def sysctls_of(allowed: Collection[str], subject: Subject) -> Violation | None:
    context = subject.spec.securityContext
    bad = [each.name for each in context.sysctls if each.name not in allowed] if context is not None else []
    return Violation("forbidden sysctls", ", ".join(bad)) if bad else None


def windows_host_process(subject: Subject) -> Violation | None:
    def is_bad(holder: Any) -> bool:
        options = _context(holder, "windowsOptions")
        return options is not None and bool(options.hostProcess)

    who = _setters(is_bad(subject.spec), [each.name for each in subject.containers if is_bad(each)])
    if not who:
        return None
    return Violation("hostProcess", f"{' and '.join(who)} must not set securityContext.windowsOptions.hostProcess=true")


# -- restricted -------------------------------------------------------------------------------------------------------

_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim"}
    | {"projected", "secret"}
)


def privilege_escalation(subject: Subject) -> Violation | None:
    bad = [each.name for each in subject.containers if _context(each, "allowPrivilegeEscalation") is not False]
    if not bad:
        return None
    return Violation(
        "allowPrivilegeEscalation != false",
        f"{_containers(bad)} must set securityContext.allowPrivilegeEscalation=false",
    )


def dropped_capabilities(subject: Subject) -> Violation | None:
    """All capabilities are dropped but the one that binds low ports."""
    keeping = [each.name for each in subject.containers if "ALL" not in _capabilities(each)[1]]
    added = {each.name: {*_capabilities(each)[0]} - {"NET_BIND_SERVICE"} for each in subject.containers}
    adding = [name for name, names in added.items() if names]
    said = []
    if keeping:
        said.append(f'{_containers(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        names = _quoted(sorted(set().union(*added.values())))
        said.append(f"{_containers(adding)} must not include {names} in securityContext.capabilities.add")
    return Violation("unrestricted capabilities", "; ".join(said)) if said else None


def restricted_volumes(subject: Subject) -> Violation | None:
    sources = {each.name: _source(each) for each in subject.spec.volumes}
    bad = [name for name, source in sources.items() if source not in _VOLUMES]
    if not bad:
        return None
    types = sorted({sources[name] for name in bad})
    return Violation(
        "restricted volume types",
        f"{_plural('volume', bad)} {_quoted(bad)} {_plural_verb(bad)} "
        f"{_plural('restricted volume type', types)} {_quoted(types)}",
    )


def non_root(subject: Subject) -> Violation | None:
    """Every container is made to run as somebody else than root."""
    pod = _context(subject.spec, "runAsNonRoot")
    said = {each.name: _context(each, "runAsNonRoot") for each in subject.containers}
    who = _setters(pod is False, [name for name, value in said.items() if value is False])
    if who:
        return Violation("runAsNonRoot != true", f"{' and '.join(who)} must not set securityContext.runAsNonRoot=false")
    silent = [name for name, value in said.items() if value is None and not pod]
    if not silent:
        return None
    return Violation("runAsNonRoot != true", f"pod or {_containers(silent)} must set securityContext.runAsNonRoot=true")


def root_user(subject: Subject) -> Violation | None:
    bad = [each.name for each in subject.containers if _context(each, "runAsUser") == 0]
    who = _setters(_context(subject.spec, "runAsUser") == 0, bad)
    return Violation("runAsUser=0", f"{' and '.join(who)} must not set runAsUser=0") if who else None


def non_root_outside_user_namespace(subject: Subject) -> Violation | None:
    return None if subject.is_in_user_namespace else non_root(subject)


def root_user_outside_user_namespace(subject: Subject) -> Violation | None:
    return None if subject.is_in_user_namespace else root_user(subject)


def seccomp_set(subject: Subject) -> Violation | None:
    """Every container has a seccomp profile."""
    wrong = seccomp(subject)
    if wrong is not None or _context(subject.spec, "seccompProfile") is not None:
        return wrong
    silent = [each.name for each in subject.containers if _context(each, "seccompProfile") is None]
    if not silent:
        return None
    said = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {_containers(silent)} {said}")


# -- what they share --------------------------------------------------------------------------------------------------


def _context(holder: Any, field: str) -> Any:
    """A field of the security context of a pod spec or container."""
    context = holder.securityContext
    return getattr(context, field, None) if context is not None else None


def _options(holder: Any) -> SELinuxOptions | None:
    options: SELinuxOptions | None = _context(holder, "seLinuxOptions")
    return options


def _is_bad_selinux(options: SELinuxOptions, types: Collection[str]) -> bool:
    return options.type not in types or bool(options.user) or bool(options.role)


def _capabilities(container: Any) -> tuple[Sequence[str], Sequence[str]]:
    """What is added and what is dropped."""
    found = _context(container, "capabilities")
    return (found.add, found.drop) if found is not None else ((), ())


def _profiles(subject: Subject, field: str) -> tuple[bool, list[str], list[str]]:
    """Whether the pod, and which containers, name a profile that is none; and those they name."""

    def bad(holder: Any) -> str | None:
        profile = _context(holder, field)
        return profile.type if profile is not None and profile.type not in ("RuntimeDefault", "Localhost") else None

    pod = bad(subject.spec)
    containers = {each.name: bad(each) for each in subject.containers}
    values = {each for each in (pod, *containers.values()) if each is not None}
    return pod is not None, [name for name, value in containers.items() if value is not None], sorted(values)


def _hosts(container: Container | EphemeralContainer) -> Iterable[str]:
    lifecycle = container.lifecycle
    handlers: tuple[Probe | LifecycleHandler | None, ...] = (
        container.livenessProbe,
        container.readinessProbe,
        container.startupProbe,
        lifecycle.postStart if lifecycle is not None else None,
        lifecycle.preStop if lifecycle is not None else None,
    )
    for handler in handlers:
        if handler is not None:
            yield from (each.host for each in (handler.httpGet, handler.tcpSocket) if each is not None and each.host)


def _source(volume: Volume) -> str:
    names = (name for name in volume.__struct_fields__ if name != "name")
    return next((name for name in names if getattr(volume, name) is not None), "unknown")


def _setters(pod: bool, containers: Sequence[str]) -> list[str]:
    return [*(["pod"] if pod else ()), *([_containers(containers)] if containers else ())]


def _containers(names: Sequence[str]) -> str:
    return f"{_plural('container', names)} {_quoted(names)}"


def _use(names: Sequence[str]) -> str:
    return f"{_containers(names)} {_plural_verb(names)}"


def _plural_verb(subjects: Sequence[str]) -> str:
    return "uses" if len(subjects) == 1 else "use"


def _plural(noun: str, of: Sequence[str]) -> str:
    return noun if len(of) == 1 else noun + "s"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
