"""events/v1 declarations."""

from typing import Annotated

from proa.api.core_v1.event import EventSource
from proa.api.core_v1.reference import ObjectReference
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, MicroTime, Time


class EventSeries(Object):
    count: Annotated[Int32, Field(1, required=True)] = always(int)
    lastObservedTime: Annotated[MicroTime | None, Field(2, required=True)] = None


class Event(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("events.k8s.io/v1")
    kind: str = fixed("Event")
    eventTime: Annotated[MicroTime | None, Field(2, required=True)] = None
    series: Annotated[EventSeries | None, Field(3)] = None
    reportingController: Annotated[str, Field(4)] = ""
    reportingInstance: Annotated[str, Field(5)] = ""
    action: Annotated[str, Field(6)] = ""
    reason: Annotated[str, Field(7)] = ""
    regarding: Annotated[ObjectReference, Field(8)] = always(ObjectReference)
    related: Annotated[ObjectReference | None, Field(9)] = None
    note: Annotated[str, Field(10)] = ""
    type: Annotated[str, Field(11)] = ""
    deprecatedSource: Annotated[EventSource, Field(12)] = always(EventSource)
    deprecatedFirstTimestamp: Annotated[Time | None, Field(13)] = None
    deprecatedLastTimestamp: Annotated[Time | None, Field(14)] = None
    deprecatedCount: Annotated[Int32, Field(15)] = 0


class EventList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("events.k8s.io/v1")
    kind: str = fixed("EventList")
    items: Annotated[tuple[Event, ...], Field(2, required=True)] = always(no_items)
