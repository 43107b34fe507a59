"""The resources of events.k8s.io/v1."""

from typing import Any

from proa.api.core_v1.columns import NEWER_EVENTS
from proa.api.events_v1 import Event, EventList
from proa.api.events_v1.strategy import EventStrategy
from proa.machinery.resource import Resource

EVENTS = Resource(
    group="events.k8s.io",
    version="v1",
    plural="events",
    type=Event,
    list_type=EventList,
    singular="event",
    short_names=("ev",),
    fields=(
        "regarding.kind",
        "regarding.namespace",
        "regarding.name",
        "regarding.uid",
        "regarding.apiVersion",
        "regarding.resourceVersion",
        "regarding.fieldPath",
        "reason",
        "reportingController",
        "type",
    ),
    ttl=3600.0,
    columns=NEWER_EVENTS,
    strategy=EventStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (EVENTS,)
