"""Pseudo-terminals: a pair from a given devpts instance, window size, becoming the controlling terminal."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_TIOCGPTN = 0x80045430


def open_pair(ptmx: str = "/dev/ptmx") -> tuple[int, int, str]:
    """Master, slave and the slave's path, from the devpts instance that `ptmx` belongs to."""
    master = os.open(ptmx, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    number = struct.unpack("I", fcntl.ioctl(master, _TIOCGPTN, b"\0\0\0\0"))[0]
    slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    return master, slave, f"/dev/pts/{number}"


def set_size(descriptor: int, width: int, height: int) -> None:
    """Columns and rows; the foreground process group gets SIGWINCH."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def make_controlling(slave: int) -> None:
    """Make the terminal the caller's controlling one; the caller leads a session."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
