"""NotImplemented: what the API takes but nothing acts on yet is accepted with a warning, never in silence.

The lists below may only shrink: whoever implements a thing takes its line away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import Stateless
from proa.machinery.resource import Resource

_IDLE = {
    "statefulsets.apps": "no controller makes its pods",
    "cronjobs.batch": "no controller makes its jobs",
    "horizontalpodautoscalers.autoscaling": "no controller scales by it",
    "ingresses.networking.k8s.io": "nothing serves it",
    "networkpolicies.networking.k8s.io": "no packet is filtered by it",
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
# The shape of what nothing acts on: the fields of an object, every item of a list, and at last what becomes of it.
Fields = Mapping[str, "str | list[Fields] | Fields"]
# By path, what is said there and what becomes of it.
Said = dict[str, tuple[Any, str]]
_GRPC: Fields = {"grpc": "the probe always fails on the nodes of this cluster"}
_OF_CONTAINERS: list[Fields] = [
    {
        "env": [{"valueFrom": {"fileKeyRef": "the variable is not set"}}],
        "restartPolicyRules": [{"action": "only Restart is carried out"}],
        "securityContext": {
            "seLinuxOptions": "the container runs without a label",
            "appArmorProfile": "the container runs without a profile",
        },
        "livenessProbe": _GRPC,
        "readinessProbe": _GRPC,
        "startupProbe": _GRPC,
    }
]
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_OF_PODS: Fields = {
    "affinity": {"podAffinity": "the scheduler ignores it", "podAntiAffinity": "the scheduler ignores it"},
    "topologySpreadConstraints": "the scheduler ignores it",
    "resourceClaims": "no device is allocated",
    "schedulingGroup": "the scheduler takes the pod by itself",
    "hostUsers": "containers share the host's user namespace",
    "securityContext": {
        "supplementalGroupsPolicy": "groups of the image are merged",
        "seLinuxOptions": "containers run without a label",
        "appArmorProfile": "containers run without a profile",
    },
    **dict.fromkeys(_CONTAINERS, _OF_CONTAINERS),
}
# Absent, empty, or how it is: `hostUsers: true`, `action: Restart`.
_NOTHING: tuple[Any, ...] = (None, "", [], {}, True, "Restart")


class NotImplementedWarnings(Stateless):
    name = "NotImplemented"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        known = resource.qualified in _IDLE or resource.qualified in _POD_TEMPLATES
        return operation in ("CREATE", "UPDATE") and subresource in ("", "ephemeralcontainers") and known

    def validate(self, attributes: Attributes) -> None:
        resource = attributes.resource.qualified
        if resource in _IDLE and attributes.operation == "CREATE":
            attributes.warnings.append(f"{resource} are not implemented yet: {_IDLE[resource]}")
        template = _POD_TEMPLATES.get(resource)
        if template is not None:
            spec = _spec_of(attributes.document, template)
            at = ".".join(template)
            said = _said(spec, _OF_PODS, at, {})
            if said:
                before = _said(_aligned(_spec_of(attributes.old, template), spec), _OF_PODS, at, {})
                new = (where for where in said if said[where] != before.get(where))
                attributes.warnings += [f"{where} is not implemented yet: {said[where][1]}" for where in new]


def _spec_of(document: Mapping[str, Any] | None, template: tuple[str, ...]) -> Mapping[str, Any]:
    found = document or {}
    for name in template:
        found = found.get(name) or {}
    return found


def _said(value: Mapping[str, Any], ignored: Fields, at: str, found: Said) -> Said:
    """`found`, and what is said in `value`, which is at `at`, that nothing acts on."""
    for name, below in ignored.items():
        said = value.get(name)
        if said is None:  # nearly always
            continue
        if isinstance(below, str):
            if said not in _NOTHING:
                found[f"{at}.{name}"] = said, below
        elif isinstance(below, list):
            (fields,) = below
            for index, item in enumerate(said):
                if not fields.keys().isdisjoint(item):
                    _said(item, fields, f"{at}.{name}[{index}]", found)
        elif said:
            _said(said, below, f"{at}.{name}", found)
    return found


def _aligned(old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """The old spec of a pod, its containers where those of the same names are in the new one."""
    aligned = dict(old)
    for kind in _CONTAINERS:
        known = {each["name"]: each for each in reversed(old.get(kind) or ())}
        aligned[kind] = [known.get(each["name"], {}) for each in new.get(kind) or ()]
    return aligned
