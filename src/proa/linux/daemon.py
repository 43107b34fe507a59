"""A program of the host that outlives the call that starts it.

Without an event loop, whose import would be a third of the time `proa up` takes to start its first process.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence


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
