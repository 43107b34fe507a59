"""Messages on the shim's and zygote's sockets: a 4-byte big-endian length, a JSON object, descriptors beside it.

A request is {"op": ..., ...}; an answer without "error" is success. Blocking halves for the small processes; the
agent has its own asynchronous half in `client`.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Message = dict[str, Any]

MAX_DESCRIPTORS = 8
MAX_MESSAGE = 16 << 20
_LENGTH = struct.Struct(">I")


def encode(message: Message) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Cuts a byte stream into messages."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. ValueError when the peer does not speak this protocol."""
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= 4:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_MESSAGE:
                raise ValueError(f"a message of {length} bytes, at most {MAX_MESSAGE} are allowed")
            if len(self._buffer) < 4 + length:
                break
            messages.append(json.loads(self._buffer[4 : 4 + length]))
            self._buffer = self._buffer[4 + length :]
        return messages


def rights(descriptors: Sequence[int]) -> list[tuple[int, int, array.array[int]]]:
    """Ancillary data that hands over descriptors (unix(7))."""
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []


def send(sock: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send on a blocking socket; the descriptors travel with the first byte."""
    data = encode(message)
    sent = sock.sendmsg([data], rights(descriptors))
    if sent < len(data):
        sock.sendall(data[sent:])


def receive_some(sock: socket.socket) -> tuple[bytes, list[int]]:
    """One read: bytes (empty at the end) and the descriptors that came along, close-on-exec."""
    size = socket.CMSG_SPACE(MAX_DESCRIPTORS * 4)
    data, ancillary, _, _ = sock.recvmsg(65536, size, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    return data, list(descriptors)


def describe(error: BaseException) -> str:
    """An exception in words for a person: what failed and on what."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"


def write_atomically(path: str, data: bytes, mode: int = 0o600) -> None:
    """Replace a file as a whole: a reader sees the old or the new one. Not synced: no container outlives a boot."""
    temporary = f"{path}.{os.getpid()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
    os.rename(temporary, path)
