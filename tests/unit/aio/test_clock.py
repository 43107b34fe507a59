from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from proa.aio.clock import EPOCH, DeadlockError, SystemClock, VirtualClock, virtual_run


def test_a_day_passes_in_no_time() -> None:
    async def main(clock: VirtualClock) -> datetime:
        await asyncio.sleep(86_400)
        return clock.now()

    start = datetime(2030, 5, 1, tzinfo=UTC)
    before = time.perf_counter()
    assert virtual_run(main, start=start) == start + timedelta(days=1)
    assert time.perf_counter() - before < 5


def test_sleepers_wake_in_the_order_of_their_times() -> None:
    async def main(clock: VirtualClock) -> list[tuple[float, str]]:
        seen = []

        async def sleeper(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            seen.append((clock.monotonic(), name))

        await asyncio.gather(sleeper(3, "c"), sleeper(1, "a"), sleeper(2, "b"))
        return seen

    assert virtual_run(main) == [(1, "a"), (2, "b"), (3, "c")]


def test_timeouts_are_virtual() -> None:
    async def main(clock: VirtualClock) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.get_running_loop().create_future()
        return clock.monotonic()

    assert virtual_run(main) == 30


def test_advancing_runs_what_falls_due_and_no_more() -> None:
    async def main(clock: VirtualClock) -> None:
        seen: list[float] = []

        async def ticker() -> None:
            while True:
                await asyncio.sleep(10)
                seen.append(clock.monotonic())

        task = asyncio.create_task(ticker())
        await clock.advance(35)
        assert seen == [10, 20, 30]
        assert clock.now() == EPOCH + timedelta(seconds=35)
        task.cancel()

    virtual_run(main)


def test_settling_lets_everything_run_without_time_passing() -> None:
    async def main(clock: VirtualClock) -> None:
        steps: list[int] = []

        async def chain() -> None:
            for number in range(100):
                await asyncio.sleep(0)
                steps.append(number)
            await asyncio.sleep(5)
            steps.append(-1)

        task = asyncio.create_task(chain())
        await clock.settle()
        assert steps == list(range(100))
        assert clock.monotonic() == 0
        await task

    virtual_run(main)


def test_waiting_for_what_can_never_happen_is_an_error_that_names_the_waiting() -> None:
    async def main(clock: VirtualClock) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("the lost one")
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError, match="the lost one"):
        virtual_run(main)


def test_threads_are_waited_for_in_real_time() -> None:
    async def main(clock: VirtualClock) -> float:
        asyncio.get_running_loop().call_later(1000, lambda: None)
        await asyncio.to_thread(time.sleep, 0.01)
        return clock.monotonic()

    assert virtual_run(main) == 0


def test_the_system_clock_is_aware_and_goes_on() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
    with pytest.raises(ValueError, match="aware"):
        virtual_run(lambda _: asyncio.sleep(0), start=datetime(2026, 1, 1))
