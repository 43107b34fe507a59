"""The watch cache: every object of one prefix as served bytes, and the recent events, in front of any store.

It offers the Store protocol (and passes its contract suite), and what an API server needs beyond it: items, pages of
items, and subscriptions to events. A write through the cache is in the cache before it returns. Towards a store of
this process (a Feeder) the cache is exact: reading takes in what was committed first. Towards a shared store it is as
new as the last write made through it, and `fresh()` waits for the rest. Not here: selectors, encodings, HTTP.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from itertools import count
from typing import Any, NamedTuple

from proa.aio.broadcast import LaggedError, Reader
from proa.aio.tasks import TaskFailedError, TaskScope
from proa.base.errors import ProaError
from proa.store.feed import Feeder, Router
from proa.store.history import History
from proa.store.item import OPAQUE, Codec, Event, Item
from proa.store.keyspace import Keyspace
from proa.store.protocol import Change, CompactedError, Conflict, Entry, FutureRevisionError, Page, Progress, Store
from proa.store.splice import served
from proa.store.subscription import Subscription
from proa.store.timing import Timings

log = logging.getLogger(__name__)

# Events this new keep what was built for them; older ones are wanted only by watchers that come back.
_WARM_EVENTS = 256

# Entries asked of the store at once when loading: bounds what is in memory twice.
_LOAD_PAGE = 2000


class CacheBrokenError(ProaError):
    """The cache could not take in what the store holds, and serves nothing rather than something wrong."""


class ItemPage(NamedTuple):
    """A slice of a prefix, in key order, as of `revision`; `remaining` counts the items after it."""

    items: list[Item]
    revision: int
    remaining: int


def _weight(event: Event) -> int:
    return len(event.previous.body) if event.previous is not None else 0


class WatchCache:
    """`start()` before use, `close()` after; closing leaves the store open.

    Keeps the last `history` events of at most `history_bytes` bytes beyond the current objects.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        *,
        codec: Codec = OPAQUE,
        history: int = 2048,
        history_bytes: int = 8 << 20,
    ) -> None:
        self.prefix = prefix
        self._store = store
        self._codec = codec
        self._held: dict[str, tuple[bytes, Any, dict[Any, Item | None] | None]] = {}
        self._items: Keyspace[Item] = Keyspace()
        self._history: History[Event] = History(0, history, weight=_weight, max_weight=history_bytes)
        self._capacity = history
        self._watchers: Router[Event] = Router(capacity=history)
        self._feed: Reader[Change] | None = None
        self._applied = 0
        self._scope = TaskScope(f"watchcache{prefix}", on_error=self._task_failed)
        self._started: asyncio.Task[None] | None = None
        self._unusable: Exception | None = None
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._loads = 0
        self._subscribed = 0
        self.timings = Timings()
        """How long the store took, by what was asked of it."""

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load the prefix and follow it. Further calls wait for the first, or try again what failed."""
        started = self._started
        if started is None or (started.done() and (started.cancelled() or started.exception() is not None)):
            self._unusable = None
            started = self._started = self._scope.spawn(self._first_load(), name="load")
        await asyncio.shield(started)

    @property
    def is_loaded(self) -> bool:
        """Whether `start()` has done its work."""
        return self._loads > 0

    def end_watches(self) -> None:
        """End the subscriptions there are; new ones begin as ever."""
        ended, self._watchers = self._watchers, Router(capacity=self._capacity)
        ended.close()

    def start_anew(self) -> None:
        """End the subscriptions there are, and forget what others made of the items: they are served anew."""
        self.end_watches()
        for item in self._items.page(self.prefix, "", 0, {})[0]:
            item.views = None

    async def close(self) -> None:
        """Stop following; subscriptions end."""
        await self._scope.close()
        self._refuse(RuntimeError(f"the watch cache of {self.prefix} is closed"))
        if self._feed is not None:
            self._feed.close()
        self._watchers.close()

    def statistics(self) -> dict[str, int]:
        return {
            "items": len(self._items),
            "history": len(self._history),
            "history_bytes": self._history.weight,
            "oldest_revision": self._history.oldest,
            "revision": self._applied,
            "loads": self._loads,
            "subscribed": self._subscribed,
            **self._watchers.statistics(),
        }

    # -- for the API server ---------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many objects there are."""
        return len(self._items)

    @property
    def revision(self) -> int:
        """Everything up to here is in the cache."""
        if self._feed is None:
            return self._applied
        self._catch_up()
        return self._applied if self._feed.behind else max(self._applied, self._store.revision)

    @property
    def oldest(self) -> int:
        return self._store.oldest

    def item(self, key: str) -> Item | None:
        """The object at `key`."""
        self._catch_up()
        return self._items.get(key)

    async def items(self, prefix: str = "", *, after: str = "", limit: int = 0, revision: int = 0) -> ItemPage:
        """Objects under `prefix` (of the cache's, the default) sorting after key `after`, as of `revision` (0: now).

        Suspends only when `revision` is older than the cache's history: then the store is asked. What the store has
        compacted is no more shown, though the cache may know it: pages that began long ago come to an end. Raises
        CompactedError, FutureRevisionError.
        """
        prefix = prefix or self.prefix
        now = self.revision
        if revision > now:
            raise FutureRevisionError(revision, now)
        if revision in (0, now):
            items, remaining = self._items.page(prefix, after, limit, {})
            return ItemPage(items, now, remaining)
        if revision < self._store.oldest:
            raise CompactedError(revision, self._store.oldest)
        if revision >= self._history.oldest:
            undo = {event.key: event.previous for event in reversed(self._history.after(revision, prefix))}
            items, remaining = self._items.page(prefix, after, limit, undo)
            return ItemPage(items, revision, remaining)
        page = await self._listed(prefix, after=after, limit=limit, revision=revision)
        return ItemPage([Item.of(entry, self._codec) for entry in page.entries], page.revision, page.remaining)

    def subscribe(self, prefix: str = "", revision: int = 0) -> Subscription:
        """Events under `prefix` after `revision` (0: from now on), live and without a gap; close it when done.

        `page = await items(p)`, then `subscribe(p, page.revision)` is a list and watch. Raises CompactedError.
        """
        prefix = prefix or self.prefix
        now = self.revision
        revision = revision or now
        missed: list[Event] = []
        backlog = None
        if revision < self._history.oldest:
            backlog = self._events_of(self._store.watch(prefix, revision))
        else:
            missed = self._history.after(revision, prefix)
        self._subscribed += 1
        return Subscription(self, self._watchers.subscribe(prefix), revision, now, missed, backlog)

    async def fresh(self) -> None:
        """Wait until every write acknowledged by anyone before this call is in the cache (a quorum read)."""
        self._catch_up()
        if self._feed is None:
            await self._until((await self._listed(self.prefix, limit=1)).revision)

    async def reach(self, revision: int, *, timeout: float = 3.0) -> None:
        """Wait until the cache is at least at `revision`. Raises FutureRevisionError after `timeout` seconds."""
        if revision <= self.revision:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._until(revision)
        except TimeoutError:
            if revision > self.revision:
                raise FutureRevisionError(revision, self.revision) from None

    # -- the Store protocol ---------------------------------------------------------------------------------------

    async def create(
        self,
        key: str,
        value: bytes,
        *,
        ttl: float | None = None,
        decoded: Any = None,
        views: dict[Any, Item | None] | None = None,
    ) -> int | Conflict:
        """As `Store.create`; `decoded` is what `value` was encoded from, which spares everybody decoding it, `views`
        what is known of the item that comes of it."""
        self._check_key(key)
        if decoded is not None:
            self._held[key] = (value, decoded, views)
        return await self._written(key, "create", self._store.create(key, value, ttl=ttl))

    async def update(
        self,
        key: str,
        value: bytes,
        revision: int,
        *,
        ttl: float | None = None,
        decoded: Any = None,
        views: dict[Any, Item | None] | None = None,
    ) -> int | Conflict:
        """As `Store.update`; `decoded` and `views` as for `create`."""
        self._check_key(key)
        if decoded is not None:
            self._held[key] = (value, decoded, views)
        return await self._written(key, "update", self._store.update(key, value, revision, ttl=ttl))

    async def delete(self, key: str, revision: int) -> int | Conflict:
        self._check_key(key)
        return await self._written(key, "delete", self._store.delete(key, revision))

    async def get(self, key: str) -> Entry | None:
        self._check_key(key)
        await self.fresh()
        item = self.item(key)
        return None if item is None else item.entry

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> Page:
        self._check_key(prefix)
        await self.fresh()
        page = await self.items(prefix, after=after, limit=limit, revision=revision)
        return Page([item.entry for item in page.items], page.revision, page.remaining)

    def watch(self, prefix: str, revision: int) -> AsyncIterator[list[Change] | Progress]:
        self._check_key(prefix)
        return self._changes(self.subscribe(prefix, revision))

    async def compact(self, revision: int) -> None:
        await self._store.compact(revision)
        self._history.compact(revision)

    # -- taking in ------------------------------------------------------------------------------------------------

    async def _first_load(self) -> None:
        if isinstance(self._store, Feeder):
            self._feed = self._store.feed(self.prefix)
            await self._load()
            following = self._follow_feed(self._store, self._feed)
        else:
            await self._load()
            following = self._follow_watch()
        self._scope.spawn(self._follow(following), name="follow")

    async def _follow(self, following: Coroutine[None, None, None]) -> None:
        await following
        self._watchers.close()  # the store was closed

    async def _load(self) -> None:
        """Take the prefix as it is now; what happened since the last load is lost to watchers, so they are cut."""
        items: dict[str, Item] = {}
        page = await self._listed(self.prefix, limit=_LOAD_PAGE)
        items.update((entry.key, Item.of(entry, self._codec)) for entry in page.entries)
        while page.remaining:
            last = page.entries[-1].key
            page = await self._listed(self.prefix, after=last, limit=_LOAD_PAGE, revision=page.revision)
            items.update((entry.key, Item.of(entry, self._codec)) for entry in page.entries)
        self._items.replace(items)
        self._history.restart(page.revision)
        self._watchers.cut()
        self._loads += 1
        self._reached(page.revision)

    async def _follow_feed(self, store: Feeder, feed: Reader[Change]) -> None:
        while True:
            await feed.wait()
            try:
                self._take_in(feed.take())
            except LaggedError:
                log.warning("watch cache of %s lagged behind its store and loads again", self.prefix)
                self._feed = feed = store.feed(self.prefix)
                await self._load()
            else:
                if feed.ended:
                    return

    async def _follow_watch(self) -> None:
        while True:
            try:
                async for batch in self._store.watch(self.prefix, self._applied):
                    if isinstance(batch, Progress):
                        self._reached(batch.revision)
                    else:
                        self._take_in(batch)
                return
            except CompactedError:
                log.warning("watch cache of %s fell behind compaction and loads again", self.prefix)
                await self._load()

    def _catch_up(self) -> None:
        if self._unusable is not None:
            raise self._unusable
        if self._feed is not None and self._feed.behind:
            try:
                changes = self._feed.take()
            except LaggedError:
                return  # the following task sees the same and loads again
            self._take_in(changes)

    def _take_in(self, changes: list[Change]) -> None:
        try:
            self._apply(changes)
        except Exception as error:  # half a batch taken in is worse than none: whatever it was, the cache is wrong now
            self._break(error)
            assert self._unusable is not None
            raise self._unusable from error

    def _apply(self, changes: list[Change]) -> None:
        events = []
        for key, value, revision, _ in changes:
            if revision <= self._applied:
                continue  # the load had it already
            previous = self._items.get(key)
            item = self._item(key, value, revision)
            if item is not None:
                self._items.put(key, item)
            elif previous is not None:
                self._items.remove(key)
            else:
                raise CacheBrokenError(f"the store deleted {key} at {revision}, which the cache never saw")
            events.append(Event(key, revision, item, previous))
        if not events:
            return
        self._history.append(events)
        for back in range(_WARM_EVENTS, min(_WARM_EVENTS + len(events), len(self._history))):
            self._history[-back - 1].forget()
        self._watchers.publish(events)
        self._reached(events[-1].revision)

    def _item(self, key: str, value: bytes | None, revision: int) -> Item | None:
        if value is None:
            return None
        item = Item(key, revision, served(value, revision), self._codec)
        held = self._held.get(key)
        if held is not None and held[0] is value:
            item.hold(held[1])
            item.views = held[2]
        return item

    def _reached(self, revision: int) -> None:
        self._applied = max(self._applied, revision)
        while self._waiters and self._waiters[0][0] <= self._applied:
            _, _, waiter = heapq.heappop(self._waiters)
            if not waiter.done():
                waiter.set_result(None)

    async def _until(self, revision: int) -> None:
        if self._unusable is not None:
            raise self._unusable
        if revision > self._applied:
            waiter = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiters, (revision, next(self._order), waiter))
            await waiter

    async def _written(self, key: str, operation: str, write: Awaitable[int | Conflict]) -> int | Conflict:
        """Do a write, and have it in the cache. What is held for its item waits until the commit makes one."""
        began = time.perf_counter()
        try:
            try:
                result = await write
            except Exception:
                self.timings.failed(operation, began)
                raise
            self.timings.done(operation, began)
            self._catch_up()
            if not isinstance(result, Conflict):
                revision = result
            elif result.current is not None:
                revision = result.current.revision
            else:
                return result
            if revision > self._applied:
                await self._until(revision)
            return result
        finally:
            self._held.pop(key, None)

    async def _listed(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> Page:
        began = time.perf_counter()
        try:
            page = await self._store.range(prefix, after=after, limit=limit, revision=revision)
        except Exception:
            self.timings.failed("list", began)
            raise
        self.timings.done("list", began)
        return page

    def _task_failed(self, failure: TaskFailedError) -> None:
        if self._unusable is None:
            self._break(failure.__cause__ or failure)

    def _break(self, error: BaseException) -> None:
        broken = CacheBrokenError(f"watch cache of {self.prefix} cannot go on: {error}")
        broken.__cause__ = error
        log.error("%s", broken, exc_info=error)
        self._refuse(broken)
        self._watchers.cut()

    def _refuse(self, reason: Exception) -> None:
        """From now on everything asked of the cache fails with `reason`."""
        self._unusable = reason
        for _, _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(reason)
        self._waiters.clear()

    def _check_key(self, key: str) -> None:
        if not key.startswith(self.prefix):
            raise ValueError(f"key {key!r} is outside of this cache's prefix {self.prefix!r}")

    async def _events_of(self, source: AsyncIterator[list[Change] | Progress]) -> AsyncIterator[list[Event] | Progress]:
        async for batch in source:
            if isinstance(batch, Progress):
                yield batch
            else:
                yield [
                    Event(
                        change.key,
                        change.revision,
                        self._item(change.key, change.value, change.revision),
                        None if change.previous is None else Item.of(change.previous, self._codec),
                    )
                    for change in batch
                ]

    async def _changes(self, subscription: Subscription) -> AsyncIterator[list[Change] | Progress]:
        told = 0
        try:
            while True:
                try:
                    events = await subscription.next(timeout=0 if told == 0 else 5.0)
                except LaggedError:
                    raise CompactedError(subscription.revision, self._history.oldest) from None
                if events:
                    yield [
                        Change(
                            event.key,
                            None if event.item is None else event.item.entry.value,
                            event.revision,
                            None if event.previous is None else event.previous.entry,
                        )
                        for event in events
                    ]
                elif subscription.ended:
                    return
                elif subscription.revision > told:
                    told = subscription.revision
                    yield Progress(told)
        finally:
            subscription.close()
