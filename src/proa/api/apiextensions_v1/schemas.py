"""The schemas of a CustomResourceDefinition, and what of it refers to them. Pure.

Not here: what one schema may say by itself (`machinery.structural.check`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proa.api.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionVersion
from proa.api.apiextensions_v1.validation import place
from proa.machinery.fields import ErrorList, Path
from proa.machinery.structural.check import check_schema, reachable
from proa.machinery.structural.formats import is_known
from proa.machinery.structural.tree import Node, node_of

MAX_SELECTABLE_FIELDS = 8

# What a root schema may say where the status is checked by itself.
_ROOT_FIELDS = {
    "description": "Description", "type": "Type", "format": "Format", "title": "Title", "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum", "minimum": "Minimum", "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength", "minLength": "MinLength", "pattern": "Pattern", "maxItems": "MaxItems",
    "minItems": "MinItems", "uniqueItems": "UniqueItems", "multipleOf": "MultipleOf", "required": "Required",
    "items": "Items", "properties": "Properties", "externalDocs": "ExternalDocs", "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields", "x-kubernetes-validations": "XValidations",
}  # fmt: skip


def validate_schemas(crd: CustomResourceDefinition, old: CustomResourceDefinition | None, errors: ErrorList) -> None:
    """The schemas, and what refers to them; those that did not change are as good as they were."""
    before = {each.name: each for each in old.spec.versions} if old is not None else {}
    alike = len({msgspec.json.encode(each.schema) for each in crd.spec.versions}) == 1
    for position, version in enumerate(crd.spec.versions):
        path = Path("spec", "versions").index(position)
        schema = version.schema.openAPIV3Schema if version.schema is not None else None
        if schema is None:
            errors.required(path.child("schema", "openAPIV3Schema"))
            if version.selectableFields:
                why = "may only be set when `version.schema.openAPIV3Schema` is not included"
                errors.invalid(path.child("selectableFields"), "", why)
            continue
        told = place(crd.spec.versions, position, "schema", "validation")
        was = before.get(version.name)
        same = was is not None and was.schema == version.schema
        if same and was is not None and was.selectableFields == version.selectableFields:
            continue
        document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
        if not same and told is not None:
            at = told.child("openAPIV3Schema")
            found = ErrorList()
            if any(_has_status(each) for each in (crd.spec.versions if alike else (version,))):
                _root(document, at, found)
            check_schema(document, found, at)
            if not found and any(each.get("x-kubernetes-validations") for each in reachable(document)):
                from proa.machinery.rules.checked import check_rules  # with it comes the whole expression language
                from proa.machinery.rules.defaults import check_defaults

                tree = node_of(document)
                check_rules(tree, at, found)
                if not found:
                    check_defaults(tree, at, found)
            errors.extend(found)
        told = place(crd.spec.versions, position, "selectableFields")
        if told is None and crd.spec.versions[0].schema != version.schema:
            told = path.child("selectableFields")
        if told is not None:
            _selectable(version, node_of(document), told, errors)


def unrecognized_formats(crd: CustomResourceDefinition) -> list[str]:
    """Formats in the schemas that mean nothing here, so that nothing checks them."""
    found: list[str] = []
    for version in crd.spec.versions:
        if version.schema is not None and version.schema.openAPIV3Schema is not None:
            document = msgspec.json.decode(msgspec.json.encode(version.schema.openAPIV3Schema))
            for each in reachable(document):
                said = each.get("format")
                if said and not is_known(each.get("type") or "", said):
                    found.append(said)
    return found


def _selectable(version: CustomResourceDefinitionVersion, root: Node, path: Path, errors: ErrorList) -> None:
    seen: set[str] = set()
    for position, field in enumerate(version.selectableFields):
        at = path.index(position).child("jsonPath")
        text = field.jsonPath
        if not text:
            errors.required(at)
            continue
        node: Node | None = root
        parts = text.split(".")
        if parts[0] or len(parts) < 2 or not all(parts[1:]) or "[" in text:
            errors.invalid(at, text, f"is an invalid path: path must start with a dot: {text}"
                           if not text.startswith(".") else f"is an invalid path: {text}")  # fmt: skip
            continue
        for name in parts[1:]:
            node = node.child(name) if node is not None else None
        if parts[1] == "metadata":
            errors.invalid(at, text, "must not point to fields in metadata")
        elif node is None:
            errors.invalid(at, text, f"is an invalid path: does not refer to a valid field: {text}")
            continue
        if node is None or node.type not in ("string", "boolean", "integer"):
            errors.invalid(
                at,
                text,
                "must point to a field of type string, boolean or integer. Enum string fields and strings with "
                "formats are allowed.",
            )
        if text in seen:
            errors.duplicate(at, text)
        seen.add(text)
    if len(seen) > MAX_SELECTABLE_FIELDS:
        errors.too_many(path, len(seen), MAX_SELECTABLE_FIELDS)


def _has_status(version: CustomResourceDefinitionVersion) -> bool:
    return version.subresources is not None and version.subresources.status is not None


def _root(document: Mapping[str, Any], path: Path, errors: ErrorList) -> None:
    """What a whole schema may say where the status has a subresource."""
    if document.get("type") != "object":
        must = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        errors.invalid(path.child("type"), document.get("type") or "", must)
    elif any(name not in _ROOT_FIELDS for name in document):
        listed = " ".join(_ROOT_FIELDS.values())
        must = f"only [{listed}] fields are allowed at the root of the schema if the status subresource is enabled"
        errors.invalid(path, dict(document), must)
