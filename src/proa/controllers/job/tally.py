"""From a Job and its pods to the counts its status is made of, and to what has to happen to be sure of them. Pure.

Pods carry a finalizer until they are counted, so that none is lost with its object. Counting takes two writes: the uid
goes to `status.uncountedTerminatedPods`, then the finalizer goes, then the number rises and the uid leaves. Whoever
is stopped in between finds by the status and the finalizers where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from proa.api.batch_v1 import Job, UncountedTerminatedPods
from proa.api.core_v1 import Pod
from proa.controllers.job import failure_policy, indexes
from proa.machinery.timestamps import parse
from proa.rules.pods import FAILED, SUCCEEDED, container_restarts, is_pod_ready, is_terminal

TRACKING = "batch.kubernetes.io/job-tracking"
FAILURE_COUNT = "batch.kubernetes.io/job-index-failure-count"
NOTHING = UncountedTerminatedPods()


def is_indexed(job: Job) -> bool:
    return job.spec.completionMode == "Indexed"


def only_failed_is_replaced(job: Job) -> bool:
    """Whether a pod that is being deleted still counts as one that runs (podReplacementPolicy)."""
    policy = job.spec.podReplacementPolicy or ("Failed" if job.spec.podFailurePolicy is not None else "")
    return policy == "Failed"


def has_failed(job: Job, pod: Pod) -> bool:
    if pod.status.phase == FAILED:
        return True
    return (
        pod.metadata.deletionTimestamp is not None
        and pod.status.phase != SUCCEEDED
        and not only_failed_is_replaced(job)
    )


@dataclass
class Tally:
    """Where a Job stands.

    active: neither ended nor being deleted. terminating: being deleted and not ended. new_succeeded, new_failed: ended
    and not counted before. ignored: failed ones that a policy says not to count. succeeded, failed: everything that
    ended, counted or about to be. *_indexes: of an indexed Job. last_failure: of each index, its youngest failed pod.
    """

    active: list[Pod] = field(default_factory=list)
    ready: int = 0
    terminating: int = 0
    new_succeeded: list[Pod] = field(default_factory=list)
    new_failed: list[Pod] = field(default_factory=list)
    ignored: list[Pod] = field(default_factory=list)
    succeeded: int = 0
    failed: int = 0
    succeeded_indexes: set[int] = field(default_factory=set)
    failed_indexes: set[int] = field(default_factory=set)
    restarts: int = 0
    fatal: str = ""
    last_failure: dict[int, Pod] = field(default_factory=dict)


def tally(job: Job, pods: Sequence[Pod]) -> Tally:
    """Count. `pods` are those the Job controls."""
    found = Tally()
    indexed, completions = is_indexed(job), job.spec.completions or 0
    uncounted = job.status.uncountedTerminatedPods or NOTHING
    known = {*uncounted.succeeded, *uncounted.failed}
    if indexed:
        found.succeeded_indexes = indexes.parse(job.status.completedIndexes, completions)
        found.failed_indexes = indexes.parse(job.status.failedIndexes or "", completions)
    for pod in pods:
        if pod.status.phase == SUCCEEDED:
            _succeeded(found, pod, known, completions if indexed else None)
        elif has_failed(job, pod):
            _failed(found, job, pod, known, indexed)
        if is_terminal(pod):
            continue
        if pod.metadata.deletionTimestamp is not None:
            found.terminating += 1
        else:
            found.active.append(pod)
            found.ready += is_pod_ready(pod)
            found.restarts += container_restarts(pod)
    found.failed = job.status.failed + len(uncounted.failed) + len(found.new_failed)
    if indexed:
        found.succeeded = len(found.succeeded_indexes)
        found.failed_indexes -= found.succeeded_indexes
    else:
        found.succeeded = job.status.succeeded + len(uncounted.succeeded) + len(found.new_succeeded)
    return found


def _succeeded(found: Tally, pod: Pod, known: set[str], completions: int | None) -> None:
    if TRACKING not in pod.metadata.finalizers or pod.metadata.uid in known:
        return
    index = indexes.index_of(pod)
    if completions is None or (index is not None and index < completions):
        found.new_succeeded.append(pod)
        if completions is not None and index is not None:
            found.succeeded_indexes.add(index)
    else:
        found.ignored.append(pod)


def _failed(found: Tally, job: Job, pod: Pod, known: set[str], indexed: bool) -> None:
    index = indexes.index_of(pod) if indexed else None
    if index is not None:
        last = found.last_failure.get(index)
        if last is None or failures_of(last) <= failures_of(pod):
            found.last_failure[index] = pod
    if TRACKING not in pod.metadata.finalizers:
        return
    judgement = failure_policy.judge(job.spec.podFailurePolicy, pod)
    if judgement.action == failure_policy.FAIL_JOB:
        found.fatal = found.fatal or judgement.message
    if judgement.action == failure_policy.IGNORE:
        found.ignored.append(pod)
        return
    if index is not None and job.spec.backoffLimitPerIndex is not None:
        gone = judgement.action == failure_policy.FAIL_INDEX or failures_of(pod) >= job.spec.backoffLimitPerIndex
        if gone:
            found.failed_indexes.add(index)
    if pod.metadata.uid not in known:
        found.new_failed.append(pod)


def failures_of(pod: Pod) -> int:
    """How often its index failed before this pod."""
    text = pod.metadata.annotations.get(FAILURE_COUNT, "0")
    return int(text) if text.isdigit() else 0


def ended_at(pod: Pod, now: datetime) -> datetime:
    """When a pod ended, as well as its status tells."""
    times = [
        parse(each.state.terminated.finishedAt)
        for each in pod.status.containerStatuses
        if each.state.terminated is not None and each.state.terminated.finishedAt
    ]
    return max(times, default=now)
