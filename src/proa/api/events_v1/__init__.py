"""events.k8s.io/v1: the newer shape of events."""

from proa.api.events_v1.types import Event, EventList, EventSeries

__all__ = ["Event", "EventList", "EventSeries"]
