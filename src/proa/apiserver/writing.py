"""The steps of a write between the request's document and the stored bytes, for one resource; no store, no waiting.

Order (see `machinery.resource.Strategy`): decoded, defaulted, prepared; then admission; then typed, validated, encoded.
What an ordinary update may touch and what a status update may touch is said here once for every resource. Not here:
metadata (`metadata`), retries and concurrency (`registry`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from proa.apiserver import kinds, metadata
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.machinery import apply
from proa.machinery import status as failures
from proa.machinery.decode import FieldValidation
from proa.machinery.fields import ErrorList, Path
from proa.machinery.object_meta import validate_object_meta, validate_object_meta_update
from proa.machinery.resource import Resource, Strategy
from proa.machinery.strategy import DEFAULT, DefaultStrategy

_UNKNOWN_MANAGER = "unknown"


Change = Callable[[Document], Document]
"""Makes the new document from the stored one. It may be called again with a newer one; it owns what it is given."""


class Encoded(NamedTuple):
    """The stored bytes, and the typed object they were encoded from."""

    body: bytes
    object: Any


class Preparation:
    """The steps for one resource. Documents are changed in place unless a step returns one."""

    def __init__(self, resource: Resource[Any]) -> None:
        self._resource = resource
        self._strategy: Any = resource.strategy or DEFAULT
        self._form = resource.form
        self._has_status = resource.subresource("status") is not None
        self._warns = type(self._strategy).warnings is not DefaultStrategy.warnings

    def decoded(self, document: Document, options: WriteOptions, *, patched: bool = False) -> None:
        """Bring a client's document to its declared shape, as fieldValidation says. patched: a patch made it."""
        resource = self._resource
        if document.get("kind") != resource.kind or document.get("apiVersion") != resource.api_version:
            self._check_kind(document, patched=patched)
        document["apiVersion"], document["kind"] = resource.api_version, resource.kind
        options.warnings += self._form.shape(document, options.field_validation, options.raw)

    def patched(self, patch: Change, options: WriteOptions) -> Change:
        """What a client's patch makes of a document, in its declared shape."""

        def change(stored: Document) -> Document:
            document = patch(stored)
            self.decoded(document, options, patched=True)
            return document

        return change

    def _check_kind(self, document: Document, *, patched: bool) -> None:
        resource = self._resource
        if resource.custom:
            kinds.check_custom(document, resource, patched=patched)
        elif patched:
            kinds.check_patched(document, resource.api_version, resource.kind)
        else:
            kinds.check_kind(document, resource.api_version, resource.kind)

    def check_conditional(self, document: Document, name: str) -> None:
        """Raises StatusError 422 when the document must say which version it replaces and does not."""
        if self._strategy.unconditional_update or metadata.of(document).get("resourceVersion"):
            return
        errors = ErrorList()
        errors.invalid(Path("metadata", "resourceVersion"), 0, "must be specified for an update")
        resource = self._resource
        raise failures.invalid(resource.group, resource.plural, name, errors)  # upstream says the plural here

    def new(self, document: Document) -> None:
        """Default and prepare a new object."""
        self._form.default(document)
        self._strategy.default(document)
        self._strategy.prepare_for_create(document)

    def shaped(self, document: Document, old: Mapping[str, Any], subresource: str) -> Document:
        """What of `document` a write through `subresource` may change; the rest is `old`'s."""
        if subresource != "status":
            return document
        status = document.get("status")
        kept = {name: value for name, value in old.items() if name != "status"}
        return {**kept, "metadata": document["metadata"], **({} if status is None else {"status": status})}

    def changed(self, document: Document, old: Mapping[str, Any], subresource: str) -> None:
        """Default and prepare an updated object."""
        self._form.default(document)
        self._strategy.default(document)
        if not subresource:
            self._strategy.prepare_for_update(document, old)
        elif subresource == "status":
            self._strategy.prepare_for_status_update(document, old)

    def settled(self, document: Document, old: Mapping[str, Any] | None, subresource: str) -> None:
        """Bring a document in order again that somebody outside of the server has changed during admission."""
        self._form.shape(document, FieldValidation.IGNORE)
        if old is None:
            self.new(document)
            return
        allowed = self.shaped(document, old, subresource)
        if allowed is not document:
            document.clear()
            document.update(allowed)
        self.changed(document, old, subresource)

    def tracked(
        self, old: Mapping[str, Any] | None, document: Document, options: WriteOptions, now: str, subresource: str = ""
    ) -> Document:
        """The document with its managedFields brought up to date, before admission: what plugins add is nobody's.

        An apply has done that itself. A new object's status is the server's, not its creator's.
        """
        if options.applied:
            return document
        manager = options.field_manager or _UNKNOWN_MANAGER
        writer = apply.Writer(manager, apply.UPDATE, self._resource.api_version, now, subresource)
        claimed = document
        if old is None and self._has_status and "status" in document:
            claimed = document.copy()
            del claimed["status"]
        tracked = apply.track_update(old, claimed, self._form.schema, writer)
        document["metadata"] = tracked["metadata"]  # admission holds on to this document
        return document

    def create(self, document: Document) -> Encoded:
        """A new object as it is stored. Raises StatusError 422 naming everything that is wrong."""
        typed = self._form.typed(document)
        errors = ErrorList()
        self._validate(document, typed, errors)
        self._strategy.validate_create(typed, errors)
        self._raise(document, errors)
        return Encoded(self._form.encode(typed), typed)

    def update(self, document: Document, old: Document, old_typed: Any, options: WriteOptions) -> Encoded:
        """A changed object as it is stored; the client is warned of what is wrong as it was. Raises StatusError 422."""
        typed = self._form.typed(document)
        errors = ErrorList()
        self._validate(document, typed, errors, old)
        validate_object_meta_update(typed.metadata, old_typed.metadata, errors)
        self._strategy.validate_update(typed, old_typed, errors)
        self._raise(document, errors)
        options.warnings += map(str, errors.tolerated)
        return Encoded(self._form.encode(typed), typed)

    def warnings(self, new: Any, old: Any = None, subresource: str = "") -> list[str]:
        """What the client should know of a valid object that is written through `subresource`."""
        if not self._warns:
            return []
        strategy: Strategy = self._strategy
        return strategy.status_warnings(new) if subresource == "status" else strategy.warnings(new, old)

    def encoded(self, document: Document) -> Encoded:
        """A document the server itself made, as it is stored."""
        typed = self._form.typed(document)
        return Encoded(self._form.encode(typed), typed)

    def _validate(self, document: Document, typed: Any, errors: ErrorList, old: Document | None = None) -> None:
        resource = self._resource
        validate_object_meta(typed.metadata, errors, namespaced=resource.namespaced, name_rule=resource.name_rule)
        self._form.validate(document, typed, errors, old)
        self._strategy.validate(typed, errors)

    def _raise(self, document: Document, errors: ErrorList) -> None:
        if errors:
            name = document["metadata"].get("name") or document["metadata"].get("generateName", "")
            raise failures.invalid(self._resource.group, self._resource.kind, name, errors)
