from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.unit.apiserver.conftest import config_map, options, pod

from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1.resources import CONFIG_MAPS, NAMESPACES, PODS, SERVICES
from proa.apiserver import patching
from proa.apiserver.admission import Attributes
from proa.apiserver.compose import ApiServer
from proa.apiserver.options import ReadOptions, WatchOptions
from proa.apiserver.registry import Registry, creating
from proa.machinery.decode import FieldValidation
from proa.machinery.status import StatusError, forbidden
from proa.store.item import Codec, Item


@pytest.fixture
def maps(server: ApiServer) -> Registry:
    return server.registry(CONFIG_MAPS)


@pytest.fixture
def pods(server: ApiServer) -> Registry:
    return server.registry(PODS)


def read(item: Item) -> dict[str, Any]:
    return msgspec.json.decode(item.body)  # type: ignore[no-any-return]


async def failure(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


async def test_a_created_object_gets_its_identity(maps: Registry) -> None:
    meta = read(await maps.create("default", config_map("a", {"k": "v"}), options()))["metadata"]
    assert meta["name"] == "a"
    assert meta["namespace"] == "default"
    assert len(meta["uid"]) == 36
    assert meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) == maps.cache.revision
    assert meta["managedFields"][0]["fieldsV1"] == {"f:data": {".": {}, "f:k": {}}}


async def test_the_stored_bytes_have_no_resource_version(maps: Registry) -> None:
    item = await maps.create("default", config_map("a"), options())
    assert item.entry.value.startswith(b'{"metadata":{')
    assert b"resourceVersion" not in item.entry.value


async def test_a_name_is_taken_once(maps: Registry) -> None:
    await maps.create("default", config_map("a"), options())
    error = await failure(maps.create("default", config_map("a"), options()))
    assert (error.code, error.reason) == (409, "AlreadyExists")


async def test_a_generated_name_starts_as_asked_and_differs(maps: Registry) -> None:
    first, second = [
        read(await maps.create("default", config_map(generateName="x-"), options()))["metadata"]["name"] for _ in "ab"
    ]
    assert first.startswith("x-")
    assert len(first) == 7
    assert first != second


async def test_an_object_of_another_namespace_or_kind_is_refused(maps: Registry) -> None:
    assert (await failure(maps.create("default", config_map("a", namespace="other"), options()))).code == 400
    wrong = {**config_map("a"), "apiVersion": "v1", "kind": "Secret"}
    assert (await failure(maps.create("default", wrong, options()))).code == 400


async def test_unknown_fields_warn_or_fail_as_asked(maps: Registry) -> None:
    warning = options()
    item = await maps.create("default", {**config_map("a"), "dota": {}}, warning)
    assert warning.warnings == ['unknown field "dota"']
    assert b"dota" not in item.body
    strict = options(field_validation=FieldValidation.STRICT)
    assert (await failure(maps.create("default", {**config_map("b"), "dota": {}}, strict))).code == 400


async def test_an_invalid_object_is_refused_with_every_field(pods: Registry) -> None:
    document = pod("a", spec={"restartPolicy": "Sometimes", "containers": [{"name": "A B", "image": ""}]})
    error = await failure(pods.create("default", document, options()))
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.status.details is not None
    fields = {cause.field for cause in error.status.details.causes}
    assert {"spec.restartPolicy", "spec.containers[0].name"} <= fields


async def test_a_dry_run_stores_nothing(maps: Registry) -> None:
    before = maps.cache.revision
    item = await maps.create("default", config_map("a"), options(dry_run=True))
    assert read(item)["metadata"]["uid"]
    assert maps.cache.revision == before
    assert (await failure(maps.get("default", "a"))).code == 404


async def test_an_update_of_an_old_version_conflicts(maps: Registry) -> None:
    old = read(await maps.create("default", config_map("a"), options()))
    await maps.update("default", "a", config_map("a", {"k": "1"}), options())
    error = await failure(maps.update("default", "a", {**old, "data": {"k": "2"}}, options()))
    assert (error.code, error.reason) == (409, "Conflict")


