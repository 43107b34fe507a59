"""What the node itself refuses: a pod that does not fit or does not belong here ends at once as Failed. Pure.

The scheduler has checked the same, but pods reach a node without it (spec.nodeName) and nodes change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from proa.api.core_v1 import Pod
from proa.kubelet.state import Rejection
from proa.rules.resources import PODS, Amounts, amounts, pod_requests

# Sysctls that belong to a namespace of the pod's own, and with which a pod harms none but itself (the safe set of the
# Kubernetes documentation, "Using sysctls"). Any other may be the machine's: kernel.core_pattern runs what it names.
_SAFE_IPC_SYSCTLS = frozenset({"kernel.shm_rmid_forced"})
_SAFE_NET_SYSCTLS = frozenset(
    f"net.ipv4.{name}"
    for name in (
        "ip_local_port_range",
        "ip_local_reserved_ports",
        "ip_unprivileged_port_start",
        "ping_group_range",
        "tcp_fin_timeout",
        "tcp_keepalive_intvl",
        "tcp_keepalive_probes",
        "tcp_keepalive_time",
        "tcp_rmem",
        "tcp_syncookies",
        "tcp_wmem",
    )
)
NODE_AFFINITY = "NodeAffinity"
_NAMES = {"cpu": "OutOfcpu", "memory": "OutOfmemory", "ephemeral-storage": "OutOfephemeral-storage"}


def admit(
    pod: Pod, labels: Mapping[str, str], allocatable: Mapping[str, str], taken: Iterable[Amounts]
) -> Rejection | None:
    """Why `pod` cannot run on a node with these labels where `taken` is what its other pods request."""
    if pod.spec.os is not None and pod.spec.os.name != "linux":
        return Rejection("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    forbidden = _forbidden_sysctl(pod)
    if forbidden:
        return Rejection("SysctlForbidden", f"forbidden sysctl: {forbidden}")
    others = list(taken)
    room = amounts(allocatable)
    if len(others) + 1 > room.get(PODS, 1 << 31):
        return _out_of(PODS, 1, len(others), room[PODS])
    for resource, wanted in pod_requests(pod).items():
        if not wanted or resource not in room:
            continue
        used = sum(each.get(resource, 0) for each in others)
        if used + wanted > room[resource]:
            return _out_of(resource, wanted, used, room[resource])
    for key, value in pod.spec.nodeSelector.items():
        if labels.get(key) != value:
            return Rejection(NODE_AFFINITY, "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match "
                             "Pod's node affinity/selector")  # fmt: skip
    return None


def _forbidden_sysctl(pod: Pod) -> str:
    """What is wrong with the first sysctl the pod may not set, '' when it may set all it wants."""
    for each in pod.spec.securityContext.sysctls if pod.spec.securityContext else ():
        name = _dotted(each.name)
        if name in _SAFE_IPC_SYSCTLS:
            if pod.spec.hostIPC:
                return f'"{name}" not allowed with host ipc enabled'
        elif name not in _SAFE_NET_SYSCTLS:
            return f'"{name}" not allowlisted'
        elif pod.spec.hostNetwork:
            return f'"{name}" not allowed with host net enabled'
    return ""


def _dotted(sysctl: str) -> str:
    """A sysctl's name with dots between its parts; sysctl.d(5): if its first separator is a slash, all are."""
    first = next((each for each in sysctl if each in "./"), ".")
    return sysctl if first == "." else sysctl.translate(str.maketrans("/.", "./"))


def _out_of(resource: str, wanted: int, used: int, room: int) -> Rejection:
    text = (
        f"Pod was rejected: Node didn't have enough resource: {resource}, requested: {wanted}, used: {used}, "
        f"capacity: {room}"
    )
    return Rejection(_NAMES.get(resource, f"OutOf{resource}"), text)
