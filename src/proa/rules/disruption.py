"""What a PodDisruptionBudget allows (policy/v1): the facts that eviction and the disruption controller share. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from proa.api.core_v1 import Pod
from proa.api.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetStatus
from proa.machinery.intorstring import scaled
from proa.machinery.meta import Condition
from proa.machinery.timestamps import format_time, parse
from proa.rules.pods import is_pod_ready
from proa.rules.selection import matches

DISRUPTION_ALLOWED = "DisruptionAllowed"
SUFFICIENT_PODS, INSUFFICIENT_PODS, SYNC_FAILED = "SufficientPods", "InsufficientPods", "SyncFailed"
# What is told of a pod that will be gone (its DisruptionTarget condition).
DISRUPTION_TARGET = "DisruptionTarget"
# How long an evicted pod counts as gone before anybody has seen it go.
DELETION_TIMEOUT = timedelta(minutes=2)


def budgets_of(pod: Pod, budgets: Iterable[PodDisruptionBudget]) -> list[PodDisruptionBudget]:
    """The budgets of its namespace that a pod belongs to. An empty selector selects all, none none."""
    return [
        each
        for each in budgets
        if each.metadata.namespace == pod.metadata.namespace and matches(each.spec.selector, pod.metadata.labels)
    ]


def desired_healthy(budget: PodDisruptionBudget, expected: int) -> int:
    """How many of so many expected pods must stay healthy. Raises PercentError."""
    spec = budget.spec
    if spec.maxUnavailable is not None:
        return max(0, expected - scaled(spec.maxUnavailable, expected, round_up=True))
    return scaled(spec.minAvailable, expected, round_up=True) if spec.minAvailable is not None else 0


def needs_scale(budget: PodDisruptionBudget) -> bool:
    """Whether it speaks of a share of the pods there should be, not of a number of those there are."""
    return budget.spec.maxUnavailable is not None or isinstance(budget.spec.minAvailable, str)


def disrupted(pods: Iterable[Pod], status: PodDisruptionBudgetStatus, now: datetime) -> Mapping[str, str]:
    """The evicted pods that are still to be seen going, and when they were evicted."""
    evicted = status.disruptedPods
    return {
        pod.metadata.name: evicted[pod.metadata.name]
        for pod in pods
        if pod.metadata.deletionTimestamp is None
        and pod.metadata.name in evicted
        and parse(evicted[pod.metadata.name]) + DELETION_TIMEOUT >= now
    }


def count_healthy(pods: Iterable[Pod], disrupted: Mapping[str, str]) -> int:
    """The ready pods that stay."""
    return sum(
        1
        for pod in pods
        if pod.metadata.deletionTimestamp is None and pod.metadata.name not in disrupted and is_pod_ready(pod)
    )


def allowed_condition(allowed: int, generation: int, now: datetime) -> Condition:
    return Condition(
        type=DISRUPTION_ALLOWED,
        status="True" if allowed > 0 else "False",
        reason=SUFFICIENT_PODS if allowed > 0 else INSUFFICIENT_PODS,
        observedGeneration=generation,
        lastTransitionTime=format_time(now),
    )


def why_not(budget: PodDisruptionBudget) -> str:
    """Why a budget that allows nothing does not, in upstream's words."""
    name, status = budget.metadata.name, budget.status
    condition = next((each for each in status.conditions if each.type == DISRUPTION_ALLOWED), None)
    said = condition if condition is not None and condition.status == "False" and condition.message else None
    if said is not None and said.reason == SYNC_FAILED:
        why = f"because it failed sync: {said.message}"
        return f"The disruption budget {name} does not allow evicting pods currently {why}"
    if status.currentHealthy <= status.desiredHealthy:
        return (
            f"The disruption budget {name} needs {status.desiredHealthy} healthy pods "
            f"and has {status.currentHealthy} currently"
        )
    if said is not None:
        return f"The disruption budget {name} does not allow evicting pods currently ({said.reason}): {said.message}"
    return f"The disruption budget {name} does not allow evicting pods currently"
