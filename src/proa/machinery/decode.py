"""From bytes to a document that has its declared shape, and from there to the typed object.

The fast path is one C conversion that refuses anything unexpected. Only when it refuses does a walk over the schema
find out why: JSON nulls are taken as absent, unknown fields are dropped, reported or refused as the request's
`fieldValidation` says, and every field of a wrong type is named. Not here: whether values make sense (`validate`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from proa.machinery import quantity, status, timestamps
from proa.machinery.declare import Object
from proa.machinery.fields import ROOT, Path, quoted
from proa.machinery.meta import StatusCause, StatusDetails
from proa.machinery.schema import AnySchema, ListSchema, MapSchema, ObjectSchema, ScalarSchema, Schema, schema_of

T = TypeVar("T", bound=Object)
Document = dict[str, Any]

BODY_LIMIT = 3 * 1024 * 1024
"""Bytes; upstream's limit of a write request."""

DEPTH_LIMIT = 256
"""Levels of nesting. Real objects use about 20; recursion must not be a weapon."""


class FieldValidation(StrEnum):
    """What to do about unknown and duplicate fields (the query parameter `fieldValidation`)."""

    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"

    @classmethod
    def of(cls, text: str) -> FieldValidation:
        """The parameter's value; '' is Warn. Raises StatusError (400)."""
        try:
            return cls(text) if text else cls.WARN
        except ValueError:
            raise status.bad_request(
                f'fieldValidation: Unsupported value: {quoted(text)}: supported values: "Ignore", "Strict", "Warn"'
            ) from None


def decode_json(body: bytes, limit: int = BODY_LIMIT) -> Document:
    """The JSON object in a request body. Raises StatusError: 400 for what is not one, 413 for too many bytes."""
    if len(body) > limit:
        raise status.request_entity_too_large(f"limit is {limit}")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise status.bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    except RecursionError:
        raise status.bad_request("couldn't get version/kind; json parse error: exceeded max depth") from None
    if body.count(b"{") + body.count(b"[") > DEPTH_LIMIT and _deeper(document, DEPTH_LIMIT):
        raise status.bad_request("couldn't get version/kind; json parse error: exceeded max depth")
    if not isinstance(document, dict):
        raise status.bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{_json_kind(document)} into Go value of type struct {{ APIVersion string; Kind string }}"
        )
    return document


def _deeper(value: Any, limit: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if limit == 0:
        return True
    below = value.values() if isinstance(value, dict) else value
    return any(_deeper(each, limit - 1) for each in below if isinstance(each, dict | list))


def field_validation(
    document: Document, schema: ObjectSchema, mode: FieldValidation, raw: bytes | None = None
) -> list[str]:
    """Brings a decoded document to its declared shape, in place, and returns the warnings for the client.

    Afterwards it holds no nulls and no unknown fields and every value has its JSON type, so defaulting and strategies
    can trust it. raw: the JSON body, where duplicate fields are to be found. Raises StatusError (400) for a wrong type,
    and in Strict mode for unknown and duplicate fields.
    """
    problems: list[str] = []
    if raw is not None and mode is not FieldValidation.IGNORE and _may_have_duplicates(raw, document):
        problems = [f"duplicate field {quoted(path)}" for path in duplicate_fields(raw)]
    if schema.type is None or not _fits(document, schema.type):
        normalise(document, schema)
        unknown = prune(document, schema)
        if mode is not FieldValidation.IGNORE:
            problems = [f"unknown field {quoted(path)}" for path in unknown] + problems
        errors = list(type_errors(document, schema))
        if errors:
            raise _cannot_handle(document, schema, errors)
        if schema.type is not None:
            to_typed(document, schema.type)  # both judges agree now, or the C one says what the walk does not know
    if problems and mode is FieldValidation.STRICT:
        problems.sort(key=lambda text: text.startswith("duplicate"))
        raise _cannot_handle(document, schema, [(None, "strict decoding error: " + ", ".join(problems))])
    return problems


def to_typed(document: Document, declared: type[T]) -> T:
    """The frozen view of a document. Raises StatusError (400) naming every field that does not fit.

    Nulls are taken out of the document where they are in the way.
    """
    try:
        return msgspec.convert(document, declared)
    except (msgspec.ValidationError, RecursionError):
        schema = schema_of(declared)
    normalise(document, schema)
    errors = [(path, f"unknown field {quoted(str(path))}") for path in unknown_fields(document, schema)]
    errors += type_errors(document, schema)
    if errors:
        raise _cannot_handle(document, schema, errors)
    try:
        return msgspec.convert(document, declared)
    except msgspec.ValidationError as error:  # a constraint only the C side knows
        raise _cannot_handle(document, schema, [(None, f"json: {error}")]) from None


def to_document(obj: Object) -> Document:
    """A new mutable document of a typed object, as its JSON would read."""
    return msgspec.json.decode(msgspec.json.encode(obj))  # type: ignore[no-any-return]


def encode(obj: Object) -> bytes:
    """The stored and served bytes of a typed object: metadata first, empty fields left out."""
    return msgspec.json.encode(obj)


def _fits(document: Document, declared: type[Object]) -> bool:
    try:
        msgspec.convert(document, declared)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _cannot_handle(
    document: Document, schema: ObjectSchema, errors: Sequence[tuple[Path | None, str]]
) -> status.StatusError:
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


# --- nulls ---


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


def _may_have_duplicates(raw: bytes, document: Document) -> bool:
    """A duplicate field is lost in decoding, and with it its quotes: as many quotes as before means none was.

    An escaped quote spelled \\u0022 could hide one, so it counts as a suspicion.
    """
    return raw.count(b'"') != msgspec.json.encode(document).count(b'"') or b"\\u0022" in raw


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


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "null"


def _mismatch(value: Any, owner: str, path: Path, expected: str) -> str:
    shown = _json_kind(value)
    if shown == "number":
        shown += f" {value}"
    return f"json: cannot unmarshal {shown} into Go struct field {owner}.{path} of type {expected}"
