"""The kernel's connection tracking table over ctnetlink: find flows of UDP, and forget some.

A UDP flow keeps the target it was given as long as packets come, also after that target is gone; who changes targets
deletes the flow, and the next packet is translated anew. TCP needs none of this: its connections end.
Blocking; used in a worker thread.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from proa.net import netlink
from proa.net.netlink import Request, attributes, nested

_GET, _DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, _DELETE
_NETFILTER = 12
_GENERIC = struct.pack("=BBH", int(socket.AF_INET), 0, 0)  # struct nfgenmsg
_ORIGINAL, _REPLY = 1, 2
_IP, _PROTO = 1, 2
_V4_SOURCE, _V4_DESTINATION = 1, 2
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Flow:
    """A tracked UDP flow: where the client sent it, and who answers (after translation)."""

    destination: str
    destination_port: int
    answered_by: str
    answered_port: int


def forget_udp(stale: Callable[[Flow], bool]) -> int:
    """Delete the UDP flows over IPv4 that are stale; returns how many. OSError."""
    deleted = 0
    with netlink.Socket(_NETFILTER) as connection:
        for body in connection.dump(Request(_GET, 0, _GENERIC, "list connections")):
            values = attributes(body, len(_GENERIC))
            original, reply = values.get(_ORIGINAL), values.get(_REPLY)
            flow = _flow(original, reply) if original and reply else None
            if original is None or flow is None or not stale(flow):
                continue
            try:
                connection.send(Request(_DELETE, 0, _GENERIC + nested(_ORIGINAL, original), "delete connection"))
            except FileNotFoundError:
                continue  # it ended meanwhile
            deleted += 1
    return deleted


def _flow(original: bytes, reply: bytes) -> Flow | None:
    sent, answered = attributes(original), attributes(reply)
    protocol = attributes(sent[_PROTO])
    if protocol.get(_NUMBER) != bytes((socket.IPPROTO_UDP,)):
        return None
    return Flow(
        socket.inet_ntoa(attributes(sent[_IP])[_V4_DESTINATION]),
        int.from_bytes(protocol[_DESTINATION_PORT], "big"),
        socket.inet_ntoa(attributes(answered[_IP])[_V4_SOURCE]),
        int.from_bytes(attributes(answered[_PROTO])[_SOURCE_PORT], "big"),
    )
