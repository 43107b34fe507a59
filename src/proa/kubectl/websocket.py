"""A WebSocket client (RFC 6455) for the streams of exec and attach: blocking, driven by readiness, over one socket.

Kubernetes' sub-protocol v5.channel.k8s.io: the first byte of each binary message is the channel; channel 255 closes
another (KEP-4006). Not here: what the channels are connected to (`exec`).
"""

from __future__ import annotations

import base64
import hashlib
import os
import select
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from proa.base.errors import ProaError
from proa.kubectl.client import Client, StatusError

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _TEXT, _CONTINUATION, _CLOSING, _PING, _PONG = 2, 1, 0, 8, 9, 10
_CHUNK = 64 * 1024


class WebSocketError(ProaError):
    """The server does not speak the protocol, or broke off."""


class WebSocket:
    """An open connection. `messages` yields what came whenever the socket is readable."""

    def __init__(self, connection: socket.socket, protocol: str, early: bytes) -> None:
        self._socket = connection
        self.protocol = protocol
        self._buffer = bytearray(early)
        self._message = bytearray()
        self.closed = False
        connection.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, channel: int, data: bytes) -> None:
        """One message on a channel; waits while the server does not take it."""
        self._send(_BINARY, bytes((channel,)) + data)

    def end(self, channel: int) -> None:
        """No more will come on the channel; v4 has no word for it."""
        if self.protocol == PROTOCOLS[0]:
            self._send(_BINARY, bytes((CLOSE, channel)))

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """(channel, data) of every message that has come by now. `closed` is set after the last. WebSocketError."""
        while self._fill():
            pass
        while (frame := self._frame()) is not None:
            final, code, payload = frame
            if code == _CLOSING:
                self.closed = True
                return
            if code == _PING:
                self._send(_PONG, payload)
            elif code in (_BINARY, _TEXT, _CONTINUATION):
                self._message += payload
                if final:
                    message = bytes(self._message)
                    self._message.clear()
                    if message:
                        yield message[0], message[1:]

    def close(self) -> None:
        self._socket.close()

    def _fill(self) -> bool:
        """Read what is there; False when nothing is."""
        try:
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.closed = True
            return False
        self._buffer += data
        return True

    def _frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, at = buffer[1] & 0x7F, 2
        if buffer[1] & 0x80:
            raise WebSocketError("the server sent a masked frame")
        if size == 126:
            if len(buffer) < 4:
                return None
            size, at = struct.unpack_from("!H", buffer, 2)[0], 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            size, at = struct.unpack_from("!Q", buffer, 2)[0], 10
        if len(buffer) < at + size:
            return None
        final, code = bool(buffer[0] & 0x80), buffer[0] & 0xF
        payload = bytes(buffer[at : at + size])
        del buffer[: at + size]
        return final, code, payload

    def _send(self, code: int, payload: bytes) -> None:
        size = len(payload)
        header = bytes((0x80 | code,))
        if size < 126:
            header += bytes((0x80 | size,))
        elif size < 1 << 16:
            header += b"\xfe" + struct.pack("!H", size)
        else:
            header += b"\xff" + struct.pack("!Q", size)
        mask = os.urandom(4)
        self._write(header + mask + _masked(payload, mask))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                select.select((), (self._socket,), ())
            except ssl.SSLWantReadError:
                select.select((self._socket,), (), ())
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                self.closed = True
                return


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = int.from_bytes(mask * (size // 4 + 1), "little") & ((1 << 8 * size) - 1)
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")


def connect(client: Client, path: str, query: Mapping[str, Any]) -> WebSocket:
    """Open a connection. Raises WebSocketError, UnreachableError, and StatusError when the server refuses."""
    opened = client.connect()
    try:
        key = base64.b64encode(os.urandom(16))
        headers = {
            "Host": client.authority,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key.decode(),
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": ", ".join(PROTOCOLS),
            **client.headers(),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        opened.sendall(f"GET {client.target(path, query)} HTTP/1.1\r\n{lines}\r\n".encode())
        head, early = _read_head(opened)
        status, fields = _parse(head)
        if status != 101:
            _refused(opened, status, fields, early)
        accepted = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        if fields.get("sec-websocket-accept") != accepted:
            raise WebSocketError("the server's answer is none to our WebSocket request")
        protocol = fields.get("sec-websocket-protocol", "")
        if protocol not in PROTOCOLS:
            raise WebSocketError(f"the server chose the protocol {protocol!r}, not one of {', '.join(PROTOCOLS)}")
        return WebSocket(opened, protocol, early)
    except BaseException:
        opened.close()
        raise


def _read_head(opened: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        part = opened.recv(_CHUNK)
        if not part or len(data) > 1 << 20:
            raise WebSocketError("the server closed the connection instead of answering")
        data += part
    head, _, early = data.partition(b"\r\n\r\n")
    return head, early


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), fields


def _refused(opened: socket.socket, status: int, fields: Mapping[str, str], body: bytes) -> None:
    import json

    size = int(fields.get("content-length", "0"))
    while len(body) < size and (part := opened.recv(_CHUNK)):
        body += part
    try:
        found = json.loads(body)
    except ValueError:
        found = {"message": body.decode(errors="replace") or f"the server answered {status}"}
    raise StatusError(status, found)
