"""The Job controller: starts pods until enough have succeeded, or too many failed, and counts each exactly once.

A reconcile writes at most one status; what follows from it (finalizers that may go) is done after it is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec

from proa.api.batch_v1 import Job, JobCondition, JobStatus, UncountedTerminatedPods
from proa.api.batch_v1.resources import JOBS
from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import PODS
from proa.base.errors import ProaError
from proa.control.batches import slow_start
from proa.control.controller import Context, Controller
from proa.control.freshness import OwnWrites
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.ownership import Claims, OrphanTrigger
from proa.control.pods import PodControl, says_namespace_terminates
from proa.control.status import find_condition, set_condition, update_status_if_changed
from proa.control.triggers import For, Maps, Owns, Trigger
from proa.controllers.job import indexes, verdict
from proa.controllers.job.pods import new_pod
from proa.controllers.job.tally import (
    NOTHING,
    TRACKING,
    Tally,
    ended_at,
    failures_of,
    is_indexed,
    only_failed_is_replaced,
    tally,
)
from proa.controllers.job.tracking import release
from proa.controllers.job.verdict import Verdict
from proa.machinery.timestamps import format_time
from proa.rules.pods import is_pod_ready

MANAGER = "kubernetes.io/job-controller"
# At most so many pods are made for one Job before its state is looked at again, and so many uids wait in its status.
BURST = 500
FIRST_DELAY, LAST_DELAY = 10.0, 600.0
"""Seconds until a pod is made after a failure: the first, doubled up to the last."""


@dataclass(frozen=True, slots=True)
class _Failures:
    """Failures in a row of one Job's pods. Lost with the process: then the next pod comes at once."""

    count: int = 0
    last: datetime | None = None


