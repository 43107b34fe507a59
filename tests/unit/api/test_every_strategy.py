"""What holds for every resource: whatever has the declared shape is completed, and then accepted or refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.api.groups import resources
from proa.machinery.decode import encode, to_typed
from proa.machinery.default import apply_defaults
from proa.machinery.fields import ErrorList
from proa.machinery.resource import Resource
from proa.machinery.strategy import DEFAULT
from tests.unit.machinery.test_every_type import documents

Document = dict[str, Any]
RESOURCES = [each for each in resources() if "create" in each.verbs]
METADATA = {"name": "a", "uid": "8e2b5a0e-0000-4000-8000-000000000000", "creationTimestamp": "2026-01-01T00:00:00Z"}
DEPTH = 4


def defaulted(resource: Resource[Any], document: Document) -> Document:
    apply_defaults(document, resource.schema)
    (resource.strategy or DEFAULT).default(document)
    return document


def generated(resource: Resource[Any], data: st.DataObject) -> Document:
    document: Document = data.draw(documents(resource.schema, DEPTH))
    for name in ("apiVersion", "kind"):
        document.pop(name, None)
    document["metadata"] = METADATA | ({"namespace": "default"} if resource.namespaced else {})
    return document


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: f"{each.plural}.{each.group}/{each.version}")
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_document_is_completed_and_then_accepted_or_refused(resource: Resource[Any], data: st.DataObject) -> None:
    strategy = resource.strategy or DEFAULT
    old, new = (defaulted(resource, generated(resource, data)) for _ in range(2))
    assert defaulted(resource, copy.deepcopy(old)) == old

    strategy.prepare_for_create(old)
    before = to_typed(old, resource.type)
    errors = ErrorList()
    strategy.validate(before, errors)
    strategy.validate_create(before, errors)
    assert all(each.message for each in errors)
    assert encode(before)

    if not errors:
        strategy.validate_update(before, before, errors)
        assert not [each for each in errors if "immutable" in each.message or "Forbidden" in each.message]

    status = copy.deepcopy(new)
    strategy.prepare_for_update(new, old)
    strategy.prepare_for_status_update(status, old)
    for document in (new, status):
        after = to_typed(document, resource.type)
        errors = ErrorList()
        strategy.validate(after, errors)
        strategy.validate_update(after, before, errors)
        assert all(each.message for each in errors)
