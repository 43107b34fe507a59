"""How the watch cache looks into the bytes of one resource: labels and selectable fields, and the typed object.

The index is read by a decoder that knows only those fields, so everything else is skipped in C. Both are made from the
resource's declaration on first use. Not here: evaluating selectors (machinery.selectors).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from proa.machinery import unstructured
from proa.machinery.resource import Resource
from proa.machinery.schema import ObjectSchema, ScalarSchema
from proa.store.item import Codec, Index

R = TypeVar("R")

# What selects an object whose own field is empty: an Event by its source, or else by who reported it.
_INSTEAD = {"source": "reportingComponent"}
# What a field selector compares where the field is not called so.
_CALLED = {"status.successful": "status.succeeded"}


def codec_of(resource: Resource[Any]) -> Codec:
    """The codec of a resource's watch cache."""
    if resource.custom:
        return Codec(index=_lazily(lambda: _indexer(resource)), decode=unstructured.decode, revise=unstructured.revised)

    def revise(decoded: Any, revision: int) -> Any:
        metadata = replace(decoded.metadata, resourceVersion=str(revision))
        return replace(decoded, metadata=metadata)

    decode = _lazily(lambda: msgspec.json.Decoder(resource.type).decode)
    return Codec(index=_lazily(lambda: _indexer(resource)), decode=decode, revise=revise)


def _lazily(make: Callable[[], Callable[[bytes], R]]) -> Callable[[bytes], R]:
    """What `make` makes when it is first called for."""
    made: list[Callable[[bytes], R]] = []

    def call(body: bytes) -> R:
        if not made:
            made.append(make())
        return made[0](body)

    return call


def _indexer(resource: Resource[Any]) -> Callable[[bytes], Index]:
    paths = [tuple(_CALLED.get(path, path).split(".")) for path in resource.fields]
    tree: dict[str, Any] = {}
    for path in paths:
        at = tree
        for name in path[:-1]:
            at = at.setdefault(name, {})
        at[path[-1]] = None
    metadata = tree.setdefault("metadata", {})
    metadata.update({"name": None, "namespace": None, "labels": None})
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(_shape("Index", tree)).decode
    absent = [_absent(resource, path) for path in paths]
    named = tuple(zip(resource.fields, paths, absent, strict=True))
    instead = [(name, other) for name, other in _INSTEAD.items() if name in resource.fields]
    namespaced = resource.namespaced

    def index(body: bytes) -> Index:
        found = decode(body)
        meta = found.metadata
        fields = {"metadata.name": meta.name or ""}
        if namespaced:
            fields["metadata.namespace"] = meta.namespace or ""
        for name, path, missing in named:
            value: Any = found
            for part in path:
                value = getattr(value, part, None)
                if value is None:
                    break
            fields[name] = missing if value is None else _text(value)
        for name, other in instead:
            fields[name] = fields[name] or fields[other]
        return Index(meta.labels or {}, fields)

    return index


def _shape(name: str, tree: dict[str, Any]) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any, Any]] = []
    for field, below in tree.items():
        if field == "labels":
            kind: Any = dict[str, str] | None
        elif below is None:
            kind = Any
        else:
            kind = _shape(f"{name}_{field}", below) | None
        fields.append((field, kind, None))
    return msgspec.defstruct(name, fields, frozen=True, gc=False)


def _absent(resource: Resource[Any], path: tuple[str, ...]) -> str:
    """What selects the objects without a field: its zero value (`spec.unschedulable=false`), '' where there is none."""
    if resource.custom:
        return ""
    at = resource.schema
    for name in path[:-1]:
        below = at.properties[name].schema
        if not isinstance(below, ObjectSchema):
            return ""
        at = below
    leaf = at.properties[path[-1]]
    return _text(leaf.schema.zero) if isinstance(leaf.schema, ScalarSchema) and not leaf.nullable else ""


def _text(value: Any) -> str:
    """A field's value as field selectors compare it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):  # an Event's source is selected by its component
        return _text(value.get("component"))
    return value if isinstance(value, str) else str(value)
