"""What makes an autoscaler wrong beyond what its fields declare: targets, metrics and how fast it scales."""

from __future__ import annotations

from proa.api.autoscaling_v2.horizontal_pod_autoscaler import HorizontalPodAutoscaler, HPAScalingPolicy, HPAScalingRules
from proa.api.autoscaling_v2.metrics import (
    ContainerResourceMetricSource,
    CrossVersionObjectReference,
    ExternalMetricSource,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    ObjectMetricSource,
    PodsMetricSource,
    ResourceMetricSource,
)
from proa.machinery.checks import check_names, check_quantity
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label, path_segment, qualified_name
from proa.machinery.quantity import canonical, parse

_SPEC = Path("spec")
_LONGEST_PERIOD = 1800
_LONGEST_WINDOW = 3600
_FEWEST = 1
_NOTHING = parse(0)
_TARGET_TYPES = ("Utilization", "Value", "AverageValue")
# In this order the first one given is looked into.
_FIELDS = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def validate_autoscaler(new: HorizontalPodAutoscaler, errors: ErrorList) -> None:
    spec, most = new.spec, _SPEC.child("maxReplicas")
    fewest = spec.minReplicas
    if fewest is not None and fewest < _FEWEST:
        errors.invalid(_SPEC.child("minReplicas"), fewest, f"must be greater than or equal to {_FEWEST}")
    if spec.maxReplicas == 0:
        errors.required(most, "must be set and greater than 0")
    elif spec.maxReplicas < 0:
        errors.invalid(most, spec.maxReplicas, "must be greater than or equal to 1")
    if fewest is not None and spec.maxReplicas < fewest:
        errors.invalid(most, spec.maxReplicas, "must be greater than or equal to `minReplicas`")
    _validate_reference(spec.scaleTargetRef, _SPEC.child("scaleTargetRef"), errors)
    metrics = _SPEC.child("metrics")
    for position, metric in enumerate(spec.metrics):
        _validate_metric(metric, metrics.index(position), errors)
    if fewest == 0 and not any(each.type in ("Object", "External") for each in spec.metrics):
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.forbidden(metrics, detail)
    if spec.behavior is not None:
        for field in ("scaleUp", "scaleDown"):
            rules: HPAScalingRules | None = getattr(spec.behavior, field)
            if rules is not None:
                _validate_rules(rules, _SPEC.child("behavior", field), errors)


def check_group_version(reference: CrossVersionObjectReference, path: Path, errors: ErrorList, *, core: bool) -> None:
    """The apiVersion of a reference; core: it may be of the legacy group, which has no name."""
    text = reference.apiVersion
    if text.count("/") > 1:
        errors.invalid(path.child("apiVersion"), text, f"unexpected GroupVersion string: {text}")
    elif not core and "/" not in text:
        errors.invalid(path.child("apiVersion"), text, "apiVersion must specify API group")


def _validate_reference(reference: CrossVersionObjectReference, path: Path, errors: ErrorList) -> None:
    for field in ("kind", "name"):
        value = getattr(reference, field)
        if value:
            check_names(errors, path.child(field), value, path_segment(value))
        else:
            errors.required(path.child(field))


def _validate_rules(rules: HPAScalingRules, path: Path, errors: ErrorList) -> None:
    window, at = rules.stabilizationWindowSeconds, path.child("stabilizationWindowSeconds")
    if window is not None and window < 0:
        errors.invalid(at, window, "must be greater than or equal to zero")
    if window is not None and window > _LONGEST_WINDOW:
        errors.invalid(at, window, f"must be less than or equal to {_LONGEST_WINDOW}")
    if not rules.policies:
        errors.required(path.child("policies"), "must specify at least one Policy")
    for position, policy in enumerate(rules.policies):
        _validate_policy(policy, path.child("policies").index(position), errors)
    check_quantity(errors, path.child("tolerance"), rules.tolerance)


