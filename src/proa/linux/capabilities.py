"""Linux capabilities by name: the kernel's list, the container default, and dropping to a set.

Names are the kernel's without "CAP_", as in a pod's securityContext.capabilities (capabilities(7)).
"""

from __future__ import annotations

import struct

from proa.linux.libc import address, call, pack

NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
"""In the kernel's numeric order."""

DEFAULT = frozenset(
    ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP")
) | frozenset(("NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"))
"""What every container runtime grants a container that asks for nothing."""

_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522


def canonical(name: str) -> str:
    """'cap_net_admin', 'NET_ADMIN' -> 'NET_ADMIN'; ValueError for a name the kernel does not have."""
    short = name.upper().removeprefix("CAP_")
    if short not in NAMES:
        raise ValueError(f"unknown capability {name!r}: use a name of capabilities(7) such as NET_ADMIN, or ALL")
    return short


def compute(add: tuple[str, ...], drop: tuple[str, ...], *, privileged: bool = False) -> frozenset[str]:
    """The container's set: default, plus `add`, minus `drop`. ALL is every capability; a named one wins over it."""
    if privileged:
        return frozenset(NAMES)
    adds, drops = ({name.upper() for name in names} for names in (add, drop))
    chosen = frozenset(NAMES) if "ALL" in adds else DEFAULT
    if "ALL" in drops:
        chosen = frozenset()
    chosen |= {canonical(name) for name in adds - {"ALL"}}
    return chosen - {canonical(name) for name in drops - {"ALL"}}


def last() -> int:
    """The highest capability number this kernel knows."""
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return int(file.read())


def permitted() -> int:
    """The mask of what this process may grant: on a restricted host not everything."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1], 16) for line in file if line.startswith("CapPrm:"))


def to_mask(names: frozenset[str] | list[str]) -> int:
    return sum(1 << NAMES.index(name) for name in names)


def limit_bounding(mask: int, highest: int) -> None:
    """Drop from the bounding set what is not in `mask`; needs SETPCAP, so before `apply`."""
    for number in range(highest + 1):
        if not mask >> number & 1:
            call("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0)


def apply(mask: int) -> None:
    """Set effective and permitted to `mask`; inheritable and ambient to nothing."""
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = pack(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    data = pack(struct.pack("=6I", low, low, 0, high, high, 0))
    call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    call("capset", address(header), address(data))
