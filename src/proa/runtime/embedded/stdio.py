"""A container's standard streams in the shim: output to the log and to who is attached, input from who is attached.

An attached reader gets its bytes through a descriptor of its own. One that falls more than 1 MiB behind is cut off:
neither the log nor the container may wait for it.
"""

from __future__ import annotations

import os

from proa.runtime.embedded.loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from proa.runtime.embedded.loop import Loop
    from proa.runtime.logs import LogWriter

_CHUNK = 64 * 1024
_BACKLOG = 1 << 20


class Sink:
    """Writes to a non-blocking descriptor, keeping what it does not take yet. Owns the descriptor."""

    def __init__(
        self, loop: Loop, descriptor: int, *, limit: int = 0, on_room: Callable[[], None] | None = None
    ) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._descriptor = descriptor
        self._limit = limit
        self._on_room = on_room
        self._pending = b""
        self._closing = False

    @property
    def open(self) -> bool:
        return self._descriptor >= 0

    @property
    def pending(self) -> int:
        return len(self._pending)

    def write(self, data: bytes) -> None:
        if self._descriptor < 0 or self._closing:
            return
        self._pending += data
        self._flush(0)
        if self._limit and len(self._pending) > self._limit:
            self.close()

    def close(self, *, drain: bool = False) -> None:
        """Close now, or with `drain` when everything is written."""
        self._closing = True
        if self._descriptor >= 0 and not (drain and self._pending):
            self._loop.forget(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _flush(self, _events: int) -> None:
        try:
            while self._pending:
                self._pending = self._pending[os.write(self._descriptor, self._pending) :]
        except BlockingIOError:
            self._loop.watch(self._descriptor, WRITE, self._flush)
            return
        except OSError:  # the reader is gone
            self._pending = b""
            self.close()
            return
        self._loop.forget(self._descriptor)
        if self._closing:
            self.close()
        elif self._on_room is not None:
            self._on_room()


class Source:
    """Reads a non-blocking descriptor to its end. Owns the descriptor."""

    def __init__(
        self, loop: Loop, descriptor: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]
    ) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._descriptor = descriptor
        self._on_data = on_data
        self._on_end = on_end
        self.resume()

    def pause(self) -> None:
        self._loop.forget(self._descriptor)

    def resume(self) -> None:
        if self._descriptor >= 0:
            self._loop.watch(self._descriptor, READ, self._read)

    def close(self) -> None:
        """Stop reading; `on_end` is not called."""
        if self._descriptor >= 0:
            self._loop.forget(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def drain(self) -> None:
        """Take what is there already, then close as if the end had come: a process outside may hold the other end."""
        while self._descriptor >= 0:
            try:
                data = os.read(self._descriptor, _CHUNK)
            except OSError:
                data = b""
            if not data:
                self._end()
                return
            self._on_data(data)

    def _read(self, _events: int) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last holder of a terminal's slave has closed it
            data = b""
        if data:
            self._on_data(data)
        else:
            self._end()

    def _end(self) -> None:
        self.close()
        self._on_end()


class Stdio:
    """One container's streams."""

    def __init__(self, loop: Loop, log: LogWriter, on_end: Callable[[], None]) -> None:
        self._loop = loop
        self._log = log
        self._on_end = on_end
        self._sources: dict[str, Source] = {}
        self._sinks: dict[str, list[Sink]] = {"stdout": [], "stderr": []}
        self._stdin: Sink | None = None
        self._feeders: list[Source] = []
        self._once = False

    @property
    def ended(self) -> bool:
        """Has every output stream come to its end?"""
        return not self._sources

    def read(self, stream: str, descriptor: int) -> None:
        """Pump a stream ('stdout', 'stderr') of the container."""
        self._sources[stream] = Source(
            self._loop, descriptor, lambda data: self._took(stream, data), lambda: self._stream_ended(stream)
        )

    def feed(self, descriptor: int, *, once: bool) -> None:
        """The container's stdin; `once`: it ends with the first attached writer."""
        self._stdin = Sink(self._loop, descriptor, on_room=self._resume_feeders)
        self._once = once

    def attach(self, stdin: int | None, stdout: int | None, stderr: int | None) -> Callable[[], None]:
        """Connect a client's descriptors; the result disconnects them."""
        mine: list[Sink] = []
        for stream, descriptor in (("stdout", stdout), ("stderr", stderr)):
            if descriptor is not None:
                sink = Sink(self._loop, descriptor, limit=_BACKLOG)
                self._sinks[stream].append(sink)
                mine.append(sink)
        feeder = None
        if stdin is not None:
            if self._stdin is None:
                os.close(stdin)
            else:
                feeder = Source(self._loop, stdin, self._give, self._feeder_ended)
                self._feeders.append(feeder)

        def detach() -> None:
            for sink in mine:
                sink.close()
            for sinks in self._sinks.values():
                sinks[:] = [sink for sink in sinks if sink not in mine]
            if feeder is not None and feeder in self._feeders:
                self._feeders.remove(feeder)
                feeder.drain()

        return detach

    def finish(self) -> None:
        """The container has exited: take what is left of its output and let everybody go."""
        for source in list(self._sources.values()):
            source.drain()
        for feeder in self._feeders:
            feeder.close()
        if self._stdin is not None:
            self._stdin.close()
        for sinks in self._sinks.values():
            for sink in sinks:
                sink.close(drain=True)

    def _took(self, stream: str, data: bytes) -> None:
        self._log.write(stream, data)
        for sink in self._sinks[stream]:
            sink.write(data)

    def _stream_ended(self, stream: str) -> None:
        self._log.finish(stream)
        self._sources.pop(stream, None)
        if not self._sources:
            self._on_end()

    def _give(self, data: bytes) -> None:
        if self._stdin is not None and self._stdin.open:
            self._stdin.write(data)
            if self._stdin.pending > _CHUNK:
                for feeder in self._feeders:
                    feeder.pause()

    def _resume_feeders(self) -> None:
        for feeder in self._feeders:
            feeder.resume()

    def _feeder_ended(self) -> None:
        if self._once and self._stdin is not None:
            self._stdin.close(drain=True)
