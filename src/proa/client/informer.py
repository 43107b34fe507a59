"""Informers: a live, indexed, in-memory copy of what one list and watch returns.

Every component reads through these instead of asking the API again. The objects are frozen and shared: with the
in-process client they are the very objects the API server decoded, once. `Informers` makes sure that two readers of the
same thing share one watch. Handlers are plain functions called in order, right after the copy changed; they must be
quick (queue a key, update a table). Not here: reconciling (control).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

from proa.aio.backoff import Backoff
from proa.aio.tasks import TaskFailedError, TaskScope
from proa.base.errors import ProaError
from proa.client.protocol import Client, WatchEvent
from proa.machinery.declare import Object
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_expired

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)

Handler = Callable[[T | None, T | None], None]
IndexFunction = Callable[[T], Iterable[str]]

RETRY = Backoff(base=0.2, factor=2.0, cap=30.0, jitter=0.5)
# A watch that lived this long (seconds) or brought anything was a healthy one: the backoff starts anew.
HEALTHY_AFTER = 5.0

NAMESPACE_INDEX = "namespace"


def key_of(obj: Any) -> str:
    """`namespace/name`, or `name` of a cluster-scoped object."""
    meta = obj.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def split_key(key: str) -> tuple[str, str]:
    """(namespace, name) of a key; the namespace of a cluster-scoped one is empty."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


