"""What every store promises, whichever it is: memory, sqlite, and the watch cache in front of each."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.store.memory import MemoryStore
from proa.store.protocol import (
    Change,
    CompactedError,
    Conflict,
    Entry,
    FutureRevisionError,
    Page,
    Progress,
    Store,
)
from proa.store.sqlite import SqliteStore
from proa.store.watchcache import WatchCache

Open = Callable[[VirtualClock], Awaitable[Store]]


class Remote:
    """A store behind a wire: it offers the protocol and nothing else, as one shared with other processes does."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner
        self.create = inner.create
        self.update = inner.update
        self.delete = inner.delete
        self.get = inner.get
        self.range = inner.range
        self.watch = inner.watch
        self.compact = inner.compact
        self.close = inner.close

    @property
    def revision(self) -> int:
        return self._inner.revision

    @property
    def oldest(self) -> int:
        return self._inner.oldest


async def _cached(store: Store) -> WatchCache:
    cache = WatchCache(store, "/")
    await cache.start()
    return cache


@pytest.fixture(params=["memory", "sqlite", "memory+cache", "sqlite+cache", "remote+cache"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """How to open a new empty store."""
    backend, _, cache = request.param.partition("+")

    async def open_store(clock: VirtualClock) -> Store:
        store: Store
        if backend == "sqlite":
            store = await SqliteStore.open(tmp_path / "store", clock=clock)
        else:
            store = MemoryStore(clock=clock)
            if backend == "remote":
                store = Remote(store)
        return Stacked(await _cached(store), store) if cache else store

    return open_store


class Stacked(WatchCache):
    """A cache that closes what is under it, as its process would."""

    def __init__(self, cache: WatchCache, under: Store) -> None:
        self.__dict__ = cache.__dict__
        self._under = under

    async def close(self) -> None:
        await super().close()
        await self._under.close()


Body = Callable[[Store, VirtualClock], Coroutine[Any, Any, None]]


def store_test(body: Body) -> Callable[[Open], None]:
    """Run `body` with a new store under virtual time."""

    def run(opened: Open) -> None:
        async def main(clock: VirtualClock) -> None:
            store = await opened(clock)
            try:
                await body(store, clock)
            finally:
                await store.close()

        virtual_run(main)

    run.__name__, run.__doc__ = body.__name__, body.__doc__
    return run


def v(name: str) -> bytes:
    """A value as we write them."""
    return b'{"metadata":{"name":"%b"}}' % name.encode()


async def made(result: Awaitable[int | Conflict]) -> int:
    revision = await result
    assert isinstance(revision, int), revision
    return revision


async def reached(store: Store, revision: int) -> None:
    """Return when others have brought the store to `revision`."""
    if store.revision < revision:
        await collect(store.watch("/", store.revision), revision)


async def keys(store: Store, prefix: str, **at: Any) -> list[str]:
    return [entry.key for entry in (await store.range(prefix, **at)).entries]


async def collect(watch: AsyncIterator[list[Change] | Progress], until: int) -> list[Change]:
    """The changes of `watch` up to revision `until`, in the order they came."""
    seen: list[Change] = []
    async with aclosing(watch) as batches:  # type: ignore[type-var]
        async for batch in batches:
            if isinstance(batch, Progress):
                if batch.revision >= until:
                    return seen
                continue
            seen += batch
            if batch[-1].revision >= until:
                return seen
    raise AssertionError(f"the watch ended before {until}")


@store_test
async def test_an_empty_store_has_a_revision_above_zero(store: Store, clock: VirtualClock) -> None:
    page = await store.range("/a/")
    assert page.entries == []
    assert page.remaining == 0
    assert page.revision == store.revision > 0


@store_test
async def test_a_created_key_is_read_back_byte_for_byte(store: Store, clock: VirtualClock) -> None:
    value = b'{"metadata":{"name":"a","labels":{}},"data":{"x":"\\u00e4\xc3\xa4","y":"}{"}}'
    revision = await made(store.create("/a/x", value))
    assert await store.get("/a/x") == Entry("/a/x", value, revision)
    assert await store.get("/a/y") is None


@store_test
async def test_empty_metadata_is_read_back_byte_for_byte(store: Store, clock: VirtualClock) -> None:
    revision = await made(store.create("/a/x", b'{"metadata":{}}'))
    assert await store.get("/a/x") == Entry("/a/x", b'{"metadata":{}}', revision)


@store_test
async def test_revisions_increase_over_all_keys_and_kinds_of_write(store: Store, clock: VirtualClock) -> None:
    seen = [store.revision]
    for number in range(5):
        key = f"/{number}/x"
        seen.append(await made(store.create(key, v("1"))))
        seen.append(await made(store.update(key, v("2"), seen[-1])))
        seen.append(await made(store.delete(key, seen[-1])))
        assert store.revision == seen[-1]
    assert seen == sorted(set(seen))


@store_test
async def test_creating_a_key_that_is_there_is_a_conflict_with_what_it_holds(store: Store, clock: VirtualClock) -> None:
    revision = await made(store.create("/a/x", v("1")))
    assert await store.create("/a/x", v("2")) == Conflict(Entry("/a/x", v("1"), revision))
    assert store.revision == revision


@store_test
async def test_updating_at_another_revision_is_a_conflict(store: Store, clock: VirtualClock) -> None:
    first = await made(store.create("/a/x", v("1")))
    second = await made(store.update("/a/x", v("2"), first))
    assert await store.update("/a/x", v("3"), first) == Conflict(Entry("/a/x", v("2"), second))
    assert await store.update("/a/y", v("3"), first) == Conflict(None)
    assert await store.get("/a/x") == Entry("/a/x", v("2"), second)


@store_test
async def test_deleting_at_another_revision_is_a_conflict(store: Store, clock: VirtualClock) -> None:
    first = await made(store.create("/a/x", v("1")))
    second = await made(store.update("/a/x", v("2"), first))
    assert await store.delete("/a/x", first) == Conflict(Entry("/a/x", v("2"), second))
    await made(store.delete("/a/x", second))
    assert await store.delete("/a/x", second) == Conflict(None)
    assert await store.get("/a/x") is None


@store_test
async def test_a_deleted_key_can_be_created_again(store: Store, clock: VirtualClock) -> None:
    first = await made(store.create("/a/x", v("1")))
    gone = await made(store.delete("/a/x", first))
    again = await made(store.create("/a/x", v("2")))
    assert first < gone < again
    assert await store.update("/a/x", v("3"), first) == Conflict(Entry("/a/x", v("2"), again))


@store_test
async def test_of_many_concurrent_writers_of_one_revision_one_wins(store: Store, clock: VirtualClock) -> None:
    revision = await made(store.create("/a/x", v("0")))
    results = await asyncio.gather(*(store.update("/a/x", v(str(n)), revision) for n in range(1, 30)))
    won = [(n, result) for n, result in enumerate(results, 1) if isinstance(result, int)]
    assert len(won) == 1
    entry = Entry("/a/x", v(str(won[0][0])), won[0][1])
    assert await store.get("/a/x") == entry
    assert all(result == Conflict(entry) for result in results if not isinstance(result, int))


@store_test
async def test_of_many_concurrent_creates_of_one_key_one_wins(store: Store, clock: VirtualClock) -> None:
    results = await asyncio.gather(*(store.create("/a/x", v(str(n))) for n in range(30)))
    assert sum(isinstance(result, int) for result in results) == 1


@store_test
async def test_a_write_is_seen_by_the_next_read(store: Store, clock: VirtualClock) -> None:
    async def writer(name: str) -> None:
        revision = await made(store.create(f"/a/{name}", v("0")))
        for number in range(10):
            assert await store.get(f"/a/{name}") == Entry(f"/a/{name}", v(str(number)), revision)
            revision = await made(store.update(f"/a/{name}", v(str(number + 1)), revision))
            page = await store.range(f"/a/{name}")
            assert page.entries == [Entry(f"/a/{name}", v(str(number + 1)), revision)]
            assert page.revision >= revision

    await asyncio.gather(*(writer(f"w{n}x") for n in range(10)))


@store_test
async def test_a_range_is_in_key_order_and_within_its_prefix(store: Store, clock: VirtualClock) -> None:
    for key in ("/b/x", "/a/b/z", "/a/ä", "/a/b", "/a/\U0001f6f6", "/ab/x", "/a/a", "/a/\uffff"):
        await made(store.create(key, v("1")))
    assert await keys(store, "/a/") == ["/a/a", "/a/b", "/a/b/z", "/a/ä", "/a/\uffff", "/a/\U0001f6f6"]
    assert await keys(store, "/a/b") == ["/a/b", "/a/b/z"]
    assert len(await keys(store, "/")) == 8


@store_test
async def test_a_range_is_read_in_pages(store: Store, clock: VirtualClock) -> None:
    for number in range(7):
        await made(store.create(f"/a/{number}", v("1")))
    await made(store.create("/b/0", v("1")))
    page = await store.range("/a/", limit=3)
    assert ([entry.key for entry in page.entries], page.remaining) == (["/a/0", "/a/1", "/a/2"], 4)
    page = await store.range("/a/", limit=3, after="/a/2")
    assert ([entry.key for entry in page.entries], page.remaining) == (["/a/3", "/a/4", "/a/5"], 1)
    page = await store.range("/a/", limit=3, after="/a/5")
    assert ([entry.key for entry in page.entries], page.remaining) == (["/a/6"], 0)
    page = await store.range("/a/", limit=3, after="/a/6")
    assert (page.entries, page.remaining) == ([], 0)


@store_test
async def test_pages_at_one_revision_show_the_state_of_that_revision(store: Store, clock: VirtualClock) -> None:
    choose = random.Random(7)
    states: dict[int, dict[str, Entry]] = {}
    state: dict[str, Entry] = {}
    for step in range(150):
        key = f"/a/{choose.randrange(20):02}" if step % 5 else f"/b/{choose.randrange(5)}"
        current = state.get(key)
        if current is None:
            revision = await made(store.create(key, v(str(step))))
            state[key] = Entry(key, v(str(step)), revision)
        elif choose.random() < 0.4:
            revision = await made(store.delete(key, current.revision))
            del state[key]
        else:
            revision = await made(store.update(key, v(str(step)), current.revision))
            state[key] = Entry(key, v(str(step)), revision)
        states[revision] = dict(state)
    for revision in choose.sample(sorted(states), 40):
        want = [entry for key, entry in sorted(states[revision].items()) if key.startswith("/a/")]
        whole = await store.range("/a/", revision=revision)
        assert whole == Page(want, revision, 0)
        got: list[Entry] = []
        after = ""
        while True:
            page = await store.range("/a/", limit=3, after=after, revision=revision)
            got += page.entries
            assert page.remaining == len(want) - len(got)
            if not page.remaining:
                break
            after = page.entries[-1].key
        assert got == want


@store_test
async def test_a_range_in_the_future_is_refused(store: Store, clock: VirtualClock) -> None:
    revision = await made(store.create("/a/x", v("1")))
    with pytest.raises(FutureRevisionError) as caught:
        await store.range("/a/", revision=revision + 1)
    assert (caught.value.requested, caught.value.current) == (revision + 1, revision)


@store_test
async def test_compaction_forgets_the_past_and_keeps_the_present(store: Store, clock: VirtualClock) -> None:
    first = await made(store.create("/a/x", v("1")))
    await made(store.create("/a/untouched", v("1")))
    second = await made(store.update("/a/x", v("2"), first))
    third = await made(store.update("/a/x", v("3"), second))
    await store.compact(second)
    with pytest.raises(CompactedError) as caught:
        await store.range("/a/", revision=first)
    assert (caught.value.requested, caught.value.oldest) == (first, second)
    assert store.oldest == second
    with pytest.raises(CompactedError):
        await collect(store.watch("/a/", first), third)
    assert [e.value for e in (await store.range("/a/", revision=second)).entries] == [v("1"), v("2")]
    assert [e.value for e in (await store.range("/a/")).entries] == [v("1"), v("3")]
    changes = await collect(store.watch("/a/", second), third)
    assert changes == [Change("/a/x", v("3"), third, Entry("/a/x", v("2"), second))]


@store_test
async def test_compacting_twice_and_backwards_is_harmless(store: Store, clock: VirtualClock) -> None:
    first = await made(store.create("/a/x", v("1")))
    second = await made(store.delete("/a/x", first))
    third = await made(store.create("/a/x", v("3")))
    await store.compact(third)
    await store.compact(second)
    await store.compact(third)
    assert store.revision == third
    assert (await store.range("/a/", revision=third)).entries == [Entry("/a/x", v("3"), third)]
    with pytest.raises(CompactedError):
        await store.range("/a/", revision=second)


@store_test
async def test_compaction_of_a_delete_does_not_lose_the_revision(store: Store, clock: VirtualClock) -> None:
    first = await made(store.create("/a/x", v("1")))
    second = await made(store.delete("/a/x", first))
    await store.compact(second)
    assert store.revision == second
    assert (await store.range("/")).revision == second
    assert await made(store.create("/a/x", v("1"))) > second


@store_test
async def test_a_watch_tells_what_a_write_was_and_what_it_replaced(store: Store, clock: VirtualClock) -> None:
    start = store.revision
    first = await made(store.create("/a/x", v("1")))
    second = await made(store.update("/a/x", v("2"), first))
    third = await made(store.delete("/a/x", second))
    assert await collect(store.watch("/a/", start), third) == [
        Change("/a/x", v("1"), first, None),
        Change("/a/x", v("2"), second, Entry("/a/x", v("1"), first)),
        Change("/a/x", None, third, Entry("/a/x", v("2"), second)),
    ]


@store_test
async def test_a_watch_sees_only_its_prefix(store: Store, clock: VirtualClock) -> None:
    start = store.revision
    for key in ("/a/x", "/b/x", "/a", "/ab/x", "/a/y"):
        last = await made(store.create(key, v("1")))
    assert [change.key for change in await collect(store.watch("/a/", start), last)] == ["/a/x", "/a/y"]


@store_test
async def test_watches_have_no_gaps_and_no_duplicates_under_concurrent_writes(
    store: Store, clock: VirtualClock
) -> None:
    start = store.revision
    total = 10 * 20

    async def writer(number: int) -> None:
        revision = await made(store.create(f"/{'ab'[number % 2]}/{number}", v("0")))
        for step in range(19):
            revision = await made(store.update(f"/{'ab'[number % 2]}/{number}", v(str(step)), revision))

    async def watcher(prefix: str, late: int) -> list[int]:
        await reached(store, start + late)
        seen = await collect(store.watch(prefix, start), start + total)
        states: dict[str, Entry] = {}
        for change in seen:
            assert change.previous == states.get(change.key)
            assert change.value is not None
            states[change.key] = Entry(change.key, change.value, change.revision)
        return [change.revision for change in seen]

    watchers = [
        asyncio.create_task(watcher(prefix, late)) for prefix in ("/", "/a/", "/b/") for late in (0, 1, 50, 150)
    ]
    await asyncio.sleep(0)
    await asyncio.gather(*(writer(number) for number in range(10)))
    await made(store.create("/a/last", v("0")))
    await made(store.create("/b/last", v("0")))
    seen = await asyncio.gather(*watchers)
    whole, left, right = seen[0:4], seen[4:8], seen[8:12]
    assert all(revisions[:total] == list(range(start + 1, start + total + 1)) for revisions in whole)
    for a, b in zip(left, right, strict=True):
        both = [revision for revision in a + b if revision <= start + total]
        assert sorted(both) == list(range(start + 1, start + total + 1))
        assert a == sorted(a)
        assert b == sorted(b)


@store_test
async def test_list_then_watch_has_no_gap(store: Store, clock: VirtualClock) -> None:
    async def writer() -> None:
        for number in range(60):
            await made(store.create(f"/a/{number:03}", v("0")))

    writing = asyncio.create_task(writer())
    await reached(store, 20)
    page = await store.range("/a/")
    listed = [entry.key for entry in page.entries]
    watch = store.watch("/a/", page.revision)
    await writing
    watched = [change.key for change in await collect(watch, store.revision)]
    assert listed + watched == [f"/a/{number:03}" for number in range(60)]


@store_test
async def test_a_watch_from_the_future_waits_for_what_comes_after_it(store: Store, clock: VirtualClock) -> None:
    start = store.revision
    watch = asyncio.create_task(collect(store.watch("/a/", start + 2), start + 3))
    await clock.settle()
    for name in ("x", "y", "z"):
        await made(store.create(f"/a/{name}", v("1")))
    assert [change.key for change in await watch] == ["/a/z"]


@store_test
async def test_a_watch_of_a_quiet_prefix_is_told_of_progress(store: Store, clock: VirtualClock) -> None:
    watch = aiter(store.watch("/quiet/", store.revision))
    assert await anext(watch) == Progress(store.revision)
    waiting = asyncio.create_task(anext(watch))  # type: ignore[arg-type]
    await clock.settle()
    last = await made(store.create("/busy/x", v("1")))
    await clock.advance(30)
    assert waiting.result() == Progress(last)
    await watch.aclose()  # type: ignore[attr-defined]


@store_test
async def test_progress_is_never_ahead_of_what_was_delivered(store: Store, clock: VirtualClock) -> None:
    start = store.revision

    async def writer() -> None:
        for number in range(40):
            await made(store.create(f"/{'ab'[number % 2]}/{number}", v("1")))
            await asyncio.sleep(1)

    writing = asyncio.create_task(writer())
    reached = start
    seen = 0
    async with aclosing(store.watch("/a/", start)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            if isinstance(batch, Progress):
                assert batch.revision >= reached
                reached = batch.revision
            else:
                assert batch[0].revision > reached
                reached = batch[-1].revision
                seen += len(batch)
                if seen == 20:
                    break
    await writing


@store_test
async def test_a_key_with_a_ttl_is_deleted_when_it_is_over(store: Store, clock: VirtualClock) -> None:
    start = store.revision
    revision = await made(store.create("/a/x", v("1"), ttl=60))
    await clock.advance(59)
    assert await store.get("/a/x") is not None
    await clock.advance(2)
    assert await store.get("/a/x") is None
    changes = await collect(store.watch("/a/", start), revision + 1)
    assert changes[-1] == Change("/a/x", None, revision + 1, Entry("/a/x", v("1"), revision))


@store_test
async def test_an_update_sets_a_new_ttl_or_none(store: Store, clock: VirtualClock) -> None:
    x = await made(store.create("/a/x", v("1"), ttl=60))
    y = await made(store.create("/a/y", v("1"), ttl=60))
    await clock.advance(30)
    await made(store.update("/a/x", v("2"), x, ttl=60))
    await made(store.update("/a/y", v("2"), y))
    await clock.advance(45)
    assert await keys(store, "/a/") == ["/a/x", "/a/y"]
    await clock.advance(30)
    assert await keys(store, "/a/") == ["/a/y"]
    await clock.advance(3600)
    assert await keys(store, "/a/") == ["/a/y"]


@store_test
async def test_closing_ends_watches(store: Store, clock: VirtualClock) -> None:
    async def consume() -> None:
        async for _ in store.watch("/a/", store.revision):
            pass

    watching = asyncio.create_task(consume())
    await clock.settle()
    await store.close()
    await watching


@store_test
async def test_a_closed_store_refuses_writes(store: Store, clock: VirtualClock) -> None:
    await store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.create("/a/x", v("1"))
