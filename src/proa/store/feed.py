"""Who is told of a write: broadcasts by key prefix, so that a change wakes only those who watch its prefix.

Which prefixes watch a directory is remembered until somebody begins or ceases to watch another prefix, so that routing
costs one dictionary lookup, however many watch. Used by the stores of this process towards the watch caches, and by a
watch cache towards its watchers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar, runtime_checkable

from proa.aio.broadcast import Broadcast, Reader
from proa.store.protocol import Change


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


T = TypeVar("T", bound=Keyed)

_MOST_ROUTES = 10_000


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
        self._routes: dict[str, tuple[str, ...]] = {}
        # Of prefixes that are no directories: only these can be longer than the directory of a key they are prefix of.
        self._beyond: Counter[int] = Counter()
        self._published = 0

    def subscribe(self, prefix: str) -> Reader[T]:
        channel = self._channels.get(prefix)
        if channel is None:
            channel = Broadcast(self._capacity, on_empty=lambda: self._forget(prefix))
            self._channels[prefix] = channel
            self._count(prefix, 1)
        return channel.subscribe()

    def publish(self, items: Sequence[T]) -> None:
        """Hand `items`, in order, to the readers of the prefixes of their keys."""
        self._published += len(items)
        parts: dict[str, list[T]] = {}
        routes = self._routes
        for item in items:
            key = item.key
            directory = key[: key.rfind("/") + 1]
            found = routes.get(directory)
            if found is None:
                found = self._route(directory)
            if self._beyond:
                found += self._watched(key, [length for length in self._beyond if length > len(directory)])
            for prefix in found:
                if prefix in parts:
                    parts[prefix].append(item)
                else:
                    parts[prefix] = [item]
        for prefix, part in parts.items():
            self._channels[prefix].publish(part)

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
        self._count(prefix, -1)

    def _count(self, prefix: str, by: int) -> None:
        """A prefix is watched from now on, or is no longer."""
        length = len(prefix)
        for lengths in (self._lengths,) if not prefix or prefix.endswith("/") else (self._lengths, self._beyond):
            lengths[length] += by
            if not lengths[length]:
                del lengths[length]
        self._routes.clear()

    def _route(self, directory: str) -> tuple[str, ...]:
        if len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
        found = self._routes[directory] = self._watched(directory, self._lengths)
        return found

    def _watched(self, path: str, lengths: Iterable[int]) -> tuple[str, ...]:
        """The watched prefixes of a path, of these lengths."""
        count = len(path)
        return tuple(path[:length] for length in lengths if length <= count and path[:length] in self._channels)
