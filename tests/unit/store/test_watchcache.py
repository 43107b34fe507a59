from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from proa.aio.broadcast import LaggedError
from proa.aio.clock import VirtualClock, virtual_run
from proa.store.item import Codec, Event, Index, Item, transition
from proa.store.memory import MemoryStore
from proa.store.protocol import Change, CompactedError, Conflict, FutureRevisionError, Progress
from proa.store.splice import ForeignValueError
from proa.store.watchcache import CacheBrokenError, WatchCache


def v(name: str, **labels: str) -> bytes:
    return msgspec.json.encode({"metadata": {"name": name, "labels": labels}})


decoded: list[bytes] = []


def decode(body: bytes) -> Any:
    decoded.append(body)
    return msgspec.json.decode(body)


def index(body: bytes) -> Index:
    metadata = msgspec.json.decode(body)["metadata"]
    return Index(metadata["labels"], {"metadata.name": metadata["name"]})


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    yield store
    await store.close()


@pytest.fixture
async def cache(store: MemoryStore) -> AsyncIterator[WatchCache]:
    cache = WatchCache(store, "/pods/", codec=Codec(index, decode), history=8)
    await cache.start()
    yield cache
    await cache.close()


async def made(result: int | Conflict) -> int:
    assert isinstance(result, int)
    return result


async def put(cache: WatchCache, key: str, value: bytes) -> int:
    item = cache.item(key)
    result = await (cache.create(key, value) if item is None else cache.update(key, value, item.revision))
    assert isinstance(result, int)
    return result


async def test_an_item_serves_the_bytes_with_the_revision(cache: WatchCache) -> None:
    revision = await put(cache, "/pods/a", b'{"metadata":{"name":"a"}}')
    item = cache.item("/pods/a")
    assert item is not None
    assert item.body == b'{"metadata":{"resourceVersion":"%d","name":"a"}}' % revision
    assert item.line("ADDED") == b'{"type":"ADDED","object":%b}\n' % item.body
    assert cache.item("/pods/b") is None


async def test_what_the_store_committed_is_in_the_cache_at_once(store: MemoryStore, cache: WatchCache) -> None:
    """Also when it was written past the cache, and before the cache's task has run."""
    revision = await store.create("/pods/a", v("a"))
    assert cache.item("/pods/a") is not None
    assert cache.revision == revision
    other = await store.create("/nodes/a", v("a"))
    assert cache.revision == other


async def test_an_object_is_decoded_once_and_shared(cache: WatchCache) -> None:
    await put(cache, "/pods/a", v("a"))
    decoded.clear()
    first, second = cache.item("/pods/a"), cache.item("/pods/a")
    assert first is second
    assert first is not None
    assert first.object is first.object
    assert len(decoded) == 1


async def test_a_watch_line_is_built_once_for_all_watchers(cache: WatchCache) -> None:
    subscriptions = [cache.subscribe() for _ in range(3)]
    await put(cache, "/pods/a", v("a"))
    events = [(await subscription.next())[0] for subscription in subscriptions]
    lines = [event.line(event.type) for event in events]
    assert lines[0] is lines[1] is lines[2]
    assert msgspec.json.decode(lines[0])["type"] == "ADDED"


async def test_a_deleted_event_shows_the_last_state_with_the_deletes_revision(cache: WatchCache) -> None:
    subscription = cache.subscribe()
    first = await put(cache, "/pods/a", v("a"))
    gone = await cache.delete("/pods/a", first)
    await asyncio.sleep(0)
    added, deleted = await subscription.next()
    assert (added.type, deleted.type) == ("ADDED", "DELETED")
    shown = msgspec.json.decode(deleted.line("DELETED"))
    assert shown["object"]["metadata"] == {"resourceVersion": str(gone), "name": "a", "labels": {}}


async def test_an_object_that_starts_to_match_is_added_and_one_that_stops_is_deleted(cache: WatchCache) -> None:
    def red(item: Item) -> bool:
        return item.index.labels.get("color") == "red"

    subscription = cache.subscribe()
    await put(cache, "/pods/a", v("a", color="blue"))
    await put(cache, "/pods/a", v("a", color="red", n="1"))
    await put(cache, "/pods/a", v("a", color="red", n="2"))
    stopped = await put(cache, "/pods/a", v("a", color="blue"))
    await cache.delete("/pods/a", stopped)
    events = await subscription.next()
    assert [transition(event, red) for event in events] == [None, "ADDED", "MODIFIED", "DELETED", None]
    shown = msgspec.json.decode(events[3].line("DELETED"))["object"]["metadata"]
    assert shown == {"resourceVersion": str(stopped), "name": "a", "labels": {"color": "red", "n": "2"}}


