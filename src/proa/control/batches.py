"""Doing the same thing many times, carefully: a slow start finds out with few requests that all of them would fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

INITIAL_BATCH = 1


async def slow_start(count: int, action: Callable[[], Awaitable[None]]) -> int:
    """Run `action` `count` times in concurrent batches of 1, 2, 4, ... and stop after a batch with a failure.

    Returns how many succeeded when all did; else raises the first failure, once its batch has ended.
    """
    done = 0
    size = INITIAL_BATCH
    while done < count:
        batch = min(size, count - done)
        results = await asyncio.gather(*(action() for _ in range(batch)), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        done += batch
        size *= 2
    return done
