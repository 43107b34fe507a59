"""How a document differs from its declared shape: nulls, unknown and duplicate fields, values of a wrong JSON type.

Plain walks over the schema, for the slow path: they run when the C conversion has refused, and say where and why, in
the words clients know from Go's decoder. Not here: what to do about it (`decode`), and whether values make sense
(`validate`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from proa.machinery import quantity, status, timestamps
from proa.machinery.fields import ROOT, Path, quoted
from proa.machinery.meta import StatusCause, StatusDetails
from proa.machinery.schema import AnySchema, ListSchema, MapSchema, ObjectSchema, ScalarSchema, Schema


def cannot_handle(
    document: Mapping[str, Any], schema: ObjectSchema, errors: Sequence[tuple[Path | None, str]]
) -> status.StatusError:
    """The 400 that names what is wrong, and where in its causes."""
    kind = document.get("kind")
    version = document.get("apiVersion")
    version = version.rpartition("/")[2] if isinstance(version, str) else ""
    shown = kind if isinstance(kind, str) and kind else schema.name
    reasons = ", ".join(text for _, text in errors)
    failure = status.bad_request(
        f"{shown} in version {quoted(version)} cannot be handled as a {schema.name}: {reasons}"
    ).status
    causes = tuple(StatusCause(field=str(path), message=text) for path, text in errors if path is not None)
    details = StatusDetails(causes=causes) if causes else None
    return status.StatusError(msgspec.structs.replace(failure, details=details))


def normalise(document: Any, schema: Schema) -> None:
    """Takes out of a document, in place, what JSON allows and a Go decoder ignores.

    A null field is an absent one, a null element is the zero value, base64 may be broken over lines. Below a schema of
    anything (RawExtension, FieldsV1) nulls mean something and stay.
    """
    match schema:
        case ObjectSchema() if isinstance(document, dict):
            properties = schema.properties
            for name in [name for name, value in document.items() if value is None]:
                if name in properties or not schema.preserve_unknown:
                    del document[name]
            for name in document.keys() & properties.keys():
                document[name] = _normal(document[name], properties[name].schema)
        case ListSchema() if isinstance(document, list):
            document[:] = [_normal(value, schema.item) for value in document]
        case MapSchema() if isinstance(document, dict):
            for key, value in document.items():
                document[key] = _normal(value, schema.value)
        case _:
            return


def _normal(value: Any, schema: Schema) -> Any:
    if value is None:
        return _zero(schema)
    if isinstance(value, str) and isinstance(schema, ScalarSchema) and schema.format == "byte":
        return value.replace("\n", "").replace("\r", "")
    normalise(value, schema)
    return value


def _zero(schema: Schema) -> Any:
    match schema:
        case ScalarSchema():
            return schema.zero
        case ListSchema():
            return []
        case AnySchema():
            return None
        case _:
            return {}


# --- unknown and duplicate fields ---


def unknown_fields(document: Any, schema: Schema, path: Path = ROOT) -> Iterator[Path]:
    """Every field the schema does not know."""
    match schema:
        case ObjectSchema() if isinstance(document, dict):
            properties = schema.properties
            for name, value in document.items():
                known = properties.get(name)
                if known is not None:
                    yield from unknown_fields(value, known.schema, path.child(name))
                elif not schema.preserve_unknown:
                    yield path.child(name)
        case ListSchema() if isinstance(document, list):
            for position, value in enumerate(document):
                yield from unknown_fields(value, schema.item, path.index(position))
        case MapSchema() if isinstance(document, dict):
            for key, value in document.items():
                yield from unknown_fields(value, schema.value, path.child(key))
        case _:
            return


def prune(document: Any, schema: Schema, path: Path = ROOT) -> list[str]:
    """Removes every field the schema does not know, in place; returns their paths."""
    found: list[str] = []
    match schema:
        case ObjectSchema() if isinstance(document, dict):
            properties = schema.properties
            for name in [*document]:
                known = properties.get(name)
                if known is not None:
                    found += prune(document[name], known.schema, path.child(name))
                elif not schema.preserve_unknown:
                    del document[name]
                    found.append(str(path.child(name)))
        case ListSchema() if isinstance(document, list):
            for position, value in enumerate(document):
                found += prune(value, schema.item, path.index(position))
        case MapSchema() if isinstance(document, dict):
            for key, value in document.items():
                found += prune(value, schema.value, path.child(key))
        case _:
            pass
    return found


def duplicate_fields(raw: bytes) -> list[str]:
    """The path of each field that occurs again in its object."""
    found: list[str] = []

    def walk(value: Any, path: Path) -> None:
        if isinstance(value, _Pairs):
            seen = set()
            for name, below in value:
                here = path.child(name)
                if name in seen:
                    found.append(str(here))
                seen.add(name)
                walk(below, here)
        elif isinstance(value, list):
            for position, below in enumerate(value):
                walk(below, path.index(position))

    walk(json.loads(raw, object_pairs_hook=_Pairs), ROOT)
    return list(dict.fromkeys(found))


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its duplicates."""


