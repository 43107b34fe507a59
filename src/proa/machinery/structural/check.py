"""Whether a schema may be used: structural, of the supported vocabulary, with defaults that fit. Pure.

A schema is structural when its structure is said outside of the junctors (allOf, anyOf, oneOf, not), which may only
narrow values. Works on the document as written, because it must see what a tree leaves out. Not here: rules in CEL
(`machinery.rules`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from proa.machinery.fields import ErrorList, Path
from proa.machinery.structural import metadata
from proa.machinery.structural.explain import explain
from proa.machinery.structural.patterns import problem
from proa.machinery.structural.prune import META, prune_value
from proa.machinery.structural.tree import Node, node_of

Document = Mapping[str, Any]

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_FORBIDDEN_BELOW = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def check_schema(document: Document, errors: ErrorList, path: Path) -> None:
    """Adds everything that keeps a schema of a whole object from being used."""
    found = ErrorList()
    if document.get("nullable"):
        errors.forbidden(path.child("nullable"), "nullable cannot be true at the root")
    _invariants(document, "root", path, found)
    _completeness(document, document, path, path, found)
    if found:
        errors.extend(sorted(found, key=str))
    else:
        _defaults(document, path, errors, root=True)
    _vocabulary(document, path, errors, _Place(root=True))
    if not errors and any(each.get("$schema") for each in reachable(document)):  # told when nothing else is wrong
        errors.invalid(path, "", "OpenAPIV3Schema 'schema' is not supported")


def reachable(document: Any) -> Iterator[Document]:
    """The schema and every schema in it."""
    if not isinstance(document, Mapping):
        return
    yield document
    for name in ("properties", "definitions", "patternProperties"):
        for each in (document.get(name) or {}).values():
            yield from reachable(each)
    for name in ("items", "additionalProperties", "not"):
        yield from reachable(document.get(name))
    for name in _JUNCTORS:
        for each in document.get(name) or ():
            yield from reachable(each)


# --- structurality ---

_NO_TYPE = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}


def _invariants(schema: Document, level: str, path: Path, errors: ErrorList) -> None:
    kind = schema.get("type") or ""
    items, additional = schema.get("items"), schema.get("additionalProperties")
    properties = schema.get("properties") or {}
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    either = bool(schema.get("x-kubernetes-int-or-string"))
    if kind == "array" and items is None:
        errors.required(path.child("items"), "must be specified")
    if isinstance(items, Mapping):
        _invariants(items, "item", path.child("items"), errors)
    for name, each in properties.items():
        _invariants(each, "field", path.child("properties").key(name), errors)
    if additional is not None:
        if level == "root":
            errors.forbidden(path.child("additionalProperties"), "must not be used at the root")
        if isinstance(additional, Mapping):
            _invariants(additional, "field", path.child("additionalProperties"), errors)
    if either and preserve:
        at = path.child("x-kubernetes-preserve-unknown-fields")
        errors.invalid(at, True, "must be false if x-kubernetes-int-or-string is true")
    if either and embedded:
        at = path.child("x-kubernetes-embedded-resource")
        errors.invalid(at, True, "must be false if x-kubernetes-int-or-string is true")
    _values(schema, level, path, errors, top=True)
    if embedded and kind != "object":
        must = "must be object if x-kubernetes-embedded-resource is true"
        if kind:
            errors.invalid(path.child("type"), kind, must)
        else:
            errors.required(path.child("type"), must)
    elif not kind and not either and not preserve:
        errors.required(path.child("type"), _NO_TYPE[level])
    if embedded and additional is not None:
        must = "must not be used if x-kubernetes-embedded-resource is set"
        errors.forbidden(path.child("additionalProperties"), must)
    if level == "root" and kind and kind != "object":
        errors.invalid(path.child("type"), kind, "must be object at the root")
    if level == "root" or embedded:
        _type_meta(properties, level, path.child("properties"), errors)
    if embedded and not preserve and not properties:
        must = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        errors.required(path.child("properties"), must)


def _type_meta(properties: Document, level: str, path: Path, errors: ErrorList) -> None:
    """What a schema may say of apiVersion, kind and metadata, which are implied."""
    for name in ("kind", "apiVersion"):
        said = properties.get(name)
        if said is not None and said.get("type") != "string":
            errors.invalid(path.key(name).child("type"), said.get("type") or "", "must be string")
    said = properties.get("metadata")
    if said is None:
        return
    at = path.key("metadata")
    if said.get("type") != "object":
        errors.invalid(at.child("type"), said.get("type") or "", "must be object")
    if level == "root":
        rest = {name for name in said if name not in ("type", "default", "properties")}
        if rest or not set(said.get("properties") or ()) <= {"name", "generateName"}:
            errors.forbidden(
                at, "must not specify anything other than name and generateName, but metadata is implicitly specified"
            )


def _values(schema: Document, level: str, path: Path, errors: ErrorList, *, top: bool = False) -> None:
    """The junctors of a schema and what may not be in them. top: the schema itself is in none."""
    either = bool(schema.get("x-kubernetes-int-or-string"))
    for name in _JUNCTORS:
        for position, each in enumerate(schema.get(name) or ()):
            at = path.child(name).index(position)
            if top and either and name == "anyOf" and schema["anyOf"] == _INT_OR_STRING:
                continue
            first = top and either and name == "allOf" and position == 0
            _nested(each, level, at, errors, first=first)
    if schema.get("not") is not None:
        _nested(schema["not"], level, path.child("not"), errors)
    wrong = problem(schema.get("pattern") or "")
    if wrong:
        errors.invalid(
            path.child("pattern"), schema["pattern"], f"must be a valid regular expression, but isn't: {wrong}"
        )


def _nested(schema: Document, level: str, path: Path, errors: ErrorList, *, first: bool = False) -> None:
    if first and schema.get("anyOf") == _INT_OR_STRING:
        schema = {name: value for name, value in schema.items() if name != "anyOf"}
    _values(schema, level, path, errors)
    if isinstance(schema.get("items"), Mapping):
        _nested(schema["items"], level, path.child("items"), errors)
    for name, each in (schema.get("properties") or {}).items():
        _nested(each, "field", path.child("properties").key(name), errors)
    for name, must in _FORBIDDEN_BELOW:
        if schema.get(name) not in (None, "", False, [], ()):
            errors.forbidden(path.child(name), must)
    if "metadata" in (schema.get("properties") or {}):
        errors.forbidden(path.child("properties").key("metadata"), "must not be specified in a nested context")


def _completeness(values: Document, schema: Document | None, at: Path, where: Path, errors: ErrorList) -> None:
    """What junctors say of fields and items must be of fields and items that the structure has."""
    for name in _JUNCTORS:
        for position, each in enumerate(values.get(name) or ()):
            _counterparts(each, schema, at, where.child(name).index(position), errors)
    if values.get("not") is not None:
        _counterparts(values["not"], schema, at, where.child("not"), errors)


def _counterparts(values: Document, schema: Document | None, at: Path, where: Path, errors: ErrorList) -> None:
    if schema is None:
        errors.required(at, f"because it is defined in {where}")
        return
    _completeness(values, schema, at, where, errors)
    if isinstance(values.get("items"), Mapping):
        items = schema.get("items")
        below = items if isinstance(items, Mapping) else None
        _counterparts(values["items"], below, at.child("items"), where.child("items"), errors)
    known = schema.get("properties") or {}
    for name, each in (values.get("properties") or {}).items():
        inner = where.child("properties").key(name)
        if name in known:
            _counterparts(each, known[name], at.child("properties").key(name), inner, errors)
        else:
            errors.required(at.child("properties").key(name), f"because it is defined in {inner}")


# --- defaults ---


def _defaults(schema: Document, path: Path, errors: ErrorList, *, root: bool = False, meta: bool = False) -> None:
    """Every default must be a value that the schema itself would take, with nothing to prune from it."""
    default = schema.get("default")
    if default is not None and not meta:
        _check_default(default, node_of(schema), path.child("default"), errors)
    items = schema.get("items")
    if isinstance(items, Mapping):
        _defaults(items, path.child("items"), errors, meta=meta)
    whole = root or bool(schema.get("x-kubernetes-embedded-resource"))
    for name, each in (schema.get("properties") or {}).items():
        inside = (meta and not whole) or (whole and name in META)
        _defaults(each, path.child("properties").key(name), errors, meta=inside)


def _check_default(default: Any, node: Node, path: Path, errors: ErrorList) -> None:
    pruned = deepcopy(default)
    prune_value(pruned, node)
    if pruned != default:
        errors.invalid(path, default, "must not have unknown fields")
    found = ErrorList()
    explain(default, node, found)
    for each in found:
        below = "" if each.field == "<nil>" else each.field
        join = "" if not below or below.startswith("[") else "."
        errors.add(type(each)(each.reason, f"{path}{join}{below}", each.value, each.detail))
    if isinstance(default, dict):
        metadata.validate_embedded(default, node, errors)


# --- vocabulary ---


class _Place:
    """Where a schema stands, as far as that decides what it may say."""

    __slots__ = ("in_meta", "no_defaults", "root")

    def __init__(self, *, root: bool = False, in_meta: bool = False, no_defaults: str = "") -> None:
        self.root = root
        self.in_meta = in_meta
        self.no_defaults = no_defaults

    def below(self, *, in_meta: bool = False, no_defaults: str = "") -> _Place:
        return _Place(in_meta=self.in_meta or in_meta, no_defaults=no_defaults or self.no_defaults)


def _vocabulary(schema: Document, path: Path, errors: ErrorList, place: _Place) -> None:
    _supported(schema, path, errors, place)
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    items = schema.get("items")
    if schema.get("uniqueItems"):
        errors.forbidden(
            path.child("uniqueItems"),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        )
    if additional is not None:
        if properties and additional is not True:
            must = "additionalProperties and properties are mutual exclusive"
            errors.forbidden(path.child("additionalProperties"), must)
        if isinstance(additional, Mapping):
            reason = "inside additionalProperties applying to object metadata" if place.in_meta else ""
            below = place.below(no_defaults=reason)
            _vocabulary(additional, path.child("additionalProperties"), errors, below)
    for name, each in properties.items():
        whole = (place.root or bool(schema.get("x-kubernetes-embedded-resource"))) and name in META
        reason = f"in top-level {name}" if whole and place.root else ""
        below = place.below(in_meta=whole, no_defaults=reason)
        _vocabulary(each, path.child("properties").key(name), errors, below)
    for name in _JUNCTORS:
        for position, each in enumerate(schema.get(name) or ()):
            _vocabulary(each, path.child(name).index(position), errors, place.below())
    if schema.get("not") is not None:
        _vocabulary(schema["not"], path.child("not"), errors, place.below())
    if isinstance(items, Mapping):
        _vocabulary(items, path.child("items"), errors, place.below())
    _extensions(schema, path, errors)


def _supported(schema: Document, path: Path, errors: ErrorList, place: _Place) -> None:
    kind = schema.get("type") or ""
    if kind and kind not in TYPES:
        errors.unsupported(path.child("type"), kind, TYPES)
    if schema.get("default") is not None and place.no_defaults:
        errors.forbidden(path.child("default"), f"must not be set {place.no_defaults}")
    for name in _UNSUPPORTED:
        if schema.get(name) not in (None, "", {}):
            errors.forbidden(path.child(name), f"{name} is not supported")
    if kind == "null":
        errors.forbidden(path.child("type"), "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.get("items"), list):
        errors.forbidden(path.child("items"), "items must be a schema object and not an array")
    if place.in_meta and schema.get("x-kubernetes-embedded-resource"):
        errors.forbidden(path.child("x-kubernetes-embedded-resource"), "must not be used inside of resource meta")


def _extensions(schema: Document, path: Path, errors: ErrorList) -> None:
    kind = schema.get("type") or ""
    preserve = schema.get("x-kubernetes-preserve-unknown-fields")
    if preserve is not None and not preserve:
        errors.invalid(path.child("x-kubernetes-preserve-unknown-fields"), preserve, "must be true or undefined")
    for name, wanted, known in (
        ("x-kubernetes-map-type", "object", ("atomic", "granular")),
        ("x-kubernetes-list-type", "array", ("atomic", "set", "map")),
    ):
        said = schema.get(name)
        if said is None:
            continue
        if kind != wanted:
            must = f"must be {wanted} if {name} is specified"
            if kind:
                errors.invalid(path.child("type"), kind, must)
            else:
                errors.required(path.child("type"), must)
        if said not in known:
            errors.unsupported(path.child(name), said, known)
    _lists(schema, path, errors)


def _lists(schema: Document, path: Path, errors: ErrorList) -> None:
    said, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or ()
    items = schema.get("items")
    item: Document = items if isinstance(items, Mapping) else {}
    if keys and said != "map":
        must = "must be map if x-kubernetes-list-map-keys is non-empty"
        if said is None:
            errors.required(path.child("x-kubernetes-list-type"), must)
        else:
            errors.invalid(path.child("x-kubernetes-list-type"), said, must)
    if said == "set" and schema.get("type") == "array":
        if item.get("type") == "array" and item.get("x-kubernetes-list-type", "atomic") != "atomic":
            at = path.child("items", "x-kubernetes-list-type")
            errors.invalid(at, item["x-kubernetes-list-type"], _MUST_BE_ATOMIC)
        if item.get("type") == "object" and item.get("x-kubernetes-map-type") != "atomic":
            at = path.child("items", "x-kubernetes-map-type")
            errors.invalid(at, item.get("x-kubernetes-map-type"), _MUST_BE_ATOMIC)
    if said == "map":
        if not keys:
            must = "must not be empty if x-kubernetes-list-type is map"
            errors.required(path.child("x-kubernetes-list-map-keys"), must)
        if items is None:
            errors.required(path.child("items"), "must have a schema if x-kubernetes-list-type is map")
        elif not isinstance(items, Mapping):
            errors.invalid(
                path.child("items"), items, "must only have a single schema if x-kubernetes-list-type is map"
            )
        elif item.get("type") != "object":
            must = "must be object if parent array's x-kubernetes-list-type is map"
            errors.invalid(path.child("items", "type"), item.get("type") or "", must)
        else:
            _keys(list(keys), item, path, errors)
    if said in ("set", "map") and item.get("nullable"):
        errors.forbidden(path.child("items", "nullable"), f"cannot be nullable when x-kubernetes-list-type is {said}")


_MUST_BE_ATOMIC = "must be atomic as item of a list with x-kubernetes-list-type=set"


def _keys(keys: list[str], item: Document, path: Path, errors: ErrorList) -> None:
    properties = item.get("properties") or {}
    at = path.child("items", "properties")
    for position, key in enumerate(keys):
        known = properties.get(key)
        if known is None:
            must = "entries must all be names of item properties"
            errors.invalid(path.child("x-kubernetes-list-map-keys"), keys, must)
        elif known.get("type") in ("array", "object"):
            must = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.invalid(at.key(key).child("type"), item.get("type"), must)
        if key in keys[:position]:
            errors.invalid(path.child("x-kubernetes-list-map-keys"), keys, "must not contain duplicate entries")
        if known is None:
            continue
        this = "this property is in x-kubernetes-list-map-keys, so it"
        if key not in (item.get("required") or ()) and known.get("default") is None:
            errors.required(at.key(key).child("default"), f"{this} must have a default or be a required property")
        if known.get("nullable"):
            errors.forbidden(at.key(key).child("nullable"), f"{this} cannot be nullable")
