"""One process's own attributes: prctl settings, seccomp filter, descriptors, identity.

Nothing here starts processes; `command` does that for other layers, a shim forks by itself.
"""

from __future__ import annotations

import os
import signal
import struct

from proa.linux.libc import address, call, pack

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_NAME = 15
_PR_SET_SECCOMP = 22
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Get `number` when the parent dies. The kernel forgets it when credentials change: call it after that."""
    call("prctl", _PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def become_subreaper() -> None:
    call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_dumpable(dumpable: bool) -> None:
    """A process that is not dumpable can not be traced, nor its /proc/<pid>/{exe,fd} opened, by the unprivileged."""
    call("prctl", _PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def keep_capabilities() -> None:
    """Keep the permitted set over the next change from root to another user (until exec)."""
    call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)


def set_name(name: str) -> None:
    """The name in /proc/<pid>/comm, at most 15 bytes."""
    call("prctl", _PR_SET_NAME, name.encode()[:15] + b"\0", 0, 0, 0)


def forbid_new_privileges() -> None:
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def load_seccomp(program: bytes) -> None:
    """Install a classic BPF program (8 bytes an instruction) as the seccomp filter of this process."""
    code = pack(program)
    fprog = pack(struct.pack("@HP", len(program) // 8, address(code)))
    call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, address(fprog), 0, 0)


def set_oom_score(value: int) -> bool:
    """Set the caller's OOM score adjustment (-1000..1000). False: lowering it needs SYS_RESOURCE, which is not here."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(value))
    except PermissionError:
        return False
    return True


def close_all_but(keep: tuple[int, ...] | list[int]) -> None:
    """Close every descriptor except those in `keep`."""
    low = 0
    for descriptor in sorted(set(keep)):
        if descriptor > low:
            os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, 1 << 20)


def start_time(pid: int) -> int:
    """Field 22 of /proc/<pid>/stat, clock ticks after boot: with the pid it names a process for ever."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def is_same(pid: int, started: int) -> bool:
    """Does the process that had this pid and start time still run (a zombie does not)?"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(fields[19]) == started and fields[0] not in (b"Z", b"X")


def resident_bytes(pid: int) -> int:
    """The resident set of a process, from /proc/<pid>/statm."""
    with open(f"/proc/{pid}/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