# --- types ---


def type_errors(document: Any, schema: Schema, path: Path = ROOT, owner: str = "") -> Iterator[tuple[Path, str]]:
    """Every value of the wrong JSON type, with the text that clients know from Go's decoder."""
    match schema:
        case ObjectSchema():
            if not isinstance(document, dict):
                yield path, _mismatch(document, owner, path, schema.name)
                return
            properties = schema.properties
            for name, value in document.items():
                known = properties.get(name)
                if known is not None:
                    yield from type_errors(value, known.schema, path.child(name), schema.name)
        case ListSchema():
            if not isinstance(document, list):
                yield path, _mismatch(document, owner, path, "[]" + _go_type(schema.item))
                return
            for position, value in enumerate(document):
                yield from type_errors(value, schema.item, path.index(position), owner)
        case MapSchema():
            if not isinstance(document, dict):
                yield path, _mismatch(document, owner, path, "map[string]" + _go_type(schema.value))
                return
            for key, value in document.items():
                yield from type_errors(value, schema.value, path.child(key), owner)
        case ScalarSchema():
            problem = _scalar_problem(document, schema)
            if problem is not None:
                text = f"{path}: {problem}" if problem else _mismatch(document, owner, path, schema.go_type)
                yield path, text
        case _:
            return


def _scalar_problem(value: Any, schema: ScalarSchema) -> str | None:
    """None: fits. '': another JSON type. Else what is wrong with the text."""
    if schema.is_quantity:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return ""
        try:
            quantity.canonical(value)
        except quantity.QuantityError as error:
            return str(error)
        return None
    if schema.is_int_or_string:
        return None if isinstance(value, str) or _is_integer(value, 32) else ""
    if schema.type == "string":
        if not isinstance(value, str):
            return ""
        if schema.is_time:
            return _time_problem(value)
        if schema.format == "byte":
            return _base64_problem(value)
        return None
    if schema.type == "integer":
        return None if _is_integer(value, 32 if schema.format == "int32" else 64) else ""
    if schema.type == "number":
        return None if isinstance(value, int | float) and not isinstance(value, bool) else ""
    if schema.type == "boolean":
        return None if isinstance(value, bool) else ""
    return None


def _is_integer(value: Any, bits: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << bits - 1) <= value < 1 << bits - 1


def _time_problem(value: str) -> str | None:
    try:
        timestamps.parse(value)
    except timestamps.TimeError as error:
        return str(error)
    return None


def _base64_problem(value: str) -> str | None:
    try:
        msgspec.convert(value, bytes)
    except msgspec.ValidationError:
        return "illegal base64 data"
    return None


def _go_type(schema: Schema) -> str:
    match schema:
        case ScalarSchema():
            return schema.go_type
        case ObjectSchema():
            return schema.name
        case ListSchema():
            return "[]" + _go_type(schema.item)
        case MapSchema():
            return "map[string]" + _go_type(schema.value)
        case _:
            return "interface {}"


def json_kind(value: Any) -> str:
    """What JSON calls a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "null"


def _mismatch(value: Any, owner: str, path: Path, expected: str) -> str:
    shown = json_kind(value)
    if shown == "number":
        shown += f" {value}"
    return f"json: cannot unmarshal {shown} into Go struct field {owner}.{path} of type {expected}"
