"""One writer, many readers, bounded: each reader sees every item published after it subscribed, in batches, or is cut.

The items live once, in one list shared by all readers. Publishing costs an append, and waking the readers that wait; a
reader still busy with its last batch costs nothing and finds everything published meanwhile in its next. Not here:
history for late subscribers (the watch cache).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from proa.base.errors import ProaError

T = TypeVar("T")


class LaggedError(ProaError):
    """The reader was cut: it fell further behind than is kept, or the publisher lost items itself."""


class Broadcast(Generic[T]):
    """Keeps at least the newest `capacity` items for readers that have not taken them yet (at most twice as many).

    All methods are for the loop's thread. `on_empty` is called when the last reader has left.
    """

    def __init__(self, capacity: int, *, on_empty: Callable[[], None] | None = None) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self._on_empty = on_empty
        self._items: list[T] = []
        self._head = 0  # how many items were ever published
        self._readers: set[Reader[T]] = set()
        self._waiting: dict[Reader[T], asyncio.Future[None]] = {}
        self._closed = False
        self._lagged = 0

    @property
    def readers(self) -> int:
        return len(self._readers)

    def publish(self, items: Sequence[T]) -> None:
        """Append `items` for every reader."""
        if not self._readers or not items:
            return
        kept = self._items
        if len(self._waiting) == len(self._readers):
            kept.clear()  # every reader has taken everything: nothing old is kept for nobody
        kept.extend(items)
        self._head += len(items)
        if len(kept) > 2 * self.capacity:
            del kept[: -self.capacity]
        self._wake()

    def subscribe(self) -> Reader[T]:
        """A reader of everything published from now on."""
        reader = Reader(self, self._head)
        self._readers.add(reader)
        return reader

    def cut(self) -> None:
        """Cut every reader: each gets LaggedError once it asks for more. For a publisher that lost items itself."""
        self._lagged += len(self._readers)
        for reader in tuple(self._readers):
            reader._cut = True
            reader.close()

    def close(self) -> None:
        """End every reader once it has taken what was published."""
        self._closed = True
        self._wake()

    def statistics(self) -> dict[str, int]:
        return {
            "readers": len(self._readers),
            "waiting": len(self._waiting),
            "kept": len(self._items),
            "published": self._head,
            "lagged": self._lagged,
        }

    def _wake(self) -> None:
        if self._waiting:
            for future in self._waiting.values():
                if not future.done():
                    future.set_result(None)
            self._waiting.clear()


class Reader(Generic[T]):
    """One reader's place, for one task: iterate over it for batches, or `wait` and `take`; `close()` it when done."""

    __slots__ = ("_broadcast", "_cut", "_position")

    def __init__(self, broadcast: Broadcast[T], position: int) -> None:
        self._broadcast = broadcast
        self._position = position
        self._cut = False

    @property
    def behind(self) -> int:
        """How many items wait to be taken."""
        return self._broadcast._head - self._position

    @property
    def ended(self) -> bool:
        """Nothing more will come after what can be taken now."""
        return self._broadcast._closed or self not in self._broadcast._readers

    def take(self) -> list[T]:
        """What was published since the last call, possibly nothing. Raises LaggedError when the reader was cut."""
        source = self._broadcast
        behind = source._head - self._position
        if self._cut or behind > len(source._items):
            if not self._cut:
                source._lagged += 1
                self._cut = True
            self.close()
            raise LaggedError(f"reader was cut {behind} items behind, {len(source._items)} are kept")
        if behind == 0:
            return []
        self._position = source._head
        return source._items[-behind:]

    async def wait(self, timeout: float | None = None) -> None:
        """Return when there is something to take, the reader has ended, or `timeout` seconds have passed."""
        source = self._broadcast
        if source._head != self._position or self.ended:
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        source._waiting[self] = future
        timer = None if timeout is None else loop.call_later(timeout, self._timed_out)
        try:
            await future
        except asyncio.CancelledError:
            source._waiting.pop(self, None)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Leave; who waits in `wait` is woken."""
        source = self._broadcast
        if self in source._readers:
            source._readers.remove(self)
            self._timed_out()
            if not source._readers:
                source._items.clear()
                if source._on_empty is not None:
                    source._on_empty()

    def __aiter__(self) -> Reader[T]:
        return self

    async def __anext__(self) -> list[T]:
        while True:
            if batch := self.take():
                return batch
            if self.ended:
                self.close()
                raise StopAsyncIteration
            await self.wait()

    def _timed_out(self) -> None:
        future = self._broadcast._waiting.pop(self, None)
        if future is not None and not future.done():
            future.set_result(None)
