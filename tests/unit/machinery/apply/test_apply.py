import json
from typing import Any

import pytest

from proa.api.apps_v1 import Deployment
from proa.api.core_v1 import ConfigMap, Pod
from proa.machinery.apply import APPLY, UPDATE, Writer, list_defects, server_side_apply, track_update
from proa.machinery.schema import ObjectSchema, Property, ScalarSchema, schema_of
from proa.machinery.status import StatusError

CONFIG_MAP = schema_of(ConfigMap)
POD = schema_of(Pod)


def applier(manager: str, **changes: str) -> Writer:
    return Writer(**({"manager": manager, "operation": APPLY, "api_version": "v1", "time": "T1"} | changes))


def updater(manager: str, time: str = "T1", subresource: str = "") -> Writer:
    return Writer(manager, UPDATE, "v1", time, subresource)


def config(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def owners(document: dict[str, Any]) -> dict[str, Any]:
    return {each["manager"]: each["fieldsV1"] for each in document["metadata"].get("managedFields", ())}


def test_an_applier_owns_exactly_what_it_says() -> None:
    applied = server_side_apply(None, config(a="1"), CONFIG_MAP, applier("me"))
    assert applied["data"] == {"a": "1"}
    assert owners(applied) == {"me": {"f:data": {"f:a": {}}}}


def test_a_field_left_out_by_its_only_applier_goes_away() -> None:
    first = server_side_apply(None, config(a="1", b="2"), CONFIG_MAP, applier("me"))
    second = server_side_apply(first, config(a="1"), CONFIG_MAP, applier("me"))
    assert second["data"] == {"a": "1"}


def test_a_field_left_out_stays_while_another_applier_says_it_too() -> None:
    first = server_side_apply(None, config(a="1"), CONFIG_MAP, applier("me"))
    shared = server_side_apply(first, config(a="1"), CONFIG_MAP, applier("you"))
    left = server_side_apply(shared, config(), CONFIG_MAP, applier("me"))
    assert left["data"] == {"a": "1"}
    assert owners(left) == {"me": {"f:data": {}}, "you": {"f:data": {"f:a": {}}}}


def test_changing_what_another_owns_conflicts_and_names_the_field_and_the_owner() -> None:
    first = server_side_apply(None, config(a="1"), CONFIG_MAP, applier("me"))
    with pytest.raises(StatusError) as caught:
        server_side_apply(first, config(a="2"), CONFIG_MAP, applier("you"))
    assert caught.value.code == 409
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "me": .data.a'
    (cause,) = caught.value.status.details.causes  # type: ignore[union-attr]
    assert (cause.reason, cause.field) == ("FieldManagerConflict", ".data.a")


def test_several_conflicts_are_listed_by_owner_and_an_updater_with_its_version_and_time() -> None:
    first = server_side_apply(None, config(a="1", b="1"), CONFIG_MAP, applier("me"))
    edited = track_update(first, {**first, "data": {"a": "1", "b": "2"}}, CONFIG_MAP, updater("editor"))
    with pytest.raises(StatusError) as caught:
        server_side_apply(edited, config(a="3", b="3"), CONFIG_MAP, applier("you"))
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "editor" using v1 at T1:\n- .data.b\n'
        'conflicts with "me":\n- .data.a'
    )


def test_force_takes_the_field_from_its_owner() -> None:
    first = server_side_apply(None, config(a="1"), CONFIG_MAP, applier("me"))
    forced = server_side_apply(first, config(a="2"), CONFIG_MAP, applier("you"), force=True)
    assert forced["data"] == {"a": "2"}
    assert owners(forced) == {"you": {"f:data": {"f:a": {}}}}


def test_an_update_takes_ownership_of_what_it_changed_only() -> None:
    first = server_side_apply(None, config(a="1", b="1"), CONFIG_MAP, applier("me"))
    changed = {**first, "data": {"a": "1", "b": "2"}}
    updated = track_update(first, changed, CONFIG_MAP, updater("editor"))
    assert owners(updated)["me"]["f:data"] == {"f:a": {}}
    assert owners(updated)["editor"] == {"f:data": {"f:b": {}}}


def test_a_create_owns_everything_but_identity() -> None:
    created = track_update(None, config(a="1"), CONFIG_MAP, updater("kubectl-create"))
    assert owners(created) == {"kubectl-create": {"f:data": {".": {}, "f:a": {}}}}


@pytest.mark.parametrize("size", [0, 1_000_000])
def test_the_creator_of_a_large_object_owns_it_as_that_of_a_small_one(size: int) -> None:
    labelled = {**config(a="v" * size), "metadata": {"name": "c", "labels": {"b": ""}}}
    created = track_update(None, labelled, CONFIG_MAP, updater("me"))
    assert owners(created) == {
        "me": {"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:b": {}}}},
    }


