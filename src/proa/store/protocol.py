"""The store protocol: revisioned keys and opaque bytes, as etcd v3 offers them to an API server.

Here: the types every backend and the watch cache share. Not here: anything that knows what a value means. A lost race
is a returned `Conflict`, never an exception; only a broken or compacted store raises.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

import msgspec

from proa.base.errors import ProaError

FIRST_REVISION = 1
"""The revision of an empty store: never 0, which means "any" on the wire."""

PROGRESS_INTERVAL = 5.0
"""Seconds after which a watch whose prefix is quiet is told how far the rest of the store has come."""


class Entry(NamedTuple):
    """One key as of `revision` (etcd: mod_revision)."""

    key: str
    value: bytes
    revision: int


class Change(NamedTuple):
    """One committed write. `value` is None for a delete; `previous` is what it replaced, None for a create."""

    key: str
    value: bytes | None
    revision: int
    previous: Entry | None


class Progress(NamedTuple):
    """Everything up to `revision` has been delivered to this watch (the source of bookmarks)."""

    revision: int


class Page(NamedTuple):
    """A slice of a prefix, in key order, all as of `revision`. `remaining` counts the entries after it."""

    entries: list[Entry]
    revision: int
    remaining: int


class Conflict(msgspec.Struct, frozen=True):
    """The write did not happen: `current` is what the key holds, None if nothing."""

    current: Entry | None


class CompactedError(ProaError):
    """The revision asked for is older than what the store keeps: HTTP 410, reason Expired."""

    def __init__(self, requested: int, oldest: int) -> None:
        super().__init__(f"revision {requested} is compacted, the oldest kept is {oldest}")
        self.requested = requested
        self.oldest = oldest


class FutureRevisionError(ProaError):
    """The revision asked for has not happened yet."""

    def __init__(self, requested: int, current: int) -> None:
        super().__init__(f"revision {requested} is in the future, current is {current}")
        self.requested = requested
        self.current = current


class Store(Protocol):
    """What an API server needs of storage. A write returns only after it is durable."""

    @property
    def revision(self) -> int:
        """The newest committed revision this process has seen."""

    @property
    def oldest(self) -> int:
        """The oldest revision whose state is kept; what is before it is compacted."""

    async def create(self, key: str, value: bytes, *, ttl: float | None = None) -> int | Conflict:
        """Write `key` if it is absent; the new revision. `ttl` in seconds: the store deletes the key then."""

    async def update(self, key: str, value: bytes, revision: int, *, ttl: float | None = None) -> int | Conflict:
        """Replace `key` if it is still at `revision`; the new revision."""

    async def delete(self, key: str, revision: int) -> int | Conflict:
        """Delete `key` if it is still at `revision`; the revision of the delete."""

    async def get(self, key: str) -> Entry | None:
        """The newest committed value of `key` (linearizable)."""

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> Page:
        """Entries whose key starts with `prefix` and sorts after `after`, as of `revision` (0: now).

        Raises CompactedError, FutureRevisionError.
        """

    def watch(self, prefix: str, revision: int) -> AsyncIterator[list[Change] | Progress]:
        """Every change under `prefix` with a revision above `revision`, in order, in batches, and progress marks.

        Raises CompactedError at once, or later if the reader fell behind what is kept.
        """

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`; current values stay."""

    async def close(self) -> None: ...
