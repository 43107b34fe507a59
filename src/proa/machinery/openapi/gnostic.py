"""OpenAPI 2 documents in protobuf, as the gnostic project defines it: the only form in which kubectl asks for them.

One table says for each message which number and kind each key of the JSON document has; the walk follows it. A key
that no table knows is an error and not left out. Extensions (`x-...`) and free values are YAML texts in that format;
JSON is YAML.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

_VARINT, _FIXED64, _LENGTH = 0, 1, 2

Write = Callable[[int, Any], bytes]
"""The encoded field of that number with that value; b'' for nothing."""


def encode(document: Mapping[str, Any]) -> bytes:
    """The document in protobuf. ValueError for what the tables do not know."""
    return _body("Document", document)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _sized(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH) + _varint(len(body)) + body


def _text(number: int, value: str) -> bytes:
    return _sized(number, value.encode())


def _flag(number: int, value: bool) -> bytes:
    return _varint(number << 3 | _VARINT) + b"\x01" if value else b""


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value & (1 << 64) - 1)


def _number(number: int, value: float) -> bytes:
    return _varint(number << 3 | _FIXED64) + struct.pack("<d", value)


def _each(write: Write) -> Write:
    """A repeated field of a list."""
    return lambda number, values: b"".join(write(number, value) for value in values)


def _in(inner: int, write: Write) -> Write:
    """A message that only wraps one field, whose number is `inner`."""
    return lambda number, value: _sized(number, write(inner, value))


def _named(write: Write) -> Write:
    """A repeated field of a mapping: messages of a name and a value."""
    return lambda number, values: b"".join(
        _sized(number, _text(1, name) + write(2, value)) for name, value in values.items()
    )


def _message(name: str) -> Write:
    return lambda number, value: _sized(number, _body(name, value))


def _yaml(number: int, value: Any) -> bytes:
    return _sized(number, _sized(2, msgspec.json.encode(value)))


def _additional(number: int, value: Any) -> bytes:
    return _sized(number, _flag(2, value) if isinstance(value, bool) else _message("Schema")(1, value))


def _parameter(number: int, value: Mapping[str, Any]) -> bytes:
    place = value["in"]
    if place == "body":
        parameter = _message("BodyParameter")(1, value)
    elif place in _PLACES:
        message, inner = _PLACES[place]
        parameter = _in(inner, _message(message))(2, value)
    else:
        raise ValueError(f"parameter {value['name']!r} is in {place!r}: expected body, query or path")
    return _sized(number, _sized(1, parameter))


def _body(message: str, value: Mapping[str, Any]) -> bytes:
    fields, extensions = _MESSAGES[message]
    parts = []
    for key, item in value.items():
        if key.startswith("x-") and extensions:
            parts.append(_named(_yaml)(extensions, {key: item}))
        elif key in fields:
            number, write = fields[key]
            parts.append(write(number, item))
        else:
            raise ValueError(f"{key!r} is not known in an OpenAPI 2 {message}")
    return b"".join(parts)


_TEXTS = _each(_text)
_SCHEMA = _message("Schema")
_OPERATION = _message("Operation")
_PARAMETERS = _each(_parameter)
_SCHEMAS = _in(1, _named(_SCHEMA))
_REQUIREMENTS = _each(_in(1, _named(_in(1, _TEXTS))))
_PLACES = {"query": ("QueryParameter", 3), "path": ("PathParameter", 4)}

# For each message: its fields by JSON key, and the number of its extensions, 0 for none.
_MESSAGES: Mapping[str, tuple[Mapping[str, tuple[int, Write]], int]] = {
    "Document": (
        {
            "swagger": (1, _text),
            "info": (2, _message("Info")),
            "paths": (8, _in(2, _named(_message("PathItem")))),
            "definitions": (9, _SCHEMAS),
            "security": (12, _REQUIREMENTS),
            "securityDefinitions": (13, _in(1, _named(_in(2, _message("ApiKey"))))),
        },
        16,
    ),
    "Info": ({"title": (1, _text), "version": (2, _text), "description": (3, _text)}, 7),
    "ApiKey": ({"type": (1, _text), "name": (2, _text), "in": (3, _text), "description": (4, _text)}, 5),
    "PathItem": (
        {
            "get": (2, _OPERATION),
            "put": (3, _OPERATION),
            "post": (4, _OPERATION),
            "delete": (5, _OPERATION),
            "options": (6, _OPERATION),
            "head": (7, _OPERATION),
            "patch": (8, _OPERATION),
            "parameters": (9, _PARAMETERS),
        },
        10,
    ),
    "Operation": (
        {
            "tags": (1, _TEXTS),
            "summary": (2, _text),
            "description": (3, _text),
            "operationId": (5, _text),
            "produces": (6, _TEXTS),
            "consumes": (7, _TEXTS),
            "parameters": (8, _PARAMETERS),
            "responses": (9, _in(1, _named(_in(1, _message("Response"))))),
            "schemes": (10, _TEXTS),
            "deprecated": (11, _flag),
        },
        13,
    ),
    "BodyParameter": (
        {
            "description": (1, _text),
            "name": (2, _text),
            "in": (3, _text),
            "required": (4, _flag),
            "schema": (5, _SCHEMA),
        },
        6,
    ),
    "QueryParameter": (
        {
            "required": (1, _flag),
            "in": (2, _text),
            "description": (3, _text),
            "name": (4, _text),
            "type": (6, _text),
            "format": (7, _text),
            "uniqueItems": (20, _flag),
        },
        23,
    ),
    "PathParameter": (
        {
            "required": (1, _flag),
            "in": (2, _text),
            "description": (3, _text),
            "name": (4, _text),
            "type": (5, _text),
            "format": (6, _text),
            "uniqueItems": (19, _flag),
        },
        22,
    ),
    "ExternalDocs": ({"description": (1, _text), "url": (2, _text)}, 3),
    "Response": ({"description": (1, _text), "schema": (2, _in(1, _SCHEMA))}, 5),
    "Schema": (
        {
            "$ref": (1, _text),
            "format": (2, _text),
            "title": (3, _text),
            "description": (4, _text),
            "default": (5, _yaml),
            "multipleOf": (6, _number),
            "maximum": (7, _number),
            "exclusiveMaximum": (8, _flag),
            "minimum": (9, _number),
            "exclusiveMinimum": (10, _flag),
            "maxLength": (11, _integer),
            "minLength": (12, _integer),
            "pattern": (13, _text),
            "maxItems": (14, _integer),
            "minItems": (15, _integer),
            "uniqueItems": (16, _flag),
            "maxProperties": (17, _integer),
            "minProperties": (18, _integer),
            "required": (19, _TEXTS),
            "enum": (20, _each(_yaml)),
            "additionalProperties": (21, _additional),
            "type": (22, _in(1, _text)),
            "items": (23, _in(1, _SCHEMA)),
            "allOf": (24, _each(_SCHEMA)),
            "properties": (25, _SCHEMAS),
            "readOnly": (27, _flag),
            "externalDocs": (29, _message("ExternalDocs")),
            "example": (30, _yaml),
        },
        31,
    ),
}
