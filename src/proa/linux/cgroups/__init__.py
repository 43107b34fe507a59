"""cgroups: one small interface over the two hierarchies, and the choice between them.

A `Tree` is the whole machine's hierarchy; a group in it is named by its path below the root ('proa/main/podX/Y').
`v1` and `v2` write the same limits to their own files. Used by pod shims: light imports only.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypedDict

    class Limits(TypedDict, total=False):
        """cpu_shares in cgroup v1 units (2..262144), quota and period in microseconds, memory in bytes."""

        cpu_shares: int | None
        cpu_quota: int | None
        cpu_period: int
        memory_limit: int | None
        pids_limit: int | None
        hugepages: Mapping[str, int]

    class Usage(TypedDict):
        """cpu in core-nanoseconds, memory in bytes."""

        cpu_nanoseconds: int
        memory_working_set: int
        memory_rss: int


class Tree(ABC):
    """One machine's cgroup hierarchy."""

    @abstractmethod
    def directories(self, path: str) -> list[str]:
        """Every directory that makes up the group `path`, one for each hierarchy."""

    @abstractmethod
    def create(self, path: str, limits: Limits) -> None:
        """Make the group, with its parents, and set its limits. A group that exists is updated."""

    @abstractmethod
    def update(self, path: str, limits: Limits) -> None:
        """Set the limits that are not None; raises OSError when the kernel refuses one."""

    @abstractmethod
    def allow_devices(self, path: str, rules: list[str]) -> None:
        """Deny every device except `rules`, each as '<c|b> <major|*>:<minor|*> <r|w|m>+'."""

    @abstractmethod
    def oom_kills(self, path: str) -> int:
        """How many of its processes the OOM killer took."""

    @abstractmethod
    def usage(self, path: str) -> Usage: ...

    @abstractmethod
    def mount_view(self) -> list[tuple[str, str, str]]:
        """What a container mounts to see its own group: (name below /sys/fs/cgroup, file system, options)."""

    def join(self, path: str, pid: int = 0) -> None:
        """Move a process, by default the caller, into the group."""
        for directory in self.directories(path):
            write(directory, "cgroup.procs", str(pid))

    def processes(self, path: str) -> set[int]:
        """The host's pids in the group itself, not in groups below it."""
        found: set[int] = set()
        for directory in self.directories(path):
            try:
                with open(f"{directory}/cgroup.procs") as file:
                    found.update(int(line) for line in file)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENODEV):
                    raise
        return found

    def children(self, path: str) -> list[str]:
        """Names of the groups below, in any hierarchy."""
        names: set[str] = set()
        for directory in self.directories(path):
            try:
                names.update(entry.name for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False))
            except FileNotFoundError:
                continue
        return sorted(names)

    def kill(self, path: str) -> None:
        """SIGKILL to every process in the group and below; the caller itself is spared."""
        for name in self.children(path):
            self.kill(f"{path}/{name}")
        for pid in self.processes(path) - {os.getpid()}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def remove(self, path: str, *, patience: float = 5.0) -> None:
        """Remove the group and those below. Dying processes are waited for, `patience` seconds at most."""
        for name in self.children(path):
            self.remove(f"{path}/{name}", patience=patience)
        deadline = time.monotonic() + patience
        for directory in self.directories(path):
            while True:
                try:
                    os.rmdir(directory)
                except FileNotFoundError:
                    break
                except OSError as error:
                    if error.errno != errno.EBUSY or time.monotonic() > deadline:
                        raise
                    self.kill(path)
                    time.sleep(0.002)
                else:
                    break

    def remove_if_empty(self, path: str) -> None:
        """Remove a group that has neither processes nor groups; leave any other alone."""
        for directory in self.directories(path):
            try:
                os.rmdir(directory)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.EBUSY, errno.ENOTEMPTY):
                    raise


def write(directory: str, name: str, value: str) -> None:
    """Write one control file; the error names file and value."""
    path = f"{directory}/{name}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OSError(error.errno, f"write {value!r}: {error.strerror}", path) from error


def read_values(path: str) -> dict[str, int]:
    """A flat-keyed file such as memory.stat: name and integer on each line."""
    with open(path) as file:
        return {key: int(value) for key, _, value in (line.partition(" ") for line in file) if value.strip().isdigit()}


def detect(mountinfo: Iterable[str] | None = None) -> Tree:
    """This machine's tree: v2 when the unified hierarchy has the controllers, else v1. OSError for neither."""
    from proa.linux.cgroups.v1 import V1
    from proa.linux.cgroups.v2 import V2

    unified = ""
    controllers: dict[str, str] = {}
    if mountinfo is None:
        with open("/proc/self/mountinfo") as file:
            mountinfo = file.readlines()
    for line in mountinfo:
        left, _, right = line.partition(" - ")
        target, (kind, _, options) = left.split()[4], right.split()[:3]
        if kind == "cgroup2":
            unified = unified or target
        elif kind == "cgroup":
            for name in options.split(","):
                controllers.setdefault(name, target)
    if unified and "memory" not in controllers:
        return V2(unified)
    needed = [name for name in ("cpu", "memory", "pids") if name not in controllers]
    if needed:
        raise OSError(errno.ENODEV, f"no cgroup hierarchy with the controllers {', '.join(needed)} is mounted")
    return V1(controllers)