async def test_a_patch_that_names_an_old_version_conflicts(maps: Registry) -> None:
    old = read(await maps.create("default", config_map("a"), options()))["metadata"]["resourceVersion"]
    await maps.update("default", "a", config_map("a", {"k": "1"}), options())

    def patch(stored: dict[str, Any]) -> dict[str, Any]:
        return {**stored, "data": {"k": "2"}, "metadata": {**stored["metadata"], "resourceVersion": old}}

    assert (await failure(maps.patch("default", "a", patch, options()))).reason == "Conflict"


async def test_who_takes_the_name_of_what_is_going_is_told_so(maps: Registry) -> None:
    await maps.create("default", config_map("a", finalizers=["example.com/hold"]), options())
    await maps.delete("default", "a", {}, options())
    error = await failure(maps.create("default", config_map("a"), options()))
    assert (error.code, error.message) == (409, 'object is being deleted: configmaps "a" already exists')


async def test_an_owner_that_is_said_twice_is_kept_once_with_a_warning(maps: Registry) -> None:
    owner, other = ({"apiVersion": "v1", "kind": "Node", "name": name, "uid": f"u-{name}"} for name in "ab")
    twice = [owner, other, dict(owner), {**owner, "controller": True}]
    writes = (maps.create, lambda namespace, document, asked: maps.update(namespace, "a", document, asked))
    for write in writes:
        asked = options()
        item = await write("default", config_map("a", ownerReferences=twice), asked)
        assert read(item)["metadata"]["ownerReferences"] == [owner, other, {**owner, "controller": True}]
        assert asked.warnings == [
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and "
            "may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: u-a"
        ]


async def test_an_update_creates_nothing(maps: Registry) -> None:
    assert (await failure(maps.update("default", "a", config_map("a"), options()))).code == 404


async def test_an_update_that_changes_nothing_writes_nothing(maps: Registry) -> None:
    created = await maps.create("default", config_map("a", {"k": "v"}), options())
    same = await maps.update("default", "a", read(created), options())
    assert same.revision == created.revision


async def test_an_update_keeps_what_the_system_owns(maps: Registry) -> None:
    before = read(await maps.create("default", config_map("a"), options()))["metadata"]
    after = read(await maps.update("default", "a", config_map("a", {"k": "v"}), options()))["metadata"]
    assert (after["uid"], after["creationTimestamp"]) == (before["uid"], before["creationTimestamp"])


async def test_patches_of_many_writers_all_arrive(maps: Registry) -> None:
    await maps.create("default", config_map("a"), options())

    def add(number: int) -> Any:
        return lambda stored: {**stored, "data": {**stored.get("data", {}), f"k{number}": "v"}}

    await asyncio.gather(*(maps.patch("default", "a", add(number), options()) for number in range(20)))
    assert len(read(await maps.get("default", "a"))["data"]) == 20


async def test_the_generation_counts_changes_of_what_is_wanted(server: ApiServer) -> None:
    deployments = server.registry(DEPLOYMENTS)
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    document = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    created = read(await deployments.create("default", document, options()))
    assert created["metadata"]["generation"] == 1
    created["metadata"]["labels"] = {"x": "y"}
    labelled = read(await deployments.update("default", "d", created, options()))
    assert labelled["metadata"]["generation"] == 1
    labelled["spec"]["replicas"] = 3
    scaled = read(await deployments.update("default", "d", labelled, options()))
    assert scaled["metadata"]["generation"] == 2
    scaled["status"] = {"replicas": 3}
    scaled["spec"]["replicas"] = 9
    told = read(await deployments.update("default", "d", scaled, options(), "status"))
    assert (told["metadata"]["generation"], told["spec"]["replicas"], told["status"]["replicas"]) == (2, 3, 3)


