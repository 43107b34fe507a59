"""Typed objects to Kubernetes protobuf, byte for byte as Go writes them.

A field that is no pointer in Go is always written, also when it is empty; fields stand in the order of their numbers,
maps in the order of their keys. A writer is compiled once per type: one expression that looks at every field, with the
bytes of empty fields as constants. Not here: the wrappings (`wire`), and where fields stand (`layout`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from proa.machinery import quantity, timestamps
from proa.machinery.conform import normalise, prune
from proa.machinery.declare import Object
from proa.machinery.protobuf import unions
from proa.machinery.protobuf.layout import Group, is_pointer, is_wrapped, layout
from proa.machinery.protobuf.unions import union
from proa.machinery.protobuf.wire import BYTES, FIXED64, VARINT, delimited, enveloped, tag, varint
from proa.machinery.schema import (
    AnySchema,
    ListSchema,
    MapSchema,
    ObjectSchema,
    Property,
    ScalarSchema,
    Schema,
    derived,
    schema_of,
)

_NOBODY = ObjectSchema("", {})

Write = Callable[[Any], bytes]
"""A value to its field, tag and all; of a message, an object to what is inside."""


def encode(obj: Object, api_version: str = "", kind: str = "") -> bytes:
    """An object in its envelope; apiVersion and kind are its own where they are not given."""
    api_version = api_version or getattr(obj, "apiVersion", "")
    return enveloped(api_version, kind or getattr(obj, "kind", ""), element_of(message_of(type(obj))(obj)))


def encode_document(document: Mapping[str, Any], declared: type[Object]) -> bytes:
    """A plain document of a declared type, in its envelope."""
    return encode(msgspec.convert(document, declared), document.get("apiVersion", ""), document.get("kind", ""))


def element_of(message: bytes) -> bytes:
    """A message as an item of its list, which is also how its envelope holds it."""
    return delimited(2, message)


def message_of(declared: type[Object]) -> Write:
    """What writes the message of an object of this type, without its tag."""
    return _message(schema_of(declared))


@derived
def _message(schema: ObjectSchema) -> Write:
    assert schema.type is not None, f"{schema} was not declared, so it has no protobuf numbers"
    attributes = {info.encode_name: info.name for info in msgspec.structs.fields(schema.type)}
    return _compiled(schema, layout(schema), attributes)


def _compiled(schema: ObjectSchema, group: Group, attributes: Mapping[str, str]) -> Write:
    """The writer of one message: `lambda obj: b"".join((<a field>, <a field>, ...))`."""
    scope: dict[str, Any] = {}
    terms = []
    for number, member in group.members.items():
        write, empty = f"write{number}", f"empty{number}"
        if isinstance(member, Group):
            scope[write] = _embedded(number, _compiled(schema, member, attributes))
            terms.append(f"{write}(obj)")
            continue
        scope[write] = _field(number, member, schema)
        value = f"(value := obj.{attributes[member.name]})"
        scope[empty] = b"" if is_pointer(schema, member) else _empty(number, member)
        told_apart = member.nullable or _is_int_or_string(member.schema)  # the number 0 is not the text ''
        is_empty = f"{value} is None" if told_apart else f"not {value}"
        terms.append(f"{empty} if {is_empty} else {write}(value)")
    if not terms:
        return lambda obj: b""
    text = f"lambda obj: b''.join(({', '.join(terms)},))"
    return eval(compile(text, f"<protobuf of {schema.name}>", "eval"), scope)  # type: ignore[no-any-return]


def _empty(number: int, member: Property) -> bytes:
    """How a field that is no pointer is written when it has its zero value."""
    match member.schema:
        case ScalarSchema(is_time=True) | AnySchema():
            return delimited(number, b"")
        case ScalarSchema(is_int_or_string=True):
            return delimited(number, _int_or_string(0))
        case ScalarSchema(format="byte"):
            return b""  # nil and empty are the same to Go here
        case ScalarSchema() as scalar:
            return _writer(number, scalar, _NOBODY)(scalar.zero)
        case _:
            return b""


def _is_int_or_string(schema: Schema) -> bool:
    return isinstance(schema, ScalarSchema) and schema.is_int_or_string


# --- values ---


def _field(number: int, member: Property, owner: ObjectSchema) -> Write:
    if not isinstance(member.schema, ListSchema):
        return _writer(number, member.schema, owner)
    if not is_wrapped(owner, member):
        return _list(number, member.schema, owner)
    return _embedded(number, _list(1, member.schema, owner))


def _writer(number: int, schema: Schema, owner: ObjectSchema) -> Write:
    """What writes one value; owner: the type whose field it is in."""
    match schema:
        case ObjectSchema():
            return _embedded(number, _lazily(schema))
        case ListSchema():
            # a list inside of a map or list is a message of its own
            return _embedded(number, _list(1, schema, owner))
        case MapSchema():
            return _map(number, schema.value, owner)
        case AnySchema():
            kind = union(schema)
            if not kind:
                return _embedded(number, _json)
            plain = _plainly(owner)
            return _embedded(number, lambda value: unions.write(kind, value, plain))
        case ScalarSchema(type="string"):
            return _string_like(number, schema)
        case ScalarSchema(type="integer"):
            return _integer(number)
        case ScalarSchema(type="boolean"):
            true, false = tag(number, VARINT) + b"\1", tag(number, VARINT) + b"\0"
            return lambda value: true if value else false
        case ScalarSchema(type="number"):
            start = tag(number, FIXED64)
            return lambda value: start + struct.pack("<d", value)
        case _:
            return _embedded(number, _json)


def _string_like(number: int, schema: ScalarSchema) -> Write:
    if schema.is_quantity:
        return _embedded(number, _quantity)
    if schema.is_int_or_string:
        return _embedded(number, _int_or_string)
    if schema.is_time:
        return _embedded(number, _micro_time if schema.is_micro_time else _time)
    if schema.format == "byte":
        return _embedded(number, lambda value: value)
    return _embedded(number, str.encode)


def _lazily(schema: ObjectSchema) -> Write:
    """Types may contain themselves, so what is inside is compiled when it is first met."""
    known: Write | None = None

    def write(value: Any) -> bytes:
        nonlocal known
        if known is None:
            known = _message(schema)
        return known(value)

    return write


def _plainly(schema: ObjectSchema) -> Write:
    """What writes plain documents of a declared type."""
    write = _lazily(schema)

    def plain(document: Any) -> bytes:
        shaped = msgspec.json.decode(msgspec.json.encode(document))
        normalise(shaped, schema)
        prune(shaped, schema)
        return write(msgspec.convert(shaped, schema.type))

    return plain


@lru_cache
def _starts(number: int) -> list[bytes]:
    """A field's tag with every length that is one byte."""
    start = tag(number, BYTES)
    return [start + bytes((length,)) for length in range(0x80)]


