"""What the store costs: durable writes at 64 writers, the cache's reads and its fan-out.

python benches/store.py [--directory DIR] [--seconds S]

A plain script: it prints figures and asserts nothing about them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import uvloop

from proa.aio.queue import KeyedQueue
from proa.store.memory import MemoryStore
from proa.store.protocol import Store
from proa.store.sqlite import SqliteStore
from proa.store.watchcache import WatchCache

BODY = b'{"metadata":{"name":"pod","labels":{"app":"web"}},"spec":{"x":"%b"}}' % (b"y" * 2430)


def say(what: str, value: float, unit: str) -> None:
    print(f"{what:<66} {value:>12,.1f} {unit}", flush=True)


async def creates(store: Store, writers: int, seconds: float, *, busy: float = 0.0) -> tuple[float, float, float]:
    """(writes a second, median and 99th percentile latency in ms) with `busy` seconds of CPU beside each write."""
    end = time.perf_counter() + seconds
    latencies: list[float] = []

    async def writer(name: int) -> None:
        number = 0
        while (start := time.perf_counter()) < end:
            while busy and time.perf_counter() - start < busy:
                pass
            before = time.perf_counter()
            assert isinstance(await store.create(f"/registry/pods/ns-{name}/pod-{number}", BODY), int)
            latencies.append(time.perf_counter() - before)
            number += 1

    start = time.perf_counter()
    await asyncio.gather(*(writer(name) for name in range(writers)))
    rate = len(latencies) / (time.perf_counter() - start)
    return rate, statistics.median(latencies) * 1e3, statistics.quantiles(latencies, n=100)[98] * 1e3


async def updates(store: Store, writers: int, seconds: float) -> float:
    end = time.perf_counter() + seconds
    done = 0

    async def writer(name: int) -> None:
        nonlocal done
        revision = await store.create(f"/registry/leases/ns/{name}", BODY)
        while time.perf_counter() < end:
            assert isinstance(revision, int)
            revision = await store.update(f"/registry/leases/ns/{name}", BODY, revision)
            done += 1

    await asyncio.gather(*(writer(name) for name in range(writers)))
    return done / seconds


def per_call(call: Callable[[], object], rounds: int) -> float:
    """Microseconds a call."""
    start = time.perf_counter()
    for _ in range(rounds):
        call()
    return (time.perf_counter() - start) / rounds * 1e6


async def durable(directory: Path, seconds: float) -> None:
    for writers in (1, 8, 64, 256):
        store = await SqliteStore.open(directory / f"plain-{writers}")
        rate, median, high = await creates(store, writers, seconds)
        say(f"sqlite: durable creates of 2.5 KB, {writers} writers (p50 {median:.2f} p99 {high:.2f} ms)", rate, "/s")
        await store.close()
    store = await SqliteStore.open(directory / "cached")
    cache = WatchCache(store, "/registry/pods/")
    await cache.start()
    rate, median, high = await creates(cache, 64, seconds)
    say(f"sqlite + cache: durable creates, 64 writers (p50 {median:.2f} p99 {high:.2f} ms)", rate, "/s")
    await cache.close()
    await store.close()
    store = await SqliteStore.open(directory / "busy")
    cache = WatchCache(store, "/registry/pods/")
    await cache.start()
    rate, median, high = await creates(cache, 64, seconds, busy=150e-6)
    say(f"the same, each with 150 us of Python (p50 {median:.2f} p99 {high:.2f} ms)", rate, "/s")
    start = time.perf_counter()
    entries = len((await store.range("/registry/pods/")).entries)
    say(f"sqlite: range of everything ({entries} entries)", (time.perf_counter() - start) * 1e3, "ms")
    await cache.close()
    await store.close()
    store = await SqliteStore.open(directory / "updates", keep_revisions=10_000)
    say("sqlite: durable updates of 64 keys, 64 writers", await updates(store, 64, seconds), "/s")
    figures = store.statistics()
    say("  its file afterwards (10,000 revisions kept)", figures["file_bytes"] / 1e6, "MB")
    say("  its write-ahead log", figures["wal_bytes"] / 1e6, "MB")
    await store.close()


async def cached(directory: Path) -> None:
    store = await SqliteStore.open(directory / "memory")
    count = 16_000
    await asyncio.gather(
        *(store.create(f"/registry/pods/ns-{n % 20:02}/pod-{n:06}", BODY[:-3] + b'%06d"}}' % n) for n in range(count))
    )
    await store.close()
    store = await SqliteStore.open(directory / "memory")
    timed = WatchCache(store, "/registry/pods/")
    start = time.perf_counter()
    await timed.start()
    say(f"sqlite + cache: load {count} objects of 2.5 KB", (time.perf_counter() - start) * 1e3, "ms")
    await timed.close()
    cache = WatchCache(store, "/registry/pods/")
    gc.collect()
    tracemalloc.start()
    await cache.start()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bodies = sum(len(item.body) for item in (await cache.items()).items)
    say("  memory held beyond the bodies, each", (held - bodies) / count, "bytes")
    key = "/registry/pods/ns-03/pod-000003"
    assert cache.item(key)
    say("cache: get", per_call(lambda: cache.item(key), 200_000), "us")
    await cache.close()
    await store.close()


async def lists() -> None:
    source = MemoryStore()
    cache = WatchCache(source, "/registry/pods/")
    await cache.start()
    for number in range(16_000):
        await cache.create(f"/registry/pods/ns-{number % 20:02}/pod-{number:06}", BODY)

    async def timed(what: str, rounds: int, **at: object) -> None:
        start = time.perf_counter()
        for _ in range(rounds):
            page = await cache.items(**at)  # type: ignore[arg-type]
            b",".join([item.body for item in page.items])
        say(
            f"cache: list and join, {what} ({len(page.items)} items)",
            (time.perf_counter() - start) / rounds * 1e6,
            "us",
        )

    await timed("everything", 20)
    await timed("a namespace", 200, prefix="/registry/pods/ns-07/")
    await timed("a page of 500", 200, limit=500, after="/registry/pods/ns-07/")
    old = cache.revision
    for number in range(100):
        await cache.create(f"/registry/pods/ns-07/new-{number}", BODY)
    await timed("a page of 500, 100 writes ago", 200, limit=500, after="/registry/pods/ns-07/", revision=old)
    await cache.close()


async def fan_out() -> None:
    source = MemoryStore()
    cache = WatchCache(source, "/registry/pods/")
    await cache.start()
    watchers, events = 100, 2000
    got = 0

    async def watch() -> None:
        nonlocal got
        seen = 0
        with cache.subscribe() as subscription:
            while seen < events:
                for event in await subscription.next():
                    event.line(event.type)
                    seen += 1
        got += seen

    tasks = [asyncio.create_task(watch()) for _ in range(watchers)]
    await asyncio.sleep(0)
    start = time.process_time()
    for number in range(events):
        await cache.create(f"/registry/pods/ns/pod-{number:06}", BODY)
        await asyncio.sleep(0)  # every event by itself: the dearest case
    await asyncio.gather(*tasks)
    assert got == watchers * events
    spent = (time.process_time() - start) / events * 1e6
    say(f"cache: one event to {watchers} watchers, each woken for it", spent, "us")
    say("  for each watcher", spent / watchers, "us")
    await cache.close()


async def queue() -> None:
    work: KeyedQueue[int] = KeyedQueue("bench")
    rounds = 100_000
    start = time.perf_counter()
    for number in range(rounds):
        work.add(number)
        work.done(await work.get())
    say("keyed queue: add, get, done", (time.perf_counter() - start) / rounds * 1e6, "us")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", type=Path, help="where to put the databases (default: a temporary directory)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each load lasts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        await cached(Path(directory))
        await durable(Path(directory), options.seconds)
    await lists()
    await fan_out()
    await queue()


if __name__ == "__main__":
    uvloop.run(main())
