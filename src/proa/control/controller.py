"""A controller and what runs it: shared informers fill a keyed queue, workers reconcile one key each.

`reconcile(key)` looks at the whole state behind a key and takes the next step towards what is wanted; it is called
again until it says done. It must be idempotent: it can be cancelled anywhere and is repeated after any error. One key
is never reconciled twice at once. Not here: what any controller does (`proa.controllers`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from proa.aio.backoff import Backoff
from proa.aio.clock import Clock, SystemClock
from proa.aio.queue import KeyedQueue
from proa.aio.tasks import TaskScope
from proa.client.events import EventRecorder, Events
from proa.client.informer import Informer, Informers
from proa.client.protocol import Client
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Trigger
from proa.machinery.declare import Object
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_already_exists, is_conflict, is_not_found

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)

# Failures of a key are retried after 5 ms, doubling up to this many seconds.
RETRY = Backoff(base=0.005, factor=2.0, cap=60.0)

STORY_KEYS = 1000
STORY_LENGTH = 10


class Context(msgspec.Struct, frozen=True):
    """What controllers are made of: the API, the shared copies of it, events and time."""

    client: Client
    informers: Informers
    events: Events
    clock: Clock = msgspec.field(default_factory=SystemClock)

    def informer(self, resource: Resource[T]) -> Informer[T]:
        return self.informers.informer(resource)

    def recorder(self, component: str) -> EventRecorder:
        return self.events.recorder(component)


class Controller:
    """The base of every controller. A subclass names itself, lists `triggers` and reconciles.

    `triggers[0]` is usually `For`: the resource its keys mean (`Owns` needs it). `workers`: how many keys at once.
    """

    name: str = ""
    workers: int = 5

    def __init__(self, context: Context) -> None:
        self.context = context
        self.client = context.client
        self.clock = context.clock
        self.queue: KeyedQueue[str] = KeyedQueue(self.name, retry=RETRY)

    @property
    def triggers(self) -> Sequence[Trigger]:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what was taken beside the triggers."""

    async def reconcile(self, key: str) -> Outcome:
        """Take the next step for `key`; it may no longer exist. Raise to be called again after a backoff."""
        raise NotImplementedError

    def now(self) -> datetime:
        return self.clock.now()


class Chapter(msgspec.Struct, frozen=True):
    """One reconcile of a key: when it began, how long it took (seconds), and what came of it."""

    time: datetime
    seconds: float
    outcome: str


class ControllerRunner:
    """Runs one controller: connects its triggers, awaits the informers, drives its workers, keeps its stories."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._scope = TaskScope(f"controller/{controller.name}")
        self._stories: OrderedDict[str, deque[Chapter]] = OrderedDict()
        self._reconciles = 0
        self._errors = 0
        self._conflicts = 0
        self._busy = 0.0
        self._disconnect: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Connect and start working once the informers are synced; returns at once."""
        controller = self.controller
        informers: list[Informer[Any]] = []
        owner = next((trigger.resource for trigger in controller.triggers if isinstance(trigger, For)), None)
        for trigger in controller.triggers:
            informer = controller.context.informer(trigger.resource)
            self._disconnect.append(informer.on_change(self._handler(trigger, owner or trigger.resource)))
            informers.append(informer)
        self._scope.spawn(self._run(informers), name="start")

    async def close(self) -> None:
        """Cancel what runs and wait for it. What is left undone the next process does: keys come from the API."""
        for disconnect in self._disconnect:
            disconnect()
        self.controller.close()
        self.controller.queue.shut_down()
        await self._scope.close()

    def story(self, key: str) -> Sequence[Chapter]:
        """The recent reconciles of `key`, oldest first."""
        return tuple(self._stories.get(key, ()))

    def statistics(self) -> dict[str, Any]:
        return {
            "reconciles": self._reconciles,
            "errors": self._errors,
            "conflicts": self._conflicts,
            "busy_seconds": round(self._busy, 6),
            "queue": self.controller.queue.statistics(),
        }

    def _handler(self, trigger: Trigger, owner: Resource[Any]) -> Callable[[Any, Any], None]:
        queue = self.controller.queue

        def changed(old: Any, new: Any) -> None:
            for key in trigger.keys(owner, old, new):
                queue.add(key)

        return changed

    async def _run(self, informers: Sequence[Informer[Any]]) -> None:
        for informer in informers:
            await informer.synced()
        for number in range(self.controller.workers):
            self._scope.spawn_forever(self._work(), name=f"worker-{number}")

    async def _work(self) -> None:
        queue = self.controller.queue
        while True:
            key = await queue.get()
            try:
                await self._reconcile(key)
            finally:
                queue.done(key)

    async def _reconcile(self, key: str) -> None:
        controller = self.controller
        queue = controller.queue
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._reconciles += 1
        outcome: object
        try:
            outcome = await controller.reconcile(key)
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
            delay = queue.add_rate_limited(key)
            if is_conflict(error) or is_already_exists(error) or is_not_found(error):
                # Somebody else was faster, or our copy is a moment old: that is how optimistic concurrency works.
                self._conflicts += 1
                log.debug("%s %s: %s; again in %.3f s", controller.name, key, outcome, delay)
            else:
                self._errors += 1
                # What the API refuses says why; where it was asked is no news.
                told = None if isinstance(error, StatusError) else error
                log.warning("%s %s: %s; again in %.3f s", controller.name, key, outcome, delay, exc_info=told)
        else:
            queue.forget(key)
            if outcome.requeue_after is not None:
                queue.add_after(key, outcome.requeue_after)
        seconds = loop.time() - began
        self._busy += seconds
        self._remember(key, Chapter(controller.now(), seconds, str(outcome)))

    def _remember(self, key: str, chapter: Chapter) -> None:
        story = self._stories.get(key)
        if story is None:
            story = self._stories[key] = deque(maxlen=STORY_LENGTH)
            if len(self._stories) > STORY_KEYS:
                self._stories.popitem(last=False)
        else:
            self._stories.move_to_end(key)
        story.append(chapter)


__all__ = ["DONE", "Chapter", "Context", "Controller", "ControllerRunner"]
