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
_IGNORED: dict[tuple[str, ...], str] = {
    ("affinity", "podAffinity"): "the scheduler ignores it",
    ("affinity", "podAntiAffinity"): "the scheduler ignores it",
    ("topologySpreadConstraints",): "the scheduler ignores it",
    ("resourceClaims",): "no device is allocated",
    ("hostUsers",): "containers share the host's user namespace",
    ("securityContext", "supplementalGroupsPolicy"): "groups of the image are merged",
    ("securityContext", "seLinuxOptions"): "containers run without a label",
    ("securityContext", "appArmorProfile"): "containers run without a profile",
}
_FIRST_NAMES = frozenset(names[0] for names in _IGNORED)
# Absent, empty, or `hostUsers: true`, which is how it is.
_NOTHING: tuple[Any, ...] = (None, "", [], {}, True)


class NotImplementedWarnings(Stateless):
    name = "NotImplemented"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        known = resource.qualified in _IDLE or resource.qualified in _POD_TEMPLATES
        return operation in ("CREATE", "UPDATE") and not subresource and known

    async def validate(self, attributes: Attributes) -> None:
        resource = attributes.resource.qualified
        if resource in _IDLE and attributes.operation == "CREATE":
            attributes.warnings.append(f"{resource} are not implemented yet: {_IDLE[resource]}")
        template = _POD_TEMPLATES.get(resource)
        if template is not None:
            spec = dig(attributes.document, *template) or {}
            if not _FIRST_NAMES.isdisjoint(spec):
                old = dig(attributes.old, *template) or {}
                attributes.warnings.extend(_ignored(spec, old, ".".join(template)))


def _ignored(spec: Mapping[str, Any], old: Mapping[str, Any], path: str) -> Iterator[str]:
    """Warnings about what `spec` says newly."""
    for names, what in _IGNORED.items():
        first = spec.get(names[0])
        if first is None or first == {}:  # nearly always
            continue
        value = dig(spec, *names)
        if value not in _NOTHING and value != dig(old, *names):
            yield f"{path}.{'.'.join(names)} is not implemented yet: {what}"
