"""How jobs and cron jobs differ from the generic registry: defaults, generated selectors, what may change when."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from proa.api.batch_v1.cron_job import CronJob
from proa.api.batch_v1.job import Job
from proa.api.batch_v1.job_status import validate_status_update
from proa.api.batch_v1.job_validation import INDEXED, job_spec_warnings, validate_job_spec
from proa.api.batch_v1.schedule import schedule_problem, zone_problem
from proa.api.core_v1.container import Container
from proa.api.core_v1.pod import PodSpec
from proa.api.core_v1.pod_defaults import default_pod_template
from proa.api.core_v1.pod_warnings import name_warnings
from proa.machinery.checks import check_unchanged
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label
from proa.machinery.object_meta import validate_label_selector
from proa.machinery.selectors import Selector, label_selector
from proa.machinery.strategy import DefaultStrategy, is_other

Document = dict[str, Any]

_SPEC = Path("spec")
_TEMPLATE = _SPEC.child("template")
_UNLIMITED = 2**31 - 1
_OLD_UID, _UID = "controller-uid", "batch.kubernetes.io/controller-uid"
_OLD_NAME, _NAME = "job-name", "batch.kubernetes.io/job-name"
_LONGEST_CRON_JOB = 52
"""The controller makes job names of it, with eleven characters more."""


class JobStrategy(DefaultStrategy):
    orphans_dependents = True
    orphans_warning = (
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
        "set propagationPolicy=Orphan to suppress this warning"
    )

    def default(self, document: Document) -> None:
        default_pod_template(document)
        spec = document.get("spec") or {}
        if spec.get("parallelism") is None:
            if spec.get("completions") is None:
                spec["completions"] = 1
            spec["parallelism"] = 1
        if spec.get("backoffLimit") is None:
            spec["backoffLimit"] = 6 if spec.get("backoffLimitPerIndex") is None else _UNLIMITED
        if spec.get("podReplacementPolicy") is None:
            policed = spec.get("podFailurePolicy") is not None
            spec["podReplacementPolicy"] = "Failed" if policed else "TerminatingOrFailed"
        for field, value in (("completionMode", "NonIndexed"), ("suspend", False), ("manualSelector", False)):
            if spec.get(field) is None:
                spec[field] = value
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
        metadata = document.setdefault("metadata", {})
        if labels and not metadata.get("labels"):
            metadata["labels"] = dict(labels)

    def prepare_for_create(self, document: Document) -> None:
        super().prepare_for_create(document)
        spec = document["spec"]
        if not spec["manualSelector"]:
            _select_by_uid(spec, document["metadata"])

    def validate(self, new: Job, errors: ErrorList) -> None:
        spec = new.spec
        validate_job_spec(spec, _SPEC, errors)
        if spec.selector is None:
            errors.required(_SPEC.child("selector"))
        else:
            before = len(errors)
            validate_label_selector(spec.selector, errors, _SPEC.child("selector"))
            if len(errors) == before:
                _validate_selection(new, label_selector(spec.selector), errors)
        if spec.completionMode == INDEXED and spec.completions:
            hostname = f"{new.metadata.name}-{spec.completions - 1}"
            if dns1123_label(hostname):
                detail = f"will not able to create pod with invalid DNS label: {hostname}"
                errors.invalid(Path("metadata", "name"), new.metadata.name, detail)

    def validate_update(self, new: Job, old: Job, errors: ErrorList) -> None:
        after, before = new.spec, old.spec
        completions = _SPEC.child("completions")
        if after.completionMode != INDEXED:
            check_unchanged(errors, completions, after.completions, before.completions)
        elif after.completions not in (None, before.completions, after.parallelism):
            errors.invalid(completions, after.completions, "can only be modified in tandem with spec.parallelism")
        _validate_template_update(new, old, errors)
        for field in (
            "selector",
            "completionMode",
            "podFailurePolicy",
            "backoffLimitPerIndex",
            "managedBy",
            "successPolicy",
        ):
            check_unchanged(errors, _SPEC.child(field), getattr(after, field), getattr(before, field))
        if new.status != old.status:
            validate_status_update(new, old, errors)

    def warnings(self, new: Job, old: Job | None) -> list[str]:
        found = name_warnings(new.metadata.name) if old is None else []
        return found + (job_spec_warnings(new.spec, _SPEC) if is_other(new, old) else [])


def _select_by_uid(spec: Document, metadata: Document) -> None:
    """A job's pods carry its uid and are selected by it, so that no two jobs share a pod."""
    labels = spec.setdefault("template", {}).setdefault("metadata", {}).setdefault("labels", {})
    for name in (_OLD_NAME, _NAME):
        labels.setdefault(name, metadata.get("name", ""))
    for name in (_OLD_UID, _UID):
        labels.setdefault(name, metadata.get("uid", ""))
    if spec.get("selector") is None:
        spec["selector"] = {}
    spec["selector"].setdefault("matchLabels", {}).setdefault(_UID, metadata.get("uid", ""))


