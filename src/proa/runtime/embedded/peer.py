"""One connection of the agent to a shim: requests in, answers and pushes out, descriptors both ways."""

from __future__ import annotations

import os
import socket

from proa.runtime.embedded import wire
from proa.runtime.embedded.loop import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from proa.runtime.embedded.loop import Loop
    from proa.runtime.embedded.wire import Message


class Peer:
    """One connection of the agent."""

    def __init__(self, loop: Loop, sock: socket.socket, on_request: Callable[[Peer, Message], None]) -> None:
        self._loop = loop
        self._sock = sock
        self._on_request = on_request
        self._decoder = wire.Decoder()
        self.descriptors: list[int] = []
        self.on_close: Callable[[], None] | None = None
        loop.watch(sock.fileno(), READ, self._read)

    def take(self) -> list[int]:
        """The descriptors received so far; they are the caller's now."""
        taken, self.descriptors = self.descriptors, []
        return taken

    def send(self, message: Message, descriptors: tuple[int, ...] | list[int] = ()) -> None:
        """Answer or push. A peer that is gone, or does not read, is dropped: the agent re-lists when it comes back."""
        try:
            self._sock.settimeout(5.0)
            wire.send(self._sock, message, descriptors)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._loop.forget(self._sock.fileno())
        self._sock.close()
        for descriptor in self.take():
            os.close(descriptor)
        if self.on_close is not None:
            self.on_close()

    def _read(self, _events: int) -> None:
        try:
            data, descriptors = wire.receive_some(self._sock)
        except OSError:
            data, descriptors = b"", []
        self.descriptors += descriptors
        if not data:
            self.close()
            return
        for message in self._decoder.feed(data):
            try:
                self._on_request(self, message)
            except Exception as error:  # a bad request must not take the pod down
                self.send({"error": wire.describe(error)})
