"""One writer, many readers, bounded: each reader sees every item published after it subscribed, in batches, or is cut.

The items live once, in one list shared by all readers. Publishing costs an append; the readers that wait are woken by
one loop callback for everything published in that turn of the loop. Not here: history for late subscribers (the watch
cache).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

from proa.base.errors import ProaError

T = TypeVar("T")


class LaggedError(ProaError):
    """The reader fell further behind than the broadcast keeps, and was cut."""


class Broadcast(Generic[T]):
    """Keeps at least the newest `capacity` items for readers that have not taken them yet (at most twice as many)."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self._items: list[T] = []
        self._head = 0  # number of items ever published; the newest has number _head - 1
        self._readers: set[Reader[T]] = set()
        self._waiting: list[tuple[Reader[T], asyncio.Future[None]]] = []
        self._wake_scheduled = False
        self._closed = False
        self._lagged = 0

    @property
    def readers(self) -> int:
        return len(self._readers)

    def publish(self, items: Sequence[T]) -> None:
        """Append `items` for every reader; from the loop's thread."""
        if not self._readers or not items:
            return
        if not self._wake_scheduled and len(self._waiting) == len(self._readers):
            self._items.clear()  # every reader has taken everything: nothing old is kept for nobody
        self._items.extend(items)
        self._head += len(items)
        if len(self._items) > 2 * self.capacity:
            del self._items[: -self.capacity]
        self._schedule_wake()

    def subscribe(self) -> Reader[T]:
        """A reader of everything published from now on."""
        reader = Reader(self, self._head)
        self._readers.add(reader)
        return reader

    def close(self) -> None:
        """End every reader once it has taken what was published."""
        self._closed = True
        self._schedule_wake()

    def statistics(self) -> dict[str, int]:
        return {
            "readers": len(self._readers),
            "waiting": len(self._waiting),
            "kept": len(self._items),
            "published": self._head,
            "lagged": self._lagged,
        }

    def _schedule_wake(self) -> None:
        if self._waiting and not self._wake_scheduled:
            self._wake_scheduled = True
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self._wake_scheduled = False
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_result(None)


class Reader(Generic[T]):
    """One reader's place. Iterate over it for batches, or call `take()`; `close()` when done with it."""

    __slots__ = ("_broadcast", "_position")

    def __init__(self, broadcast: Broadcast[T], position: int) -> None:
        self._broadcast = broadcast
        self._position = position

    @property
    def behind(self) -> int:
        """How many items wait to be taken."""
        return self._broadcast._head - self._position

    def take(self) -> list[T]:
        """What was published since the last call, possibly nothing. Raises LaggedError when some of it is gone."""
        source = self._broadcast
        behind = source._head - self._position
        if behind == 0:
            return []
        if behind > len(source._items):
            source._lagged += 1
            self.close()
            raise LaggedError(f"reader is {behind} items behind, {len(source._items)} are kept")
        self._position = source._head
        return source._items[-behind:]

    async def wait(self) -> None:
        """Return when there is something to take or the broadcast is closed."""
        source = self._broadcast
        if source._head != self._position or source._closed or self not in source._readers:
            return
        future = asyncio.get_running_loop().create_future()
        entry = (self, future)
        source._waiting.append(entry)
        try:
            await future
        except asyncio.CancelledError:
            if entry in source._waiting:
                source._waiting.remove(entry)
            raise

    def close(self) -> None:
        """Leave; a task waiting in `wait` (there should be none) is woken."""
        source = self._broadcast
        source._readers.discard(self)
        for entry in [e for e in source._waiting if e[0] is self]:
            source._waiting.remove(entry)
            if not entry[1].done():
                entry[1].set_result(None)

    async def __aiter__(self) -> AsyncIterator[list[T]]:
        """Batches until the broadcast closes."""
        source = self._broadcast
        try:
            while True:
                await self.wait()
                if batch := self.take():
                    yield batch
                elif source._closed or self not in source._readers:
                    return
        finally:
            self.close()
