"""Objects, lists, watch events and computed answers in the media type and view that their reader accepts.

JSON is the bytes that are kept. Protobuf is made once per item, when the first client asks for it, and kept on the
item: a list joins these elements as it joins JSON bodies. Not here: what an Accept header means (`negotiation`), and
tables and metadata as documents (`machinery.table`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from proa.apiserver.listing import ItemList
from proa.apiserver.negotiation import COMPUTED, CUSTOM, JSON, PLAIN, PROTOBUF, STORED, YAML, Accepted, encode_yaml
from proa.apiserver.reply import Headers, Reply, status_reply, warning_headers
from proa.apiserver.watching import Shown, error_line
from proa.machinery import protobuf
from proa.machinery import status as failures
from proa.machinery.declare import Object
from proa.machinery.meta import ListMeta, ObjectMeta, Status
from proa.machinery.resource import Resource
from proa.machinery.table import IncludeObject, include_object, table
from proa.store.item import Item

if TYPE_CHECKING:
    from proa.apiserver.request import Request

T = TypeVar("T")
Line = Callable[[Shown], bytes]
"""The bytes of one event of a watch."""
_Shape = Callable[[Item], bytes]

# Items made into something else without letting anybody run in between.
_AT_ONCE = 64
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_PEOPLE = ("curl", "Wget", "Mozilla/5.0")

_decode = msgspec.json.decode
_encode = msgspec.json.encode


class _Head(msgspec.Struct):
    metadata: msgspec.Raw


class _TypedHead(msgspec.Struct):
    metadata: ObjectMeta


_head = msgspec.json.Decoder(_Head).decode
_typed_head = msgspec.json.Decoder(_TypedHead).decode


class Representation:
    """How the objects of one resource are written. Everything raises StatusError 406 for what cannot be."""

    def __init__(self, resource: Resource[Any]) -> None:
        self._resource = resource
        self._negotiate = CUSTOM if resource.custom else STORED
        self._open = f'{{"kind":"{resource.list_kind}","apiVersion":"{resource.api_version}","metadata":'
        self.headers: Headers = warning_headers([resource.deprecated]) if resource.deprecated else ()
        """What every answer about this resource carries."""

    # -- one ------------------------------------------------------------------------------------------------------

    def one(self, request: Request, item: Item, status: int = 200) -> Reply:
        """One object."""
        accept = self._negotiate(request.headers.get("Accept", ""))
        if accept is PLAIN and not request.query_string:
            reply = Reply(status, item.body)
        else:
            reply = self._one(request, accept, item, status)
        if self.headers:
            reply.headers = self.headers
        return reply

    def _one(self, request: Request, accept: Accepted, item: Item, status: int) -> Reply:
        resource = self._resource
        if accept.view == "metadata list":
            raise failures.not_acceptable_view("PartialObjectMetadataList", f"not a list ({resource.kind})")
        if accept.view == "table":
            view = self._table(accept, {"resourceVersion": str(item.revision)})
            view["rows"] = [self._row(item, accept, _included(request))]
            body = _encode(view)
        elif accept.media_type == PROTOBUF:
            shape = self._packed(item) if accept.view == "object" else _metadata_packed(accept.version)(item)
            return Reply(status, shape, PROTOBUF)
        else:
            body = item.body if accept.view == "object" else _metadata_json(accept.version)(item)
        return _finished(request, accept, body, status)

    # -- lists ----------------------------------------------------------------------------------------------------

    async def page(self, request: Request, page: ItemList) -> Reply:
        """A page of objects. Large ones are made a part at a time."""
        accept = self._negotiate(request.headers.get("Accept", ""))
        if accept.view == "object" and accept.media_type != PROTOBUF:
            reply = _finished(request, accept, self.json_parts(page))
        elif accept.view == "metadata":
            raise failures.not_acceptable_view("PartialObjectMetadata", f"a list ({self._resource.list_kind})")
        elif accept.view == "table":
            included = _included(request)
            view = self._table(accept, msgspec.to_builtins(_list_meta(page)))
            view["rows"] = await _each(lambda item: self._row(item, accept, included), page)
            reply = _finished(request, accept, _encode(view))
        elif accept.media_type == PROTOBUF:
            reply = Reply(200, await self._packed_list(accept, page), PROTOBUF)
        else:
            bodies = await _each(_metadata_json(accept.version), page)
            start = f'{{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/{accept.version}","metadata":'
            reply = _finished(request, accept, _list_parts(start, page, bodies))
        if self.headers:
            reply.headers = self.headers
        return reply

    def json_parts(self, page: ItemList) -> list[bytes]:
        """The JSON body of a list, in parts: the items' bytes as they are, with what goes between them."""
        return _list_parts(self._open, page, [item.body for item in page.items])

    async def _packed_list(self, accept: Accepted, page: ItemList) -> list[bytes]:
        resource, meta = self._resource, protobuf.message_of(ListMeta)(_list_meta(page))
        if accept.view == "object":
            elements = await _each(self._element, page)
            return protobuf.enveloped_list(resource.api_version, resource.list_kind, meta, elements)
        elements = await _each(_metadata_element, page)
        return protobuf.enveloped_list(f"meta.k8s.io/{accept.version}", "PartialObjectMetadataList", meta, elements)

    # -- watches --------------------------------------------------------------------------------------------------

    def watch(self, request: Request) -> tuple[str, Line, Callable[[Status], bytes]]:
        """The media type of a watch, what writes its events, and what writes the failure that ends it."""
        accept = self._negotiate.watch(request.headers.get("Accept", ""))
        if accept.view == "table":
            return JSON, self._table_line(accept, _included(request)), error_line
        if accept.media_type == PROTOBUF:
            shape = self._packed if accept.view == "object" else _metadata_packed(accept.version)
            line = _shared(f"packed {accept.view} {accept.version} ", shape, protobuf.frame)
            return f"{PROTOBUF};stream=watch", line, _error_frame
        if accept.view == "object":
            return JSON, Shown.line, error_line
        return JSON, _shared(f"metadata {accept.version} ", _metadata_json(accept.version), _json_line), error_line

    def _table_line(self, accept: Accepted, included: IncludeObject) -> Line:
        first = True

        def line(shown: Shown) -> bytes:
            nonlocal first
            item = shown.item
            view = self._table(accept, {"resourceVersion": str(item.revision)}, headers=first)
            first = False
            if shown.type != "BOOKMARK":
                view["rows"] = [self._row(item, accept, included)]
            elif b'"annotations"' in item.body:  # what the bookmark says of itself must be told
                view["rows"] = [{"cells": [], "object": msgspec.Raw(_metadata_json(accept.version)(item))}]
            return _json_line(shown.type, _encode(view))

        return line

    # -- parts ----------------------------------------------------------------------------------------------------

    def _table(self, accept: Accepted, meta: Mapping[str, Any], *, headers: bool = True) -> dict[str, Any]:
        """A table without rows."""
        return table((), self._resource.columns, 0.0, list_meta=meta, headers=headers, version=accept.version)

    def _row(self, item: Item, accept: Accepted, included: IncludeObject) -> dict[str, Any]:
        """One row; of its object the bytes are passed on."""
        resource, document = self._resource, _decode(item.body)
        conditions, now = resource.row_conditions, time.time()
        (row,) = table([document], resource.columns, now, include="None", headers=False, conditions=conditions)["rows"]
        if included == "Metadata":
            row["object"] = msgspec.Raw(_metadata_json(accept.version)(item))
        elif included == "Object":
            row["object"] = msgspec.Raw(item.body)
        return row  # type: ignore[no-any-return]

    def _element(self, item: Item) -> bytes:
        """The item as its list and its envelope hold it, kept on the item."""
        packed = item.packed
        if packed is None:
            obj = item.kept_object
            if obj is None:
                obj = _decode(item.body, type=self._resource.type)
            packed = item.packed = protobuf.element_of(protobuf.message_of(self._resource.type)(obj))
        return packed

    def _packed(self, item: Item) -> bytes:
        return protobuf.enveloped(self._resource.api_version, self._resource.kind, self._element(item))


