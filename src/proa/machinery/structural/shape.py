"""The schema of a custom resource as the rest of the machinery knows schemas: for apply, patches and discovery.

Only structure: what values may be is checked elsewhere. Not here: OpenAPI documents, which publish what was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.machinery.declare import Field
from proa.machinery.meta import ObjectMeta
from proa.machinery.schema import (
    ANY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    AnySchema,
    ListSchema,
    MapSchema,
    ObjectSchema,
    Property,
    ScalarSchema,
    Schema,
    schema_of,
)
from proa.machinery.structural.tree import Node

_SCALARS: dict[str, ScalarSchema] = {"string": STRING, "integer": INTEGER, "number": NUMBER, "boolean": BOOLEAN}
_INT_OR_STRING = ScalarSchema("string", "int-or-string")


def shape_of(
    kind: str, node: Node, gvk: tuple[str, str, str], published: Mapping[str, Any] | None = None
) -> ObjectSchema:
    """The schema of a whole object. published: the document it was read from."""
    group, version, _ = gvk
    return ObjectSchema(
        kind,
        lambda: _with_meta(_properties(node)),
        definition=".".join([*reversed(group.split(".")), version, kind]),
        published=published or {},
        preserve_unknown=node.preserve,
        embedded=True,
        gvk=gvk,
    )


def _with_meta(properties: dict[str, Property]) -> dict[str, Property]:
    meta = {
        "apiVersion": Property("apiVersion", STRING),
        "kind": Property("kind", STRING),
        "metadata": Property("metadata", schema_of(ObjectMeta)),
    }
    return {**meta, **{name: each for name, each in properties.items() if name not in meta}}


def _properties(node: Node) -> dict[str, Property]:
    return {
        name: Property(
            name,
            _schema(name, below),
            Field(required=name in node.required, default=below.default, map=below.map_type),
            nullable=True,
        )
        for name, below in node.properties.items()
    }


def _schema(name: str, node: Node) -> Schema:
    if node.int_or_string:
        return _INT_OR_STRING
    match node.type:
        case "object":
            return _object(name, node)
        case "array":
            item = _schema(name, node.items) if node.items is not None else ANY
            return ListSchema(item, node.list_type, node.list_keys)
        case "":
            return AnySchema()
        case scalar:
            return _SCALARS[scalar]


def _object(name: str, node: Node) -> Schema:
    if isinstance(node.additional, Node):
        return MapSchema(_schema(name, node.additional), node.map_type)
    if node.additional is True:
        return MapSchema(ANY, node.map_type)
    if node.preserve and not node.properties and not node.embedded:
        return ANY
    return ObjectSchema(
        name,
        (lambda: _with_meta(_properties(node))) if node.embedded else (lambda: _properties(node)),
        map_type=node.map_type,
        preserve_unknown=node.preserve,
        embedded=node.embedded,
    )
