"""Namespaces: unshare, setns, and the little that is set up inside a fresh one.

Entering is by descriptor; who keeps the descriptor keeps the namespace. For the meaning of each see namespaces(7).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from proa.linux.libc import call

NEWNS = 0x00020000
NEWCGROUP = 0x02000000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWPID = 0x20000000
NEWNET = 0x40000000

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def unshare(flags: int) -> None:
    call("unshare", flags)


def setns(descriptor: int, flags: int = 0) -> None:
    """Enter the namespace behind `descriptor`, or those named in `flags` of a pidfd's process (Linux 5.8)."""
    call("setns", descriptor, flags)


def open_namespace(kind: str, pid: int | str = "self") -> int:
    """A close-on-exec descriptor of a process's namespace: 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'."""
    return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def set_hostname(name: str) -> None:
    socket.sethostname(name)


def bring_loopback_up() -> None:
    """Set lo up in the caller's network namespace; the kernel adds 127.0.0.1 and ::1 itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def write_sysctl(name: str, value: str) -> None:
    """Write /proc/sys/<name> as the caller's namespaces see it; `name` with dots or slashes as in sysctl.conf(5)."""
    path = name if "/" in name else name.replace(".", "/")
    if ".." in path.split("/"):
        raise ValueError(f"sysctl {name!r} leaves /proc/sys")
    with open(f"/proc/sys/{path}", "w") as file:
        file.write(value)
