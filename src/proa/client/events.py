"""Events: telling people what a component did and why, without ever making the component wait.

`EventRecorder.event` only queues; one owned task correlates and writes. Correlation is a pure state machine: repeats
count up one object, many similar ones are combined, and one noisy object is throttled. A write that fails is dropped
and counted: an event is a courtesy. Not here: Kubernetes events as a data source (use an informer).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from datetime import datetime
from typing import Any

import msgspec

from proa.aio.clock import Clock, SystemClock
from proa.aio.tasks import TaskScope
from proa.api.core_v1 import Event, EventSource, ObjectReference
from proa.api.core_v1.resources import EVENTS
from proa.base.errors import ProaError
from proa.client.protocol import Client
from proa.machinery.declare import Object
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import is_not_found
from proa.machinery.timestamps import format_time

log = logging.getLogger(__name__)

NORMAL, WARNING = "Normal", "Warning"

# More similar events (same but for the message) than this within the window (seconds) become one.
SIMILAR_LIMIT = 10
SIMILAR_WINDOW = 600.0
COMBINED = "(combined from similar events): "
# Each component may tell this many events about one object at once, and one more each so many seconds.
BURST = 25
REFILL_SECONDS = 300.0
REMEMBERED = 4096
QUEUE_LIMIT = 1000


def reference_to(obj: Any, field_path: str = "") -> ObjectReference:
    """The reference by which an event means `obj` (or one of its fields, `spec.containers{name}`)."""
    if isinstance(obj, ObjectReference):
        return msgspec.structs.replace(obj, fieldPath=field_path) if field_path else obj
    return ObjectReference(
        kind=obj.kind,
        namespace=obj.metadata.namespace,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        apiVersion=obj.apiVersion,
        resourceVersion=obj.metadata.resourceVersion,
        fieldPath=field_path,
    )


class Occurrence(msgspec.Struct, frozen=True):
    """Something happened once."""

    about: ObjectReference
    type: str
    reason: str
    message: str
    component: str
    host: str
    time: datetime

    @property
    def source(self) -> tuple[str, ...]:
        about = self.about
        return (self.component, self.host, about.kind, about.namespace, about.name, about.uid, about.apiVersion)

    @property
    def similar(self) -> tuple[str, ...]:
        return (*self.source, self.about.fieldPath, self.type, self.reason)


class _Bucket(msgspec.Struct):
    tokens: float
    filled: float


class _Similar(msgspec.Struct):
    last: float
    messages: set[str] = msgspec.field(default_factory=set)


class _Written(msgspec.Struct):
    name: str
    namespace: str
    first: datetime
    count: int


class Create(msgspec.Struct, frozen=True):
    """Write a new event."""

    event: Event
    key: tuple[str, ...]


class Repeat(msgspec.Struct, frozen=True):
    """Count an event up: a merge patch; `instead` is what to create when it is gone."""

    name: str
    namespace: str
    patch: dict[str, Any]
    instead: Create


class Correlator:
    """Decides what an occurrence means for the events already written: nothing, one more of one, or a new one."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, ...], _Bucket] = OrderedDict()
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._written: OrderedDict[tuple[str, ...], _Written] = OrderedDict()
        self._last_stamp = 0

    def decide(self, what: Occurrence) -> Create | Repeat | None:
        """None: dropped by the spam filter."""
        now = what.time.timestamp()
        if not self._admit(what, now):
            return None
        key, message = self._combine(what, now)
        written = self._written.get(key)
        if written is None:
            return self._create(what, key, message, what.time, 1)
        written.count += 1
        self._written.move_to_end(key)
        patch = {"count": written.count, "lastTimestamp": format_time(what.time), "message": message}
        instead = Create(self._event(what, message, written.first, written.count, self._name(what)), key)
        return Repeat(written.name, written.namespace, patch, instead)

    def rename(self, key: tuple[str, ...], event: Event) -> None:
        """`event` now stands for `key`: what was counted was gone."""
        if key in self._written:
            self._written[key].name = event.metadata.name

    def forget(self, key: tuple[str, ...]) -> None:
        """The event of `key` could not be written."""
        self._written.pop(key, None)

    def _admit(self, what: Occurrence, now: float) -> bool:
        bucket = self._buckets.setdefault(what.source, _Bucket(BURST, now))
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.filled) / REFILL_SECONDS)
        bucket.filled = now
        _bound(self._buckets)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _combine(self, what: Occurrence, now: float) -> tuple[tuple[str, ...], str]:
        similar = self._similar.setdefault(what.similar, _Similar(now))
        if now - similar.last > SIMILAR_WINDOW:
            similar.messages.clear()
        similar.last = now
        similar.messages.add(what.message)
        _bound(self._similar)
        if len(similar.messages) < SIMILAR_LIMIT:
            return (*what.similar, what.message), what.message
        similar.messages.pop()  # bounded: the set only has to stay at the limit
        return what.similar, COMBINED + what.message

    def _create(self, what: Occurrence, key: tuple[str, ...], message: str, first: datetime, count: int) -> Create:
        event = self._event(what, message, first, count, self._name(what))
        self._written[key] = _Written(event.metadata.name, event.metadata.namespace, first, count)
        _bound(self._written)
        return Create(event, key)

    def _name(self, what: Occurrence) -> str:
        """The object and the nanosecond, which is stretched so that no two events have the same."""
        self._last_stamp = max(self._last_stamp + 1, int(what.time.timestamp() * 1e9))
        return f"{what.about.name}.{self._last_stamp:x}"

    def _event(self, what: Occurrence, message: str, first: datetime, count: int, name: str) -> Event:
        return Event(
            metadata=ObjectMeta(name=name, namespace=what.about.namespace or "default"),
            involvedObject=what.about,
            reason=what.reason,
            message=message[:1024],
            source=EventSource(component=what.component, host=what.host),
            firstTimestamp=format_time(first),
            lastTimestamp=format_time(what.time),
            count=count,
            type=what.type,
            reportingComponent=what.component,
            reportingInstance=what.host,
        )