# --- answers that are not stored ---


def answer(
    request: Request, document: Mapping[str, Any], declared: type[Object], status: int = 200, headers: Headers = ()
) -> Reply:
    """A computed document of a declared type, or a Status. Raises StatusError 406."""
    accept = COMPUTED(request.headers.get("Accept", ""))
    if accept.media_type == PROTOBUF:
        kind = Status if document.get("kind") == "Status" else declared
        reply = Reply(status, protobuf.encode_document(document, kind), PROTOBUF)
    else:
        reply = _finished(request, accept, _encode(document), status)
    reply.headers = headers
    return reply


def status_answer(request: Request, status: Status) -> Reply:
    """A Status, in a type that is accepted, else in JSON."""
    reply = status_reply(status)
    try:
        accept = COMPUTED(request.headers.get("Accept", ""))
    except failures.StatusError:
        return reply
    if accept.media_type == PROTOBUF:
        reply.body, reply.content_type = protobuf.encode(status), PROTOBUF
    elif accept is not PLAIN:
        made = _finished(request, accept, _whole(reply.body))
        reply.body, reply.content_type = made.body, made.content_type
    return reply


# --- shapes of an item ---


def _metadata_json(version: str) -> _Shape:
    start = f'{{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/{version}","metadata":'.encode()
    return lambda item: b"%b%b}" % (start, _head(item.body).metadata)