def _validate_policy(policy: HPAScalingPolicy, path: Path, errors: ErrorList) -> None:
    if not policy.type:
        errors.unsupported(path.child("type"), "", ("Percent", "Pods"))
    for field in ("value", "periodSeconds"):
        if getattr(policy, field) <= 0:
            errors.invalid(path.child(field), getattr(policy, field), "must be greater than zero")
    if policy.periodSeconds > _LONGEST_PERIOD:
        detail = f"must be less than or equal to {_LONGEST_PERIOD}"
        errors.invalid(path.child("periodSeconds"), policy.periodSeconds, detail)


def _validate_metric(metric: MetricSpec, path: Path, errors: ErrorList) -> None:
    if not metric.type:
        errors.required(path.child("type"), "must specify a metric source type")
    present = [field for field in _FIELDS.values() if getattr(metric, field) is not None]
    if present:
        _validate_source(getattr(metric, present[0]), path.child(present[0]), errors)
    expected = _FIELDS.get(metric.type, "")
    if expected and expected not in present:
        errors.required(path.child(expected), "must populate information for the given metric source")
    if len(present) != 1:
        for field in present:
            if field != expected:
                errors.forbidden(path.child(field), "must populate the given metric source only")


_Source = (
    ObjectMetricSource | ExternalMetricSource | PodsMetricSource | ResourceMetricSource | ContainerResourceMetricSource
)


def _validate_source(source: _Source, path: Path, errors: ErrorList) -> None:
    target, at = source.target, path.child("target")
    average = at.child("averageValue")
    match source:
        case ObjectMetricSource():
            _validate_reference(source.describedObject, path.child("describedObject"), errors)
            check_group_version(source.describedObject, path.child("describedObject"), errors, core=True)
            _validate_identifier(source.metric, path.child("metric"), errors)
            if target.value is None and target.averageValue is None:
                errors.required(average, "must set either a target value or averageValue")
        case ExternalMetricSource():
            _validate_identifier(source.metric, path.child("metric"), errors)
            if target.value is None and target.averageValue is None:
                errors.required(average, "must set either a target value for metric or a per-pod target")
            if target.value is not None and target.averageValue is not None:
                detail = "may not set both a target value for metric and a per-pod target"
                errors.forbidden(at.child("value"), detail)
        case PodsMetricSource():
            _validate_identifier(source.metric, path.child("metric"), errors)
            if target.averageValue is None:
                errors.required(average, "must specify a positive target averageValue")
        case ResourceMetricSource() | ContainerResourceMetricSource():
            _validate_resource(source, path, errors)
    _validate_target(target, at, errors)


def _validate_resource(
    source: ResourceMetricSource | ContainerResourceMetricSource, path: Path, errors: ErrorList
) -> None:
    target, at = source.target, path.child("target")
    if not source.name:
        errors.required(path.child("name"), "must specify a resource name")
    if isinstance(source, ContainerResourceMetricSource):
        if source.name:
            check_names(errors, path.child("name"), source.name, qualified_name(source.name))
        if source.container:
            check_names(errors, path.child("container"), source.container, dns1123_label(source.container))
        else:
            errors.required(path.child("container"), "must specify a container")
    if target.averageUtilization is None and target.averageValue is None:
        errors.required(at.child("averageUtilization"), "must set either a target raw value or a target utilization")
    if target.averageUtilization is not None and target.averageValue is not None:
        detail = "may not set both a target raw value and a target utilization"
        errors.forbidden(at.child("averageValue"), detail)


def _validate_identifier(identifier: MetricIdentifier, path: Path, errors: ErrorList) -> None:
    if identifier.name:
        check_names(errors, path.child("name"), identifier.name, path_segment(identifier.name))
    else:
        errors.required(path.child("name"), "must specify a metric name")


def _validate_target(target: MetricTarget, path: Path, errors: ErrorList) -> None:
    if not target.type:
        errors.required(path.child("type"), "must specify a metric target type")
    if target.type not in _TARGET_TYPES:
        errors.invalid(path.child("type"), target.type, "must be either Utilization, Value, or AverageValue")
    for field in ("value", "averageValue"):
        quantity = getattr(target, field)
        if quantity is not None and parse(quantity) <= _NOTHING:
            errors.invalid(path.child(field), canonical(quantity), "must be positive")
    if target.averageUtilization is not None and target.averageUtilization < 1:
        errors.invalid(path.child("averageUtilization"), target.averageUtilization, "must be greater than 0")
