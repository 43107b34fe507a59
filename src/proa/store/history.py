"""The recent past: a bounded run of events, from which later ones are replayed and an older state is reached by
undoing.

Shared by the memory store (its whole history) and the watch cache (its window). Not here: the present (keyspace).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from proa.store.protocol import CompactedError

V_co = TypeVar("V_co", covariant=True)
V = TypeVar("V")


class Past(Protocol[V_co]):
    """What history needs to know of an event: which key, when, and what it replaced."""

    @property
    def key(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def previous(self) -> V_co | None: ...


E = TypeVar("E", bound=Past[object])


class History(Generic[E]):
    """At most `capacity` events of at most `max_weight` in all; what is older is forgotten, oldest first."""

    def __init__(
        self,
        oldest: int,
        capacity: int,
        *,
        weight: Callable[[E], int] = lambda _: 0,
        max_weight: int = 0,
    ) -> None:
        self.oldest = oldest
        """Every event after this revision is known, and so is every state from it on."""
        self._capacity = capacity
        self._weight = weight
        self._max_weight = max_weight
        self._events: deque[E] = deque()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, index: int) -> E:
        return self._events[index]

    def append(self, events: Iterable[E]) -> None:
        for event in events:
            self._events.append(event)
            self.weight += self._weight(event)
        while len(self._events) > self._capacity or self.weight > self._max_weight:
            self._drop_oldest()

    def compact(self, revision: int) -> None:
        """Forget the events up to `revision`."""
        while self._events and self._events[0].revision <= revision:
            self._drop_oldest()
        self.oldest = max(self.oldest, revision)

    def restart(self, revision: int) -> None:
        """Forget everything: from `revision` on events are known again."""
        self._events.clear()
        self.weight = 0
        self.oldest = revision

    def after(self, revision: int, prefix: str = "") -> list[E]:
        """The events after `revision`, oldest first. Raises CompactedError."""
        if revision < self.oldest:
            raise CompactedError(revision, self.oldest)
        found = []
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            if event.key.startswith(prefix):
                found.append(event)
        found.reverse()
        return found

    def _drop_oldest(self) -> None:
        event = self._events.popleft()
        self.weight -= self._weight(event)
        self.oldest = event.revision
