"""Programs of the host, for every other layer, each run to its end.

Not here: one that outlives the call (`daemon`); a pod's processes, which its shim forks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
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
