"""Sessions with simulated processes (`protocol.Streams`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proa.runtime.fake.process import FakeProcess


class FakeStreams:
    """`on_close` lets go of the process: kills an exec'd one, leaves an attached one."""

    def __init__(self, process: FakeProcess, *, tty: bool, stdin: bool, on_close: Callable[[], None]) -> None:
        self._process = process
        self._stdin = stdin
        self._on_close = on_close
        self._stdout = asyncio.StreamReader()
        self._stderr = None if tty else asyncio.StreamReader()
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.size: tuple[int, int] | None = None

    @property
    def stdout(self) -> asyncio.StreamReader:
        return self._stdout

    @property
    def stderr(self) -> asyncio.StreamReader | None:
        return self._stderr

    def feed(self, stream: str, data: bytes) -> None:
        """Output of the process; a terminal has one stream, with its line ends."""
        if self._exit.done():
            return
        if self._stderr is None:
            self._stdout.feed_data(data.replace(b"\n", b"\r\n"))
        else:
            (self._stdout if stream == "stdout" else self._stderr).feed_data(data)

    def finish(self, code: int) -> None:
        """The process has ended."""
        if not self._exit.done():
            self._exit.set_result(code)
            self._stdout.feed_eof()
            if self._stderr is not None:
                self._stderr.feed_eof()

    async def write(self, data: bytes) -> None:
        if not self._stdin:
            raise BrokenPipeError("the session was opened without stdin")
        self._process.give(data)

    async def close_stdin(self) -> None:
        if self._stdin:
            self._process.end_input()

    async def resize(self, width: int, height: int) -> None:
        self.size = (width, height)

    async def wait(self) -> int:
        return await asyncio.shield(self._exit)

    async def close(self) -> None:
        self._on_close()
        self.finish(137)
