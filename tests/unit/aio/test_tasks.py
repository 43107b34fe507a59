from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.aio.tasks import TaskFailedError, TaskScope


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def returns() -> int:
    return 7


async def raises() -> None:
    raise KeyError("lost")


async def block(start: Callable[[TaskScope], object], *, ends: BaseException | None = None) -> None:
    """A scope's block that calls `start`, and waits for ever or raises `ends`."""
    async with TaskScope("test") as scope:
        start(scope)
        if ends is not None:
            raise ends
        await forever()


async def test_leaving_a_scope_cancels_its_tasks_and_waits_for_them() -> None:
    cleaned = []

    async def cleans_up() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    async with TaskScope("test") as scope:
        scope.spawn_forever(cleans_up(), name="a")
        task = scope.spawn(cleans_up(), name="b")
        await asyncio.sleep(0)
        assert task.get_name() == "test/b"
        assert scope.statistics() == {"running": 2, "spawned": 2, "failed": 0}
    assert cleaned == [True, True]


async def test_a_task_that_returns_is_no_failure_and_its_result_can_be_awaited() -> None:
    async with TaskScope("test") as scope:
        assert await scope.spawn(returns(), name="a") == 7
        await scope.join()
        assert scope.statistics()["running"] == 0


async def test_a_task_that_raises_ends_the_block_and_comes_out_of_it() -> None:
    with pytest.raises(TaskFailedError, match=r"test/a: KeyError: 'lost'") as caught:
        await block(lambda scope: scope.spawn(raises(), name="a"))
    assert isinstance(caught.value.__cause__, KeyError)
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_an_eternal_task_that_returns_is_a_failure() -> None:
    with pytest.raises(TaskFailedError, match="returned, though it must run"):
        await block(lambda scope: scope.spawn_forever(returns(), name="a"))


async def test_an_eternal_task_that_is_cancelled_by_a_stranger_is_a_failure() -> None:
    with pytest.raises(TaskFailedError, match="was cancelled"):
        await block(lambda scope: scope.spawn_forever(forever(), name="a").cancel())


async def test_with_a_callback_the_owner_is_told_and_the_rest_goes_on() -> None:
    told: list[TaskFailedError] = []
    async with TaskScope("test", on_error=told.append) as scope:
        scope.spawn_forever(returns(), name="a")
        scope.spawn(raises(), name="b")
        other = scope.spawn(forever(), name="c")
        for _ in range(3):
            await asyncio.sleep(0)
        assert [failure.task for failure in told] == ["a", "b"]
        assert not other.done()


async def test_an_error_of_the_block_itself_goes_first() -> None:
    with pytest.raises(ValueError, match="mine"):
        await block(lambda scope: scope.spawn(raises(), name="a"), ends=ValueError("mine"))


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(block(lambda scope: scope.spawn_forever(forever(), name="a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failure_without_block_or_callback_comes_out_of_close() -> None:
    scope = TaskScope("test")
    scope.spawn(raises(), name="a")
    await asyncio.sleep(0)
    with pytest.raises(TaskFailedError):
        await scope.close()


async def test_a_closing_scope_takes_no_more_tasks() -> None:
    async with TaskScope("test") as scope:
        pass
    with pytest.raises(RuntimeError, match="closing"):
        scope.spawn(forever(), name="late")


def test_a_task_that_ignores_its_cancellation_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: VirtualClock) -> None:
        async def stubborn() -> None:
            try:
                await forever()
            except asyncio.CancelledError:
                await asyncio.sleep(25)

        async with TaskScope("test") as scope:
            scope.spawn(stubborn(), name="mule")
            await clock.settle()
        assert clock.monotonic() == 25

    virtual_run(main)
    assert "test/mule" in caplog.text
