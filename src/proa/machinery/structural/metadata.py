"""The metadata of whole objects, at the root and embedded: always an ObjectMeta, whatever the schema says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from proa.machinery.conform import normalise, prune, type_errors
from proa.machinery.fields import ROOT, ErrorList, Path
from proa.machinery.meta import ObjectMeta
from proa.machinery.names import dns1035_label
from proa.machinery.object_meta import validate_object_meta
from proa.machinery.schema import schema_of
from proa.machinery.structural.tree import Node


def coerce(holder: dict[str, Any], path: Path, unknown: list[str], *, drop: bool) -> list[tuple[Path | None, str]]:
    """Bring `holder["metadata"]` to its shape, in place; what does not fit. Adds the paths of unknown fields.

    drop: leave out what does not fit (stored objects) instead of saying so.
    """
    metadata = holder.get("metadata")
    if metadata is None:
        holder.pop("metadata", None)
        return []
    schema = schema_of(ObjectMeta)
    at = path.child("metadata")
    if not isinstance(metadata, dict):
        if drop:
            del holder["metadata"]
            return []
        return list(type_errors(metadata, schema, at))
    normalise(metadata, schema)
    unknown += (f"{at}.{each}" for each in prune(metadata, schema))
    errors: list[tuple[Path | None, str]] = [*type_errors(metadata, schema, at, "ObjectMeta")]
    if errors and drop:
        for name in [*metadata]:
            if any(True for _ in type_errors({name: metadata[name]}, schema)):
                del metadata[name]
        return []
    return errors


def embedded(value: Any, node: Node | None, path: Path = ROOT) -> Iterator[tuple[dict[str, Any], Path]]:
    """Every embedded object in a value; not the value itself."""
    if node is None:
        return
    if isinstance(value, dict):
        for name, each in value.items():
            below = node.properties.get(name)
            at = path.child(name)
            if below is None and isinstance(node.additional, Node):
                below, at = node.additional, path.key(name)
            if below is not None:
                if below.embedded and isinstance(each, dict):
                    yield each, at
                yield from embedded(each, below, at)
    elif isinstance(value, list):
        for position, each in enumerate(value):
            at = path.index(position)
            if node.items is not None and node.items.embedded and isinstance(each, dict):
                yield each, at
            yield from embedded(each, node.items, at)


def coerce_embedded(
    document: dict[str, Any], node: Node, unknown: list[str], *, drop: bool
) -> list[tuple[Path | None, str]]:
    """`coerce` for every embedded object."""
    errors: list[tuple[Path | None, str]] = []
    for each, path in list(embedded(document, node)):
        for name in ("apiVersion", "kind"):
            if name in each and not isinstance(each[name], str):
                if drop:
                    del each[name]
                else:
                    at = path.child(name)
                    errors.append((at, f"{at}: Invalid value: {msgspec.json.encode(each[name]).decode()}: "
                                       "must be a string"))  # fmt: skip
        errors += coerce(each, path, unknown, drop=drop)
    return errors


def validate_embedded(document: dict[str, Any], node: Node, errors: ErrorList) -> None:
    """Adds what is wrong with what embedded objects say they are."""
    for each, path in embedded(document, node):
        version, kind = each.get("apiVersion"), each.get("kind")
        if version is None:
            errors.required(path.child("apiVersion"))
        elif not version:
            errors.invalid(path.child("apiVersion"), version, "must not be empty")
        elif version.count("/") > 1:
            errors.invalid(path.child("apiVersion"), version, f"unexpected GroupVersion string: {version}")
        if kind is None:
            errors.required(path.child("kind"))
        elif not kind:
            errors.invalid(path.child("kind"), kind, "must not be empty")
        elif wrong := dns1035_label(kind.lower()):
            detail = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
            errors.invalid(path.child("kind"), kind, detail)
        if "metadata" in each:
            meta = msgspec.convert(each["metadata"], ObjectMeta)
            if not meta.name:
                meta = msgspec.structs.replace(meta, name="fakename")
            validate_object_meta(
                meta, errors, namespaced=bool(meta.namespace), name_rule="path", path=path.child("metadata")
            )