def test_list_elements_are_owned_by_their_keys_with_defaults_filled_in() -> None:
    document = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 80}]}]},
    }
    applied = server_side_apply(None, document, POD, applier("me"))
    container = owners(applied)["me"]["f:spec"]["f:containers"]['k:{"name":"a"}']
    assert set(container) == {".", "f:name", "f:image", "f:ports"}
    assert list(container["f:ports"]) == ['k:{"containerPort":80,"protocol":"TCP"}']


def test_two_appliers_share_a_list_without_conflict() -> None:
    def with_container(name: str) -> dict[str, Any]:
        return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": name, "image": "x"}]}}

    first = server_side_apply(None, with_container("a"), POD, applier("me"))
    both = server_side_apply(first, with_container("b"), POD, applier("you"))
    assert sorted(each["name"] for each in both["spec"]["containers"]) == ["a", "b"]
    left = server_side_apply(both, {"metadata": {"name": "p"}, "spec": {}}, POD, applier("me"))
    assert [each["name"] for each in left["spec"]["containers"]] == ["b"]


def test_atomic_lists_are_owned_whole() -> None:
    document = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "args": ["1", "2"]}]}}
    applied = server_side_apply(None, document, POD, applier("me"))
    assert owners(applied)["me"]["f:spec"]["f:containers"]['k:{"name":"a"}']["f:args"] == {}


def test_applying_the_same_again_changes_nothing_not_even_the_time() -> None:
    first = server_side_apply(None, config(a="1"), CONFIG_MAP, applier("me"))
    assert server_side_apply(first, config(a="1"), CONFIG_MAP, applier("me", time="T2")) == first


def test_an_update_without_changes_keeps_every_owner() -> None:
    first = server_side_apply(None, config(a="1"), CONFIG_MAP, applier("me"))
    assert track_update(first, first, CONFIG_MAP, updater("editor", "T2")) == first


def test_ownership_of_a_subresource_is_kept_apart() -> None:
    schema = schema_of(Deployment)
    live = track_update(None, {"metadata": {"name": "d"}, "spec": {"replicas": 1}}, schema, updater("a"))
    new = {**live, "status": {"replicas": 1}}
    tracked = track_update(live, new, schema, updater("a", "T2", "status"))
    entries = {(each["manager"], each.get("subresource", "")) for each in tracked["metadata"]["managedFields"]}
    assert entries == {("a", ""), ("a", "status")}


def test_an_update_can_forget_all_owners_but_never_by_leaving_them_out() -> None:
    first = server_side_apply(None, config(a="1"), CONFIG_MAP, applier("me"))
    silent = {**first, "metadata": {"name": "c"}}
    assert owners(track_update(first, silent, CONFIG_MAP, updater("x"))) == owners(first)
    emptied = {**first, "metadata": {"name": "c", "managedFields": []}}
    assert owners(track_update(first, emptied, CONFIG_MAP, updater("x"))) == {}


def test_an_update_can_hand_fields_to_another_owner_by_naming_it() -> None:
    made = track_update(None, config(a="1", b="1"), CONFIG_MAP, updater("kubectl-client-side-apply"))
    (entry,) = made["metadata"]["managedFields"]
    moved = {**entry, "manager": "kubectl", "operation": APPLY}
    handed = track_update(
        made, {**made, "metadata": {**made["metadata"], "managedFields": [moved]}}, CONFIG_MAP, updater("kubectl")
    )
    assert handed["metadata"]["managedFields"] == [moved]
    assert server_side_apply(handed, config(a="1"), CONFIG_MAP, applier("kubectl"))["data"] == {"a": "1"}


def test_old_update_managers_are_joined_when_there_are_too_many() -> None:
    document = track_update(None, config(k0="v"), CONFIG_MAP, updater("m0", "T00"))
    for number in range(1, 15):
        changed = {**document, "data": {**document.get("data", {}), f"k{number}": "v"}}
        document = track_update(document, changed, CONFIG_MAP, updater(f"m{number}", f"T{number:02}"))
    names = [each["manager"] for each in document["metadata"]["managedFields"]]
    assert len(names) == 10
    assert names.count("ancient-changes") == 1


# --- what structured-merge-diff decides (each case compared with it) ---


@pytest.mark.parametrize(
    ("live", "applied", "result"),
    [
        ("abc", "ba", "bca"),
        ("a", "c", "ac"),
        ("abc", "ca", "bca"),
        ("abcd", "dxb", "acdxb"),
        ("", "ba", "ba"),
        ("xay", "a", "xay"),
    ],
)
def test_merged_lists_keep_the_live_order_around_the_applied_one(live: str, applied: str, result: str) -> None:
    def service(finalizers: str) -> dict[str, Any]:
        return {"metadata": {"name": "s", "finalizers": [*finalizers]}}

    stored = track_update(None, service(live), CONFIG_MAP, updater("me"))
    merged = server_side_apply(stored, service(applied), CONFIG_MAP, applier("you"), force=True)
    assert "".join(merged["metadata"]["finalizers"]) == result


