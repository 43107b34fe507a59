"""One watcher of a watch cache: the past it missed, then live events, in batches, without a gap or a duplicate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from proa.aio.broadcast import Reader
from proa.store.item import Event
from proa.store.protocol import Progress


class _Cache(Protocol):
    @property
    def revision(self) -> int: ...


class Subscription:
    """For one task. `next()` for a batch, or iterate; `close()` it, or use it as a context manager."""

    __slots__ = ("_backlog", "_cache", "_missed", "_reader", "_revision", "_since", "_start")

    def __init__(
        self,
        cache: _Cache,
        reader: Reader[Event],
        start: int,
        since: int,
        missed: list[Event],
        backlog: AsyncIterator[list[Event] | Progress] | None,
    ) -> None:
        self._cache = cache
        self._reader = reader
        self._start = start  # nothing up to here is delivered
        self._since = since  # `reader` has everything after this, `missed` or `backlog` what lies between
        self._missed = missed
        self._backlog = backlog
        self._revision = start

    @property
    def revision(self) -> int:
        """Everything up to here has been taken: what a bookmark may say."""
        if self._missed or self._backlog is not None:
            return self._revision
        now = self._cache.revision
        return self._revision if self._reader.behind else max(self._revision, now)

    @property
    def ended(self) -> bool:
        """The cache was closed and everything was taken."""
        return self._reader.ended and not self._reader.behind and not self._missed and self._backlog is None

    async def next(self, timeout: float | None = None) -> list[Event]:
        """The next batch, in order; empty after `timeout` seconds without events, or when `ended`.

        Raises LaggedError when the watcher was cut (too slow, or the cache had to load again): it may come back with
        its `revision`. Raises CompactedError.
        """
        if self._missed:
            batch, self._missed = self._missed, []
        elif self._backlog is not None and (batch := await self._next_of_backlog()):
            return batch
        else:
            reader = self._reader
            batch = reader.take()
            if not batch:
                if timeout != 0:
                    await reader.wait(timeout)
                    batch = reader.take()
                if not batch:
                    return batch
            if batch[0].revision <= self._start:  # asked to start after what was then the present
                batch = [event for event in batch if event.revision > self._start]
        if batch:
            self._revision = batch[-1].revision
        return batch

    def close(self) -> None:
        self._reader.close()
        self._missed = []

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> list[Event]:
        while not (batch := await self.next()):
            if self.ended:
                raise StopAsyncIteration
        return batch

    async def _next_of_backlog(self) -> list[Event]:
        """What the cache no longer has, from the store, up to where `reader` begins."""
        assert self._backlog is not None
        while self._revision < self._since:
            batch = await anext(self._backlog)
            if isinstance(batch, Progress):
                self._revision = max(self._revision, batch.revision)
                continue
            self._revision = batch[-1].revision
            wanted = [event for event in batch if event.revision <= self._since]
            if wanted:
                return wanted
        self._backlog = None
        return []