async def test_watchers_of_other_prefixes_are_not_woken(cache: WatchCache) -> None:
    left, right = cache.subscribe("/pods/a/"), cache.subscribe("/pods/b/")
    waiting = asyncio.create_task(right.next())
    await asyncio.sleep(0)
    revision = await put(cache, "/pods/a/x", v("x"))
    assert [event.key for event in await left.next()] == ["/pods/a/x"]
    assert not waiting.done()
    assert right.revision == revision, "a bookmark may still say how far the store has come"
    await put(cache, "/pods/b/x", v("x"))
    assert [event.key for event in await waiting] == ["/pods/b/x"]


async def test_a_watcher_hears_nothing_until_its_timeout_and_may_go_on(cache: WatchCache) -> None:
    subscription = cache.subscribe()
    assert await subscription.next(timeout=0.001) == []
    assert not subscription.ended
    await put(cache, "/pods/a", v("a"))
    assert len(await subscription.next(timeout=60)) == 1


async def test_a_watch_from_before_the_window_is_served_from_the_store_without_gap(
    store: MemoryStore, cache: WatchCache
) -> None:
    start = cache.revision
    revisions = [await put(cache, f"/pods/{n:02}", v(str(n))) for n in range(20)]
    assert cache.statistics()["oldest_revision"] > start
    with cache.subscribe("", start) as subscription:
        await put(cache, "/pods/last", v("last"))
        seen: list[Event] = []
        while len(seen) < 21:
            seen += await subscription.next(timeout=5)
    assert [event.revision for event in seen[:20]] == revisions
    assert seen[-1].key == "/pods/last"
    assert seen[0].item is not None
    assert seen[0].item.index.fields == {"metadata.name": "0"}


async def test_a_page_from_before_the_window_is_served_from_the_store(cache: WatchCache) -> None:
    old = await put(cache, "/pods/a", v("old"))
    for number in range(20):
        await put(cache, "/pods/a", v(str(number)))
    page = await cache.items(revision=old)
    assert page.revision == old
    assert [item.index.fields["metadata.name"] for item in page.items] == ["old"]
    with pytest.raises(FutureRevisionError):
        await cache.items(revision=cache.revision + 1)


async def test_a_watch_from_a_compacted_revision_is_refused_at_once(store: MemoryStore, cache: WatchCache) -> None:
    start = cache.revision
    for number in range(20):
        await put(cache, f"/pods/{number}", v("x"))
    await store.compact(cache.revision)
    with pytest.raises(CompactedError):
        cache.subscribe("", start)


async def test_a_slow_watcher_is_cut_and_can_come_back_where_it_was(cache: WatchCache) -> None:
    slow = cache.subscribe()
    first = await put(cache, "/pods/0", v("x"))
    assert len(await slow.next()) == 1
    for number in range(1, 30):
        await put(cache, f"/pods/{number:02}", v("x"))
    with pytest.raises(LaggedError):
        await slow.next()
    assert slow.revision == first
    assert cache.statistics()["readers"] == 0
    with cache.subscribe("", slow.revision) as again:
        seen: list[Event] = []
        while len(seen) < 29:
            seen += await again.next(timeout=5)
    assert [event.revision for event in seen] == list(range(first + 1, first + 30))


async def test_the_window_is_bounded_by_count_and_by_bytes(store: MemoryStore) -> None:
    cache = WatchCache(store, "/pods/", history=1000, history_bytes=10_000)
    await cache.start()
    for number in range(50):
        await put(cache, "/pods/a", v("a" * 1000, n=str(number)))
    assert 5 < cache.statistics()["history"] < 12
    assert cache.statistics()["history_bytes"] <= 10_000
    await cache.close()


async def test_a_key_outside_of_the_prefix_is_refused(cache: WatchCache) -> None:
    with pytest.raises(ValueError, match="outside of this cache's prefix '/pods/'"):
        await cache.create("/nodes/a", v("a"))


async def test_a_value_that_cannot_be_served_breaks_the_cache_and_says_so(
    store: MemoryStore, cache: WatchCache
) -> None:
    subscription = cache.subscribe()
    waiting = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    await store.create("/pods/a", b"k8s\0")
    with pytest.raises(LaggedError):
        await waiting
    with pytest.raises(CacheBrokenError, match="storage-media-type"):
        cache.item("/pods/a")
    with pytest.raises(CacheBrokenError, match="storage-media-type"):
        await cache.create("/pods/b", v("b"))


