"""Answers of others, remembered for a while: at most so many, each until its time is over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """now: the monotonic time in seconds. The oldest answer makes room for a new one."""

    def __init__(self, now: Callable[[], float], most: int = 10_000) -> None:
        self._now = now
        self._most = most
        self._held: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._held.get(key)
        if found is None:
            return None
        until, value = found
        if until <= self._now():
            del self._held[key]
            return None
        return value

    def put(self, key: K, value: V, seconds: float) -> None:
        """Nothing is remembered for no time at all."""
        if seconds <= 0:
            return
        self._held[key] = (self._now() + seconds, value)
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)

    def __len__(self) -> int:
        return len(self._held)
