"""Printer columns of jobs and cron jobs."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, NONE, Document, dig, flag, images, length, path, selector_text
from proa.machinery.resource import Column

# What a job says it is, by the first of its conditions in this order; between the two a deletion counts.
_FINAL = ("Complete", "Failed")
_PASSING = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _status(job: Document) -> str:
    given = {each.get("type") for each in dig(job, "status", "conditions") or () if each.get("status") == "True"}
    final = next((each for each in _FINAL if each in given), "")
    if final:
        return final
    if dig(job, "metadata", "deletionTimestamp"):
        return "Terminating"
    return next((each for each in _PASSING if each in given), "Running")


def _completions(job: Document) -> str:
    succeeded = dig(job, "status", "succeeded") or 0
    wanted = dig(job, "spec", "completions")
    if wanted is not None:
        return f"{succeeded}/{wanted}"
    parallelism = dig(job, "spec", "parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(job: Document) -> tuple[str, str] | str:
    started = dig(job, "status", "startTime")
    return (started, dig(job, "status", "completionTime") or "") if started else ""


JOBS = (
    NAME,
    Column("Status", _status, description="How far it is."),
    Column("Completions", _completions, description="Succeeded pods of wanted ones."),
    Column("Duration", _duration, type="duration", description="How long it took, or has run so far."),
    AGE,
    *images("spec.template.spec"),
    Column("Selector", lambda d: selector_text(dig(d, "spec", "selector")), priority=1, description="Its pods."),
)
CRON_JOBS = (
    NAME,
    Column("Schedule", path("spec.schedule"), description="When it runs, as cron writes it."),
    Column("Timezone", path("spec.timeZone", NONE), description="The time zone of the schedule."),
    flag("Suspend", "spec.suspend", "Whether it makes no more jobs."),
    length("Active", "status.active", "Its jobs that run now."),
    Column("Last Schedule", path("status.lastScheduleTime", NONE), type="age", description="When it last made a job."),
    AGE,
    *images("spec.jobTemplate.spec.template.spec"),
    Column(
        "Selector",
        lambda d: selector_text(dig(d, "spec", "jobTemplate", "spec", "selector")),
        priority=1,
        description="The pods of its jobs.",
    ),
)
