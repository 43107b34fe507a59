"""How much of each resource a pod asks for: what the scheduler reserves and the kubelet admits.

Amounts are whole numbers in the unit of the resource: cpu in millicores, everything else in its own unit (bytes,
pieces), rounded up. A pod holds the larger of two phases: all its containers together, or its hungriest init step;
sidecars (init containers with restartPolicy Always) keep running, so they count in their own step, in every later one
and beside the containers. Pod-level resources (KEP-2837) replace the sums they name; the sandbox overhead comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from proa.api.core_v1 import Container, Pod, ResourceRequirements
from proa.machinery.quantity import parse
from proa.machinery.scalars import Quantity

CPU, MEMORY, EPHEMERAL_STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"
HUGE_PAGES_PREFIX = "hugepages-"

Amounts = dict[str, int]


def amount(resource: str, quantity: Quantity) -> int:
    """A quantity in the unit of its resource."""
    parsed = parse(quantity)
    return parsed.milli if resource == CPU else parsed.value


def amounts(quantities: Mapping[str, Quantity]) -> Amounts:
    return {resource: amount(resource, quantity) for resource, quantity in quantities.items()}


def is_sidecar(container: Container) -> bool:
    """An init container that keeps running beside the others (KEP-753)."""
    return container.restartPolicy == "Always"


def is_pod_level(resource: str) -> bool:
    """Whether `spec.resources` of a pod may name it."""
    return resource in (CPU, MEMORY) or resource.startswith(HUGE_PAGES_PREFIX)


def pod_requests(pod: Pod, *, overhead: bool = True, actual: bool = False) -> Amounts:
    """What the pod's node must set aside for it.

    actual: count, for a container being resized (KEP-1287), the larger of what it asks for and what it has.
    """
    held = {status.name: status for status in pod.status.containerStatuses} if actual else {}

    def of(container: Container) -> Amounts:
        asked = amounts(container.resources.requests)
        status = held.get(container.name)
        if status is None:
            return asked
        has = _largest([amounts(status.allocatedResources), amounts(_requests(status.resources))])
        return _largest([asked, has])

    return _pod_amounts(pod, of, _requests(pod.spec.resources), overhead)


def pod_limits(pod: Pod, *, overhead: bool = True) -> Amounts:
    """What the pod may use at most, for the resources it has a limit of; the overhead adds to those only."""
    limits = pod.spec.resources.limits if pod.spec.resources is not None else {}
    total = _pod_amounts(pod, lambda container: amounts(container.resources.limits), limits, overhead=False)
    if overhead:
        for resource, value in amounts(pod.spec.overhead).items():
            if total.get(resource):
                total[resource] += value
    return total


def _requests(resources: ResourceRequirements | None) -> Mapping[str, Quantity]:
    return resources.requests if resources is not None else {}


def _pod_amounts(
    pod: Pod, of: Callable[[Container], Amounts], pod_level: Mapping[str, Quantity], overhead: bool
) -> Amounts:
    spec = pod.spec
    total = _sum(of(container) for container in spec.containers)
    if spec.initContainers:
        running: Amounts = {}  # the sidecars started so far
        steps = []
        for container in spec.initContainers:
            if is_sidecar(container):
                running = _sum((running, of(container)))
                steps.append(running)
            else:
                steps.append(_sum((running, of(container))))
        total = _largest([_sum((total, running)), *steps])
    for resource, quantity in pod_level.items():
        if is_pod_level(resource):
            total[resource] = amount(resource, quantity)
    if overhead and spec.overhead:
        total = _sum((total, amounts(spec.overhead)))
    return total


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for resource, value in part.items():
            total[resource] = total.get(resource, 0) + value
    return total


def _largest(parts: Iterable[Amounts]) -> Amounts:
    largest: Amounts = {}
    for part in parts:
        for resource, value in part.items():
            if value > largest.get(resource, -1):
                largest[resource] = value
    return largest
