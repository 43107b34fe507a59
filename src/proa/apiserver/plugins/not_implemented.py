"""NotImplemented: what the API takes but nothing acts on yet is accepted with a warning, never in silence.

The lists below may only shrink: whoever implements a thing takes its line away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.columns import dig
from proa.machinery.resource import Resource

_IDLE = {
    "statefulsets.apps": "no controller makes its pods",
    "cronjobs.batch": "no controller makes its jobs",
    "horizontalpodautoscalers.autoscaling": "no controller scales by it",
    "ingresses.networking.k8s.io": "nothing serves it",
    "networkpolicies.networking.k8s.io": "no packet is filtered by it",
    "servicecidrs.networking.k8s.io": "no address is taken from it",
    "resourceclaims.resource.k8s.io": "no device is allocated",
    "volumeattachments.storage.k8s.io": "no controller attaches the volume",
    "persistentvolumeclaims": "no controller binds it to a volume",
    "persistentvolumes": "no controller binds it to a claim",
}
_POD_TEMPLATES = {
    "pods": ("spec",),
    "podtemplates": ("template", "spec"),
    **dict.fromkeys(
        (
            "deployments.apps",
            "replicasets.apps",
            "daemonsets.apps",
            "statefulsets.apps",
            "replicationcontrollers",
            "jobs.batch",
        ),
        ("spec", "template", "spec"),
    ),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template", "spec"),
}
# What of a pod, and below of each of its containers, nothing acts on; "*" stands for every item of a list.
_IGNORED: dict[tuple[str, ...], str] = {
    ("affinity", "podAffinity"): "the scheduler ignores it",
    ("affinity", "podAntiAffinity"): "the scheduler ignores it",
    ("topologySpreadConstraints",): "the scheduler ignores it",
    ("resourceClaims",): "no device is allocated",
    ("schedulingGroup",): "the scheduler takes the pod by itself",
    ("hostUsers",): "containers share the host's user namespace",
    ("securityContext", "supplementalGroupsPolicy"): "groups of the image are merged",
    ("securityContext", "seLinuxOptions"): "containers run without a label",
    ("securityContext", "appArmorProfile"): "containers run without a profile",
}
_IGNORED_OF_CONTAINERS: dict[tuple[str, ...], str] = {
    ("env", "*", "valueFrom", "fileKeyRef"): "the variable is not set",
    ("restartPolicyRules", "*", "action"): "only Restart is carried out",
    ("securityContext", "seLinuxOptions"): "the container runs without a label",
    ("securityContext", "appArmorProfile"): "the container runs without a profile",
    **dict.fromkeys(
        (("livenessProbe", "grpc"), ("readinessProbe", "grpc"), ("startupProbe", "grpc")),
        "the probe always fails on the nodes of this cluster",
    ),
}
_FIRST_NAMES = frozenset(names[0] for names in _IGNORED)
_FIRST_NAMES_OF_CONTAINERS = frozenset(names[0] for names in _IGNORED_OF_CONTAINERS)
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
# Absent, empty, or how it is: `hostUsers: true`, `action: Restart`.
_NOTHING: tuple[Any, ...] = (None, "", [], {}, True, "Restart")


class NotImplementedWarnings(Stateless):
    name = "NotImplemented"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        known = resource.qualified in _IDLE or resource.qualified in _POD_TEMPLATES
        return operation in ("CREATE", "UPDATE") and subresource in ("", "ephemeralcontainers") and known

    async def validate(self, attributes: Attributes) -> None:
        resource = attributes.resource.qualified
        if resource in _IDLE and attributes.operation == "CREATE":
            attributes.warnings.append(f"{resource} are not implemented yet: {_IDLE[resource]}")
        template = _POD_TEMPLATES.get(resource)
        if template is not None:
            spec = dig(attributes.document, *template) or {}
            old = dig(attributes.old, *template) or {}
            attributes.warnings.extend(_warnings(spec, old, ".".join(template)))


def _warnings(spec: Mapping[str, Any], old: Mapping[str, Any], path: str) -> Iterator[str]:
    """About what a pod's spec and its containers say newly. Most say nothing of it: that is asked first."""
    if not _FIRST_NAMES.isdisjoint(spec):
        yield from _ignored(_IGNORED, spec, old, path)
    for kind in _CONTAINERS:
        for index, container in enumerate(spec.get(kind) or ()):
            if not _FIRST_NAMES_OF_CONTAINERS.isdisjoint(container):
                same = (each for each in old.get(kind) or () if each["name"] == container["name"])
                at = f"{path}.{kind}[{index}]"
                yield from _ignored(_IGNORED_OF_CONTAINERS, container, next(same, {}), at)


def _ignored(
    table: Mapping[tuple[str, ...], str], said: Mapping[str, Any], old: Mapping[str, Any], path: str
) -> Iterator[str]:
    for names, what in table.items():
        first = said.get(names[0])
        if first is None or first == {}:  # nearly always
            continue
        for at, value in _found(said, names, path):
            if value not in _NOTHING and value != dict(_found(old, names, path)).get(at):
                yield f"{at} is not implemented yet: {what}"


def _found(value: Any, names: tuple[str, ...], path: str) -> Iterator[tuple[str, Any]]:
    """Every value that is said at `names`, and where."""
    for position, name in enumerate(names):
        if value is None:
            return
        if name == "*":
            for index, each in enumerate(value):
                yield from _found(each, names[position + 1 :], f"{path}[{index}]")
            return
        value, path = value.get(name), f"{path}.{name}"
    yield path, value
