"""What a LimitRange gives to containers that say nothing, and what it forbids (core/v1 LimitRangeSpec). Pure.

The words of each violation are upstream's. Not here: which LimitRanges there are (admission).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proa.api.core_v1 import LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod
from proa.machinery.quantity import Quantity, parse
from proa.rules.resources import declared, parsed

CONTAINER, POD, CLAIM = "Container", "Pod", "PersistentVolumeClaim"

Document = dict[str, Any]
Amounts = Mapping[str, Quantity]


def give_defaults(range_: LimitRange, spec: Document) -> list[str]:
    """Fill in the resources of a pod spec's containers; what was set for whom, in words."""
    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    for each in range_.spec.limits:
        if each.type == CONTAINER:
            requests |= each.defaultRequest
            limits |= each.default
    if not requests and not limits:
        return []
    said: list[str] = []
    for kind, field in (("container", "containers"), ("init container", "initContainers")):
        for container in spec.get(field) or ():
            resources = container.get("resources") or {}
            for word, part, defaults in (("request", "requests", requests), ("limit", "limits", limits)):
                new = sorted(defaults.keys() - (resources.get(part) or {}).keys())
                if new:
                    resources[part] = {**(resources.get(part) or {}), **{name: defaults[name] for name in new}}
                    said.append(f"{', '.join(new)} {word} for {kind} {container.get('name', '')}")
            if resources:
                container["resources"] = resources
    return said


def pod_violations(range_: LimitRange, pod: Pod) -> Iterator[str]:
    for item in range_.spec.limits:
        if item.type == CONTAINER:
            for container in (*pod.spec.containers, *pod.spec.initContainers):
                resources = container.resources
                yield from _violations(item, parsed(resources.requests), parsed(resources.limits))
        elif item.type == POD:
            yield from _violations(item, *declared(pod))


def claim_violations(range_: LimitRange, claim: PersistentVolumeClaim) -> Iterator[str]:
    """A claim has no limits: what it asks for is what it gets."""
    requests = parsed(claim.spec.resources.requests)
    for item in range_.spec.limits:
        if item.type == CLAIM:
            for name, bound in _sorted(item.min):
                yield from _below(item.type, name, bound, requests, {})
            for name, bound in _sorted(item.max):
                yield from _above_requested(item.type, name, bound, requests)


def _violations(item: LimitRangeItem, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, bound in _sorted(item.min):
        yield from _below(item.type, name, bound, requests, limits)
    for name, bound in _sorted(item.max):
        yield from _above(item.type, name, bound, requests, limits)
    for name, bound in _sorted(item.maxLimitRequestRatio):
        yield from _beyond_ratio(item.type, name, bound, requests, limits)


def _below(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"minimum {name} usage per {kind} is {bound}"
    if name not in requests:
        yield f"{rule}.  No request is specified"
    elif requests[name] < bound:
        yield f"{rule}, but request is {requests[name]}"
    elif name in limits and limits[name] < bound:
        yield f"{rule}, but limit is {limits[name]}"


def _above(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"maximum {name} usage per {kind} is {bound}"
    if name not in limits:
        yield f"{rule}.  No limit is specified"
    elif limits[name] > bound:
        yield f"{rule}, but limit is {limits[name]}"
    elif name in requests and requests[name] > bound:
        yield f"{rule}, but request is {requests[name]}"


def _above_requested(kind: str, name: str, bound: Quantity, requests: Amounts) -> Iterator[str]:
    rule = f"maximum {name} usage per {kind} is {bound}"
    if name not in requests:
        yield f"{rule}.  No request is specified"
    elif requests[name] > bound:
        yield f"{rule}, but request is {requests[name]}"


def _beyond_ratio(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"{name} max limit to request ratio per {kind} is {bound}"
    if not requests.get(name):
        yield f"{rule}, but no request is specified or request is 0"
    elif not limits.get(name):
        yield f"{rule}, but no limit is specified or limit is 0"
    else:
        ratio = float(limits[name]) / float(requests[name])
        if ratio > float(bound):
            yield f"{rule}, but provided ratio is {ratio:f}"


def _sorted(bounds: Mapping[str, Any]) -> Iterable[tuple[str, Quantity]]:
    return [(name, parse(bounds[name])) for name in sorted(bounds)]
