"""Runtime events for many readers: every implementation's `events()` is a subscription to one of these."""

from __future__ import annotations

from collections.abc import AsyncIterator

from proa.aio.broadcast import Broadcast
from proa.runtime.protocol import RuntimeEvent

_KEPT = 10_000


class Events:
    """A reader that falls 10,000 events behind gets `proa.aio.broadcast.LaggedError`: subscribe again, then re-list."""

    def __init__(self) -> None:
        self._broadcast: Broadcast[RuntimeEvent] = Broadcast(_KEPT)

    def publish(self, event: RuntimeEvent) -> None:
        self._broadcast.publish((event,))

    def subscribe(self) -> AsyncIterator[RuntimeEvent]:
        """Every event published after this call (not only after the first read)."""
        reader = self._broadcast.subscribe()

        async def read() -> AsyncIterator[RuntimeEvent]:
            try:
                async for batch in reader:
                    for event in batch:
                        yield event
            finally:
                reader.close()

        return read()

    def statistics(self) -> dict[str, int]:
        return self._broadcast.statistics()

    def close(self) -> None:
        """End every reader's iteration."""
        self._broadcast.close()
