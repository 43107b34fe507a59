from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.aio.backoff import Backoff
from proa.aio.clock import VirtualClock, virtual_run
from proa.aio.queue import KeyedQueue, QueueShutDownError


async def test_keys_come_out_in_the_order_they_were_added() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for key in "abc":
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]


async def test_a_key_added_again_while_queued_is_the_same_one() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0
    assert queue.statistics()["coalesced"] == 1


async def test_a_key_added_while_in_progress_comes_again_once_after_done() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert len(queue) == 1
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_waiting_worker_is_woken_and_a_cancelled_one_loses_no_key() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


def test_of_several_delays_the_earliest_counts() -> None:
    async def main(clock: VirtualClock) -> list[float]:
        queue: KeyedQueue[str] = KeyedQueue()
        queue.add_after("a", 10)
        queue.add_after("a", 3)
        queue.add_after("a", 20)
        seen = []
        await queue.get()
        seen.append(clock.monotonic())
        queue.done("a")
        await clock.advance(60)
        assert queue.statistics()["delayed"] == len(queue) == 0
        return seen

    assert virtual_run(main) == [3]


def test_rate_limited_keys_back_off_from_5_ms_to_1000_s_until_forgotten() -> None:
    async def main(clock: VirtualClock) -> None:
        queue: KeyedQueue[str] = KeyedQueue()
        delays = [queue.add_rate_limited("a") for _ in range(20)]
        assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
        assert delays[-1] == 1000
        assert queue.failures("a") == 20
        queue.forget("a")
        assert queue.add_rate_limited("a") == 0.005
        assert queue.add_rate_limited("b") == 0.005

    virtual_run(main)


async def test_a_shut_down_queue_hands_out_what_it_has_and_drains() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a")
    queue.add_after("later", 60)
    draining = asyncio.create_task(queue.drain())
    await asyncio.sleep(0)
    queue.add("b")
    assert await queue.get() == "a"
    assert not draining.done()
    queue.done("a")
    await draining
    with pytest.raises(QueueShutDownError):
        await queue.get()
    assert queue.statistics()["delayed"] == 0


async def test_shutting_down_wakes_waiting_workers() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.shut_down()
    assert [type(result) for result in await asyncio.gather(*workers, return_exceptions=True)] == [
        QueueShutDownError
    ] * 3


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 3)), max_size=60), st.integers(1, 4))
def test_no_key_is_worked_on_twice_at_once_and_none_is_lost(adds: list[tuple[int, float]], workers: int) -> None:
    async def main(clock: VirtualClock) -> None:
        queue: KeyedQueue[int] = KeyedQueue()
        busy: set[int] = set()
        worked_at: dict[int, float] = {}
        added_at: dict[int, float] = {}

        async def worker() -> None:
            while True:
                key = await queue.get()
                assert key not in busy
                busy.add(key)
                worked_at[key] = clock.monotonic()
                await asyncio.sleep(0.7)
                busy.remove(key)
                queue.done(key)

        tasks = [asyncio.create_task(worker()) for _ in range(workers)]
        for key, pause in adds:
            queue.add(key)
            added_at[key] = clock.monotonic()
            await asyncio.sleep(pause)
        await clock.advance(100)
        for key, when in added_at.items():
            assert worked_at[key] >= when
        queue.shut_down()
        await asyncio.gather(*tasks, return_exceptions=True)

    virtual_run(main)


def test_backoff_stretches_by_its_jitter_and_stops_at_its_cap() -> None:
    backoff = Backoff(base=1, factor=2, cap=10, jitter=0.5, random=lambda: 0.5)
    assert [backoff.delay(n) for n in (0, 1, 2, 3, 4, 5000)] == [1.25, 2.5, 5, 10, 12.5, 12.5]
    with pytest.raises(ValueError, match="cap >= base"):
        Backoff(base=2, cap=1)
