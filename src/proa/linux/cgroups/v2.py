"""cgroup v2, the unified hierarchy (kernel: admin-guide/cgroup-v2)."""

from __future__ import annotations

import errno
import math
import os

from proa.linux.cgroups import Tree, read_values, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proa.linux.cgroups import Limits, Usage

_WANTED = ("cpu", "memory", "pids", "hugetlb")


class V2(Tree):
    """The hierarchy mounted at `root`. Controllers are enabled on the way down to each group."""

    def __init__(self, root: str) -> None:
        self._root = root

    def directories(self, path: str) -> list[str]:
        return [f"{self._root}/{path}"]

    def create(self, path: str, limits: Limits) -> None:
        directory = self._root
        for part in path.split("/"):
            self._enable(directory)
            directory = f"{directory}/{part}"
            try:
                os.mkdir(directory)
            except FileExistsError:
                continue
        self.update(path, limits)

    def _enable(self, directory: str) -> None:
        with open(f"{directory}/cgroup.controllers") as file:
            available = file.read().split()
        with open(f"{directory}/cgroup.subtree_control") as file:
            enabled = file.read().split()
        missing = [f"+{name}" for name in _WANTED if name in available and name not in enabled]
        if missing:
            write(directory, "cgroup.subtree_control", " ".join(missing))

    def update(self, path: str, limits: Limits) -> None:
        directory = f"{self._root}/{path}"
        if (shares := limits.get("cpu_shares")) is not None:
            write(directory, "cpu.weight", str(weight(shares)))
        if (quota := limits.get("cpu_quota")) is not None:
            period = limits.get("cpu_period") or 100_000
            write(directory, "cpu.max", f"{quota if quota > 0 else 'max'} {period}")
        if (size := limits.get("memory_limit")) is not None:
            write(directory, "memory.max", str(size) if size > 0 else "max")
            # one container is one unit: what the OOM killer leaves of it would be broken
            write(directory, "memory.oom.group", "1")
            if os.path.exists(f"{directory}/memory.swap.max"):
                write(directory, "memory.swap.max", "0")  # a limit is one of memory, not of what is kept in RAM
        if (count := limits.get("pids_limit")) is not None:
            write(directory, "pids.max", str(count) if count > 0 else "max")
        for page, amount in (limits.get("hugepages") or {}).items():
            write(directory, f"hugetlb.{page}.max", str(amount))

    def allow_devices(self, path: str, rules: list[str]) -> None:
        from proa.linux.cgroups.devices import attach

        attach(f"{self._root}/{path}", rules)

    def oom_kills(self, path: str) -> int:
        try:
            return read_values(f"{self._root}/{path}/memory.events").get("oom_kill", 0)
        except FileNotFoundError:
            return 0

    def usage(self, path: str) -> Usage:
        directory = f"{self._root}/{path}"
        stat = read_values(f"{directory}/memory.stat")
        with open(f"{directory}/memory.current") as file:
            used = int(file.read())
        return {
            "cpu_nanoseconds": read_values(f"{directory}/cpu.stat").get("usage_usec", 0) * 1000,
            "memory_working_set": max(0, used - stat.get("inactive_file", 0)),
            "memory_rss": stat.get("anon", 0),
        }

    def kill(self, path: str) -> None:
        directory = f"{self._root}/{path}"
        if os.getpid() in self.processes(path):
            return super().kill(path)
        try:
            write(directory, "cgroup.kill", "1")
        except OSError as error:
            if error.errno == errno.ENOENT and os.path.isdir(directory):  # before Linux 5.14
                return super().kill(path)
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise
        return None

    def mount_view(self) -> list[tuple[str, str, str]]:
        return [("", "cgroup2", "")]


def weight(shares: int) -> int:
    """cpu.weight (1..10000) for cgroup v1 shares (2..262144); 1024 shares, one core asked for, are weight 100."""
    if shares <= 2:
        return 1
    if shares >= 262_144:
        return 10_000
    log = math.log2(shares)
    return min(10_000, math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34)))
