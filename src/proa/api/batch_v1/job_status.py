"""Which status a job may be given: whoever keeps a job, its states follow one another as clients rely on.

Most rules apply only where what they are about changes, so that a status that was wrong before can still be mended.
"""

from __future__ import annotations

from proa.api.batch_v1 import indexes
from proa.api.batch_v1.job import Job
from proa.api.batch_v1.job_validation import INDEXED
from proa.machinery import timestamps
from proa.machinery.checks import check_not_negative
from proa.machinery.declare import UNSET
from proa.machinery.fields import ErrorList, Path

_STATUS = Path("status")
_CONDITIONS = _STATUS.child("conditions")
_TIME = _STATUS.child("completionTime")


def validate_status_update(new: Job, old: Job, errors: ErrorList) -> None:
    change = _Change(new, old)
    _validate_counts(new, errors)
    _validate_finish(change, errors)
    _validate_conditions(change, errors)
    _validate_indexes(change, errors)
    _validate_history(change, errors)


class _Change:
    """Two states of a job, and what differs."""

    def __init__(self, new: Job, old: Job) -> None:
        self.new, self.old = new, old
        self._after, self._before = _true_conditions(new), _true_conditions(old)

    def holds(self, *conditions: str) -> bool:
        """Whether all of these are true now."""
        return self._after >= set(conditions)

    def held(self, condition: str) -> bool:
        return condition in self._before

    def turned(self, *conditions: str) -> bool:
        """Whether one of these became true or untrue."""
        return bool((self._after ^ self._before) & set(conditions))

    @property
    def finished(self) -> bool:
        return bool(self._after & {"Complete", "Failed"})

    @property
    def finish_turned(self) -> bool:
        return self.finished != bool(self._before & {"Complete", "Failed"})

    def differs(self, *fields: str) -> bool:
        """Whether one of these fields of the status changed."""
        return any(getattr(self.new.status, each) != getattr(self.old.status, each) for each in fields)


def _true_conditions(job: Job) -> set[str]:
    return {each.type for each in job.status.conditions if each.status == "True"}


def _validate_counts(job: Job, errors: ErrorList) -> None:
    status = job.status
    for field in ("ready", "terminating"):
        check_not_negative(errors, _STATUS.child(field), getattr(status, field))
    uncounted = status.uncountedTerminatedPods
    if uncounted is not None:
        seen: set[str] = set()
        for field in ("succeeded", "failed"):
            for position, uid in enumerate(getattr(uncounted, field)):
                at = _STATUS.child("uncountedTerminatedPods", field).index(position)
                if not uid:
                    errors.invalid(at, uid, "must not be empty")
                elif uid in seen:
                    errors.duplicate(at, uid)
                seen.add(uid)


def _validate_finish(change: _Change, errors: ErrorList) -> None:
    """What a finished job has and has not."""
    status, spec, finished = change.new.status, change.new.spec, change.finished
    complete = change.holds("Complete")
    if change.turned("Complete") or change.differs("completionTime"):
        if status.completionTime is not None and not complete:
            detail = "cannot set completionTime when there is no Complete=True condition"
            errors.invalid(_TIME, status.completionTime, detail)
        if status.completionTime is None and complete:
            errors.required(_TIME, "completionTime is required for Complete jobs")
    if (
        status.startTime
        and status.completionTime
        and change.differs("startTime", "completionTime")
        and timestamps.parse(status.completionTime) < timestamps.parse(status.startTime)
    ):
        errors.invalid(_TIME, status.completionTime, "must be equal to or after `startTime`")
    if finished and status.active > 0 and (change.finish_turned or change.differs("active")):
        errors.invalid(_STATUS.child("active"), status.active, "active>0 is invalid for finished job")
    if finished and (status.terminating or 0) > 0 and (change.finish_turned or change.differs("terminating")):
        errors.invalid(_STATUS.child("terminating"), status.terminating, "terminating>0 is invalid for finished job")
    never_ran = bool(spec.suspend) and spec.completions == 0
    if (
        finished
        and status.startTime is None
        and not never_ran
        and (change.finish_turned or change.differs("startTime"))
    ):
        errors.required(_STATUS.child("startTime"), "startTime is required for finished job")
    uncounted = status.uncountedTerminatedPods
    waiting = uncounted is not None and (uncounted.failed or uncounted.succeeded)
    if finished and waiting and (change.finish_turned or change.differs("uncountedTerminatedPods")):
        errors.invalid(_STATUS.child("uncountedTerminatedPods"), uncounted, "must be empty for finished job")
    if change.differs("ready", "active") and status.ready is not None and status.ready > status.active:
        errors.invalid(_STATUS.child("ready"), status.ready, "cannot set more ready pods than active")