async def test_the_status_belongs_to_its_subresource(pods: Registry) -> None:
    created = read(await pods.create("default", pod("a") | {"status": {"phase": "Failed"}}, options()))
    assert created["status"]["phase"] == "Pending"
    created["status"]["phase"] = "Running"
    assert read(await pods.update("default", "a", dict(created), options()))["status"]["phase"] == "Pending"
    created["metadata"].pop("resourceVersion")
    assert read(await pods.update("default", "a", created, options(), "status"))["status"]["phase"] == "Running"


async def test_an_object_without_finalizers_is_gone_at_once(maps: Registry) -> None:
    await maps.create("default", config_map("a"), options())
    outcome = await maps.delete("default", "a", {}, options())
    assert outcome.now
    assert (await failure(maps.get("default", "a"))).code == 404


async def test_a_finalizer_holds_an_object_until_it_is_removed(maps: Registry) -> None:
    await maps.create("default", config_map("a", finalizers=["example.org/x"]), options())
    outcome = await maps.delete("default", "a", {}, options())
    held = read(outcome.item)
    assert not outcome.now
    assert held["metadata"]["deletionTimestamp"]
    held["metadata"]["finalizers"] = []
    await maps.update("default", "a", held, options())
    assert (await failure(maps.get("default", "a"))).code == 404


