"""What a definition of a custom resource may say."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from proa.api.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionCondition
from proa.api.apiextensions_v1.strategies import CustomResourceDefinitionStrategy
from proa.machinery.fields import ErrorList
from proa.machinery.status import StatusError
from proa.pki.certificates import create_authority

STRATEGY = CustomResourceDefinitionStrategy()
OBJECT: dict[str, Any] = {"type": "object"}


def crd(schema: dict[str, Any] | None = None, *, annotations: Any = None, **spec: Any) -> CustomResourceDefinition:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema or OBJECT}}
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    said = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version], **spec}
    name = f"{said['names']['plural']}.{said['group']}"
    document = {
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": said,
        "status": {"storedVersions": ["v1"]},
    }
    return msgspec.convert(document, CustomResourceDefinition)


def errors_of(new: CustomResourceDefinition, old: CustomResourceDefinition | None = None) -> list[str]:
    errors = ErrorList()
    STRATEGY.validate(new, errors)
    if old is None:
        STRATEGY.validate_create(new, errors)
    else:
        STRATEGY.validate_update(new, old, errors)
    return [str(each).replace("spec.validation.openAPIV3Schema", "SCHEMA") for each in errors]


def with_spec(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def test_a_sound_definition_is_accepted() -> None:
    assert errors_of(crd(with_spec(a={"type": "string", "default": "x"}))) == []


WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "a field without a type",
        with_spec(a={}),
        ["SCHEMA.properties[spec].properties[a].type: Required value: must not be empty for specified object fields"],
    ),
    (
        "a type inside of a junctor",
        with_spec(a={"type": "string", "anyOf": [{"type": "string"}]}),
        ["SCHEMA.properties[spec].properties[a].anyOf[0].type: Forbidden: must be empty to be structural"],
    ),
    (
        "a field that only a junctor knows",
        {"type": "object", "anyOf": [{"properties": {"spec": {"minProperties": 1}}}]},
        ["SCHEMA.properties[spec]: Required value: because it is defined in SCHEMA.anyOf[0].properties[spec]"],
    ),
    (
        "a list without items",
        with_spec(a={"type": "array"}),
        ["SCHEMA.properties[spec].properties[a].items: Required value: must be specified"],
    ),
    (
        "unique items",
        with_spec(a={"type": "array", "uniqueItems": True, "items": {"type": "string"}}),
        [
            "SCHEMA.properties[spec].properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the "
            "runtime complexity becomes quadratic"
        ],
    ),
    (
        "properties and additional ones",
        with_spec(a={"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": OBJECT}),
        [
            "SCHEMA.properties[spec].properties[a].additionalProperties: Forbidden: additionalProperties and "
            "properties are mutual exclusive"
        ],
    ),
    (
        "a default of another type",
        with_spec(a={"type": "integer", "default": "x"}),
        [
            'SCHEMA.properties[spec].properties[a].default: Invalid value: "string": '
            ' in body must be of type integer: "string"'
        ],
    ),
    (
        "a default with unknown fields",
        with_spec(a={"type": "object", "default": {"b": 1}}),
        ['SCHEMA.properties[spec].properties[a].default: Invalid value: {"b":1}: must not have unknown fields'],
    ),
    (
        "a map list whose key may be missing",
        with_spec(
            a={
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}}},
            }
        ),
        [
            "SCHEMA.properties[spec].properties[a].items.properties[k].default: Required value: this property is in "
            "x-kubernetes-list-map-keys, so it must have a default or be a required property"
        ],
    ),
    (
        "metadata that is more than a name",
        {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": OBJECT}}}},
        [
            "SCHEMA.properties[metadata]: Forbidden: must not specify anything other than name and generateName, "
            "but metadata is implicitly specified"
        ],
    ),
    (
        "a reference",
        {"type": "object", "$ref": "#/x"},
        ["SCHEMA.$ref: Forbidden: $ref is not supported"],
    ),
    (
        "a dialect",
        {**with_spec(a={"type": "string", "not": {"$schema": "x"}}), "$schema": "http://json-schema.org/schema#"},
        ["SCHEMA: Invalid value: \"\": OpenAPIV3Schema 'schema' is not supported"],
    ),
    (
        "a dialect besides something that says more",
        {"type": "object", "$schema": "http://json-schema.org/schema#", "$ref": "#/x"},
        ["SCHEMA.$ref: Forbidden: $ref is not supported"],
    ),
]


@pytest.mark.parametrize(("schema", "said"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, Any], said: list[str]) -> None:
    assert errors_of(crd(schema)) == said


def ruled(default: Any, rule: str, **fields: Any) -> dict[str, Any]:
    rules = [{"rule": rule, "message": "no", **fields}]
    return with_spec(a={"type": "integer", "default": default, "x-kubernetes-validations": rules})


A_DEFAULT = "SCHEMA.properties[spec].properties[a].default"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (ruled(1, "self > 0"), []),
        (ruled(0, "self > 0"), [f"{A_DEFAULT}: Invalid value: 0: no"]),
        (ruled(0, "self == oldSelf"), []),
        (ruled(0, "self > oldSelf"), [f"{A_DEFAULT}: Invalid value: 0: no"]),
        (ruled(0, "oldSelf.hasValue()", optionalOldSelf=True), [f"{A_DEFAULT}: Invalid value: 0: no"]),
        (
            with_spec(
                a={
                    "type": "object",
                    "default": {"b": 0},
                    "properties": {
                        "b": {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 0", "message": "no"}]}
                    },
                }
            ),
            [f"{A_DEFAULT}.b: Invalid value: 0: no"],
        ),
    ],
)
def test_a_default_keeps_the_rules_of_its_schema(schema: dict[str, Any], said: list[str]) -> None:
    assert errors_of(crd(schema)) == said


def test_a_malformed_pattern_is_refused() -> None:
    (said,) = errors_of(crd(with_spec(a={"type": "string", "pattern": "a("})))
    assert said.startswith(
        'SCHEMA.properties[spec].properties[a].pattern: Invalid value: "a(": must be a valid regular expression'
    )


def test_int_or_string_may_say_its_types() -> None:
    either = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert errors_of(crd(with_spec(a=either))) == []


def test_names_versions_and_scope_are_checked() -> None:
    version = {"name": "V1", "served": True, "storage": False, "schema": {"openAPIV3Schema": OBJECT}}
    said = errors_of(crd(group="nodot", scope="", versions=[version]))
    assert 'spec.group: Invalid value: "nodot": should be a domain with at least one dot' in said
    assert "spec.scope: Required value" in said
    assert any(each.startswith('spec.versions[0].name: Invalid value: "V1"') for each in said)
    assert any(each.endswith("must have exactly one version marked as storage version") for each in said)


def test_a_schema_is_required() -> None:
    version = {"name": "v1", "served": True, "storage": True}
    assert errors_of(crd(versions=[version])) == ["spec.versions[0].schema.openAPIV3Schema: Required value"]


def test_what_is_wrong_in_all_versions_alike_is_told_once_of_the_spec() -> None:
    def said(*more: dict[str, Any]) -> list[str]:
        columns = [{"name": "a", "type": "string", "jsonPath": "a"}]
        made = [
            {
                "name": f"v{number}",
                "served": True,
                "storage": not number,
                "schema": {"openAPIV3Schema": with_spec(a={})},
                "additionalPrinterColumns": columns,
            }
            | each
            for number, each in enumerate(more)
        ]
        new = crd(versions=made)
        new = msgspec.structs.replace(new, status=msgspec.structs.replace(new.status, storedVersions=("v0",)))
        return [each.partition(":")[0] for each in errors_of(new)]

    below, column = "properties[spec].properties[a].type", "additionalPrinterColumns[0].JSONPath"
    assert said({}) == said({}, {}) == [f"spec.{column}", f"SCHEMA.{below}"]
    other = {"schema": {"openAPIV3Schema": with_spec(a={}, b={"type": "string"})}}
    assert said({}, other) == [
        f"spec.{column}",
        f"spec.versions[0].schema.openAPIV3Schema.{below}",
        f"spec.versions[1].schema.openAPIV3Schema.{below}",
    ]
    assert said({}, {"additionalPrinterColumns": []}) == [f"spec.versions[0].{column}", f"SCHEMA.{below}"]


def test_protected_groups_need_an_approval() -> None:
    (said,) = errors_of(crd(group="things.k8s.io"))
    assert said.startswith("metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must")
    approved = {"api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/1"}
    assert errors_of(crd(group="things.k8s.io", annotations=approved)) == []


def test_the_group_and_what_objects_are_named_by_stay_as_they_are() -> None:
    old = crd()
    established = (CustomResourceDefinitionCondition(type="Established", status="True"),)
    old = msgspec.structs.replace(old, status=msgspec.structs.replace(old.status, conditions=established))
    assert errors_of(crd(scope="Cluster"), old) == ['spec.scope: Invalid value: "Cluster": field is immutable']


def test_a_former_storage_version_stays_while_objects_may_be_stored_in_it() -> None:
    new = crd(versions=[{"name": "v2", "served": True, "storage": True, "schema": {"openAPIV3Schema": OBJECT}}])
    new = msgspec.structs.replace(new, status=msgspec.structs.replace(new.status, storedVersions=("v1", "v2")))
    (said,) = errors_of(new)
    assert said.startswith('status.storedVersions[0]: Invalid value: "v1": missing from spec.versions')


def test_selectable_fields_are_scalars_of_the_schema() -> None:
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": with_spec(a={"type": "string"})},
        "selectableFields": [{"jsonPath": ".spec.a"}, {"jsonPath": ".spec.b"}, {"jsonPath": ".spec"}],
    }  # fmt: skip
    said = errors_of(crd(versions=[version]))
    assert [each.partition(":")[0] for each in said] == [
        "spec.selectableFields[1].jsonPath",
        "spec.selectableFields[2].jsonPath",
    ]


def test_scale_paths_are_where_they_belong() -> None:
    scale = {"specReplicasPath": ".replicas", "statusReplicasPath": ".status.replicas"}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": OBJECT},
        "subresources": {"scale": scale},
    }  # fmt: skip
    assert errors_of(crd(versions=[version])) == [
        'spec.subresources.scale.specReplicasPath: Invalid value: ".replicas": should be a json path under .spec'
    ]


def converted_by(bundle: bytes, *, established: bool = True) -> CustomResourceDefinition:
    config = {"url": "https://example.com/convert", "caBundle": base64.b64encode(bundle).decode()}
    webhook = {"clientConfig": config, "conversionReviewVersions": ["v1"]}
    made = crd(conversion={"strategy": "Webhook", "webhook": webhook})
    ready = CustomResourceDefinitionCondition(type="Established", status="True")
    conditions = (ready,) if established else ()
    return msgspec.structs.replace(made, status=msgspec.structs.replace(made.status, conditions=conditions))


def test_authorities_of_a_converter_may_be_filled_in_later_but_not_spoiled() -> None:
    good = create_authority("x", datetime.now(UTC)).certificate
    assert errors_of(converted_by(b"nonsense")) == []
    assert errors_of(converted_by(b"nonsense"), converted_by(b"nonsense")) == []
    assert errors_of(converted_by(b"nonsense"), converted_by(b"\n", established=False)) == []
    assert errors_of(converted_by(good), converted_by(b"\n")) == []
    assert errors_of(converted_by(b"\n"), converted_by(good)) == []
    [wrong] = errors_of(converted_by(b"nonsense"), converted_by(good))
    assert wrong.startswith("spec.conversion.webhookClientConfig.caBundle: Invalid value:")


def defaulted(schema: dict[str, Any]) -> dict[str, Any]:
    document = msgspec.json.decode(msgspec.json.encode(crd(schema)))
    STRATEGY.default(document)
    found: dict[str, Any] = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def test_schemas_of_items_are_brought_to_their_shape_too() -> None:
    below = {"type": "object", "properties": {"b": {"type": "string", "odd": 1}}, "odd": 2, "nullable": None}
    found = defaulted(with_spec(a={"type": "array", "items": below}))
    items = found["properties"]["spec"]["properties"]["a"]["items"]
    assert items == {"type": "object", "properties": {"b": {"type": "string"}}}


@pytest.mark.parametrize("items", [{"type": 5}, {"type": "object", "properties": []}, 7, {"pattern": {}}])
def test_what_can_be_no_schema_is_refused(items: Any) -> None:
    with pytest.raises(StatusError) as refused:
        defaulted(with_spec(a={"type": "array", "items": items}))
    assert refused.value.code == 400
