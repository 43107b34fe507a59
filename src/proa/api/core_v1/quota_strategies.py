"""How LimitRanges and ResourceQuotas differ from the generic registry: defaults across fields, validation.

Not here: what they do (`rules.limit_ranges`, `rules.quota`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.api.core_v1.quota import LimitRange, LimitRangeItem, ResourceQuota
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import qualified_name
from proa.machinery.quantity import Quantity, parse
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_OBJECTS = frozenset(
    {"pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims"}
    | {"services.nodeports", "services.loadbalancers"}
)
_QUOTAED = (
    _OBJECTS | {f"{kind}{each}" for kind in ("", "requests.", "limits.") for each in _COMPUTE} | {"requests.storage"}
)
_HUGE_PAGES = "hugepages-"
_POD_COMPUTE = frozenset({f"{kind}{each}" for kind in ("", "requests.", "limits.") for each in ("cpu", "memory")})
_OF_PODS = _POD_COMPUTE | {"pods"}
# What a scope can be about.
_SCOPED = {
    **dict.fromkeys(
        ("Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"), _OF_PODS
    ),
    "BestEffort": frozenset({"pods"}),
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}
_ONLY_EXISTS = frozenset(_SCOPED) - {"PriorityClass", "VolumeAttributesClass"}
_CONTRADICTIONS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})


class ResourceQuotaStrategy(DefaultStrategy):
    def validate(self, new: ResourceQuota, errors: ErrorList) -> None:
        _check_amounts(new.spec.hard, Path("spec", "hard"), errors)
        _check_amounts(new.status.hard, Path("status", "hard"), errors)
        _check_amounts(new.status.used, Path("status", "used"), errors)
        _check_scopes(new, errors)
        _check_selector(new, errors)

    def validate_update(self, new: ResourceQuota, old: ResourceQuota, errors: ErrorList) -> None:
        if {*new.spec.scopes} != {*old.spec.scopes}:
            errors.immutable(Path("spec", "scopes"), list(new.spec.scopes))

    def warnings(self, new: ResourceQuota, old: ResourceQuota | None) -> list[str]:
        """Of a new quota that lets more be asked for than be used."""
        hard, found = new.spec.hard, []
        for resource in (*_COMPUTE, "storage") if old is None else ():
            bare = resource in ("cpu", "memory") and f"requests.{resource}" not in hard
            request, limit = resource if bare else f"requests.{resource}", f"limits.{resource}"
            if request in hard and limit in hard and parse(hard[request]) > parse(hard[limit]):
                asked, used = (f"{each} ({parse(hard[each])})" for each in (request, limit))
                found.append(f"ResourceQuota {asked} should be less than {used}")
        return found


class LimitRangeStrategy(DefaultStrategy):
    creates_on_update = True

    def default(self, document: Document) -> None:
        """What a container may have at most is what it gets; what it gets at most, or must have at least, it asks for."""
        for item in (document.get("spec") or {}).get("limits") or ():
            if item.get("type") == "Container":
                limits = {**(item.get("max") or {}), **(item.get("default") or {})}
                requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
                item |= {name: value for name, value in (("default", limits), ("defaultRequest", requests)) if value}

    def validate(self, new: LimitRange, errors: ErrorList) -> None:
        seen: set[str] = set()
        for position, item in enumerate(new.spec.limits):
            path = Path("spec", "limits").index(position)
            _check_type(item.type, path.child("type"), errors)
            if item.type in seen:
                errors.duplicate(path.child("type"), item.type)
            seen.add(item.type)
            _check_item(item, path, errors)


def _check_amounts(amounts: Mapping[str, Any], path: Path, errors: ErrorList) -> None:
    for name, value in amounts.items():
        at = path.key(name)
        if _check_name(name, at, errors) and "/" not in name and not _is_quotaed(name):
            errors.invalid(at, name, "must be a standard resource for quota")
        if parse(value) < parse(0):
            errors.invalid(at, str(value), "must be greater than or equal to 0")
        if (name in _OBJECTS or _is_extended(name)) and parse(value).milli % 1000:
            errors.invalid(at, str(value), "must be an integer")


def _check_name(name: str, path: Path, errors: ErrorList) -> bool:
    wrong = qualified_name(name)
    for each in wrong:
        errors.invalid(path, name, each)
    if not wrong and "/" not in name and not _is_quotaed(name) and name != "storage":
        errors.invalid(path, name, "must be a standard resource type or fully qualified")
    return not wrong


def _is_quotaed(name: str) -> bool:
    return name in _QUOTAED or name.removeprefix("requests.").startswith(_HUGE_PAGES)


def _is_extended(name: str) -> bool:
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def _check_scopes(quota: ResourceQuota, errors: ErrorList) -> None:
    scopes, path = quota.spec.scopes, Path("spec", "scopes")
    for scope in scopes:
        for _ in _unsuited(scope, quota):
            errors.invalid(path, list(scopes), "unsupported scope applied to resource")
    _check_contradictions(scopes, path, scopes, errors)


def _check_selector(quota: ResourceQuota, errors: ErrorList) -> None:
    if quota.spec.scopeSelector is None:
        return
    path = Path("spec", "scopeSelector", "matchExpressions")
    requirements = quota.spec.scopeSelector.matchExpressions
    for each in requirements:
        for _ in _unsuited(each.scopeName, quota):
            errors.invalid(path, each.scopeName, "unsupported scope applied to resource")
        if each.scopeName in _ONLY_EXISTS and each.operator != "Exists":
            errors.invalid(
                path.child("operator"),
                each.operator,
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating,"
                " ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or"
                " ResourceQuotaScopeCrossNamespacePodAffinity",
            )
        if each.operator in ("In", "NotIn") and not each.values:
            errors.required(
                path.child("values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            )
        if each.operator in ("Exists", "DoesNotExist") and each.values:
            errors.invalid(
                path.child("values"),
                list(each.values),
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            )
    _check_contradictions([each.scopeName for each in requirements], path, quota.spec.scopes, errors)


def _unsuited(scope: str, quota: ResourceQuota) -> list[str]:
    """The resources a quota limits that are nothing the scope could be about."""
    suited = _SCOPED.get(scope)
    return [each for each in sorted(quota.spec.hard) if _is_quotaed(each) and suited is not None and each not in suited]


def _check_contradictions(names: Any, path: Path, shown: Any, errors: ErrorList) -> None:
    for pair in _CONTRADICTIONS:
        if pair <= {*names}:
            errors.invalid(path, list(shown), "conflicting scopes")


def _check_type(kind: str, path: Path, errors: ErrorList) -> None:
    wrong = qualified_name(kind)
    for each in wrong:
        errors.invalid(path, kind, each)
    if not wrong and "/" not in kind and kind not in ("Pod", "Container", "PersistentVolumeClaim"):
        errors.invalid(path, kind, "must be a standard limit type or fully qualified")


def _check_item(item: LimitRangeItem, path: Path, errors: ErrorList) -> None:
    given = {
        "max": item.max,
        "min": item.min,
        "default": item.default,
        "defaultRequest": item.defaultRequest,
        "maxLimitRequestRatio": item.maxLimitRequestRatio,
    }
    if item.type == "Pod":
        for field in ("default", "defaultRequest"):
            if given.pop(field):
                errors.forbidden(path.child(field), "may not be specified when `type` is 'Pod'")
    for field, amounts in given.items():
        for name in amounts:
            at = path.child(field).key(name)
            _check_name(name, at, errors)
            if item.type in ("Pod", "Container") and "/" not in name and not _is_container_resource(name):
                errors.invalid(at, name, "must be a standard resource for containers")
    if item.type == "PersistentVolumeClaim" and "storage" not in item.min and "storage" not in item.max:
        why = "either minimum or maximum storage value is required, but neither was provided"
        errors.required(path.child("limits"), why)
    for name in sorted({name for amounts in given.values() for name in amounts}):
        bounds = {field: parse(amounts[name]) for field, amounts in given.items() if name in amounts}
        _check_order(name, bounds, path, errors)


def _is_container_resource(name: str) -> bool:
    return name in _COMPUTE or name.startswith(_HUGE_PAGES)


# smaller, larger, the field that is at fault, how the two are called
_ORDER = (
    ("min", "max", "min", "min", "max"),
    ("min", "defaultRequest", "defaultRequest", "min", "default request"),
    ("defaultRequest", "max", "defaultRequest", "default request", "max"),
    ("defaultRequest", "default", "defaultRequest", "default request", "default limit"),
    ("min", "default", "default", "min", "default"),
    ("default", "max", "default", "default", "max"),
)


def _check_order(name: str, bounds: Mapping[str, Quantity], path: Path, errors: ErrorList) -> None:
    for smaller, larger, field, less, more in _ORDER:
        if smaller in bounds and larger in bounds and bounds[smaller] > bounds[larger]:
            why = f"{less} value {bounds[smaller]} is greater than {more} value {bounds[larger]}"
            errors.invalid(path.child(field).key(name), str(bounds[field]), why)
    ratio, at = bounds.get("maxLimitRequestRatio"), path.child("maxLimitRequestRatio").key(name)
    if ratio is not None and ratio < Quantity.of(1):
        errors.invalid(at, str(ratio), f"ratio {ratio} is less than 1")
    least, most = bounds.get("min"), bounds.get("max")
    if ratio is not None and least and most is not None and float(ratio) > float(most) / float(least):
        possible = float(most) / float(least)
        errors.invalid(at, str(ratio), f"ratio {ratio} is greater than max/min = {possible:f}")
    limit, request = bounds.get("default"), bounds.get("defaultRequest")
    overcommitted = limit is not None and request is not None and limit != request
    if overcommitted and (_is_extended(name) or name.startswith(_HUGE_PAGES)):
        why = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        errors.invalid(path.child("defaultRequest").key(name), str(request), why)