@pytest.mark.parametrize(("policy", "finalizer"), [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")])
async def test_a_propagation_policy_becomes_a_finalizer(maps: Registry, policy: str, finalizer: str) -> None:
    await maps.create("default", config_map("a"), options())
    outcome = await maps.delete("default", "a", {"propagationPolicy": policy}, options())
    assert read(outcome.item)["metadata"]["finalizers"] == [finalizer]


async def test_a_precondition_guards_a_delete(maps: Registry) -> None:
    created = read(await maps.create("default", config_map("a"), options()))
    other = {"preconditions": {"uid": "other"}}
    assert (await failure(maps.delete("default", "a", other, options()))).code == 409
    mine = {"preconditions": {"uid": created["metadata"]["uid"]}}
    assert (await maps.delete("default", "a", mine, options())).now


async def test_an_unscheduled_pod_is_deleted_at_once(pods: Registry) -> None:
    await pods.create("default", pod("a"), options())
    assert (await pods.delete("default", "a", {}, options())).now


async def test_a_running_pod_is_given_its_grace_period(pods: Registry) -> None:
    await pods.create("default", pod("a", spec={"nodeName": "n", "terminationGracePeriodSeconds": 7}), options())
    outcome = await pods.delete("default", "a", {}, options())
    assert read(outcome.item)["metadata"]["deletionGracePeriodSeconds"] == 7
    longer = await pods.delete("default", "a", {"gracePeriodSeconds": 60}, options())
    assert read(longer.item)["metadata"]["deletionGracePeriodSeconds"] == 7
    shorter = await pods.delete("default", "a", {"gracePeriodSeconds": 2}, options())
    assert read(shorter.item)["metadata"]["deletionGracePeriodSeconds"] == 2
    assert (await pods.delete("default", "a", {"gracePeriodSeconds": 0}, options())).now


async def test_a_namespace_waits_for_its_own_finalizers(server: ApiServer) -> None:
    namespaces = server.registry(NAMESPACES)
    created = read(await namespaces.create("", {"metadata": {"name": "x"}}, options()))
    assert created["spec"]["finalizers"] == ["kubernetes"]
    outcome = await namespaces.delete("", "x", {}, options())
    assert not outcome.now
    assert read(outcome.item)["status"]["phase"] == "Terminating"
    assert (await failure(namespaces.delete("", "x", {}, options()))).code == 409


async def test_a_collection_is_deleted_by_selector(maps: Registry) -> None:
    for name in "abc":
        await maps.create("default", config_map(name, labels={"app": "x" if name != "c" else "y"}), options())
    await maps.delete_collection("default", ReadOptions(label_selector="app=x"), {}, options())
    left = await maps.list("default", ReadOptions())
    assert [read(item)["metadata"]["name"] for item in left.items] == ["c"]


async def test_a_refused_delete_ends_the_collection_with_its_reason(server: ApiServer, maps: Registry) -> None:
    class Refuses:
        name = "refuses"

        def handles(self, resource: object, subresource: str, operation: str) -> bool:
            return operation == "DELETE"

        async def validate(self, attributes: Attributes) -> None:
            if attributes.old is not None and attributes.old["metadata"]["name"] == "b":
                raise forbidden(attributes.resource, "b", "no")

    for name in "abc":
        await maps.create("default", config_map(name), options())
    server.install(admission=[Refuses()])
    assert (await failure(maps.delete_collection("default", ReadOptions(), {}, options()))).code == 403


async def test_a_merge_patch_is_tried_again_when_somebody_was_faster(maps: Registry) -> None:
    await maps.create("default", config_map("a"), options())

    def merged(number: int) -> Any:
        body = {"data": {f"k{number}": "v"}}
        return patching.patch_of(CONFIG_MAPS, patching.MERGE_PATCH, body)

    await asyncio.gather(*(maps.patch("default", "a", merged(number), options()) for number in range(20)))
    assert len(read(await maps.get("default", "a"))["data"]) == 20


async def test_pages_are_of_one_moment(maps: Registry) -> None:
    for number in range(5):
        await maps.create("default", config_map(f"a{number}"), options())
    first = await maps.list("default", ReadOptions(limit=2))
    assert first.remaining == 3
    await maps.delete("default", "a3", {}, options())
    await maps.create("default", config_map("a9"), options())
    second = await maps.list("default", ReadOptions(limit=2, continue_=first.continue_))
    third = await maps.list("default", ReadOptions(limit=2, continue_=second.continue_))
    names = [read(item)["metadata"]["name"] for page in (first, second, third) for item in page.items]
    assert names == ["a0", "a1", "a2", "a3", "a4"]
    assert third.continue_ == ""


async def test_a_list_at_an_exact_version_is_of_that_version(maps: Registry) -> None:
    item = await maps.create("default", config_map("a"), options())
    await maps.delete("default", "a", {}, options())
    then = ReadOptions(resource_version=str(item.revision), resource_version_match="Exact")
    assert len((await maps.list("default", then)).items) == 1


async def test_a_malformed_list_is_refused(maps: Registry) -> None:
    for wrong in (
        ReadOptions(continue_="nonsense"),
        ReadOptions(resource_version="x"),
        ReadOptions(label_selector="a in"),
        ReadOptions(field_selector="spec.unknown=x"),
    ):
        assert (await failure(maps.list("default", wrong))).code == 400


async def test_fields_select(pods: Registry) -> None:
    await pods.create("default", pod("a", spec={"nodeName": "n1"}), options())
    await pods.create("default", pod("b"), options())
    found = await pods.list("", ReadOptions(field_selector="spec.nodeName=n1"))
    assert [read(item)["metadata"]["name"] for item in found.items] == ["a"]


async def collect(registry: Registry, watch_options: WatchOptions) -> list[tuple[str, str]]:
    watch = await registry.watch("default", watch_options)
    try:
        return [
            (shown.type, read(shown.item)["metadata"].get("name", ""))
            async for batch in watch.batches()
            for shown in batch
        ]
    finally:
        watch.close()


async def test_a_watch_starts_with_what_is_there(maps: Registry) -> None:
    await maps.create("default", config_map("a"), options())
    assert await collect(maps, WatchOptions(timeout=0.01)) == [("ADDED", "a")]


async def test_a_watch_from_a_version_misses_nothing(maps: Registry) -> None:
    item = await maps.create("default", config_map("a"), options())
    await maps.update("default", "a", config_map("a", {"k": "v"}), options())
    await maps.delete("default", "a", {}, options())
    events = await collect(maps, WatchOptions(resource_version=str(item.revision), timeout=0.01))
    assert events == [("MODIFIED", "a"), ("DELETED", "a")]


async def test_initial_events_end_with_their_bookmark(maps: Registry) -> None:
    await maps.create("default", config_map("a"), options())
    wanted = WatchOptions(timeout=0.01, bookmarks=True, send_initial_events=True, resource_version_match="NotOlderThan")
    watch = await maps.watch("default", wanted)
    shown = [each async for batch in watch.batches() for each in batch]
    watch.close()
    assert [each.type for each in shown[:2]] == ["ADDED", "BOOKMARK"]
    assert read(shown[1].item)["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_with_a_selector_sees_objects_come_and_go(maps: Registry) -> None:
    start = str(maps.cache.revision)
    await maps.create("default", config_map("a"), options())
    await maps.update("default", "a", config_map("a", labels={"x": "y"}), options())
    await maps.update("default", "a", config_map("a"), options())
    events = await collect(maps, WatchOptions(label_selector="x=y", resource_version=start, timeout=0.01))
    assert events == [("ADDED", "a"), ("DELETED", "a")]


async def test_a_watch_of_a_forgotten_version_has_expired(maps: Registry) -> None:
    item = await maps.create("default", config_map("a"), options())
    await maps.create("default", config_map("b"), options())
    await maps.cache.compact(maps.cache.revision)
    error = await failure(maps.watch("default", WatchOptions(resource_version=str(item.revision))))
    assert (error.code, error.reason) == (410, "Expired")


async def test_what_admission_and_the_server_add_belongs_to_nobody(server: ApiServer, pods: Registry) -> None:
    class AddsPriority:
        name = "AddsPriority"

        def handles(self, resource: Any, subresource: str, operation: str) -> bool:
            return bool(resource.qualified == "pods" and operation == "CREATE")

        async def mutate(self, attributes: Attributes) -> None:
            assert attributes.document is not None
            attributes.document["spec"]["priority"] = 7

    server.install(admission=[AddsPriority()])
    stored = read(await pods.create("default", pod("p"), options()))
    assert stored["spec"]["priority"] == 7
    (entry,) = stored["metadata"]["managedFields"]
    assert "f:containers" in entry["fieldsV1"]["f:spec"]
    assert "f:priority" not in entry["fieldsV1"]["f:spec"]
    assert "f:status" not in entry["fieldsV1"]


async def test_a_written_object_is_shared_as_it_is_and_is_what_its_bytes_say(
    pods: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await pods.create("default", pod("p"), options())
    for item in (
        created,
        await pods.update("default", "p", {**read(created), "metadata": relabelled(created)}, options()),
    ):
        decoded = pods.codec.decode(item.body)
        monkeypatch.setattr(item, "_codec", Codec(revise=pods.codec.revise))  # whoever decodes now fails
        assert item.object == decoded
        assert item.object.metadata.resourceVersion == str(item.revision)


def relabelled(item: Item) -> dict[str, Any]:
    return {**read(item)["metadata"], "labels": {"a": "b"}}


async def test_a_taken_generated_name_is_tried_again_with_another_but_not_for_ever(
    maps: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["m-1", "m-1", "m-2", *["m-1"] * 8])
    monkeypatch.setattr(creating, "generate_name", lambda base, random: next(names))

    async def made() -> str:
        document = {"metadata": {"generateName": "m-"}}
        return str(read(await maps.create("default", document, options()))["metadata"]["name"])

    assert [await made(), await made()] == ["m-1", "m-2"]
    taken = await failure(made())
    assert (taken.code, taken.reason, taken.retry_after) == (409, "AlreadyExists", 1)
    assert taken.message == (
        'configmaps "m-1" already exists, the server was not able to generate a unique name for the object'
    )
    assert list(names) == []


async def test_who_writes_a_status_is_told_of_the_status_only(server: ApiServer) -> None:
    services = server.registry(SERVICES)
    created, written = options(), options()
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "trafficDistribution": "PreferClose"}
    document = {"metadata": {"name": "s"}, "spec": spec}
    await services.create("default", document, created)
    assert created.warnings == ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']
    status = {"metadata": {"name": "s"}, "status": {"loadBalancer": {"ingress": [{"ip": "2001:DB8::1"}]}}}
    await services.update("default", "s", status, written, "status")
    said = 'IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")'
    assert written.warnings == [f"status.loadBalancer.ingress[0]: {said}"]
