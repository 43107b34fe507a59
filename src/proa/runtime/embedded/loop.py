"""The shim's event loop: epoll, callbacks and timers in a page. asyncio would cost each pod several megabytes."""

from __future__ import annotations

import heapq
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Timer:
    """A callback to come; `cancel` it when it is not wanted any more."""

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def __lt__(self, other: Timer) -> bool:
        return self.due < other.due


class Loop:
    def __init__(self) -> None:
        self._poll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[Timer] = []
        self._running = True

    def watch(self, descriptor: int, events: int, handler: Callable[[int], None]) -> None:
        """Call `handler(events)` when the descriptor is ready; replaces an earlier watch of it."""
        if descriptor in self._handlers:
            self._poll.modify(descriptor, events)
        else:
            self._poll.register(descriptor, events)
        self._handlers[descriptor] = handler

    def forget(self, descriptor: int) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        if self._handlers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(time.monotonic() + seconds, callback)
        heapq.heappush(self._timers, timer)
        return timer

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        while self._running:
            while self._timers and self._timers[0].callback is None:
                heapq.heappop(self._timers)
            wait = max(0.0, self._timers[0].due - time.monotonic()) if self._timers else -1
            for descriptor, events in self._poll.poll(wait):
                handler = self._handlers.get(descriptor)
                if handler is not None:
                    handler(events)
            now = time.monotonic()
            while self._timers and self._timers[0].due <= now:
                callback = heapq.heappop(self._timers).callback
                if callback is not None:
                    callback()
