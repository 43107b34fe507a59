"""Defaults of a pod spec that depend on other fields: those that templates have too, and those only pods get."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

Document = dict[str, Any]
_SOURCELESS = {"name"}
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def default_pod(spec: Document) -> None:
    """Fill in a pod's spec, in place. Requests and host ports follow from limits and ports only here: in a template
    they would be fixed for good, and no longer follow when its user changes the others."""
    default_pod_spec(spec)
    for kind in _CONTAINERS:
        for container in spec.get(kind) or ():
            resources = container.get("resources")
            if resources:
                _default_requests(resources)
    if spec.get("hostNetwork"):
        _default_host_ports(spec)


def default_pod_addresses(status: Document) -> None:
    """Its first address, as old kubelets and new ones say it: where they differ, the old one's word counts."""
    address, addresses = status.get("podIP"), status.get("podIPs")
    if address:
        if not addresses or addresses[0].get("ip") != address:
            status["podIPs"] = [{"ip": address}]
    elif addresses:
        status["podIP"] = addresses[0].get("ip", "")


def default_pod_spec(spec: Document) -> None:
    """Fill in, in place, what the declared defaults cannot say."""
    for volume in spec.get("volumes") or ():
        if volume.keys() <= _SOURCELESS:
            volume["emptyDir"] = {}
        elif volume.get("image") and not volume["image"].get("pullPolicy"):
            volume["image"]["pullPolicy"] = default_pull_policy(volume["image"].get("reference") or "")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for kind in _CONTAINERS:
        for container in spec.get(kind) or ():
            if not container.get("imagePullPolicy"):
                container["imagePullPolicy"] = default_pull_policy(container.get("image") or "")


def _default_requests(resources: Document) -> None:
    limits = resources.get("limits")
    if limits:
        requests = resources.setdefault("requests", {})
        for name, limit in limits.items():
            requests.setdefault(name, limit)


def _default_host_ports(spec: Document) -> None:
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or ():
            for port in container.get("ports") or ():
                port.setdefault("hostPort", port.get("containerPort"))


@lru_cache(1024)
def default_pull_policy(image: str) -> str:
    """Always for `latest` or no tag, because such a name moves; IfNotPresent for any other tag or a digest."""
    if not image or "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def default_pod_template(document: Document) -> None:
    """The same for `spec.template.spec` of a workload."""
    spec = ((document.get("spec") or {}).get("template") or {}).get("spec")
    if spec is not None:
        default_pod_spec(spec)
