"""How long a request may take: a default for all, less where the client says so; afterwards it is given up with 504.

One look a second over the open connections finds what is overdue, so that a request costs no timer. A write that has
reached the store may still be done. Not here: watches, logs, sessions and proxies, which last as long as wanted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from proa.lang.durations import parse_duration
from proa.machinery import status as failures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proa.apiserver.request import Request

_LOOK_SECONDS = 1.0


class Deadlines:
    """seconds: the default and the most; 0 for none. requests: what is being handled now."""

    def __init__(self, seconds: float, requests: Callable[[], Iterable[Request]]) -> None:
        self.seconds = seconds
        self._requests = requests
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        if self.seconds:
            pause = min(_LOOK_SECONDS, self.seconds / 4)
            self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def wanted(self, request: Request) -> float | None:
        """How long the client gives the request, where that is less than the default. Raises StatusError 400."""
        text = request.query.get("timeout", "")
        if not text:
            return None
        try:
            seconds = parse_duration(text)
        except ValueError:
            why = f'time: invalid duration "{text}"'
            raise failures.bad_request(f"invalid timeout specified in the request URL - {why}") from None
        return seconds if 0 < seconds < (self.seconds or float("inf")) else None

    @contextmanager
    def shortened(self, request: Request, seconds: float) -> Iterator[None]:
        """The block is given up after so many seconds."""
        timer = asyncio.get_running_loop().call_later(seconds, expire, request)
        try:
            yield
        finally:
            timer.cancel()

    def _look(self) -> None:
        now = time.perf_counter()
        for request in self._requests():
            if 0.0 < request.deadline < now:
                expire(request)
        self.start()


def expire(request: Request) -> None:
    """Give a request up: its handler is cancelled."""
    if not request.overdue and request.task is not None:
        request.overdue = True
        request.task.cancel()
