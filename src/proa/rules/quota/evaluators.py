"""How objects are measured: an evaluator for pods, services, claims of storage and of devices each, and one that counts
any other resource.

Source: the quota evaluators of upstream. `pods` and compute resources are charged only while a pod has not ended;
`count/pods` is charged for every stored one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

from proa.api.core_v1 import Container, PersistentVolumeClaim, Pod, Service
from proa.api.core_v1 import ScopedResourceSelectorRequirement as Scope
from proa.api.resource_v1 import ResourceClaim
from proa.machinery.quantity import Quantity, parse
from proa.machinery.timestamps import parse as parse_time
from proa.rules.pods import is_terminal
from proa.rules.quota import scopes
from proa.rules.resources import (
    CPU,
    EPHEMERAL_STORAGE,
    HUGE_PAGES_PREFIX,
    MEMORY,
    Quantities,
    charged_limits,
    charged_requests,
    is_native,
    is_pod_level,
    parsed,
)
from proa.rules.volumes import attributes_classes, class_of

REQUESTS, LIMITS = "requests.", "limits."
COUNT_PREFIX = "count/"
_ONE, _NONE = Quantity.of(1), Quantity.of(0)

# What is not stored, and events, cost nothing.
IGNORED = frozenset(
    {
        "bindings",
        "componentstatuses",
        "events",
        "events.events.k8s.io",
        "localsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
        "subjectaccessreviews.authorization.k8s.io",
        "tokenreviews.authentication.k8s.io",
    }
)


class Evaluator(Protocol):
    """Measures the objects of one resource, given typed. qualified: the resource, as `deployments.apps`."""

    qualified: str

    def handles(self, operation: str, subresource: str) -> bool:
        """Whether such a write can change what is charged."""

    def changes(self, subresource: str, new: Any, old: Any) -> bool:
        """Whether this update of a handled kind can change what is charged."""

    def names(self, names: Iterable[str]) -> list[str]:
        """Those of a quota's resource names that these objects are charged for."""

    def matches(self, scope: Scope, obj: Any) -> bool: ...

    def missing(self, names: Collection[str], obj: Any) -> str:
        """What `obj` must say and does not, so that it could be charged; '' when nothing is missing."""

    def usage(self, obj: Any, now: datetime) -> Quantities: ...


class Count:
    """Counts objects: `count/<resource>.<group>`, and the older names that some have besides."""

    _ALIASED = frozenset({"configmaps", "resourcequotas", "replicationcontrollers", "secrets"})

    def __init__(self, qualified: str) -> None:
        self.qualified = qualified
        self._names = (COUNT_PREFIX + qualified, *((qualified,) if qualified in self._ALIASED else ()))
        self._usage = dict.fromkeys(self._names, _ONE)

    def handles(self, operation: str, subresource: str) -> bool:
        return operation == "CREATE" and not subresource

    def changes(self, subresource: str, new: Any, old: Any) -> bool:
        return True

    def names(self, names: Iterable[str]) -> list[str]:
        return [each for each in names if each in self._names]

    def matches(self, scope: Scope, obj: Any) -> bool:
        return False

    def missing(self, names: Collection[str], obj: Any) -> str:
        return ""

    def usage(self, obj: Any, now: datetime) -> Quantities:
        return self._usage


