"""Types of expressions from published OpenAPI: what a policy's `object` is, for warnings about its expressions.

A component of an OpenAPI v3 document becomes a schema without references; what contains itself ends where it begins
again. Not here: the rest of the way, which custom resources share (`machinery.rules.declared`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.lang.cel.types import Type
from proa.machinery.rules.declared import declared
from proa.machinery.structural.tree import node_of

Document = Mapping[str, Any]

_PREFIX = "#/components/schemas/"
_KIND = "x-kubernetes-group-version-kind"


def type_of_kind(openapi: Document, group: str, version: str, kind: str) -> Type | None:
    """The type of a kind in the OpenAPI document of its group and version; None where that does not say."""
    components: Document = (openapi.get("components") or {}).get("schemas") or {}
    wanted = {"group": group, "version": version, "kind": kind}
    for component in components.values():
        if wanted in (component.get(_KIND) or ()):
            found = declared(node_of(_resolved(component, components, ())), root=True, name=kind)
            return None if found is None else found.type
    return None


def _resolved(schema: Document, components: Document, within: tuple[str, ...]) -> dict[str, Any]:
    """The schema with what it refers to in its place."""
    reference = schema.get("$ref")
    if reference is None and len(schema.get("allOf") or ()) == 1:
        reference = schema["allOf"][0].get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix(_PREFIX)
        if name in within or name not in components:
            return {}
        return _resolved(components[name], components, (*within, name))
    found = dict(schema)
    if schema.get("format") == "int-or-string":
        found["x-kubernetes-int-or-string"] = True
    elif not schema.get("type") and {"type": "string"} in (schema.get("oneOf") or ()):
        found["type"] = "string"
    if schema.get("properties"):
        found["properties"] = {name: _resolved(each, components, within) for name, each in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            found[name] = _resolved(schema[name], components, within)
    return found