def _embedded(number: int, inner: Write) -> Write:
    starts, start = _starts(number), tag(number, BYTES)

    def write(value: Any) -> bytes:
        data = inner(value)
        length = len(data)
        return starts[length] + data if length < 0x80 else b"%b%b%b" % (start, varint(length), data)

    return write


def _list(number: int, schema: ListSchema, owner: ObjectSchema) -> Write:
    item = _writer(number, schema.item, owner)
    return lambda values: b"".join([item(value) for value in values])


def _map(number: int, value_schema: Schema, owner: ObjectSchema) -> Write:
    key, value = _TEXT, _writer(2, value_schema, owner)
    entry = _embedded(number, lambda pair: key(pair[0]) + value(pair[1]))
    return lambda values: b"".join([entry(pair) for pair in sorted(values.items())])


def _integer(number: int) -> Write:
    start = tag(number, VARINT)
    small = [start + varint(value) for value in range(0x80)]
    return lambda value: small[value] if 0 <= value < 0x80 else start + varint(value)


# --- leaves that are messages ---

_TEXT = _embedded(1, str.encode)


def _json(value: Any) -> bytes:
    """RawExtension, FieldsV1: the JSON in field 1."""
    return delimited(1, msgspec.json.encode(value))


@lru_cache(4096)
def _quantity(value: str | float) -> bytes:
    return _TEXT(quantity.canonical(value))


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return b"\x08\1\x10\0" + delimited(3, value.encode())
    return b"\x08\0\x10" + varint(value) + b"\x1a\0"


@lru_cache(4096)
def _time(value: str) -> bytes:
    return _moment(timestamps.parse(value), 0)


@lru_cache(4096)
def _micro_time(value: str) -> bytes:
    moment = timestamps.parse(value)
    return _moment(moment, moment.microsecond * 1000)


def _moment(moment: datetime, nanoseconds: int) -> bytes:
    """The zero time is an empty message."""
    seconds = int(moment.replace(microsecond=0).timestamp())
    return b"" if seconds == timestamps.ZERO else b"\x08%b\x10%b" % (varint(seconds), varint(nanoseconds))
