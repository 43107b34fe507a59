"""What events.k8s.io asks of an event beyond what both of the events' APIs do. Pure.

Errors name the fields as core/v1 does, under which events are stored and upstream checks them.
"""

from __future__ import annotations

from proa.api.core_v1.event import Event as CoreEvent
from proa.api.core_v1.event import EventSource
from proa.api.core_v1.event_strategy import validate_event
from proa.api.events_v1.types import Event
from proa.machinery.checks import check_unchanged
from proa.machinery.fields import ErrorList, Path
from proa.machinery.strategy import DefaultStrategy

_TYPES = ("Normal", "Warning")
_FIXED = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime",
    "action", "related", "reportingController", "reportingInstance",
)  # fmt: skip
_NAMED = {"reportingController": "reportingComponent"}


class EventStrategy(DefaultStrategy):
    creates_on_update = True

    def validate(self, new: Event, errors: ErrorList) -> None:
        validate_event(_core(new), errors, reporter="reportingController")

    def validate_create(self, new: Event, errors: ErrorList) -> None:
        _validate_series(new, errors)
        if not new.eventTime:
            errors.required(Path("eventTime"))
        if new.type not in _TYPES:
            errors.invalid(Path("type"), "", f"has invalid value: {new.type}")
        event = _core(new)
        for field, unset in (
            ("firstTimestamp", None),
            ("lastTimestamp", None),
            ("count", 0),
            ("source", EventSource()),
        ):
            if getattr(event, field) != unset:
                errors.invalid(Path(field), "", "needs to be unset")

    def validate_update(self, new: Event, old: Event, errors: ErrorList) -> None:
        """An event tells what was: only its series goes on."""
        if new.series != old.series:
            _validate_series(new, errors)
        after, before = _core(new), _core(old)
        for field in _FIXED:
            name = _NAMED.get(field, field)
            check_unchanged(errors, Path(field), getattr(after, name), getattr(before, name))


def _validate_series(event: Event, errors: ErrorList) -> None:
    if event.series is None:
        return
    if event.series.count < 2:
        errors.invalid(Path("series", "count"), "", "should be at least 2")
    if not event.series.lastObservedTime:
        errors.required(Path("series", "lastObservedTime"))


def _core(event: Event) -> CoreEvent:
    """The event in the words of core/v1, without its series."""
    return CoreEvent(
        metadata=event.metadata,
        involvedObject=event.regarding,
        reason=event.reason,
        message=event.note,
        source=event.deprecatedSource,
        firstTimestamp=event.deprecatedFirstTimestamp,
        lastTimestamp=event.deprecatedLastTimestamp,
        count=event.deprecatedCount,
        type=event.type,
        eventTime=event.eventTime,
        action=event.action,
        related=event.related,
        reportingComponent=event.reportingController,
        reportingInstance=event.reportingInstance,
    )
