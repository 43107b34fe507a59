"""How much of each resource a pod asks for: what the scheduler reserves and the kubelet admits.

Amounts are whole numbers in the unit of the resource: cpu in millicores, everything else in its own unit (bytes,
pieces), rounded up. A pod holds the larger of two phases: all its containers together, or its hungriest init step;
sidecars (init containers with restartPolicy Always) keep running, so they count in their own step, in every later one
and beside the containers. Pod-level resources (KEP-2837) replace the sums they name; the sandbox overhead comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from proa.api.core_v1 import Container, ContainerStatus, Pod, ResourceRequirements
from proa.machinery import quantity as quantities
from proa.machinery.quantity import parse
from proa.machinery.scalars import Quantity

CPU, MEMORY, EPHEMERAL_STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"
HUGE_PAGES_PREFIX = "hugepages-"

Amounts = dict[str, int]
Quantities = dict[str, quantities.Quantity]
V = TypeVar("V", int, quantities.Quantity)


def amount(resource: str, quantity: Quantity) -> int:
    """A quantity in the unit of its resource."""
    parsed = parse(quantity)
    return parsed.milli if resource == CPU else parsed.value


def amounts(of: Mapping[str, Quantity]) -> Amounts:
    return {resource: amount(resource, quantity) for resource, quantity in of.items()}


def parsed(of: Mapping[str, Quantity]) -> Quantities:
    """Exact, and each in the format it was said in: for sums that people read."""
    return {resource: parse(quantity) for resource, quantity in of.items()}


def is_sidecar(container: Container) -> bool:
    """An init container that keeps running beside the others (KEP-753)."""
    return container.restartPolicy == "Always"


def is_pod_level(resource: str) -> bool:
    """Whether `spec.resources` of a pod may name it."""
    return resource in (CPU, MEMORY) or resource.startswith(HUGE_PAGES_PREFIX)


def is_native(resource: str) -> bool:
    """Whether it is Kubernetes' own, in the domain kubernetes.io said or not."""
    return "/" not in resource or "kubernetes.io/" in resource


def is_extended(resource: str) -> bool:
    """Whether it is a resource somebody else's plugin offers (`example.com/gpu`)."""
    return not is_native(resource) and not resource.startswith("requests.")


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

    return _pod_amounts(pod, of, amounts(_requests(pod.spec.resources)), amounts(pod.spec.overhead) if overhead else {})


def pod_limits(pod: Pod, *, overhead: bool = True) -> Amounts:
    """What the pod may use at most, for the resources it has a limit of; the overhead adds to those only."""
    total = _pod_amounts(pod, lambda container: amounts(container.resources.limits), amounts(_limits(pod)), {})
    return _with_overhead(total, amounts(pod.spec.overhead)) if overhead else total


def declared(pod: Pod) -> tuple[Quantities, Quantities]:
    """The requests and limits that the pod's spec says, without overhead."""
    requests = _pod_amounts(
        pod, lambda each: parsed(each.resources.requests), parsed(_requests(pod.spec.resources)), {}
    )
    limits = _pod_amounts(pod, lambda each: parsed(each.resources.limits), parsed(_limits(pod)), {})
    return requests, limits


def charged_requests(pod: Pod) -> Quantities:
    """What the pod's namespace is charged for (ResourceQuota): what it asks for or, if more, still has."""
    infeasible = is_resize_infeasible(pod)
    held = _statuses(pod)

    def of(container: Container) -> Quantities:
        asked = parsed(container.resources.requests)
        status = held.get(container.name)
        if status is None or status.resources is None:
            return asked
        has = [parsed(status.allocatedResources), parsed(status.resources.requests)]
        return _largest(has if infeasible else [asked, *has])

    return _pod_amounts(pod, of, parsed(_requests(pod.spec.resources)), parsed(pod.spec.overhead))


def charged_limits(pod: Pod) -> Quantities:
    """As `charged_requests`, of the limits."""
    infeasible = is_resize_infeasible(pod)
    held = _statuses(pod)

    def of(container: Container) -> Quantities:
        asked = parsed(container.resources.limits)
        status = held.get(container.name)
        if status is None or status.resources is None:
            return asked
        has = parsed(status.resources.limits)
        return has if infeasible else _largest([asked, has])

    return _with_overhead(_pod_amounts(pod, of, parsed(_limits(pod)), {}), parsed(pod.spec.overhead))


def is_resize_infeasible(pod: Pod) -> bool:
    """Its node said that it can never give what the pod was resized to (KEP-1287)."""
    return any(each.type == "PodResizePending" and each.reason == "Infeasible" for each in pod.status.conditions)


def _statuses(pod: Pod) -> Mapping[str, ContainerStatus]:
    return {each.name: each for each in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)}


def _limits(pod: Pod) -> Mapping[str, Quantity]:
    return pod.spec.resources.limits if pod.spec.resources is not None else {}


def _with_overhead(total: dict[str, V], overhead: Mapping[str, V]) -> dict[str, V]:
    for resource, value in overhead.items():
        if total.get(resource):
            total[resource] += value
    return total


def _requests(resources: ResourceRequirements | None) -> Mapping[str, Quantity]:
    return resources.requests if resources is not None else {}


def _pod_amounts(
    pod: Pod, of: Callable[[Container], dict[str, V]], pod_level: Mapping[str, V], overhead: dict[str, V]
) -> dict[str, V]:
    spec = pod.spec
    total = _sum(of(container) for container in spec.containers)
    if spec.initContainers:
        running: dict[str, V] = {}  # the sidecars started so far
        steps: list[dict[str, V]] = []
        for container in spec.initContainers:
            if is_sidecar(container):
                running = _sum((running, of(container)))
                steps.append(running)
            else:
                steps.append(_sum((running, of(container))))
        steps.append(_sum((total, running)))
        total = _largest(steps)
    for resource, value in pod_level.items():
        if is_pod_level(resource):
            total[resource] = value
    return _sum((total, overhead)) if overhead else total


def _sum(parts: Iterable[dict[str, V]]) -> dict[str, V]:
    total: dict[str, V] = {}
    for part in parts:
        for resource, value in part.items():
            total[resource] = total[resource] + value if resource in total else value
    return total


def _largest(parts: Iterable[dict[str, V]]) -> dict[str, V]:
    largest: dict[str, V] = {}
    for part in parts:
        for resource, value in part.items():
            if resource not in largest or value > largest[resource]:
                largest[resource] = value
    return largest
