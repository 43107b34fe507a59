"""The embedded store as the loop sees it: collects writes into batches, tells watchers, expires and compacts.

One commit is in flight at a time; what is written meanwhile is the next batch, so the batch grows with the load and a
lone write waits for nobody. A write's future is resolved after its batch is durable. Not here: SQL (writer, reader,
files).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from proa.aio.broadcast import LaggedError, Reader
from proa.aio.clock import Clock, SystemClock
from proa.aio.tasks import TaskFailedError, TaskScope
from proa.store.expiry import Expiry
from proa.store.feed import Router
from proa.store.protocol import (
    PROGRESS_INTERVAL,
    Change,
    CompactedError,
    Conflict,
    Entry,
    FutureRevisionError,
    Page,
    Progress,
)
from proa.store.sqlite.checkpoint import Checkpointer
from proa.store.sqlite.files import StoreError, prepare
from proa.store.sqlite.reader import SnapshotReader
from proa.store.sqlite.writer import Write, Writer

log = logging.getLogger(__name__)

_BATCH_WRITES = 256
_BATCH_BYTES = 8 << 20
# A commit adds a handful of pages to the write-ahead log, so it stays below a few megabytes.
_CHECKPOINT_COMMITS = 100
_WATCH_ROWS = 500
# How often the passing of time is noted for compaction, and how much must have gathered before it is worth a step.
_MARK_SECONDS = 10.0
_COMPACT_SECONDS = 60.0


class SqliteStore:
    """See `Store`; open it with `SqliteStore.open`. One process at a time has a data directory open.

    History is kept for `keep_seconds`, but never more than the last `keep_revisions`.
    """

    def __init__(
        self,
        lock: int,
        threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor],
        writer: Writer,
        reader: SnapshotReader,
        checkpointer: Checkpointer,
        clock: Clock,
        keep_seconds: float,
        keep_revisions: int,
    ) -> None:
        self._lock = lock
        self._writing, self._reading = threads
        self._writer = writer
        self._reader = reader
        self._checkpointer = checkpointer
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._keep_revisions = keep_revisions
        self._loop = asyncio.get_running_loop()
        self._pending: deque[tuple[Write, asyncio.Future[int | Conflict]]] = deque()
        self._revision = writer.revision
        self._compacted = writer.compacted
        self._watchers: Router[Change] = Router(capacity=10_000)
        self._expiry = Expiry(clock, self._expire)
        self._committing = False
        self._idle: asyncio.Future[None] | None = None
        self._closed = False
        self._broken: StoreError | None = None
        self._marks: deque[tuple[float, int]] = deque([(clock.monotonic(), writer.revision)])
        self._tasks = TaskScope("store", on_error=self._task_failed)
        self._compacting: asyncio.Task[None] | None = None
        self._compacted_at = clock.monotonic()
        self._checkpointing: asyncio.Task[None] | None = None
        self._since_checkpoint = 0
        self._commits = 0
        self._writes = 0

    @classmethod
    async def open(
        cls,
        directory: Path,
        *,
        clock: Clock | None = None,
        keep_seconds: float = 300.0,
        keep_revisions: int = 100_000,
    ) -> SqliteStore:
        """The store in `directory`, made if it is missing. Raises StoreError when in use, foreign or too new."""
        path, lock = prepare(directory)
        threads = tuple(ThreadPoolExecutor(1, f"store-{name}") for name in ("writer", "reader"))
        loop = asyncio.get_running_loop()
        try:
            writer = await loop.run_in_executor(threads[0], Writer, path)
            reader = await loop.run_in_executor(threads[1], SnapshotReader, path)
            checkpointer = await loop.run_in_executor(threads[1], Checkpointer, path)
            expiring = await loop.run_in_executor(threads[0], writer.expiring)
        except BaseException:
            for thread in threads:
                thread.shutdown()
            os.close(lock)
            raise
        pair = (threads[0], threads[1])
        store = cls(lock, pair, writer, reader, checkpointer, clock or SystemClock(), keep_seconds, keep_revisions)
        store._expiry.add(expiring)
        return store

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def oldest(self) -> int:
        return self._compacted

    async def create(self, key: str, value: bytes, *, ttl: float | None = None) -> int | Conflict:
        return await self._submit(Write(key, value, 0, self._expiry.due(ttl)))

    async def update(self, key: str, value: bytes, revision: int, *, ttl: float | None = None) -> int | Conflict:
        return await self._submit(Write(key, value, revision or -1, self._expiry.due(ttl)))

    async def delete(self, key: str, revision: int) -> int | Conflict:
        return await self._submit(Write(key, None, revision or -1, None))

    async def get(self, key: str) -> Entry | None:
        self._check_open()
        return await self._loop.run_in_executor(self._reading, self._reader.get, key)

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> Page:
        self._check_open()
        return await self._loop.run_in_executor(self._reading, self._reader.range, prefix, after, limit, revision)

    def watch(self, prefix: str, revision: int) -> AsyncIterator[list[Change] | Progress]:
        self._check_open()
        if revision < self._compacted:
            raise CompactedError(revision, self._compacted)
        return self._follow(prefix, revision)

    def feed(self, prefix: str) -> Reader[Change]:
        """See `Feeder`."""
        self._check_open()
        return self._watchers.subscribe(prefix)

    async def compact(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevisionError(revision, self._revision)
        await self._tasks.join()
        await self._compact(revision)

    async def close(self) -> None:
        """Commit what was written, end watches, and leave the files as one clean database."""
        if self._closed:
            return
        self._closed = True
        self._expiry.close()
        if self._committing:
            self._idle = self._loop.create_future()
            await self._idle
        await self._tasks.join()
        await self._tasks.close()
        self._watchers.close()
        await self._loop.run_in_executor(self._reading, self._reader.close)
        await self._loop.run_in_executor(self._reading, self._checkpointer.close)
        await self._loop.run_in_executor(self._writing, self._writer.close)
        self._reading.shutdown()
        self._writing.shutdown()
        os.close(self._lock)

    def statistics(self) -> dict[str, int]:
        file_bytes, wal_bytes = self._writer.sizes()
        return {
            "rows": self._writer.rows,
            "file_bytes": file_bytes,
            "wal_bytes": wal_bytes,
            "revision": self._revision,
            "compacted_revision": self._compacted,
            "pending": len(self._pending),
            "commits": self._commits,
            "writes": self._writes,
            "expiring": len(self._expiry),
            **self._watchers.statistics(),
        }

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the store is closed")

    # -- writing --------------------------------------------------------------------------------------------------

    def _submit(self, write: Write) -> asyncio.Future[int | Conflict]:
        self._check_open()
        if self._broken is not None:
            raise self._broken
        future: asyncio.Future[int | Conflict] = self._loop.create_future()
        self._pending.append((write, future))
        if not self._committing:
            self._committing = True
            self._loop.call_soon(self._next_batch)  # whatever else this turn of the loop writes comes along
        return future

    def _next_batch(self) -> None:
        batch: list[tuple[Write, asyncio.Future[int | Conflict]]] = []
        size = 0
        while self._pending and len(batch) < _BATCH_WRITES and size < _BATCH_BYTES:
            write, future = self._pending.popleft()
            batch.append((write, future))
            size += len(write.value or b"")
        done = self._loop.run_in_executor(self._writing, self._writer.commit, [write for write, _ in batch])
        done.add_done_callback(partial(self._committed, batch))

    def _committed(
        self,
        batch: list[tuple[Write, asyncio.Future[int | Conflict]]],
        done: asyncio.Future[list[int | Conflict]],
    ) -> None:
        if (error := done.exception()) is not None:
            self._failed(batch, error)
        else:
            results = done.result()
            changes = []
            expiring = []
            for (write, _), result in zip(batch, results, strict=True):
                if isinstance(result, int):
                    changes.append(Change(write.key, write.value, result, None))
                    if write.expires is not None:
                        expiring.append((write.expires, write.key, result))
            self._commits += 1
            self._since_checkpoint += 1
            self._writes += len(batch)
            if changes:
                self._revision = changes[-1].revision
                self._watchers.publish(changes)
            if expiring:
                self._expiry.add(expiring)
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
        if self._pending:
            self._next_batch()
        else:
            self._committing = False
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)
        self._consider_checkpoint()
        self._consider_compaction()

    def _failed(self, batch: list[tuple[Write, asyncio.Future[int | Conflict]]], error: BaseException) -> None:
        failure = StoreError(f"write not committed: {error}")
        failure.__cause__ = error
        code = getattr(error, "sqlite_errorcode", None)
        if not isinstance(error, sqlite3.Error) or (code is not None and code & 0xFF != sqlite3.SQLITE_FULL):
            # After a failed fsync nobody knows what the disk holds until it is read again: stop here.
            self._broken = StoreError(f"store stopped writing, restart it after repair: {error}")
            log.error("store stopped writing: %s", error)
        for _, future in batch:
            if not future.done():
                future.set_exception(failure)

    def _expire(self, over: list[tuple[str, int]]) -> None:
        for key, revision in over:
            if not self._closed and self._broken is None:
                self._submit(Write(key, None, revision, None)).add_done_callback(self._expired)

    def _expired(self, done: asyncio.Future[int | Conflict]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("an expired key could not be deleted, it goes at the next start: %s", error)

    # -- watching -------------------------------------------------------------------------------------------------

    async def _follow(self, prefix: str, revision: int) -> AsyncIterator[list[Change] | Progress]:
        """Read the log whenever the feed says that there is more: nothing is held for slow readers."""
        reached, told = revision, 0
        reader = self._watchers.subscribe(prefix)
        try:
            while not self._closed:
                try:
                    reader.take()
                except LaggedError:
                    reader = self._watchers.subscribe(prefix)
                newest = self._revision
                batch = await self._loop.run_in_executor(
                    self._reading, self._reader.changes, prefix, reached, _WATCH_ROWS
                )
                if batch:
                    reached = batch[-1].revision
                    yield batch
                    if len(batch) == _WATCH_ROWS:
                        continue
                reached = max(reached, newest)
                if reached > told:
                    told = reached
                    yield Progress(reached)
                while not reader.behind and not reader.ended:
                    await reader.wait(PROGRESS_INTERVAL)
                    if self._revision > reached and not reader.behind:
                        reached = told = self._revision
                        yield Progress(reached)
                if reader.ended and not reader.behind:
                    return
        finally:
            reader.close()

    # -- the write-ahead log --------------------------------------------------------------------------------------

    def _consider_checkpoint(self) -> None:
        if self._since_checkpoint >= _CHECKPOINT_COMMITS and self._checkpointing is None and not self._closed:
            self._since_checkpoint = 0
            self._checkpointing = self._tasks.spawn(self._checkpoint(), name="checkpoint")
            self._checkpointing.add_done_callback(self._checkpoint_over)

    def _checkpoint_over(self, _: asyncio.Task[None]) -> None:
        self._checkpointing = None

    async def _checkpoint(self) -> None:
        await self._loop.run_in_executor(self._reading, self._checkpointer.run)

    # -- compaction -----------------------------------------------------------------------------------------------

    def _consider_compaction(self) -> None:
        """Called after commits, so an idle store has no timer: without writes there is nothing to forget."""
        now = self._clock.monotonic()
        if now - self._marks[-1][0] >= _MARK_SECONDS:
            self._marks.append((now, self._revision))
        too_many = self._revision - self._compacted > self._keep_revisions * 1.1
        if self._compacting is not None or self._closed:
            return
        if not too_many and now - self._compacted_at < _COMPACT_SECONDS:
            return
        self._compacted_at = now
        aged = self._compacted
        while len(self._marks) > 1 and self._marks[0][0] <= now - self._keep_seconds:
            aged = self._marks.popleft()[1]
        target = max(aged, self._revision - self._keep_revisions)
        if target > self._compacted:
            self._compacting = self._tasks.spawn(self._compact(target), name="compaction")
            self._compacting.add_done_callback(self._compaction_over)

    def _compaction_over(self, _: asyncio.Task[None]) -> None:
        self._compacting = None

    def _task_failed(self, failure: TaskFailedError) -> None:
        log.error("it will be tried again: %s", failure, exc_info=failure)

    async def _compact(self, target: int) -> None:
        while self._compacted < target:
            self._compacted = await self._loop.run_in_executor(self._writing, self._writer.compact, target)