class JobController(Controller):
    name = "job"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = context.informer(JOBS)
        self._pods = context.informer(PODS)
        self._claims = Claims(self.client, JOBS, PODS, self._pods)
        self._writes = OwnWrites(self._pods, context.clock)
        self._events = context.recorder("job-controller")
        self._control = PodControl(self.client, self._writes, self._events)
        self._failures: dict[str, _Failures] = {}

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(JOBS), Owns(PODS), Maps(PODS, OrphanTrigger(self._jobs)))

    async def reconcile(self, key: str) -> Outcome:
        job = self._jobs.get(key)
        if job is None:
            self._writes.forget(key)
            self._failures.pop(key, None)
            return DONE
        if job.spec.managedBy not in (None, MANAGER):
            return Outcome(note=f"managed by {job.spec.managedBy}")
        pods = await self._claims.of(job, job.spec.selector)
        if verdict.is_finished(job):
            await self._release(pods)
            return DONE
        if not self._writes.seen(key):
            return Outcome(note="waiting to see its own writes")
        now = self.now()
        found = tally(job, pods)
        self._remember_failures(key, found, now)
        decision = verdict.verdict(job, found, now)
        again, failure = await self._act(key, job, found, decision, now)
        written = await self._write(job, pods, found, decision, now)
        counted = written.status.uncountedTerminatedPods or NOTHING
        settled = {*counted.succeeded, *counted.failed, *(pod.metadata.uid for pod in found.ignored)}
        if is_indexed(job):
            settled.update(pod.metadata.uid for pod in found.new_succeeded)
        await self._release(pod for pod in pods if pod.metadata.uid in settled)
        if failure is not None:
            raise failure
        return again

    # -- pods -----------------------------------------------------------------------------------------------------

    async def _act(
        self, key: str, job: Job, found: Tally, decision: Verdict | None, now: datetime
    ) -> tuple[Outcome, ProaError | None]:
        """Make and delete pods. `found.active` is what there is afterwards. A failure to make one is returned."""
        if decision is not None:
            await self._delete(key, job, found, list(found.active), counted=decision.failed)
            return DONE, None
        if job.metadata.deletionTimestamp is not None:
            return DONE, None
        until = verdict.deadline(job)
        again = requeue_after((until - now).total_seconds(), "until its deadline") if until is not None else DONE
        if job.spec.suspend:
            await self._delete(key, job, found, list(found.active), counted=False)
            return DONE, None
        wanted = self._wanted(job, found)
        surplus = len(found.active) - wanted
        if surplus > 0:
            await self._delete(key, job, found, _least_far(found.active)[:surplus], counted=False)
            return again, None
        present = len(found.active) + (found.terminating if only_failed_is_replaced(job) else 0)
        missing = min(wanted - present, BURST)
        if missing <= 0:
            return again, None
        wait = self._wait(key, job, now)
        if wait > 0:
            return requeue_after(min(wait, again.requeue_after or wait), "after failures"), None
        chosen, later = self._places(job, found, missing, now)
        try:
            places = iter(chosen)
            await slow_start(len(chosen), partial(self._create, key, job, found, places))
        except ProaError as error:
            return again, None if says_namespace_terminates(error) else error
        waits = [each for each in (later, again.requeue_after) if each is not None]
        return (requeue_after(min(waits)) if waits else DONE), None

    def _wanted(self, job: Job, found: Tally) -> int:
        """How many pods are to run."""
        parallelism = job.spec.parallelism if job.spec.parallelism is not None else 1
        if job.spec.completions is None:
            return len(found.active) if found.succeeded else parallelism
        left = job.spec.completions - found.succeeded
        if is_indexed(job):
            left -= len(found.failed_indexes)
        return max(0, min(parallelism, left))

    def _places(self, job: Job, found: Tally, count: int, now: datetime) -> tuple[list[int | None], float | None]:
        """Which indexes to make pods for, and when others may be (seconds); Nones for a Job without indexes."""
        if not is_indexed(job):
            return [None] * count, None
        taken = {*found.succeeded_indexes, *found.failed_indexes}
        taken.update(index for pod in found.active if (index := indexes.index_of(pod)) is not None)
        chosen: list[int | None] = []
        later: list[float] = []
        for index in range(job.spec.completions or 0):
            if len(chosen) == count:
                break
            if index in taken:
                continue
            last = found.last_failure.get(index)
            if last is not None and job.spec.backoffLimitPerIndex is not None:
                wait = _delay(failures_of(last) + 1) - (now - ended_at(last, now)).total_seconds()
                if wait > 0:
                    later.append(wait)
                    continue
            chosen.append(index)
        return chosen, min(later, default=None)

    def _wait(self, key: str, job: Job, now: datetime) -> float:
        """Seconds until the next pod may be made."""
        failures = self._failures.get(key)
        if failures is None or failures.last is None or job.spec.backoffLimitPerIndex is not None:
            return 0.0
        return max(0.0, _delay(failures.count) - (now - failures.last).total_seconds())

    def _remember_failures(self, key: str, found: Tally, now: datetime) -> None:
        if found.new_succeeded:
            self._failures.pop(key, None)
        if found.new_failed:
            before = self._failures.get(key, _Failures())
            last = max(ended_at(pod, now) for pod in found.new_failed)
            self._failures[key] = _Failures(before.count + len(found.new_failed), last)

    async def _create(self, key: str, job: Job, found: Tally, places: Iterator[int | None]) -> None:
        found.active.append(await self._control.create(key, job, new_pod(job, found, next(places))))

    async def _delete(self, key: str, job: Job, found: Tally, pods: Sequence[Pod], *, counted: bool) -> None:
        """Delete; `counted`: as failures of the Job. What nobody is to count is released first."""

        async def delete(pod: Pod) -> None:
            if not counted and TRACKING in pod.metadata.finalizers:
                await release(self.client, pod)
            await self._control.delete(key, job, pod)

        async with asyncio.TaskGroup() as group:
            for pod in pods:
                group.create_task(delete(pod))
        gone = {pod.metadata.uid for pod in pods}
        found.active = [pod for pod in found.active if pod.metadata.uid not in gone]
        found.terminating += len(pods)
        found.ready = sum(map(is_pod_ready, found.active))

    async def _release(self, pods: Iterable[Pod]) -> None:
        async with asyncio.TaskGroup() as group:
            for pod in pods:
                if TRACKING in pod.metadata.finalizers:
                    group.create_task(release(self.client, pod))

    # -- status ---------------------------------------------------------------------------------------------------

    async def _write(self, job: Job, pods: Sequence[Pod], found: Tally, decision: Verdict | None, now: datetime) -> Job:
        held = {pod.metadata.uid for pod in pods if TRACKING in pod.metadata.finalizers}
        before = job.status.uncountedTerminatedPods or NOTHING
        succeeded = tuple(uid for uid in before.succeeded if uid in held)
        failed = tuple(uid for uid in before.failed if uid in held)
        status = msgspec.structs.replace(
            job.status,
            succeeded=job.status.succeeded + len(before.succeeded) - len(succeeded),
            failed=job.status.failed + len(before.failed) - len(failed),
        )
        room = BURST - len(succeeded) - len(failed)
        if is_indexed(job):
            status = msgspec.structs.replace(
                status,
                succeeded=len(found.succeeded_indexes),
                completedIndexes=indexes.spell(found.succeeded_indexes),
            )
            if job.spec.backoffLimitPerIndex is not None:
                status = msgspec.structs.replace(status, failedIndexes=indexes.spell(found.failed_indexes))
        else:
            succeeded += tuple(pod.metadata.uid for pod in found.new_succeeded[:room])
        failed += tuple(pod.metadata.uid for pod in found.new_failed[: max(0, room - len(found.new_succeeded))])
        waiting = UncountedTerminatedPods(succeeded=succeeded, failed=failed)
        started = None if job.spec.suspend and decision is None else status.startTime or format_time(now)
        status = msgspec.structs.replace(
            status,
            active=len(found.active),
            ready=found.ready,
            terminating=found.terminating,
            startTime=started,
            uncountedTerminatedPods=waiting,
            conditions=self._conditions(job, decision, now),
        )
        settled = not (found.active or found.terminating or succeeded or failed)
        if decision is not None and settled:
            status = self._finished(job, status, decision, now)
        return await update_status_if_changed(self.client, JOBS, job, status)

    def _conditions(self, job: Job, decision: Verdict | None, now: datetime) -> tuple[JobCondition, ...]:
        """Suspended as the spec says; the decision, as long as it is not carried out."""
        conditions = job.status.conditions
        suspended = find_condition(conditions, verdict.SUSPENDED)
        if decision is not None:
            return set_condition(conditions, _condition(decision.type, decision.reason, decision.message, now))
        if job.spec.suspend and (suspended is None or suspended.status != "True"):
            self._events.normal(job, "Suspended", "Job suspended")
            return set_condition(conditions, _condition(verdict.SUSPENDED, "JobSuspended", "Job suspended", now))
        if not job.spec.suspend and suspended is not None and suspended.status == "True":
            self._events.normal(job, "Resumed", "Job resumed")
            return set_condition(conditions, _condition(verdict.SUSPENDED, "JobResumed", "Job resumed", now, "False"))
        return conditions

    def _finished(self, job: Job, status: JobStatus, decision: Verdict, now: datetime) -> JobStatus:
        type = verdict.FAILED if decision.failed else verdict.COMPLETE
        if decision.failed:
            self._events.warning(job, decision.reason, decision.message)
        else:
            self._events.normal(job, "Completed", "Job completed")
        return msgspec.structs.replace(
            status,
            completionTime=None if decision.failed else format_time(now),
            conditions=set_condition(status.conditions, _condition(type, decision.reason, decision.message, now)),
        )


def _condition(type: str, reason: str, message: str, now: datetime, status: str = "True") -> JobCondition:
    time = format_time(now)
    return JobCondition(
        type=type, status=status, lastProbeTime=time, lastTransitionTime=time, reason=reason, message=message
    )


def _delay(failures: int) -> float:
    """Seconds between the last of so many failures in a row and the next try."""
    return min(LAST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 16)) if failures else 0.0


def _least_far(pods: Sequence[Pod]) -> list[Pod]:
    """Those that lose least by going first: without a node, not ready, youngest."""
    oldest = sorted(pods, key=lambda pod: pod.metadata.creationTimestamp or "", reverse=True)
    return sorted(oldest, key=lambda pod: (bool(pod.spec.nodeName), is_pod_ready(pod)))
