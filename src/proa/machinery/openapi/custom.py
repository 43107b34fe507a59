"""Definitions of custom resources: what their authors wrote, with what every object has, in what each version can say.

Version 2 knows no alternatives and no null, and its readers refuse what a definition does not name; so there less is
said where more would be wrong. Not here: definitions of declared types (`definitions`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proa.machinery.schema import ObjectSchema

GVK_EXTENSION = "x-kubernetes-group-version-kind"

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_DOCS = "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_API_VERSION = f"APIVersion defines the version of the schema this object is written in. {_DOCS}#resources"
_KIND = f"Kind is the name, in CamelCase, of what this object is. {_DOCS}#types-kinds"
_METADATA = f"Standard object's metadata. {_DOCS}#metadata"
_JUNCTORS = ("allOf", "anyOf", "oneOf", "not")

Reference = Callable[[str], dict[str, Any]]
Document = dict[str, Any]


def kind_extension(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}


def definition(schema: ObjectSchema, *, modern: bool, reference: Reference) -> Document:
    """The definition of a custom resource's objects."""
    published = schema.published or {}
    if not published or (not modern and published.get(_PRESERVE)):
        found: Document = {"type": "object"}
    else:
        found = _schema(published, modern=modern, reference=reference)
        found["properties"] = {**found.get("properties", {}), **_type_meta(modern=modern, reference=reference)}
        found["properties"] = dict(sorted(found["properties"].items()))
    if schema.gvk is not None:
        found[GVK_EXTENSION] = [kind_extension(*schema.gvk)]
    return found


def _type_meta(*, modern: bool, reference: Reference) -> Document:
    meta = reference(_OBJECT_META)
    return {
        "apiVersion": {"description": _API_VERSION, "type": "string"},
        "kind": {"description": _KIND, "type": "string"},
        "metadata": {"description": _METADATA, **({"allOf": [meta]} if modern else meta)},
    }


def _schema(document: Mapping[str, Any], *, modern: bool, reference: Reference) -> Document:
    found = dict(document) if modern else _plain(document)
    if modern and found.get("x-kubernetes-int-or-string") and not any(found.get(name) for name in _JUNCTORS):
        found["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "properties" in found:
        found["properties"] = {
            name: _schema(each, modern=modern, reference=reference) for name, each in found["properties"].items()
        }
    for name in ("items", "additionalProperties"):
        if isinstance(found.get(name), Mapping):
            found[name] = _schema(found[name], modern=modern, reference=reference)
    embedded = found.get("x-kubernetes-embedded-resource")
    if embedded and (modern or not found.get(_PRESERVE)):
        found["properties"] = {**found.get("properties", {}), **_type_meta(modern=modern, reference=reference)}
        found["required"] = list(dict.fromkeys([*found.get("required", ()), "kind", "apiVersion"]))
    return found


def _plain(document: Mapping[str, Any]) -> Document:
    """What version 2, and kubectl, which reads it, can understand of a schema."""
    found = {name: value for name, value in document.items() if name not in (*_JUNCTORS, "$schema")}
    nullable = found.pop("nullable", False)
    preserve = found.get(_PRESERVE)
    if nullable or preserve:
        found.pop("items", None)
        found.pop("properties", None)
    kind = found.get("type")
    if nullable or (kind == "array" and "items" not in found) or (preserve and kind == "object"):
        found.pop("type", None)
    nulls = {name for name, each in found.get("properties", {}).items() if each.get("nullable")}
    if nulls and "required" in found:
        found["required"] = [name for name in found["required"] if name not in nulls]
        if not found["required"]:
            del found["required"]
    return found
