"""What makes the spec of a job wrong beyond what its fields declare; a cron job's template obeys the same rules.

Not here: what may change (`strategies`), the status (`job_status`).
"""

from __future__ import annotations

from collections.abc import Set

from proa.api.batch_v1 import indexes
from proa.api.batch_v1.job import JobSpec
from proa.api.batch_v1.policies import (
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
    SuccessPolicyRule,
)
from proa.api.core_v1.pod_validation import validate_pod_template
from proa.api.core_v1.pod_warnings import template_warnings
from proa.machinery.checks import check_domain_prefixed, check_names, check_not_negative
from proa.machinery.declare import UNSET
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import qualified_name

INDEXED = "Indexed"

_MOST_PARALLEL = 100_000
_MOST_FAILED = 100_000
# Above so many completions, what keeps track of each index is limited more.
_MANY_COMPLETIONS = 100_000
_MOST_PARALLEL_OF_MANY = 10_000
_MOST_FAILED_OF_MANY = 10_000
_MOST_RULES = 20
_MOST_EXIT_CODES = 255
_MOST_PATTERNS = 20
_LONGEST_MANAGER = 63
_LONGEST_INDEXES = 64 * 1024


def job_spec_warnings(spec: JobSpec, path: Path) -> list[str]:
    """What clients are told of the valid spec of a job, or of the jobs of a cron job."""
    found = template_warnings(spec.template, path.child("template"))
    many = (spec.completions or 0) > _MANY_COMPLETIONS and (spec.parallelism or 0) > _MOST_PARALLEL_OF_MANY
    if spec.completionMode == INDEXED and many:
        found.append(
            f"{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
            "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
        )
    return found


