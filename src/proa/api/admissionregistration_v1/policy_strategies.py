"""What the declarations of admission policies and their bindings cannot say: expressions that compile, scopes, parameters.

Not here: webhooks (`webhook_strategies`), match conditions (`machinery.expressions.conditions`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proa.api.admissionregistration_v1.reserved_names import ReservedNameStrategy
from proa.api.admissionregistration_v1.webhook_strategies import validate_rule
from proa.machinery import names
from proa.machinery.expressions.conditions import validate_match_conditions
from proa.machinery.fields import ErrorList, Path
from proa.machinery.object_meta import validate_label_selector

if TYPE_CHECKING:
    from proa.machinery.expressions.checking import Checker

_SPEC = Path("spec")
_MOST_ANNOTATIONS = 20
_LONGEST_ANNOTATION = 5 * 1024
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_MUTABLE = ("*", "CREATE", "UPDATE")
_LINE_BREAK = re.compile(r"[\n\r]")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip


class ValidatingPolicyStrategy(ReservedNameStrategy):
    def validate(self, new: Any, errors: ErrorList) -> None:
        spec = new.spec
        checker = _validate_common(spec, errors)
        if not spec.validations and not spec.auditAnnotations:
            missing = "validations or auditAnnotations must contain at least one item"
            errors.required(_SPEC.child("validations"), missing)
            errors.required(_SPEC.child("auditAnnotations"), missing)
        for position, each in enumerate(spec.validations):
            _validate_validation(each, _SPEC.child("validations").index(position), checker, errors)
        _validate_annotations(new.metadata.name, spec.auditAnnotations, checker, errors)


class MutatingPolicyStrategy(ReservedNameStrategy):
    def validate(self, new: Any, errors: ErrorList) -> None:
        spec = new.spec
        checker = _validate_common(spec, errors)
        if spec.matchConstraints is not None:
            _validate_mutable(spec.matchConstraints, _SPEC.child("matchConstraints"), errors)
        if not spec.mutations:
            errors.required(_SPEC.child("mutations"), "mutations must contain at least one item")
        for position, each in enumerate(spec.mutations):
            _validate_mutation(each, _SPEC.child("mutations").index(position), checker, errors)
        if not spec.reinvocationPolicy:
            errors.required(_SPEC.child("reinvocationPolicy"))


class PolicyBindingStrategy(ReservedNameStrategy):
    """mutating: only creations and updates can be changed."""

    def __init__(self, *, mutating: bool) -> None:
        self._mutating = mutating

    def validate(self, new: Any, errors: ErrorList) -> None:
        spec = new.spec
        if not spec.policyName:
            errors.required(_SPEC.child("policyName"))
        for wrong in names.dns1123_subdomain(spec.policyName) if spec.policyName else ():
            errors.invalid(_SPEC.child("policyName"), spec.policyName, wrong)
        if spec.paramRef is not None:
            _validate_param_ref(spec.paramRef, _SPEC.child("paramRef"), errors)
        if spec.matchResources is not None:
            _validate_matches(spec.matchResources, _SPEC.child("matchResources"), errors)
            if self._mutating:
                _validate_mutable(spec.matchResources, _SPEC.child("matchResources"), errors)
        if not self._mutating:
            _validate_actions(spec.validationActions, _SPEC.child("validationActions"), errors)


def _validate_common(spec: Any, errors: ErrorList) -> Checker:
    """What both kinds of policies have; with what their expressions are checked then."""
    from proa.machinery.expressions.checking import Checker  # with it comes the language

    params = spec.paramKind is not None
    if params:
        _validate_param_kind(spec.paramKind, _SPEC.child("paramKind"), errors)
    if spec.matchConstraints is None:
        errors.required(_SPEC.child("matchConstraints"))
    else:
        path = _SPEC.child("matchConstraints")
        _validate_matches(spec.matchConstraints, path, errors)
        if not spec.matchConstraints.resourceRules:
            errors.required(path.child("resourceRules"))
    validate_match_conditions(spec.matchConditions, _SPEC.child("matchConditions"), errors, params=params)
    checker = Checker(params=params)
    for position, each in enumerate(spec.variables):
        _validate_variable(each, _SPEC.child("variables").index(position), checker, errors)
    return checker


def _validate_variable(variable: Any, path: Path, checker: Checker, errors: ErrorList) -> None:
    if not variable.name.strip():
        errors.required(path.child("name"), "name is not specified")
    elif not _IDENTIFIER.fullmatch(variable.name) or variable.name in _RESERVED:
        errors.invalid(path.child("name"), variable.name, "must be a valid CEL identifier")
    if not variable.expression.strip():
        errors.required(path.child("expression"), "expression is not specified")
    else:
        checker.variable(variable.name, variable.expression, path.child("expression"), errors)


def _validate_validation(validation: Any, path: Path, checker: Checker, errors: ErrorList) -> None:
    if not validation.expression.strip():
        errors.required(path.child("expression"), "expression is not specified")
    else:
        checker.condition(validation.expression, path.child("expression"), errors)
    expression, message = validation.messageExpression, validation.message
    if expression and not expression.strip():
        errors.invalid(path.child("messageExpression"), expression, "must be non-empty if specified")
    elif expression:
        checker.message(expression, path.child("messageExpression"), errors)
    if message and not message.strip():
        errors.invalid(path.child("message"), message, "must be non-empty if specified")
    elif _LINE_BREAK.search(message.strip()):
        errors.invalid(path.child("message"), message, "must not contain line breaks")
    if validation.reason is not None and validation.reason not in _REASONS:
        errors.unsupported(path.child("reason"), validation.reason, _REASONS)


def _validate_annotations(name: str, annotations: Sequence[Any], checker: Checker, errors: ErrorList) -> None:
    path = _SPEC.child("auditAnnotations")
    if len(annotations) > _MOST_ANNOTATIONS:
        shown = [{"key": each.key, "valueExpression": each.valueExpression} for each in annotations]
        errors.invalid(path, shown, f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations")
    seen: set[str] = set()
    for position, each in enumerate(annotations):
        at = path.index(position)
        for wrong in names.qualified_name(f"{name}/{each.key}"):
            errors.invalid(at.child("key"), f"{name}/{each.key}", wrong)
        source = each.valueExpression.strip()
        if not source:
            errors.required(at.child("valueExpression"), "valueExpression is not specified")
        elif len(source.encode()) > _LONGEST_ANNOTATION:
            errors.required(at.child("valueExpression"), f"must not exceed {_LONGEST_ANNOTATION} bytes in length")
        else:
            checker.annotation(source, at.child("valueExpression"), errors)
        if each.key in seen:
            errors.duplicate(at.child("key"), each.key)
        seen.add(each.key)


def _validate_mutation(mutation: Any, path: Path, checker: Checker, errors: ErrorList) -> None:
    kinds = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
    wanted = kinds.get(mutation.patchType)
    if wanted is None:
        return
    for kind, field in kinds.items():
        declared = getattr(mutation, field)
        if field != wanted:
            if declared is not None:
                why = f"must not be specified when patchType is {mutation.patchType}"
                errors.invalid(path.child(field), f"{{{field}}}", why)
        elif declared is None:
            errors.required(path.child(field), f"must be specified when patchType is {kind}")
        elif not declared.expression.strip():
            errors.required(path.child(field, "expression"))
        else:
            checker.mutation(kind, declared.expression.strip(), path.child(field, "expression"), errors)


# Scopes and parameters


def _validate_matches(matched: Any, path: Path, errors: ErrorList) -> None:
    if matched.matchPolicy is None:
        errors.required(path.child("matchPolicy"))
    for field in ("namespaceSelector", "objectSelector"):
        selector = getattr(matched, field)
        if selector is None:
            errors.required(path.child(field))
        validate_label_selector(selector, errors, path.child(field))
    for field in ("resourceRules", "excludeResourceRules"):
        for position, rule in enumerate(getattr(matched, field)):
            _validate_named_rule(rule, path.child(field).index(position), errors)


def _validate_named_rule(rule: Any, path: Path, errors: ErrorList) -> None:
    for position, name in enumerate(rule.resourceNames):
        at = path.child("resourceNames").index(position)
        for wrong in names.path_segment(name):
            errors.invalid(at, name, wrong)
        if name in rule.resourceNames[:position]:
            errors.duplicate(at, name)
    validate_rule(rule, path, errors)


def _validate_mutable(matched: Any, path: Path, errors: ErrorList) -> None:
    for rule in matched.resourceRules:
        for operation in rule.operations:
            if operation not in _MUTABLE:
                errors.unsupported(path.child("resourceRules", "operations"), operation, _MUTABLE)


def _validate_param_kind(kind: Any, path: Path, errors: ErrorList) -> None:
    said = kind.apiVersion
    group, slash, version = said.partition("/") if "/" in said else ("", "", said)
    if not said:
        errors.required(path.child("apiVersion"))
    elif said.count("/") > 1:
        errors.invalid(path.child("apiVersion"), said, f"unexpected GroupVersion string: {said}")
    else:
        if slash and group and (wrong := names.dns1123_subdomain(group)):
            errors.invalid(path.child("apiVersion"), group, ",".join(wrong))
        if not version:
            errors.invalid(path.child("apiVersion"), said, "version must be specified")
        elif wrong := names.dns1035_label(version):
            errors.invalid(path.child("apiVersion"), version, ",".join(wrong))
    if not kind.kind:
        errors.required(path.child("kind"))
    elif wrong := names.dns1035_label(kind.kind.lower()):
        why = "may have mixed case, but should otherwise match: " + ",".join(wrong)
        errors.invalid(path.child("kind"), kind.kind, why)


def _validate_param_ref(ref: Any, path: Path, errors: ErrorList) -> None:
    exclusive = "name and selector are mutually exclusive"
    if ref.name:
        for wrong in names.path_segment(ref.name):
            errors.invalid(path.child("name"), ref.name, wrong)
        if ref.selector is not None:
            errors.forbidden(path.child("name"), exclusive)
    if ref.selector is not None:
        validate_label_selector(ref.selector, errors, path.child("selector"))
        if ref.name:
            errors.forbidden(path.child("selector"), exclusive)
    if not ref.name and ref.selector is None:
        errors.required(path, "one of name or selector must be specified")
    if not ref.parameterNotFoundAction:
        errors.required(path.child("parameterNotFoundAction"))


def _validate_actions(actions: Sequence[str], path: Path, errors: ErrorList) -> None:
    if "Deny" in actions and "Warn" in actions:
        why = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response "
            "and headers serves no purpose)"
        )
        errors.invalid(path, list(actions), why)
    if not actions:
        errors.required(path, "at least one validation action is required")
