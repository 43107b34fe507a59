"""The generic registry: what get, list, watch, create, update, patch and delete mean for any resource.

One instance a resource. Documents go in, items (bytes with a revision) come out; the order of a write is fixed here:
decode, default, prepare, admission, validation, store. Who may ask was decided before. One module for each kind of
verb (`reading`, `creating`, `changing`, `deleting`) over the stored `objects`; here they are put together. Not here:
HTTP, the steps of a write that need no store (`apiserver.writing`), and what is special to one resource: its strategy,
its `hooks`, and the handlers of its subresources.
"""

from __future__ import annotations

from random import Random
from typing import Any

from proa.aio.clock import Clock
from proa.apiserver.admission import Chain
from proa.apiserver.conversion import View
from proa.apiserver.registry.admitting import Admitting
from proa.apiserver.registry.changing import Changer
from proa.apiserver.registry.creating import Creator
from proa.apiserver.registry.deleting import Deleter
from proa.apiserver.registry.hooks import Hooks
from proa.apiserver.registry.objects import Objects
from proa.apiserver.registry.reading import Reader
from proa.apiserver.writing import Preparation
from proa.machinery.resource import Resource
from proa.machinery.timestamps import format_time
from proa.store.item import Codec
from proa.store.watchcache import WatchCache


class Registry:
    """Serves one resource from one watch cache. Everything raises StatusError.

    The verbs are its parts' own methods, so that a call goes straight to the part.
    """

    def __init__(
        self,
        resource: Resource[Any],
        cache: WatchCache,
        codec: Codec,
        *,
        clock: Clock,
        random: Random,
        admission: Chain,
        hooks: Hooks | None = None,
        view: View | None = None,
    ) -> None:
        self.resource = resource
        self.cache = cache
        self.codec = codec
        self.view = view
        self.watch_events = 0
        """How many events have been sent to watchers over HTTP."""

        def now() -> str:
            return format_time(clock.now())

        self.now = now
        """The time of a write (RFC 3339)."""

        objects = Objects(resource, cache, codec, hooks, view)
        self.peek = objects.peek

        reader = Reader(objects)
        self.get = reader.get
        self.list = reader.list
        self.watch = reader.watch

        prepare = Preparation(resource)
        admitting = Admitting(resource, admission.of(resource))
        self.admit = admitting.admit

        self.create = Creator(objects, prepare, admitting, now, random).create

        changer = Changer(objects, prepare, admitting, now)
        self.update = changer.update
        self.patch = changer.patch
        self.change = changer.change

        deleter = Deleter(objects, prepare, admitting, reader, clock)
        self.delete = deleter.delete
        self.delete_collection = deleter.delete_collection
        self.deleted_status = deleter.deleted_status

    async def awake(self) -> None:
        """Have the cache loaded: those of resources made at run time are when they are first asked for."""
        if not self.cache.is_loaded:
            await self.cache.start()
