"""Creates and deletes pods until there are `spec.replicas`, and reports how they are: for ReplicaSets, and for
ReplicationControllers, the older resource, which differ in nothing but their types (`Replicated`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from proa.api.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from proa.api.apps_v1.resources import REPLICA_SETS
from proa.api.core_v1 import (
    Pod,
    PodTemplateSpec,
    ReplicationController,
    ReplicationControllerCondition,
    ReplicationControllerStatus,
)
from proa.api.core_v1.resources import PODS, REPLICATION_CONTROLLERS
from proa.base.errors import ProaError
from proa.control.batches import slow_start
from proa.control.controller import Context, Controller
from proa.control.freshness import OwnWrites
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.ownership import Claims, OrphanTrigger, controlled_by, index_by_controller
from proa.control.pods import PodControl, pod_from_template, says_namespace_terminates
from proa.control.status import set_condition, update_status_if_changed, without_condition
from proa.control.triggers import For, Maps, Owns, Trigger
from proa.controllers.replicaset.ranking import first_to_go
from proa.machinery.resource import Resource
from proa.machinery.timestamps import format_time
from proa.rules.owners import controller_of
from proa.rules.pods import available_in, is_active, is_pod_available, is_pod_ready, is_terminating
from proa.rules.selection import matches_map

# At most so many pods are created or deleted for one ReplicaSet before its state is looked at again.
BURST = 500

REPLICA_FAILURE = "ReplicaFailure"


AnyReplicated = ReplicaSet | ReplicationController


@dataclass(frozen=True)
class Replicated:
    """One of the two resources that keep a number of pods. name: its controller's."""

    resource: Resource[Any]
    condition: type[Any]
    name: str

    @property
    def component(self) -> str:
        """Who its events say they are from."""
        return f"{self.name}-controller"


REPLICA_SET = Replicated(REPLICA_SETS, ReplicaSetCondition, "replicaset")
REPLICATION_CONTROLLER = Replicated(REPLICATION_CONTROLLERS, ReplicationControllerCondition, "replication")


class ReplicaSetController(Controller):
    workers = 5

    def __init__(self, context: Context, replicated: Replicated = REPLICA_SET) -> None:
        self.name = replicated.name
        super().__init__(context)
        self._resource = replicated.resource
        self._condition = replicated.condition
        self._replica_sets = context.informer(self._resource)
        self._pods = context.informer(PODS)
        self._claims = Claims(self.client, self._resource, PODS, self._pods)
        self._writes = OwnWrites(self._pods, context.clock)
        self._control = PodControl(self.client, self._writes, context.recorder(replicated.component))
        index_by_controller(self._replica_sets)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(self._resource), Owns(PODS), Maps(PODS, OrphanTrigger(self._replica_sets)))

    async def reconcile(self, key: str) -> Outcome:
        replica_set = self._replica_sets.get(key)
        if replica_set is None:
            self._writes.forget(key)
            return DONE
        claimed = await self._claims.of(replica_set, replica_set.spec.selector)
        if not self._writes.seen(key):
            return Outcome(note="waiting to see its own writes")
        active = [pod for pod in claimed if is_active(pod)]
        failure: tuple[str, Exception] | None = None
        if replica_set.metadata.deletionTimestamp is None:
            failure = await self._scale(key, replica_set, active)
        status = self._status(replica_set, active, sum(map(is_terminating, claimed)), failure)
        await update_status_if_changed(self.client, self._resource, replica_set, status)
        if failure is not None and not says_namespace_terminates(failure[1]):
            raise failure[1]
        return self._next_look(replica_set, active)

    def _next_look(self, replica_set: AnyReplicated, active: Sequence[Pod]) -> Outcome:
        """Pods become available by time alone, which no watch tells."""
        wait = replica_set.spec.minReadySeconds
        if not wait:
            return DONE
        times = [left for pod in active if (left := available_in(pod, wait, self.now()))]
        return requeue_after(min(times), "until a pod is available") if times else DONE

    async def _scale(self, key: str, replica_set: AnyReplicated, active: list[Pod]) -> tuple[str, Exception] | None:
        """Create or delete; a failure with the reason the condition gives it."""
        missing = (replica_set.spec.replicas or 0) - len(active)
        try:
            if missing > 0:
                await slow_start(min(missing, BURST), partial(self._create, key, replica_set))
            elif missing < 0:
                count = min(-missing, BURST)
                neighbours = self._neighbours(replica_set) if count < len(active) else ()
                doomed = first_to_go(active, count, neighbours, self.now())
                results = await asyncio.gather(
                    *(self._control.delete(key, replica_set, pod) for pod in doomed), return_exceptions=True
                )
                for result in results:
                    if isinstance(result, BaseException):
                        raise result
        except ProaError as error:
            return ("FailedCreate" if missing > 0 else "FailedDelete"), error
        return None

    async def _create(self, key: str, replica_set: AnyReplicated) -> None:
        await self._control.create(key, replica_set, pod_from_template(replica_set, _template(replica_set)))

    def _neighbours(self, replica_set: AnyReplicated) -> list[Pod]:
        """The active pods of all ReplicaSets with the same controller: one Deployment's, old and new."""
        reference = controller_of(replica_set)
        related = controlled_by(self._replica_sets, reference.uid) if reference is not None else (replica_set,)
        return [pod for each in related for pod in controlled_by(self._pods, each.metadata.uid) if is_active(pod)]

    def _status(
        self, replica_set: AnyReplicated, active: Sequence[Pod], terminating: int, failure: tuple[str, Exception] | None
    ) -> ReplicaSetStatus | ReplicationControllerStatus:
        spec, now = replica_set.spec, self.now()
        labels = _template(replica_set).metadata.labels
        conditions = replica_set.status.conditions
        if failure is None:
            conditions = without_condition(conditions, REPLICA_FAILURE)
        else:
            reason, error = failure
            conditions = set_condition(
                conditions,
                self._condition(
                    type=REPLICA_FAILURE,
                    status="True",
                    lastTransitionTime=format_time(now),
                    reason=reason,
                    message=str(error),
                ),
            )
        counted: dict[str, Any] = {"terminatingReplicas": terminating} if isinstance(replica_set, ReplicaSet) else {}
        return msgspec.structs.replace(
            replica_set.status,
            replicas=len(active),
            fullyLabeledReplicas=sum(matches_map(labels, pod.metadata.labels) for pod in active),
            readyReplicas=sum(map(is_pod_ready, active)),
            availableReplicas=sum(is_pod_available(pod, spec.minReadySeconds, now) for pod in active),
            observedGeneration=replica_set.metadata.generation,
            conditions=conditions,
            **counted,
        )


def _template(replicated: AnyReplicated) -> PodTemplateSpec:
    return replicated.spec.template or PodTemplateSpec()
