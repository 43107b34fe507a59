from __future__ import annotations

import asyncio

import pytest

from proa.aio.broadcast import Broadcast, LaggedError


async def test_every_reader_gets_every_item_in_batches() -> None:
    source: Broadcast[int] = Broadcast(100)
    readers = [source.subscribe() for _ in range(3)]
    tasks = [asyncio.ensure_future(anext(reader)) for reader in readers]
    await asyncio.sleep(0)
    source.publish([1, 2])
    source.publish([3])
    assert await asyncio.gather(*tasks) == [[1, 2, 3]] * 3
    source.publish([4])
    assert [reader.take() for reader in readers] == [[4]] * 3
    assert [reader.take() for reader in readers] == [[]] * 3


async def test_a_reader_sees_nothing_from_before_it_subscribed() -> None:
    source: Broadcast[int] = Broadcast(100)
    first = source.subscribe()
    source.publish([1])
    second = source.subscribe()
    source.publish([2])
    assert (first.take(), second.take()) == ([1, 2], [2])


async def test_a_slow_reader_is_cut_and_the_others_go_on() -> None:
    source: Broadcast[int] = Broadcast(10)
    slow, quick = source.subscribe(), source.subscribe()
    got = []
    for number in range(50):
        source.publish([number])
        got += quick.take()
    assert got == list(range(50))
    with pytest.raises(LaggedError):
        slow.take()
    assert source.readers == 1
    assert source.statistics()["lagged"] == 1


async def test_a_reader_within_capacity_is_never_cut() -> None:
    source: Broadcast[int] = Broadcast(10)
    reader = source.subscribe()
    for start in range(0, 1000, 10):
        source.publish(list(range(start, start + 10)))
        assert reader.take() == list(range(start, start + 10))


async def test_nothing_is_kept_once_every_reader_has_it() -> None:
    source: Broadcast[int] = Broadcast(10)
    reader = source.subscribe()
    for _ in range(3):
        task = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        source.publish([1])
        await task
    assert source.statistics()["kept"] == 1


async def test_closing_ends_readers_after_what_was_published() -> None:
    source: Broadcast[int] = Broadcast(10)
    reader = source.subscribe()
    source.publish([1])
    source.close()
    assert [batch async for batch in reader] == [[1]]


async def test_waiting_ends_at_its_timeout() -> None:
    source: Broadcast[int] = Broadcast(10)
    reader = source.subscribe()
    await reader.wait(0.001)
    assert reader.take() == []
    assert source.statistics()["waiting"] == 0


async def test_a_cancelled_reader_leaves_no_trace() -> None:
    empty = []
    source: Broadcast[int] = Broadcast(10, on_empty=lambda: empty.append(True))
    reader = source.subscribe()
    task = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    reader.close()
    assert source.statistics()["waiting"] == source.readers == 0
    assert empty == [True]


async def test_readers_are_cut_when_the_publisher_lost_items() -> None:
    source: Broadcast[int] = Broadcast(10)
    reader = source.subscribe()
    task = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    source.cut()
    with pytest.raises(LaggedError):
        await task