def test_what_go_always_writes_is_owned_through_what_is_in_it() -> None:
    deployment = {
        "metadata": {"name": "d"},
        "spec": {"strategy": {}, "template": {"spec": {"containers": [{"name": "c"}], "nodeSelector": {"a": "b"}}}},
    }
    created = track_update(None, deployment, schema_of(Deployment), updater("me"))
    spec = {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}}}, "f:nodeSelector": {}}
    assert owners(created) == {"me": {"f:spec": {"f:template": {"f:spec": spec}}}}


def test_a_struct_leaves_with_the_last_field_that_was_applied_in_it() -> None:
    def deployment(**strategy: Any) -> dict[str, Any]:
        return {"metadata": {"name": "d"}, "spec": {"paused": True, **strategy}}

    tree = schema_of(Deployment)
    rolling = deployment(strategy={"rollingUpdate": {"maxSurge": 1}})
    first = server_side_apply(None, rolling, tree, applier("me"))
    assert server_side_apply(first, deployment(), tree, applier("me"))["spec"] == {"paused": True}
    shared = server_side_apply(first, {"spec": {"strategy": {"type": "x"}}}, tree, applier("you"))
    left = server_side_apply(shared, deployment(), tree, applier("me"))
    assert left["spec"] == {"paused": True, "strategy": {"type": "x"}}


def test_an_element_that_is_applied_no_more_leaves_with_what_others_wrote_into_it() -> None:
    def pod(*containers: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {"name": "p"}, "spec": {"containers": [*containers]}}

    tree = schema_of(Pod)
    first = server_side_apply(None, pod({"name": "a"}, {"name": "b"}), tree, applier("me"))
    new = {**first, "spec": pod({"name": "a", "image": "i"}, {"name": "b"})["spec"]}
    edited = track_update(first, new, tree, updater("you"))
    assert owners(edited).keys() == {"me", "you"}
    after = server_side_apply(edited, pod({"name": "b"}), tree, applier("me"))
    assert after["spec"]["containers"] == [{"name": "b"}]
    assert owners(after).keys() == {"me"}


@pytest.mark.parametrize(
    ("part", "defects"),
    [
        ({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}, []),
        (
            {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}},
            ['.spec.containers: duplicate entries for key [name="a"]'],
        ),
        (
            {"metadata": {"finalizers": ["a", "a", "b"]}, "spec": {"containers": [{"image": "i"}]}},
            [
                '.metadata.finalizers: duplicate entries for key [="a"]',
                ".spec.containers: element 0: associative list with keys has an element that omits key field "
                '"name" (and doesn\'t have default value)',
            ],
        ),
        (
            {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 1}, {"containerPort": 1}]}]}},
            [
                '.spec.containers[name="a"].ports: duplicate entries for key [containerPort=1,protocol="TCP"]',
            ],
        ),
    ],
)
def test_what_keeps_lists_from_being_merged_is_told(part: dict[str, Any], defects: list[str]) -> None:
    assert list_defects(part, Property("", POD)) == defects


# --- beginning to apply what was written otherwise ---


def test_what_nobody_manages_is_owned_by_no_update_and_by_the_time_before_at_the_first_apply() -> None:
    bare = config(a="1", b="1")
    updated = track_update(bare, config(a="2", b="1"), CONFIG_MAP, updater("editor"))
    assert owners(updated) == {}
    with pytest.raises(StatusError, match=r'conflict with "before-first-apply" using v1 at T1: \.data\.a'):
        server_side_apply(bare, config(a="3"), CONFIG_MAP, applier("me"))
    applied = server_side_apply(bare, config(a="3"), CONFIG_MAP, applier("me"), force=True)
    assert owners(applied) == {"before-first-apply": {"f:data": {".": {}, "f:b": {}}}, "me": {"f:data": {"f:a": {}}}}


def client_applied(stored: dict[str, str], said: dict[str, str]) -> dict[str, Any]:
    """A config map as `kubectl apply` leaves it, with what has become of its data."""
    annotation = json.dumps(config(**said))
    document = config(**stored)
    document["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": annotation}
    return track_update(None, document, CONFIG_MAP, updater("kubectl-client-side-apply"))


