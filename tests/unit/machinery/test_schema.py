"""Schemas say what declarations say, and can be made by hand."""

from typing import Annotated, Any

import pytest

from proa.api.apps_v1 import Deployment
from proa.api.core_v1 import PersistentVolume, Pod, Secret
from proa.machinery.declare import Field, Object, always
from proa.machinery.meta import LabelSelector, ListMeta, ManagedFieldsEntry, Status
from proa.machinery.schema import (
    STRING,
    AnySchema,
    ListSchema,
    MapSchema,
    ObjectSchema,
    Property,
    ScalarSchema,
    at,
    definition_name,
    derived,
    reachable,
    schema_of,
)
from proa.machinery.version import Info


class Node(Object):
    """A type that contains itself."""

    name: Annotated[str, Field(1, required=True)] = always(str)
    children: "tuple[Node, ...]" = ()


def test_a_type_has_one_schema() -> None:
    assert schema_of(Pod) is schema_of(Pod)
    assert at(schema_of(Pod), "metadata") is at(schema_of(Deployment), "metadata")


def test_lists_carry_their_facts() -> None:
    containers = at(schema_of(Pod), "spec", "containers")
    assert isinstance(containers, ListSchema)
    assert (containers.type, containers.keys, containers.merge, containers.key) == (
        "map",
        ("name",),
        ("merge",),
        "name",
    )
    assert isinstance(containers.item, ObjectSchema)


def test_maps_and_scalars_are_told_apart() -> None:
    limits = at(schema_of(Pod), "spec", "containers", "resources", "limits")
    assert isinstance(limits, MapSchema)
    assert isinstance(limits.value, ScalarSchema)
    assert limits.value.is_quantity
    data = at(schema_of(Secret), "data")
    assert isinstance(data, MapSchema)
    assert isinstance(data.value, ScalarSchema)
    assert data.value.format == "byte"
    port = at(schema_of(Pod), "spec", "containers", "livenessProbe", "httpGet", "port")
    assert isinstance(port, ScalarSchema)
    assert port.is_int_or_string
    assert isinstance(at(schema_of(ManagedFieldsEntry), "fieldsV1"), AnySchema)


def test_presence_follows_go() -> None:
    spec = at(schema_of(Pod), "spec")
    assert isinstance(spec, ObjectSchema)
    assert spec.properties["priority"].nullable
    assert not spec.properties["hostNetwork"].nullable
    assert spec.properties["containers"].always
    assert not spec.properties["volumes"].always


def test_a_field_overrides_what_its_type_says_of_itself() -> None:
    spec = at(schema_of(PersistentVolume), "spec")
    assert isinstance(spec, ObjectSchema)
    assert spec.properties["claimRef"].map_type == "granular"
    assert schema_of(LabelSelector).map_type == "atomic"


def test_wire_names_that_are_python_words_are_the_wire_s() -> None:
    assert "continue" in schema_of(ListMeta).properties


def test_definitions_are_named_after_their_modules() -> None:
    assert definition_name(Pod) == "io.k8s.api.core.v1.Pod"
    assert definition_name(ListMeta) == "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
    assert definition_name(Info) == "io.k8s.apimachinery.pkg.version.Info"


def test_whole_objects_know_their_kind() -> None:
    assert schema_of(Deployment).gvk == ("apps", "v1", "Deployment")
    assert schema_of(Status).gvk == ("", "v1", "Status")
    assert schema_of(ListMeta).gvk is None


def test_a_type_may_contain_itself() -> None:
    schema = schema_of(Node)
    assert at(schema, "children", "children", "children", "name") is STRING
    assert len(list(reachable(schema))) == 3


def test_a_schema_made_by_hand_is_walked_like_any_other() -> None:
    schema = ObjectSchema(
        "Widget", {"size": Property("size", STRING)}, preserve_unknown=True, gvk=("example.com", "v1", "Widget")
    )
    assert at(schema, "size") is STRING
    assert schema.gvk == ("example.com", "v1", "Widget")
    with pytest.raises(KeyError):
        at(schema, "weight")


def test_what_is_compiled_from_a_schema_is_compiled_once() -> None:
    calls: list[Any] = []

    @derived
    def count(schema: ObjectSchema) -> int:
        calls.append(schema)
        return len(schema.properties)

    assert count(schema_of(Pod)) == count(schema_of(Pod)) == 5
    assert len(calls) == 1


def test_a_type_that_cannot_be_said_is_refused() -> None:
    class Odd(Object):
        value: set[str] = set()

    with pytest.raises(TypeError, match="a declaration cannot use"):
        _ = schema_of(Odd).properties
