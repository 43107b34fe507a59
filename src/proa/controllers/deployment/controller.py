"""The Deployment controller: finds the next step of the rollout and takes it.

Each reconcile takes at most one step (create, grow or shrink ReplicaSets, clean up) and writes the status; the watch of
what it did brings the next. What to do is decided by pure functions (`sizes`, `revisions`, `status`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from proa.api.apps_v1 import Deployment, DeploymentStatus, ReplicaSet
from proa.api.apps_v1.resources import DEPLOYMENTS, REPLICA_SETS
from proa.api.core_v1.resources import PODS
from proa.base.errors import ProaError
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.freshness import OwnWrites
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.ownership import Claims, OrphanTrigger, controlled_by, index_by_controller
from proa.control.pods import says_namespace_terminates
from proa.control.status import find_condition, update_status_if_changed
from proa.control.triggers import For, Maps, Owns, Trigger
from proa.controllers.deployment.revisions import current_annotations, new_replica_set, next_revision, size_notes
from proa.controllers.deployment.sizes import (
    RECREATE,
    bounds_of,
    changed,
    new_size,
    rescale,
    shrink_old,
    size,
    total,
    was_scaled,
)
from proa.controllers.deployment.status import (
    CREATE_FAILED,
    NEW_CREATED,
    NEW_FOUND,
    PAUSED,
    PROGRESSING,
    RESUMED,
    counted,
    has_deadline,
    is_complete,
    progressed,
    seconds_to_deadline,
    with_condition,
)
from proa.machinery.status import is_already_exists
from proa.rules.owners import controller_of, is_controlled_by, refers_to
from proa.rules.pods import is_terminal
from proa.rules.replica_sets import REVISION, current_replica_set, revision, same_template
from proa.rules.selection import is_empty


@dataclass
class _Work:
    """One reconcile: the Deployment as it is being changed, and its ReplicaSets. `original` is what the copy holds."""

    key: str
    original: Deployment
    deployment: Deployment
    new: ReplicaSet | None
    old: list[ReplicaSet]

    @property
    def all(self) -> list[ReplicaSet]:
        return [*self.old, self.new] if self.new is not None else list(self.old)

    def set_progressing(self, status: str, reason: str, message: str, now: Any) -> None:
        if not has_deadline(self.deployment):
            return
        conditions = with_condition(self.deployment.status.conditions, PROGRESSING, status, reason, message, now)
        self.set_status(conditions=conditions)

    def set_status(self, **changes: Any) -> None:
        status = msgspec.structs.replace(self.deployment.status, **changes)
        self.deployment = msgspec.structs.replace(self.deployment, status=status)


class DeploymentController(Controller):
    name = "deployment"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._deployments = context.informer(DEPLOYMENTS)
        self._replica_sets = context.informer(REPLICA_SETS)
        self._pods = context.informer(PODS)
        self._claims = Claims(self.client, DEPLOYMENTS, REPLICA_SETS, self._replica_sets)
        self._writes = OwnWrites(self._replica_sets, context.clock)
        self._events = context.recorder("deployment-controller")
        index_by_controller(self._pods)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (
            For(DEPLOYMENTS),
            Owns(REPLICA_SETS),
            Maps(REPLICA_SETS, OrphanTrigger(self._deployments)),
            Maps(PODS, self._deployment_of_lost_pod),
        )

    def _deployment_of_lost_pod(self, old: Any, new: Any) -> Iterable[str]:
        """A recreating Deployment waits for the last old pod to be gone."""
        reference = controller_of(old) if new is None else None
        if reference is None or not refers_to(reference, REPLICA_SETS):
            return
        replica_set = self._replica_sets.get(f"{old.metadata.namespace}/{reference.name}")
        owner = controller_of(replica_set) if replica_set is not None else None
        if owner is None:
            return
        key = f"{old.metadata.namespace}/{owner.name}"
        deployment = self._deployments.get(key)
        if deployment is not None and deployment.spec.strategy.type == RECREATE:
            yield key

    async def reconcile(self, key: str) -> Outcome:
        deployment = self._deployments.get(key)
        if deployment is None:
            self._writes.forget(key)
            return DONE
        if is_empty(deployment.spec.selector):
            return await self._refuse_empty_selector(deployment)
        owned = await self._claims.of(deployment, deployment.spec.selector)
        if not self._writes.seen(key):
            return Outcome(note="waiting to see its own writes")
        new = current_replica_set(deployment, owned)
        work = _Work(key, deployment, deployment, new, [each for each in owned if each is not new])
        if deployment.metadata.deletionTimestamp is not None:
            return await self._report(work, rolling=False)
        self._note_pause(work)
        if deployment.spec.paused or was_scaled(deployment, owned):
            if new is not None:
                await self._mark_current(work, new)
            await self._rescale(work)
            if deployment.spec.paused:
                await self._clean_up(work)
            return await self._report(work, rolling=False)
        if deployment.spec.strategy.type == RECREATE:
            moved = await self._recreate(work)
        else:
            moved = await self._roll(work)
        if moved is None:
            return Outcome(note="its ReplicaSet's name was taken")
        outcome = await self._report(work, rolling=True)
        if not moved and is_complete(work.deployment, work.deployment.status):
            await self._clean_up(work)
        return outcome

    async def _refuse_empty_selector(self, deployment: Deployment) -> Outcome:
        message = "This deployment is selecting all pods. A non-empty selector is required."
        self._events.warning(deployment, "SelectingAll", message)
        status = msgspec.structs.replace(deployment.status, observedGeneration=deployment.metadata.generation)
        await update_status_if_changed(self.client, DEPLOYMENTS, deployment, status)
        return Outcome(note="empty selector")

    def _note_pause(self, work: _Work) -> None:
        """A paused rollout cannot be late; a resumed one starts its deadline anew."""
        current = find_condition(work.deployment.status.conditions, PROGRESSING)
        paused = current is not None and current.reason == PAUSED
        if work.deployment.spec.paused and not paused:
            work.set_progressing("Unknown", PAUSED, "Deployment is paused", self.now())
        elif paused and not work.deployment.spec.paused:
            work.set_progressing("Unknown", RESUMED, "Deployment is resumed", self.now())

    # Steps: each returns whether it changed anything, None when the status was written and the next look must decide.

    async def _roll(self, work: _Work) -> bool | None:
        created = work.new is None
        if not await self._ensure_new(work):
            return None
        new = work.new
        assert new is not None
        bounds = bounds_of(work.deployment)
        if created:
            return True
        target = new_size(bounds, size(new), total(work.all))
        if target != size(new):
            return await self._resize(work, {new.metadata.name: target})
        return await self._resize(work, shrink_old(bounds, new, work.old))

    async def _recreate(self, work: _Work) -> bool | None:
        if await self._resize(work, changed(work.old, {each.metadata.name: 0 for each in work.old})):
            return True
        if any(not is_terminal(pod) for each in work.old for pod in controlled_by(self._pods, each.metadata.uid)):
            return False
        created = work.new is None
        if not await self._ensure_new(work):
            return None
        new = work.new
        assert new is not None
        if created:
            return True
        wanted = work.deployment.spec.replicas or 0
        return await self._resize(work, changed([new], {new.metadata.name: wanted}))

    async def _rescale(self, work: _Work) -> None:
        sizes = rescale(work.deployment, work.new, work.old)
        for each in work.all:
            if size(each) > 0:
                sizes.setdefault(each.metadata.name, size(each))
        await self._resize(work, sizes)

    async def _resize(self, work: _Work, sizes: dict[str, int]) -> bool:
        """Give ReplicaSets their sizes and note what was wanted; whether any size changed."""
        notes = size_notes(bounds_of(work.deployment))
        moved = False
        for each in work.all:
            target = sizes.get(each.metadata.name)
            if target is None:
                continue
            annotations = {**each.metadata.annotations, **notes}
            before = size(each)
            if target == before and annotations == each.metadata.annotations:
                continue
            await self._update(work, each, annotations, replicas=target)
            if target != before:
                moved = True
                self._tell_scaled(work.deployment, each.metadata.name, before, target)
        return moved

    def _tell_scaled(self, deployment: Deployment, name: str, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        message = f"Scaled {direction} replica set {name} from {before} to {after}"
        self._events.normal(deployment, "ScalingReplicaSet", message)

    async def _update(
        self, work: _Work, replica_set: ReplicaSet, annotations: dict[str, str], **spec: Any
    ) -> ReplicaSet:
        replaced = msgspec.structs.replace(
            replica_set,
            metadata=msgspec.structs.replace(replica_set.metadata, annotations=annotations),
            spec=msgspec.structs.replace(replica_set.spec, **spec),
        )
        updated = await self.client.update(REPLICA_SETS, replaced)
        self._writes.wrote(work.key, updated)
        if work.new is replica_set:
            work.new = updated
        else:
            work.old[next(i for i, each in enumerate(work.old) if each is replica_set)] = updated
        return updated

    async def _ensure_new(self, work: _Work) -> bool:
        """Have a ReplicaSet for the present template; False when its name was taken and another will be tried."""
        if work.new is not None:
            await self._mark_current(work, work.new)
            return True
        deployment = work.deployment
        replicas = new_size(bounds_of(deployment), 0, total(work.old))
        annotations = current_annotations(deployment, None, next_revision(work.old))
        wanted = new_replica_set(deployment, annotations, replicas)
        name = wanted.metadata.name
        try:
            created = await self.client.create(REPLICA_SETS, wanted)
        except ProaError as error:
            if is_already_exists(error):
                return await self._resolve_collision(work, wanted)
            if not says_namespace_terminates(error):
                message = f'Failed to create new replica set "{name}": {error}'
                work.set_progressing("False", CREATE_FAILED, message, self.now())
                await self._write_status(work, work.deployment.status)
            raise
        self._writes.wrote(work.key, created)
        work.new = created
        if replicas:
            self._tell_scaled(deployment, name, 0, replicas)
        await self._set_revision(work, created)
        work.set_progressing("True", NEW_CREATED, f'Created new replica set "{name}"', self.now())
        return True

    async def _resolve_collision(self, work: _Work, wanted: ReplicaSet) -> bool:
        """The name exists: ours, created a moment ago, or another template with the same hash."""
        meta = wanted.metadata
        existing = await self.client.get(REPLICA_SETS, meta.name, meta.namespace)
        if is_controlled_by(existing, work.deployment) and same_template(existing.spec.template, wanted.spec.template):
            self._writes.wrote(work.key, existing)
            work.new = existing
            await self._mark_current(work, existing)
            return True
        collisions = (work.deployment.status.collisionCount or 0) + 1
        await self._write_status(work, msgspec.structs.replace(work.deployment.status, collisionCount=collisions))
        return False

    async def _mark_current(self, work: _Work, new: ReplicaSet) -> None:
        """Give the current ReplicaSet the latest revision and what else the Deployment says of itself."""
        deployment = work.deployment
        annotations = current_annotations(deployment, new, next_revision(work.old))
        if annotations != new.metadata.annotations or new.spec.minReadySeconds != deployment.spec.minReadySeconds:
            new = await self._update(work, new, annotations, minReadySeconds=deployment.spec.minReadySeconds)
        await self._set_revision(work, new)
        if find_condition(deployment.status.conditions, PROGRESSING) is None:
            work.set_progressing("True", NEW_FOUND, f'Found new replica set "{new.metadata.name}"', self.now())

    async def _set_revision(self, work: _Work, new: ReplicaSet) -> None:
        deployment = work.deployment
        number = str(revision(new.metadata.annotations))
        if deployment.metadata.annotations.get(REVISION) == number:
            return
        meta = deployment.metadata
        patch = {"metadata": {"uid": meta.uid, "annotations": {REVISION: number}}}
        patched = await self.client.patch(DEPLOYMENTS, meta.name, meta.namespace, patch, type="merge")
        if patched.metadata.generation != meta.generation:
            return  # somebody changed the spec meanwhile; a status write of ours must fail, and does
        work.original = msgspec.structs.replace(patched, status=work.original.status)
        work.deployment = msgspec.structs.replace(patched, status=deployment.status)

    async def _clean_up(self, work: _Work) -> None:
        """Forget what is older than spec.revisionHistoryLimit."""
        limit = work.deployment.spec.revisionHistoryLimit
        if limit is None:
            return
        alive = [each for each in work.old if each.metadata.deletionTimestamp is None]
        surplus = len(alive) - limit
        if surplus <= 0:
            return
        for each in sorted(alive, key=lambda each: revision(each.metadata.annotations))[:surplus]:
            meta = each.metadata
            idle = size(each) == 0 and each.status.replicas == 0
            if not idle or meta.generation > each.status.observedGeneration:
                continue
            await delete_exactly(self.client, REPLICA_SETS, each)

    async def _report(self, work: _Work, *, rolling: bool) -> Outcome:
        """Write the status; when to look again, if a deadline runs."""
        deployment, now = work.deployment, self.now()
        status = counted(deployment, work.all, work.new, now)
        if rolling:
            status = progressed(deployment, status, work.all, work.new, now)
        await self._write_status(work, status)
        again = seconds_to_deadline(deployment, status, now)
        return DONE if again is None else requeue_after(again, "until the progress deadline")

    async def _write_status(self, work: _Work, status: DeploymentStatus) -> None:
        written = await update_status_if_changed(self.client, DEPLOYMENTS, work.original, status)
        work.deployment = msgspec.structs.replace(written, status=status)
