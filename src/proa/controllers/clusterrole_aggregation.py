"""ClusterRoles with an aggregation rule get the rules of those it selects, by server-side apply as upstream does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.rbac_v1 import ClusterRole, PolicyRule
from proa.api.rbac_v1.resources import CLUSTER_ROLES
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.selectors import label_selector

MANAGER = "clusterrole-aggregation-controller"


class ClusterRoleAggregationController(Controller):
    name = "clusterrole-aggregation"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._roles = context.informer(CLUSTER_ROLES)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(CLUSTER_ROLES), Maps(CLUSTER_ROLES, self._gatherers))

    def _gatherers(self, old: Any, new: Any) -> Iterable[str]:
        """A changed role may be gathered by any that gathers."""
        for role in self._roles.list():
            if role.aggregationRule is not None:
                yield role.metadata.name

    async def reconcile(self, key: str) -> Outcome:
        role = self._roles.get(key)
        if role is None or role.aggregationRule is None:
            return DONE
        rules = self._gathered(role)
        if tuple(rules) == tuple(role.rules):
            return DONE
        await self.client.patch(
            CLUSTER_ROLES,
            key,
            "",
            {
                "apiVersion": CLUSTER_ROLES.api_version,
                "kind": "ClusterRole",
                "metadata": {"name": key},
                "rules": [msgspec.to_builtins(each) for each in rules],
            },
            type="apply",
            field_manager=MANAGER,
            force=True,
        )
        return DONE

    def _gathered(self, role: ClusterRole) -> list[PolicyRule]:
        """The rules of every other selected role, selector by selector, each once."""
        assert role.aggregationRule is not None
        found: list[PolicyRule] = []
        for each in role.aggregationRule.clusterRoleSelectors:
            matches = label_selector(each).matches
            chosen = (
                other
                for other in self._roles.list()
                if other.metadata.name != role.metadata.name and matches(other.metadata.labels)
            )
            for other in sorted(chosen, key=lambda each: each.metadata.name):
                found += (rule for rule in other.rules if rule not in found)
        return found