def _bound(table: OrderedDict[Any, Any]) -> None:
    while len(table) > REMEMBERED:
        table.popitem(last=False)


class Events:
    """Writes the events of all recorders of a process, in order, from one task of its own."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or SystemClock()
        self._correlator = Correlator()
        self._waiting: deque[Occurrence] = deque()
        self._wake = asyncio.Event()
        self._scope = TaskScope("events")
        self._told = self._written = self._dropped = self._failed = 0

    def recorder(self, component: str, host: str = "") -> EventRecorder:
        """The recorder of one component (`deployment-controller`; with its `host`, `kubelet`)."""
        return EventRecorder(self, component, host)

    async def start(self) -> None:
        self._scope.spawn_forever(self._run(), name="write")

    async def close(self) -> None:
        """Stop writing; what still waits is dropped."""
        await self._scope.close()

    def statistics(self) -> dict[str, int]:
        return {
            "told": self._told,
            "written": self._written,
            "dropped": self._dropped,
            "failed": self._failed,
            "waiting": len(self._waiting),
        }

    def tell(self, about: ObjectReference, type: str, reason: str, message: str, component: str, host: str) -> None:
        self._told += 1
        if len(self._waiting) >= QUEUE_LIMIT:
            self._dropped += 1
            return
        self._waiting.append(Occurrence(about, type, reason, message, component, host, self._clock.now()))
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._write(self._waiting.popleft())

    async def _write(self, what: Occurrence) -> None:
        decision = self._correlator.decide(what)
        if decision is None:
            self._dropped += 1
            return
        try:
            if isinstance(decision, Repeat):
                try:
                    await self._client.patch(EVENTS, decision.name, decision.namespace, decision.patch, type="merge")
                except ProaError as error:
                    if not is_not_found(error):
                        raise
                    decision = decision.instead
                    self._correlator.rename(decision.key, decision.event)
            if isinstance(decision, Create):
                await self._client.create(EVENTS, decision.event)
            self._written += 1
        except (ProaError, OSError) as error:
            self._failed += 1
            self._correlator.forget(decision.key if isinstance(decision, Create) else decision.instead.key)
            log.debug("event %s about %s/%s not written: %s", what.reason, what.about.namespace, what.about.name, error)


class EventRecorder:
    """One component's voice."""

    __slots__ = ("_events", "component", "host")

    def __init__(self, events: Events, component: str, host: str = "") -> None:
        self._events = events
        self.component = component
        self.host = host

    def event(
        self, about: Object | ObjectReference, type: str, reason: str, message: str, *, field_path: str = ""
    ) -> None:
        """Tell that `reason` (UpperCamelCase) happened to `about`; type is Normal or Warning. Never waits or fails."""
        self._events.tell(reference_to(about, field_path), type, reason, message, self.component, self.host)

    def normal(self, about: Object | ObjectReference, reason: str, message: str, *, field_path: str = "") -> None:
        self.event(about, NORMAL, reason, message, field_path=field_path)

    def warning(self, about: Object | ObjectReference, reason: str, message: str, *, field_path: str = "") -> None:
        self.event(about, WARNING, reason, message, field_path=field_path)
