"""What the declarations of webhook configurations cannot say: names, rules, timeouts, whom to ask.

Not here: policies (`policy_strategies`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proa.api.admissionregistration_v1.reserved_names import ReservedNameStrategy
from proa.machinery import names
from proa.machinery.client_config import validate_client_config
from proa.machinery.expressions.conditions import validate_match_conditions
from proa.machinery.fields import ErrorList, Path
from proa.machinery.object_meta import validate_label_selector

_HOOKS = Path("webhooks")
_REVIEW_VERSIONS = ("v1", "v1beta1")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")


class WebhookConfigurationStrategy(ReservedNameStrategy):
    """Of MutatingWebhookConfiguration and ValidatingWebhookConfiguration alike."""

    def validate(self, new: Any, errors: ErrorList) -> None:
        seen = set()
        for position, hook in enumerate(new.webhooks):
            path = _HOOKS.index(position)
            _validate_hook(hook, path, errors)
            if hook.name and hook.name in seen:
                errors.duplicate(path.child("name"), hook.name)
            seen.add(hook.name)


def _validate_hook(hook: Any, path: Path, errors: ErrorList) -> None:
    _validate_name(hook.name, path.child("name"), errors)
    for position, rule in enumerate(hook.rules):
        validate_rule(rule, path.child("rules").index(position), errors)
    if hook.sideEffects is None:
        errors.required(path.child("sideEffects"), f"must specify one of {', '.join(_SIDE_EFFECTS)}")
    if hook.timeoutSeconds is not None and not 1 <= hook.timeoutSeconds <= 30:
        errors.invalid(
            path.child("timeoutSeconds"), hook.timeoutSeconds, "the timeout value must be between 1 and 30 seconds"
        )
    validate_label_selector(hook.namespaceSelector, errors, path.child("namespaceSelector"))
    validate_label_selector(hook.objectSelector, errors, path.child("objectSelector"))
    validate_client_config(hook.clientConfig, path.child("clientConfig"), errors)
    validate_match_conditions(hook.matchConditions, path.child("matchConditions"), errors)
    _validate_versions(hook.admissionReviewVersions, path.child("admissionReviewVersions"), errors)


def _validate_name(name: str, path: Path, errors: ErrorList) -> None:
    if not name:
        errors.required(path)
    elif wrong := names.dns1123_subdomain(name):
        errors.invalid(path, name, ",".join(wrong))
    elif name.count(".") < 2:
        errors.invalid(path, name, "should be a domain with at least three segments separated by dots")


def _validate_versions(versions: Sequence[str], path: Path, errors: ErrorList) -> None:
    if not versions:
        errors.required(path, f"must specify one of {', '.join(_REVIEW_VERSIONS)}")
    for position, version in enumerate(versions):
        if version in versions[:position]:
            errors.invalid(path.index(position), version, "duplicate version")
            continue
        for wrong in names.dns1035_label(version):
            errors.invalid(path.index(position), version, wrong)
    if versions and not set(_REVIEW_VERSIONS).intersection(versions):
        errors.invalid(path, list(versions), f"must include at least one of {', '.join(_REVIEW_VERSIONS)}")


def validate_rule(rule: Any, path: Path, errors: ErrorList) -> None:
    """A RuleWithOperations, or the same part of a NamedRuleWithOperations: nothing left out, wildcards alone."""
    for field, what in (("operations", "operations"), ("apiGroups", "API groups"), ("apiVersions", "API versions")):
        values = getattr(rule, field)
        if not values:
            errors.required(path.child(field))
        elif len(values) > 1 and "*" in values:
            errors.invalid(path.child(field), list(values), f"if '*' is present, must not specify other {what}")
    for position, version in enumerate(rule.apiVersions):
        if not version:
            errors.required(path.child("apiVersions").index(position))
    _validate_resources(rule.resources, path.child("resources"), errors)


def _validate_resources(resources: Sequence[str], path: Path, errors: ErrorList) -> None:
    if not resources:
        errors.required(path)
    whole: set[str] = set()
    everywhere: set[str] = set()
    for position, found in enumerate(resources):
        at = path.index(position)
        if not found:
            errors.required(at)
            continue
        resource, slash, subresource = found.partition("/")
        if not slash:
            continue
        if resource in whole:
            errors.invalid(at, found, f"if '{resource}/*' is present, must not specify {found}")
        if subresource in everywhere:
            errors.invalid(at, found, f"if '*/{subresource}' is present, must not specify {found}")
        if subresource == "*":
            whole.add(resource)
        if resource == "*":
            everywhere.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        errors.invalid(path, list(resources), "if '*/*' is present, must not specify other resources")
    if "*" in resources and any(each and each != "*" and "/" not in each for each in resources):
        errors.invalid(
            path, list(resources), "if '*' is present, must not specify other resources without subresources"
        )
