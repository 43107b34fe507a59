"""Whether a Job is decided, and how: the condition that says so before its last pods are gone. Pure.

First SuccessCriteriaMet or FailureTarget, while pods still end; then Complete or Failed, once none is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from proa.api.batch_v1 import Job
from proa.control.status import find_condition
from proa.controllers.job import indexes
from proa.controllers.job.tally import Tally, is_indexed
from proa.machinery.timestamps import parse

COMPLETE, FAILED, SUSPENDED = "Complete", "Failed", "Suspended"
SUCCESS_CRITERIA_MET, FAILURE_TARGET = "SuccessCriteriaMet", "FailureTarget"


@dataclass(frozen=True, slots=True)
class Verdict:
    """type: SuccessCriteriaMet or FailureTarget."""

    type: str
    reason: str
    message: str

    @property
    def failed(self) -> bool:
        return self.type == FAILURE_TARGET


def is_finished(job: Job) -> bool:
    """Whether it is Complete or Failed: nothing will happen to it any more."""
    return any(each.type in (COMPLETE, FAILED) and each.status == "True" for each in job.status.conditions)


def deadline(job: Job) -> datetime | None:
    """When its time is up."""
    if job.spec.activeDeadlineSeconds is None or not job.status.startTime:
        return None
    return parse(job.status.startTime) + timedelta(seconds=job.spec.activeDeadlineSeconds)


def verdict(job: Job, tally: Tally, now: datetime) -> Verdict | None:
    """The decision there is, or the one the tally brings; None while the Job goes on."""
    for type in (FAILURE_TARGET, SUCCESS_CRITERIA_MET):
        decided = find_condition(job.status.conditions, type)
        if decided is not None and decided.status == "True":
            return Verdict(type, decided.reason, decided.message)
    return _failure(job, tally, now) or _success(job, tally)


def _failure(job: Job, tally: Tally, now: datetime) -> Verdict | None:
    def failed(reason: str, message: str) -> Verdict:
        return Verdict(FAILURE_TARGET, reason, message)

    spec, until = job.spec, deadline(job)
    if tally.fatal:
        return failed("PodFailurePolicy", tally.fatal)
    limit = spec.backoffLimit if spec.backoffLimit is not None else 6
    restarting = spec.template.spec.restartPolicy == "OnFailure"
    restarted = restarting and (tally.restarts >= limit if limit else tally.restarts > 0)
    if (tally.new_failed and tally.failed > limit) or restarted:
        return failed("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    if until is not None and not spec.suspend and now >= until:
        return failed("DeadlineExceeded", "Job was active longer than specified deadline")
    if spec.backoffLimitPerIndex is not None and tally.failed_indexes:
        if spec.maxFailedIndexes is not None and len(tally.failed_indexes) > spec.maxFailedIndexes:
            return failed("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
        if len(tally.succeeded_indexes | tally.failed_indexes) >= (spec.completions or 0):
            return failed("FailedIndexes", "Job has failed indexes")
    return None


def _success(job: Job, tally: Tally) -> Verdict | None:
    spec = job.spec
    if is_indexed(job) and spec.successPolicy is not None:
        for number, rule in enumerate(spec.successPolicy.rules):
            candidates = tally.succeeded_indexes
            wanted = None
            if rule.succeededIndexes is not None:
                wanted = indexes.parse(rule.succeededIndexes, spec.completions or 0)
                candidates = candidates & wanted
            enough = rule.succeededCount if rule.succeededCount is not None else len(wanted or ())
            if enough and len(candidates) >= enough:
                return Verdict(SUCCESS_CRITERIA_MET, "SuccessPolicy", f"Matched rules at index {number}")
    if spec.completions is None:
        done = tally.succeeded > 0 and not tally.active
    else:
        done = tally.succeeded >= spec.completions
    if done:
        return Verdict(SUCCESS_CRITERIA_MET, "CompletionsReached", "Reached expected number of succeeded pods")
    return None
