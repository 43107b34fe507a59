"""Brings the default roles and bindings to the API at start-up, as upstream's reconciliation does.

Missing objects are made; existing ones get back what they lack of their default rules, subjects and labels, unless
their autoupdate annotation says otherwise. Nothing that was added is taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from proa.api.rbac_v1 import PolicyRule
from proa.api.rbac_v1.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from proa.apiserver.authz.default_cluster_roles import BINDINGS
from proa.apiserver.authz.default_cluster_roles import CLUSTER_ROLES as DEFAULT_CLUSTER_ROLES
from proa.apiserver.authz.default_controller_roles import CONTROLLER_ROLES, NAMESPACE_ROLES
from proa.apiserver.authz.roles import Document, binding_document, controller_binding, is_managed, role_documents
from proa.client.protocol import Client
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_already_exists, is_conflict
from proa.rules.rbac import uncovered

_RESOURCES: dict[str, Resource[Any]] = {
    "ClusterRole": CLUSTER_ROLES,
    "Role": ROLES,
    "ClusterRoleBinding": CLUSTER_ROLE_BINDINGS,
    "RoleBinding": ROLE_BINDINGS,
}


def default_documents() -> Iterable[Document]:
    """Every default role and binding."""
    yield from role_documents((*DEFAULT_CLUSTER_ROLES, *CONTROLLER_ROLES, *NAMESPACE_ROLES))
    yield from (binding_document(each) for each in BINDINGS)
    yield from (binding_document(controller_binding(each)) for each in CONTROLLER_ROLES)


async def ensure_default_policy(client: Client) -> None:
    """Create or repair the default policy. Needs the namespaces kube-system and kube-public."""
    present: set[tuple[str, str, str]] = set()
    for kind, resource in _RESOURCES.items():
        listing = await client.list(resource)
        present |= {(kind, each.metadata.namespace, each.metadata.name) for each in listing.items}
    await asyncio.gather(*(_ensure(client, each, present) for each in default_documents()))


async def _ensure(client: Client, document: Document, present: set[tuple[str, str, str]]) -> None:
    metadata = document["metadata"]
    resource = _RESOURCES[document["kind"]]
    if (document["kind"], metadata.get("namespace", ""), metadata["name"]) not in present:
        try:
            await client.create(resource, msgspec.convert(document, resource.type))
        except StatusError as error:
            if not is_already_exists(error):
                raise
        else:
            return
    await _repair(client, resource, document)


async def _repair(client: Client, resource: Resource[Any], default: Document) -> None:
    metadata = default["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    while True:
        stored = await client.get(resource, name, namespace)
        document = msgspec.to_builtins(stored)
        if not is_managed(document):
            return
        if document.get("roleRef") != default.get("roleRef"):
            # The role of a binding can never change, so it is made anew.
            await client.delete(resource, name, namespace, uid=stored.metadata.uid)
            await client.create(resource, msgspec.convert(default, resource.type))
            return
        if not _complete(document, default):
            return
        try:
            await client.update(resource, msgspec.convert(document, resource.type))
        except StatusError as error:
            if not is_conflict(error):
                raise
        else:
            return


def _complete(document: Document, default: Document) -> bool:
    """Add what `document` lacks of its default; whether it lacked anything.

    The rules of an aggregated role are its controller's; its selectors are what must be there.
    """
    lacked = False

    def add(owner: Document, key: str, entries: list[Any]) -> None:
        nonlocal lacked
        if entries:
            owner[key] = [*owner.get(key, ()), *entries]
            lacked = True

    aggregation = default.get("aggregationRule")
    if aggregation is not None:
        own = document.setdefault("aggregationRule", {})
        selectors = own.get("clusterRoleSelectors") or ()
        add(
            own, "clusterRoleSelectors", [each for each in aggregation["clusterRoleSelectors"] if each not in selectors]
        )
    else:
        held = [msgspec.convert(each, PolicyRule) for each in document.get("rules") or ()]
        rules = default.get("rules") or ()
        add(document, "rules", [each for each in rules if uncovered(held, [msgspec.convert(each, PolicyRule)])])
    subjects = document.get("subjects") or ()
    add(document, "subjects", [each for each in default.get("subjects") or () if each not in subjects])
    for key in ("labels", "annotations"):
        wanted, found = default["metadata"].get(key) or {}, document["metadata"].get(key) or {}
        if not wanted.keys() <= found.keys():
            document["metadata"][key] = {**wanted, **found}
            lacked = True
    return lacked
