"""The agent's half of the shim's protocol: asynchronous requests, sessions and descriptors over unix sockets.

A request has a connection of its own, which makes a slow one (a stop with grace) no obstacle to others and tells the
shim when its asker is gone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from proa.runtime.embedded import wire
from proa.runtime.embedded.readiness import readable

if TYPE_CHECKING:
    from proa.runtime.embedded.wire import Message


class ShimGoneError(ConnectionError):
    """Nobody serves the socket: the shim has ended or was killed."""


class ShimError(Exception):
    """The shim refused or failed: its words, and its whole answer."""

    def __init__(self, answer: Message) -> None:
        super().__init__(answer["error"])
        self.answer = answer


class Session:
    """One connection: messages in both directions, descriptors with them. Close it, or use `with`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._decoder = wire.Decoder()
        self._messages: deque[Message] = deque()
        self.descriptors: list[int] = []

    @classmethod
    def open(cls, path: Path) -> Session:
        """Connect; ShimGoneError when nobody listens there. Paths may be longer than a socket address (107 bytes)."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sock.connect(f"/proc/self/fd/{directory}/{path.name}")
            finally:
                os.close(directory)
        except OSError as error:
            sock.close()
            raise ShimGoneError(f"{path}: {error.strerror}") from error
        return cls(sock)

    async def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        data = wire.encode(message)
        try:
            sent = self._sock.sendmsg([data], wire.rights(descriptors))
            if sent < len(data):
                await self._loop.sock_sendall(self._sock, data[sent:])
        except OSError as error:
            raise ShimGoneError(f"the shim is gone: {error}") from error

    async def receive(self) -> Message:
        """The next message; ShimError when it tells of a failure, ShimGoneError at the end."""
        while not self._messages:
            await readable(self._sock.fileno())
            try:
                data, descriptors = wire.receive_some(self._sock)
            except BlockingIOError:
                continue
            except OSError:
                data, descriptors = b"", []
            self.descriptors += descriptors
            if not data:
                raise ShimGoneError("the shim closed the connection")
            self._messages.extend(self._decoder.feed(data))
        message = self._messages.popleft()
        if "error" in message:
            raise ShimError(message)
        return message

    def take(self) -> list[int]:
        """The descriptors received so far; the caller's now."""
        taken, self.descriptors = self.descriptors, []
        return taken

    def close(self) -> None:
        self._sock.close()
        for descriptor in self.take():
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def request(path: Path, message: Message) -> Message:
    """One question, one answer."""
    with Session.open(path) as session:
        await session.send(message)
        return await session.receive()