def _metadata_element(item: Item) -> bytes:
    kept = item.kept_object
    metadata = _typed_head(item.body).metadata if kept is None else kept.metadata
    return protobuf.element_of(protobuf.delimited(1, protobuf.message_of(ObjectMeta)(metadata)))


def _metadata_packed(version: str) -> _Shape:
    api_version = f"meta.k8s.io/{version}"
    return lambda item: protobuf.enveloped(api_version, "PartialObjectMetadata", _metadata_element(item))


def _shared(key: str, shape: _Shape, framed: Callable[[str, bytes], bytes]) -> Line:
    """A line that every watcher of the same kind shares."""

    def line(shown: Shown) -> bytes:
        event = shown.event
        if event is None or shown.type == "BOOKMARK":
            return framed(shown.type, shape(shown.item))
        kind = shown.type
        return event.made(key, lambda item: framed(kind, shape(item)), kind)

    return line


def _included(request: Request) -> IncludeObject:
    """How much of its object a row of a table holds. Raises StatusError 400."""
    return include_object(request.query.get("includeObject", "") if request.query_string else "")


def _json_line(type: str, body: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (type.encode(), body)


def _error_frame(status: Status) -> bytes:
    return protobuf.frame("ERROR", protobuf.encode(status))


# --- lists and bodies ---


def _list_meta(page: ItemList) -> ListMeta:
    return ListMeta(resourceVersion=str(page.revision), continue_=page.continue_, remainingItemCount=page.remaining)


def _list_parts(start: str, page: ItemList, bodies: list[bytes]) -> list[bytes]:
    parts = [b'%b%b,"items":[' % (start.encode(), _encode(_list_meta(page)))]
    for at in range(0, len(bodies), _AT_ONCE):
        parts.append(b",".join(bodies[at : at + _AT_ONCE]))
        parts.append(b",")
    parts[-1 if bodies else len(parts) :] = [b"]}\n"]
    return parts


async def _each(shape: Callable[[Item], T], page: ItemList) -> list[T]:
    """What `shape` makes of every item; others run in between."""
    found: list[T] = []
    for at in range(0, len(page.items), _AT_ONCE):
        if at:
            await asyncio.sleep(0)
        found += [shape(item) for item in page.items[at : at + _AT_ONCE]]
    return found


def _finished(request: Request, accept: Accepted, body: bytes | list[bytes], status: int = 200) -> Reply:
    """A reply with a JSON body; laid out for people, or turned into YAML, where that is wanted."""
    if accept.media_type == YAML:
        return Reply(status, encode_yaml(_whole(body)), YAML)
    if _for_people(request, accept):
        return Reply(status, msgspec.json.format(_whole(body), indent=2) + b"\n")
    return Reply(status, body)


def _for_people(request: Request, accept: Accepted) -> bool:
    asked = request.query.get("pretty", "") if "pretty" in request.query_string else ""
    if asked:
        return asked in _TRUE
    if accept.pretty is not None:
        return accept.pretty
    return request.headers.get("User-Agent", "").startswith(_PEOPLE)


def _whole(body: bytes | list[bytes]) -> bytes:
    return body if isinstance(body, bytes) else b"".join(body)
