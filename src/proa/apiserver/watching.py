"""Watches: what a watcher is shown, in batches, from initial events to bookmarks to the end.

Source: the API concepts of watch, allowWatchBookmarks and sendInitialEvents (KEP-3157). A `Watch` yields batches of
`Shown`; over HTTP each becomes its line (shared by every watcher where nothing is converted), in process its object.
Not here: sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal, NamedTuple

import msgspec

from proa.aio.broadcast import LaggedError
from proa.apiserver.conversion import View
from proa.apiserver.listing import Matches, parse_revision
from proa.apiserver.options import WatchOptions, refuse
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path
from proa.machinery.meta import Status
from proa.machinery.resource import Resource
from proa.store.item import Event, Item, transition
from proa.store.protocol import CompactedError, FutureRevisionError
from proa.store.subscription import Subscription
from proa.store.watchcache import WatchCache

BOOKMARK_SECONDS = 60.0
"""How often a watcher is told how far it is when nothing happens."""
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
_INITIAL_BATCH = 500


class Shown(NamedTuple):
    """One event as this watcher sees it. `event` is None for initial items and bookmarks: their line is their own."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    item: Item
    event: Event | None

    def line(self) -> bytes:
        """The JSON line, with its newline."""
        if self.event is not None and self.type != "BOOKMARK":
            return self.event.line(self.type)
        return self.item.line(self.type)


class Watch:
    """Iterate for batches; close it. Raises StatusError 410 out of the iteration when the watcher fell behind."""

    def __init__(
        self,
        resource: Resource[Any],
        subscription: Subscription,
        initial: list[Item],
        options: WatchOptions,
        matches: Matches | None,
        view: View | None,
    ) -> None:
        self._resource = resource
        self._subscription = subscription
        self._initial = initial
        self._options = options
        self._matches = matches
        self._view = view

    @classmethod
    async def open(
        cls,
        cache: WatchCache,
        resource: Resource[Any],
        prefix: str,
        options: WatchOptions,
        matches: Matches | None,
        view: View | None = None,
    ) -> Watch:
        """Subscribe as the options say. Raises StatusError: 400, 410 Expired, 504."""
        _check(options)
        try:
            revision = parse_revision(options.resource_version)
            initial: list[Item] = []
            wanted = options.send_initial_events
            if wanted is None:
                wanted = revision == 0  # unset and '0' start with the present as ADDED events
            if wanted:
                if options.resource_version in ("", "0"):
                    await cache.fresh()
                else:
                    await cache.reach(revision)
                page = await cache.items(prefix)
                if view is not None:
                    await view.prepare(page.items)
                initial = page.items if matches is None else [item for item in page.items if matches(item)]
                subscription = cache.subscribe(prefix, page.revision)
            else:
                if revision:
                    await cache.reach(revision)
                else:
                    await cache.fresh()
                subscription = cache.subscribe(prefix, revision)
        except CompactedError as error:
            raise failures.too_old_resource_version(error.requested, error.oldest) from None
        except FutureRevisionError as error:
            raise failures.too_large_resource_version(error.requested, error.current) from None
        return cls(resource, subscription, initial, options, matches, view)

    async def batches(self) -> AsyncIterator[list[Shown]]:
        """Batches until the timeout, with a last bookmark; ends early when the cache is closed."""
        subscription, options = self._subscription, self._options
        clock = asyncio.get_running_loop().time
        end = clock() + options.timeout if options.timeout else float("inf")
        for at in range(0, len(self._initial), _INITIAL_BATCH):
            yield [Shown("ADDED", self._shape(item), None) for item in self._initial[at : at + _INITIAL_BATCH]]
        self._initial = []
        if options.send_initial_events and options.bookmarks:
            yield [self._bookmark({INITIAL_EVENTS_END: "true"})]
        try:
            while not subscription.ended:
                wait = min(end - clock(), BOOKMARK_SECONDS)
                events = await subscription.next(timeout=max(wait, 0.0)) if wait > 0 else []
                if events:
                    shown = self._select(events) if self._view is None else await self._viewed(events, self._view)
                    if shown:
                        yield shown
                    continue
                over = clock() >= end
                if options.bookmarks:
                    yield [self._bookmark({})]
                if over:
                    return
        except LaggedError:
            raise failures.expired(
                f"too old resource version: {subscription.revision}, the watch fell behind"
            ) from None
        except CompactedError as error:
            raise failures.too_old_resource_version(error.requested, error.oldest) from None

    def close(self) -> None:
        self._subscription.close()

    def _shape(self, item: Item) -> Item:
        return item if self._view is None else self._view.of(item)

    def _select(self, events: list[Event]) -> list[Shown]:
        matches = self._matches
        if matches is None:
            return [Shown(event.type, event.shown(event.type), event) for event in events]
        shown = []
        for event in events:
            kind = transition(event, matches)
            if kind is not None:
                shown.append(Shown(kind, event.shown(kind), event))
        return shown

    async def _viewed(self, events: list[Event], view: View) -> list[Shown]:
        """The events as another version shows them; where it shows the item itself, its line is shared."""
        if self._matches is not None:
            await view.prepare(item for event in events for item in (event.item, event.previous) if item is not None)
        selected = self._select(events)
        await view.prepare(shown.item for shown in selected)
        found = []
        for shown in selected:
            item = view.of(shown.item)
            found.append(shown if item is shown.item else Shown(shown.type, item, None))
        return found

    def _bookmark(self, annotations: dict[str, str]) -> Shown:
        revision = self._subscription.revision
        metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        document = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        return Shown("BOOKMARK", Item("", revision, msgspec.json.encode(document)), None)


def _check(options: WatchOptions) -> None:
    match, asked = options.resource_version_match, options.send_initial_events is not None
    path, errors = Path("resourceVersionMatch"), ErrorList()
    if asked and match != "NotOlderThan":
        errors.forbidden(path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if match:
        if not asked:
            errors.forbidden(path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        if match != "NotOlderThan":
            errors.unsupported(path, match, ("NotOlderThan",))
        if options.continue_:
            errors.forbidden(path, "resourceVersionMatch is forbidden when continue is provided")
    refuse("ListOptions", errors)


def error_line(status: Status) -> bytes:
    """The ERROR event that ends a watch."""
    return b'{"type":"ERROR","object":%b}\n' % msgspec.json.encode(status)
