"""What the machine is and has: the facts a Node reports of its host, read from /proc and friends.

Sizes in bytes. A simulated node is given its facts instead.
"""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import dataclass, field
from pathlib import Path

from proa.base.build import architecture

# Below these the node says it is under pressure: bytes of memory, parts of the disk and of the process ids left.
LEAST_MEMORY = 100 << 20
LEAST_DISK = 0.05
LEAST_PIDS = 0.05


@dataclass(frozen=True, slots=True)
class HostFacts:
    """capacity: as quantities. The ids and names are those of NodeSystemInfo."""

    capacity: dict[str, str] = field(default_factory=dict)
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    kernel_version: str = ""
    os_image: str = ""
    architecture: str = "amd64"


@dataclass(frozen=True, slots=True)
class Pressure:
    memory: bool = False
    disk: bool = False
    pids: bool = False


def host_facts(root: Path) -> HostFacts:
    """This machine's facts; `root` is on the file system pods write to."""
    capacity = {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{_meminfo().get('MemTotal', 0)}Ki",
        "ephemeral-storage": f"{_disk(root)[0] >> 10}Ki",
    }
    for directory in sorted(Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB")):
        size = int(directory.name.removeprefix("hugepages-").removesuffix("kB"))
        count = int(_read(directory / "nr_hugepages") or 0)
        capacity[f"hugepages-{_huge(size)}"] = f"{size * count}Ki" if count else "0"
    machine_id = _read(Path("/etc/machine-id"))
    return HostFacts(
        capacity=capacity,
        machine_id=machine_id,
        system_uuid=_read(Path("/sys/class/dmi/id/product_uuid")) or machine_id,
        boot_id=_read(Path("/proc/sys/kernel/random/boot_id")),
        kernel_version=platform.release(),
        os_image=_os_image(),
        architecture=architecture(),
    )


def pressure(root: Path) -> Pressure:
    """What the machine runs short of now."""
    size, free = _disk(root)
    running, limit = _pids()
    return Pressure(
        memory=(_meminfo().get("MemAvailable", 1 << 40) << 10) < LEAST_MEMORY,
        disk=free < size * LEAST_DISK,
        pids=running > limit * (1 - LEAST_PIDS),
    )


def default_address() -> str:
    """The address this machine is reached at by its default route; loopback without one. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _huge(kilobytes: int) -> str:
    return f"{kilobytes >> 20}Gi" if kilobytes >= 1 << 20 else f"{kilobytes >> 10}Mi"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _meminfo() -> dict[str, int]:
    found = {}
    for line in _read(Path("/proc/meminfo")).splitlines():
        name, _, value = line.partition(":")
        found[name] = int(value.split()[0])
    return found


def _disk(root: Path) -> tuple[int, int]:
    """Size and free bytes of the file system of the nearest directory of `root` that exists."""
    while not root.exists():
        root = root.parent
    found = os.statvfs(root)
    return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize


def _pids() -> tuple[int, int]:
    running = _read(Path("/proc/loadavg")).split()[3].partition("/")[2]
    return int(running), int(_read(Path("/proc/sys/kernel/pid_max")) or 32768)


def _os_image() -> str:
    for line in _read(Path("/etc/os-release")).splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"