class Pods(Count):
    _FIXED = frozenset(
        {"pods", CPU, MEMORY, EPHEMERAL_STORAGE}
        | {kind + each for kind in (REQUESTS, LIMITS) for each in (CPU, MEMORY, EPHEMERAL_STORAGE)}
        | {COUNT_PREFIX + "pods"}
    )
    # A quota of these makes every container say how much it wants. (No others: upstream calls it a mistake.)
    _DEMANDED = frozenset({CPU, MEMORY} | {kind + each for kind in (REQUESTS, LIMITS) for each in (CPU, MEMORY)})

    def handles(self, operation: str, subresource: str) -> bool:
        return (operation, subresource) in {("CREATE", ""), ("UPDATE", ""), ("UPDATE", "resize")}

    def changes(self, subresource: str, new: Pod, old: Pod) -> bool:
        return subresource == "resize" or scopes.is_terminating(new) != scopes.is_terminating(old)

    def names(self, names: Iterable[str]) -> list[str]:
        return [each for each in names if each in self._FIXED or _is_of_other_resource(each)]

    def matches(self, scope: Scope, obj: Pod) -> bool:
        return scopes.pod_matches(scope, obj)

    def missing(self, names: Collection[str], obj: Pod) -> str:
        whole = obj.spec.resources
        if whole is not None and any(is_pod_level(each) for each in (*whole.requests, *whole.limits)):
            return ""
        demanded = sorted(self._DEMANDED.intersection(names))
        without = {name: sorted(_silent(obj, name)) for name in demanded}
        said = [f"{name} for: {','.join(containers)}" for name, containers in without.items() if containers]
        return f"must specify {'; '.join(said)}" if said else ""

    def usage(self, obj: Pod, now: datetime) -> Quantities:
        stored = {COUNT_PREFIX + "pods": _ONE}
        if is_terminal(obj) or _is_overdue(obj, now):
            return stored
        return stored | _compute(charged_requests(obj), charged_limits(obj))


class Services(Count):
    _NAMES = frozenset({COUNT_PREFIX + "services", "services", "services.nodeports", "services.loadbalancers"})

    def handles(self, operation: str, subresource: str) -> bool:
        return operation in ("CREATE", "UPDATE") and not subresource

    def names(self, names: Iterable[str]) -> list[str]:
        return [each for each in names if each in self._NAMES]

    def usage(self, obj: Service, now: datetime) -> Quantities:
        spec = obj.spec
        balanced = spec.type == "LoadBalancer"
        if balanced and spec.allocateLoadBalancerNodePorts is False:
            ports = sum(1 for each in spec.ports if each.nodePort)
        else:
            ports = len(spec.ports) if balanced or spec.type == "NodePort" else 0
        return {
            COUNT_PREFIX + "services": _ONE,
            "services": _ONE,
            "services.nodeports": Quantity.of(ports),
            "services.loadbalancers": _ONE if balanced else _NONE,
        }


