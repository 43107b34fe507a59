"""Subresources through which one part of an object is written, by the rules of that part: finalize, resize, approval...

A `Part` writes like a registry does, so that requests and components of this process go the same way. Not here: the
status and the Scale, which are ordinary changes (`registry.changing`), and HTTP (`handlers.resources`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.api.core_v1.resources import NAMESPACES, PODS
from proa.apiserver import metadata
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.parts.approval import take_approval
from proa.apiserver.parts.namespaces import take_finalizers
from proa.apiserver.parts.pods import take_ephemeral_containers, take_resources
from proa.apiserver.registry import Registry
from proa.apiserver.registry.changing import Facet
from proa.apiserver.writing import Change, Preparation
from proa.machinery import status as failures
from proa.machinery.resource import Resource
from proa.store.item import Item

Take = Callable[[Document, Document, str], None]
"""(new, stored, now): moves the part over from `new` to `stored`. Raises StatusError."""

_TAKES: dict[tuple[Resource[Any], str], Take] = {
    (NAMESPACES, "finalize"): take_finalizers,
    (PODS, "ephemeralcontainers"): take_ephemeral_containers,
    (PODS, "resize"): take_resources,
    (CERTIFICATE_SIGNING_REQUESTS, "approval"): take_approval,
}


def part_of(registry: Registry, subresource: str) -> Part | None:
    """What writes a subresource of that registry's objects; None where it is no part in this sense."""
    take = _TAKES.get((registry.resource, subresource))
    return None if take is None else Part(registry, take)


class Part:
    """What of a `Registry` reads and writes one part of its objects. Raises StatusError."""

    def __init__(self, registry: Registry, take: Take) -> None:
        self.resource = registry.resource
        self.get = registry.get
        self.now = registry.now
        self._registry = registry
        self._take = take
        self._prepare = Preparation(registry.resource)

    async def update(
        self, namespace: str, name: str, document: Document, options: WriteOptions, subresource: str
    ) -> Item:
        """Take the part over from a whole object, guarded by its resourceVersion if it has one."""
        self._prepare.decoded(document, options)
        copy = msgspec.json.encode(document)
        return await self.change(namespace, name, lambda _: msgspec.json.decode(copy), options, subresource)

    async def patch(self, namespace: str, name: str, patch: Change, options: WriteOptions, subresource: str) -> Item:
        """Take the part over from what a patch makes of the stored object."""
        change = self._prepare.patched(patch, options)
        return await self.change(namespace, name, change, options, subresource)

    async def change(
        self,
        namespace: str,
        name: str,
        change: Change,
        options: WriteOptions,
        subresource: str,
        *,
        facet: Facet | None = None,
    ) -> Item:
        """Take the part over from what `change` makes of the stored object."""

        def taken(stored: Document) -> Document:
            before = msgspec.json.encode(stored)
            document = change(msgspec.json.decode(before))
            meta = metadata.of(document)
            if meta.get("name", name) != name:
                raise failures.bad_request(f"the name of the object ({meta['name']}) does not match the URL ({name})")
            version, now = meta.get("resourceVersion"), self.now()
            self._take(document, stored, now)
            if options.applied:
                stored["metadata"]["managedFields"] = meta.get("managedFields", [])
            else:
                stored = self._prepare.tracked(msgspec.json.decode(before), stored, options, now, subresource)
            if version:
                stored["metadata"]["resourceVersion"] = version
            else:
                stored["metadata"].pop("resourceVersion", None)
            return stored

        return await self._registry.change(namespace, name, taken, options, subresource, trusted=True, facet=facet)
