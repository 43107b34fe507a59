"""Requests that take their time in a shim: an exec'd process, and a connection into the pod."""

from __future__ import annotations

import errno
import os
import signal
import socket

from proa.runtime.embedded import wire
from proa.runtime.embedded.loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from proa.runtime.embedded.loop import Loop
    from proa.runtime.embedded.peer import Peer

_CONNECT_SECONDS = 10.0


class Exec:
    """An exec'd process on behalf of one peer."""

    def __init__(
        self, loop: Loop, peer: Peer, pid: int, sync: socket.socket, execs: dict[int, Callable[[int], None]]
    ) -> None:
        self._loop = loop
        self._peer = peer
        self._pid = pid
        self._sync = sync
        self._decoder = wire.Decoder()
        self._master: list[int] = []
        self._error = ""
        self._code: int | None = None
        execs[pid] = self._exited
        peer.on_close = self._abandoned
        loop.watch(sync.fileno(), READ, self._heard)

    def _heard(self, _events: int) -> None:
        data, descriptors = wire.receive_some(self._sync)
        self._master += descriptors
        for message in self._decoder.feed(data):
            self._error = message.get("error", "")
        if data:
            return
        self._loop.forget(self._sync.fileno())
        self._sync.close()
        self._peer.send({"error": self._error} if self._error else {"pid": self._pid}, self._master)
        for descriptor in self._master:
            os.close(descriptor)
        self._report()

    def _exited(self, code: int) -> None:
        self._code = code
        self._report()

    def _report(self) -> None:
        if self._code is not None and self._sync.fileno() < 0 and not self._error:
            self._peer.send({"exit": self._code})

    def _abandoned(self) -> None:
        if self._code is None:
            try:
                os.kill(self._pid, signal.SIGKILL)
            except ProcessLookupError:
                return


class Connect:
    """A TCP connection to the pod's loopback, IPv4 first, for a peer that waits for the descriptor."""

    def __init__(self, loop: Loop, peer: Peer, port: int) -> None:
        self._loop = loop
        self._peer = peer
        self._port = port
        self._addresses = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
        self._timer = loop.call_later(_CONNECT_SECONDS, lambda: self._done(errno.ETIMEDOUT))
        self._sock: socket.socket | None = None
        self._next(errno.ECONNREFUSED)

    def _next(self, reason: int) -> None:
        if not self._addresses:
            self._done(reason)
            return
        family, address = self._addresses.pop(0)
        try:
            self._sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            code = self._sock.connect_ex((address, self._port))
        except OSError as error:  # no IPv6
            self._next(reason or error.errno or 0)
            return
        if code == errno.EINPROGRESS:
            self._loop.watch(self._sock.fileno(), WRITE, lambda _: self._settled(reason))
        elif code:
            self._sock.close()
            self._next(code)
        else:
            self._done(0)

    def _settled(self, reason: int) -> None:
        if self._sock is None:
            return
        self._loop.forget(self._sock.fileno())
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._sock.close()
            self._next(reason)
        else:
            self._done(0)

    def _done(self, code: int) -> None:
        self._timer.cancel()
        if code:
            self._peer.send({"error": f"connect to port {self._port} in the pod: {os.strerror(code).lower()}"})
        elif self._sock is not None:
            self._peer.send({}, [self._sock.fileno()])
        if self._sock is not None and self._sock.fileno() >= 0:
            self._loop.forget(self._sock.fileno())
            self._sock.close()
