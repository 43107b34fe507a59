"""Netlink (netlink(7)): messages, attributes, and a socket that sends requests and reads replies.

What rtnetlink and conntrack share, over a plain AF_NETLINK socket. A request is a value; a socket belongs to the
network namespace its thread was in when it was made, and to one thread. Blocking. Errors are OSError with the number
the kernel gave.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, EXCL, CREATE = 0x100, 0x200, 0x400

_ERROR, _DONE = 2, 3
_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")

S = TypeVar("S", bound="Socket")


@dataclass(frozen=True, slots=True)
class Request:
    """One message: its type, flags beyond REQUEST and ACK, body, and words for an error message."""

    kind: int
    flags: int
    body: bytes
    what: str


def attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *values: bytes) -> bytes:
    return attribute(kind | _NESTED, b"".join(values))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """The attributes from `offset` on, by type; of a repeated type the last."""
    found = {}
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            break
        found[kind & ~_NESTED] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def _message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(16 + len(body), kind, flags, sequence, 0) + body + bytes(-len(body) % 4)


class Socket:
    """A netlink socket of one protocol (socket.NETLINK_ROUTE, ...)."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *requests: Request) -> None:
        """Send all in one system call; the kernel does them in order. OSError of the first that failed.

        The kernel goes on after a failed message, so later ones may have been done.
        """
        first = self._sequence + 1
        self._sequence += len(requests)
        batch = (_message(r.kind, r.flags | REQUEST | ACK, first + n, r.body) for n, r in enumerate(requests))
        self._socket.send(b"".join(batch))
        failed: OSError | None = None
        waiting = len(requests)
        while waiting:
            for kind, sequence, body in self._receive():
                if kind != _ERROR or sequence < first:
                    continue
                waiting -= 1
                if failed is None:
                    failed = _error(body, requests[sequence - first].what)
        if failed is not None:
            raise failed

    def ask(self, request: Request) -> bytes:
        """The body of the one reply."""
        self._sequence += 1
        self._socket.send(_message(request.kind, request.flags | REQUEST, self._sequence, request.body))
        while True:
            for kind, sequence, body in self._receive():
                if sequence != self._sequence:
                    continue
                if kind != _ERROR:
                    return body
                raise _error(body, request.what) or OSError(f"{request.what}: no reply")

    def dump(self, request: Request) -> list[bytes]:
        """The bodies of all replies."""
        self._sequence += 1
        self._socket.send(_message(request.kind, request.flags | REQUEST | DUMP, self._sequence, request.body))
        replies: list[bytes] = []
        while True:
            for kind, sequence, body in self._receive():
                if sequence != self._sequence:
                    continue
                if kind == _DONE:
                    return replies
                if kind == _ERROR:
                    raise _error(body, request.what) or OSError(f"{request.what}: no reply")
                replies.append(body)

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        data = self._socket.recv(1 << 17)
        offset = 0
        while offset + 16 <= len(data):
            length, kind, _, sequence, _ = _HEADER.unpack_from(data, offset)
            yield kind, sequence, data[offset + 16 : offset + length]
            offset += (length + 3) & ~3


def _error(body: bytes, what: str) -> OSError | None:
    (number,) = struct.unpack_from("=i", body)
    return OSError(-number, f"{what}: {os.strerror(-number)}") if number else None
