"""ClusterRoles that gather the rules of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from tests.sim.conftest import ControlPlane

from proa.api.rbac_v1 import AggregationRule, ClusterRole, PolicyRule
from proa.api.rbac_v1.resources import CLUSTER_ROLES
from proa.machinery.meta import LabelSelector, ObjectMeta

GATHER = AggregationRule(clusterRoleSelectors=(LabelSelector(matchLabels={"gather": "yes"}),))


def role(name: str, *resources: str, gathers: bool = False, **labels: str) -> ClusterRole:
    rules = tuple(PolicyRule(verbs=("get",), apiGroups=("",), resources=(each,)) for each in resources)
    return ClusterRole(
        metadata=ObjectMeta(name=name, labels=labels), rules=rules, aggregationRule=GATHER if gathers else None
    )


def test_a_role_follows_the_roles_it_selects(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        client = plane.client

        async def gathered() -> list[str]:
            found: Any = await client.get(CLUSTER_ROLES, "all")
            return [resource for rule in found.rules for resource in rule.resources]

        async def becomes(*resources: str) -> None:
            async def same() -> bool:
                return await gathered() == list(resources)

            await plane.until(same)

        await client.create(CLUSTER_ROLES, role("all", "own", gathers=True, gather="yes"))
        await becomes()
        await client.create(CLUSTER_ROLES, role("b", "pods", "secrets", gather="yes"))
        await client.create(CLUSTER_ROLES, role("a", "nodes", "pods", gather="yes"))
        await client.create(CLUSTER_ROLES, role("c", "services", gather="no"))
        await becomes("nodes", "pods", "secrets")
        await client.delete(CLUSTER_ROLES, "a")
        await becomes("pods", "secrets")
        changed = msgspec.structs.replace(await client.get(CLUSTER_ROLES, "b"), rules=())
        await client.update(CLUSTER_ROLES, changed)
        await becomes()

    simulate(body)
