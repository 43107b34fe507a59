"""Other views of objects: as a Table for people, as metadata only for caches. The only reads that decode.

Not here: columns and cells (machinery.table, the resource's declaration).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proa.apiserver.listing import ItemList
from proa.apiserver.negotiation import Accepted
from proa.apiserver.reply import JSON, Reply, json_reply
from proa.apiserver.watching import Shown
from proa.machinery.resource import Resource
from proa.store.item import Item

Line = Callable[[Shown], bytes]
_META = "meta.k8s.io/v1"


def one_reply(resource: Resource[Any], accept: Accepted, item: Item, query: Mapping[str, str]) -> Reply:
    """One object in the view asked for."""
    if accept.view == "metadata":
        return json_reply(_partial(item.body))
    return Reply(200, item.body, JSON)


def list_reply(resource: Resource[Any], accept: Accepted, page: ItemList, query: Mapping[str, str]) -> Reply:
    """A list in the view asked for."""
    metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.continue_:
        metadata["continue"] = page.continue_
        if page.remaining is not None:
            metadata["remainingItemCount"] = page.remaining
    items = [_partial(item.body) for item in page.items]
    return json_reply({"kind": "PartialObjectMetadataList", "apiVersion": _META, "metadata": metadata, "items": items})


def watch_line(resource: Resource[Any], accept: Accepted, include_object: str) -> Line | None:
    """What makes the line of a watch event in the view asked for; None for the object itself."""
    if accept.view == "metadata":
        return lambda shown: shown.line() if shown.type == "BOOKMARK" else _line(shown.type, _partial(shown.item.body))
    return None


class _Head(msgspec.Struct):
    metadata: msgspec.Raw


_head = msgspec.json.Decoder(_Head)


def _partial(body: bytes) -> dict[str, Any]:
    metadata = _head.decode(body).metadata
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": metadata}


def _line(kind: str, document: Any) -> bytes:
    return msgspec.json.encode({"type": kind, "object": document}) + b"\n"