class Informer(Generic[T]):
    """A copy of the objects of `resource` that match, kept current by `run()`.

    Reads never block and are as old as the last event; `await synced()` before the first one. `resource_version` is how
    far the copy is.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        *,
        retry: Backoff = RETRY,
    ) -> None:
        self.client = client
        self.resource = resource
        self.namespace = namespace
        self.label_selector = label_selector
        self.field_selector = field_selector
        self.resource_version = ""
        self._retry = retry
        self._objects: dict[str, T] = {}
        self._indices: dict[str, _Index[T]] = {}
        self._handlers: list[Handler[T]] = []
        self._synced = asyncio.Event()
        self._events = 0
        self._lists = 0
        self._watches = 0
        self._failures = 0
        self._handler_failures = 0
        self._last_error = ""

    # Reading

    def get(self, key: str) -> T | None:
        """The object with `key` (`namespace/name`, or `name` when cluster-scoped)."""
        return self._objects.get(key)

    def list(self, namespace: str = "") -> Sequence[T]:
        """All objects, or those of one namespace; a list of the caller's own."""
        if namespace:
            return self.by_index(NAMESPACE_INDEX, namespace)
        return list(self._objects.values())

    def keys(self) -> Sequence[str]:
        return list(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: object) -> bool:
        return key in self._objects

    def by_index(self, name: str, value: str) -> Sequence[T]:
        """The objects whose index function `name` yielded `value`; a list of the caller's own."""
        index = self._indices.get(name)
        if index is None:
            if name != NAMESPACE_INDEX:
                raise KeyError(f"informer of {self.resource.qualified} has no index {name!r}: call add_index first")
            self.add_index(NAMESPACE_INDEX, lambda obj: (_meta(obj).namespace,))
            index = self._indices[name]
        found = index.values.get(value)
        return list(found.values()) if found else []

    def add_index(self, name: str, function: IndexFunction[T]) -> None:
        """Index every object under each value `function` yields for it. Adding the same name again changes nothing."""
        if name in self._indices:
            return
        index = _Index(function)
        for key, obj in self._objects.items():
            index.replace(key, None, obj)
        self._indices[name] = index

    def on_change(self, handler: Handler[T]) -> Callable[[], None]:
        """Call `handler(old, new)` for every change from now on, `(None, new)` first for everything already here.

        `old` is None for an added object, `new` is None for a deleted one. A recreated object comes as a delete and an
        add, never as a change of uid. Handlers run in registration order.
        Call what is returned to hear no more.
        """
        self._handlers = [*self._handlers, handler]
        for obj in list(self._objects.values()):
            self._call(handler, None, obj)

        def remove() -> None:
            self._handlers = [each for each in self._handlers if each is not handler]

        return remove

    @property
    def is_synced(self) -> bool:
        return self._synced.is_set()

    async def synced(self) -> None:
        """Return once the first list is in the copy and every handler has seen it."""
        await self._synced.wait()

    def statistics(self) -> dict[str, Any]:
        return {
            "objects": len(self._objects),
            "events": self._events,
            "lists": self._lists,
            "watches": self._watches,
            "failures": self._failures,
            "handler_failures": self._handler_failures,
            "last_error": self._last_error,
            "resource_version": self.resource_version,
        }

    # Keeping current

    async def run(self) -> None:
        """List and watch for ever. Failures are retried with backoff, an expired resourceVersion by listing anew."""
        failures = 0
        consistent = False  # the first list may come from the server's cache, one after "too old" may not
        loop = asyncio.get_running_loop()
        while True:
            began, events = loop.time(), self._events
            try:
                if not self.resource_version:
                    await self._relist("" if consistent else "0")
                    failures = 0
                await self._watch()
            except Exception as error:
                # Whatever it is, the copy everybody relies on must go on; what is no failure of the API is a bug.
                if is_expired(error) or _is_from_the_future(error):
                    log.info("watch of %s expired, listing again: %s", self.resource.qualified, error)
                    self.resource_version = ""
                    consistent = True
                else:
                    self._failures += 1
                    self._last_error = f"{type(error).__name__}: {error}"
                    bug = None if isinstance(error, (ProaError, OSError)) else error
                    log.warning("watch of %s failed: %s", self.resource.qualified, self._last_error, exc_info=bug)
            if self._events != events or loop.time() - began >= HEALTHY_AFTER:
                failures = 0
            else:
                failures += 1
            await asyncio.sleep(self._retry.delay(failures - 1) if failures else 0)

    async def _relist(self, resource_version: str) -> None:
        found: dict[str, T] = {}
        continue_ = ""
        while True:
            page = await self.client.list(
                self.resource,
                self.namespace,
                label_selector=self.label_selector,
                field_selector=self.field_selector,
                continue_=continue_,
                resource_version="" if continue_ else resource_version,
            )
            for obj in page.items:
                found[key_of(obj)] = obj
            continue_ = page.continue_
            if not continue_:
                break
        self._lists += 1
        for key in [key for key in self._objects if key not in found]:
            self._put(key, None)
        for key, obj in found.items():
            self._put(key, obj)
        self.resource_version = page.resource_version
        self._synced.set()

    async def _watch(self) -> None:
        self._watches += 1
        batches = self.client.watch(
            self.resource,
            self.namespace,
            label_selector=self.label_selector,
            field_selector=self.field_selector,
            resource_version=self.resource_version,
            bookmarks=True,
        )
        try:
            async for batch in batches:
                self.apply(batch)
        finally:
            close = getattr(batches, "aclose", None)
            if close is not None:
                await close()

    def apply(self, batch: Sequence[WatchEvent[T]]) -> None:
        """Take a batch of watch events into the copy."""
        for event in batch:
            obj = event.object
            meta = _meta(obj)
            if event.type != "BOOKMARK":
                key = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
                self._put(key, None if event.type == "DELETED" else obj, last=obj)
            self.resource_version = meta.resourceVersion
        self._events += len(batch)

    def _put(self, key: str, new: T | None, *, last: T | None = None) -> None:
        """Replace what `key` holds and tell the handlers; `last` is the final state of a deleted object."""
        old = self._objects.get(key)
        if new is None:
            if old is None:
                return
            del self._objects[key]
        else:
            if old is not None:
                before, after = _meta(old), _meta(new)
                if before.resourceVersion == after.resourceVersion:
                    return
                if before.uid != after.uid:
                    self._put(key, None)
                    old = None
            self._objects[key] = new
        for index in self._indices.values():
            index.replace(key, old, new)
        if new is None and last is not None:
            old = last
        for handler in self._handlers:
            self._call(handler, old, new)

    def _call(self, handler: Handler[T], old: T | None, new: T | None) -> None:
        try:
            handler(old, new)
        except Exception:
            # One reader's bug must not stop the copy every other reader depends on.
            self._handler_failures += 1
            log.exception("handler %r of informer %s failed", handler, self.resource.qualified)


