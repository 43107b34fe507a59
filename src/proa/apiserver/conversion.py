"""Second served versions of stored objects: pure functions between two documents of one object.

A resource whose objects another one stores is declared here with its pair of functions; the registry serves it from
the storing resource's cache. Today that is events.k8s.io/v1 Event, stored as core/v1 Event as upstream does. Not here:
defaults and validation, which the served version's own declaration says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversion:
    """How one served resource maps to the one that stores it. Both functions return a new document."""

    storage: tuple[str, str, str]
    """group, version, plural of the storing resource."""
    to_storage: Callable[[Mapping[str, Any]], Document]
    from_storage: Callable[[Mapping[str, Any]], Document]


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
}
"""By the served resource's group, version and plural."""
