"""Other views of objects: as a Table for people, as metadata only for caches. The only reads that decode.

Not here: columns and cells (machinery.table, the resource's declaration).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proa.apiserver.listing import ItemList
from proa.apiserver.negotiation import Accepted
from proa.apiserver.reply import Reply, json_reply
from proa.apiserver.watching import Shown
from proa.machinery.resource import Resource
from proa.machinery.table import API_VERSION, include_object, table
from proa.store.item import Item

Line = Callable[[Shown], bytes]
_decode = msgspec.json.decode


def one_reply(resource: Resource[Any], accept: Accepted, item: Item, query: Mapping[str, str]) -> Reply:
    """One object in the view asked for."""
    if accept.view == "metadata":
        return json_reply(_partial(item.body))
    return json_reply(
        table(
            [_decode(item.body)],
            resource.columns,
            time.time(),
            include=include_object(query.get("includeObject", "")),
            list_meta={"resourceVersion": str(item.revision)},
        )
    )


def list_reply(resource: Resource[Any], accept: Accepted, page: ItemList, query: Mapping[str, str]) -> Reply:
    """A list in the view asked for."""
    metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.continue_:
        metadata["continue"] = page.continue_
        if page.remaining is not None:
            metadata["remainingItemCount"] = page.remaining
    if accept.view == "metadata":
        items = [_partial(item.body) for item in page.items]
        kind = {"kind": "PartialObjectMetadataList", "apiVersion": API_VERSION}
        return json_reply({**kind, "metadata": metadata, "items": items})
    include = include_object(query.get("includeObject", ""))
    documents = (_decode(item.body) for item in page.items)
    return json_reply(table(documents, resource.columns, time.time(), include=include, list_meta=metadata))


def watch_line(resource: Resource[Any], accept: Accepted, include: str) -> Line | None:
    """What makes the line of a watch event in the view asked for; None for the object itself."""
    if accept.view == "object":
        return None
    if accept.view == "metadata":
        return lambda shown: _line(shown.type, _partial(shown.item.body))
    how = include_object(include)
    first = True

    def line(shown: Shown) -> bytes:
        nonlocal first
        headers, first = first, False
        document = _decode(shown.item.body)
        rows = [] if shown.type == "BOOKMARK" else [document]
        meta = {"resourceVersion": str(shown.item.revision)}
        view = table(rows, resource.columns, time.time(), include=how, list_meta=meta, headers=headers)
        return _line(shown.type, view)

    return line


class _Head(msgspec.Struct):
    metadata: msgspec.Raw


_head = msgspec.json.Decoder(_Head)


def _partial(body: bytes) -> dict[str, Any]:
    """PartialObjectMetadata of a served body; the metadata's bytes are passed on as they are."""
    return {"kind": "PartialObjectMetadata", "apiVersion": API_VERSION, "metadata": _head.decode(body).metadata}


def _line(kind: str, document: Any) -> bytes:
    return msgspec.json.encode({"type": kind, "object": document}) + b"\n"
