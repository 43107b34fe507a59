"""Schemas as OpenAPI writes them: one walk, two dialects.

Version 2 can say neither defaults nor closed sets nor alternatives the way Kubernetes publishes it; version 3 says all.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.machinery.declare import Object
from proa.machinery.descriptions import description
from proa.machinery.openapi import custom
from proa.machinery.openapi.custom import GVK_EXTENSION, kind_extension
from proa.machinery.schema import (
    AnySchema,
    ListSchema,
    MapSchema,
    ObjectSchema,
    Property,
    ScalarSchema,
    Schema,
    reachable,
)

GroupVersions = Sequence[tuple[str, str]]

_SHARED_KINDS = {"DeleteOptions", "WatchEvent"}
"""Kinds of the machinery that every group version has as its own."""

_DESCRIPTIONS = {
    "resource.Quantity": (
        "A fixed-point number: digits with an optional binary (Ki, Mi, Gi, ...) or decimal (m, k, M, G, ...) suffix, "
        "or a decimal exponent. Written in canonical form."
    ),
    "intstr.IntOrString": "A number, or a string such as a percentage or the name of a port.",
    "v1.Time": "An instant in RFC 3339 form, to the second.",
    "v1.MicroTime": "An instant in RFC 3339 form, to the microsecond.",
    "v1.FieldsV1": "A set of fields as a trie: f:<name>, v:<value>, k:<keys>, i:<index>; '.' is the object itself.",
    "runtime.RawExtension": "Any object.",
    "v1.Patch": "A patch in the form its content type says.",
}


_ANYWHERE = {
    "apiVersion": "The group and version this object is written in.",
    "kind": "What kind of object this is.",
}


def _told(declared: type[Object]) -> str:
    return description(declared) or inspect.cleandoc(declared.__dict__.get("__doc__") or "")


class Dialect:
    """How one OpenAPI version writes schemas. prefix: where definitions are. modern: version 3."""

    def __init__(self, prefix: str, *, modern: bool, groups: GroupVersions) -> None:
        self._prefix = prefix
        self._modern = modern
        self._groups = groups

    def reference(self, definition: str) -> dict[str, Any]:
        return {"$ref": self._prefix + definition}

    def definitions(self, roots: Iterable[Schema]) -> dict[str, Any]:
        """Every named schema reachable from the roots, by definition name, sorted."""
        found: dict[str, Any] = {}
        for root in roots:
            for schema in reachable(root):
                name = "" if isinstance(schema, ListSchema | MapSchema) else schema.definition
                if name and name not in found:
                    found[name] = self.definition(schema)
        return dict(sorted(found.items()))

    def definition(self, schema: Schema) -> dict[str, Any]:
        """The body of a named schema."""
        match schema:
            case ObjectSchema():
                return self._object(schema)
            case ScalarSchema():
                return self._described(schema.definition, self._leaf(schema))
            case AnySchema():
                return self._described(schema.definition, {"type": schema.type})
            case _:
                raise TypeError(f"{schema!r} has no definition")

    def use(self, schema: Schema) -> dict[str, Any]:
        """The schema where it is used: a reference if it has a name."""
        match schema:
            case ObjectSchema():
                return self.reference(schema.definition) if schema.definition else self._object(schema)
            case ListSchema():
                return self._annotated({"type": "array", "items": self.use(schema.item)}, schema)
            case MapSchema():
                return {"type": "object", "additionalProperties": self.use(schema.value)}
            case ScalarSchema():
                return self.reference(schema.definition) if schema.definition else self._leaf(schema)
            case _:
                return self.reference(schema.definition) if schema.definition else {}

    def _object(self, schema: ObjectSchema) -> dict[str, Any]:
        if schema.published is not None:
            return custom.definition(schema, modern=self._modern, reference=self.reference)
        found: dict[str, Any] = {}
        if schema.type is not None and (text := _told(schema.type)):
            found["description"] = text
        found["type"] = "object"
        required = sorted(each.name for each in schema.properties.values() if each.facts.required)
        if required:
            found["required"] = required
        if schema.properties:
            found["properties"] = {
                name: self._property(schema.properties[name], schema.type) for name in sorted(schema.properties)
            }
        if schema.map_type:
            found["x-kubernetes-map-type"] = schema.map_type
        if schema.preserve_unknown:
            found["x-kubernetes-preserve-unknown-fields"] = True
        if schema.embedded:
            found["x-kubernetes-embedded-resource"] = True
        kinds = self._kinds(schema)
        if kinds:
            found[GVK_EXTENSION] = [kind_extension(*each) for each in kinds]
        return found

    def _kinds(self, schema: ObjectSchema) -> list[tuple[str, str, str]]:
        if schema.name in _SHARED_KINDS and schema.definition.endswith(f"meta.v1.{schema.name}"):
            return [(group, version, schema.name) for group, version in self._groups]
        return [schema.gvk] if schema.gvk else []

    def _property(self, known: Property, owner: type[Object] | None) -> dict[str, Any]:
        facts = known.facts
        found = self.use(known.schema)
        extras: dict[str, Any] = {}
        if owner is not None and (text := description(owner, known.name) or _ANYWHERE.get(known.name, "")):
            extras["description"] = text
        if self._modern:
            if facts.default is not msgspec.UNSET:
                extras["default"] = facts.default
            if facts.enum and isinstance(known.schema, ListSchema):
                found["items"] = found["items"] | {"enum": sorted(facts.enum)}
            elif facts.enum:
                extras["enum"] = sorted(facts.enum)
        if facts.list and isinstance(known.schema, ScalarSchema):  # upstream calls one run of bytes a list
            extras["x-kubernetes-list-type"] = facts.list
        if facts.map:
            extras["x-kubernetes-map-type"] = facts.map
        if facts.merge:
            extras["x-kubernetes-patch-strategy"] = facts.merge
        if facts.key:
            extras["x-kubernetes-patch-merge-key"] = facts.key
        if extras and "$ref" in found and self._modern:
            found = {"allOf": [found]}  # version 3 ignores what stands beside a $ref
        return found | extras

    def _annotated(self, found: dict[str, Any], schema: ListSchema) -> dict[str, Any]:
        if schema.type:
            found["x-kubernetes-list-type"] = schema.type
        if schema.keys:
            found["x-kubernetes-list-map-keys"] = list(schema.keys)
        return found

    def _leaf(self, schema: ScalarSchema) -> dict[str, Any]:
        if self._modern and schema.is_quantity:
            return {"oneOf": [{"type": "string"}, {"type": "number"}]}
        if self._modern and schema.is_int_or_string:
            return {"format": schema.format, "oneOf": [{"type": "integer"}, {"type": "string"}]}
        return {"type": schema.type, "format": schema.format} if schema.format else {"type": schema.type}

    def _described(self, definition: str, found: dict[str, Any]) -> dict[str, Any]:
        text = next((text for name, text in _DESCRIPTIONS.items() if definition.endswith(name)), "")
        return {"description": text} | found if text else found


__all__ = ["GVK_EXTENSION", "Dialect", "kind_extension"]
