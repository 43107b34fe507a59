"""How long a store takes, by what is asked of it.

Not here: the names by which others read it.
"""

from __future__ import annotations

from time import perf_counter

from proa.base.metrics import REQUEST_BUCKETS, Histogram


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
            took = self.seconds[operation] = Histogram(REQUEST_BUCKETS)
        took.observe(perf_counter() - began)

    def failed(self, operation: str, began: float) -> None:
        """One that began then has failed."""
        self.done(operation, began)
        self.errors[operation] = self.errors.get(operation, 0) + 1
