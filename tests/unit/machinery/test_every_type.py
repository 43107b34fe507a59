"""What holds for every declared type: generated documents survive every walk."""

import copy
import importlib
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.api.groups import resources
from proa.machinery.conform import normalise
from proa.machinery.declare import Object
from proa.machinery.decode import FieldValidation, encode, field_validation, to_document, to_typed
from proa.machinery.default import apply_defaults
from proa.machinery.fields import ErrorList
from proa.machinery.quantity import canonical
from proa.machinery.schema import ListSchema, MapSchema, ObjectSchema, ScalarSchema, Schema, schema_of
from proa.machinery.validate import validate_facts, validate_lists

TYPES: list[type[Object]] = sorted(
    {each.type for each in resources()}, key=lambda each: each.__module__ + each.__name__
)
_DEPTH = 5


def documents(schema: Schema, depth: int = _DEPTH) -> st.SearchStrategy[Any]:
    """Documents of a schema, nested not too deeply."""
    match schema:
        case ObjectSchema():
            if depth == 0:
                return st.just({})
            fields = {
                name: st.deferred(lambda known=known: documents(known.schema, depth - 1))
                for name, known in schema.properties.items()
            }
            return (
                st.sets(st.sampled_from(sorted(fields)), max_size=6).flatmap(
                    lambda names: st.fixed_dictionaries({name: fields[name] for name in sorted(names)})
                )
                if fields
                else st.just({})
            )
        case ListSchema():
            return st.lists(documents(schema.item, depth), max_size=2)
        case MapSchema():
            return st.dictionaries(st.sampled_from(["a", "b.c/d", "é"]), documents(schema.value, depth), max_size=2)
        case ScalarSchema():
            return scalars(schema)
        case _:
            return st.sampled_from([{}, {"x": None}, {"y": [1, "z"]}])


def scalars(schema: ScalarSchema) -> st.SearchStrategy[Any]:
    if schema.is_quantity:
        return st.sampled_from(["1", "0.5", "1.5Gi", "1000m", 2, 0.25, "12e6"])
    if schema.is_int_or_string:
        return st.sampled_from([80, "http", "25%"])
    if schema.is_time:
        return st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01T01:00:00.5+01:00"])
    if schema.format == "byte":
        return st.sampled_from(["", "YQ==", "AAEC"])
    match schema.type:
        case "string":
            return st.sampled_from(["", "a", 'é "quoted" \\ \n'])
        case "integer":
            return st.integers(-(2**31), 2**31 - 1)
        case "number":
            return st.sampled_from([0.5, 2.0])
        case "boolean":
            return st.booleans()
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("declared", TYPES, ids=lambda each: f"{each.__module__.split('.')[2]}.{each.__name__}")
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_generated_document_survives(declared: type[Object], data: st.DataObject) -> None:
    schema = schema_of(declared)
    document = data.draw(documents(schema))
    for name in ("apiVersion", "kind"):
        document.pop(name, None)
    raw = msgspec.json.encode(document)
    assert field_validation(document, schema, FieldValidation.STRICT, raw) == []
    apply_defaults(document, schema)
    once = copy.deepcopy(document)
    apply_defaults(document, schema)
    assert document == once

    typed = to_typed(document, declared)
    body = encode(typed)
    assert msgspec.json.decode(body, type=declared) == typed
    assert encode(to_typed(to_document(typed), declared)) == body
    assert body.startswith(b'{"metadata":')

    errors, found_in_typed = ErrorList(), ErrorList()
    validate_facts(document, schema, errors)
    validate_facts(document, schema, found_in_typed, typed)
    assert errors == found_in_typed
    validate_lists(document, schema, errors)
    assert all(each.message for each in errors)


@pytest.mark.parametrize("declared", TYPES, ids=lambda each: f"{each.__module__.split('.')[2]}.{each.__name__}")
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_null_anywhere_is_an_absent_field(declared: type[Object], data: st.DataObject) -> None:
    schema = schema_of(declared)
    names = data.draw(st.sets(st.sampled_from(sorted(schema.properties)), min_size=1))
    document = dict.fromkeys(names)
    assert field_validation(document, schema, FieldValidation.STRICT, msgspec.json.encode(document)) == []
    to_typed(document, declared)
    normalise(document, schema)
    assert document == {}


def test_resources_are_declared_in_the_package_of_their_group_version() -> None:
    for each in resources():
        module = importlib.import_module(".".join(each.type.__module__.split(".")[:3]))
        assert getattr(module, each.kind) is each.type
        assert schema_of(each.type).gvk == (each.group, each.version, each.kind)


def test_quantities_of_generated_documents_are_canonical() -> None:
    assert [canonical(each) for each in ("1", "0.5", "1.5Gi", 2, 0.25)] == ["1", "500m", "1536Mi", "2", "250m"]
