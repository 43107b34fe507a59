"""Keeps the status of PodDisruptionBudgets: how many pods there should be, how many are healthy, how many may go now.

Eviction reads that and takes from it. And a pod that was to be disrupted, and is still there after two minutes, is said
to be no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from proa.api.apps_v1.resources import DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS
from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import PODS, REPLICATION_CONTROLLERS
from proa.api.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetStatus
from proa.api.policy_v1.resources import POD_DISRUPTION_BUDGETS
from proa.base.errors import ProaError
from proa.client.discovery import discover
from proa.client.informer import NAMESPACE_INDEX, key_of
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.status import find_condition, set_condition, update_status_if_changed
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.meta import Condition, OwnerReference
from proa.machinery.status import StatusError, is_not_found
from proa.machinery.timestamps import format_time, parse
from proa.rules.disruption import (
    DELETION_TIMEOUT,
    DISRUPTION_ALLOWED,
    DISRUPTION_TARGET,
    SYNC_FAILED,
    allowed_condition,
    budgets_of,
    count_healthy,
    desired_healthy,
    disrupted,
    needs_scale,
)
from proa.rules.owners import controller_of, refers_to
from proa.rules.pods import condition_of, is_terminal
from proa.rules.selection import matches

STALE = timedelta(minutes=2)
_BY_KUBELET = "TerminationByKubelet"


class ScaleError(ProaError):
    """It cannot be known how many pods a budget should expect."""


class DisruptionController(Controller):
    name = "disruption"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._budgets = context.informer(POD_DISRUPTION_BUDGETS)
        self._pods = context.informer(PODS)
        self._scalable = {
            each: context.informer(each) for each in (REPLICATION_CONTROLLERS, REPLICA_SETS, DEPLOYMENTS, STATEFUL_SETS)
        }
        self._events = context.recorder("controllermanager")

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(POD_DISRUPTION_BUDGETS), Maps(PODS, self._budgets_of_pod))

    def _budgets_of_pod(self, old: Pod | None, new: Pod | None) -> Iterable[str]:
        for pod in (old, new):
            if pod is not None:
                budgets = self._budgets.by_index(NAMESPACE_INDEX, pod.metadata.namespace)
                yield from (key_of(each) for each in budgets_of(pod, budgets))

    async def reconcile(self, key: str) -> Outcome:
        budget = self._budgets.get(key)
        if budget is None:
            return DONE
        try:
            return await self._count(budget)
        except ScaleError as error:
            # Nothing may be evicted while nobody knows how much there should be.
            await self._fail_safe(budget, str(error))
            raise

    async def _count(self, budget: PodDisruptionBudget) -> Outcome:
        pods = self._pods_of(budget)
        if not pods:
            self._events.normal(budget, "NoPods", "No matching pods found")
        expected = await self._expected(budget, pods)
        now = self.now()
        going = disrupted(pods, budget.status, now)
        healthy = count_healthy(pods, going)
        desired = desired_healthy(budget, expected)
        allowed = max(0, healthy - desired) if expected > 0 else 0
        generation = budget.metadata.generation or 0
        status = PodDisruptionBudgetStatus(
            observedGeneration=generation,
            disruptedPods=going,
            disruptionsAllowed=allowed,
            currentHealthy=healthy,
            desiredHealthy=desired,
            expectedPods=expected,
            conditions=set_condition(budget.status.conditions, allowed_condition(allowed, generation, now)),
        )
        await update_status_if_changed(self.client, POD_DISRUPTION_BUDGETS, budget, status)
        if not going:
            return DONE
        left = min(parse(each) for each in going.values()) + DELETION_TIMEOUT - now
        return requeue_after(max(0.0, left.total_seconds()) + 1, "evicted pods are still there")

    async def _fail_safe(self, budget: PodDisruptionBudget, why: str) -> None:
        old = budget.status
        condition = Condition(
            type=DISRUPTION_ALLOWED,
            status="False",
            reason=SYNC_FAILED,
            message=why,
            observedGeneration=old.observedGeneration,
            lastTransitionTime=format_time(self.now()),
        )
        conditions = set_condition(old.conditions, condition)
        status = msgspec.structs.replace(old, disruptionsAllowed=0, conditions=conditions)
        await update_status_if_changed(self.client, POD_DISRUPTION_BUDGETS, budget, status)

    def _pods_of(self, budget: PodDisruptionBudget) -> Sequence[Pod]:
        selector = budget.spec.selector
        pods = self._pods.by_index(NAMESPACE_INDEX, budget.metadata.namespace)
        return [pod for pod in pods if matches(selector, pod.metadata.labels)]

    async def _expected(self, budget: PodDisruptionBudget, pods: Sequence[Pod]) -> int:
        """How many pods there should be: those there are, or what their controllers are scaled to."""
        if not needs_scale(budget):
            return len(pods)
        scales: dict[str, int] = {}
        unmanaged = False
        for pod in pods:
            reference = controller_of(pod)
            if reference is None:
                unmanaged = True
            elif reference.uid not in scales:
                found = await self._scale(reference, pod.metadata.namespace)
                if found is None:
                    raise ScaleError(f'found no controllers for pod "{pod.metadata.name}"')
                owner, scale = found
                scales[reference.uid] = 0
                scales[owner] = scale
        if unmanaged:
            self._events.warning(
                budget,
                "UnmanagedPods",
                "Pods selected by this PodDisruptionBudget were found to be unmanaged: its status cannot be calculated "
                'correctly. To account for these pods please set ".spec.minAvailable" to an integer value.',
            )
        return sum(scales.values())

    async def _scale(self, reference: OwnerReference, namespace: str) -> tuple[str, int] | None:
        """The uid of who really decides (a Deployment, not its ReplicaSets) and its scale; None when it is gone."""
        for resource, informer in self._scalable.items():
            if not refers_to(reference, resource):
                continue
            owner = informer.get(f"{namespace}/{reference.name}")
            if owner is None or owner.metadata.uid != reference.uid:
                return None
            above = controller_of(owner)
            if resource == REPLICA_SETS and above is not None and refers_to(above, DEPLOYMENTS):
                return await self._scale(above, namespace)
            replicas = owner.spec.replicas
            return reference.uid, 1 if replicas is None else replicas
        return await self._custom_scale(reference, namespace)

    async def _custom_scale(self, reference: OwnerReference, namespace: str) -> tuple[str, int] | None:
        """By the scale subresource of whatever kind the owner is."""
        served = (await discover(self.client)).find(reference.apiVersion, reference.kind)
        if served is None:
            raise ScaleError(f'no matches for kind "{reference.kind}" in version "{reference.apiVersion}"')
        path = served.path(namespace, reference.name)
        try:
            scale = await self.client.document("GET", path + "/scale")
        except StatusError as error:
            if not is_not_found(error) and error.code != 405:
                raise
            if await self._exists(path):
                raise ScaleError(f"{served.qualified} does not implement the scale subresource") from None
            return None
        if scale["metadata"].get("uid") != reference.uid:
            return None
        return reference.uid, int((scale.get("spec") or {}).get("replicas") or 0)

    async def _exists(self, path: str) -> bool:
        try:
            await self.client.document("GET", path)
        except StatusError as error:
            if not is_not_found(error):
                raise
            return False
        return True


class StaleDisruptionController(Controller):
    """A pod that was announced to be disrupted and was not is said to be well again."""

    name = "stale-pod-disruption"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pods = context.informer(PODS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(PODS, when=lambda old, new: new is not None and _is_announced(new)),)

    async def reconcile(self, key: str) -> Outcome:
        pod = self._pods.get(key)
        if pod is None or not _is_announced(pod):
            return DONE
        condition = find_condition(pod.status.conditions, DISRUPTION_TARGET)
        left = parse(condition.lastTransitionTime) + STALE - self.now()
        if left > timedelta(0):
            return requeue_after(left.total_seconds(), "is to be disrupted")
        over = msgspec.structs.replace(
            condition, status="False", reason="", message="", lastTransitionTime=format_time(self.now())
        )
        conditions = set_condition(pod.status.conditions, over)
        status: Any = msgspec.structs.replace(pod.status, conditions=conditions)
        await update_status_if_changed(self.client, PODS, pod, status)
        return Outcome(note="was not disrupted")


def _is_announced(pod: Pod) -> bool:
    """Kubelets announce long before they act, and what has ended stays as it is."""
    condition = condition_of(pod, DISRUPTION_TARGET)
    return (
        condition is not None
        and condition.status == "True"
        and condition.reason != _BY_KUBELET
        and pod.metadata.deletionTimestamp is None
        and not is_terminal(pod)
    )
