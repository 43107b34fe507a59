"""The documents of a write as another served version of the same resource says them.

What a webhook sees whose rules name that other version (matchPolicy Equivalent). Not here: the conversions themselves,
which the registries' views know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from proa.machinery.resource import Resource
from proa.store.item import Item

if TYPE_CHECKING:
    from proa.apiserver.registry import Registry

Document = dict[str, Any]


async def converted(document: Mapping[str, Any], source: Registry, target: Registry) -> Document:
    """A new document: `source`'s as `target` serves it, by way of what is stored. Raises StatusError."""
    metadata = document["metadata"]
    version = metadata.get("resourceVersion")
    plain = {**document, "metadata": {name: value for name, value in metadata.items() if name != "resourceVersion"}}
    body = _stored_order(plain)
    if source.view is not None:
        body = await source.view.stored(body)
    if target.view is not None:
        item = Item("", 0, body, target.codec)
        await target.view.prepare((item,))
        body = target.view.of(item).body
    found: Document = msgspec.json.decode(body)
    found["metadata"].pop("resourceVersion", None)
    if version is not None:
        found["metadata"]["resourceVersion"] = version
    return found


def _stored_order(document: Mapping[str, Any]) -> bytes:
    """As the store wants its values: the metadata first."""
    rest = {name: value for name, value in document.items() if name != "metadata"}
    return msgspec.json.encode({"metadata": document["metadata"], **rest})


class Documents:
    """The two documents of a write, as `resource` says them; made for other versions when they are wanted."""

    def __init__(self, resource: Resource[Any], document: Document | None, old: Mapping[str, Any] | None) -> None:
        self.resource = resource
        self.document = document
        self.old = old

    async def as_(self, target: Resource[Any], registry: Any) -> Documents:
        """The same in another version. registry: finds the registry of a resource. Raises StatusError."""
        if target == self.resource:
            return self
        source, wanted = registry(self.resource), registry(target)
        return Documents(
            target,
            None if self.document is None else await converted(self.document, source, wanted),
            None if self.old is None else await converted(self.old, source, wanted),
        )