def validate_job_spec(spec: JobSpec, path: Path, errors: ErrorList) -> None:
    if spec.maxFailedIndexes is not None and spec.backoffLimitPerIndex is None:
        errors.required(path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified")
    if spec.managedBy is not None:
        check_domain_prefixed(errors, path.child("managedBy"), spec.managedBy)
        if len(spec.managedBy) > _LONGEST_MANAGER:
            errors.too_long(path.child("managedBy"), _LONGEST_MANAGER)
    if spec.completionMode == INDEXED:
        _validate_indexed(spec, path, errors)
    else:
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if getattr(spec, field) is not None:
                errors.invalid(path.child(field), getattr(spec, field), "requires indexed completion mode")
    if spec.podFailurePolicy is not None:
        _validate_failure_policy(spec, path.child("podFailurePolicy", "rules"), errors)
        if spec.podReplacementPolicy not in (None, "Failed"):
            errors.unsupported(path.child("podReplacementPolicy"), spec.podReplacementPolicy, ("Failed",))
    if spec.successPolicy is not None:
        if spec.completionMode == INDEXED:
            _validate_success_policy(spec, path.child("successPolicy", "rules"), errors)
        else:
            errors.invalid(path.child("successPolicy"), spec.successPolicy, "requires indexed completion mode")
    validate_pod_template(spec.template, path.child("template"), errors)
    restart, at = spec.template.spec.restartPolicy, path.child("template", "spec", "restartPolicy")
    if restart in ("Always", ""):
        errors.required(at, 'valid values: "OnFailure", "Never"')
    elif restart == "OnFailure" and spec.podFailurePolicy is not None:
        errors.invalid(at, restart, 'only "Never" is supported when podFailurePolicy is specified')


def _validate_indexed(spec: JobSpec, path: Path, errors: ErrorList) -> None:
    parallelism, completions, failed = spec.parallelism or 0, spec.completions, spec.maxFailedIndexes
    parallel_path, failed_path = path.child("parallelism"), path.child("maxFailedIndexes")
    if completions is None:
        errors.required(path.child("completions"), "when completion mode is Indexed")
    if parallelism > _MOST_PARALLEL:
        detail = f"must be less than or equal to {_MOST_PARALLEL} when completion mode is Indexed"
        errors.invalid(parallel_path, parallelism, detail)
    if completions is not None and failed is not None and failed > completions:
        errors.invalid(failed_path, failed, "must be less than or equal to completions")
    if failed is not None and failed > _MOST_FAILED:
        errors.invalid(failed_path, failed, f"must be less than or equal to {_MOST_FAILED}")
    if completions is None or completions <= _MANY_COMPLETIONS or spec.backoffLimitPerIndex is None:
        return
    reason = f"when completions are above {_MANY_COMPLETIONS} and used with backoff limit per index"
    if failed is None:
        errors.required(failed_path, f"must be specified when completions is above {_MANY_COMPLETIONS}")
    elif failed > _MOST_FAILED_OF_MANY:
        errors.invalid(failed_path, failed, f"must be less than or equal to {_MOST_FAILED_OF_MANY} {reason}")
    if parallelism > _MOST_PARALLEL_OF_MANY:
        errors.invalid(parallel_path, parallelism, f"must be less than or equal to {_MOST_PARALLEL_OF_MANY} {reason}")


def _validate_failure_policy(spec: JobSpec, path: Path, errors: ErrorList) -> None:
    rules = spec.podFailurePolicy.rules if spec.podFailurePolicy is not None else ()
    if len(rules) > _MOST_RULES:
        errors.too_many(path, len(rules), _MOST_RULES)
    template = spec.template.spec
    containers = {each.name for each in (*template.containers, *template.initContainers)}
    for position, rule in enumerate(rules):
        at = path.index(position)
        if not rule.action:
            errors.required(at.child("action"), 'valid values: ["Count" "FailIndex" "FailJob" "Ignore"]')
        elif rule.action == "FailIndex" and spec.backoffLimitPerIndex is None:
            errors.invalid(at.child("action"), rule.action, "requires the backoffLimitPerIndex to be set")
        _validate_failure_rule(rule, at, containers, errors)


def _validate_failure_rule(rule: PodFailurePolicyRule, path: Path, containers: Set[str], errors: ErrorList) -> None:
    if rule.onExitCodes is not None:
        _validate_exit_codes(rule.onExitCodes, path.child("onExitCodes"), containers, errors)
    conditions = path.child("onPodConditions")
    if len(rule.onPodConditions) > _MOST_PATTERNS:
        errors.too_many(conditions, len(rule.onPodConditions), _MOST_PATTERNS)
    for position, pattern in enumerate(rule.onPodConditions):
        at = conditions.index(position)
        check_names(errors, at.child("type"), pattern.type, qualified_name(pattern.type))
        if pattern.status not in ("False", "True", "Unknown"):
            errors.unsupported(at.child("status"), pattern.status, ("False", "True", "Unknown"))
    if rule.onExitCodes is not None and rule.onPodConditions:
        errors.invalid(path, UNSET, "specifying both OnExitCodes and OnPodConditions is not supported")
    if rule.onExitCodes is None and not rule.onPodConditions:
        errors.invalid(path, UNSET, "specifying one of OnExitCodes and OnPodConditions is required")


def _validate_exit_codes(
    requirement: PodFailurePolicyOnExitCodesRequirement, path: Path, containers: Set[str], errors: ErrorList
) -> None:
    if not requirement.operator:
        errors.required(path.child("operator"), 'valid values: ["In" "NotIn"]')
    name, values, at = requirement.containerName, requirement.values, path.child("values")
    if name is not None and name not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        errors.invalid(path.child("containerName"), name, detail)
    if not values:
        errors.invalid(at, values, "at least one value is required")
    elif len(values) > _MOST_EXIT_CODES:
        errors.too_many(at, len(values), _MOST_EXIT_CODES)
    for position, value in enumerate(values):
        if requirement.operator == "In" and value == 0:
            errors.invalid(at.index(position), value, "must not be 0 for the In operator")
        if value in values[:position]:
            errors.duplicate(at.index(position), value)
    if list(values) != sorted(values):
        errors.invalid(at, values, "must be ordered")


def _validate_success_policy(spec: JobSpec, path: Path, errors: ErrorList) -> None:
    rules = spec.successPolicy.rules if spec.successPolicy is not None else ()
    if not rules:
        errors.required(path, "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > _MOST_RULES:
        errors.too_many(path, len(rules), _MOST_RULES)
    if spec.completions is not None:
        for position, rule in enumerate(rules):
            _validate_success_rule(rule, spec.completions, path.index(position), errors)


def _validate_success_rule(rule: SuccessPolicyRule, completions: int, path: Path, errors: ErrorList) -> None:
    wanted, named = rule.succeededCount, rule.succeededIndexes
    if wanted is None and named is None:
        errors.required(path, "at least one of succeededCount or succeededIndexes must be specified")
    total = 0
    if named is not None:
        at = path.child("succeededIndexes")
        if len(named) > _LONGEST_INDEXES:
            errors.too_long(at, _LONGEST_INDEXES)
        try:
            total = indexes.count(named, completions)
        except indexes.IndexesError as error:
            errors.invalid(at, named, f"error parsing succeededIndexes: {error}")
    if wanted is not None:
        at = path.child("succeededCount")
        check_not_negative(errors, at, wanted)
        if wanted > completions:
            detail = f"must be less than or equal to {completions} (the number of specified completions)"
            errors.invalid(at, wanted, detail)
        if named is not None and wanted > total:
            detail = (
                f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            )
            errors.invalid(at, wanted, detail)
