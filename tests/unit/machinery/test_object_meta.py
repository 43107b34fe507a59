"""Metadata obeys the rules every object obeys."""

from typing import Any

import pytest

from proa.machinery.fields import ErrorList, Path
from proa.machinery.meta import (
    Condition,
    LabelSelector,
    LabelSelectorRequirement,
    ManagedFieldsEntry,
    ObjectMeta,
    OwnerReference,
)
from proa.machinery.object_meta import (
    validate_conditions,
    validate_label_selector,
    validate_object_meta,
    validate_object_meta_update,
)

OWNER = OwnerReference(apiVersion="apps/v1", kind="ReplicaSet", name="r", uid="u", controller=True)


def created(**fields: Any) -> list[str]:
    errors = ErrorList()
    validate_object_meta(ObjectMeta(**({"name": "x", "namespace": "n"} | fields)), errors, namespaced=True)
    return [f"{each.field}: {each.message}" for each in errors]


def updated(new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    errors = ErrorList()
    base = {"name": "x", "namespace": "n", "uid": "u", "resourceVersion": "1"}
    validate_object_meta_update(ObjectMeta(**(base | new)), ObjectMeta(**(base | (old or {}))), errors)
    return [f"{each.field}: {each.message}" for each in errors]


def test_complete_metadata_is_fine() -> None:
    assert created(labels={"a.b/c": "d"}, annotations={"A/B": "anything"}, ownerReferences=(OWNER,)) == []


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
        ({"name": "A"}, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must'),
        ({"generateName": "A-"}, 'metadata.generateName: Invalid value: "A-": a lowercase'),
        ({"namespace": ""}, "metadata.namespace: Required value"),
        ({"namespace": "a.b"}, 'metadata.namespace: Invalid value: "a.b": must not contain dots'),
        ({"labels": {"a b": "c"}}, 'metadata.labels: Invalid value: "a b": name part must consist'),
        ({"labels": {"a": "-"}}, 'metadata.labels: Invalid value: "-": a valid label must'),
        ({"annotations": {"a b": ""}}, 'metadata.annotations: Invalid value: "a b"'),
        ({"annotations": {"a": "x" * 262144}}, "metadata.annotations: Too long: may not be more than 262144 bytes"),
        ({"annotations": {"a": "ä" * 131072}}, "metadata.annotations: Too long"),
        ({"generation": -1}, "metadata.generation: Invalid value: -1: must be greater than or equal to 0"),
        ({"finalizers": ("a b",)}, 'metadata.finalizers: Invalid value: "a b"'),
        (
            {"finalizers": ("orphan", "foregroundDeletion")},
            'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and',
        ),
        ({"ownerReferences": (OwnerReference(apiVersion="v1", kind="a", name="b"),)}, "metadata.ownerReferences.uid:"),
        (
            {"ownerReferences": (OWNER, OWNER)},
            "metadata.ownerReferences: Invalid value: ",
        ),
        (
            {"ownerReferences": (OwnerReference(apiVersion="v1", kind="Event", name="b", uid="u"),)},
            "metadata.ownerReferences: Invalid value: ",
        ),
        (
            {"managedFields": (ManagedFieldsEntry(manager="m", operation="Do"),)},
            'metadata.managedFields[0].operation: Invalid value: "Do": must be `Apply` or `Update`',
        ),
        (
            {"managedFields": (ManagedFieldsEntry(manager="m" * 129, operation="Apply"),)},
            "metadata.managedFields[0].manager: Too long: may not be more than 128 bytes",
        ),
        (
            {"managedFields": tuple(ManagedFieldsEntry(operation="Apply", manager=each) for each in ("m", "\n"))},
            'metadata.managedFields[1].manager: Invalid value: "\\n": invalid character U+000A (at position 0)',
        ),
        (
            {"managedFields": (ManagedFieldsEntry(operation="Update", fieldsType="FieldsV2"),)},
            'metadata.managedFields[0].fieldsType: Invalid value: "FieldsV2": must be `FieldsV1`',
        ),
        (
            {"managedFields": (ManagedFieldsEntry(operation="Update", subresource="s" * 257),)},
            "metadata.managedFields[0].subresource: Too long: may not be more than 256 bytes",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_on_create(fields: dict[str, Any], start: str) -> None:
    found = created(**fields)
    assert len(found) == 1
    assert found[0].startswith(start)


def test_what_is_wrong_with_a_manager_is_said_of_each_of_its_entries_and_each_time() -> None:
    entries = (ManagedFieldsEntry(manager="m", operation="Do"), ManagedFieldsEntry(manager="m", operation="Do"))
    fields = [each.partition(": ")[0] for each in created(managedFields=entries)]
    assert fields == ["metadata.managedFields[0].operation", "metadata.managedFields[1].operation"]
    assert created(managedFields=entries) == created(managedFields=entries)


def test_a_generated_name_s_prefix_may_end_in_a_dash() -> None:
    assert created(generateName="a-") == []


def test_a_cluster_object_has_no_namespace() -> None:
    errors = ErrorList()
    validate_object_meta(ObjectMeta(name="x", namespace="n"), errors, namespaced=False, name_rule="path")
    assert errors.message == "metadata.namespace: Forbidden: not allowed on this type"


def test_names_follow_the_resource_s_rule() -> None:
    errors = ErrorList()
    validate_object_meta(ObjectMeta(name="system:node"), errors, namespaced=False, name_rule="path")
    assert not errors
    validate_object_meta(ObjectMeta(name="1a", namespace="n"), errors, namespaced=True, name_rule="label1035")
    assert errors.message.startswith('metadata.name: Invalid value: "1a": a DNS-1035 label')


@pytest.mark.parametrize("field", ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"])
def test_what_the_system_set_may_not_change(field: str) -> None:
    assert updated({field: "other"}, {field: "first"}) == [
        f'metadata.{field}: Invalid value: "other": field is immutable'
    ]


def test_the_version_an_update_is_based_on_is_not_content() -> None:
    assert updated({"resourceVersion": ""}) == []


def test_a_generation_does_not_go_back() -> None:
    assert updated({"generation": 1}, {"generation": 2}) == [
        "metadata.generation: Invalid value: 1: must not be decremented"
    ]
    assert updated({"generation": 3}, {"generation": 2}) == []


def test_a_dying_object_gets_no_new_finalizers() -> None:
    dying = {"deletionTimestamp": "2024-01-01T00:00:00Z"}
    found = updated(dying | {"finalizers": ("a", "b")}, dying | {"finalizers": ("a",)})
    assert found == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers []string{"b"}'
    ]
    assert updated(dying, dying | {"finalizers": ("a",)}) == []


def test_a_label_selector_in_an_object_is_checked() -> None:
    errors = ErrorList()
    selector = LabelSelector(
        matchLabels={"a": "-"},
        matchExpressions=(
            LabelSelectorRequirement(key="a", operator="In"),
            LabelSelectorRequirement(key="a", operator="Exists", values=("b",)),
            LabelSelectorRequirement(key="", operator="Like", values=("-",)),
        ),
    )
    validate_label_selector(selector, errors, Path("spec", "selector"))
    assert [each.field for each in errors] == [
        "spec.selector.matchLabels",
        "spec.selector.matchExpressions[0].values",
        "spec.selector.matchExpressions[1].values",
        "spec.selector.matchExpressions[2].operator",
        "spec.selector.matchExpressions[2].key",
        "spec.selector.matchExpressions[2].key",
        "spec.selector.matchExpressions[2].values[0]",
    ]


def test_conditions_are_unique_and_complete() -> None:
    errors = ErrorList()
    good = Condition(type="A", status="True", reason="R", lastTransitionTime="2024-01-01T00:00:00Z")
    validate_conditions((good,), errors, Path("c"))
    assert not errors
    validate_conditions((good, good, Condition(type="B", status="Maybe")), errors, Path("c"))
    assert [each.field for each in errors] == ["c[1].type", "c[2].status", "c[2].lastTransitionTime", "c[2].reason"]
