"""Exec and attach sessions in the agent: pipe and terminal descriptors as asyncio streams.

Descriptors are read by readiness callbacks, not by transports: uvloop has no transport for a terminal, and a terminal
whose last process has gone answers EIO, which is an end and not an error.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from proa.linux import terminal
from proa.runtime.embedded.client import Session, ShimGoneError
from proa.runtime.embedded.readiness import writable

_CHUNK = 64 * 1024


class DescriptorReader(asyncio.Transport):
    """Feeds a StreamReader from a descriptor, with its flow control. Owns the descriptor."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self.stream = asyncio.StreamReader()
        self.stream.set_transport(self)
        self.resume_reading()

    def pause_reading(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        if self._descriptor >= 0:
            self._loop.add_reader(self._descriptor, self._read)

    def is_closing(self) -> bool:
        return self._descriptor < 0

    def close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            self.stream.feed_eof()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.stream.feed_data(data)
        else:
            self.close()


class DescriptorWriter:
    """Writes to a pipe or terminal, waiting while it is full. Owns the descriptor."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        """BrokenPipeError when nobody reads any more."""
        while data:
            if self._descriptor < 0:
                raise BrokenPipeError("stdin is closed")
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                await writable(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class ProcessStreams:
    """A running exec or attach (`protocol.Streams`): its descriptors, and the session that reports the end."""

    def __init__(
        self,
        session: Session,
        stdout: DescriptorReader,
        stderr: DescriptorReader | None,
        stdin: DescriptorWriter | None,
        resize: Callable[[int, int], None] | None,
        *,
        lost_code: int,
    ) -> None:
        """`resize` takes width and height; `lost_code` is the exit code to report when the shim vanishes."""
        self._session = session
        self._stdout = stdout
        self._stderr = stderr
        self._stdin = stdin
        self._resize = resize
        self._lost_code = lost_code
        self._exit: asyncio.Future[int] | None = None

    @property
    def stdout(self) -> asyncio.StreamReader:
        return self._stdout.stream

    @property
    def stderr(self) -> asyncio.StreamReader | None:
        return self._stderr.stream if self._stderr is not None else None

    async def write(self, data: bytes) -> None:
        if self._stdin is None:
            raise BrokenPipeError("the session was opened without stdin")
        await self._stdin.write(data)

    async def close_stdin(self) -> None:
        if self._stdin is not None:
            self._stdin.close()

    async def resize(self, width: int, height: int) -> None:
        if self._resize is not None:
            self._resize(width, height)

    async def wait(self) -> int:
        if self._exit is None:
            self._exit = asyncio.ensure_future(self._receive_exit())
        return await asyncio.shield(self._exit)

    async def _receive_exit(self) -> int:
        try:
            return int((await self._session.receive())["exit"])
        except ShimGoneError:
            return self._lost_code

    async def close(self) -> None:
        try:
            # Whoever waits for a descriptor has to let go of it before it is closed: its number may be reused at once.
            if self._exit is not None and not self._exit.done():
                self._exit.cancel()
                await asyncio.gather(self._exit, return_exceptions=True)
        finally:
            self._session.close()
            self._stdout.close()
            for end in (self._stderr, self._stdin):
                if end is not None:
                    end.close()


def open_terminal(master: int) -> tuple[DescriptorReader, DescriptorWriter, Callable[[int, int], None]]:
    """The three uses of a terminal's master: reading, writing, resizing."""
    reader, writer = DescriptorReader(master), DescriptorWriter(os.dup(master))
    return reader, writer, lambda width, height: terminal.set_size(master, width, height)
