"""Where objects live in the store: upstream's layout, so that an upstream API server can be pointed at the same etcd.

A key is `/registry/<prefix>/[<namespace>/]<name>`; the prefix is the plural except for a few that history named. Not
here: what is stored under a key.
"""

from __future__ import annotations

from typing import Any

from proa.machinery.resource import Resource

ROOT = "/registry/"

_HISTORIC = {
    ("", "services"): "services/specs",
    ("", "endpoints"): "services/endpoints",
    ("", "nodes"): "minions",
    ("", "replicationcontrollers"): "controllers",
    ("networking.k8s.io", "ingresses"): "ingress",
    ("events.k8s.io", "events"): "events",
}
# Groups whose resources upstream stores under the plural alone; any later group is stored under its own name.
_SHORT_GROUPS = frozenset(
    {
        "",
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "admissionregistration.k8s.io",
    }
)


def prefix(resource: Resource[Any]) -> str:
    """The prefix of every object of a resource, with its slash: `/registry/pods/`."""
    historic = _HISTORIC.get((resource.group, resource.plural))
    if historic is not None:
        return f"{ROOT}{historic}/"
    if resource.group in _SHORT_GROUPS:
        return f"{ROOT}{resource.plural}/"
    return f"{ROOT}{resource.group}/{resource.plural}/"
