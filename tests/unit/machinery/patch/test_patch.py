from typing import Any

import pytest

from proa.api.apps_v1 import Deployment
from proa.api.core_v1 import Pod, Service
from proa.machinery.patch import apply_json_patch, merge, strategic
from proa.machinery.schema import schema_of
from proa.machinery.status import StatusError

POD = schema_of(Pod)


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": spec}


def test_merge_patch_removes_nulls_merges_objects_and_replaces_the_rest() -> None:
    document = {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    assert merge(document, {"a": {"b": None, "d": 3}, "l": [9]}) == {"a": {"c": 2, "d": 3}, "l": [9]}
    assert document == {"a": {"b": 1, "c": 2}, "l": [1, 2]}


def test_json_patch_applies_operations_in_order() -> None:
    operations = [{"op": "add", "path": "/a/-", "value": 2}, {"op": "test", "path": "/a/1", "value": 2}]
    assert apply_json_patch({"a": [1]}, operations) == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "remove", "path": "/nothing"}], 422),
        ([{"op": "dance", "path": "/a"}], 422),
        ({"op": "add"}, 400),
    ],
)
def test_json_patch_says_whether_the_patch_or_the_object_is_at_fault(operations: Any, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        apply_json_patch({"a": 1}, operations)
    assert caught.value.code == code


def test_strategic_patch_merges_list_elements_by_their_merge_key() -> None:
    document = pod(containers=[{"name": "a", "image": "x", "tty": True}, {"name": "b", "image": "y"}])
    patched = strategic(document, pod(containers=[{"name": "a", "image": "z"}, {"name": "c", "image": "n"}]), POD)
    assert patched["spec"]["containers"] == [
        {"name": "a", "image": "z", "tty": True},
        {"name": "c", "image": "n"},
        {"name": "b", "image": "y"},
    ]


def test_a_new_element_goes_before_those_the_patch_does_not_name() -> None:
    document = pod(containers=[{"name": "a"}, {"name": "b"}])
    names = [each["name"] for each in strategic(document, pod(containers=[{"name": "n"}]), POD)["spec"]["containers"]]
    assert names == ["n", "a", "b"]
    patched = strategic(document, pod(containers=[{"name": "b"}, {"name": "n"}]), POD)
    assert [each["name"] for each in patched["spec"]["containers"]] == ["a", "b", "n"]


def test_strategic_patch_replaces_lists_without_a_merge_strategy() -> None:
    document = pod(containers=[{"name": "a", "args": ["1", "2"]}])
    patched = strategic(document, pod(containers=[{"name": "a", "args": ["3"]}]), POD)
    assert patched["spec"]["containers"][0]["args"] == ["3"]


def test_the_delete_directive_removes_one_element_and_replace_all_of_them() -> None:
    document = pod(containers=[{"name": "a"}, {"name": "b"}])
    delete = strategic(document, pod(containers=[{"name": "a", "$patch": "delete"}]), POD)
    assert delete["spec"]["containers"] == [{"name": "b"}]
    replace = strategic(document, pod(containers=[{"$patch": "replace"}, {"name": "c"}]), POD)
    assert replace["spec"]["containers"] == [{"name": "c"}]
    whole = strategic(
        {"spec": {"strategy": {"type": "A", "rollingUpdate": {}}}},
        {"spec": {"strategy": {"$patch": "replace", "type": "B"}}},
        schema_of(Deployment),
    )
    assert whole["spec"]["strategy"] == {"type": "B"}


def test_retain_keys_clears_what_a_union_no_longer_holds() -> None:
    document = pod(volumes=[{"name": "v", "emptyDir": {}}])
    patch = pod(volumes=[{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}])
    assert strategic(document, patch, POD)["spec"]["volumes"] == [{"name": "v", "hostPath": {"path": "/x"}}]


def test_primitive_lists_are_united_and_can_lose_values() -> None:
    document = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic(document, patch, POD)["metadata"]["finalizers"] == ["c", "b"]


def test_set_element_order_orders_the_named_and_leaves_the_others_where_they_were() -> None:
    document = {"spec": {"ports": [{"port": 1}, {"port": 2}, {"port": 3}]}}
    patch = {"spec": {"$setElementOrder/ports": [{"port": 3}, {"port": 1}], "ports": [{"port": 3, "name": "x"}]}}
    ports = strategic(document, patch, schema_of(Service))["spec"]["ports"]
    assert [each["port"] for each in ports] == [2, 3, 1]
    assert ports[1] == {"port": 3, "name": "x"}


def test_an_element_without_its_merge_key_and_an_unknown_directive_are_refused() -> None:
    with pytest.raises(StatusError, match="merge key: name"):
        strategic(pod(containers=[]), pod(containers=[{"image": "x"}]), POD)
    for unknown in ("dance", "merge"):
        with pytest.raises(StatusError, match=f"unknown patch type: {unknown}"):
            strategic({"spec": {}}, {"spec": {"$patch": unknown}}, POD)


def test_unknown_fields_merge_as_plain_json() -> None:
    assert strategic({"x": {"a": 1}}, {"x": {"b": [1]}}, POD) == {"x": {"a": 1, "b": [1]}}


def test_what_is_not_there_is_neither_merged_into_nor_replaced() -> None:
    for directive in ("replace", "delete", "merge"):
        assert strategic({}, {"spec": {"$patch": directive, "nodeName": "n"}}, POD) == {}
    added = {
        "spec": {"containers": [{"name": "a", "image": None}, {"name": "b", "$patch": "delete"}], "$retainKeys": []}
    }
    assert strategic({}, added, POD) == {"spec": {"containers": [{"name": "a"}]}}


def test_a_patch_keeps_the_order_it_asks_for() -> None:
    document = pod(containers=[{"name": "a"}, {"name": "b"}])
    order = [{"name": "b"}, {"name": "a"}]
    patch = pod(containers=[{"name": "a", "image": "x"}, {"name": "b", "image": "y"}])
    patch["spec"]["$setElementOrder/containers"] = order
    with pytest.raises(StatusError, match="The order in patch list"):
        strategic(document, patch, POD)
    patch["spec"]["containers"].reverse()
    assert [each["name"] for each in strategic(document, patch, POD)["spec"]["containers"]] == ["b", "a"]


def test_copies_of_a_json_patch_are_bounded() -> None:
    document = {"data": {"a": "x" * 1000}}
    doubling = [{"op": "copy", "from": "/data", "path": f"/data/c{number}"} for number in range(40)]
    with pytest.raises(StatusError, match="accumulated size increase") as caught:
        apply_json_patch(document, doubling)
    assert caught.value.code == 422
    assert apply_json_patch(document, doubling[:1])["data"]["c0"] == document["data"]
    assert document == {"data": {"a": "x" * 1000}}


def test_a_json_patch_may_not_nest_without_end() -> None:
    deeper = [{"op": "copy", "from": "", "path": "/a"}] * 20
    with pytest.raises(StatusError, match=r"too deeply|accumulated"):
        apply_json_patch({}, [*deeper, *({"op": "add", "path": "/a" * depth, "value": {}} for depth in range(1, 400))])


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"op": "test", "path": "/a", "value": 2}, 422),
        ({"op": "remove", "path": "/b"}, 422),
        ({"op": "replace", "path": "/b/c", "value": 1}, 422),
        ({"op": "copy", "from": "/b", "path": "/c"}, 422),
        ({"op": "dance", "path": "/a"}, 422),
        ({"op": "add"}, 422),
        (7, 400),
    ],
)
def test_what_a_json_patch_cannot_do_is_told_from_what_it_cannot_mean(operation: Any, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        apply_json_patch({"a": 1}, [operation])
    assert caught.value.code == code


def test_retain_keys_lists_names_and_nothing_else() -> None:
    with pytest.raises(StatusError, match="must list names of fields"):
        strategic({}, {"$retainKeys": [[]]}, schema_of(Pod))


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": "remove", "path": "/nope/x"}, 'remove operation does not apply at "/nope/x"'),
        ({"op": "replace", "path": "/data/x", "value": 1}, 'replace operation does not apply at "/data/x"'),
        ({"op": "add", "path": "/data/a/b", "value": 1}, 'add operation does not apply at "/data/a/b"'),
        ({"op": "move", "from": "/nope", "path": "/x"}, 'move operation does not apply from "/nope" at "/x"'),
        ({"op": "copy", "from": "/data", "path": "/a/b/c"}, 'copy operation does not apply from "/data" at "/a/b/c"'),
        ({"op": "test", "path": "/data/password", "value": "guess"}, 'testing value "/data/password" failed'),
    ],
)
def test_why_a_json_patch_does_not_apply_shows_nothing_of_the_object(operation: dict[str, Any], why: str) -> None:
    secret = {"data": {"password": "hunter2"}}
    first = {"op": "add", "path": "/kept", "value": "hunter2"}
    with pytest.raises(StatusError) as refused:
        apply_json_patch(secret, [first, operation])
    assert refused.value.code == 422
    assert refused.value.message == f"the server rejected our request due to an error in our request: {why}"
    assert secret == {"data": {"password": "hunter2"}}


def test_an_operation_that_nobody_knows_is_named() -> None:
    with pytest.raises(StatusError, match="Unexpected kind: dance"):
        apply_json_patch({"a": 1}, [{"op": "dance", "path": "/a"}])
    with pytest.raises(StatusError, match="Unexpected kind: unknown"):
        apply_json_patch({"a": 1}, [{"op": ["add"], "path": "/a"}])
