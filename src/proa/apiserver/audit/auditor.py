"""The auditor: asks the policy about each request, and hands events to every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from proa.aio.clock import Clock
from proa.apiserver.audit.bodies import Bodies
from proa.apiserver.audit.events import Document, Event, Written
from proa.apiserver.audit.policy import LEVELS, NONE, Policy
from proa.apiserver.identity import User
from proa.apiserver.request import Request
from proa.base.metrics import Metrics

_NOBODY = User("")


# Whether answers wait until their events are written down, and whether a request that cannot be is refused.
BATCH, BLOCKING, STRICT = "batch", "blocking", "blocking-strict"


class Backend(Protocol):
    mode: str

    def write(self, event: Document) -> Written | None:
        """Take an event; returns at once. None where nothing waits for it (BATCH); only a strict backend ever says
        that an event is nowhere."""

    async def close(self) -> None:
        """Return when everything that was taken is where it belongs, or cannot be."""


class Auditor:
    """See `access.Witnesses`."""

    def __init__(
        self, policy: Policy, backends: Sequence[Backend], bodies: Bodies, clock: Clock, metrics: Metrics
    ) -> None:
        self._policy = policy
        self._backends = tuple(backends)
        self._strict = any(each.mode == STRICT for each in self._backends)
        self._bodies = bodies
        self._clock = clock
        self._levels = metrics.counter(
            "apiserver_audit_level_total", "Requests by how much of them is written down.", ("level",)
        )
        self._events = metrics.counter("apiserver_audit_event_total", "Events given to the audit log.").labels()
        self._rejected = metrics.counter(
            "apiserver_audit_requests_rejected_total", "Requests refused because they could not be written down."
        ).labels()

    def begin(self, request: Request, user: User, annotations: Mapping[str, str]) -> Event | None:
        """The witness of a request, None for one that is not written down."""
        event = self._event(request, user, annotations)
        if event is not None:
            event.begin()
        return event

    def unauthenticated(self, request: Request) -> None:
        request.witness = event = self._event(request, _NOBODY, {})
        if event is not None:
            event.unauthenticated()

    async def close(self) -> None:
        for each in self._backends:
            await each.close()

    def _event(self, request: Request, user: User, annotations: Mapping[str, str]) -> Event | None:
        coverage = self._policy.coverage(user, request.info)
        self._levels.labels(LEVELS[coverage.level]).inc()
        if coverage.level == NONE:
            return None
        return Event(
            request,
            user,
            coverage,
            sink=self._write,
            now=self._clock.now,
            decode=self._bodies.document,
            annotations=annotations,
            rejected=self._rejected.inc if self._strict else None,
        )

    def _write(self, event: Document) -> Sequence[Written]:
        self._events.inc()
        pending = [each.write(event) for each in self._backends]
        return [each for each in pending if each is not None]
