"""Protection against acting twice on an old copy: a key waits until the informer has seen the key's own writes.

A controller that creates three pods and looks again before the watch brought them would create three more. So it notes
its writes here, and reconciles a key only when the copy has caught up with them. The watch of each pod makes its
owner's key come up again, so waiting costs no polling. Not here: conflicts (resourceVersion guards updates).
"""

from __future__ import annotations

from typing import Any

from proa.aio.clock import Clock
from proa.client.informer import Informer, key_of

# A write the watch did not bring in this many seconds is given up: better act on an old copy than never act.
GIVE_UP = 300.0


class OwnWrites:
    """The writes to objects of `informer` that each key has made and the copy has not seen."""

    def __init__(self, informer: Informer[Any], clock: Clock) -> None:
        self._informer = informer
        self._clock = clock
        self._written: dict[str, dict[str, tuple[int, float]]] = {}
        self._deleted: dict[str, dict[str, tuple[str, float]]] = {}

    def wrote(self, key: str, obj: Any) -> None:
        """`key` created or updated `obj`, which is what the API returned."""
        deadline = self._clock.monotonic() + GIVE_UP
        self._written.setdefault(key, {})[key_of(obj)] = (int(obj.metadata.resourceVersion), deadline)

    def deleted(self, key: str, obj: Any) -> None:
        """`key` deleted `obj`."""
        deadline = self._clock.monotonic() + GIVE_UP
        self._deleted.setdefault(key, {})[key_of(obj)] = (obj.metadata.uid, deadline)

    def seen(self, key: str) -> bool:
        """Whether the copy shows everything `key` wrote and deleted."""
        written = self._written.get(key)
        if written:
            now = self._clock.monotonic()
            reached = int(self._informer.resource_version or 0)
            for name, (revision, deadline) in list(written.items()):
                current = self._informer.get(name)
                shown = current is not None and int(current.metadata.resourceVersion) >= revision
                if shown or reached >= revision or now >= deadline:
                    del written[name]
        deleted = self._deleted.get(key)
        if deleted:
            now = self._clock.monotonic()
            for name, (uid, deadline) in list(deleted.items()):
                current = self._informer.get(name)
                gone = current is None or current.metadata.uid != uid or current.metadata.deletionTimestamp is not None
                if gone or now >= deadline:
                    del deleted[name]
        if written or deleted:
            return False
        self.forget(key)
        return True

    def forget(self, key: str) -> None:
        """`key` is gone."""
        self._written.pop(key, None)
        self._deleted.pop(key, None)

    def statistics(self) -> dict[str, int]:
        return {"keys_waiting": len(self._written.keys() | self._deleted.keys())}
