"""What the API server does with a document before it is stored, without the server."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from proa.machinery.decode import to_typed
from proa.machinery.default import defaulter_of
from proa.machinery.fields import ErrorList
from proa.machinery.resource import Resource


def defaulted(resource: Resource[Any], document: dict[str, Any]) -> dict[str, Any]:
    defaulter_of(resource.schema)(document)
    assert resource.strategy is not None
    resource.strategy.default(document)
    return document


def created(resource: Resource[Any], document: dict[str, Any]) -> dict[str, Any]:
    defaulted(resource, document)
    assert resource.strategy is not None
    resource.strategy.prepare_for_create(document)
    return document


def create_errors(resource: Resource[Any], document: dict[str, Any]) -> list[str]:
    errors = ErrorList()
    assert resource.strategy is not None
    typed = to_typed(created(resource, document), resource.type)
    resource.strategy.validate(typed, errors)
    resource.strategy.validate_create(typed, errors)
    return [str(each) for each in errors]


def update_errors(resource: Resource[Any], old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    errors = ErrorList()
    assert resource.strategy is not None
    before, after = (to_typed(defaulted(resource, each), resource.type) for each in (old, new))
    resource.strategy.validate_update(after, before, errors)
    return [str(each) for each in errors]


def warnings(resource: Resource[Any], new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    """What the client is told of a valid object."""
    assert resource.strategy is not None
    after, before = (
        to_typed(defaulted(resource, deepcopy(each)), resource.type) if each else None for each in (new, old)
    )
    return resource.strategy.warnings(after, before)
