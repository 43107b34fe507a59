"""Pods that wait to be counted by a Job that is not there: their finalizer goes, so that they can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proa.api.batch_v1.resources import JOBS
from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import PODS
from proa.client.informer import key_of
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.ownership import controlled_by, index_by_controller
from proa.control.triggers import Maps, Trigger
from proa.controllers.job.tally import TRACKING
from proa.controllers.job.tracking import release
from proa.machinery.status import StatusError, is_not_found
from proa.rules.owners import controller_of


class JobPodLeftoversController(Controller):
    name = "job-pod-leftovers"
    workers = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = context.informer(JOBS)
        self._pods = context.informer(PODS)
        index_by_controller(self._pods)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (Maps(PODS, self._pod_changed), Maps(JOBS, self._job_changed))

    def _pod_changed(self, old: Any, new: Any) -> Iterable[str]:
        if new is not None and TRACKING in new.metadata.finalizers and not self._has_job(new):
            yield key_of(new)

    def _job_changed(self, old: Any, new: Any) -> Iterable[str]:
        if new is None:
            yield from map(key_of, controlled_by(self._pods, old.metadata.uid))

    def _has_job(self, pod: Pod) -> bool:
        """By our copy, which may be behind: the API is asked before anything is done."""
        reference = controller_of(pod)
        if reference is None:
            return False
        job = self._jobs.get(f"{pod.metadata.namespace}/{reference.name}")
        return job is not None and job.metadata.uid == reference.uid

    async def reconcile(self, key: str) -> Outcome:
        pod = self._pods.get(key)
        if pod is None or TRACKING not in pod.metadata.finalizers or self._has_job(pod):
            return DONE
        reference = controller_of(pod)
        if reference is not None and reference.kind == "Job":
            try:
                job = await self.client.get(JOBS, reference.name, pod.metadata.namespace)
            except StatusError as error:
                if not is_not_found(error):
                    raise
            else:
                if job.metadata.uid == reference.uid:
                    return DONE
        await release(self.client, pod)
        return DONE
