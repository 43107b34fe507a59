"""What a reconcile says about its key: done, or look again in so many seconds. A failure is an exception."""

from __future__ import annotations

import msgspec


class Outcome(msgspec.Struct, frozen=True):
    """`requeue_after` in seconds; None: nothing to do until something changes. `note` is for the story of the key."""

    requeue_after: float | None = None
    note: str = ""

    def __str__(self) -> str:
        again = "" if self.requeue_after is None else f"again in {self.requeue_after:g} s"
        return ": ".join(filter(None, (again or "done", self.note)))


DONE = Outcome()


def requeue_after(seconds: float, note: str = "") -> Outcome:
    return Outcome(max(0.0, seconds), note)
