"""Admission webhooks over a real connection: who is asked, what is asked, what the answers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.unit.apiserver.conftest import ADMIN, config_map, options, pod
from tests.unit.apiserver.webhooks.conftest import CONFIGURATIONS, Guarded, hook, rule
from tests.webhook_server import WebhookServer, answering, denying, patching

from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.authorization_v1.resources import SUBJECT_ACCESS_REVIEWS
from proa.api.autoscaling_v2.resources import HORIZONTAL_POD_AUTOSCALERS
from proa.api.core_v1.resources import CONFIG_MAPS, EVENTS, NAMESPACES, PODS
from proa.apiserver.connecting import connect_options
from proa.machinery.status import StatusError


async def never(review: dict[str, Any]) -> None:
    await asyncio.get_running_loop().create_future()


@pytest.fixture
async def backend() -> AsyncIterator[WebhookServer]:
    answers = {
        "/allow": answering(),
        "/deny": denying("not today", code=403, reason="Forbidden"),
        "/mark": patching({"op": "add", "path": "/data/marked", "value": "yes"}),
        "/slow": never,
        "/annotate": answering(warnings=["mind the gap"], auditAnnotations={"seen": "true"}),
    }
    async with WebhookServer(answers) as server:
        yield server


async def refused(creating: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await creating
    return caught.value


async def test_nobody_is_asked_where_nothing_is_configured(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.create(CONFIG_MAPS, config_map("a"))
    assert backend.seen == []


async def test_a_webhook_refuses_with_its_own_words_and_code(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.configure("validating", hook(backend.client_config("/deny")))
    error = await refused(guarded.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.reason) == (403, "Forbidden")
    assert error.message == 'admission webhook "hook.example.com" denied the request: not today'


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (None, 400, "without explanation"),
        ({"reason": "Because"}, 400, "denied the request: Because"),
        ({"code": 200, "status": "Success", "message": "no"}, 400, "denied the request: no"),
    ],
)
async def test_a_refusal_without_a_failure_is_a_bad_request(
    guarded: Guarded, backend: WebhookServer, status: Any, code: int, message: str
) -> None:
    backend.answers["/deny"] = answering(allowed=False, status=status)
    await guarded.configure("validating", hook(backend.client_config("/deny")))
    error = await refused(guarded.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.status.status) == (code, "Failure")
    assert error.message.endswith(message)


async def test_the_question_names_the_write(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.configure("validating", hook(backend.client_config("/allow")))
    await guarded.create(CONFIG_MAPS, config_map("a", {"k": "v"}))
    [(_, review)] = backend.seen
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    request = review["request"]
    stored = request.pop("object")
    assert (stored["apiVersion"], stored["kind"], stored["data"]) == ("v1", "ConfigMap", {"k": "v"})
    assert stored["metadata"]["uid"]
    assert len(request.pop("uid")) == 36
    assert request == {
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "resource": {"group": "", "version": "v1", "resource": "configmaps"},
        "requestKind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "requestResource": {"group": "", "version": "v1", "resource": "configmaps"},
        "name": "a",
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {"username": "admin", "groups": list(ADMIN.groups)},
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }


async def test_updates_and_deletes_show_the_old_object(guarded: Guarded, backend: WebhookServer) -> None:
    registry = guarded.server.registry(CONFIG_MAPS)
    await guarded.create(CONFIG_MAPS, config_map("a", {"k": "v"}))
    await guarded.configure("validating", hook(backend.client_config("/allow")))
    await registry.update("default", "a", config_map("a", {"k": "w"}), options())
    said = options()
    said.document = {"gracePeriodSeconds": 0}
    await registry.delete("default", "a", {"gracePeriodSeconds": 0}, said)
    update, delete = backend.requests("/allow")
    assert (update["operation"], update["oldObject"]["data"], update["object"]["data"]) == (
        "UPDATE",
        {"k": "v"},
        {"k": "w"},
    )
    assert (delete["operation"], delete["oldObject"]["data"], delete["object"]) == ("DELETE", {"k": "w"}, None)
    assert delete["options"] == {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "gracePeriodSeconds": 0}


async def test_deleting_a_collection_asks_about_each_object_by_no_name(
    guarded: Guarded, backend: WebhookServer
) -> None:
    from proa.apiserver.options import ReadOptions

    for name in "ab":
        await guarded.create(CONFIG_MAPS, config_map(name))
    await guarded.configure("validating", hook(backend.client_config("/allow")))
    await guarded.server.registry(CONFIG_MAPS).delete_collection("default", ReadOptions(), {}, options())
    asked = backend.requests("/allow")
    assert sorted(each["oldObject"]["metadata"]["name"] for each in asked) == ["a", "b"]
    assert [each.get("name", "") for each in asked] == ["", ""]


async def test_a_mutating_webhook_changes_the_object_before_it_is_checked(
    guarded: Guarded, backend: WebhookServer
) -> None:
    backend.answers["/default"] = patching(
        {"op": "add", "path": "/spec/containers", "value": [{"name": "c", "image": "i"}]}
    )
    await guarded.configure("mutating", hook(backend.client_config("/default"), rules=[rule(resources=["pods"])]))
    stored = await guarded.create(PODS, {"metadata": {"name": "a"}, "spec": {"containers": []}})
    [container] = stored.spec.containers
    assert (container.name, container.imagePullPolicy, container.terminationMessagePath) == (
        "c",
        "Always",
        "/dev/termination-log",
    )


async def test_a_mutating_webhook_does_not_see_what_the_server_fills_in_later(
    guarded: Guarded, backend: WebhookServer
) -> None:
    await guarded.configure("mutating", hook(backend.client_config("/mark")))
    stored = await guarded.create(CONFIG_MAPS, config_map(generateName="a-"))
    [request] = backend.requests("/mark")
    assert "name" not in request
    assert not {"name", "uid", "creationTimestamp"} & request["object"]["metadata"].keys()
    assert stored.data == {"marked": "yes"}
    assert stored.metadata.name.startswith("a-")
    assert stored.metadata.uid
    assert stored.metadata.creationTimestamp


@pytest.mark.parametrize(
    ("path", "value", "code", "message"),
    [
        ("/metadata/namespace", "other", 400, "does not match the namespace sent on the request"),
        ("/kind", "Secret", 500, 'Secret in version "v1" cannot be handled as a ConfigMap'),
        ("/apiVersion", "v2", 500, 'ConfigMap in version "v2" cannot be handled as a ConfigMap'),
        ("/metadata/resourceVersion", "7", 500, "resourceVersion should not be set on objects to be created"),
    ],
)
async def test_a_patch_cannot_make_a_new_object_another(
    guarded: Guarded, backend: WebhookServer, path: str, value: str, code: int, message: str
) -> None:
    backend.answers["/other"] = patching({"op": "add", "path": path, "value": value})
    await guarded.configure("mutating", hook(backend.client_config("/other")))
    error = await refused(guarded.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, message in error.message) == (code, True), error.message


async def test_a_patch_cannot_make_a_new_object_go(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/go"] = patching(
        {"op": "add", "path": "/metadata/deletionTimestamp", "value": "2026-01-01T00:00:00Z"},
        {"op": "add", "path": "/metadata/deletionGracePeriodSeconds", "value": 3},
    )
    await guarded.configure("mutating", hook(backend.client_config("/go")))
    stored = await guarded.create(CONFIG_MAPS, config_map("a"))
    assert (stored.metadata.deletionTimestamp, stored.metadata.deletionGracePeriodSeconds) == (None, None)


@pytest.mark.parametrize(
    ("path", "value", "code", "message"),
    [
        ("/metadata/namespace", "other", 400, "does not match the namespace sent on the request"),
        ("/metadata/resourceVersion", "7", 409, "the object has been modified"),
        ("/metadata/name", "b", 422, 'metadata.name: Invalid value: "b": field is immutable'),
    ],
)
async def test_a_patch_cannot_make_an_object_another(
    guarded: Guarded, backend: WebhookServer, path: str, value: str, code: int, message: str
) -> None:
    await guarded.create(CONFIG_MAPS, config_map("a"))
    backend.answers["/other"] = patching({"op": "add", "path": path, "value": value})
    await guarded.configure("mutating", hook(backend.client_config("/other"), rules=[rule(operations=["UPDATE"])]))
    registry = guarded.server.registry(CONFIG_MAPS)
    error = await refused(registry.update("default", "a", config_map("a", {"k": "v"}), options()))
    assert (error.code, message in error.message) == (code, True), error.message
    assert len(backend.requests("/other")) == 1


async def test_a_patch_may_say_the_version_that_is_replaced_or_leave_it_out(
    guarded: Guarded, backend: WebhookServer
) -> None:
    made = await guarded.create(CONFIG_MAPS, config_map("a"))
    await guarded.configure("mutating", hook(backend.client_config("/other"), rules=[rule(operations=["UPDATE"])]))
    registry = guarded.server.registry(CONFIG_MAPS)
    version = made.metadata.resourceVersion
    backend.answers["/other"] = patching({"op": "add", "path": "/metadata/resourceVersion", "value": version})
    item = await registry.update("default", "a", config_map("a", {"k": "v"}), options())
    backend.answers["/other"] = patching({"op": "remove", "path": "/metadata/resourceVersion"})
    document = config_map("a", {"k": "w"}, resourceVersion=str(item.revision))
    assert (await registry.update("default", "a", document, options())).object.data == {"k": "w"}


async def test_a_patch_that_is_none_counts_as_a_failure_to_ask(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/none"] = answering(patch="WzFd", patchType="JSONPatch")  # [1]
    await guarded.configure("mutating", hook(backend.client_config("/none"), failurePolicy="Ignore"))
    await guarded.create(CONFIG_MAPS, config_map("a"))
    await guarded.configure("mutating", hook(backend.client_config("/none")), name="more")
    error = await refused(guarded.create(CONFIG_MAPS, config_map("b")))
    assert error.message.startswith(
        'Internal error occurred: failed calling webhook "hook.example.com": received undecodable patch in webhook '
    )


async def test_a_patch_cannot_make_an_object_another_kind(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.create(CONFIG_MAPS, config_map("a"))
    backend.answers["/other"] = patching({"op": "replace", "path": "/kind", "value": "Secret"})
    await guarded.configure("mutating", hook(backend.client_config("/other"), rules=[rule(operations=["UPDATE"])]))
    registry = guarded.server.registry(CONFIG_MAPS)
    error = await refused(registry.update("default", "a", config_map("a", {"k": "v"}), options()))
    assert (error.code, "cannot be handled as a ConfigMap" in error.message) == (500, True), error.message


async def test_fields_that_no_type_has_are_dropped_from_a_patch(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/odd"] = patching({"op": "add", "path": "/nonsense", "value": 1})
    await guarded.configure("mutating", hook(backend.client_config("/odd")))
    await guarded.create(CONFIG_MAPS, config_map("a"))
    item = await guarded.server.registry(CONFIG_MAPS).get("default", "a")
    assert b"nonsense" not in item.body


async def test_mutating_webhooks_run_in_the_order_of_their_configurations(
    guarded: Guarded, backend: WebhookServer
) -> None:
    for name in ("b", "a"):
        backend.answers[f"/{name}"] = patching({"op": "add", "path": "/data/last", "value": name})
        await guarded.configure("mutating", hook(backend.client_config(f"/{name}")), name=name)
    stored = await guarded.create(CONFIG_MAPS, config_map("x"))
    assert stored.data == {"last": "b"}
    assert [path for path, _ in backend.seen] == ["/a", "/b"]


async def test_a_webhook_that_wants_to_is_asked_again_when_a_later_one_changed_the_object(
    guarded: Guarded, backend: WebhookServer
) -> None:
    def count(review: dict[str, Any]) -> Any:
        data = review["request"]["object"].get("data") or {}
        return patching({"op": "add", "path": "/data/sees", "value": ",".join(sorted(data))})(review)

    backend.answers["/count"] = count
    await guarded.configure(
        "mutating",
        hook(backend.client_config("/count"), name="a.example.com", reinvocationPolicy="IfNeeded"),
        hook(backend.client_config("/allow"), name="b.example.com"),
        hook(backend.client_config("/mark"), name="c.example.com"),
    )
    stored = await guarded.create(CONFIG_MAPS, config_map("x"))
    assert [path for path, _ in backend.seen] == ["/count", "/allow", "/mark", "/count"]
    assert stored.data == {"marked": "yes", "sees": "marked,sees"}


async def test_nobody_is_asked_again_for_a_patch_that_changes_nothing(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/same"] = patching({"op": "replace", "path": "/metadata/name", "value": "a"})
    pods = [rule(resources=["pods"])]
    await guarded.configure(
        "mutating",
        hook(backend.client_config("/allow"), name="a.example.com", rules=pods, reinvocationPolicy="IfNeeded"),
        hook(backend.client_config("/same"), name="b.example.com", rules=pods),
    )
    stored = await guarded.create(PODS, pod("a"))
    assert [path for path, _ in backend.seen] == ["/allow", "/same"]
    assert stored.status.qosClass == "BestEffort"


async def test_a_refused_patch_fails_the_request(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/bad"] = patching({"op": "remove", "path": "/data/nowhere"})
    await guarded.configure("mutating", hook(backend.client_config("/bad"), failurePolicy="Ignore"))
    error = await refused(guarded.create(CONFIG_MAPS, config_map("x")))
    assert (error.code, error.reason) == (500, "InternalError")


async def test_a_delete_cannot_be_changed(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.create(CONFIG_MAPS, config_map("x"))
    await guarded.configure("mutating", hook(backend.client_config("/mark"), rules=[rule(operations=["DELETE"])]))
    error = await refused(guarded.server.registry(CONFIG_MAPS).delete("default", "x", {}, options()))
    assert error.message == (
        'Internal error occurred: admission webhook "hook.example.com" attempted to modify the object, which is not '
        "supported for this operation"
    )


async def test_an_unreachable_webhook_fails_the_request_unless_failures_are_ignored(
    guarded: Guarded, backend: WebhookServer
) -> None:
    config = {"url": "https://127.0.0.1:1/gone"}
    await guarded.configure("validating", hook(config))
    error = await refused(guarded.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.message) == (
        500,
        'Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: Post '
        '"https://127.0.0.1:1/gone?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused',
    )
    resource = CONFIGURATIONS["validating"]
    document = {"metadata": {"name": "hooks"}, "webhooks": [hook(config, failurePolicy="Ignore")]}
    item = await guarded.server.registry(resource).update("", "hooks", document, options())
    await guarded.known(resource, item.revision)
    await guarded.create(CONFIG_MAPS, config_map("a"))


async def test_a_slow_webhook_exceeds_its_own_timeout(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.configure("validating", hook(backend.client_config("/slow"), timeoutSeconds=1))
    error = await refused(guarded.create(CONFIG_MAPS, config_map("a")))
    assert error.message.endswith('/slow?timeout=1s": context deadline exceeded')


@pytest.mark.parametrize(
    ("kind", "answer", "why"),
    [
        ("validating", answering(uid="other"), 'expected response.uid="UID", got "other"'),
        ("validating", lambda _: {"kind": "AdmissionReview"}, "webhook response was absent"),
        (
            "validating",
            lambda review: {"response": {"uid": review["request"]["uid"], "allowed": True}},
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got , Kind=",
        ),
        ("validating", patching({}), "validating webhook may not return response.patch"),
        ("mutating", answering(patch="W10="), "webhook returned response.patch but not response.patchType"),
        ("mutating", answering(patchType="JSONPatch"), "webhook returned response.patchType but not response.patch"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_counts_as_a_failure_to_ask(
    guarded: Guarded, backend: WebhookServer, kind: str, answer: Any, why: str
) -> None:
    backend.answers["/wrong"] = answer
    await guarded.configure(kind, hook(backend.client_config("/wrong")))
    error = await refused(guarded.create(CONFIG_MAPS, config_map("a")))
    [request] = backend.requests("/wrong")
    assert error.message == (
        'Internal error occurred: failed calling webhook "hook.example.com": received invalid webhook response: '
        + why.replace("UID", request["uid"])
    )


async def test_a_dry_run_reaches_no_webhook_with_effects(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.configure("validating", hook(backend.client_config("/allow"), sideEffects="NoneOnDryRun"))
    await guarded.create(CONFIG_MAPS, config_map("a"), dry_run=True)
    [request] = backend.requests("/allow")
    assert request["dryRun"] is True
    assert request["options"]["dryRun"] == ["All"]


async def test_warnings_reach_the_client(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.configure("validating", hook(backend.client_config("/annotate")))
    await guarded.create(CONFIG_MAPS, config_map("a"))
    assert guarded.warnings == ["mind the gap"]


async def test_the_audit_log_is_told_what_webhooks_did(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.configure("validating", hook(backend.client_config("/annotate")))
    gone = {"url": "https://127.0.0.1:1/gone"}
    await guarded.configure(
        "mutating",
        hook(backend.client_config("/mark"), name="mark.example.com"),
        hook(backend.client_config("/allow"), name="allow.example.com"),
        hook(gone, name="gone.example.com", failurePolicy="Ignore"),
    )
    said = options()
    await guarded.server.registry(CONFIG_MAPS).create("default", config_map("a"), said)
    where = "mutation.webhook.admission.k8s.io/round_0_index"
    mark = '{"configuration":"hooks","webhook":"mark.example.com"'
    assert said.annotations == {
        f"{where}_0": mark + ',"mutated":true}',
        "patch.webhook.admission.k8s.io/round_0_index_0": (
            mark + ',"patch":[{"op":"add","path":"/data/marked","value":"yes"}],"patchType":"JSONPatch"}'
        ),
        f"{where}_1": '{"configuration":"hooks","webhook":"allow.example.com","mutated":false}',
        f"failed-open.{where}_2": "gone.example.com",
        f"{where}_2": '{"configuration":"hooks","webhook":"gone.example.com","mutated":false}',
        "hook.example.com/seen": "true",
    }


async def test_validating_webhooks_are_asked_at_the_same_time(guarded: Guarded, backend: WebhookServer) -> None:
    together = asyncio.Barrier(3)

    async def meet(review: dict[str, Any]) -> Any:
        await together.wait()
        return answering()(review)

    backend.answers["/meet"] = meet
    names = [f"{each}.example.com" for each in "abc"]
    await guarded.configure("validating", *(hook(backend.client_config("/meet"), name=name) for name in names))
    await guarded.create(CONFIG_MAPS, config_map("a"))
    assert len(backend.seen) == 3


async def test_selectors_choose_by_the_labels_of_namespace_and_object(guarded: Guarded, backend: WebhookServer) -> None:
    registry = guarded.server.registry(NAMESPACES)
    await registry.create("", {"metadata": {"name": "free", "labels": {"free": "yes"}}}, options())
    await guarded.configure(
        "validating",
        hook(
            backend.client_config("/deny"),
            namespaceSelector={"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]},
            objectSelector={"matchLabels": {"checked": "yes"}},
        ),
    )
    maps = guarded.server.registry(CONFIG_MAPS)
    await guarded.create(CONFIG_MAPS, config_map("unlabelled"))
    await maps.create("free", config_map("a", labels={"checked": "yes"}), options())
    await refused(guarded.create(CONFIG_MAPS, config_map("a", labels={"checked": "yes"})))


async def test_an_object_that_had_the_label_is_still_chosen(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.create(CONFIG_MAPS, config_map("a", labels={"checked": "yes"}))
    selector = {"matchLabels": {"checked": "yes"}}
    await guarded.configure("validating", hook(backend.client_config("/deny"), objectSelector=selector))
    await refused(guarded.server.registry(CONFIG_MAPS).update("default", "a", config_map("a"), options()))


async def test_a_namespace_is_chosen_by_the_labels_it_will_have(guarded: Guarded, backend: WebhookServer) -> None:
    only = {"matchLabels": {"strict": "yes"}}
    await guarded.configure(
        "validating",
        hook(backend.client_config("/deny"), rules=[rule(resources=["namespaces"])], namespaceSelector=only),
    )
    registry = guarded.server.registry(NAMESPACES)
    await registry.create("", {"metadata": {"name": "lax"}}, options())
    await refused(registry.create("", {"metadata": {"name": "strict", "labels": {"strict": "yes"}}}, options()))
    [request] = backend.requests("/deny")
    assert (request["name"], request["namespace"]) == ("strict", "strict")


async def test_webhook_configurations_are_nobodys_business(guarded: Guarded, backend: WebhookServer) -> None:
    everything = rule(apiGroups=["*"], apiVersions=["*"], resources=["*/*"])
    await guarded.configure("validating", hook(backend.client_config("/deny"), rules=[everything]))
    await guarded.configure("mutating", hook(backend.client_config("/deny"), rules=[everything]))
    for kind in ("validating", "mutating"):
        await guarded.server.registry(CONFIGURATIONS[kind]).delete("", "hooks", {}, options())
    assert backend.seen == []


async def test_subresources_are_asked_about_when_the_rule_names_them(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.create(PODS, pod("a"))
    await guarded.configure("validating", hook(backend.client_config("/deny"), rules=[rule(resources=["pods/status"])]))
    registry = guarded.server.registry(PODS)
    await registry.patch(
        "default", "a", lambda each: {**each, "metadata": {**each["metadata"], "labels": {"a": "b"}}}, options()
    )
    status = registry.patch("default", "a", lambda each: {**each, "status": {"phase": "Failed"}}, options(), "status")
    await refused(status)
    [request] = backend.requests("/deny")
    assert (request["subResource"], request["kind"]["kind"]) == ("status", "Pod")


async def test_an_equivalent_version_is_asked_about_in_its_own_words(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/note"] = patching({"op": "replace", "path": "/note", "value": "changed"})
    rules = [rule(apiGroups=["events.k8s.io"], resources=["events"])]
    await guarded.configure("mutating", hook(backend.client_config("/note"), rules=rules))
    involved = {"kind": "Pod", "name": "a", "namespace": "default"}
    event = {"metadata": {"name": "e"}, "involvedObject": involved, "message": "said", "reason": "Because"}
    stored = await guarded.create(EVENTS, event)
    [request] = backend.requests("/note")
    assert request["resource"] == {"group": "events.k8s.io", "version": "v1", "resource": "events"}
    assert request["requestResource"] == {"group": "", "version": "v1", "resource": "events"}
    assert (request["object"]["apiVersion"], request["object"]["note"]) == ("events.k8s.io/v1", "said")
    assert stored.message == "changed"


async def test_only_the_exact_version_counts_where_that_is_the_policy(guarded: Guarded, backend: WebhookServer) -> None:
    rules = [rule(apiGroups=["events.k8s.io"], resources=["events"])]
    await guarded.configure("validating", hook(backend.client_config("/deny"), rules=rules, matchPolicy="Exact"))
    involved = {"kind": "Pod", "name": "a", "namespace": "default"}
    await guarded.create(EVENTS, {"metadata": {"name": "e"}, "involvedObject": involved})
    assert backend.seen == []


async def test_a_webhook_cannot_change_the_status_through_the_object(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/fail"] = patching({"op": "add", "path": "/status", "value": {"phase": "Failed"}})
    await guarded.create(PODS, pod("a"))
    await guarded.configure("mutating", hook(backend.client_config("/fail"), rules=[rule(resources=["pods"])]))
    registry = guarded.server.registry(PODS)
    item = await registry.patch("default", "a", lambda each: each, options())
    assert item.object.status.phase == "Pending"


async def test_a_connection_is_asked_about_as_the_object_of_its_options(
    guarded: Guarded, backend: WebhookServer
) -> None:
    await guarded.configure(
        "validating",
        hook(backend.client_config("/deny"), rules=[rule(operations=["CONNECT"], resources=["pods/attach"])]),
    )
    asked = connect_options(PODS.subresource("attach"), "stdin=true&container=main")
    pods = guarded.server.registry(PODS)
    await refused(pods.admit("CONNECT", "attach", "default", "a", asked, options()))
    [request] = backend.requests("/deny")
    assert request["kind"] == {"group": "", "version": "v1", "kind": "PodAttachOptions"}
    assert request["object"] == {"kind": "PodAttachOptions", "apiVersion": "v1", "stdin": True, "container": "main"}
    assert (request["subResource"], request["operation"], request["options"]) == ("attach", "CONNECT", None)


async def test_a_webhook_may_change_the_body_of_a_subresource(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/elsewhere"] = patching({"op": "replace", "path": "/target/name", "value": "n2"})
    await guarded.create(PODS, pod("a"))
    rules = [rule(operations=["CREATE"], resources=["pods/binding"])]
    await guarded.configure("mutating", hook(backend.client_config("/elsewhere"), rules=rules))
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "a"},
        "target": {"kind": "Node", "name": "n1"},
    }
    await guarded.server.post(PODS, "default", "a", "binding", binding, options())
    item = await guarded.server.registry(PODS).get("default", "a")
    assert item.object.spec.nodeName == "n2"


async def test_match_conditions_decide_on_the_object_itself(guarded: Guarded, backend: WebhookServer) -> None:
    conditions = [
        {"name": "big", "expression": "size(object.data) > 1"},
        {"name": "by-admin", "expression": 'request.userInfo.username == "admin"'},
    ]
    await guarded.configure("validating", hook(backend.client_config("/deny"), matchConditions=conditions))
    await guarded.create(CONFIG_MAPS, config_map("small", {"a": "1"}))
    await refused(guarded.create(CONFIG_MAPS, config_map("big", {"a": "1", "b": "2"})))


async def test_a_condition_that_fails_refuses_the_write_unless_failures_are_ignored(
    guarded: Guarded, backend: WebhookServer
) -> None:
    conditions = [{"name": "absent", "expression": "object.nowhere == 1"}]
    await guarded.configure("validating", hook(backend.client_config("/deny"), matchConditions=conditions))
    error = await refused(guarded.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.reason) == (403, "Forbidden")
    assert "no such key: nowhere" in error.message
    lenient = hook(backend.client_config("/deny"), matchConditions=conditions, failurePolicy="Ignore")
    resource = CONFIGURATIONS["validating"]
    document = {"metadata": {"name": "hooks"}, "webhooks": [lenient]}
    item = await guarded.server.registry(resource).update("", "hooks", document, options())
    await guarded.known(resource, item.revision)
    await guarded.create(CONFIG_MAPS, config_map("a"))
    assert backend.seen == []


async def test_calls_and_rejections_are_counted_under_upstreams_names(guarded: Guarded, backend: WebhookServer) -> None:
    await guarded.configure("validating", hook(backend.client_config("/deny")))
    await refused(guarded.create(CONFIG_MAPS, config_map("a")))
    lines = guarded.server.families.exposition().decode().splitlines()
    prefix = "apiserver_admission_webhook_"
    assert (
        f'{prefix}rejection_count{{error_type="no_error",name="hook.example.com",operation="CREATE",'
        'rejection_code="403",type="validating"} 1.0'
    ) in lines
    assert (
        f'{prefix}request_total{{code="403",name="hook.example.com",operation="CREATE",rejected="true",'
        'type="validating"} 1.0'
    ) in lines
    labels = '{name="hook.example.com",operation="CREATE",rejected="true",type="validating"}'
    assert f"{prefix}admission_duration_seconds_count{labels} 1.0" in lines


async def test_scaling_is_asked_about_as_a_scale(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/most"] = patching({"op": "replace", "path": "/spec/replicas", "value": 3})
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    await guarded.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
    rules = [rule(apiGroups=["apps"], resources=["deployments/scale"])]
    await guarded.configure("mutating", hook(backend.client_config("/most"), rules=rules))
    path = "/apis/apps/v1/namespaces/default/deployments/web/scale"
    scale = {"metadata": {"name": "web"}, "spec": {"replicas": 7}}
    scaled = await guarded.server.client_for(ADMIN).document("PUT", path, scale)
    assert scaled["spec"]["replicas"] == 3
    [request] = backend.requests("/most")
    assert request["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert request["resource"] == {"group": "apps", "version": "v1", "resource": "deployments"}
    assert (request["oldObject"]["spec"], request["object"]["spec"]) == ({"replicas": 1}, {"replicas": 7})


async def test_a_webhook_that_breaks_who_owns_what_is_not_believed(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/break"] = patching(
        {"op": "replace", "path": "/metadata/managedFields/0/fieldsV1", "value": {"nonsense": {}}},
        {"op": "add", "path": "/data/marked", "value": "yes"},
    )
    await guarded.configure("mutating", hook(backend.client_config("/break")))
    stored = await guarded.create(CONFIG_MAPS, config_map("a", {"k": "v"}))
    [entry] = stored.metadata.managedFields
    assert entry.fieldsV1 == {"f:data": {".": {}, "f:k": {}}}
    assert stored.data == {"k": "v", "marked": "yes"}
    [warning] = guarded.warnings
    assert warning.startswith(".metadata.managedFields was in an invalid state after admission;")


async def test_autoscalers_are_shown_in_the_version_the_rule_names(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/most"] = patching({"op": "replace", "path": "/spec/maxReplicas", "value": 5})
    rules = [rule(apiGroups=["autoscaling"], resources=["horizontalpodautoscalers"])]
    await guarded.configure("mutating", hook(backend.client_config("/most"), rules=rules))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    half = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    metrics = [{"type": "Resource", "resource": half}]
    spec = {"scaleTargetRef": target, "maxReplicas": 9, "metrics": metrics}
    stored = await guarded.create(HORIZONTAL_POD_AUTOSCALERS, {"metadata": {"name": "web"}, "spec": spec})
    [request] = backend.requests("/most")
    assert (request["resource"]["version"], request["requestResource"]["version"]) == ("v1", "v2")
    assert request["object"]["spec"]["targetCPUUtilizationPercentage"] == 50
    assert (stored.spec.maxReplicas, stored.spec.metrics[0].resource.target.averageUtilization) == (5, 50)


async def test_webhooks_see_and_change_reviews(guarded: Guarded, backend: WebhookServer) -> None:
    backend.answers["/ask"] = patching({"op": "replace", "path": "/spec/resourceAttributes/verb", "value": "list"})
    asked = rule(apiGroups=["authorization.k8s.io"], resources=["subjectaccessreviews"], scope="Cluster")
    await guarded.configure("mutating", hook(backend.client_config("/ask"), rules=[asked]))
    await guarded.configure("validating", hook(backend.client_config("/allow"), rules=[asked]))
    spec = {"user": "u", "resourceAttributes": {"verb": "get", "resource": "pods"}}
    done = await guarded.server.post(SUBJECT_ACCESS_REVIEWS, "", "", "", {"spec": spec}, options())
    assert (done["spec"]["resourceAttributes"]["verb"], done["status"]) == ("list", {"allowed": False})
    [seen] = backend.requests("/allow")
    assert (seen["kind"]["kind"], seen["object"]["spec"]) == ("SubjectAccessReview", done["spec"])
