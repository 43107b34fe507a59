"""A range of numbers that are given out once: static ones by request, dynamic ones from the upper band first.

Source: KEP-3070 and KEP-3668 (static and dynamic bands). Pure; offsets only, what they stand for is the caller's.
"""

from __future__ import annotations

import random


class Pool:
    """Offsets 0..size-1, none taken. `reserved` is the size of the lower band, which dynamic allocation uses last."""

    def __init__(self, size: int, reserved: int, chance: random.Random | None = None) -> None:
        if size <= 0:
            raise ValueError(f"a pool needs a positive size, got {size}")
        self.size = size
        self._reserved = min(max(reserved, 0), size)
        self._taken: set[int] = set()
        self._chance = chance or random.Random()

    def __contains__(self, offset: int) -> bool:
        return offset in self._taken

    def take(self, offset: int) -> bool:
        """Take exactly this one; False when it is taken or out of range."""
        if offset in self._taken or not 0 <= offset < self.size:
            return False
        self._taken.add(offset)
        return True

    def take_any(self) -> int | None:
        """Take a free one: at random from the upper band, from the lower when that is full; None when all are taken."""
        for low, high in ((self._reserved, self.size), (0, self._reserved)):
            offset = self._free(low, high)
            if offset is not None:
                self._taken.add(offset)
                return offset
        return None

    def release(self, offset: int) -> None:
        """Give back; what is not taken stays so."""
        self._taken.discard(offset)

    def statistics(self) -> dict[str, int]:
        return {"size": self.size, "taken": len(self._taken)}

    def _free(self, low: int, high: int) -> int | None:
        """A free offset of a band: from a random start onwards, around once."""
        if low >= high:
            return None
        start = self._chance.randrange(low, high)
        taken = self._taken
        for offset in range(start, high):
            if offset not in taken:
                return offset
        for offset in range(low, start):
            if offset not in taken:
                return offset
        return None
