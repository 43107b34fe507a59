"""What becomes of documents under a schema: shaped, defaulted, validated."""

from __future__ import annotations

from typing import Any

import pytest

from proa.machinery.decode import FieldValidation
from proa.machinery.fields import ErrorList
from proa.machinery.status import StatusError
from proa.machinery.structural.form import StructuralForm

GVK = ("example.com", "v1", "Thing")


def form(spec: dict[str, Any], **more: Any) -> StructuralForm:
    return StructuralForm(lambda: {"type": "object", "properties": {"spec": spec, **more}}, GVK)


def object_of(**properties: Any) -> dict[str, Any]:
    required = [name for name, each in properties.items() if each.pop("must", False)]
    return {"type": "object", "properties": properties, "required": required}


def thing(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


def errors_of(schema: dict[str, Any], old: Any = None, **spec: Any) -> list[str]:
    errors = ErrorList()
    before = thing(**old) if old is not None else None
    made, document = form(schema), thing(**spec)
    made.validate(document, made.typed(document), errors, before)
    return [str(each) for each in errors]


def shaped(schema: dict[str, Any], **spec: Any) -> tuple[dict[str, Any], list[str]]:
    document = thing(**spec)
    made = form(schema)
    warnings = made.shape(document, FieldValidation.WARN)
    made.default(document)
    return document["spec"], warnings


ONE = {"type": "object", "properties": {"text": {"type": "string"}}}

WRONG: list[tuple[str, dict[str, Any], Any, list[str]]] = [
    (
        "a value of another type",
        {"type": "integer"},
        "three",
        ['spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'],
    ),
    (
        "a null where none may be",
        {"type": "string"},
        None,
        ['spec.x: Invalid value: "null": spec.x in body must be of type string: "null"'],
    ),
    ("too long a text", {"type": "string", "maxLength": 2}, "abc", ["spec.x: Too long: may not be more than 2 bytes"]),
    (
        "too short a text",
        {"type": "string", "minLength": 2},
        "a",
        ['spec.x: Invalid value: "a": spec.x in body should be at least 2 chars long'],
    ),
    (
        "a text that does not match",
        {"type": "string", "pattern": "^a+$"},
        "b",
        ["spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"],
    ),
    (
        "a text outside an enumeration",
        {"type": "string", "enum": ["a", "b"]},
        "c",
        ['spec.x: Unsupported value: "c": supported values: "a", "b"'],
    ),
    (
        "too small a number",
        {"type": "integer", "minimum": 3},
        2,
        ["spec.x: Invalid value: 2: spec.x in body should be greater than or equal to 3"],
    ),
    (
        "too large a number",
        {"type": "number", "maximum": 1.5, "exclusiveMaximum": True},
        1.5,
        ["spec.x: Invalid value: 1.5: spec.x in body should be less than 1.5"],
    ),
    (
        "no multiple",
        {"type": "integer", "multipleOf": 5},
        7,
        ["spec.x: Invalid value: 7: spec.x in body should be a multiple of 5"],
    ),
    (
        "too many items",
        {"type": "array", "maxItems": 1, "items": {"type": "integer"}},
        [1, 2],
        ["spec.x: Too many: 2: must have at most 1 item"],
    ),
    (
        "too few items",
        {"type": "array", "minItems": 3, "items": {"type": "integer"}},
        [1, 2],
        ["spec.x: Invalid value: 2: spec.x in body should have at least 3 items"],
    ),
    (
        "an item of another type",
        {"type": "array", "items": {"type": "integer"}},
        [1, "a"],
        ['spec.x[1]: Invalid value: "string": spec.x[1] in body must be of type integer: "string"'],
    ),
    (
        "a value of a map",
        {"type": "object", "additionalProperties": {"type": "boolean"}},
        {"a": 1},
        ['spec.x.a: Invalid value: "integer": spec.x.a in body must be of type boolean: "integer"'],
    ),
    (
        "a format",
        {"type": "string", "format": "ipv4"},
        "1.2.3",
        ['spec.x: Invalid value: "1.2.3": spec.x in body must be of type ipv4: "1.2.3"'],
    ),
    (
        "alternatives of which none fits",
        {"type": "integer", "oneOf": [{"minimum": 10}, {"maximum": 1}]},
        5,
        [
            '<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid',
            "spec.x: Invalid value: 5: spec.x in body should be greater than or equal to 10",
        ],
    ),
    (
        "what must not fit",
        {"type": "integer", "not": {"minimum": 3}},
        5,
        ['<nil>: Invalid value: "": "spec.x" must not validate the schema (not)'],
    ),
    (
        "neither a number nor a text",
        {"x-kubernetes-int-or-string": True},
        True,
        ['spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"'],
    ),
    (
        "a number beyond its format",
        {"type": "integer", "format": "int32"},
        1 << 31,
        ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.x'],
    ),
    (
        "the same item twice in a set",
        {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        ["a", "b", "a"],
        ['spec.x[2]: Duplicate value: "a"'],
    ),
    (
        "the same key twice",
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
        [{"name": "a"}, {"name": "a"}],
        ['spec.x[1]: Duplicate value: {"name":"a"}'],
    ),
]


@pytest.mark.parametrize(("schema", "value", "said"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_what_is_wrong_is_said_as_clients_know_it(schema: dict[str, Any], value: Any, said: list[str]) -> None:
    assert errors_of(object_of(x=schema), x=value) == said


def test_a_required_field_that_is_missing_is_named() -> None:
    assert errors_of(object_of(x={"type": "string", "must": True})) == ["spec.x: Required value"]


def test_unknown_fields_are_dropped_and_named() -> None:
    assert shaped(ONE, text="a", more=1) == ({"text": "a"}, ['unknown field "spec.more"'])


def test_unknown_fields_stay_where_they_are_preserved_until_properties_are_named_again() -> None:
    schema = {**object_of(inner=dict(ONE)), "x-kubernetes-preserve-unknown-fields": True}
    kept, warnings = shaped(schema, more=1, inner={"text": "a", "gone": 1})
    assert kept == {"more": 1, "inner": {"text": "a"}}
    assert warnings == ['unknown field "spec.inner.gone"']


def test_strict_validation_refuses_duplicates_and_then_unknown_fields() -> None:
    raw = b'{"spec":{"text":"a","text":"b","more":1}}'
    with pytest.raises(StatusError) as refused:
        form(ONE).shape(thing(text="b", more=1), FieldValidation.STRICT, raw)
    assert 'strict decoding error: duplicate field "spec.text", unknown field "spec.more"' in str(refused.value)


def test_unknown_fields_of_the_metadata_are_dropped_and_named() -> None:
    document = {**thing(text="a"), "metadata": {"name": "a", "unknownMeta": "x"}}
    assert form(ONE).shape(document, FieldValidation.WARN) == ['unknown field "metadata.unknownMeta"']
    assert document["metadata"] == {"name": "a"}


def test_metadata_of_a_wrong_type_cannot_be_handled() -> None:
    with pytest.raises(StatusError, match=r"metadata\.labels"):
        form(ONE).shape({**thing(), "metadata": {"labels": {"a": 1}}}, FieldValidation.WARN)


def test_defaults_are_filled_in_where_the_parent_is_there() -> None:
    schema = object_of(
        size={"type": "integer", "default": 3},
        inner=object_of(kind={"type": "string", "default": "x"}),
        list={"type": "array", "items": object_of(on={"type": "boolean", "default": True})},
    )
    assert shaped(schema, list=[{}])[0] == {"size": 3, "list": [{"on": True}]}
    assert shaped(schema, inner={})[0] == {"size": 3, "inner": {"kind": "x"}}


def test_a_null_takes_the_default_or_goes_or_stays_where_it_may() -> None:
    schema = object_of(
        defaulted={"type": "string", "default": "x"},
        dropped={"type": "string"},
        nullable={"type": "string", "nullable": True, "default": "y"},
    )
    assert shaped(schema, defaulted=None, dropped=None, nullable=None)[0] == {"defaulted": "x", "nullable": None}


def test_an_object_that_came_from_a_default_is_its_own() -> None:
    schema = object_of(inner={**object_of(), "default": {"a": []}, "x-kubernetes-preserve-unknown-fields": True})
    first, _ = shaped(schema)
    first["inner"]["a"].append(1)
    assert shaped(schema)[0] == {"inner": {"a": []}}


def test_what_was_wrong_before_and_did_not_change_is_let_pass() -> None:
    schema = object_of(x={"type": "string", "maxLength": 2}, y={"type": "string"})
    assert errors_of(schema, {"x": "long", "y": "a"}, x="long", y="b") == []
    assert errors_of(schema, {"x": "other"}, x="long") == ["spec.x: Too long: may not be more than 2 bytes"]


def test_an_embedded_object_says_what_it_is_and_has_checked_metadata() -> None:
    schema = object_of(
        x={"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    )
    kept, warnings = shaped(schema, x={"apiVersion": "v1", "kind": "Pod", "metadata": {"no": 1}, "any": 2})
    assert (kept["x"]["metadata"], kept["x"]["any"]) == ({}, 2)
    assert warnings == ['unknown field "spec.x.metadata.no"']
    assert errors_of(schema, x={"kind": ""}) == [
        "spec.x.apiVersion: Required value",
        'spec.x.kind: Invalid value: "": must not be empty',
    ]


def test_restrictions_of_the_name_count() -> None:
    made = form(ONE, metadata={"type": "object", "properties": {"name": {"type": "string", "maxLength": 2}}})
    errors = ErrorList()
    document = {**thing(), "metadata": {"name": "long"}}
    made.validate(document, made.typed(document), errors)
    assert [str(each) for each in errors] == ["metadata.name: Too long: may not be more than 2 bytes"]


def test_without_a_schema_everything_stays() -> None:
    made = StructuralForm(lambda: None, GVK)
    document = thing(anything=[{"a": None}])
    assert made.shape(document, FieldValidation.STRICT) == []
    assert document["spec"] == {"anything": [{"a": None}]}
