"""`proa doctor`: what this machine allows, which mode of proa follows, and what to install for a better one.

Each check is a function in `CHECKS` and changes nothing. A check does what a node does (opens a netlink socket, looks
for a program); it does not guess from versions.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from proa.cluster import settings as stored
from proa.cluster.paths import data_root, known_clusters
from proa.linux import cgroups
from proa.net import nft

MINIMUM_DISK = 1 << 30


class Level(Enum):
    """GOOD: as it should be. LESS: works, with less. BAD: no node that runs containers."""

    GOOD = "ok"
    LESS = "less"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """subject: what was looked at. words: what was found. advice: what would be better, '' when nothing."""

    subject: str
    level: Level
    words: str
    advice: str = ""


def examine() -> tuple[Finding, ...]:
    """Every finding, in the order of `CHECKS`."""
    return tuple(check() for check in CHECKS)


def mode(findings: tuple[Finding, ...]) -> str:
    """What `proa up` does here, in a sentence."""
    bad = [each.subject for each in findings if each.level is Level.BAD]
    if not bad:
        return "`proa up` starts a cluster whose node runs real containers."
    return (
        f"No node can run containers here ({', '.join(bad)}): `proa up --simulated-nodes 3` starts a whole control "
        "plane whose nodes simulate their pods."
    )


def _privileges() -> Finding:
    if os.geteuid() == 0:
        needed = {"NET_ADMIN": 12, "SYS_ADMIN": 21, "SYS_CHROOT": 18, "MKNOD": 27, "SETUID": 7}
        held = _status_field("CapEff")
        missing = [name for name, bit in needed.items() if not int(held, 16) >> bit & 1]
        if missing:
            return Finding(
                "privileges", Level.BAD, f"root, but without {', '.join(missing)}", "run outside a container"
            )
        return Finding("privileges", Level.GOOD, "root")
    return Finding("privileges", Level.BAD, f"user {os.geteuid()}", "run it as root: sudo proa up")


def _python() -> Finding:
    return Finding("python", Level.GOOD, f"{platform.python_version()}, {sys.executable}")


def _kernel() -> Finding:
    release = os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < (5, 12):
        return Finding("kernel", Level.BAD, release, "Linux 5.12 or newer (mount_setattr)")
    return Finding("kernel", Level.GOOD, release)


def _cgroups() -> Finding:
    try:
        tree = cgroups.detect()
    except OSError as error:
        return Finding("cgroups", Level.BAD, str(error.strerror), "mount cgroup v2 with cpu, memory and pids")
    version = type(tree).__name__.lower()
    if version == "v1":
        return Finding(
            "cgroups", Level.GOOD, "version 1", "version 2 counts memory better (systemd.unified_cgroup_hierarchy=1)"
        )
    return Finding("cgroups", Level.GOOD, "version 2")


def _overlay() -> Finding:
    known = Path("/proc/filesystems").read_text().split()
    if "overlay" in known or _module("overlay"):
        return Finding("overlayfs", Level.GOOD, "there")
    return Finding("overlayfs", Level.BAD, "not in this kernel", "modprobe overlay")


def _links() -> Finding:
    missing = [name for name in ("bridge", "veth") if not (_builtin(name) or _module(name))]
    if missing:
        return Finding("links", Level.BAD, f"no {' and no '.join(missing)}", f"modprobe {' '.join(missing)}")
    return Finding("links", Level.GOOD, "bridge and veth")


def _nftables() -> Finding:
    program = nft.available()
    if program is None:
        return Finding(
            "nftables",
            Level.LESS,
            "the program nft is not installed: Services go through a slower proxy in user space, no host ports",
            "apt-get install nftables",
        )
    try:
        # NETLINK_NETFILTER: what nft itself opens first.
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12).close()
    except OSError as error:
        return Finding("nftables", Level.LESS, f"the kernel has none: {error}", "modprobe nf_tables")
    return Finding("nftables", Level.GOOD, program)


def _user_namespaces() -> Finding:
    limit = _read("/proc/sys/user/max_user_namespaces")
    if not limit or limit == "0":
        return Finding(
            "user namespaces",
            Level.LESS,
            "not allowed: pods with hostUsers: false cannot run",
            "sysctl user.max_user_namespaces=15000",
        )
    if _read("/proc/sys/kernel/unprivileged_userns_clone") == "0" or (
        _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1"
    ):
        return Finding("user namespaces", Level.GOOD, "for root only")
    return Finding("user namespaces", Level.GOOD, "for everybody")


def _seccomp() -> Finding:
    if not _read("/proc/sys/kernel/seccomp/actions_avail"):
        return Finding(
            "seccomp",
            Level.BAD,
            "the kernel has no filters, so containers start only with seccompProfile Unconfined",
            "a kernel with CONFIG_SECCOMP_FILTER",
        )
    return Finding("seccomp", Level.GOOD, "filters of system calls")


def _ports() -> Finding:
    taken = {found.api_port: name for name, paths in known_clusters().items() if (found := stored.load(paths))}
    port = stored.DEFAULT_API_PORT
    if port in taken:
        return Finding(
            "API port", Level.GOOD, f"{port} belongs to the cluster {taken[port]!r}; another gets the next free one"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return Finding("API port", Level.GOOD, f"{port} is taken by another program; the next free one is used")
    return Finding("API port", Level.GOOD, f"{port} is free")


def _disk() -> Finding:
    place = data_root()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    words = f"{free / 1e9:.1f} GB free below {place}"
    if free < MINIMUM_DISK:
        return Finding("disk", Level.LESS, words, f"at least {MINIMUM_DISK / 1e9:.0f} GB for images and pods")
    return Finding("disk", Level.GOOD, words)


def _memory() -> Finding:
    available = int(_field("/proc/meminfo", "MemAvailable").split()[0]) * 1024
    words = f"{available / 1e6:.0f} MB available"
    if available < 256 << 20:
        return Finding("memory", Level.LESS, words, "256 MB for the cluster itself, plus what pods need")
    return Finding("memory", Level.GOOD, words)


CHECKS: tuple[Callable[[], Finding], ...] = (
    _privileges,
    _python,
    _kernel,
    _cgroups,
    _overlay,
    _links,
    _nftables,
    _user_namespaces,
    _seccomp,
    _ports,
    _disk,
    _memory,
)


def _builtin(name: str) -> bool:
    """Compiled into the kernel, or loaded."""
    if Path(f"/sys/module/{name}").exists():
        return True
    listed = _read(f"/lib/modules/{os.uname().release}/modules.builtin")
    return f"/{name}.ko" in listed or _answers(name)


def _answers(name: str) -> bool:
    """Kernels without module files: whether rtnetlink knows the kind of link is seen in /sys or kallsyms only."""
    return any(f" {name}_setup" in line for line in _read("/proc/kallsyms").splitlines())


def _module(name: str) -> bool:
    directory = Path(f"/lib/modules/{os.uname().release}")
    return f"/{name}.ko" in _read(str(directory / "modules.dep"))


def _status_field(name: str) -> str:
    return _field("/proc/self/status", name)


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    return "0"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
