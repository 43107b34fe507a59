"""PUT of what is not there: made for some kinds, not found for all others."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from tests.unit.apiserver.conftest import NOBODY, Tokens, config_map

from proa.api.coordination_v1.resources import LEASES
from proa.api.coordination_v1.types import Lease, LeaseSpec
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import AccessAttributes, Decision, SubjectRules, User, Verdict
from proa.machinery.meta import ObjectMeta
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError

LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/a"


def lease(holder: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", **more}, "spec": {"holderIdentity": holder}}


class OnlyUpdates:
    """Who is nobody may update, and no more."""

    generation = 0

    def authorize(self, attributes: AccessAttributes) -> Decision:
        return Decision(Verdict.ALLOW if attributes.verb == "update" else Verdict.NO_OPINION)

    async def decide(self, attributes: AccessAttributes) -> Decision:
        return self.authorize(attributes)

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules()


class Seen:
    """What admission was asked: operation, namespace, name, and whether there was no older object."""

    name = "Seen"

    def __init__(self) -> None:
        self.operations: list[tuple[str, str, str, bool]] = []

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource == LEASES

    async def validate(self, attributes: Attributes) -> None:
        seen = attributes.operation, attributes.namespace, attributes.name, attributes.old is None
        self.operations.append(seen)


ROLE_REF = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
EVENT = {"involvedObject": {"namespace": "default"}}
NEW_EVENT = {
    "regarding": {"namespace": "default"},
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "reportingController": "me",
    "reportingInstance": "me",
    "action": "do",
    "reason": "so",
    "type": "Normal",
}


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/api/v1/namespaces/default/services", {"spec": {"ports": [{"port": 80}]}}),
        ("/api/v1/namespaces/default/endpoints", {}),
        ("/api/v1/namespaces/default/events", EVENT),
        ("/apis/events.k8s.io/v1/namespaces/default/events", NEW_EVENT),
        ("/api/v1/namespaces/default/limitranges", {"spec": {"limits": []}}),
        ("/apis/coordination.k8s.io/v1/namespaces/default/leases", {"spec": {}}),
        ("/apis/node.k8s.io/v1/runtimeclasses", {"handler": "h"}),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", {"rules": []}),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", {"roleRef": ROLE_REF}),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", {"rules": []}),
        ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {"roleRef": ROLE_REF}),
    ],
)
async def test_some_kinds_are_made_by_replacing_what_is_not_there(
    http: aiohttp.ClientSession, path: str, rest: dict[str, Any]
) -> None:
    document = {"metadata": {"name": "new-one"}, **rest}
    async with http.put(f"{path}/new-one", json=document) as answer:
        made = await answer.json()
        assert answer.status == 201, made
    assert made["metadata"]["uid"]
    async with http.put(f"{path}/new-one", json=made) as answer:
        assert (answer.status, (await answer.json())["metadata"]["uid"]) == (200, made["metadata"]["uid"])


async def test_other_kinds_are_not_found(http: aiohttp.ClientSession) -> None:
    async with http.put("/api/v1/namespaces/default/configmaps/a", json=config_map("a")) as answer:
        assert (answer.status, (await answer.json())["message"]) == (404, 'configmaps "a" not found')


async def test_a_version_guards_nothing_where_nothing_is(http: aiohttp.ClientSession) -> None:
    async with http.put(LEASE, json=lease("me", resourceVersion="7")) as answer:
        assert answer.status == 201


async def test_who_replaces_what_is_there_without_its_version_is_told_of_the_resource(
    http: aiohttp.ClientSession,
) -> None:
    async with http.put(LEASE, json=lease("me")) as answer:
        assert answer.status == 201
    async with http.put(LEASE, json=lease("you")) as answer:
        body = await answer.json()
    assert (answer.status, body["message"]) == (
        422,
        'leases.coordination.k8s.io "a" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for '
        "an update",
    )


async def test_what_names_a_uid_is_meant_for_that_object_alone(http: aiohttp.ClientSession) -> None:
    async with http.put(LEASE, json=lease("me", uid="u")) as answer:
        body = await answer.json()
    assert (answer.status, body["message"]) == (
        409,
        'Operation cannot be fulfilled on leases.coordination.k8s.io "a": Precondition failed: UID in precondition: '
        "u, UID in object meta: ",
    )


async def test_a_dry_run_makes_nothing(http: aiohttp.ClientSession) -> None:
    async with http.put(f"{LEASE}?dryRun=All", json=lease("me")) as answer:
        assert answer.status == 201
    async with http.get(LEASE) as answer:
        assert answer.status == 404


async def test_what_is_made_is_admitted_as_new(listening: ApiServer, http: aiohttp.ClientSession) -> None:
    plugin = Seen()
    listening.install(authenticators=[Tokens()], admission=[plugin])
    async with http.put(LEASE, json=lease("me")) as answer:
        made = await answer.json()
    async with http.put(LEASE, json=made) as answer:
        assert answer.status == 200
    assert plugin.operations == [("CREATE", "default", "a", True), ("UPDATE", "default", "a", False)]


async def test_a_warning_is_given_once(http: aiohttp.ClientSession) -> None:
    data = b'{"metadata":{"name":"a"},"spec":{"holderIdentity":"x","holderIdentity":"y"},"colour":1}'
    async with http.put(LEASE, data=data, headers={"Content-Type": "application/json"}) as answer:
        warnings = answer.headers.getall("Warning")
    assert sorted(warnings) == [
        '299 - "duplicate field \\"spec.holderIdentity\\""',
        '299 - "unknown field \\"colour\\""',
    ]


async def test_who_may_not_create_replaces_only_what_is_there(
    listening: ApiServer, http: aiohttp.ClientSession
) -> None:
    listening.install(authenticators=[Tokens()], authorizers=[OnlyUpdates()])
    nobody = {"Authorization": "Bearer nobody"}
    async with http.put(LEASE, json=lease("me"), headers=nobody) as answer:
        body = await answer.json()
    assert (answer.status, body["message"]) == (
        403,
        'leases.coordination.k8s.io "a" is forbidden: User "nobody" cannot create resource "leases" in API group '
        '"coordination.k8s.io" in the namespace "default"',
    )
    client = listening.client_for(NOBODY)
    with pytest.raises(StatusError, match="cannot create resource"):
        await client.update(LEASES, Lease(metadata=ObjectMeta(name="a", namespace="default"), spec=LeaseSpec()))
    async with http.put(LEASE, json=lease("admin")) as answer:
        made = await answer.json()
    made["spec"]["holderIdentity"] = "me"
    async with http.put(LEASE, json=made, headers=nobody) as answer:
        assert (answer.status, (await answer.json())["spec"]["holderIdentity"]) == (200, "me")
