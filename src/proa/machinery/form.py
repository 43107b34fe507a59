"""How the documents of one resource are brought in order, checked and encoded: by a declared type, or by a schema.

A `Form` is what the write path asks; it is pure and knows no resource. Built-in resources have the one here, custom
resources that of `machinery.structural`. Not here: what strategies add, and metadata (`object_meta`).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from proa.machinery import decode
from proa.machinery.conform import unknown_fields
from proa.machinery.declare import Object
from proa.machinery.decode import Document, FieldValidation
from proa.machinery.default import Defaulter, defaulter_of
from proa.machinery.fields import ErrorList
from proa.machinery.schema import ObjectSchema, schema_of
from proa.machinery.validate import validate_facts, validate_facts_update


class Form(Protocol):
    """Documents are changed in place. Raises StatusError 400 for what cannot be such a document at all."""

    @property
    def schema(self) -> ObjectSchema: ...

    def shape(self, document: Document, mode: FieldValidation, raw: bytes | None = None) -> list[str]:
        """Bring a client's document to its shape; the warnings for the client. raw: its JSON, where it was JSON."""

    def undeclared(self, document: Document) -> list[str]:
        """The paths of fields that are not in the schema."""

    def default(self, document: Document) -> None:
        """Fill in what is declared of absent fields."""

    def typed(self, document: Document) -> Any:
        """The frozen view of a document."""

    def encode(self, typed: Any) -> bytes:
        """The stored bytes of such a view, metadata first."""

    def validate(self, document: Document, typed: Any, errors: ErrorList, old: Document | None = None) -> None:
        """Adds what the form objects to. typed: the document's view. old: the stored document, on update."""


class DeclaredForm:
    """Of a declared type."""

    def __init__(self, declared: type[Object]) -> None:
        self._schema = schema_of(declared)
        self._type = declared

    @property
    def schema(self) -> ObjectSchema:
        return self._schema

    @cached_property
    def _default(self) -> Defaulter:
        return defaulter_of(self._schema)

    def shape(self, document: Document, mode: FieldValidation, raw: bytes | None = None) -> list[str]:
        return decode.field_validation(document, self._schema, mode, raw)

    def undeclared(self, document: Document) -> list[str]:
        if decode.fits(document, self._type):
            return []
        return [str(path) for path in unknown_fields(document, self._schema)]

    def default(self, document: Document) -> None:
        self._default(document)

    def typed(self, document: Document) -> Any:
        return decode.to_typed(document, self._type)

    def encode(self, typed: Any) -> bytes:
        return decode.encode(typed)

    def validate(self, document: Document, typed: Any, errors: ErrorList, old: Document | None = None) -> None:
        validate_facts(document, self._schema, errors, typed)
        if old is not None:
            validate_facts_update(document, old, self._schema, errors)
