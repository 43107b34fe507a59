"""The form of a custom resource: its documents in the write path, by the schema of one version.

Everything is compiled on first use, so that a definition that nobody uses costs nothing. Documents in order pass the
gate twice (decoded, validated) and no walk at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any

import msgspec

from proa.machinery import unstructured
from proa.machinery.conform import cannot_handle
from proa.machinery.declare import UNSET
from proa.machinery.decode import Document, FieldValidation, duplicates
from proa.machinery.fields import ROOT, ErrorList, Path, quoted
from proa.machinery.schema import ListSchema, ObjectSchema, reachable
from proa.machinery.structural import metadata
from proa.machinery.structural.default import defaulter
from proa.machinery.structural.explain import explain
from proa.machinery.structural.gate import gate_of, remainder
from proa.machinery.structural.prune import prune, prune_nulls
from proa.machinery.structural.shape import shape_of
from proa.machinery.structural.tree import ANYTHING, Node, node_of
from proa.machinery.unstructured import Unstructured
from proa.machinery.validate import validate_lists

Rules = Callable[[Mapping[str, Any], Mapping[str, Any] | None, ErrorList], None]
"""(document, stored one, errors): evaluates a schema's x-kubernetes-validations."""

_BLOCKING = frozenset(
    {"FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"}
)
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)


class StructuralForm:
    """See `machinery.form.Form`. document: reads the JSONSchemaProps of the version, None for none.

    rules: what evaluates the schema's rules, made from its root when it is first needed.
    """

    def __init__(
        self,
        document: Callable[[], Mapping[str, Any] | None],
        gvk: tuple[str, str, str],
        *,
        rules: Callable[[Node, Mapping[str, Any]], Rules] | None = None,
    ) -> None:
        self._read = document
        self._gvk = gvk
        self._make_rules = rules

    # -- compiled ---------------------------------------------------------------------------------------------------

    @cached_property
    def document(self) -> Mapping[str, Any] | None:
        """The schema as written."""
        return self._read()

    @cached_property
    def root(self) -> Node:
        """The tree of the schema."""
        return ANYTHING if self.document is None else node_of(self.document)

    @cached_property
    def schema(self) -> ObjectSchema:
        return shape_of(self._gvk[2], self.root, self._gvk, self.document)

    @cached_property
    def _gate(self) -> Any:
        return gate_of(self.root)

    @cached_property
    def _remainder(self) -> Callable[[Any], bool] | None:
        return remainder(self.root, root=True)

    @cached_property
    def _fill(self) -> Callable[[Any], None] | None:
        return defaulter(self.root)

    @cached_property
    def _has_unique_lists(self) -> bool:
        declared = {name: each.schema for name, each in self.schema.properties.items() if name != "metadata"}
        return any(
            isinstance(each, ListSchema) and each.type in ("set", "map")
            for schema in declared.values()
            for each in reachable(schema)
        )

    @cached_property
    def _rules(self) -> Rules | None:
        if self._make_rules is None or self.document is None:
            return None
        if not any(node.rules for node in self.root.reachable()):
            return None
        return self._make_rules(self.root, self.document)

    # -- the write path ---------------------------------------------------------------------------------------------

    def shape(self, document: Document, mode: FieldValidation, raw: bytes | None = None) -> list[str]:
        problems = duplicates(document, raw, mode)
        if not self._passes(document):
            unknown, errors = self.coerce(document, drop=False)
            if errors:
                raise cannot_handle(document, self.schema, errors)
            if mode is not FieldValidation.IGNORE:
                problems += [f"unknown field {quoted(path)}" for path in unknown]
        if problems and mode is FieldValidation.STRICT:
            raise cannot_handle(document, self.schema, [(None, "strict decoding error: " + ", ".join(problems))])
        return problems

    def undeclared(self, document: Document) -> list[str]:
        if self._passes(document):
            return []
        unknown, _ = self.coerce(deepcopy(document), drop=True)
        return unknown

    def coerce(self, document: Document, *, drop: bool) -> tuple[list[str], list[tuple[Path | None, str]]]:
        """Take out what the schema does not know, in place; the paths of that, and what cannot be.

        drop: metadata that cannot be is left out (stored objects).
        """
        unknown: list[str] = []
        errors = metadata.coerce(document, ROOT, unknown, drop=drop)
        unknown = [each.removeprefix(".") for each in unknown]
        unknown += prune(document, self.root)
        prune_nulls(document, self.root, besides=("metadata",))
        errors += metadata.coerce_embedded(document, self.root, unknown, drop=drop)
        return unknown, errors

    def default(self, document: Document) -> None:
        if self._fill is not None:
            self._fill(document)

    def typed(self, document: Document) -> Unstructured:
        try:
            return Unstructured.of(document)
        except msgspec.ValidationError as error:
            raise cannot_handle(document, self.schema, [(Path("metadata"), f"json: {error}")]) from None

    def encode(self, typed: Unstructured) -> bytes:
        return unstructured.encode(typed)

    def validate(self, document: Document, typed: Unstructured, errors: ErrorList, old: Document | None = None) -> None:
        found = ErrorList()
        if not (self._passes(document) and (self._remainder is None or self._remainder(document))):
            explain(document, self.root, found, old=UNSET if old is None else old)
            metadata.validate_embedded(document, self.root, found)
        if self._has_unique_lists and (old is None or not self._duplicates(old)):
            found.extend(self._duplicates(document))
        if self._rules is not None:
            if any(each.reason in _BLOCKING for each in (*errors, *found)):
                found.invalid(Path("<nil>"), None, _UNCHECKED)
            else:
                self._rules(document, old, found)
        errors.extend(found)
        if found.tolerated:
            errors.tolerate(*found.tolerated)

    def _passes(self, document: Document) -> bool:
        try:
            msgspec.convert(document, self._gate)
        except (msgspec.ValidationError, RecursionError):
            return False
        return True

    def _duplicates(self, document: Document) -> ErrorList:
        errors = ErrorList()
        content = {name: value for name, value in document.items() if name != "metadata"}
        validate_lists(content, self.schema, errors)
        return errors
