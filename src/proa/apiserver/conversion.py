"""Served versions of objects that are stored as another version, or with another shape.

A `View` is how one served resource sees the stored items; a registry without one serves them as they are. A built-in
resource whose objects another one stores is declared here with a pair of functions, as upstream stores them:
events.k8s.io/v1 Event as core/v1 Event, autoscaling/v1 autoscalers as autoscaling/v2 ones. Not here: custom resources
(`custom.view`); defaults and validation, which the served version's own declaration says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from proa.api.autoscaling_v1 import conversion as autoscaling
from proa.machinery.resource import Resource
from proa.store.item import Codec, Index, Item

Document = dict[str, Any]


class View(Protocol):
    """How one served resource sees stored items. Everything raises StatusError."""

    async def prepare(self, items: Iterable[Item]) -> None:
        """Do for these items what `of` and `index` cannot do without waiting."""

    def of(self, item: Item) -> Item:
        """The item as it is served: itself where nothing differs."""

    def index(self, item: Item) -> Index:
        """What selectors look at."""

    async def stored(self, body: bytes) -> bytes:
        """What is stored of an object written through this view; the very same bytes where nothing differs."""

    def own(self) -> dict[Any, Item | None] | None:
        """What is known of the item of an object that was written through this view and stored as it is."""


class Conversion(msgspec.Struct, frozen=True):
    """How one served resource maps to the one that stores it. Both functions return a new document."""

    storage: tuple[str, str, str]
    """group, version, plural of the storing resource."""
    to_storage: Callable[[Mapping[str, Any]], Document]
    from_storage: Callable[[Mapping[str, Any]], Document]


class ConvertedView:
    """Of a built-in resource with a `Conversion`."""

    def __init__(self, conversion: Conversion, codec: Codec) -> None:
        self._conversion = conversion
        self._codec = codec

    async def prepare(self, items: Iterable[Item]) -> None:
        """Nothing: the functions are at hand."""

    def of(self, item: Item) -> Item:
        document = self._conversion.from_storage(msgspec.json.decode(item.body))
        return Item(item.key, item.revision, msgspec.json.encode(document), self._codec)

    def index(self, item: Item) -> Index:
        return self.of(item).index

    async def stored(self, body: bytes) -> bytes:
        return msgspec.json.encode(self._conversion.to_storage(msgspec.json.decode(body)))

    def own(self) -> dict[Any, Item | None] | None:
        return None


def conversion_of(resource: Resource[Any]) -> Conversion | None:
    """How a built-in resource maps to the one that stores it, if another one does."""
    return CONVERSIONS.get((resource.group, resource.version, resource.plural))


# events.k8s.io/v1 name -> core/v1 name
_EVENT_FIELDS = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_CORE_FIELDS = {core: served for served, core in _EVENT_FIELDS.items()}
# Written even when empty, as the declarations of the two types say.
_CORE_ALWAYS: Document = {"involvedObject": {}, "source": {}, "reportingComponent": "", "reportingInstance": ""}
_SERVED_ALWAYS: Document = {"regarding": {}, "deprecatedSource": {}}


def _event_to_core(document: Mapping[str, Any]) -> Document:
    renamed = {_EVENT_FIELDS.get(name, name): value for name, value in document.items()}
    return {**_CORE_ALWAYS, **renamed, "apiVersion": "v1"}


def _event_from_core(document: Mapping[str, Any]) -> Document:
    renamed = {_CORE_FIELDS.get(name, name): value for name, value in document.items()}
    for name in ("reportingController", "reportingInstance"):
        if not renamed.get(name):
            renamed.pop(name, None)
    return {**_SERVED_ALWAYS, **renamed, "apiVersion": "events.k8s.io/v1"}


CONVERSIONS: Mapping[tuple[str, str, str], Conversion] = {
    ("events.k8s.io", "v1", "events"): Conversion(("", "v1", "events"), _event_to_core, _event_from_core),
    ("autoscaling", "v1", "horizontalpodautoscalers"): Conversion(
        ("autoscaling", "v2", "horizontalpodautoscalers"), autoscaling.to_v2, autoscaling.to_v1
    ),
}
"""By the served resource's group, version and plural."""