class Claims(Count):
    """Persistent volume claims, all of a namespace and those of one storage class."""

    _NAMES = ("persistentvolumeclaims", REQUESTS + "storage")
    _SUFFIXES = (".storageclass.storage.k8s.io/persistentvolumeclaims", ".storageclass.storage.k8s.io/requests.storage")

    def handles(self, operation: str, subresource: str) -> bool:
        return operation in ("CREATE", "UPDATE") and (not subresource or (operation, subresource) == _STATUS_UPDATE)

    def changes(self, subresource: str, new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> bool:
        return (
            not subresource
            or new.status.allocatedResources != old.status.allocatedResources
            or attributes_classes(new) != attributes_classes(old)
        )

    def names(self, names: Iterable[str]) -> list[str]:
        known = (COUNT_PREFIX + self.qualified, *self._NAMES)
        return [each for each in names if each in known or each.endswith(self._SUFFIXES)]

    def matches(self, scope: Scope, obj: PersistentVolumeClaim) -> bool:
        return scopes.claim_matches(scope, obj)

    def usage(self, obj: PersistentVolumeClaim, now: datetime) -> Quantities:
        used = {"persistentvolumeclaims": _ONE}
        storage = _storage(obj)
        if storage is not None:
            used[REQUESTS + "storage"] = storage
        of_class = class_of(obj)
        if of_class:
            used |= {f"{of_class}.storageclass.storage.k8s.io/{name}": value for name, value in used.items()}
        used[COUNT_PREFIX + self.qualified] = _ONE
        return used


class ResourceClaims(Count):
    """Claims of devices: of each class, the most that may be allocated."""

    _DEVICES = ".deviceclass.resource.k8s.io/devices"
    _MOST = 32  # of one claim

    def handles(self, operation: str, subresource: str) -> bool:
        return operation in ("CREATE", "UPDATE") and not subresource

    def names(self, names: Iterable[str]) -> list[str]:
        return [each for each in names if each == COUNT_PREFIX + self.qualified or each.endswith(self._DEVICES)]

    def usage(self, obj: ResourceClaim, now: datetime) -> Quantities:
        devices: dict[str, int] = {}
        for request in obj.spec.devices.requests:
            choices = request.firstAvailable or ((request.exactly,) if request.exactly is not None else ())
            most: dict[str, int] = {}
            for each in choices:
                count = self._MOST if each.allocationMode == "All" else each.count or 1
                most[each.deviceClassName] = max(count, most.get(each.deviceClassName, 0))
            for name, count in most.items():
                devices[name] = devices.get(name, 0) + count
        used = {f"{name}{self._DEVICES}": Quantity.of(count) for name, count in devices.items()}
        return {COUNT_PREFIX + self.qualified: _ONE, **used}


_STATUS_UPDATE = ("UPDATE", "status")
EVALUATORS: tuple[Evaluator, ...] = (
    Pods("pods"),
    Services("services"),
    Claims("persistentvolumeclaims"),
    ResourceClaims("resourceclaims.resource.k8s.io"),
)
_BY_NAME = {each.qualified: each for each in EVALUATORS}


@cache
def evaluator_of(qualified: str) -> Evaluator:
    """Who measures a resource."""
    return _BY_NAME.get(qualified) or Count(qualified)


def _is_of_other_resource(name: str) -> bool:
    """Huge pages, and extended resources, of which quotas know requests only (they cannot be overcommitted)."""
    if name.startswith((HUGE_PAGES_PREFIX, REQUESTS + HUGE_PAGES_PREFIX)):
        return True
    return name.startswith(REQUESTS) and (not is_native(name) or name.startswith(REQUESTS + _DEVICE_CLASS))


_DEVICE_CLASS = "deviceclass.resource.kubernetes.io/"


def _compute(requests: Mapping[str, Quantity], limits: Mapping[str, Quantity]) -> Quantities:
    used = {"pods": _ONE}
    for name in (CPU, MEMORY, EPHEMERAL_STORAGE):
        if name in requests:
            used[name] = used[REQUESTS + name] = requests[name]
        if name in limits:
            used[LIMITS + name] = limits[name]
    for name, value in requests.items():
        if name.startswith(HUGE_PAGES_PREFIX):
            used[name] = used[REQUESTS + name] = value
        elif not is_native(name) or name.startswith(_DEVICE_CLASS):
            used[REQUESTS + name] = value
    return used


def _silent(pod: Pod, name: str) -> set[str]:
    """The containers that say nothing which a quota of `name` could charge."""

    def says(container: Container) -> bool:
        resources = container.resources
        return name in _compute(parsed(resources.requests), parsed(resources.limits))

    return {each.name for each in (*pod.spec.containers, *pod.spec.initContainers) if not says(each)}


def _is_overdue(pod: Pod, now: datetime) -> bool:
    """It should be gone by now: its node is lost perhaps, and that is not its owner's fault."""
    meta = pod.metadata
    if meta.deletionTimestamp is None or meta.deletionGracePeriodSeconds is None:
        return False
    return now > parse_time(meta.deletionTimestamp) + timedelta(seconds=meta.deletionGracePeriodSeconds)


def _storage(claim: PersistentVolumeClaim) -> Quantity | None:
    """Whole bytes: what the claim asks for or, if more, what it was given while it grows."""
    asked = claim.spec.resources.requests.get("storage")
    if asked is None:
        return None
    allocated = claim.status.allocatedResources.get("storage")
    most = max(parse(asked), parse(allocated)) if allocated is not None else parse(asked)
    return Quantity.of(most.value, most.format)
