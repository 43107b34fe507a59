"""Keys in order with a value each, and pages of them as of now or, given what to undo, as of an older revision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

from sortedcontainers import SortedDict

V = TypeVar("V")

_LAST = "\U0010ffff"  # sorts after every character of a key


class Keyspace(Generic[V]):
    """A sorted map. Code point order, which is also the order of the keys' UTF-8 bytes (etcd, SQLite)."""

    def __init__(self) -> None:
        self._map: Any = SortedDict()
        self.get: Callable[[str], V | None] = self._map.get  # the map is a dict underneath: one call less

    def __len__(self) -> int:
        return len(self._map)

    def __iter__(self) -> Iterator[V]:
        return iter(self._map.values())

    def put(self, key: str, value: V) -> None:
        self._map[key] = value

    def remove(self, key: str) -> None:
        del self._map[key]

    def replace(self, values: dict[str, V]) -> None:
        """Hold exactly `values` (loading many at once is much cheaper than one by one)."""
        self._map.clear()
        self._map.update(values)

    def page(self, prefix: str, after: str, limit: int, undo: dict[str, V | None]) -> tuple[list[V], int]:
        """Values of keys with `prefix` sorting after `after`, at most `limit` (0: all), and how many follow them.

        `undo` says for keys what they held at the time of interest, None for nothing.
        """
        low, high = (after, prefix + _LAST) if after >= prefix else (prefix, prefix + _LAST)
        exclusive = after >= prefix and after != ""
        keys: Any = self._map.keys()
        first = self._map.bisect_right(low) if exclusive else self._map.bisect_left(low)
        count = max(0, self._map.bisect_left(high) - first)
        if not undo:
            wanted = keys[first : first + (min(limit, count) if limit else count)]
            return list(map(self._map.__getitem__, wanted)), count - len(wanted)
        undo = {k: v for k, v in undo.items() if k.startswith(prefix) and (k > low or (k == low and not exclusive))}
        count += sum((value is not None) - (key in self._map) for key, value in undo.items())
        # At most len(undo) of the present keys drop out, so that many more make the page certain.
        present = islice(self._map.islice(first), limit + len(undo) if limit else None)
        merged: dict[str, V] = {}
        for key in present:
            if not key.startswith(prefix):
                break
            if key not in undo:
                merged[key] = self._map[key]
        merged.update((k, v) for k, v in undo.items() if v is not None)
        wanted = sorted(merged)
        if limit:
            wanted = wanted[:limit]
        return [merged[key] for key in wanted], count - len(wanted)
