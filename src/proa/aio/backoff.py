"""Exponential backoff as a value: how long to wait before attempt n.

Who counts the attempts and sleeps is elsewhere (the queue, the client).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """`delay(n)` = min(cap, base * factor ** n) seconds, stretched by up to `jitter` (0.2: up to a fifth longer).

    `random` gives numbers in [0, 1) and is injected where a run must be repeatable.
    """

    base: float
    factor: float = 2.0
    cap: float = math.inf
    jitter: float = 0.0
    random: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.base < 0 or self.factor < 1 or self.cap < self.base or self.jitter < 0:
            raise ValueError(f"backoff needs base >= 0, factor >= 1, cap >= base and jitter >= 0, got {self}")

    def delay(self, attempt: int) -> float:
        """Seconds to wait after failure number `attempt`, counted from 0."""
        try:
            seconds = min(self.cap, self.base * self.factor**attempt)
        except OverflowError:
            seconds = self.cap
        return seconds * (1.0 + self.jitter * self.random()) if self.jitter else seconds
