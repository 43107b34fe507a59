"""Three-way patches: what `apply` sends."""

from __future__ import annotations

from typing import Any

import pytest

from proa.api.apps_v1.deployment import Deployment
from proa.kubectl import changing
from proa.machinery.patch.merge import merge
from proa.machinery.patch.strategic import strategic
from proa.machinery.schema import schema_of

SCHEMA = schema_of(Deployment)


def deployment(**container: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "a", **container}]}}}}


def container(patch: dict[str, Any]) -> list[Any]:
    found: list[Any] = patch["spec"]["template"]["spec"]["containers"]
    return found


def test_what_is_covered_by_the_server_s_defaults_needs_no_patch() -> None:
    current = deployment(imagePullPolicy="IfNotPresent", ports=[{"containerPort": 80, "protocol": "TCP"}])
    wanted = deployment(ports=[{"containerPort": 80}])
    assert changing.patch(wanted, wanted, current) == {}
    assert changing.patch(wanted, wanted, current, SCHEMA) == {}


def test_a_field_that_is_no_longer_applied_goes() -> None:
    assert changing.patch({"data": {"a": "1", "b": "2"}}, {"data": {"b": "2"}}, {"data": {"a": "1", "b": "2"}}) == {
        "data": {"a": None}
    }


def test_a_field_somebody_else_set_stays() -> None:
    assert changing.patch({"spec": {"a": 1}}, {"spec": {"a": 1}}, {"spec": {"a": 1, "replicas": 5}}) == {}


def test_a_field_somebody_else_changed_is_set_again() -> None:
    assert changing.patch({"a": 1}, {"a": 1}, {"a": 2}) == {"a": 1}


def test_a_boolean_is_not_a_number() -> None:
    assert changing.patch({}, {"a": True}, {"a": 1}) == {"a": True}


def test_one_element_of_a_keyed_list_changes_alone() -> None:
    last = deployment(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    wanted = deployment(image="b", env=[{"name": "B", "value": "3"}])
    current = deployment(env=[*({"name": n, "value": v} for n, v in (("A", "1"), ("B", "2"), ("X", "theirs")))])
    found = changing.patch(last, wanted, current, SCHEMA)
    (element,) = container(found)
    assert element["image"] == "b"
    assert element["env"] == [{"value": "3", "name": "B"}, {"$patch": "delete", "name": "A"}]
    after = container(strategic(current, found, SCHEMA))[0]
    assert {each["name"]: each["value"] for each in after["env"]} == {"B": "3", "X": "theirs"}


def test_a_container_somebody_else_added_stays() -> None:
    wanted = deployment(image="b")
    current = deployment()
    container(current).append({"name": "sidecar", "image": "s"})
    after = strategic(current, changing.patch(deployment(), wanted, current, SCHEMA), SCHEMA)
    assert [each["image"] for each in container(after)] == ["b", "s"]


def test_another_strategy_takes_the_old_one_s_settings_with_it() -> None:
    current = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}}
    wanted = {"spec": {"strategy": {"type": "Recreate"}}}
    after = strategic(current, changing.patch({}, wanted, current, SCHEMA), SCHEMA)
    assert after["spec"]["strategy"] == {"type": "Recreate"}


def test_lists_without_a_schema_are_replaced_whole() -> None:
    found = changing.patch({"l": [1, 2]}, {"l": [1]}, {"l": [1, 2]})
    assert found == {"l": [1]}
    assert merge({"l": [1, 2]}, found) == {"l": [1]}


def test_primitive_lists_lose_only_what_was_applied() -> None:
    def meta(*names: str) -> dict[str, Any]:
        return {"metadata": {"finalizers": list(names)}}

    found = changing.patch(meta("a.b/x", "a.b/y"), meta("a.b/x"), meta("a.b/x", "a.b/y", "their/s"), SCHEMA)
    assert strategic(meta("a.b/x", "a.b/y", "their/s"), found, SCHEMA) == meta("a.b/x", "their/s")


@pytest.mark.parametrize(
    ("current", "wanted", "covered"),
    [({"a": 1}, {}, True), ({"a": 1}, {"b": None}, True), ({}, {"a": {}}, True), ([1], [1, 2], False), (1, "1", False)],
)
def test_covering_is_saying_everything_that_is_wanted(current: Any, wanted: Any, covered: bool) -> None:
    assert changing.covers(current, wanted) is covered
