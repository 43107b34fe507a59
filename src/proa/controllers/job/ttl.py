"""Deleting ended Jobs after `spec.ttlSecondsAfterFinished`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from proa.api.batch_v1 import Job
from proa.api.batch_v1.resources import JOBS
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import For, Trigger
from proa.controllers.job.verdict import COMPLETE, FAILED, is_finished
from proa.machinery.timestamps import parse


class JobTTLController(Controller):
    name = "ttl-after-finished"
    workers = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = context.informer(JOBS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(JOBS, when=lambda old, new: new is not None and _expires(new)),)

    async def reconcile(self, key: str) -> Outcome:
        job = self._jobs.get(key)
        if job is None or not _expires(job):
            return DONE
        left = (job.spec.ttlSecondsAfterFinished or 0) - (self.now() - _finished_at(job)).total_seconds()
        if left > 0:
            return requeue_after(left, "until its time is up")
        # What decided is this version: somebody may be changing the time right now.
        version = job.metadata.resourceVersion
        await delete_exactly(
            self.client, JOBS, job, unless_changed=True, resource_version=version, propagation="Foreground"
        )
        return DONE


def _expires(job: Job) -> bool:
    meta = job.metadata
    return job.spec.ttlSecondsAfterFinished is not None and meta.deletionTimestamp is None and is_finished(job)


def _finished_at(job: Job) -> datetime:
    return max(
        parse(each.lastTransitionTime)
        for each in job.status.conditions
        if each.type in (COMPLETE, FAILED) and each.status == "True" and each.lastTransitionTime
    )
