"""Create: the order of its steps, and names that are made up until one is free."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from proa.apiserver import metadata
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.registry.admitting import Admitting
from proa.apiserver.registry.objects import Objects
from proa.apiserver.writing import Encoded, Preparation
from proa.machinery import status as failures
from proa.machinery.names import generate_name
from proa.store.item import Item
from proa.store.protocol import Conflict

_NAME_TRIES = 8


class Creator:
    """The creation of one resource's objects. now: the time of a write."""

    def __init__(
        self, objects: Objects, prepare: Preparation, admission: Admitting, now: Callable[[], str], random: Random
    ) -> None:
        self._objects = objects
        self._resource = objects.resource
        self._prepare = prepare
        self._admission = admission
        self._now = now
        self._random = random

    async def create(self, namespace: str, document: Document, options: WriteOptions, *, name: str = "") -> Item:
        """Store a new object; `name` is the URL's where it has one (apply). The document is used up."""
        prepare, admission, hooks = self._prepare, self._admission, self._objects.hooks
        prepare.decoded(document, options)
        now = self._now()
        meta = metadata.fill_for_create(self._resource, document, namespace, now, self._random)
        metadata.dedup_owners(meta, options.warnings)
        if name:
            meta["name"] = name
        base = "" if meta.get("name") else meta.get("generateName", "")
        if base:
            meta["name"] = generate_name(base, self._random)
        prepare.new(document)
        document = prepare.tracked(None, document, options, now)
        called = "" if base else meta.get("name", "")
        attributes = admission.attributes("CREATE", "", namespace, called, document, options)
        meta = document["metadata"]
        await admission.mutate(attributes)
        if document["metadata"] is not meta:  # somebody outside of the server has made another
            metadata.match_namespace(self._resource, document["metadata"], namespace)
            metadata.dedup_owners(document["metadata"], options.warnings, metadata.AFTER_ADMISSION)
        finish = hooks.begin_create(document, dry_run=options.dry_run) if hooks is not None else None
        done = False
        try:
            encoded = prepare.create(document)
            options.warnings += prepare.warnings(encoded.object)
            await admission.validate(attributes)
            item = await self._insert(document, encoded, base, namespace, options)
            done = not options.dry_run
            return item
        finally:
            if finish is not None:
                finish(done)

    async def _insert(
        self, document: Document, encoded: Encoded, base: str, namespace: str, options: WriteOptions
    ) -> Item:
        objects, meta = self._objects, document["metadata"]
        for attempt in range(_NAME_TRIES):
            if attempt:
                meta["name"] = generate_name(base, self._random)
                encoded = self._prepare.create(document)
            key = objects.key(namespace, meta["name"])
            if options.dry_run:
                if objects.cache.item(key) is None:
                    return objects.unborn(key, encoded.body)
            else:
                written = await objects.create(key, encoded)
                if not isinstance(written, Conflict):
                    return written
            if not base:
                found = await objects.newest(key)
                going = found is not None and "deletionTimestamp" in msgspec.json.decode(found.body)["metadata"]
                raise failures.already_exists(self._resource, meta["name"], going=going)
        raise failures.generate_name_conflict(self._resource, meta["name"])
