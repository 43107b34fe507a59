"""Container logs in the CRI's file format: `<RFC 3339 time, nanoseconds> <stdout|stderr> <F|P> <line>`.

A line longer than 16 KiB is cut into parts marked P (partial), as is what a stream leaves without a newline at its
end. The kubelet rotates the file by renaming it and asking for `reopen`.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 16 * 1024
"""Bytes of one part."""


class LogWriter:
    """One container's log file; `path` empty: nothing is kept. Not for two processes at once."""

    def __init__(self, path: str, now: Callable[[], int] = time.time_ns) -> None:
        """`now` tells the time in nanoseconds since the epoch."""
        self._path = path
        self._now = now
        self._descriptor = -1
        self._pending: dict[str, bytes] = {}
        if path:
            self.reopen()

    def reopen(self) -> None:
        """Open the file anew (it was renamed), with missing directories."""
        self.close()
        if self._path:
            os.makedirs(os.path.dirname(self._path), mode=0o755, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o640)

    def write(self, stream: str, data: bytes) -> None:
        """Take bytes of 'stdout' or 'stderr' and write the lines they complete."""
        if self._descriptor < 0:
            return
        lines = (self._pending.pop(stream, b"") + data).split(b"\n")
        rest = lines.pop()
        parts: list[bytes] = []
        stamp = _timestamp(self._now())
        full, partial = (b"%s %s %s " % (stamp, stream.encode(), tag) for tag in (b"F", b"P"))
        for line in lines:
            while len(line) > LIMIT:
                parts += (partial, line[:LIMIT], b"\n")
                line = line[LIMIT:]
            parts += (full, line, b"\n")
        while len(rest) > LIMIT:
            parts += (partial, rest[:LIMIT], b"\n")
            rest = rest[LIMIT:]
        if rest:
            self._pending[stream] = rest
        self._append(b"".join(parts))

    def finish(self, stream: str) -> None:
        """The stream has ended; what it left without a newline is a partial line."""
        rest = self._pending.pop(stream, b"")
        if rest and self._descriptor >= 0:
            self._append(b"%s %s P %s\n" % (_timestamp(self._now()), stream.encode(), rest))

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]


def _timestamp(now: int) -> bytes:
    return b"%s.%09dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)).encode(), now % 10**9)