async def test_a_cache_that_could_not_load_can_be_started_again(store: MemoryStore) -> None:
    revision = await made(await store.create("/pods/a", b"k8s\0"))
    cache = WatchCache(store, "/pods/")
    with pytest.raises(ForeignValueError):
        await cache.start()
    with pytest.raises(CacheBrokenError, match="storage-media-type"):
        cache.item("/pods/a")
    await store.delete("/pods/a", revision)
    await cache.start()
    assert cache.item("/pods/a") is None
    assert await made(await cache.create("/pods/a", v("a"))) == store.revision
    await cache.close()


async def test_a_closed_cache_serves_nothing(cache: WatchCache) -> None:
    await put(cache, "/pods/a", v("a"))
    waiting = asyncio.create_task(cache.reach(cache.revision + 1))
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(RuntimeError, match="closed"):
        cache.item("/pods/a")
    with pytest.raises(RuntimeError, match="closed"):
        await waiting


async def test_reaching_a_revision_waits_and_gives_up(store: MemoryStore, cache: WatchCache) -> None:
    revision = cache.revision
    await cache.reach(revision)
    waiting = asyncio.create_task(cache.reach(revision + 1))
    await asyncio.sleep(0)
    await put(cache, "/pods/a", v("a"))
    await waiting
    with pytest.raises(FutureRevisionError):
        await cache.reach(revision + 100, timeout=0.001)


async def test_closing_the_store_ends_watchers(store: MemoryStore, cache: WatchCache) -> None:
    subscription = cache.subscribe()
    await put(cache, "/pods/a", v("a"))
    await store.close()
    assert [len(batch) async for batch in subscription] == [1]
    assert subscription.ended


def test_a_cache_that_lagged_loads_again_and_cuts_its_watchers() -> None:
    async def main(clock: VirtualClock) -> None:
        store = MemoryStore(clock=clock)
        store._watchers._capacity = 5  # what the feed keeps for a slow cache
        cache = WatchCache(store, "/pods/")
        await cache.start()
        subscription = cache.subscribe()
        await asyncio.gather(*(store.create(f"/pods/{number:02}", v("x")) for number in range(30)))
        await clock.settle()
        assert len((await cache.items()).items) == 30
        assert cache.statistics()["loads"] == 2
        with pytest.raises(LaggedError):
            await subscription.next()
        await put(cache, "/pods/00", v("y"))
        item = cache.item("/pods/00")
        assert item is not None
        assert b'"y"' in item.body
        await cache.close()
        await store.close()

    virtual_run(main)


class Remote:
    """A store behind a wire: it offers the protocol and nothing else."""

    def __init__(self, inner: MemoryStore) -> None:
        self.create, self.update, self.delete = inner.create, inner.update, inner.delete
        self.get, self.range, self.compact, self.close = inner.get, inner.range, inner.compact, inner.close
        self.inner = inner
        self.compacted = asyncio.Event()

    @property
    def revision(self) -> int:
        return self.inner.revision

    @property
    def oldest(self) -> int:
        return self.inner.oldest

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[list[Change] | Progress]:
        async for batch in self.inner.watch(prefix, revision):
            if self.compacted.is_set():
                self.compacted.clear()
                raise CompactedError(revision, self.inner.revision)
            yield batch


def test_a_cache_of_a_shared_store_that_fell_behind_compaction_loads_again() -> None:
    async def main(clock: VirtualClock) -> None:
        store = Remote(MemoryStore(clock=clock))
        cache = WatchCache(store, "/pods/")
        await cache.start()
        await clock.settle()
        store.compacted.set()
        assert isinstance(await cache.create("/pods/a", v("a")), int)
        assert cache.item("/pods/a") is not None
        assert cache.statistics()["loads"] == 2
        other = await made(await store.create("/pods/b", v("b")))
        await cache.fresh()
        assert cache.revision >= other
        assert cache.item("/pods/b") is not None
        await cache.close()
        await store.close()

    virtual_run(main)


def test_starting_twice_loads_once() -> None:
    async def main(clock: VirtualClock) -> None:
        store = MemoryStore(clock=clock)
        cache = WatchCache(store, "/pods/")
        await asyncio.gather(*(cache.start() for _ in range(5)))
        assert cache.statistics()["loads"] == 1
        await cache.close()
        await store.close()

    virtual_run(main)
