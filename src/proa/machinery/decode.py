"""From bytes to a document that has its declared shape, and from there to the typed object.

The fast path is one C conversion that refuses anything unexpected. Only when it refuses does a walk over the schema
find out why: JSON nulls are taken as absent, unknown fields are dropped, reported or refused as the request's
`fieldValidation` says, and every field of a wrong type is named. Not here: whether values make sense (`validate`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from proa.machinery import status, unstructured
from proa.machinery.conform import (
    cannot_handle,
    duplicate_fields,
    json_kind,
    normalise,
    prune,
    type_errors,
    unknown_fields,
)
from proa.machinery.declare import Object
from proa.machinery.fields import quoted
from proa.machinery.schema import ObjectSchema, schema_of
from proa.machinery.unstructured import Unstructured

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
    try:
        document = decode_value(body, limit)
    except ValueError as error:
        raise status.bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(document, dict):
        raise status.bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{json_kind(document)} into Go value of type struct {{ APIVersion string; Kind string }}"
        )
    return document


def decode_value(body: bytes, limit: int = BODY_LIMIT) -> Any:
    """Any JSON value. Raises ValueError for what is none or is nested too deeply, StatusError 413 beyond the limit."""
    if len(body) > limit:
        raise status.request_entity_too_large(f"limit is {limit}")
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    if len(body) > 2 * DEPTH_LIMIT and body.count(b"{") + body.count(b"[") > DEPTH_LIMIT and is_too_deep(value):
        raise ValueError("exceeded max depth")
    return value


def is_too_deep(value: Any) -> bool:
    """Whether a value is nested deeper than the server takes."""
    return _deeper(value, DEPTH_LIMIT)


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
    problems = duplicates(document, raw, mode)
    if schema.type is None or not fits(document, schema.type):
        normalise(document, schema)
        unknown = prune(document, schema)
        if mode is not FieldValidation.IGNORE:
            problems = [f"unknown field {quoted(path)}" for path in unknown] + problems
        errors = list(type_errors(document, schema))
        if errors:
            raise cannot_handle(document, schema, errors)
        if schema.type is not None:
            to_typed(document, schema.type)  # both judges agree now, or the C one says what the walk does not know
    if problems and mode is FieldValidation.STRICT:
        problems.sort(key=lambda text: text.startswith("duplicate"))
        raise cannot_handle(document, schema, [(None, "strict decoding error: " + ", ".join(problems))])
    return problems


def duplicates(document: Document, raw: bytes | None, mode: FieldValidation) -> list[str]:
    """What is to be said of fields that are in the JSON body more than once, where anybody wants to know."""
    if raw is None or mode is FieldValidation.IGNORE or not _may_have_duplicates(raw, document):
        return []
    return [f"duplicate field {quoted(path)}" for path in duplicate_fields(raw)]


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
        raise cannot_handle(document, schema, errors)
    try:
        return msgspec.convert(document, declared)
    except msgspec.ValidationError as error:  # a constraint only the C side knows
        raise cannot_handle(document, schema, [(None, f"json: {error}")]) from None


def to_document(obj: Object) -> Document:
    """A new mutable document of a typed object, as its JSON would read."""
    return msgspec.json.decode(encode(obj))  # type: ignore[no-any-return]


def encode(obj: Object) -> bytes:
    """The stored and served bytes of a typed object: metadata first, empty fields left out."""
    return msgspec.json.encode(obj) if obj.__class__ is not Unstructured else unstructured.encode(obj)


def fits(document: Document, declared: type[Object]) -> bool:
    """Whether a document has its declared shape as it is."""
    try:
        msgspec.convert(document, declared)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _may_have_duplicates(raw: bytes, document: Document) -> bool:
    """A duplicate field is lost in decoding, and with it its quotes: as many quotes as before means none was.

    The same bytes have as many, whatever white space is behind them; most clients write what we would. An escaped
    quote spelled \\u0022 could hide one, so it counts as a suspicion.
    """
    written = msgspec.json.encode(document)
    if raw.startswith(written):
        return False
    return raw.count(b'"') != written.count(b'"') or b"\\u0022" in raw
