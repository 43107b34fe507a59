"""What the declarations of flow schemas and priority levels cannot say: subjects, rules, queues, what may not change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil, log2
from typing import Any

from msgspec.structs import replace

from proa.api.flowcontrol_v1.bootstrap import EXEMPT, MANDATORY_LEVELS, MANDATORY_SCHEMAS
from proa.api.flowcontrol_v1.flow_schema import (
    FlowSchema,
    NonResourcePolicyRule,
    PolicyRulesWithSubjects,
    ResourcePolicyRule,
    Subject,
)
from proa.api.flowcontrol_v1.priority_level import (
    LimitedPriorityLevelConfiguration,
    LimitResponse,
    PriorityLevelConfiguration,
    QueuingConfiguration,
)
from proa.machinery import names
from proa.machinery.decode import to_document
from proa.machinery.fields import ErrorList, Path
from proa.machinery.strategy import DefaultStrategy

_SPEC = Path("spec")
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_SUBJECTS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
_LEVEL_TYPES = ("Exempt", "Limited")
_RESPONSE_TYPES = ("Queue", "Reject")
_MOST_QUEUES = 10_000_000
# The hash of a flow has 64 bits; dealing a hand evenly takes some of them.
_HASH_BITS = 60
_FIXED_SCHEMAS = {each.metadata.name: each.spec for each in MANDATORY_SCHEMAS}
_FIXED_LEVELS = {each.metadata.name: each.spec for each in MANDATORY_LEVELS}


class FlowSchemaStrategy(DefaultStrategy):
    def validate(self, new: FlowSchema, errors: ErrorList) -> None:
        name, spec = new.metadata.name, new.spec
        precedence = spec.matchingPrecedence
        path = _SPEC.child("matchingPrecedence")
        if precedence <= 0:
            errors.invalid(path, precedence, "must be a positive value")
        if precedence > 10000:
            errors.invalid(path, precedence, "must not be greater than 10000")
        if precedence == 1 and name != EXEMPT:
            errors.invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")
        level, path = spec.priorityLevelConfiguration.name, _SPEC.child("priorityLevelConfiguration", "name")
        if not level:
            errors.required(path, "must reference a priority level")
        _each(names.dns1123_subdomain, level, path, errors)
        for position, rule in enumerate(spec.rules):
            _validate_rule(rule, _SPEC.child("rules").index(position), errors)
        fixed = _FIXED_SCHEMAS.get(name)
        if fixed is not None and spec != fixed:
            errors.invalid(_SPEC, to_document(spec), f"spec of '{name}' must equal the fixed value")
        _validate_conditions(new.status.conditions, errors)


class PriorityLevelConfigurationStrategy(DefaultStrategy):
    def validate(self, new: PriorityLevelConfiguration, errors: ErrorList) -> None:
        name, spec = new.metadata.name, new.spec
        if (name == EXEMPT) != (spec.type == "Exempt"):
            errors.invalid(_SPEC.child("type"), spec.type, "must be 'Exempt' if and only if `name` is 'exempt'")
        if spec.type == "Exempt":
            if spec.limited is not None:
                errors.forbidden(_SPEC.child("limited"), "must be nil if the type is not Limited")
            if spec.exempt is not None:
                _validate_shares(spec.exempt, _SPEC.child("exempt"), errors)
        elif spec.type == "Limited":
            if spec.exempt is not None:
                errors.forbidden(_SPEC.child("exempt"), "must be nil if the type is Limited")
            if spec.limited is None:
                errors.required(_SPEC.child("limited"), "must not be empty when type is Limited")
            else:
                _validate_limited(spec.limited, _SPEC.child("limited"), errors)
        elif not spec.type:
            errors.unsupported(_SPEC.child("type"), spec.type, _LEVEL_TYPES)
        _validate_fixed_level(new, errors)
        _validate_conditions(new.status.conditions, errors)


def _validate_fixed_level(new: PriorityLevelConfiguration, errors: ErrorList) -> None:
    """Of the exempt level its shares may be changed, of the other mandatory one nothing."""
    name, spec = new.metadata.name, new.spec
    fixed = _FIXED_LEVELS.get(name)
    if fixed is None:
        return
    if name == EXEMPT:
        if replace(spec, exempt=fixed.exempt) != fixed:
            detail = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
            errors.invalid(_SPEC, to_document(spec), detail)
    elif spec != fixed:
        errors.invalid(_SPEC, to_document(spec), f"spec of '{name}' must equal the fixed value")


def _validate_rule(rule: PolicyRulesWithSubjects, path: Path, errors: ErrorList) -> None:
    if not rule.subjects:
        errors.required(path.child("subjects"), "subjects must contain at least one value")
    for position, subject in enumerate(rule.subjects):
        _validate_subject(subject, path.child("subjects").index(position), errors)
    if not rule.resourceRules and not rule.nonResourceRules:
        errors.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty")
    for position, resources in enumerate(rule.resourceRules):
        _validate_resources(resources, path.child("resourceRules").index(position), errors)
    for position, paths in enumerate(rule.nonResourceRules):
        _validate_paths(paths, path.child("nonResourceRules").index(position), errors)


def _validate_subject(subject: Subject, path: Path, errors: ErrorList) -> None:
    mine = _SUBJECTS.get(subject.kind)
    if mine is None:
        if not subject.kind:
            errors.unsupported(path.child("kind"), subject.kind, _SUBJECTS)
        return
    said: Any = getattr(subject, mine)
    if said is None:
        errors.required(path.child(mine), f"{mine} is required when subject kind is '{subject.kind}'")
    else:
        if not said.name:
            errors.required(path.child(mine, "name"))
        if subject.serviceAccount is said:
            _validate_account(said, path.child(mine), errors)
    for kind, field in _SUBJECTS.items():
        if field != mine and getattr(subject, field) is not None:
            errors.forbidden(path.child(field), f"{field} is forbidden when subject kind is not '{kind}'")


def _validate_account(account: Any, path: Path, errors: ErrorList) -> None:
    if account.name != "*":
        _each(names.dns1123_subdomain, account.name, path.child("name"), errors)
    if not account.namespace:
        errors.required(path.child("namespace"), "must specify namespace for service account")
    _each(names.dns1123_label, account.namespace, path.child("namespace"), errors)


def _validate_resources(rule: ResourcePolicyRule, path: Path, errors: ErrorList) -> None:
    _validate_verbs(rule.verbs, path.child("verbs"), errors)
    _not_empty(rule.apiGroups, path.child("apiGroups"), "resource rules must supply at least one api group", errors)
    _all_alone(rule.apiGroups, path.child("apiGroups"), "api groups", errors)
    _not_empty(rule.resources, path.child("resources"), "resource rules must supply at least one resource", errors)
    _all_alone(rule.resources, path.child("resources"), "resources", errors)
    path = path.child("namespaces")
    if not rule.clusterScope:
        text = "resource rules that are not cluster scoped must supply at least one namespace"
        _not_empty(rule.namespaces, path, text, errors)
    _all_alone(rule.namespaces, path, "namespaces", errors)
    for position, namespace in enumerate(rule.namespaces if "*" not in rule.namespaces else ()):
        for wrong in names.dns1123_label(namespace):
            text = f"each member of this list must be '*' or a DNS-1123 label; {wrong}"
            errors.invalid(path.index(position), namespace, text)


def _validate_paths(rule: NonResourcePolicyRule, path: Path, errors: ErrorList) -> None:
    _validate_verbs(rule.verbs, path.child("verbs"), errors)
    path = path.child("nonResourceURLs")
    _not_empty(rule.nonResourceURLs, path, "nonResourceURLs must contain at least one value", errors)
    _all_alone(rule.nonResourceURLs, path, "non-resource URLs", errors)
    for position, url in enumerate(rule.nonResourceURLs if "*" not in rule.nonResourceURLs else ()):
        wrong = _wrong_url(url)
        if wrong:
            errors.invalid(path.index(position), url, wrong)


def _wrong_url(url: str) -> str:
    if not url:
        return "must not be empty"
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    if "*" in url.removesuffix("/*"):
        return "wildcard can only do suffix matching"
    return ""


def _validate_verbs(verbs: Sequence[str], path: Path, errors: ErrorList) -> None:
    _not_empty(verbs, path, "verbs must contain at least one value", errors)
    _all_alone(verbs, path, "verbs", errors)
    if "*" not in verbs and not set(verbs) <= set(_VERBS):
        errors.unsupported(path, list(verbs), _VERBS)


def _not_empty(values: Sequence[str], path: Path, text: str, errors: ErrorList) -> None:
    if not values:
        errors.required(path, text)


def _all_alone(values: Sequence[str], path: Path, what: str, errors: ErrorList) -> None:
    if len(values) > 1 and "*" in values:
        errors.invalid(path, list(values), f"if '*' is present, must not specify other {what}")


def _each(check: Callable[[str], list[str]], value: str, path: Path, errors: ErrorList) -> None:
    for wrong in check(value) if value else ():
        errors.invalid(path, value, wrong)


def _validate_shares(level: Any, path: Path, errors: ErrorList) -> None:
    shares, lendable = level.nominalConcurrencyShares, level.lendablePercent
    if shares is not None and shares < 0:
        errors.invalid(path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer")
    if lendable is not None and not 0 <= lendable <= 100:
        errors.invalid(path.child("lendablePercent"), lendable, "must be between 0 and 100, inclusive")


def _validate_limited(limited: LimitedPriorityLevelConfiguration, path: Path, errors: ErrorList) -> None:
    _validate_shares(limited, path, errors)
    _validate_response(limited.limitResponse, path.child("limitResponse"), errors)
    borrowing = limited.borrowingLimitPercent
    if borrowing is not None and borrowing < 0:
        text = "if specified, must be a non-negative integer"
        errors.invalid(path.child("borrowingLimitPercent"), borrowing, text)


def _validate_response(response: LimitResponse, path: Path, errors: ErrorList) -> None:
    if response.type == "Reject":
        if response.queuing is not None:
            text = "must be nil if limited.limitResponse.type is not Limited"
            errors.forbidden(path.child("queuing"), text)
    elif response.type == "Queue":
        if response.queuing is None:
            text = "must not be empty if limited.limitResponse.type is Limited"
            errors.required(path.child("queuing"), text)
        else:
            _validate_queuing(response.queuing, path.child("queuing"), errors)
    elif not response.type:
        errors.unsupported(path.child("type"), response.type, _RESPONSE_TYPES)


def _validate_queuing(queuing: QueuingConfiguration, path: Path, errors: ErrorList) -> None:
    queues, hand = queuing.queues, queuing.handSize
    if queuing.queueLengthLimit <= 0:
        errors.invalid(path.child("queueLengthLimit"), queuing.queueLengthLimit, "must be positive")
    if queues <= 0:
        errors.invalid(path.child("queues"), queues, "must be positive")
    elif queues > _MOST_QUEUES:
        errors.invalid(path.child("queues"), queues, f"must not be greater than {_MOST_QUEUES}")
    if hand <= 0:
        errors.invalid(path.child("handSize"), hand, "must be positive")
    elif hand > queues:
        errors.invalid(path.child("handSize"), hand, f"should not be greater than queues ({queues})")
    elif ceil(log2(queues) * hand) > _HASH_BITS:
        text = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HASH_BITS}"
        errors.invalid(path.child("handSize"), hand, text)


def _validate_conditions(conditions: Iterable[Any], errors: ErrorList) -> None:
    seen = set()
    for position, condition in enumerate(conditions):
        path = Path("status", "conditions").index(position).child("type")
        if condition.type in seen:
            errors.duplicate(path, condition.type)
        seen.add(condition.type)
        if not condition.type:
            errors.required(path)
