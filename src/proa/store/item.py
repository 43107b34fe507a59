"""What the watch cache holds and tells: an Item is one revision of one object, an Event is how it came to be.

Bytes first: the served body is kept, everything else (index, decoded object, watch lines) is made on demand, once, and
shared by everyone in the process. Not here: how objects are decoded or indexed; that is injected as a Codec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from proa.store.protocol import Entry
from proa.store.splice import at_revision, served, stored

EventType = Literal["ADDED", "MODIFIED", "DELETED"]

_LINE_OPEN: dict[str, bytes] = {
    kind: b'{"type":"%b","object":' % kind.encode() for kind in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")
}


class Index(NamedTuple):
    """What selectors look at: metadata.labels, and the selectable fields by path (`status.phase`)."""

    labels: dict[str, str]
    fields: dict[str, str]


def _no_index(body: bytes) -> Index:
    raise NotImplementedError("this watch cache was given no index function: its items cannot be selected")


def _no_revise(decoded: Any, revision: int) -> Any:
    raise NotImplementedError("this watch cache was given no way to revise objects: it decodes them")


def _no_decode(body: bytes) -> Any:
    raise NotImplementedError("this watch cache was given no decoder: its items are bytes only")


class Codec(msgspec.Struct, frozen=True):
    """How to look into a served body: `index` and `decode` get the bytes with resourceVersion and return something
    frozen. revise: the object that was encoded, as `decode` would give it once it is stored at a revision."""

    index: Callable[[bytes], Index] = _no_index
    decode: Callable[[bytes], Any] = _no_decode
    revise: Callable[[Any, int], Any] = _no_revise


OPAQUE = Codec()


class Item:
    """One object at one revision. Immutable to all but its own memo."""

    __slots__ = ("_codec", "_encoded", "_index", "_object", "body", "key", "packed", "revision", "views")

    def __init__(self, key: str, revision: int, body: bytes, codec: Codec = OPAQUE) -> None:
        self.key = key
        self.revision = revision
        self.body = body
        """The served bytes: a JSON object with metadata.resourceVersion."""
        self._codec = codec
        self._index: Index | None = None
        self._object: Any = None
        self._encoded: Any = None
        self.packed: bytes | None = None
        """The object in another encoding, kept here by who made it."""
        self.views: dict[Any, Item | None] | None = None
        """What others made of the item, by whom; None: they show the item itself."""

    @classmethod
    def of(cls, entry: Entry, codec: Codec = OPAQUE) -> Item:
        return cls(entry.key, entry.revision, served(entry.value, entry.revision), codec)

    @property
    def index(self) -> Index:
        """Labels and selectable fields, read from the body at the first call."""
        if self._index is None:
            self._index = self._codec.index(self.body)
        return self._index

    @property
    def object(self) -> Any:
        """The decoded object, decoded at the first call and shared by all: never change it."""
        if self._object is None:
            if self._encoded is None:
                self._object = self._codec.decode(self.body)
            else:
                self._object = self._codec.revise(self._encoded, self.revision)
                self._encoded = None
        return self._object

    @property
    def kept_object(self) -> Any:
        """The decoded object if it need not be decoded for this, else None."""
        return self._object if self._encoded is None else self.object

    def hold(self, decoded: Any) -> None:
        """Take over the object that the body was encoded from, so that nobody need decode it."""
        self._encoded = decoded

    @property
    def entry(self) -> Entry:
        """The item as the store knows it."""
        return Entry(self.key, stored(self.body), self.revision)

    def line(self, type: str) -> bytes:
        """The watch line that shows this item, built anew; the shared lines of live events are the Event's."""
        return b"%b%b}\n" % (_LINE_OPEN[type], self.body)

    def at(self, revision: int) -> Item:
        """The same state as of another revision: what a DELETED event shows."""
        last = Item(self.key, revision, at_revision(self.body, revision), self._codec)
        if self.views is not None:
            last.views = {view: None for view, item in self.views.items() if item is None}
        return last

    def __repr__(self) -> str:
        return f"Item({self.key!r}, {self.revision})"


class Event:
    """One committed write as watchers see it: `item` is the new state (None: deleted), `previous` the one before.

    At least one of the two is there.
    """

    __slots__ = ("_gone", "_lines", "item", "key", "previous", "revision")

    def __init__(self, key: str, revision: int, item: Item | None, previous: Item | None) -> None:
        self.key = key
        self.revision = revision
        self.item = item
        self.previous = previous
        self._gone: Item | None = None
        self._lines: dict[str, bytes] | None = None

    @property
    def type(self) -> EventType:
        """The type for a watcher that selects everything."""
        if self.item is None:
            return "DELETED"
        return "ADDED" if self.previous is None else "MODIFIED"

    def shown(self, type: EventType) -> Item:
        """The item a watcher is shown for `type`; for DELETED the last state with this event's revision."""
        if type != "DELETED":
            assert self.item is not None, "only a DELETED event has no new state"
            return self.item
        if self._gone is None:
            assert self.previous is not None, "what never existed cannot go"
            self._gone = self.previous.at(self.revision)
        return self._gone

    def line(self, type: EventType) -> bytes:
        """The watch line for `type`, built once and shared by every watcher: `{"type":"ADDED","object":{...}}\\n`."""
        lines = self._lines
        if lines is None:
            lines = self._lines = {}
        line = lines.get(type)
        if line is None:
            line = lines[type] = self.shown(type).line(type)
        return line

    def made(self, key: str, make: Callable[[Item], bytes], type: EventType) -> bytes:
        """What `make` makes of the item shown for `type`, made once and shared as the lines are."""
        lines = self._lines
        if lines is None:
            lines = self._lines = {}
        found = lines.get(key + type)
        if found is None:
            found = lines[key + type] = make(self.shown(type))
        return found

    def forget(self) -> None:
        """Drop what can be built again, lines and what was decoded of the state before: nearly all have had it."""
        self._lines = None
        self._gone = None
        if self.previous is not None:
            self.previous._object = self.previous._encoded = None
            self.previous.packed = None
            self.previous._index = None
            self.previous.views = None

    def __repr__(self) -> str:
        return f"Event({self.type}, {self.key!r}, {self.revision})"


def transition(event: Event, matches: Callable[[Item], bool]) -> EventType | None:
    """What `event` is to a watcher with a selector: an object that starts to match is ADDED, one that stops is DELETED.

    None: the watcher never sees it.
    """
    was = event.previous is not None and matches(event.previous)
    if event.item is not None and matches(event.item):
        return "MODIFIED" if was else "ADDED"
    return "DELETED" if was else None
