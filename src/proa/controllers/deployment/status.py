"""The status of a Deployment and the conditions that tell whether it gets anywhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from proa.api.apps_v1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from proa.control.status import find_condition, without_condition
from proa.controllers.deployment.sizes import available, bounds_of
from proa.machinery.timestamps import format_time, parse

AVAILABLE, PROGRESSING, REPLICA_FAILURE = "Available", "Progressing", "ReplicaFailure"

MINIMUM_AVAILABLE = "MinimumReplicasAvailable"
MINIMUM_UNAVAILABLE = "MinimumReplicasUnavailable"
NEW_CREATED = "NewReplicaSetCreated"
NEW_FOUND = "FoundNewReplicaSet"
NEW_AVAILABLE = "NewReplicaSetAvailable"
UPDATED = "ReplicaSetUpdated"
DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
CREATE_FAILED = "ReplicaSetCreateError"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"

# progressDeadlineSeconds of this size means: never.
NO_DEADLINE = 2**31 - 1

Conditions = tuple[DeploymentCondition, ...]


def has_deadline(deployment: Deployment) -> bool:
    """Whether the Deployment wants to be told that it is stuck."""
    return deployment.spec.progressDeadlineSeconds not in (None, NO_DEADLINE)


def with_condition(
    conditions: Conditions, type: str, status: str, reason: str, message: str, now: datetime
) -> Conditions:
    """`conditions` with this one, unless status and reason are the same already."""
    old = find_condition(conditions, type)
    if old is not None and (old.status, old.reason) == (status, reason):
        return conditions
    stamp = format_time(now)
    since = old.lastTransitionTime if old is not None and old.status == status else stamp
    condition = DeploymentCondition(
        type=type, status=status, reason=reason, message=message, lastUpdateTime=stamp, lastTransitionTime=since
    )
    return (*without_condition(conditions, type), condition)


def counted(
    deployment: Deployment, replica_sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """The status as its ReplicaSets report it, with condition Available; Progressing stays as it was."""
    bounds = bounds_of(deployment)
    replicas = sum(each.status.replicas for each in replica_sets)
    ready_to_serve = available(replica_sets)
    if ready_to_serve >= bounds.least_available:
        condition = ("True", MINIMUM_AVAILABLE, "Deployment has minimum availability.")
    else:
        condition = ("False", MINIMUM_UNAVAILABLE, "Deployment does not have minimum availability.")
    return msgspec.structs.replace(
        deployment.status,
        observedGeneration=deployment.metadata.generation,
        replicas=replicas,
        updatedReplicas=new.status.replicas if new is not None else 0,
        readyReplicas=sum(each.status.readyReplicas for each in replica_sets),
        availableReplicas=ready_to_serve,
        unavailableReplicas=max(0, replicas - ready_to_serve),
        terminatingReplicas=sum(each.status.terminatingReplicas or 0 for each in replica_sets),
        conditions=with_condition(deployment.status.conditions, AVAILABLE, *condition, now),
    )


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Every pod is new and available, and no old one is left."""
    replicas = deployment.spec.replicas or 0
    return (
        status.updatedReplicas == status.replicas == status.availableReplicas == replicas
        and status.observedGeneration >= deployment.metadata.generation
    )


def _is_progressing(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    return (
        new.updatedReplicas > old.updatedReplicas
        or new.replicas - new.updatedReplicas < old.replicas - old.updatedReplicas
        or new.readyReplicas > old.readyReplicas
        or new.availableReplicas > old.availableReplicas
    )


def deadline_of(deployment: Deployment, condition: DeploymentCondition) -> datetime:
    """When a Progressing condition turns into a failure."""
    return parse(condition.lastUpdateTime or "1970-01-01T00:00:00Z") + timedelta(
        seconds=deployment.spec.progressDeadlineSeconds or 0
    )


def progressed(
    deployment: Deployment,
    status: DeploymentStatus,
    replica_sets: Sequence[ReplicaSet],
    new: ReplicaSet | None,
    now: datetime,
) -> DeploymentStatus:
    """`status` with conditions Progressing and ReplicaFailure as of now, while a rollout is on or just ended."""
    conditions = status.conditions
    if not has_deadline(deployment):
        conditions = without_condition(conditions, PROGRESSING)
    else:
        current = find_condition(deployment.status.conditions, PROGRESSING)
        ended = current is not None and current.reason == NEW_AVAILABLE and status.replicas == status.updatedReplicas
        if not ended:
            conditions = _progressing(deployment, status, new, current, now)
    failure = _replica_failure(replica_sets, new)
    conditions = without_condition(conditions, REPLICA_FAILURE) if failure is None else (
        with_condition(conditions, REPLICA_FAILURE, failure[0], failure[1], failure[2], now)
    )  # fmt: skip
    return msgspec.structs.replace(status, conditions=conditions)


def _progressing(
    deployment: Deployment,
    status: DeploymentStatus,
    new: ReplicaSet | None,
    current: DeploymentCondition | None,
    now: datetime,
) -> Conditions:
    conditions = status.conditions
    who = f'ReplicaSet "{new.metadata.name}"' if new is not None else f'Deployment "{deployment.metadata.name}"'
    if is_complete(deployment, status):
        message = f"{who} has successfully progressed."
        return with_condition(conditions, PROGRESSING, "True", NEW_AVAILABLE, message, now)
    if _is_progressing(deployment.status, status):
        # Progress counts even when status and reason stay: the deadline starts anew with lastUpdateTime.
        since = current.lastTransitionTime if current is not None and current.status == "True" else format_time(now)
        condition = DeploymentCondition(
            type=PROGRESSING,
            status="True",
            reason=UPDATED,
            message=f"{who} is progressing.",
            lastUpdateTime=format_time(now),
            lastTransitionTime=since,
        )
        return (*without_condition(conditions, PROGRESSING), condition)
    if current is not None and is_stuck(deployment, current, now):
        message = f"{who} has timed out progressing."
        return with_condition(conditions, PROGRESSING, "False", DEADLINE_EXCEEDED, message, now)
    return conditions


def is_stuck(deployment: Deployment, condition: DeploymentCondition, now: datetime) -> bool:
    """Whether the progress deadline has passed."""
    if condition.reason == NEW_AVAILABLE:
        return False
    return condition.reason == DEADLINE_EXCEEDED or now > deadline_of(deployment, condition)


def seconds_to_deadline(deployment: Deployment, status: DeploymentStatus, now: datetime) -> float | None:
    """When to look again though nothing changes; None when no deadline runs."""
    condition = find_condition(status.conditions, PROGRESSING)
    if not has_deadline(deployment) or condition is None or is_complete(deployment, status):
        return None
    if condition.reason in (NEW_AVAILABLE, DEADLINE_EXCEEDED, PAUSED):
        return None
    # Times have whole seconds: one more, to be past it for sure.
    return max(0.0, (deadline_of(deployment, condition) - now).total_seconds()) + 1


def _replica_failure(replica_sets: Sequence[ReplicaSet], new: ReplicaSet | None) -> tuple[str, str, str] | None:
    for each in [*([new] if new is not None else []), *replica_sets]:
        failure = find_condition(each.status.conditions, REPLICA_FAILURE)
        if failure is not None:
            return failure.status, failure.reason, failure.message
    return None
