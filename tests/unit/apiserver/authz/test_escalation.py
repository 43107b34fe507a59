"""Nobody grants what they do not have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from proa.api.rbac_v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from proa.api.rbac_v1.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from proa.apiserver.authz.escalation import EscalationCheck
from proa.apiserver.authz.rbac import RbacAuthorizer
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import AUTHENTICATED, LOOPBACK, AccessAttributes, FirstOpinion, User
from proa.client.informer import Informers
from proa.client.protocol import Client
from proa.machinery.status import StatusError

ANN = User("ann", groups=("team", AUTHENTICATED))
GROUP = "rbac.authorization.k8s.io"
TYPES: dict[Any, Any] = {
    CLUSTER_ROLES: ClusterRole,
    ROLES: Role,
    CLUSTER_ROLE_BINDINGS: ClusterRoleBinding,
    ROLE_BINDINGS: RoleBinding,
}
READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
WRITE_RBAC = {"apiGroups": [GROUP], "resources": ["*"], "verbs": ["create", "update", "get", "patch"]}


class Policy:
    """Ann may write roles and bindings and read pods; `admin` may everything."""

    def __init__(self, server: ApiServer) -> None:
        self.admin: Client = server.client_for(LOOPBACK)
        self.ann: Client = server.client_for(ANN)
        self.rbac: RbacAuthorizer

    async def make(self, client: Client, resource: Any, name: str, **content: Any) -> Any:
        meta = {"name": name, **({"namespace": "default"} if resource.namespaced else {})}
        generation = self.rbac.generation
        made = await client.create(resource, msgspec.convert({"metadata": meta, **content}, TYPES[resource]))
        while self.rbac.generation == generation:  # noqa: ASYNC110  # its informer tells nobody else
            await asyncio.sleep(0)
        return made

    async def bind(self, client: Client, resource: Any, name: str, kind: str, role: str, user: str = "ann") -> Any:
        reference = {"apiGroup": GROUP, "kind": kind, "name": role}
        return await self.make(
            client, resource, name, roleRef=reference, subjects=[{"kind": "User", "apiGroup": GROUP, "name": user}]
        )

    async def let_ann(self, name: str, *rules: dict[str, Any]) -> None:
        await self.make(self.admin, CLUSTER_ROLES, name, rules=list(rules))
        await self.bind(self.admin, CLUSTER_ROLE_BINDINGS, name, "ClusterRole", name)


@pytest.fixture
async def policy(server: ApiServer) -> AsyncIterator[Policy]:
    informers = Informers(server.client_for(LOOPBACK))
    rbac = RbacAuthorizer(informers)
    server.install(authorizers=[rbac], admission=[EscalationCheck(rbac, FirstOpinion([rbac]))])
    await informers.start()
    await rbac.synced()
    made = Policy(server)
    made.rbac = rbac
    await made.let_ann("write-policy", WRITE_RBAC, READ_PODS)
    yield made
    await informers.close()


async def test_a_role_may_hold_what_its_writer_holds(policy: Policy) -> None:
    await policy.make(policy.ann, ROLES, "reader", rules=[READ_PODS])


async def test_a_role_with_more_is_refused_and_the_refusal_lists_what_is_missing(policy: Policy) -> None:
    more = {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "delete"]}
    with pytest.raises(StatusError) as refused:
        await policy.make(policy.ann, ROLES, "more", rules=[more])
    assert refused.value.code == 403
    assert refused.value.message == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "ann" (groups=["team" "system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}'
    )


async def test_an_update_is_checked_as_a_create_is(policy: Policy) -> None:
    await policy.make(policy.ann, ROLES, "reader", rules=[READ_PODS])
    with pytest.raises(StatusError, match="not currently held"):
        await policy.ann.patch(
            ROLES, "reader", "default", {"rules": [{**READ_PODS, "verbs": ["delete"]}]}, type="merge"
        )


async def test_who_may_escalate_may_write_any_role(policy: Policy) -> None:
    await policy.let_ann("escalate", {"apiGroups": [GROUP], "resources": ["clusterroles"], "verbs": ["escalate"]})
    await policy.make(policy.ann, CLUSTER_ROLES, "all", rules=[{"nonResourceURLs": ["/x"], "verbs": ["get"]}])
    with pytest.raises(StatusError, match="not currently held"):
        await policy.make(policy.ann, ROLES, "more", rules=[{**READ_PODS, "verbs": ["delete"]}])


async def test_an_aggregating_role_takes_all_there_is(policy: Policy) -> None:
    rule = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    with pytest.raises(StatusError, match="must have cluster-admin privileges to use the aggregationRule"):
        await policy.make(policy.ann, CLUSTER_ROLES, "gathers", aggregationRule=rule)
    await policy.make(policy.admin, CLUSTER_ROLES, "gathers", aggregationRule=rule)


async def test_a_role_can_be_bound_by_who_holds_it(policy: Policy) -> None:
    await policy.make(policy.admin, ROLES, "reader", rules=[READ_PODS])
    await policy.bind(policy.ann, ROLE_BINDINGS, "reads", "Role", "reader", "bob")


async def test_a_role_with_more_cannot_be_bound_without_the_verb_bind_on_it(policy: Policy) -> None:
    writes = {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}
    await policy.make(policy.admin, CLUSTER_ROLES, "writer", rules=[writes])
    await policy.make(policy.admin, CLUSTER_ROLES, "other", rules=[writes])
    with pytest.raises(StatusError, match="not currently held") as refused:
        await policy.bind(policy.ann, CLUSTER_ROLE_BINDINGS, "writes", "ClusterRole", "writer", "bob")
    assert refused.value.code == 403
    bind = {"apiGroups": [GROUP], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["writer"]}
    await policy.let_ann("binds", bind)
    await policy.bind(policy.ann, CLUSTER_ROLE_BINDINGS, "writes", "ClusterRole", "writer", "bob")
    with pytest.raises(StatusError, match="not currently held"):
        await policy.bind(policy.ann, CLUSTER_ROLE_BINDINGS, "others", "ClusterRole", "other", "bob")


async def test_only_a_role_that_exists_can_be_bound(policy: Policy) -> None:
    with pytest.raises(StatusError, match='"missing" not found') as refused:
        await policy.bind(policy.ann, ROLE_BINDINGS, "reads", "Role", "missing")
    assert refused.value.code == 404


async def test_the_role_of_a_binding_never_changes(policy: Policy) -> None:
    await policy.make(policy.admin, ROLES, "reader", rules=[READ_PODS])
    await policy.bind(policy.admin, ROLE_BINDINGS, "reads", "Role", "reader")
    with pytest.raises(StatusError, match="cannot change roleRef") as refused:
        await policy.admin.patch(ROLE_BINDINGS, "reads", "default", {"roleRef": {"name": "x"}}, type="merge")
    assert refused.value.code == 422


async def test_the_garbage_collector_may_touch_a_role_it_does_not_hold(policy: Policy) -> None:
    await policy.make(policy.admin, ROLES, "more", rules=[{**READ_PODS, "verbs": ["delete"]}])
    patch = {"metadata": {"finalizers": ["acme.com/keep"]}}
    changed = await policy.ann.patch(ROLES, "more", "default", patch, type="merge")
    assert changed.metadata.finalizers == ("acme.com/keep",)
    with pytest.raises(StatusError, match="not currently held"):
        await policy.ann.patch(ROLES, "more", "default", {"metadata": {"labels": {"a": "b"}}}, type="merge")


async def test_a_decision_says_by_which_binding(policy: Policy) -> None:
    decision = policy.rbac.authorize(AccessAttributes(ANN, "get", resource="pods", name="x"))
    assert decision.reason == (
        'RBAC: allowed by ClusterRoleBinding "write-policy" of ClusterRole "write-policy" to User "ann"'
    )
