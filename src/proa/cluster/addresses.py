"""Which address of this machine others use: chosen without sending a packet."""

from __future__ import annotations

import socket

# Routing to a documentation address (RFC 5737) asks the kernel for the default route's source address.
_ELSEWHERE = "198.51.100.1"


def host_address() -> str:
    """The address of the default route, or the loopback address on a machine without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_ELSEWHERE, 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