class _Index(Generic[T]):
    __slots__ = ("function", "values")

    def __init__(self, function: IndexFunction[T]) -> None:
        self.function = function
        self.values: dict[str, dict[str, T]] = {}

    def replace(self, key: str, old: T | None, new: T | None) -> None:
        after = tuple(self.function(new)) if new is not None else ()
        if old is not None:
            for value in self.function(old):
                if value not in after:
                    held = self.values[value]
                    held.pop(key, None)
                    if not held:
                        del self.values[value]
        for value in after:
            held = self.values.setdefault(value, {})
            held[key] = new  # type: ignore[assignment]


class Informers:
    """The informers of one process: each distinct list and watch runs once, whoever asks for it.

    `async with Informers(client) as informers: pods = informers.informer(PODS)`. An informer asked for before `start()`
    starts with it, later ones start at once.
    """

    def __init__(self, client: Client, *, on_error: Callable[[TaskFailedError], None] | None = None) -> None:
        self.client = client
        self._scope = TaskScope("informers", on_error=on_error)
        self._informers: dict[tuple[Resource[Any], str, str, str], Informer[Any]] = {}
        self._running: dict[Informer[Any], asyncio.Task[None]] = {}
        self._started = False

    def informer(
        self, resource: Resource[T], namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Informer[T]:
        """The shared informer of this list and watch."""
        key = (resource, namespace, label_selector, field_selector)
        informer = self._informers.get(key)
        if informer is None:
            informer = self._informers[key] = Informer(self.client, resource, namespace, label_selector, field_selector)
            if self._started:
                self._run(informer)
        return informer

    def forget(self, informer: Informer[Any]) -> None:
        """Stop an informer for everybody: what it watches is served no more."""
        self._informers = {key: each for key, each in self._informers.items() if each is not informer}
        task = self._running.pop(informer, None)
        if task is not None:
            task.cancel()

    async def start(self) -> None:
        if self._started:
            return
        self._started = True
        for informer in self._informers.values():
            self._run(informer)

    async def synced(self) -> None:
        """Return once every informer asked for so far is synced."""
        for informer in list(self._informers.values()):
            await informer.synced()

    def behind(self) -> list[str]:
        """The resources of informers that have not seen everything yet; not custom ones, whose objects may have to be
        converted by somebody who is not there before everything else is."""
        informers = [each for each in self._informers.values() if not each.resource.custom]
        return [each.resource.qualified for each in informers if not each.is_synced]

    async def close(self) -> None:
        """Stop every watch; the copies stay readable."""
        await self._scope.close()

    def statistics(self) -> dict[str, dict[str, Any]]:
        return {
            "/".join(filter(None, (resource.qualified, *selection))): informer.statistics()
            for (resource, *selection), informer in self._informers.items()
        }

    async def __aenter__(self) -> Informers:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _run(self, informer: Informer[Any]) -> None:
        self._running[informer] = self._scope.spawn(informer.run(), name=informer.resource.qualified)


def _is_from_the_future(error: BaseException) -> bool:
    """The server's history is shorter than ours: its store was set back, and what we hold may never have happened."""
    details = error.status.details if isinstance(error, StatusError) else None
    return details is not None and any(cause.reason == "ResourceVersionTooLarge" for cause in details.causes)


def _meta(obj: Any) -> Any:
    return obj.metadata
