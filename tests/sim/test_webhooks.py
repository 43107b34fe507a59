"""Admission webhooks on a whole control plane: the life of configurations, and what they do to everything else.

Time is virtual, so the webhooks answer in this process; what they are asked and what their answers mean is the same as
over a connection (tests/unit/apiserver/webhooks).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.sim.conftest import ControlPlane
from tests.webhook_server import Answer, answering, denying, patching

from proa.apiserver.webhooks.client import WebhookClient
from proa.machinery.status import StatusError

Simulate = Callable[..., float]
Document = dict[str, Any]

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


class LocalWebhooks(WebhookClient):
    """The client of webhooks, but that its posts end here."""

    def __init__(self, plane: ControlPlane, answers: Mapping[str, Answer]) -> None:
        super().__init__(plane.server.services)
        self.answers = answers
        self.asked: list[Document] = []

    async def _post(self, url: str, data: bytes, context: Any, headers: Mapping[str, str]) -> tuple[int, bytes]:
        review = msgspec.json.decode(data)
        self.asked.append(review["request"])
        answer = self.answers[urlsplit(url).path](review)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return 200, msgspec.json.encode(answer)


class Scene:
    """A control plane with these webhooks, written to in plain JSON."""

    def __init__(self, plane: ControlPlane, answers: Mapping[str, Answer]) -> None:
        self.plane = plane
        self.webhooks = plane.server.webhooks = LocalWebhooks(plane, answers)

    async def do(self, method: str, path: str, body: Any = None, **query: str) -> Document:
        found = await self.plane.client.document(method, path, body, query=query)
        await self.plane.clock.settle()
        return found

    async def create(self, path: str, name: str, **rest: Any) -> Document:
        return await self.do("POST", path, {"metadata": {"name": name, **rest.pop("metadata", {})}, **rest})

    async def configure(self, kind: str, *hooks: Document, name: str = "hooks", **metadata: Any) -> Document:
        path = f"{CONFIGURATIONS}/{kind}webhookconfigurations"
        return await self.create(path, name, metadata=metadata, webhooks=list(hooks))

    async def refused(self, method: str, path: str, body: Any = None, **query: str) -> StatusError:
        with pytest.raises(StatusError) as caught:
            await self.do(method, path, body, **query)
        return caught.value


def hook(path: str, *resources: str, operations: tuple[str, ...] = ("*",), group: str = "", **more: Any) -> Document:
    rule = {
        "operations": list(operations),
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": list(resources or ("configmaps",)),
    }
    return {
        "name": f"{path.strip('/')}.example.com",
        "clientConfig": {"url": f"https://hooks.example.com{path}"},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1", "v1beta1"],
        **more,
    }


def config_map(name: str, **data: str) -> Document:
    return {"metadata": {"name": name}, "data": data}


def pod(name: str, **metadata: Any) -> Document:
    return {"metadata": {"name": name, **metadata}, "spec": {"containers": [{"name": "main", "image": "v1"}]}}


def judging(wrong: Callable[[Document], str]) -> Answer:
    """Refuses objects that `wrong` says something about."""

    def answer(review: Document) -> Document:
        why = wrong(review["request"]["object"] or review["request"]["oldObject"])
        return (denying(why) if why else answering())(review)

    return answer


def forbidden_data(obj: Document) -> str:
    return "the data is forbidden" if (obj.get("data") or {}).get("bad") == "yes" else ""


def stage(number: int) -> Answer:
    """Adds its own mark to objects that have the one before it."""

    def answer(review: Document) -> Document:
        before = "start" if number == 1 else f"stage-{number - 1}"
        if before not in (review["request"]["object"].get("data") or {}):
            return answering()(review)
        return patching({"op": "add", "path": f"/data/stage-{number}", "value": "yes"})(review)

    return answer


def sleeping(seconds: float) -> Answer:
    async def answer(review: Document) -> Document:
        await asyncio.sleep(seconds)
        return answering()(review)

    return answer


def test_webhook_configurations_are_found_in_discovery(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {})
        groups = await scene.do("GET", "/apis")
        assert "admissionregistration.k8s.io" in {each["name"] for each in groups["groups"]}
        resources = (await scene.do("GET", CONFIGURATIONS))["resources"]
        assert {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} <= {
            each["name"] for each in resources
        }

    simulate(body)


def test_what_does_not_comply_can_be_neither_created_nor_become_so(simulate: Simulate) -> None:
    def unlabelled(obj: Document) -> str:
        labels = obj["metadata"].get("labels") or {}
        return "the pod contains unwanted label" if "unwanted" in labels else ""

    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {"/pods": judging(unlabelled), "/maps": judging(forbidden_data), "/hang": sleeping(60)})
        await scene.create("/api/v1/namespaces", "free", metadata={"labels": {"skip": "yes"}})
        not_free = {"matchExpressions": [{"key": "skip", "operator": "NotIn", "values": ["yes"]}]}
        await scene.configure(
            "validating",
            hook("/pods", "pods", operations=("CREATE",)),
            hook("/maps", operations=("CREATE", "UPDATE"), namespaceSelector=not_free),
            hook("/hang", "pods", objectSelector={"matchLabels": {"hang": "yes"}}),
        )
        error = await scene.refused("POST", PODS, pod("a", labels={"unwanted": "yes"}))
        assert error.message == (
            'admission webhook "pods.example.com" denied the request: the pod contains unwanted label'
        )
        before = plane.clock.monotonic()
        error = await scene.refused("POST", PODS, pod("hangs", labels={"hang": "yes"}))
        assert "context deadline exceeded" in error.message
        assert plane.clock.monotonic() - before == pytest.approx(10, abs=0.1)
        assert (await scene.refused("GET", f"{PODS}/hangs")).code == 404
        assert "the data is forbidden" in (await scene.refused("POST", MAPS, config_map("a", bad="yes"))).message
        await scene.do("POST", MAPS, config_map("a", good="yes"))
        await scene.refused("PUT", f"{MAPS}/a", config_map("a", bad="yes"))
        assert (await scene.do("GET", f"{MAPS}/a"))["data"] == {"good": "yes"}
        await scene.do("POST", "/api/v1/namespaces/free/configmaps", config_map("a", bad="yes"))

    simulate(body)


def test_a_webhook_that_cannot_be_trusted_closes_or_opens_as_its_policy_says(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {})
        away = {"service": {"namespace": "default", "name": "away", "path": "/x"}, "caBundle": "bm9wZQ=="}
        await scene.configure("validating", hook("/x", clientConfig=away), name="closed")
        error = await scene.refused("POST", MAPS, config_map("a"))
        assert (error.code, error.reason) == (500, "InternalError")
        await scene.do("DELETE", f"{CONFIGURATIONS}/validatingwebhookconfigurations/closed")
        await scene.configure("validating", hook("/x", clientConfig=away, failurePolicy="Ignore"), name="open")
        await scene.do("POST", MAPS, config_map("a"))

    simulate(body)


def test_later_webhooks_see_what_earlier_ones_added(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {"/one": stage(1), "/two": stage(2)})
        await scene.configure("mutating", hook("/one"), hook("/two"))
        made = await scene.do("POST", MAPS, config_map("a", start="yes"))
        assert made["data"] == {"start": "yes", "stage-1": "yes", "stage-2": "yes"}

    simulate(body)


def test_what_a_webhook_adds_to_a_pod_gets_defaults(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        added = {"name": "added", "image": "init", "resources": {}}
        scene = Scene(plane, {"/init": patching({"op": "add", "path": "/spec/initContainers", "value": [added]})})
        await scene.configure("mutating", hook("/init", "pods", operations=("CREATE",)))
        made = await scene.do("POST", PODS, pod("a"))
        [init] = made["spec"]["initContainers"]
        assert (init["name"], init["terminationMessagePolicy"]) == ("added", "File")
        mounts = [each["name"] for each in init["volumeMounts"]]
        assert any(name.startswith("kube-api-access-") for name in mounts)  # built-in plugins ran once more

    simulate(body)


def test_a_timeout_fails_only_what_is_slower_and_not_to_be_ignored(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {"/slow": sleeping(5)})
        for number, (more, passes) in enumerate(
            (
                ({"timeoutSeconds": 1, "failurePolicy": "Fail"}, False),
                ({"timeoutSeconds": 1, "failurePolicy": "Ignore"}, True),
                ({"timeoutSeconds": 10, "failurePolicy": "Fail"}, True),
                ({}, True),
            )
        ):
            await scene.configure("validating", hook("/slow", **more))
            if passes:
                await scene.do("POST", MAPS, config_map(f"a{number}"))
            else:
                error = await scene.refused("POST", MAPS, config_map(f"a{number}"))
                assert error.message.endswith('/slow?timeout=1s": context deadline exceeded')
            await scene.do("DELETE", f"{CONFIGURATIONS}/validatingwebhookconfigurations/hooks")

    simulate(body)


@pytest.mark.parametrize("kind", ["validating", "mutating"])
def test_a_changed_configuration_is_effective_at_once(simulate: Simulate, kind: str) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {"/x": denying("no")})
        path = f"{CONFIGURATIONS}/{kind}webhookconfigurations/hooks"
        made = await scene.configure(kind, hook("/x", operations=("CREATE",)))
        await scene.refused("POST", MAPS, config_map("a"))
        made["webhooks"][0]["rules"][0]["operations"] = ["UPDATE"]
        changed = await scene.do("PUT", path, made)
        assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
        assert changed["metadata"]["generation"] == 2
        await scene.do("POST", MAPS, config_map("a"))
        changed["webhooks"][0]["rules"][0]["operations"] = ["CREATE"]
        await scene.do("PUT", path, changed)
        await scene.refused("POST", MAPS, config_map("b"))

    simulate(body)


@pytest.mark.parametrize("kind", ["validating", "mutating"])
def test_configurations_are_listed_and_deleted_by_their_labels(simulate: Simulate, kind: str) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {"/x": denying("no")})
        path = f"{CONFIGURATIONS}/{kind}webhookconfigurations"
        for number in range(10):
            await scene.configure(kind, hook("/x"), name=f"hooks-{number}", labels={"of": "us"})
        await scene.configure(kind, hook("/x", "secrets"), name="others")
        assert len((await scene.do("GET", path, labelSelector="of=us"))["items"]) == 10
        await scene.refused("POST", MAPS, config_map("a"))
        await scene.do("DELETE", path, labelSelector="of=us")
        await scene.do("POST", MAPS, config_map("a"))
        assert [each["metadata"]["name"] for each in (await scene.do("GET", path))["items"]] == ["others"]

    simulate(body)


@pytest.mark.parametrize("kind", ["validating", "mutating"])
def test_match_conditions_are_kept_changed_and_checked(simulate: Simulate, kind: str) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {"/x": denying("no")})
        production = {"name": "expression-1", "expression": "object.metadata.namespace == 'production'"}
        made = await scene.configure(kind, hook("/x", matchConditions=[production]))
        assert made["webhooks"][0]["matchConditions"] == [production]
        staging = {"name": "expression-2", "expression": "object.metadata.namespace == 'staging'"}
        made["webhooks"][0]["matchConditions"] = [production, staging]
        path = f"{CONFIGURATIONS}/{kind}webhookconfigurations"
        changed = await scene.do("PUT", f"{path}/hooks", made)
        assert changed["webhooks"][0]["matchConditions"] == [production, staging]
        broken = hook("/x", matchConditions=[{"name": "invalid", "expression": "... [] bad expression"}])
        error = await scene.refused("POST", path, {"metadata": {"name": "broken"}, "webhooks": [broken]})
        assert error.code == 422
        assert "compilation failed" in error.message

    simulate(body)


def test_everything_but_what_the_condition_leaves_out_is_mutated(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {"/one": stage(1)})
        conditions = [{"name": "skip-me", "expression": "object.metadata.name != 'skip-me'"}]
        await scene.configure("mutating", hook("/one", matchConditions=conditions))
        assert "stage-1" in (await scene.do("POST", MAPS, config_map("a", start="yes")))["data"]
        assert "stage-1" not in (await scene.do("POST", MAPS, config_map("skip-me", start="yes")))["data"]

    simulate(body)


def test_the_definition_of_custom_resources_can_be_denied(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane, {"/crd": denying("the crd contains unwanted label")})
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        await scene.configure(
            "validating",
            hook("/crd", "customresourcedefinitions", group="apiextensions.k8s.io", operations=("CREATE",)),
        )
        error = await scene.refused("POST", definitions, definition())
        assert "the crd contains unwanted label" in error.message
        assert (await scene.do("GET", definitions))["items"] == []

    simulate(body)


def definition(*versions: Document) -> Document:
    """widgets.example.com."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": list(versions or (version,)),
        },
    }
