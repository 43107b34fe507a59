"""Who is told of a write: broadcasts by key prefix, so that a change wakes only those who watch its prefix.

Routing costs one dictionary lookup for each distinct length of watched prefixes, not one comparison for each watcher.
Used by the stores of this process towards the watch caches, and by a watch cache towards its watchers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar, runtime_checkable

from proa.aio.broadcast import Broadcast, Reader
from proa.store.protocol import Change


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


T = TypeVar("T", bound=Keyed)


@runtime_checkable
class Feeder(Protocol):
    """A store of this process: it can say synchronously what was committed, and nobody else writes to it."""

    def feed(self, prefix: str) -> Reader[Change]:
        """Every change under `prefix` committed from now on, in order; `previous` may be None: the reader knows it."""


class Router(Generic[T]):
    """Broadcasts by prefix; `capacity` is what each keeps for a slow reader."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._channels: dict[str, Broadcast[T]] = {}
        self._lengths: Counter[int] = Counter()
        self._published = 0

    def subscribe(self, prefix: str) -> Reader[T]:
        channel = self._channels.get(prefix)
        if channel is None:
            channel = Broadcast(self._capacity, on_empty=lambda: self._forget(prefix))
            self._channels[prefix] = channel
            self._lengths[len(prefix)] += 1
        return channel.subscribe()

    def publish(self, items: Sequence[T]) -> None:
        """Hand `items`, in order, to the readers of the prefixes of their keys."""
        self._published += len(items)
        channels = self._channels
        for length in tuple(self._lengths):
            parts: dict[str, list[T]] = {}
            for item in items:
                prefix = item.key[:length]
                if prefix in channels:
                    if prefix in parts:
                        parts[prefix].append(item)
                    else:
                        parts[prefix] = [item]
            for prefix, part in parts.items():
                channels[prefix].publish(part)

    def cut(self) -> None:
        """Cut every reader (see Broadcast.cut)."""
        for channel in tuple(self._channels.values()):
            channel.cut()

    def close(self) -> None:
        for channel in tuple(self._channels.values()):
            channel.close()

    def statistics(self) -> dict[str, int]:
        return {
            "prefixes": len(self._channels),
            "readers": sum(channel.readers for channel in self._channels.values()),
            "published": self._published,
        }

    def _forget(self, prefix: str) -> None:
        del self._channels[prefix]
        self._lengths[len(prefix)] -= 1
        if not self._lengths[len(prefix)]:
            del self._lengths[len(prefix)]
