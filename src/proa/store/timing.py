"""How long a store takes, by what is asked of it.

Not here: the names by which others read it.
"""

from __future__ import annotations

from time import perf_counter

from proa.base.metrics import Histogram

# Seconds, upstream's for etcd.
BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
)  # fmt: skip


class Timings:
    """Operations are create, update, delete and list: whatever else a cache is asked, it knows itself.

    seconds: of all of an operation; errors: how many of them failed. A write that finds another revision is none.
    """

    __slots__ = ("errors", "seconds")

    def __init__(self) -> None:
        self.seconds: dict[str, Histogram] = {}
        self.errors: dict[str, int] = {}

    def done(self, operation: str, began: float) -> None:
        """One that began then, by time.perf_counter, is over."""
        took = self.seconds.get(operation)
        if took is None:
            took = self.seconds[operation] = Histogram(BUCKETS)
        took.observe(perf_counter() - began)

    def failed(self, operation: str, began: float) -> None:
        """One that began then has failed."""
        self.done(operation, began)
        self.errors[operation] = self.errors.get(operation, 0) + 1
