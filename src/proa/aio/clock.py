"""Time is injected: the clock of the machine, or a virtual one under which a whole simulated cluster runs repeatably.

Under `VirtualEventLoop` asyncio's own timers are virtual: when nothing is ready to run, time jumps to the next timer.
So code sleeps with `asyncio.sleep` and `loop.call_at` as always, and reads the date from the `Clock` it was given. Not
here: formatting of times (machinery).
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from proa.base.errors import ProaError

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """The date and time, in UTC and aware."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back: for measuring, on the scale of the loop's timers."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class DeadlockError(ProaError):
    """Under virtual time nothing is ready and no timer is set: what is awaited can never happen."""


class VirtualEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while anything is ready, and jumps to the next timer when nothing is.

    Work in executors is waited for in real time, with virtual time standing still.
    """

    def __init__(self) -> None:
        self._virtual_time = 0.0
        self._executing = 0
        self._settling: list[asyncio.Future[None]] = []
        super().__init__(_VirtualSelector(self))

    def time(self) -> float:
        return self._virtual_time

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._executing += 1
        future.add_done_callback(self._executed)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        self._executing += 1  # it waits for a thread of its own
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._executing -= 1

    def _executed(self, _: asyncio.Future[Any]) -> None:
        self._executing -= 1

    def _idle(self, timeout: float | None) -> bool:
        """Nothing is ready: wake who waits for that, or jump; False when the wait must be a real one."""
        if self._executing:
            return False
        if self._settling:
            settling, self._settling = self._settling, []
            for future in settling:
                if not future.done():
                    future.set_result(None)
        elif timeout is None:
            waiting = sorted(task.get_name() for task in asyncio.all_tasks(self))
            raise DeadlockError(f"nothing is ready and no timer is set, while these tasks wait: {', '.join(waiting)}")
        else:
            self._virtual_time += timeout
        return True


class _VirtualSelector(selectors.DefaultSelector):
    """A selector that turns a wait into a jump of its loop's time."""

    def __init__(self, loop: VirtualEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        return [] if self._loop._idle(timeout) else super().select(None)


class VirtualClock:
    """The clock of the running VirtualEventLoop: `start` plus its time."""

    def __init__(self, loop: VirtualEventLoop, start: datetime = EPOCH) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start must be aware, got {start!r}")
        self._loop = loop
        self._start = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, with everything that happens in them and settles after them."""
        await asyncio.sleep(seconds)
        await self.settle()

    async def settle(self) -> None:
        """Let everything that can run without time passing run."""
        future = self._loop.create_future()
        self._loop._settling.append(future)
        await future


def virtual_run(main: Callable[[VirtualClock], Coroutine[Any, Any, T]], *, start: datetime = EPOCH) -> T:
    """Run `main(clock)` to its end under virtual time: `asyncio.run` for simulations.

    Raises DeadlockError when nothing can ever happen again.
    """
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualEventLoop)
        return runner.run(main(VirtualClock(loop, start)))
