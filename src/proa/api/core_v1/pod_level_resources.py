"""What makes the resources of a whole pod wrong beside those of its containers (KEP-2837).

Not here: names and amounts by themselves (`container_resources`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from proa.api.core_v1.container import ResourceRequirements
from proa.api.core_v1.container_resources import validate_pod_resources
from proa.api.core_v1.pod import PodSpec
from proa.machinery.fields import ErrorList, Path
from proa.machinery.quantity import Quantity, canonical, parse
from proa.machinery.scalars import Quantity as Text

_HUGE_PAGES = "hugepages-"
_NOTHING = parse(0)

Amounts = dict[str, Quantity]


def validate_whole(spec: PodSpec, resources: ResourceRequirements, path: Path, errors: ErrorList) -> None:
    """path: of the pod's resources."""
    if spec.os is not None and spec.os.name == "windows":
        errors.forbidden(path, "may not be set for a windows pod")
        return
    validate_pod_resources(resources, path, errors)
    for name, needed in _aggregate(spec, "requests").items():
        if name in resources.requests and needed > parse(resources.requests[name]):
            detail = f"must be greater than or equal to aggregate container requests of {needed}"
            errors.invalid(path.child("requests").key(name), canonical(resources.requests[name]), detail)
    for name, needed in _aggregate(spec, "limits").items():
        if name.startswith(_HUGE_PAGES) and name in resources.limits and needed > parse(resources.limits[name]):
            detail = f"must be greater than or equal to aggregate container limits of {needed}"
            errors.invalid(path.child("limits").key(name), canonical(resources.limits[name]), detail)
    for index, container in enumerate(spec.containers):
        for name, limit in container.resources.limits.items():
            if name in resources.limits and parse(limit) > parse(resources.limits[name]):
                where = path.child("containers").index(index).key(name).child("limits")
                detail = f"must be less than or equal to pod limits of {canonical(resources.limits[name])}"
                errors.invalid(where, canonical(limit), detail)


def _aggregate(spec: PodSpec, field: str) -> Amounts:
    """The larger of what runs together and the hungriest step before; sidecars count in their step and every later."""
    sidecars: Amounts = {}
    most: Amounts = {}
    for container in spec.initContainers:
        own = _parsed(getattr(container.resources, field))
        step = _sum((sidecars, own))
        if container.restartPolicy == "Always":
            sidecars = step
        most = _largest(most, step)
    together = _sum((sidecars, *(_parsed(getattr(each.resources, field)) for each in spec.containers)))
    return _largest(most, together)


def _parsed(amounts: Mapping[str, Text]) -> Amounts:
    return {name: parse(each) for name, each in amounts.items()}


def _sum(amounts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for each in amounts:
        for name, value in each.items():
            total[name] = total[name] + value if name in total else value
    return total


def _largest(first: Amounts, second: Amounts) -> Amounts:
    names = first.keys() | second.keys()
    return {name: max(first.get(name, _NOTHING), second.get(name, _NOTHING)) for name in names}
