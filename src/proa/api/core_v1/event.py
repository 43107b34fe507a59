"""core/v1 declarations."""

from typing import Annotated

from proa.api.core_v1.reference import ObjectReference
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, MicroTime, Time


class EventSeries(Object):
    count: Annotated[Int32, Field(1)] = 0
    lastObservedTime: Annotated[MicroTime | None, Field(2)] = None


class EventSource(Object):
    component: Annotated[str, Field(1)] = ""
    host: Annotated[str, Field(2)] = ""


class Event(Object):
    metadata: Annotated[ObjectMeta, Field(1, required=True)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Event")
    involvedObject: Annotated[ObjectReference, Field(2, required=True)] = always(ObjectReference)
    reason: Annotated[str, Field(3)] = ""
    message: Annotated[str, Field(4)] = ""
    source: Annotated[EventSource, Field(5)] = always(EventSource)
    firstTimestamp: Annotated[Time | None, Field(6)] = None
    lastTimestamp: Annotated[Time | None, Field(7)] = None
    count: Annotated[Int32, Field(8)] = 0
    type: Annotated[str, Field(9)] = ""
    eventTime: Annotated[MicroTime | None, Field(10)] = None
    series: Annotated[EventSeries | None, Field(11)] = None
    action: Annotated[str, Field(12)] = ""
    related: Annotated[ObjectReference | None, Field(13)] = None
    reportingComponent: Annotated[str, Field(14)] = always(str)
    reportingInstance: Annotated[str, Field(15)] = always(str)


class EventList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("EventList")
    items: Annotated[tuple[Event, ...], Field(2, required=True)] = always(no_items)
