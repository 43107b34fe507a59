"""From bytes to documents of the declared shape."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.api.core_v1 import ConfigMap, Pod, Secret
from proa.machinery.conform import duplicate_fields, normalise, prune, unknown_fields
from proa.machinery.decode import (
    DEPTH_LIMIT,
    FieldValidation,
    decode_json,
    decode_value,
    encode,
    field_validation,
    to_document,
    to_typed,
)
from proa.machinery.schema import ANY, STRING, MapSchema, ObjectSchema, Property, schema_of
from proa.machinery.status import StatusError

POD = schema_of(Pod)


def checked(document: dict[str, Any], mode: str = "Strict", schema: ObjectSchema = POD) -> list[str]:
    raw = json.dumps(document).encode()
    return field_validation(document, schema, FieldValidation(mode), raw)


def refusal(body: bytes, mode: str = "Strict", schema: ObjectSchema = POD) -> StatusError:
    with pytest.raises(StatusError) as caught:
        field_validation(decode_json(body), schema, FieldValidation(mode), body)
    return caught.value


def test_a_value_may_be_nested_as_deeply_as_the_limit_and_no_deeper() -> None:
    deepest = b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT
    assert msgspec.json.encode(decode_value(deepest)) == deepest
    with pytest.raises(ValueError, match="exceeded max depth"):
        decode_value(b"[" + deepest + b"]")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'"a"', b"nul", b"{} {}", b'{"a":\xff}', b"[" * 100_000,
             b'{"a":' * 300 + b"1" + b"}" * 300]
)  # fmt: skip
def test_what_is_no_object_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        decode_json(body)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    assert "json parse error" in caught.value.message


def test_a_large_flat_object_is_not_taken_for_a_deep_one() -> None:
    assert len(decode_json(json.dumps({"a": [{}] * 1000}).encode())["a"]) == 1000


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(StatusError) as caught:
        decode_json(b"{}" + b" " * 10, limit=5)
    assert caught.value.code == 413


def test_a_document_in_order_stays_as_it_is() -> None:
    document = {"kind": "Pod", "spec": {"containers": [{"name": "a"}]}}
    assert checked(document) == []
    assert document == {"kind": "Pod", "spec": {"containers": [{"name": "a"}]}}


def test_nulls_are_absent_fields_and_zero_elements() -> None:
    document: dict[str, Any] = {
        "metadata": {"creationTimestamp": None, "labels": {"a": None}, "finalizers": [None]},
        "spec": {"containers": None, "hostNetwork": None, "volumes": [None]},
        "status": None,
    }
    assert checked(document) == []
    assert document == {"metadata": {"labels": {"a": ""}, "finalizers": [""]}, "spec": {"volumes": [{}]}}


def test_nulls_inside_anything_stay() -> None:
    entry = {"manager": "a", "fieldsV1": {"f:a": None}}
    document: dict[str, Any] = {"metadata": {"managedFields": [entry], "labels": None}}
    assert checked(document) == []
    assert document == {"metadata": {"managedFields": [entry]}}


def test_base64_may_be_broken_over_lines() -> None:
    document = {"data": {"a": "YWFh\nYWFh\n"}}
    assert checked(document, schema=schema_of(Secret)) == []
    assert document == {"data": {"a": "YWFhYWFh"}}


UNKNOWN = b'{"kind":"Pod","apiVersion":"v1","spec":{"foo":1,"containers":[{"name":"a","bar":{}}]}}'


def test_strict_refuses_unknown_fields_by_their_paths() -> None:
    error = refusal(UNKNOWN)
    assert error.code == 400
    assert error.message == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '
        'unknown field "spec.foo", unknown field "spec.containers[0].bar"'
    )


def test_warn_drops_unknown_fields_and_says_so() -> None:
    document = decode_json(UNKNOWN)
    found = field_validation(document, POD, FieldValidation.WARN, UNKNOWN)
    assert found == ['unknown field "spec.foo"', 'unknown field "spec.containers[0].bar"']
    assert document["spec"] == {"containers": [{"name": "a"}]}


def test_ignore_drops_unknown_fields_silently() -> None:
    document = decode_json(UNKNOWN)
    assert field_validation(document, POD, FieldValidation.IGNORE, UNKNOWN) == []
    assert document["spec"] == {"containers": [{"name": "a"}]}


def test_duplicates_are_found_although_decoding_loses_them() -> None:
    body = b'{"kind":"Pod","apiVersion":"v1","spec":{"hostname":"a","hostname":"b"},"metadata":{"name":"a"}}'
    assert refusal(body).message.endswith('strict decoding error: duplicate field "spec.hostname"')
    assert field_validation(decode_json(body), POD, FieldValidation.WARN, body) == ['duplicate field "spec.hostname"']
    assert field_validation(decode_json(body), POD, FieldValidation.IGNORE, body) == []


@given(
    pairs=st.lists(st.tuples(st.text('ab"é', max_size=2), st.text('"\\ é', max_size=2)), max_size=4),
    plain=st.booleans(),
    behind=st.sampled_from(["", "\n", " \r\n\t"]),
)
def test_a_duplicate_is_found_however_the_body_is_written(
    pairs: list[tuple[str, str]], plain: bool, behind: str
) -> None:
    written = ",".join(json.dumps(key, ensure_ascii=plain) + ":" + json.dumps(value) for key, value in pairs)
    body = ('{"metadata":{"annotations":{' + written + "}}}" + behind).encode()
    warned = field_validation(decode_json(body), POD, FieldValidation.WARN, body)
    assert bool(warned) == (len(dict(pairs)) < len(pairs))


def test_an_escaped_quote_cannot_hide_a_duplicate() -> None:
    body = b'{"metadata":{"name":"a","name":"b","labels":{"x":"\\u0022\\u0022"}}}'
    assert refusal(body).message.endswith('duplicate field "metadata.name"')


def test_quotes_in_values_are_no_suspicion() -> None:
    document = {"metadata": {"annotations": {"last": '{"a":"b\\"c"}'}}}
    assert checked(document) == []
    assert duplicate_fields(json.dumps(document).encode()) == []


def test_duplicates_inside_lists_have_an_index() -> None:
    assert duplicate_fields(b'{"a":[{},{"b":1,"b":2,"b":3}]}') == ["a[1].b"]


@pytest.mark.parametrize(
    ("document", "field", "text"),
    [
        ({"spec": "x"}, "spec", "cannot unmarshal string into Go struct field Pod.spec of type PodSpec"),
        (
            {"spec": {"priority": "1"}},
            "spec.priority",
            "json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32",
        ),
        ({"spec": {"priority": 1.5}}, "spec.priority", "cannot unmarshal number 1.5 into"),
        ({"spec": {"priority": 2**40}}, "spec.priority", "of type int32"),
        ({"spec": {"priority": True}}, "spec.priority", "cannot unmarshal bool into"),
        ({"spec": {"hostNetwork": 1}}, "spec.hostNetwork", "of type bool"),
        ({"spec": {"containers": {}}}, "spec.containers", "of type []Container"),
        ({"spec": {"nodeSelector": []}}, "spec.nodeSelector", "of type map[string]string"),
        ({"metadata": {"labels": {"a": 1}}}, "metadata.labels.a", "cannot unmarshal number 1 into"),
        (
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "x"}}}]}, "unknown": 1},
            "spec.containers[0].resources.limits.cpu",
            "quantities must match the regular expression",
        ),
        ({"metadata": {"creationTimestamp": "now"}, "unknown": 1}, "metadata.creationTimestamp", "parsing time"),
        (
            {"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": 1.5}}}]}},
            "spec.containers[0].livenessProbe.httpGet.port",
            "of type intstr.IntOrString",
        ),
    ],
)
def test_a_wrong_type_is_named_as_go_names_it(document: dict[str, Any], field: str, text: str) -> None:
    error = refusal(json.dumps(document | {"kind": "Pod", "apiVersion": "v1"}).encode(), "Ignore")
    assert error.code == 400
    assert error.message.startswith('Pod in version "v1" cannot be handled as a Pod: ')
    assert text in error.message
    assert error.status.details is not None
    assert [each.field for each in error.status.details.causes] == [field]


def test_every_wrong_field_is_named() -> None:
    error = refusal(b'{"spec":{"priority":"1","hostNetwork":"no"},"metadata":[]}')
    assert error.status.details is not None
    assert {each.field for each in error.status.details.causes} == {"spec.priority", "spec.hostNetwork", "metadata"}


def test_base64_that_is_none_is_named() -> None:
    error = refusal(b'{"data":{"a":"?"}}', schema=schema_of(Secret))
    assert "illegal base64 data" in error.message


def test_a_typed_object_is_the_frozen_view() -> None:
    pod = to_typed({"spec": {"containers": [{"name": "a"}], "priority": None}}, Pod)
    assert pod.spec.containers[0].name == "a"
    with pytest.raises(AttributeError):
        pod.spec = pod.spec  # type: ignore[misc]


def test_the_typed_view_refuses_what_admission_should_not_have_written() -> None:
    with pytest.raises(StatusError, match=r'unknown field "spec\.foo"'):
        to_typed({"spec": {"foo": 1}}, Pod)
    assert to_typed({"metadata": {"labels": None}}, Pod).metadata.labels == {}


def test_an_object_is_encoded_metadata_first_and_without_empty_fields() -> None:
    config = to_typed({"data": {"b": "1", "a": "2"}, "metadata": {"name": "x"}}, ConfigMap)
    assert encode(config) == (
        b'{"metadata":{"name":"x"},"apiVersion":"v1","kind":"ConfigMap","data":{"b":"1","a":"2"}}'
    )
    assert to_document(config)["data"] == {"b": "1", "a": "2"}


def test_pruning_keeps_what_a_schema_preserves() -> None:
    schema = ObjectSchema(
        "Widget",
        {
            "open": Property("open", ObjectSchema("Open", {}, preserve_unknown=True)),
            "any": Property("any", ANY),
            "map": Property("map", MapSchema(ObjectSchema("Closed", {"a": Property("a", STRING)}))),
        },
    )
    document = {"open": {"x": None}, "any": {"y": None}, "map": {"k": {"a": "1", "b": 2}}, "z": 1}
    assert sorted(map(str, unknown_fields(document, schema))) == ["map.k.b", "z"]
    assert prune(document, schema) == ["map.k.b", "z"]
    normalise(document, schema)
    assert document == {"open": {"x": None}, "any": {"y": None}, "map": {"k": {"a": "1"}}}
    assert field_validation(document, schema, FieldValidation.STRICT) == []


def test_an_unknown_mode_is_refused() -> None:
    assert FieldValidation.of("") is FieldValidation.WARN
    with pytest.raises(StatusError, match="supported values"):
        FieldValidation.of("strict")
