"""Owned tasks: every task belongs to a scope, a scope ends only when its tasks have, and no failure is lost.

`asyncio.create_task` forgets failures and leaks tasks past the life of what started them; `asyncio.TaskGroup` waits
for its tasks at the end, where a component's loops must be cancelled. Hence this scope. Not here: retrying (control,
client).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from proa.base.errors import ProaError

log = logging.getLogger(__name__)

T = TypeVar("T")

# A task that ignores its cancellation this long (seconds) is named in the log; the scope keeps waiting.
STUBBORN_AFTER = 10.0


class TaskFailedError(ProaError):
    """A task of a scope raised (`__cause__` is what it raised) or, being eternal, returned (`__cause__` is None)."""

    def __init__(self, scope: str, task: str, why: str) -> None:
        super().__init__(f"{scope}/{task}: {why}")
        self.scope = scope
        self.task = task


class TaskScope:
    """The owner of a set of named tasks: `async with TaskScope("kubelet") as scope: scope.spawn_forever(...)`.

    Leaving the block (or `close()`) cancels what still runs and waits for it. A task that raises, and an eternal one
    that ends at all, is a failure: `on_error` is called with it and the rest goes on; without `on_error` the first
    failure cancels the block and comes out of it as TaskFailedError. A scope may also be used without a block, by an
    object with its own start and close: a failure without `on_error` then comes out of `close()`.
    """

    def __init__(self, name: str, *, on_error: Callable[[TaskFailedError], None] | None = None) -> None:
        self.name = name
        self._on_error = on_error
        self._tasks: set[asyncio.Task[Any]] = set()
        self._eternal: set[asyncio.Task[Any]] = set()
        self._failure: TaskFailedError | None = None
        self._body: asyncio.Task[Any] | None = None
        self._body_cancelled = False
        self._closing = False
        self._spawned = 0
        self._failed = 0

    def spawn(self, coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run `coro` as a task of this scope; it may end at any time."""
        if self._closing:
            coro.close()
            raise RuntimeError(f"scope {self.name} is closing, it takes no task {name}")
        task = asyncio.get_running_loop().create_task(coro, name=f"{self.name}/{name}")
        self._spawned += 1
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def spawn_forever(self, coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run `coro` as a task that must last as long as the scope: its end, however it comes, is a failure."""
        task = self.spawn(coro, name=name)
        self._eternal.add(task)
        return task

    async def join(self) -> None:
        """Wait until every task that may end has ended."""
        while finite := self._tasks - self._eternal:
            await asyncio.wait(finite)

    async def close(self) -> None:
        """Cancel what runs and wait for it; raises the scope's failure when nobody else was told."""
        await self._cancel_and_wait()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def statistics(self) -> dict[str, int]:
        return {"running": len(self._tasks), "spawned": self._spawned, "failed": self._failed}

    async def __aenter__(self) -> TaskScope:
        self._body = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        body, self._body = self._body, None
        # Our own cancellation is taken back; one that came from outside as well still counts and goes on upwards.
        ours = self._body_cancelled and body is not None and body.uncancel() == 0
        await self._cancel_and_wait()
        if self._failure is not None and (error is None or (ours and kind is asyncio.CancelledError)):
            raise self._failure

    async def _cancel_and_wait(self) -> None:
        self._closing = True
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel(f"scope {self.name} closes")
        while others := self._tasks - {current} if current else self._tasks:
            _, pending = await asyncio.wait(others, timeout=STUBBORN_AFTER)
            if pending:
                log.warning("scope %s waits for cancelled tasks: %s", self.name, sorted(t.get_name() for t in pending))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        eternal = task in self._eternal
        self._eternal.discard(task)
        if task.cancelled():
            if eternal and not self._closing:
                self._fail(task, "was cancelled, though it must run as long as its scope", None)
            return
        error = task.exception()
        if error is not None:
            self._fail(task, f"{type(error).__name__}: {error}", error)
        elif eternal and not self._closing:
            self._fail(task, "returned, though it must run as long as its scope", None)

    def _fail(self, task: asyncio.Task[Any], why: str, cause: BaseException | None) -> None:
        self._failed += 1
        failure = TaskFailedError(self.name, task.get_name().removeprefix(f"{self.name}/"), why)
        failure.__cause__ = cause
        if self._on_error is not None:
            self._on_error(failure)
            return
        log.error("task %s failed: %s", task.get_name(), why, exc_info=cause)
        if self._failure is None:
            self._failure = failure
            if self._body is not None and not self._closing:
                self._body_cancelled = True
                self._body.cancel(f"{failure}")
