"""Schemas where the declaration only says "anything": under `items`, `additionalProperties` and `dependencies`.

They are brought to their declared shape like every other part of a definition. Not here: whether they make sense.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proa.api.apiextensions_v1.json_schema import JSONSchemaProps
from proa.machinery import status as failures
from proa.machinery.conform import normalise, prune, type_errors
from proa.machinery.fields import Path
from proa.machinery.schema import schema_of

_NAMED = ("properties", "definitions", "patternProperties", "dependencies")
_LISTED = ("allOf", "anyOf", "oneOf")


def settle(schema: dict[str, Any], path: Path) -> None:
    """Prunes the schemas below one of declared shape, in place. Raises StatusError 400 for what can be none."""
    for below, at, declared in _below(schema, path):
        if not declared:
            shape = schema_of(JSONSchemaProps)
            normalise(below, shape)
            prune(below, shape)
            wrong = [text for _, text in type_errors(below, shape, at)]
            if wrong:
                raise failures.bad_request(
                    'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition: '
                    + ", ".join(wrong)
                )
        settle(below, at)


def _below(schema: dict[str, Any], path: Path) -> Iterator[tuple[dict[str, Any], Path, bool]]:
    """The schemas in a schema, and whether the declaration knows that they are."""
    for name in _NAMED:
        for key, each in (schema.get(name) or {}).items():
            if isinstance(each, dict):
                yield each, path.child(name).key(key), name != "dependencies"
    for name in _LISTED:
        for position, each in enumerate(schema.get(name) or ()):
            yield each, path.child(name).index(position), True
    if isinstance(schema.get("not"), dict):
        yield schema["not"], path.child("not"), True
    for name in ("items", "additionalProperties", "additionalItems"):
        said = schema.get(name)
        if isinstance(said, dict):
            yield said, path.child(name), False
        elif said is not None and not isinstance(said, bool if name != "items" else list):
            raise failures.bad_request(
                'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition: '
                f"{path.child(name)}: must be a schema"
            )
