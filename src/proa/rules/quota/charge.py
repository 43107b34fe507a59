"""The decision about one request: what it adds to which quotas, or why it may not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from proa.api.core_v1 import ResourceQuota
from proa.api.core_v1 import ScopedResourceSelectorRequirement as Scope
from proa.base.errors import ProaError
from proa.machinery.quantity import ZERO, Quantity
from proa.rules.quota.evaluators import Evaluator
from proa.rules.quota.scopes import scopes_of
from proa.rules.resources import Quantities, parsed


class QuotaRefusedError(ProaError):
    """A quota does not allow it."""


class Request(msgspec.Struct, frozen=True):
    """A write of typed objects; old is None on create."""

    evaluator: Evaluator
    subresource: str
    new: Any
    old: Any = None


class Limited(msgspec.Struct, frozen=True):
    """What may not be had without a quota that covers it (apiserver.config.k8s.io/v1 LimitedResource).

    qualified: the resource. contains: parts of the resource names that are limited. scopes: the objects that are.
    """

    qualified: str
    contains: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ()


def charge(
    quotas: Sequence[ResourceQuota], request: Request, now: datetime, limited: Sequence[Limited] = ()
) -> Sequence[ResourceQuota]:
    """The quotas of its namespace as they are after the request. Raises QuotaRefusedError."""
    evaluator, new = request.evaluator, request.new
    concerned = [position for position, quota in enumerate(quotas) if _concerns(quota, evaluator, new)]
    if not concerned and not limited:
        return quotas
    covered: set[str] = set()
    for position in concerned:
        covered.update(_checked_names(quotas[position], evaluator, new))
    used = evaluator.usage(new, now)
    negative = sorted(name for name, value in used.items() if value < ZERO)
    if negative:
        raise QuotaRefusedError(f"quota usage is negative for resource(s): {','.join(negative)}")
    more = used if request.old is None else _growth(used, evaluator.usage(request.old, now))
    if not concerned and not _positive(more):
        return quotas
    deltas = {
        position: delta
        for position in concerned
        # An object that the quota was not about before is charged whole.
        if (delta := _positive(more if _concerned_before(quotas[position], request) else used))
    }
    if concerned and not deltas:
        return quotas
    _check_covered(quotas, request, used, covered, limited)
    after = list(quotas)
    for position, delta in deltas.items():
        after[position] = _added(quotas[position], delta, strict=request.subresource != "status")
    return after


def _concerns(quota: ResourceQuota, evaluator: Evaluator, obj: Any) -> bool:
    return bool(evaluator.names(quota.status.hard)) and all(evaluator.matches(each, obj) for each in scopes_of(quota))


def _concerned_before(quota: ResourceQuota, request: Request) -> bool:
    return request.old is None or _concerns(quota, request.evaluator, request.old)


def _checked_names(quota: ResourceQuota, evaluator: Evaluator, obj: Any) -> Sequence[str]:
    names = evaluator.names(quota.status.hard)
    missing = evaluator.missing(names, obj)
    if missing:
        raise QuotaRefusedError(f"failed quota: {quota.metadata.name}: {missing}")
    if any(name not in quota.status.used for name in names):
        unknown = ",".join(sorted(names))
        raise QuotaRefusedError(f"status unknown for quota: {quota.metadata.name}, resources: {unknown}")
    return names


def _check_covered(
    quotas: Sequence[ResourceQuota],
    request: Request,
    used: Quantities,
    covered: Collection[str],
    limited: Sequence[Limited],
) -> None:
    evaluator = request.evaluator
    parts = [part for each in limited if each.qualified == evaluator.qualified for part in each.contains]
    consumed = {name for name, value in used.items() if value > ZERO and any(part in name for part in parts)}
    if consumed - {*covered}:
        raise QuotaRefusedError(f"insufficient quota to consume: {','.join(sorted(consumed - {*covered}))}")
    wanted = [scope for each in limited for scope in each.scopes if evaluator.matches(scope, request.new)]
    if wanted:
        there = {
            each.scopeName for quota in quotas for each in scopes_of(quota) if evaluator.matches(each, request.new)
        }
        uncovered = [each for each in wanted if each.scopeName not in there]
        if uncovered:
            said = " ".join(f"{{{each.scopeName} {each.operator} [{' '.join(each.values)}]}}" for each in uncovered)
            raise QuotaRefusedError(f"insufficient quota to match these scopes: [{said}]")


def _added(quota: ResourceQuota, delta: Quantities, *, strict: bool) -> ResourceQuota:
    hard, used = parsed(quota.status.hard), parsed(quota.status.used)
    requested = {name: value for name, value in delta.items() if name in hard}
    new = {name: used[name] + value if name in used else value for name, value in requested.items()}
    exceeded = {name for name, value in new.items() if value > hard[name]}
    if strict and exceeded:
        raise QuotaRefusedError(
            f"exceeded quota: {quota.metadata.name}, requested: {_printed(requested, exceeded)}, "
            f"used: {_printed(used, exceeded)}, limited: {_printed(hard, exceeded)}"
        )
    said = {**quota.status.used, **{name: str(value) for name, value in new.items()}}
    return msgspec.structs.replace(quota, status=msgspec.structs.replace(quota.status, used=said))


def _growth(new: Quantities, old: Quantities) -> Quantities:
    return {name: value - old[name] if name in old else value for name, value in new.items()}


def _positive(amounts: Quantities) -> Quantities:
    return {name: value for name, value in amounts.items() if value > ZERO}


def _printed(amounts: Mapping[str, Quantity], names: Iterable[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in sorted(names) if name in amounts)
