"""Kubernetes protobuf to plain documents.

A reader is compiled once per schema into tables of field numbers. Go writes zero values of fields that are no
pointers, so these are dropped as JSON would leave them out. Unknown fields are skipped, as protobuf wants. Not here:
the wrappings (`wire`), and where fields stand (`layout`).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proa.machinery import timestamps
from proa.machinery.protobuf import unions
from proa.machinery.protobuf.layout import Group, is_wrapped, layout
from proa.machinery.protobuf.unions import union
from proa.machinery.protobuf.wire import (
    MALFORMED,
    ProtobufError,
    Value,
    as_bytes,
    as_integer,
    fields,
    open_envelope,
    read_varint,
    signed,
)
from proa.machinery.schema import (
    AnySchema,
    ListSchema,
    MapSchema,
    ObjectSchema,
    Property,
    ScalarSchema,
    Schema,
    derived,
)

Document = dict[str, Any]

_DEEPEST = 100


def decode(body: bytes, schema: ObjectSchema) -> Document:
    """The document in an enveloped message of the schema's type, with the envelope's apiVersion and kind."""
    api_version, kind, raw = open_envelope(body)
    try:
        document = _message(schema)(raw, 0)
    except MALFORMED as error:
        raise ProtobufError(f"malformed protobuf message of {kind or schema.name}: {error}") from None
    if api_version:
        document["apiVersion"] = api_version
    if kind:
        document["kind"] = kind
    return document


_Read = Callable[[Value, int], Any]
"""(value, depth) -> JSON; None for what is absent."""
_Message = Callable[[bytes, int], Document]
_Take = Callable[[Document, Value, int], None]
"""Puts what a field's value means into the document: (document, value, depth)."""


@derived
def _message(schema: ObjectSchema) -> _Message:
    """What reads a message of the schema."""
    takers: dict[int, _Take] = {}

    def read(data: bytes, depth: int) -> Document:
        if depth > _DEEPEST:
            raise ProtobufError("the message is nested too deeply")
        if not takers:  # types may contain themselves, so this waits for the first message
            takers.update(_takers(schema, layout(schema)))
        document: Document = {}
        for number, value in fields(data):
            take = takers.get(number)
            if take is not None:
                take(document, value, depth)
        return document

    return read


def _takers(schema: ObjectSchema, group: Group) -> dict[int, _Take]:
    return {
        number: _group(_takers(schema, member)) if isinstance(member, Group) else _taker(schema, member)
        for number, member in group.members.items()
    }


def _group(takers: Mapping[int, _Take]) -> _Take:
    def take(document: Document, value: Value, depth: int) -> None:
        for number, part in fields(as_bytes(value)):
            inner = takers.get(number)
            if inner is not None:
                inner(document, part, depth)

    return take


def _taker(owner: ObjectSchema, field: Property) -> _Take:
    name, schema = field.name, field.schema
    if isinstance(schema, ListSchema):
        return _wrapped_list(name, schema, owner) if is_wrapped(owner, field) else _list(name, schema, owner)
    if isinstance(schema, MapSchema):
        entry = _entry(schema, owner)

        def take_entry(document: Document, value: Value, depth: int) -> None:
            key, found = entry(value, depth + 1)
            document.setdefault(name, {})[key] = found

        return take_entry
    read = _reader(schema, owner)
    # Go writes the zero value of a field that is no pointer; in JSON it is left out.
    keeps_zero = field.nullable or field.always or isinstance(schema, AnySchema)

    def take(document: Document, value: Value, depth: int) -> None:
        found = read(value, depth + 1)
        if found is not None and (found or keeps_zero):
            document[name] = found

    return take


def _list(name: str, schema: ListSchema, owner: ObjectSchema) -> _Take:
    read = _reader(schema.item, owner)
    packable = isinstance(schema.item, ScalarSchema) and schema.item.type == "integer"

    def take(document: Document, value: Value, depth: int) -> None:
        found = document.setdefault(name, [])
        if packable and isinstance(value, bytes):
            at = 0
            while at < len(value):
                number, at = read_varint(value, at)
                found.append(signed(number))
        else:
            found.append(read(value, depth + 1))

    return take


