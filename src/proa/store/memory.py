"""The store in memory: for tests, simulations and throw-away clusters. Durable as long as its process.

Also the plainest reading of the protocol: when another backend disagrees with it, the contract suite decides. Every
write lets the rest of the loop run once, as any real store does: else a loop of writes would starve its watchers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from proa.aio.broadcast import LaggedError, Reader
from proa.aio.clock import Clock, SystemClock
from proa.store.expiry import Expiry
from proa.store.feed import Router
from proa.store.history import History
from proa.store.keyspace import Keyspace
from proa.store.protocol import (
    FIRST_REVISION,
    PROGRESS_INTERVAL,
    Change,
    CompactedError,
    Conflict,
    Entry,
    FutureRevisionError,
    Page,
    Progress,
)


class MemoryStore:
    """See `Store`. Keeps the last `history` changes of at most `history_bytes` bytes (what they replaced counts)."""

    def __init__(self, *, clock: Clock | None = None, history: int = 100_000, history_bytes: int = 256 << 20) -> None:
        self._entries: Keyspace[Entry] = Keyspace()
        self._history: History[Change] = History(
            FIRST_REVISION,
            history,
            weight=lambda change: len(change.previous.value) if change.previous else 0,
            max_weight=history_bytes,
        )
        self._revision = FIRST_REVISION
        self._watchers: Router[Change] = Router(capacity=10_000)
        self._expiry = Expiry(clock or SystemClock(), self._expire)
        self._closed = False

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def oldest(self) -> int:
        return self._history.oldest

    async def create(self, key: str, value: bytes, *, ttl: float | None = None) -> int | Conflict:
        await asyncio.sleep(0)
        current = self._entries.get(key)
        return Conflict(current) if current is not None else self._commit(key, value, None, ttl)

    async def update(self, key: str, value: bytes, revision: int, *, ttl: float | None = None) -> int | Conflict:
        await asyncio.sleep(0)
        current = self._entries.get(key)
        if current is None or current.revision != revision:
            return Conflict(current)
        return self._commit(key, value, current, ttl)

    async def delete(self, key: str, revision: int) -> int | Conflict:
        await asyncio.sleep(0)
        current = self._entries.get(key)
        if current is None or current.revision != revision:
            return Conflict(current)
        return self._commit(key, None, current, None)

    async def get(self, key: str) -> Entry | None:
        self._check_open()
        return self._entries.get(key)

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> Page:
        self._check_open()
        if revision > self._revision:
            raise FutureRevisionError(revision, self._revision)
        undo: dict[str, Entry | None] = {}
        if revision:
            undo = {change.key: change.previous for change in reversed(self._history.after(revision, prefix))}
        entries, remaining = self._entries.page(prefix, after, limit, undo)
        return Page(entries, revision or self._revision, remaining)

    def watch(self, prefix: str, revision: int) -> AsyncIterator[list[Change] | Progress]:
        self._check_open()
        if revision < self._history.oldest:
            raise CompactedError(revision, self._history.oldest)
        return self._follow(prefix, revision)

    def feed(self, prefix: str) -> Reader[Change]:
        """See `Feeder`; here `previous` is filled in, it costs nothing."""
        self._check_open()
        return self._watchers.subscribe(prefix)

    async def compact(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevisionError(revision, self._revision)
        self._history.compact(revision)

    async def close(self) -> None:
        self._closed = True
        self._expiry.close()
        self._watchers.close()

    def statistics(self) -> dict[str, int]:
        return {
            "rows": len(self._entries),
            "history": len(self._history),
            "revision": self._revision,
            "compacted_revision": self._history.oldest,
            "expiring": len(self._expiry),
            **self._watchers.statistics(),
        }

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the store is closed")

    def _commit(self, key: str, value: bytes | None, previous: Entry | None, ttl: float | None) -> int:
        self._check_open()
        self._revision = revision = self._revision + 1
        if value is None:
            self._entries.remove(key)
        else:
            self._entries.put(key, Entry(key, value, revision))
        change = (Change(key, value, revision, previous),)
        self._history.append(change)
        self._watchers.publish(change)
        due = self._expiry.due(ttl)
        if due is not None:
            self._expiry.add([(due, key, revision)])
        return revision

    def _expire(self, over: list[tuple[str, int]]) -> None:
        for key, revision in over:
            current = self._entries.get(key)
            if current is not None and current.revision == revision:
                self._commit(key, None, current, None)

    async def _follow(self, prefix: str, revision: int) -> AsyncIterator[list[Change] | Progress]:
        while not self._closed:
            reader = self._watchers.subscribe(prefix)
            reached = max(revision, self._revision)
            try:
                if missed := self._history.after(revision, prefix):
                    yield missed
                yield Progress(reached)
                while True:
                    await reader.wait(PROGRESS_INTERVAL)
                    if batch := reader.take():
                        reached = batch[-1].revision
                        if batch[0].revision <= revision:  # asked to start in the future
                            batch = [change for change in batch if change.revision > revision]
                        if batch:
                            yield batch
                    elif reader.ended:
                        return
                    elif self._revision > reached:
                        reached = self._revision
                        yield Progress(reached)
            except LaggedError:
                revision = reached  # what it missed is in the history, or compacted
            finally:
                reader.close()