def test_kubectl_takes_over_what_its_client_side_apply_said() -> None:
    live = client_applied({"a": "1"}, {"a": "1"})
    applied = server_side_apply(live, config(a="2"), CONFIG_MAP, applier("kubectl"))
    assert applied["data"] == {"a": "2"}
    said = json.loads(applied["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert said["data"] == {"a": "2"}
    with pytest.raises(StatusError, match="conflict"):
        server_side_apply(live, config(a="2"), CONFIG_MAP, applier("another"))


def test_kubectl_does_not_take_over_what_somebody_changed_since() -> None:
    live = client_applied({"a": "1", "b": "changed"}, {"a": "1", "b": "1"})
    with pytest.raises(StatusError, match=r"1 conflict: .*: \.data\.b"):
        server_side_apply(live, config(a="2", b="2"), CONFIG_MAP, applier("kubectl"))


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "7", '{"apiVersion":"v1","data":7}', '{"apiVersion":"v2"}', "[" * 9999]
)
def test_an_annotation_that_says_nothing_allows_nothing(said: str) -> None:
    live = client_applied({"a": "1"}, {})
    live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = said
    with pytest.raises(StatusError, match="1 conflict"):
        server_side_apply(live, config(a="2"), CONFIG_MAP, applier("kubectl"))


def test_nobody_owns_the_empty_lists_and_maps_that_are_not_stored() -> None:
    schema = schema_of(Deployment)
    empty = {"env": [], "name": "c", "resources": {}, "securityContext": {}}
    pod = {"nodeSelector": {}, "tolerations": [], "volumes": [], "securityContext": {}, "containers": [empty]}
    document = {
        "metadata": {"name": "d", "labels": {}, "annotations": {}},
        "spec": {"template": {"metadata": {"labels": {}}, "spec": pod}},
    }
    created = track_update(None, document, schema, updater("me"))
    [entry] = created["metadata"]["managedFields"]
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:template": {
                "f:spec": {
                    "f:securityContext": {},
                    "f:containers": {
                        'k:{"name":"c"}': {".": {}, "f:name": {}, "f:resources": {}, "f:securityContext": {}}
                    },
                }
            }
        }
    }
    live = {"metadata": {**created["metadata"], "labels": {}}, "spec": {"template": {"spec": {"containers": [empty]}}}}
    del live["metadata"]["labels"], live["metadata"]["annotations"]
    changed = {**live, "metadata": {**live["metadata"], "labels": {}}}
    assert track_update(live, changed, schema, updater("you"))["metadata"]["managedFields"] == [entry]


def pod_with(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", **container}]}}


def container_of(document: dict[str, Any], manager: str) -> dict[str, Any]:
    fields: dict[str, Any] = owners(document)[manager]["f:spec"]["f:containers"]['k:{"name":"c"}']
    return fields


def test_nobody_owns_the_zeros_that_are_not_stored() -> None:
    document = pod_with(tty=False, workingDir="", stdin=True, securityContext={"privileged": False})
    document["spec"] |= {"hostNetwork": False, "priority": 0}
    created = track_update(None, document, POD, updater("me"))
    assert container_of(created, "me") == {
        ".": {},
        "f:name": {},
        "f:stdin": {},
        "f:securityContext": {".": {}, "f:privileged": {}},
    }
    assert owners(created)["me"]["f:spec"].keys() == {"f:containers", "f:priority"}
    stored = {**created, "spec": pod_with(stdin=True, securityContext={"privileged": False})["spec"]}
    assert owners(track_update(stored, created, POD, updater("you"))).get("you") == {"f:spec": {"f:priority": {}}}


def test_what_an_update_sets_to_a_zero_that_is_not_stored_is_nobodys_any_more() -> None:
    created = track_update(None, pod_with(tty=True, image="i", args=["a"]), POD, updater("me"))
    new = {**created, "spec": pod_with(tty=False, image="j", args=[])["spec"]}
    changed = track_update(created, new, POD, updater("you"))
    assert container_of(changed, "me") == {".": {}, "f:name": {}}
    assert container_of(changed, "you") == {"f:image": {}}


def test_an_applier_owns_the_zeros_that_it_says() -> None:
    created = track_update(None, pod_with(tty=True), POD, updater("me"))
    with pytest.raises(StatusError, match="conflict"):
        server_side_apply(created, pod_with(tty=False), POD, applier("you"))
    applied = server_side_apply(created, pod_with(tty=False), POD, applier("you"), force=True)
    assert container_of(applied, "you") == {".": {}, "f:name": {}, "f:tty": {}}
    assert container_of(applied, "me") == {".": {}, "f:name": {}}


def test_zeros_of_custom_resources_are_stored_and_owned() -> None:
    inner = ObjectSchema("Spec", {"on": Property("on", ScalarSchema("boolean"))})
    schema = ObjectSchema("Thing", {"spec": Property("spec", inner, nullable=True)})
    document = {"metadata": {"name": "t"}, "spec": {"on": False}}
    created = track_update(None, document, schema, updater("me"))
    assert owners(created)["me"]["f:spec"] == {".": {}, "f:on": {}}
