"""A simulated process: runs a program's steps on asyncio's timers, takes stdin, can be signalled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from proa.runtime.fake.programs import CopyInput, Listen, Output, Program, Sleep


class FakeProcess:
    """`on_output(stream, data)` and `on_exit(code, signal)` are called in the loop, the latter once."""

    def __init__(
        self, program: Program, on_output: Callable[[str, bytes], None], on_exit: Callable[[int, int], None]
    ) -> None:
        self._steps = list(program.steps)
        self._program = program
        self._on_output = on_output
        self._on_exit = on_exit
        self._timer: asyncio.TimerHandle | None = None
        self._input = bytearray()
        self._input_ended = False
        self._copying = False
        self.ended = False
        self.port = 0
        """The port it listens on, 0 for none."""

    def start(self) -> None:
        self._next()

    def give(self, data: bytes) -> None:
        """Bytes on stdin."""
        if self.ended or self._input_ended:
            raise BrokenPipeError("the process does not read its stdin")
        self._input += data
        self._copy()

    def end_input(self) -> None:
        self._input_ended = True
        self._copy()

    def terminate(self) -> None:
        """The stop signal."""
        if self._program.on_term is not None:
            self._end(self._program.on_term, 0)

    def kill_gently(self) -> None:
        """It has cleaned up after its stop signal and ends well."""
        self._end(0, 0)

    def kill(self) -> None:
        self._end(137, 9)

    def _next(self) -> None:
        while self._steps and not self.ended:
            match self._steps.pop(0):
                case Output(stream, data):
                    self._on_output(stream, data)
                case Sleep(seconds):
                    if seconds < math.inf:
                        self._timer = asyncio.get_running_loop().call_later(seconds, self._next)
                    return
                case CopyInput():
                    self._copying = True
                    self._copy()
                    return
                case Listen(port):
                    self.port = port
                    return
        self._end(self._program.code, 0)

    def _copy(self) -> None:
        if not self._copying:
            return
        if self._input:
            data = bytes(self._input)
            self._input.clear()
            self._on_output("stdout", data)
        if self._input_ended:
            self._copying = False
            self._next()

    def _end(self, code: int, signal: int) -> None:
        if self.ended:
            return
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._on_exit(code, signal)
