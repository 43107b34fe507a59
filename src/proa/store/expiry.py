"""Keys that end by themselves: one heap of due times and one timer, for the stores that have no leases of their own."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable

from proa.aio.clock import Clock


class Expiry:
    """Calls `expire([(key, revision), ...])` when they are due; whether the key is still at that revision is its
    look-out.

    Due times are wall clock (seconds since the epoch), so they survive a restart.
    """

    def __init__(self, clock: Clock, expire: Callable[[list[tuple[str, int]]], None]) -> None:
        self._clock = clock
        self._expire = expire
        self._heap: list[tuple[float, str, int]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def due(self, ttl: float | None) -> float | None:
        """When something written now with `ttl` seconds to live is due."""
        return None if ttl is None else self._clock.now().timestamp() + ttl

    def add(self, entries: Iterable[tuple[float, str, int]]) -> None:
        """Take (due, key, revision) entries."""
        for entry in entries:
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry and self._timer is not None:
                self._timer.cancel()
                self._timer = None
        self._arm()

    def close(self) -> None:
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._heap and self._timer is None:
            wait = max(0.0, self._heap[0][0] - self._clock.now().timestamp())
            self._timer = asyncio.get_running_loop().call_later(wait, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.now().timestamp()
        over = []
        # A timer may fire a hair early by the wall clock.
        while self._heap and self._heap[0][0] <= now + 0.001:
            _, key, revision = heapq.heappop(self._heap)
            over.append((key, revision))
        if over:
            self._expire(over)
        self._arm()
