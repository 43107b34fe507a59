"""Programs of the host, for every other layer: run one to its end, or start one that outlives the call.

The only place where subprocesses are started. A pod's processes are not: its shim forks them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proa.base.errors import ProaError


@dataclass(frozen=True, slots=True)
class Result:
    """What a program left: its exit code (negative: killed by that signal) and its output."""

    arguments: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes


class CommandError(ProaError):
    """A program ended with another code than 0; the message holds its first words on stderr."""

    def __init__(self, result: Result) -> None:
        said = result.stderr.decode(errors="replace").strip() or result.stdout.decode(errors="replace").strip()
        super().__init__(f"{' '.join(result.arguments)}: exit code {result.code}: {said[:2000]}")
        self.result = result


async def run(
    arguments: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float | None = 60.0,
    check: bool = True,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run to the end. Raises CommandError (when `check`), FileNotFoundError, TimeoutError after `timeout` seconds.

    On timeout or cancellation the program's whole process group is killed.
    """
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout):
            stdout, stderr = await process.communicate(stdin or None)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    result = Result(tuple(arguments), process.returncode or 0, stdout, stderr)
    if check and result.code != 0:
        raise CommandError(result)
    return result


class Daemon:
    """A started program that leads its own session: it does not get the terminal's signals nor end with its parent."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdin: int | None = None,
        log: str = os.devnull,
        env: Mapping[str, str] | None = None,
        keep: Sequence[int] = (),
    ) -> None:
        """Start it now. `stdin` is a descriptor or None for /dev/null; `log` is appended to; `keep` stay open in it."""
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=output,
                stderr=output,
                env=env,
                pass_fds=keep,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Block until it has ended; raises TimeoutError. Call it in a thread."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"process {self.pid} still runs after {timeout} s") from error
