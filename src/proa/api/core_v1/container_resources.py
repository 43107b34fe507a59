"""What makes the resources of a container, or of a whole pod, wrong: names, amounts, claims.

Source: the API reference of core/v1 ResourceRequirements. Not here: what a node has, quotas and limit ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache

from proa.api.core_v1.container import ContainerResizePolicy, ResourceClaim, ResourceRequirements
from proa.api.core_v1.pod import PodResourceClaim
from proa.api.core_v1.pod_checks import at, check, check_given, report
from proa.machinery.fields import ROOT, ErrorList, FieldError, Path
from proa.machinery.names import dns1123_label, dns1123_subdomain, qualified_name
from proa.machinery.quantity import canonical, parse
from proa.machinery.scalars import Quantity

Amounts = tuple[tuple[str, Quantity], ...]

_NOTHING, _ONE = parse(0), parse(1)
_OF_CONTAINERS = ("cpu", "memory", "ephemeral-storage")
_OF_PODS = ("cpu", "memory")
_OF_NAMESPACES = (
    *(f"{kind}.{name}" for kind in ("limits", "requests") for name in _OF_CONTAINERS),
    *("pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps"),
    *("persistentvolumeclaims", "storage", "requests.storage", "services.nodeports", "services.loadbalancers"),
)
_PIECES = tuple(each for each in _OF_NAMESPACES if each.endswith("s"))  # pods, not memory
_HUGE_PAGES = "hugepages-"
_REQUESTS = "requests."
_NATIVE = "kubernetes.io/"
_RESIZED = {"resourceName": ("cpu", "memory"), "restartPolicy": ("NotRequired", "RestartContainer")}


def validate_resources(
    resources: ResourceRequirements, path: Path, errors: ErrorList, claims: Set[str] = frozenset()
) -> None:
    """Of a container. claims: the names of those its pod has."""
    found = _problems(tuple(resources.limits.items()), tuple(resources.requests.items()), False)
    if found:
        report(errors, path, found)
    if resources.claims:
        _validate_claims(resources.claims, claims, path.child("claims"), errors)


def validate_pod_resources(resources: ResourceRequirements, path: Path, errors: ErrorList) -> None:
    """Of a whole pod, by themselves."""
    if resources.claims:
        errors.forbidden(path.child("claims"), "claims may not be set for Resources at pod-level")
    report(errors, path, _problems(tuple(resources.limits.items()), tuple(resources.requests.items()), True))


def validate_amounts(amounts: Mapping[str, Quantity], path: Path, errors: ErrorList) -> None:
    """What a pod needs beyond its containers, which is said as limits are."""
    report(errors, path, _problems(tuple(amounts.items()), (), False))


@lru_cache(1024)
def _problems(limits: Amounts, requests: Amounts, of_pod: bool) -> tuple[FieldError, ...]:
    errors = ErrorList()
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts:
            _check_name(name, of_pod, ROOT.child(field).key(name), errors)
            check_resource_amount(name, amount, ROOT.child(field).key(name), errors)
            if name.startswith(_HUGE_PAGES) and not _is_divisible(amount, name.removeprefix(_HUGE_PAGES)):
                shown = canonical(amount)
                detail = f"{shown} is not positive integer multiple of {name}"
                errors.invalid(ROOT.child(field).key(name), shown, detail)
    most = dict(limits)
    for name, amount in requests:
        _check_request(name, amount, most.get(name), errors)
    names = {name for name, _ in (*limits, *requests)}
    if any(each.startswith(_HUGE_PAGES) for each in names) and not names & set(_OF_PODS):
        errors.forbidden(ROOT, "HugePages require cpu or memory")
    return tuple(errors)


def _check_name(name: str, of_pod: bool, path: Path, errors: ErrorList) -> None:
    problems = qualified_name(name)
    huge = name.startswith(_HUGE_PAGES)
    if not problems and "/" not in name and not huge and name not in (*_OF_CONTAINERS, *_OF_NAMESPACES):
        problems = ["must be a standard resource type or fully qualified"]
    if of_pod:
        if not problems and name not in _OF_PODS and not huge:
            errors.unsupported(path, name, (*_OF_PODS[:1], _HUGE_PAGES, *_OF_PODS[1:]))
    elif "/" not in name:
        if name not in _OF_CONTAINERS and not huge:
            problems = [*problems, "must be a standard resource for containers"]
    elif not _is_native(name) and not _is_extended(name):
        problems = [*problems, "doesn't follow extended resource name standard"]
    for problem in problems:
        errors.invalid(path, name, problem)


def check_resource_amount(name: str, amount: Quantity, path: Path, errors: ErrorList) -> None:
    """Some of a resource, which may be one that comes in pieces."""
    value, shown = parse(amount), canonical(amount)
    if value < _NOTHING:
        errors.invalid(path, shown, "must be greater than or equal to 0")
    if (name in _PIECES or _is_extended(name)) and value.nanos % _ONE.nanos:
        errors.invalid(path, shown, "must be an integer")


def _is_divisible(amount: Quantity, page: str) -> bool:
    try:
        size = parse(page).nanos
    except ValueError:
        return False
    return size > 0 and size % _ONE.nanos == 0 and parse(amount).nanos % size == 0


def _check_request(name: str, amount: Quantity, limit: Quantity | None, errors: ErrorList) -> None:
    """What cannot be given to more than one is asked for as it is limited."""
    shared = _is_native(name) and not name.startswith(_HUGE_PAGES)
    if limit is None:
        if not shared:
            errors.required(ROOT.child("limits"), "Limit must be set for non overcommitable resources")
        return
    value, most, shown = parse(amount), parse(limit), canonical(limit)
    if value != most and not shared:
        errors.invalid(ROOT.child("requests"), canonical(amount), f"must be equal to {name} limit of {shown}")
    elif value > most:
        detail = f"must be less than or equal to {name} limit of {shown}"
        errors.invalid(ROOT.child("requests"), canonical(amount), detail)


def _is_native(name: str) -> bool:
    return "/" not in name or _NATIVE in name


def _is_extended(name: str) -> bool:
    return not _is_native(name) and not name.startswith(_REQUESTS) and not qualified_name(_REQUESTS + name)


# --- claims of devices ---


def validate_pod_claims(claims: Sequence[PodResourceClaim], path: Path, errors: ErrorList) -> None:
    """path: of the list."""
    names: set[str] = set()
    for index, claim in enumerate(claims):
        if claim.name in names:
            errors.duplicate(at(path, index, "name"), claim.name)
        else:
            check_given(errors, dns1123_label, claim.name, path, index, "name")
        names.add(claim.name)
        if claim.resourceClaimName is not None and claim.resourceClaimTemplateName is not None:
            detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            errors.invalid(path.index(index), claim, detail)
        if claim.resourceClaimName is None and claim.resourceClaimTemplateName is None:
            detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            errors.invalid(path.index(index), claim, detail)
        for field in ("resourceClaimName", "resourceClaimTemplateName"):
            name = getattr(claim, field)
            if name is not None:
                check(errors, dns1123_subdomain, name, path, index, field)


def _validate_claims(claims: Sequence[ResourceClaim], known: Set[str], path: Path, errors: ErrorList) -> None:
    """path: of a container's list."""
    seen: set[tuple[str, str]] = set()
    for index, claim in enumerate(claims):
        here = path.index(index)
        if not claim.name:
            errors.required(here)
            continue
        if claim.request:
            check(errors, dns1123_label, claim.request, here, "request")
        whole = (claim.name, "")
        if whole in seen or (not claim.request and any(name == claim.name for name, _ in seen)):
            errors.duplicate(here, claim.name)
        elif (claim.name, claim.request) in seen:
            errors.duplicate(here, f"{claim.name}/{claim.request}")
        seen.add((claim.name, claim.request))
        if claim.name not in known:
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            detail = f"must be one of the names in pod.spec.resourceClaims{listed}"
            errors.add(FieldError("FieldValueNotFound", str(here), claim.name, detail))


# --- resizing ---


def validate_resize_policy(
    policies: Sequence[ContainerResizePolicy], restart_policy: str, path: Path, errors: ErrorList
) -> None:
    """path: of the list. restart_policy: the pod's."""
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        if policy.resourceName in seen:
            errors.duplicate(path.index(index), policy.resourceName)
        seen.add(policy.resourceName)
        for field, allowed in _RESIZED.items():
            value = getattr(policy, field)
            if not value:
                errors.required(path)
            elif value not in allowed:
                errors.unsupported(path, value, allowed)
        if restart_policy == "Never" and policy.restartPolicy != "NotRequired":
            detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            errors.invalid(path, policy.restartPolicy, detail)