# What may not be true together, or without another: the conditions that are, the one that is not, and those of which
# one must just have turned (none: it is always checked).
_CONTRADICTIONS: tuple[tuple[tuple[str, ...], str, tuple[str, ...], str], ...] = (
    (
        ("Complete", "Failed"),
        "",
        ("Complete", "Failed"),
        "cannot set Complete=True and Failed=true conditions",
    ),
    (
        ("Complete", "FailureTarget"),
        "",
        ("Complete", "FailureTarget"),
        "cannot set Complete=True and FailureTarget=true conditions",
    ),
    (
        ("Failed",),
        "FailureTarget",
        ("Failed",),
        "cannot set Failed=True condition without the FailureTarget=true condition",
    ),
    (
        ("Complete",),
        "SuccessCriteriaMet",
        ("Complete", "SuccessCriteriaMet"),
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
    ),
    (
        ("SuccessCriteriaMet", "Failed"),
        "",
        (),
        "cannot set SuccessCriteriaMet=True and Failed=true conditions",
    ),
    (
        ("SuccessCriteriaMet", "FailureTarget"),
        "",
        (),
        "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
    ),
)


def _validate_conditions(change: _Change, errors: ErrorList) -> None:
    for true, untrue, turned, detail in _CONTRADICTIONS:
        wrong = change.holds(*true) and not (untrue and change.holds(untrue))
        if wrong and (not turned or change.turned(*turned)):
            errors.invalid(_CONDITIONS, UNSET, detail)
    policed = change.new.spec.successPolicy is not None
    if policed and change.holds("Complete") and not change.holds("SuccessCriteriaMet"):
        detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        errors.invalid(_CONDITIONS, UNSET, detail)


def _validate_indexes(change: _Change, errors: ErrorList) -> None:
    status, spec = change.new.status, change.new.spec
    completed, failed = _STATUS.child("completedIndexes"), _STATUS.child("failedIndexes")
    if change.differs("completedIndexes"):
        if spec.completions is not None:
            _validate_format(status.completedIndexes, spec.completions, completed, errors)
        if status.completedIndexes and spec.completionMode != INDEXED:
            detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
            errors.invalid(completed, status.completedIndexes, detail)
    if status.failedIndexes is None:
        return
    if change.differs("failedIndexes"):
        if spec.backoffLimitPerIndex is None:
            detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            errors.invalid(failed, status.failedIndexes, detail)
        elif spec.completions is not None:
            _validate_format(status.failedIndexes, spec.completions, failed, errors)
    if spec.completions is not None and change.differs("failedIndexes", "completedIndexes"):
        both = indexes.overlap(status.completedIndexes, status.failedIndexes, spec.completions)
        if both is not None:
            detail = f"failedIndexes and completedIndexes overlap at index: {both}"
            errors.invalid(failed, status.failedIndexes, detail)


def _validate_format(text: str, completions: int, path: Path, errors: ErrorList) -> None:
    try:
        indexes.intervals(text, completions)
    except indexes.IndexesError as error:
        errors.invalid(path, text, f"error parsing {str(path).rpartition('.')[2]}: {error}")


def _validate_history(change: _Change, errors: ErrorList) -> None:
    """What stays as it once was, or only grows."""
    new, old, spec = change.new.status, change.old.status, change.new.spec
    for condition in ("Failed", "Complete", "FailureTarget"):
        if change.held(condition) and not change.holds(condition):
            errors.invalid(_CONDITIONS, UNSET, f"cannot disable the terminal {condition}=True condition")
    if change.held("SuccessCriteriaMet") and not change.holds("SuccessCriteriaMet"):
        errors.invalid(_CONDITIONS, UNSET, "cannot disable the SuccessCriteriaMet=True condition")
    if change.held("Complete") and not change.held("SuccessCriteriaMet") and change.holds("SuccessCriteriaMet"):
        detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        errors.invalid(_CONDITIONS, UNSET, detail)
    if new.failed < old.failed:
        errors.invalid(_STATUS.child("failed"), new.failed, "cannot decrease the failed counter")
    # An indexed job with as many completions as pods at once may be scaled down.
    scalable = spec.completionMode == INDEXED and spec.completions == spec.parallelism
    if new.succeeded < old.succeeded and not scalable:
        errors.invalid(_STATUS.child("succeeded"), new.succeeded, "cannot decrease the succeeded counter")
    if new.completionTime is not None and old.completionTime not in (None, new.completionTime):
        errors.immutable(_TIME, new.completionTime)
    suspended = [each.status for each in new.conditions if each.type == "Suspended"]
    resuming = change.held("Suspended") and "False" in suspended
    if old.startTime not in (None, new.startTime) and not spec.suspend and not resuming:
        detail = "field is immutable for unsuspended job once set"
        errors.invalid(_STATUS.child("startTime"), new.startTime, detail)
