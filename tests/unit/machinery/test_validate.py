"""Declared facts are enforced, with upstream's words."""

from typing import Any

from proa.api.core_v1 import Pod
from proa.machinery.declare import Field
from proa.machinery.decode import to_typed
from proa.machinery.fields import ErrorList
from proa.machinery.schema import INTEGER, STRING, ListSchema, MapSchema, ObjectSchema, Property, schema_of
from proa.machinery.validate import validate_facts, validate_facts_update, validate_lists


def errors_of(document: dict[str, Any], schema: ObjectSchema = schema_of(Pod)) -> list[str]:
    errors = ErrorList()
    validate_facts(document, schema, errors)
    if schema.type is not None:
        again = ErrorList()
        validate_facts(document, schema, again, to_typed(document, schema.type))
        assert again == errors
    return list(map(str, errors))


def port(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"ports": [fields]}]}}


def test_a_document_in_order_has_no_errors() -> None:
    assert errors_of(port(containerPort=80, protocol="TCP") | {"metadata": {"labels": {"a": "b"}}}) == []


def test_a_value_outside_a_closed_set_is_unsupported() -> None:
    assert errors_of({"spec": {"restartPolicy": "Sometimes"}}) == [
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'
    ]


def test_a_value_out_of_bounds_is_invalid() -> None:
    assert errors_of(port(containerPort=70000)) == [
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"
    ]
    assert errors_of({"spec": {"securityContext": {"runAsUser": -1}}}) == [
        "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"
    ]
    assert errors_of({"spec": {"containers": [{"name": "a", "livenessProbe": {"periodSeconds": -1}}]}}) == [
        "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0"
    ]


def test_zero_of_what_is_no_pointer_is_absent_unless_required() -> None:
    assert errors_of(port(containerPort=80, hostPort=0)) == []
    assert errors_of(port(containerPort=0)) == [
        "spec.containers[0].ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, inclusive"
    ]
    assert errors_of(port()) == ["spec.containers[0].ports[0].containerPort: Required value"]


def test_everything_wrong_is_listed() -> None:
    document = {"spec": {"restartPolicy": "x", "dnsPolicy": "y", "activeDeadlineSeconds": 0}}
    assert len(errors_of(document)) == 3


KIND = ObjectSchema("Kind", {"k": Property("k", STRING, Field(enum=("a",)))})
HAND = ObjectSchema(
    "Hand",
    {
        "most": Property("most", INTEGER, Field(maximum=3), nullable=True),
        "kinds": Property("kinds", MapSchema(ListSchema(KIND))),
        "fixed": Property("fixed", STRING, Field(immutable=True)),
        "items": Property(
            "items",
            ListSchema(
                ObjectSchema(
                    "I",
                    {
                        "name": Property("name", STRING),
                        "protocol": Property("protocol", STRING, Field(default="TCP")),
                        "once": Property("once", STRING, Field(immutable=True)),
                    },
                ),
                "map",
                ("name", "protocol"),
            ),
        ),
        "set": Property("set", ListSchema(STRING, "set")),
    },
)  # fmt: skip


def test_a_schema_made_by_hand_is_enforced_the_same_way() -> None:
    assert errors_of({"most": 3, "kinds": {"x": [{"k": "a"}]}}, HAND) == []
    assert errors_of({"most": 4, "kinds": {"x": [{"k": "b"}]}}, HAND) == [
        "most: Invalid value: 4: must be less than or equal to 3",
        'kinds[x][0].k: Unsupported value: "b": supported values: "a"',
    ]


def test_duplicates_in_sets_and_maps_are_found() -> None:
    errors = ErrorList()
    items = [{"name": "a"}, {"name": "a", "protocol": "UDP"}, {"name": "a", "protocol": "TCP"}]
    validate_lists({"items": items, "set": ["x", "y", "x"]}, HAND, errors)
    assert list(map(str, errors)) == [
        'items[2]: Duplicate value: {"name":"a","protocol":"TCP"}',
        'set[2]: Duplicate value: "x"',
    ]


def test_an_immutable_field_may_be_set_once() -> None:
    def changed(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
        errors = ErrorList()
        validate_facts_update(new, old, HAND, errors)
        return list(map(str, errors))

    assert changed({"fixed": "a"}, {}) == []
    assert changed({"fixed": "a"}, {"fixed": "a"}) == []
    assert changed({"fixed": "b"}, {"fixed": "a"}) == ['fixed: Invalid value: "b": field is immutable']
    assert changed({}, {"fixed": "a"}) == ["fixed: Invalid value: null: field is immutable"]
    moved = {"items": [{"name": "b", "once": "2"}, {"name": "a", "once": "3"}]}
    assert changed(moved, {"items": [{"name": "a", "once": "1"}, {"name": "b", "once": "2"}]}) == [
        'items[1].once: Invalid value: "3": field is immutable'
    ]
