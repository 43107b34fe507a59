"""The keyed work queue of every reconciler: a key is queued at most once and worked on by at most one worker.

The state is plain sets touched only from the loop's thread; waiting getters are futures, delays are loop timers
(virtual under a virtual loop). Not here: what working on a key means, and how many workers there are (control).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from proa.aio.backoff import Backoff
from proa.base.errors import ProaError
from proa.base.metrics import Histogram

K = TypeVar("K", bound=Hashable)

RETRY = Backoff(base=0.005, factor=2.0, cap=1000.0)
# Seconds, upstream's.
BUCKETS = (1e-08, 1e-07, 1e-06, 1e-05, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)


class QueueShutDownError(ProaError):
    """The queue was shut down and has no more keys to hand out."""


class KeyedQueue(Generic[K]):
    """A first-in first-out queue of keys with coalescing.

    `get()` hands a key out and marks it in progress; `done(key)` must follow. A key added while queued is the same
    one; a key added while in progress is queued again once, after its `done`. waits: seconds from the first add of a
    key to its `get`; works: from there to its `done`.
    """

    def __init__(self, name: str = "", *, retry: Backoff = RETRY) -> None:
        self.name = name
        self._retry = retry
        self._ready: deque[K] = deque()
        # Both with the time of the loop since when. Dirty must be worked on: queued, or in progress and added again.
        self._dirty: dict[K, float] = {}
        self._in_progress: dict[K, float] = {}
        self._delayed: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._drained: list[asyncio.Future[None]] = []
        self._shut_down = False
        self._adds = 0
        self._coalesced = 0
        self._retries = 0
        self.waits = Histogram(BUCKETS)
        self.works = Histogram(BUCKETS)

    def __len__(self) -> int:
        """Keys ready to be handed out."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Queue `key` now. After shutdown adds are dropped: what they asked for belongs to the next process."""
        if self._shut_down:
            return
        self._adds += 1
        if key in self._dirty:
            self._coalesced += 1
            return
        self._dirty[key] = asyncio.get_running_loop().time()
        if key not in self._in_progress:
            self._ready.append(key)
            self._wake_getter()

    def add_after(self, key: K, seconds: float) -> None:
        """Queue `key` in `seconds`; of several delays of one key the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        if self._shut_down:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        waiting = self._delayed.get(key)
        if waiting is not None:
            if waiting.when() <= due:
                return
            waiting.cancel()
        self._delayed[key] = loop.call_at(due, self._delay_over, key)

    def add_rate_limited(self, key: K) -> float:
        """Queue `key` after its backoff, which doubles with each call until `forget`; the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._retries += 1
        delay = self._retry.delay(failures)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Reset the backoff of `key`: the work succeeded, or is given up."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often `key` was rate limited since it was last forgotten."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key, marked in progress. Raises QueueShutDownError when shut down and empty."""
        while not self._ready:
            if self._shut_down:
                raise QueueShutDownError(f"queue {self.name} is shut down")
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake_getter()  # we were woken and cancelled at once: the key is another getter's
                else:
                    self._getters.remove(getter)
                raise
        key = self._ready.popleft()
        self._in_progress[key] = now = asyncio.get_running_loop().time()
        self.waits.observe(now - self._dirty.pop(key))
        return key

    def done(self, key: K) -> None:
        """Work on `key`, handed out by `get`, is over."""
        self.works.observe(asyncio.get_running_loop().time() - self._in_progress.pop(key))
        if key in self._dirty:
            self._ready.append(key)
            self._wake_getter()
        elif self._drained and not self._in_progress and not self._ready:
            self._tell_drained()

    def shut_down(self) -> None:
        """Take no more keys and drop the delayed ones; what is queued is still handed out."""
        self._shut_down = True
        for timer in self._delayed.values():
            timer.cancel()
        self._delayed.clear()
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)

    async def drain(self) -> None:
        """Shut down and wait until every queued key was handed out and every handed out one is done."""
        self.shut_down()
        if self._ready or self._in_progress:
            drained = asyncio.get_running_loop().create_future()
            self._drained.append(drained)
            await drained

    def unfinished(self) -> list[float]:
        """For how many seconds each key that is in progress has been."""
        now = asyncio.get_running_loop().time()
        return [now - since for since in self._in_progress.values()]

    def statistics(self) -> dict[str, int]:
        return {
            "depth": len(self._ready),
            "in_progress": len(self._in_progress),
            "delayed": len(self._delayed),
            "failing": len(self._failures),
            "adds": self._adds,
            "coalesced": self._coalesced,
            "retries": self._retries,
        }

    def _delay_over(self, key: K) -> None:
        del self._delayed[key]
        self.add(key)

    def _wake_getter(self) -> None:
        while self._ready and self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _tell_drained(self) -> None:
        for drained in self._drained:
            if not drained.done():
                drained.set_result(None)
        self._drained.clear()
