"""What an event must say, through either of its two APIs. Pure.

Events of old say when and how often something happened, and nearly nothing of them is checked; those of the newer kind
have an `eventTime`. Not here: what only events.k8s.io asks (`api.events_v1.strategy`).
"""

from __future__ import annotations

from proa.api.core_v1.event import Event
from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import qualified_name
from proa.machinery.strategy import DefaultStrategy

_MAX_NAME = 128
_MAX_MESSAGE = 1024


class EventStrategy(DefaultStrategy):
    creates_on_update = True

    def validate(self, new: Event, errors: ErrorList) -> None:
        validate_event(new, errors, reporter="reportingComponent")


def validate_event(event: Event, errors: ErrorList, *, reporter: str) -> None:
    """reporter: what the API calls the field that names the controller."""
    own, about = event.metadata.namespace, event.involvedObject.namespace
    if not event.eventTime:
        if own != (about or "default"):
            _elsewhere(about, errors)
        return
    if not about and own not in ("default", "kube-system"):
        _elsewhere(about, errors)
    if not event.reportingComponent:
        errors.required(Path(reporter))
    check_names(errors, Path(reporter), event.reportingComponent, qualified_name(event.reportingComponent))
    for field in ("reportingInstance", "action", "reason"):
        value = getattr(event, field)
        if not value:
            errors.required(Path(field))
        _check_length(field, value, _MAX_NAME, errors)
    _check_length("message", event.message, _MAX_MESSAGE, errors)


def _elsewhere(namespace: str, errors: ErrorList) -> None:
    errors.invalid(Path("involvedObject", "namespace"), namespace, "does not match event.namespace")


def _check_length(field: str, value: str, most: int, errors: ErrorList) -> None:
    if len(value.encode()) > most:
        errors.invalid(Path(field), "", f"can have at most {most} characters")
