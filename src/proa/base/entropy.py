"""Randomness from the operating system, fetched in blocks: a server makes several names for every object it stores,
and one system call each is a tenth of the work."""

from __future__ import annotations

import os
from random import SystemRandom
from typing import Any

_BLOCK = 4096


class BlockRandom(SystemRandom):
    """As unpredictable as SystemRandom: every byte is the kernel's and used once. Not for processes that fork."""

    def __init__(self) -> None:
        super().__init__()
        self._block = b""
        self._used = 0

    def random(self) -> float:
        return (int.from_bytes(self.randbytes(7)) >> 3) * 2.0**-53

    def getrandbits(self, k: int, /) -> int:
        if k < 0:
            raise ValueError("number of bits must be non-negative")
        size = (k + 7) // 8
        return int.from_bytes(self.randbytes(size)) >> (size * 8 - k)

    def randbytes(self, n: int) -> bytes:
        end = self._used + n
        if end > len(self._block):
            if n > _BLOCK:
                return os.urandom(n)
            self._block, end = os.urandom(_BLOCK), n
        self._used = end
        return self._block[end - n : end]

    def __reduce__(self) -> Any:
        raise TypeError("randomness is not to be copied")
