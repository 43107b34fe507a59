"""Time in tests: the same words for virtual and for real time.

`advance` lets time pass, `settle` lets everything happen that can happen without time passing. The loops here tell when
nothing is ready to run; under the virtual one time then jumps (`proa.aio.clock`), under the real one it does not.
"""

from __future__ import annotations

import asyncio
import re
import selectors
from collections.abc import Callable
from typing import Protocol

from proa.aio.clock import Clock, SystemClock, VirtualClock, VirtualEventLoop

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


class SteeredClock(Clock, Protocol):
    """A clock that a test steers."""

    async def advance(self, duration: float | str) -> None:
        """Let this much time pass (seconds, or as Go writes it: '1h30m'), and what comes of it happen."""

    async def settle(self) -> None:
        """Return when nothing can happen before time passes: no controller, scheduler or kubelet has work."""


def in_seconds(duration: float | str) -> float:
    """'1h30m', '5s', '250ms', or a number of seconds. Raises ValueError."""
    if not isinstance(duration, str):
        return float(duration)
    parts = _PART.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"invalid duration {duration!r}: write it like 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


class VirtualTime(VirtualClock):
    """The clock of a test in virtual time."""

    async def advance(self, duration: float | str) -> None:
        await super().advance(in_seconds(duration))


class RealTime(SystemClock):
    """The clock of a test in real time: `advance` waits. Needs the loop to be a SettlingEventLoop."""

    def __init__(self, loop: SettlingEventLoop) -> None:
        self._loop = loop

    async def advance(self, duration: float | str) -> None:
        await asyncio.sleep(in_seconds(duration))
        await self.settle()

    async def settle(self) -> None:
        await self._loop.settled()


class _IdleSelector(selectors.DefaultSelector):
    """Calls `on_idle` before it waits; when that says so it does not wait after all."""

    on_idle: Callable[[], bool] = staticmethod(lambda: False)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0) or self.on_idle():
            return events
        return super().select(timeout)


class SettlingEventLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, which can also tell when nothing is ready to run."""

    def __init__(self) -> None:
        self._settling: list[asyncio.Future[None]] = []
        selector = _IdleSelector()
        selector.on_idle = self._idle
        super().__init__(selector)

    async def settled(self) -> None:
        """Return when nothing is ready to run and nothing has arrived from outside."""
        future = self.create_future()
        self._settling.append(future)
        await future

    def _idle(self) -> bool:
        settling, self._settling = self._settling, []
        for future in settling:
            if not future.done():
                future.set_result(None)
        return bool(settling)


def clock_of(loop: asyncio.AbstractEventLoop) -> SteeredClock:
    """The clock that goes with a loop. Raises TypeError for a loop that cannot tell when nothing happens."""
    if isinstance(loop, VirtualEventLoop):
        return VirtualTime(loop)
    if isinstance(loop, SettlingEventLoop):
        return RealTime(loop)
    raise TypeError(
        f"a test cluster needs a VirtualEventLoop or a SettlingEventLoop, not {type(loop).__name__}: "
        "use the fixture proa_cluster, which gives its test the right one"
    )
