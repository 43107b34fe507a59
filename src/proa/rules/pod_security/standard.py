"""The standards as a table: which control belongs to which level, since which version; adding one is a line.

A control may be said anew by a later version. Restricted has all controls of baseline too, but for those that a
stricter one of its own replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial

import msgspec

from proa.rules.pod_security import controls
from proa.rules.pod_security.controls import SELINUX_TYPES, SYSCTLS, Subject, Violation
from proa.rules.pod_security.policy import BASELINE, LATEST, PRIVILEGED, RESTRICTED, Level

Check = Callable[[Subject], Violation | None]


class Control(msgspec.Struct, frozen=True):
    """checks: by the minor version that brought it. replaces: the control of baseline that is then needed no more."""

    id: str
    level: str
    checks: tuple[tuple[int, Check], ...]
    replaces: str = ""

    def check(self, minor: int) -> Check | None:
        """The check as of this version, None before there was one."""
        found = None
        for since, each in self.checks:
            if since <= minor:
                found = each
        return found


def _not_on_windows(check: Check) -> Check:
    """Windows has no such thing, and validation takes care that nobody says there was."""
    return lambda subject: None if subject.is_windows else check(subject)


_SYSCTLS_27 = SYSCTLS | {"net.ipv4.ip_local_reserved_ports"}
_SYSCTLS_29 = _SYSCTLS_27 | {
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
}
_SYSCTLS_32 = _SYSCTLS_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}

# In the order in which violations are told.
CONTROLS: tuple[Control, ...] = (
    Control("appArmorProfile", BASELINE, ((0, controls.app_armor),)),
    Control("capabilities_baseline", BASELINE, ((0, controls.capabilities),)),
    Control("hostNamespaces", BASELINE, ((0, controls.host_namespaces),)),
    Control("hostPathVolumes", BASELINE, ((0, controls.host_path_volumes),)),
    Control("hostPorts", BASELINE, ((0, controls.host_ports),)),
    Control("hostProbesAndHostLifecycle", BASELINE, ((34, controls.probe_hosts),)),
    Control("privileged", BASELINE, ((0, controls.privileged),)),
    Control("procMount", BASELINE, ((0, controls.proc_mount), (35, controls.proc_mount_outside_user_namespace))),
    Control(
        "seLinuxOptions",
        BASELINE,
        (
            (0, partial(controls.selinux_of, SELINUX_TYPES)),
            (31, partial(controls.selinux_of, SELINUX_TYPES | {"container_engine_t"})),
        ),
    ),
    Control("seccompProfile_baseline", BASELINE, ((0, controls.seccomp_annotations), (19, controls.seccomp))),
    Control(
        "sysctls",
        BASELINE,
        (
            (0, partial(controls.sysctls_of, SYSCTLS)),
            (27, partial(controls.sysctls_of, _SYSCTLS_27)),
            (29, partial(controls.sysctls_of, _SYSCTLS_29)),
            (32, partial(controls.sysctls_of, _SYSCTLS_32)),
        ),
    ),
    Control("windowsHostProcess", BASELINE, ((0, controls.windows_host_process),)),
    Control(
        "allowPrivilegeEscalation",
        RESTRICTED,
        ((8, controls.privilege_escalation), (25, _not_on_windows(controls.privilege_escalation))),
    ),
    Control(
        "capabilities_restricted",
        RESTRICTED,
        ((22, controls.dropped_capabilities), (25, _not_on_windows(controls.dropped_capabilities))),
        replaces="capabilities_baseline",
    ),
    Control("procMount_restricted", RESTRICTED, ((35, controls.proc_mount),), replaces="procMount"),
    Control("restrictedVolumes", RESTRICTED, ((0, controls.restricted_volumes),), replaces="hostPathVolumes"),
    Control("runAsNonRoot", RESTRICTED, ((0, controls.non_root), (35, controls.non_root_outside_user_namespace))),
    Control("runAsUser", RESTRICTED, ((23, controls.root_user), (35, controls.root_user_outside_user_namespace))),
    Control(
        "seccompProfile_restricted",
        RESTRICTED,
        ((19, controls.seccomp_set), (25, _not_on_windows(controls.seccomp_set))),
        replaces="seccompProfile_baseline",
    ),
)
_NEWEST = max(since for control in CONTROLS for since, _ in control.checks)


def evaluate(level: Level, subject: Subject) -> tuple[Violation, ...]:
    """What of a level the pod does not keep to."""
    if level.name == PRIVILEGED:
        return ()
    minor = _NEWEST if level.version == LATEST else min(int(level.version.removeprefix("v1.")), _NEWEST)
    found = (check(subject) for check in checks_of(level.name, minor))
    return tuple(each for each in found if each is not None)


@cache
def checks_of(level: str, minor: int) -> Sequence[Check]:
    """The checks of a level as of v1.`minor`."""
    wanted = {control.id: control.check(minor) for control in CONTROLS if level == RESTRICTED or control.level == level}
    replaced = {each.replaces for each in CONTROLS if wanted.get(each.id) is not None}
    return tuple(check for id, check in wanted.items() if check is not None and id not in replaced)


def reasons(violations: Iterable[Violation]) -> str:
    return ", ".join(each.reason for each in violations)


def details(violations: Iterable[Violation]) -> str:
    return ", ".join(f"{each.reason} ({each.detail})" if each.detail else each.reason for each in violations)
