"""cgroup v1: a hierarchy for each controller, all given the same paths (kernel: admin-guide/cgroup-v1)."""

from __future__ import annotations

import errno
import os

from proa.linux.cgroups import Tree, read_values, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proa.linux.cgroups import Limits, Usage

_USED = ("cpu", "cpuacct", "memory", "pids", "devices", "hugetlb")


class V1(Tree):
    """`controllers`: where each controller is mounted. Those that proa does not use stay at their root group."""

    def __init__(self, controllers: dict[str, str]) -> None:
        self._roots = {name: controllers[name] for name in _USED if name in controllers}
        self._unique = list(dict.fromkeys(self._roots.values()))

    def directories(self, path: str) -> list[str]:
        return [f"{root}/{path}" for root in self._unique]

    def create(self, path: str, limits: Limits) -> None:
        for directory in self.directories(path):
            os.makedirs(directory, exist_ok=True)
        self.update(path, limits)

    def update(self, path: str, limits: Limits) -> None:
        cpu, memory, pids = (f"{self._roots[name]}/{path}" for name in ("cpu", "memory", "pids"))
        if (shares := limits.get("cpu_shares")) is not None:
            write(cpu, "cpu.shares", str(max(2, shares)))
        if (quota := limits.get("cpu_quota")) is not None:
            write(cpu, "cpu.cfs_period_us", str(limits.get("cpu_period") or 100_000))
            write(cpu, "cpu.cfs_quota_us", str(quota if quota > 0 else -1))
        if (size := limits.get("memory_limit")) is not None:
            write(memory, "memory.limit_in_bytes", str(size if size > 0 else -1))
        if (count := limits.get("pids_limit")) is not None:
            write(pids, "pids.max", str(count) if count > 0 else "max")
        for page, amount in (limits.get("hugepages") or {}).items():
            if "hugetlb" not in self._roots:
                raise OSError(errno.ENODEV, f"a limit for {page} huge pages needs the hugetlb controller")
            write(f"{self._roots['hugetlb']}/{path}", f"hugetlb.{page}.limit_in_bytes", str(amount))

    def allow_devices(self, path: str, rules: list[str]) -> None:
        if "devices" not in self._roots:
            raise OSError(errno.ENODEV, "limiting devices needs the devices controller")
        directory = f"{self._roots['devices']}/{path}"
        write(directory, "devices.deny", "a")
        for rule in rules:
            write(directory, "devices.allow", rule)

    def oom_kills(self, path: str) -> int:
        try:
            return read_values(f"{self._roots['memory']}/{path}/memory.oom_control").get("oom_kill", 0)
        except FileNotFoundError:
            return 0

    def usage(self, path: str) -> Usage:
        memory = f"{self._roots['memory']}/{path}"
        stat = read_values(f"{memory}/memory.stat")
        cpu = 0
        if "cpuacct" in self._roots:
            with open(f"{self._roots['cpuacct']}/{path}/cpuacct.usage") as file:
                cpu = int(file.read())
        with open(f"{memory}/memory.usage_in_bytes") as file:
            used = int(file.read())
        return {
            "cpu_nanoseconds": cpu,
            "memory_working_set": max(0, used - stat.get("total_inactive_file", 0)),
            "memory_rss": stat.get("total_rss", 0),
        }

    def mount_view(self) -> list[tuple[str, str, str]]:
        names: dict[str, list[str]] = {}
        for name, root in self._roots.items():
            names.setdefault(root, []).append(name)
        return [(",".join(group), "cgroup", ",".join(group)) for group in names.values()]
