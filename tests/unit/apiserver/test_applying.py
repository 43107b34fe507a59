"""Server-side apply over HTTP: through subresources, and by whom objects are made."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from tests.unit.apiserver.conftest import NOBODY, Tokens, config_map, options, pod

from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1.resources import CONFIG_MAPS, PODS
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import AccessAttributes, Decision, SubjectRules, User, Verdict
from proa.machinery.status import StatusError

SCALE = "/apis/apps/v1/namespaces/default/deployments/d/scale"
APPLY = {"Content-Type": "application/apply-patch+yaml"}


@pytest.fixture
async def deployment(listening: ApiServer) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    document = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    await listening.registry(DEPLOYMENTS).create("default", document, options())


def scale(replicas: int | None) -> str:
    spec = {} if replicas is None else {"replicas": replicas}
    return json.dumps({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": spec})


def owners(document: dict[str, Any]) -> dict[tuple[str, str, str], Any]:
    entries = document["metadata"]["managedFields"]
    return {(each["manager"], each["operation"], each.get("subresource", "")): each["fieldsV1"] for each in entries}


class OnlyPatches:
    """Who is nobody may patch, and no more."""

    generation = 0

    def authorize(self, attributes: AccessAttributes) -> Decision:
        return Decision(Verdict.ALLOW if attributes.verb == "patch" else Verdict.NO_OPINION)

    async def decide(self, attributes: AccessAttributes) -> Decision:
        return self.authorize(attributes)

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules()


async def test_who_may_not_create_applies_only_to_what_is_there(
    listening: ApiServer, http: aiohttp.ClientSession
) -> None:
    listening.install(authenticators=[Tokens()], authorizers=[OnlyPatches()])
    path = "/api/v1/namespaces/default/configmaps/a"
    data = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"}})
    nobody = {**APPLY, "Authorization": "Bearer nobody"}
    async with http.patch(path, data=data, headers=nobody, params={"fieldManager": "me"}) as answer:
        body = await answer.json()
    assert (answer.status, body["message"]) == (
        403,
        'configmaps "a" is forbidden: User "nobody" cannot create resource "configmaps" in API group "" in the '
        'namespace "default"',
    )
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"}}
    client = listening.client_for(NOBODY)
    with pytest.raises(StatusError, match="cannot create resource"):
        await client.patch(CONFIG_MAPS, "a", "default", dict(manifest), type="apply", field_manager="me")
    await listening.registry(CONFIG_MAPS).create("default", config_map("a", {"x": "y"}), options())
    async with http.patch(path, data=data, headers=nobody, params={"fieldManager": "me"}) as answer:
        assert (answer.status, (await answer.json())["data"]) == (200, {"x": "y", "k": "v"})


async def test_what_names_two_elements_alike_cannot_be_applied(http: aiohttp.ClientSession) -> None:
    meta = {"name": "a", "namespace": "default", "finalizers": ["e.com/a", "e.com/a"]}
    data = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "more": 1})
    path = "/api/v1/namespaces/default/configmaps/a"
    async with http.patch(path, data=data, headers=APPLY, params={"fieldManager": "me"}) as answer:
        body = await answer.json()
    assert (answer.status, body.get("reason"), body["message"]) == (
        500,
        None,
        "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): errors:\n"
        "  .more: field not declared in schema\n"
        '  .metadata.finalizers: duplicate entries for key [="e.com/a"]',
    )


@pytest.mark.usefixtures("deployment")
async def test_an_applied_scale_owns_the_replicas_of_its_object(http: aiohttp.ClientSession) -> None:
    query = {"fieldManager": "me", "force": "true"}  # the defaulted replicas are the creator's
    async with http.patch(SCALE, data=scale(3), headers=APPLY, params=query) as answer:
        assert (answer.status, (await answer.json())["spec"]) == (200, {"replicas": 3})
    async with http.get(SCALE.removesuffix("/scale")) as answer:
        mine = owners(await answer.json())["me", "Apply", "scale"]
    assert mine == {"f:spec": {"f:replicas": {}}}
    async with http.patch(SCALE, data=scale(4), headers=APPLY, params={"fieldManager": "you"}) as answer:
        status = await answer.json()
    assert answer.status == 409
    assert 'conflict with "me" with subresource "scale"' in status["message"]
    async with http.patch(SCALE, data=scale(4), headers=APPLY, params=query) as answer:
        assert (await answer.json())["spec"] == {"replicas": 4}
    async with http.patch(SCALE, data=scale(-1), headers=APPLY, params=query) as answer:
        assert answer.status == 422


@pytest.mark.usefixtures("deployment")
async def test_who_applies_says_under_which_name(http: aiohttp.ClientSession) -> None:
    body = '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}'
    for path, data in ((SCALE, scale(1)), (SCALE.removesuffix("/scale"), body)):
        async with http.patch(path, data=data, headers=APPLY) as answer:
            status = await answer.json()
        assert (answer.status, status["message"]) == (
            422,
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        )


@pytest.mark.parametrize("content_type", ["application/merge-patch+json", "application/apply-patch+yaml"])
async def test_writers_of_a_part_own_it_through_its_subresource(
    http: aiohttp.ClientSession, listening: ApiServer, content_type: str
) -> None:
    await listening.registry(PODS).create("default", pod("p"), options())
    part = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"ephemeralContainers": [{"name": "debug", "image": "i"}]},
    }
    path = "/api/v1/namespaces/default/pods/p/ephemeralcontainers"
    headers, query = {"Content-Type": content_type}, {"fieldManager": "me"}
    async with http.patch(path, data=json.dumps(part), headers=headers, params=query) as answer:
        body = await answer.json()
    assert answer.status == 200
    operation = "Apply" if "apply" in content_type else "Update"
    mine = owners(body)["me", operation, "ephemeralcontainers"]
    assert 'k:{"name":"debug"}' in mine["f:spec"]["f:ephemeralContainers"]
