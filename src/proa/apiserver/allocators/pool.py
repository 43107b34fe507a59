"""What is given out once: addresses and ports that are held, and which number of a range is given next.

Source: KEP-3070 and KEP-3668 (static and dynamic bands). Pure; what the numbers stand for is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Holds(Generic[T]):
    """Things and by how many each is held: who stores it, who is about to. Free is what nobody holds."""

    def __init__(self) -> None:
        self._counts: dict[T, int] = {}

    def __contains__(self, thing: T) -> bool:
        return thing in self._counts

    def __len__(self) -> int:
        return len(self._counts)

    def hold(self, thing: T) -> None:
        self._counts[thing] = self._counts.get(thing, 0) + 1

    def release(self, thing: T) -> None:
        """Take back one `hold`; what is not held stays so."""
        count = self._counts.get(thing, 0)
        if count > 1:
            self._counts[thing] = count - 1
        else:
            self._counts.pop(thing, None)


class Range:
    """`size` numbers from `first` on. `reserved`: the size of the lower band, from which is given out last."""

    def __init__(self, first: int, size: int, reserved: int) -> None:
        self.first = first
        self.size = max(size, 0)
        self._reserved = min(max(reserved, 0), self.size)

    def __contains__(self, number: int) -> bool:
        return 0 <= number - self.first < self.size

    def free(self, is_taken: Callable[[int], bool], chance: Random) -> int | None:
        """A number that is not taken: from a random place of the upper band on, then of the lower; None: all are."""
        for low, high in ((self._reserved, self.size), (0, self._reserved)):
            if low == high:
                continue
            start = chance.randrange(low, high)
            for part in (range(start, high), range(low, start)):
                for offset in part:
                    if not is_taken(self.first + offset):
                        return self.first + offset
        return None
