"""Fields of a JSON schema that are a schema or something else: JSON just holds either, protobuf a message with a field
for each.

Their schema is that of the type they stand in (JSONSchemaProps). Source: apiextensions.k8s.io/v1 generated.proto. Not
here: how that type itself is read and written, which the callers bring.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proa.machinery.protobuf.wire import VARINT, Value, as_bytes, as_integer, delimited, fields, tag
from proa.machinery.schema import AnySchema

WriteSchema = Callable[[Any], bytes]
"""A plain JSON schema to its message."""
ReadSchema = Callable[[Value, int], Any]

_BOOL, _ARRAY, _STRINGS = "JSONSchemaPropsOrBool", "JSONSchemaPropsOrArray", "JSONSchemaPropsOrStringArray"
_UNIONS = (_BOOL, _ARRAY, _STRINGS)


def union(schema: AnySchema) -> str:
    """Which union the values of the schema are, '' for none."""
    name = schema.definition.rpartition(".")[2]
    return name if name in _UNIONS else ""


def write(kind: str, value: Any, schema: WriteSchema) -> bytes:
    """A value to its message."""
    if kind == _BOOL:
        allows = tag(1, VARINT) + (b"\1" if value is not False else b"\0")
        return allows if isinstance(value, bool) else allows + delimited(2, schema(value))
    if not isinstance(value, list):
        return delimited(1, schema(value))
    if kind == _ARRAY:
        return b"".join([delimited(2, schema(each)) for each in value])
    return b"".join([delimited(2, str(each).encode()) for each in value])


def read(kind: str, value: Value, depth: int, schema: ReadSchema) -> Any:
    """A message to its value."""
    found = fields(as_bytes(value))
    several = [part for number, part in found if number == 2]
    first = next((part for number, part in found if number == 1), None)
    if kind == _BOOL:
        return schema(several[0], depth) if several else bool(as_integer(first or 0))
    if first is not None:
        return schema(first, depth)
    if kind == _ARRAY:
        return [schema(each, depth) for each in several]
    return [as_bytes(each).decode() for each in several]