def _wrapped_list(name: str, schema: ListSchema, owner: ObjectSchema) -> _Take:
    read = _reader(schema, owner)

    def take(document: Document, value: Value, depth: int) -> None:
        document[name] = read(value, depth)

    return take


def _reader(schema: Schema, owner: ObjectSchema) -> _Read:
    """What reads one value; owner: the type whose field it is in."""
    match schema:
        case ObjectSchema():
            return lambda value, depth: _message(schema)(as_bytes(value), depth)
        case ListSchema():
            # A list that is the value of a map is a message of its own (ExtraValue), with the items in field 1.
            item = _reader(schema.item, owner)
            return lambda value, depth: [
                item(each, depth + 1) for number, each in fields(as_bytes(value)) if number == 1
            ]
        case MapSchema():
            return _entry(schema, owner)
        case AnySchema():
            kind = union(schema)
            if not kind:
                return lambda value, depth: _raw(value)
            below = _reader(owner, owner)
            return lambda value, depth: unions.read(kind, value, depth, below)
        case _:
            return _scalar(schema)


def _entry(schema: MapSchema, owner: ObjectSchema) -> _Read:
    inner = schema.value
    read = _reader(inner, owner)

    def entry(value: Value, depth: int) -> tuple[str, Any]:
        key = ""
        found: Any = None
        for number, part in fields(as_bytes(value)):
            if number == 1:
                key = as_bytes(part).decode()
            elif number == 2:
                found = read(part, depth + 1)
        if found is None:
            found = inner.zero if isinstance(inner, ScalarSchema) else [] if isinstance(inner, ListSchema) else {}
        return key, found

    return entry


def _scalar(schema: ScalarSchema) -> _Read:
    if schema.is_quantity:
        return lambda value, depth: _only(value).decode()
    if schema.is_int_or_string:
        return _int_or_string
    if schema.is_time:
        return _micro_time if schema.is_micro_time else _time
    if schema.type == "object":
        return lambda value, depth: _raw(value)
    if schema.type == "boolean":
        return lambda value, depth: bool(as_integer(value))
    if schema.type == "integer":
        return lambda value, depth: signed(as_integer(value))
    if schema.type == "number":
        return lambda value, depth: struct.unpack("<d", as_bytes(value))[0]
    if schema.format == "byte":
        return lambda value, depth: base64.b64encode(as_bytes(value)).decode()
    return lambda value, depth: as_bytes(value).decode()


def _only(value: Value) -> bytes:
    """Field 1 of a message that has but that."""
    return next((as_bytes(each) for number, each in fields(as_bytes(value)) if number == 1), b"")


def _raw(value: Value) -> Any:
    """Field 1 holds JSON (RawExtension, FieldsV1)."""
    text = _only(value)
    try:
        return msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtobufError(f"embedded JSON: {error}") from None


def _int_or_string(value: Value, depth: int) -> int | str:
    parts = dict(fields(as_bytes(value)))
    if parts.get(1, 0) == 1:
        return as_bytes(parts.get(3, b"")).decode()
    return signed(as_integer(parts.get(2, 0)))


def _time(value: Value, depth: int) -> str | None:
    seconds, _ = _moment(value)
    return None if seconds is None else _timestamp(seconds)


def _micro_time(value: Value, depth: int) -> str | None:
    seconds, nanoseconds = _moment(value)
    if seconds is None:
        return None
    return _timestamp(seconds)[:-1] + f".{nanoseconds // 1000 % 1_000_000:06d}Z"


def _timestamp(seconds: int) -> str:
    try:
        return timestamps.from_epoch(seconds)
    except (ValueError, OverflowError, OSError):
        raise ProtobufError(f"{seconds} seconds since 1970 are no time") from None


def _moment(value: Value) -> tuple[int | None, int]:
    parts = dict(fields(as_bytes(value)))
    if not parts:
        return None, 0
    seconds = signed(as_integer(parts.get(1, 0)))
    return (None if seconds == timestamps.ZERO else seconds), as_integer(parts.get(2, 0))
