"""The default policy is made, repaired and left alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.rbac_v1.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from proa.apiserver.authz.bootstrap import ensure_default_policy
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import LOOPBACK
from proa.client.protocol import Client


@pytest.fixture
async def client(server: ApiServer) -> Client:
    client: Client = server.client_for(LOOPBACK)
    await ensure_default_policy(client)
    return client


async def role(client: Client, name: str) -> Any:
    return msgspec.json.decode(msgspec.json.encode(await client.get(CLUSTER_ROLES, name)))


async def test_a_second_time_changes_nothing(client: Client) -> None:
    before = await client.list(CLUSTER_ROLES)
    await ensure_default_policy(client)
    after = await client.list(CLUSTER_ROLES)
    assert {each.metadata.resourceVersion for each in before.items} == {
        each.metadata.resourceVersion for each in after.items
    }


async def test_what_was_taken_away_comes_back_and_what_was_added_stays(client: Client) -> None:
    extra = {"apiGroups": ["acme.com"], "resources": ["things"], "verbs": ["get"]}
    await client.patch(
        CLUSTER_ROLES, "system:discovery", "", {"rules": [extra], "metadata": {"labels": None}}, type="merge"
    )
    await ensure_default_policy(client)
    found = await role(client, "system:discovery")
    assert found["rules"][0] == extra
    assert any("/healthz" in each.get("nonResourceURLs", ()) for each in found["rules"])
    assert found["metadata"]["labels"] == {"kubernetes.io/bootstrapping": "rbac-defaults"}


async def test_what_is_covered_by_a_wider_rule_is_not_lacking(client: Client) -> None:
    everything = {"nonResourceURLs": ["*"], "verbs": ["*"]}
    await client.patch(CLUSTER_ROLES, "system:discovery", "", {"rules": [everything]}, type="merge")
    await ensure_default_policy(client)
    assert (await role(client, "system:discovery"))["rules"] == [everything]


async def test_who_says_so_is_left_alone(client: Client) -> None:
    annotation = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    patch = {"rules": [], "metadata": {"annotations": annotation}}
    await client.patch(CLUSTER_ROLES, "system:discovery", "", patch, type="merge")
    await ensure_default_policy(client)
    assert (await role(client, "system:discovery")).get("rules", []) == []


async def test_an_aggregated_role_gets_back_its_selectors_only(client: Client) -> None:
    await client.patch(CLUSTER_ROLES, "view", "", {"aggregationRule": None, "rules": []}, type="merge")
    await ensure_default_policy(client)
    found = await role(client, "view")
    assert found["aggregationRule"]["clusterRoleSelectors"][0]["matchLabels"] == {
        "rbac.authorization.k8s.io/aggregate-to-view": "true"
    }
    assert found.get("rules", []) == []


async def test_a_binding_to_another_role_is_made_anew(client: Client) -> None:
    name = "system:discovery"
    binding = await client.get(CLUSTER_ROLE_BINDINGS, name)
    await client.delete(CLUSTER_ROLE_BINDINGS, name)
    meta = msgspec.structs.replace(binding.metadata, uid="", resourceVersion="")
    other = msgspec.structs.replace(binding.roleRef, name="view")
    await client.create(CLUSTER_ROLE_BINDINGS, msgspec.structs.replace(binding, metadata=meta, roleRef=other))
    await ensure_default_policy(client)
    assert (await client.get(CLUSTER_ROLE_BINDINGS, name)).roleRef.name == name