def _validate_selection(job: Job, selector: Selector, errors: ErrorList) -> None:
    """A job selects its pods; unless it chose by itself, by what only they have."""
    spec, at = job.spec, _TEMPLATE.child("metadata", "labels")
    labels = spec.template.metadata.labels
    if not selector.matches(labels):
        errors.invalid(at, labels, "`selector` does not match template `labels`")
    if spec.manualSelector:
        return
    # The user may have labelled the template or written the selector in a way that contradicts what is generated.
    uid, name = job.metadata.uid, job.metadata.name
    expected = {_OLD_UID: uid, _OLD_NAME: name, _UID: uid, _NAME: name}
    for label, value in expected.items():
        if label not in labels:
            errors.required(at.key(label), f"must be '{value}'")
        elif labels[label] != value:
            errors.invalid(at.key(label), labels, f"must be '{value}'")
    if not selector.matches(expected):
        errors.invalid(_SPEC.child("selector"), spec.selector, "`selector` not auto-generated")


def _validate_template_update(new: Job, old: Job, errors: ErrorList) -> None:
    """A job that is suspended and has no pods may still say where its pods run and what they need."""
    after, before = new.spec.template, old.spec.template
    if after == before:
        return
    stopped = old.status.startTime is None or any(
        each.type == "Suspended" and each.status == "True" for each in old.status.conditions
    )
    if not (old.spec.suspend and stopped and old.status.active == 0):
        errors.immutable(_TEMPLATE, after)
        return
    allowed = _with_resources(_with_placement(before.spec, after.spec), after.spec)
    if after.spec != allowed:
        errors.immutable(_TEMPLATE.child("spec"), after.spec)


def _with_placement(before: PodSpec, after: PodSpec) -> PodSpec:
    """The old pod spec with all of the new one that says where pods run."""
    affinity, wanted = before.affinity, after.affinity
    if wanted is None:
        only_nodes = affinity is not None and affinity.podAffinity is None and affinity.podAntiAffinity is None
        affinity = None if only_nodes else affinity
    elif affinity is None:
        affinity = replace(wanted, podAffinity=None, podAntiAffinity=None)
    else:
        affinity = replace(affinity, nodeAffinity=wanted.nodeAffinity)
    return replace(
        before,
        affinity=affinity,
        nodeSelector=after.nodeSelector,
        tolerations=after.tolerations,
        schedulingGates=after.schedulingGates,
    )


def _with_resources(before: PodSpec, after: PodSpec) -> PodSpec:
    """The old pod spec with the resources of the new one's containers."""
    return replace(
        before,
        containers=_resourced(before.containers, after.containers),
        initContainers=_resourced(before.initContainers, after.initContainers),
    )


def _resourced(before: tuple[Container, ...], after: tuple[Container, ...]) -> tuple[Container, ...]:
    if len(before) != len(after):
        return before
    return tuple(
        replace(old, resources=new.resources) if old.name == new.name else old
        for old, new in zip(before, after, strict=True)
    )


class CronJobStrategy(DefaultStrategy):
    def default(self, document: Document) -> None:
        template = (document.get("spec") or {}).get("jobTemplate")
        if template is not None:
            default_pod_template(template)

    def validate(self, new: CronJob, errors: ErrorList) -> None:
        spec, template = new.spec, _SPEC.child("jobTemplate", "spec")
        _validate_schedule(spec.schedule, errors)
        if spec.timeZone is not None:
            _validate_zone(spec.timeZone, errors)
        validate_job_spec(spec.jobTemplate.spec, template, errors)
        if spec.jobTemplate.spec.selector is not None:
            detail = "`selector` will be auto-generated"
            errors.invalid(template.child("selector"), spec.jobTemplate.spec.selector, detail)
        if spec.jobTemplate.spec.manualSelector:
            errors.unsupported(template.child("manualSelector"), True, ("nil", "false"))

    def validate_create(self, new: CronJob, errors: ErrorList) -> None:
        name = new.metadata.name
        if len(name) > _LONGEST_CRON_JOB:
            detail = f"must be no more than {_LONGEST_CRON_JOB} characters"
            errors.invalid(Path("metadata", "name"), name, detail)

    def warnings(self, new: CronJob, old: CronJob | None) -> list[str]:
        found = name_warnings(new.metadata.name) if old is None else []
        if is_other(new, old):
            found += job_spec_warnings(new.spec.jobTemplate.spec, _SPEC.child("jobTemplate", "spec"))
        return found


def _validate_schedule(schedule: str, errors: ErrorList) -> None:
    path = _SPEC.child("schedule")
    if not schedule:
        errors.required(path)
        return
    problem = schedule_problem(schedule)
    if problem:
        errors.invalid(path, schedule, problem)
    if "TZ" in schedule:
        errors.invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")


def _validate_zone(zone: str, errors: ErrorList) -> None:
    problem = zone_problem(zone) if zone else "timeZone must be nil or non-empty string"
    if problem:
        errors.invalid(_SPEC.child("timeZone"), zone, problem)
