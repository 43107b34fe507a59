"""The downward API: a pod's fields and resources as text (ObjectFieldSelector, ResourceFieldSelector)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from proa.api.core_v1 import Pod, ResourceFieldSelector
from proa.base.errors import ProaError
from proa.kubelet.services import AnyContainer
from proa.machinery.quantity import parse

ONE = parse(1)
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


class FieldError(ProaError):
    """The selector names nothing a pod has."""


def pod_field(pod: Pod, path: str, host_ips: Sequence[str] = (), pod_ips: Sequence[str] = ()) -> str:
    """The text of a field. Raises FieldError."""
    meta, spec = pod.metadata, pod.spec
    found = _SUBSCRIPT.fullmatch(path)
    if found:
        return (meta.labels if found[1] == "labels" else meta.annotations).get(found[2], "")
    ips = tuple(host_ips) if spec.hostNetwork else tuple(pod_ips)
    simple = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": spec.nodeName,
        "spec.serviceAccountName": spec.serviceAccountName,
        "status.hostIP": host_ips[0] if host_ips else "",
        "status.hostIPs": ",".join(host_ips),
        "status.podIP": ips[0] if ips else "",
        "status.podIPs": ",".join(ips),
    }
    if path in simple:
        return simple[path]
    if path == "metadata.labels":
        return _lines(meta.labels)
    if path == "metadata.annotations":
        return _lines(meta.annotations)
    raise FieldError(
        f"unsupported fieldPath: {path}: one of {', '.join(simple)}, metadata.labels, metadata.annotations"
    )


def _lines(pairs: Mapping[str, str]) -> str:
    """`key="value"`, one a line, sorted, the value quoted as Go quotes."""
    return "\n".join(f'{key}="{_escape(value)}"' for key, value in sorted(pairs.items()))


def _escape(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "".join(escapes.get(each, each) for each in text)


def resource_field(
    pod: Pod, container: AnyContainer, selector: ResourceFieldSelector, allocatable: Mapping[str, str]
) -> str:
    """A container's request or limit in units of the divisor, rounded up; an absent limit is what the node has."""
    if selector.containerName and selector.containerName != container.name:
        everyone = (*pod.spec.containers, *pod.spec.initContainers)
        named = next((each for each in everyone if each.name == selector.containerName), None)
        if named is None:
            raise FieldError(f"container {selector.containerName} not found")
        container = named
    kind, _, resource = selector.resource.partition(".")
    if kind not in ("limits", "requests") or not resource:
        raise FieldError(f"unsupported container resource: {selector.resource}: limits.<name> or requests.<name>")
    limits, requests = container.resources.limits, container.resources.requests
    if kind == "limits":
        quantity = limits.get(resource) or allocatable.get(resource) or 0
    else:
        quantity = requests.get(resource) or limits.get(resource) or 0
    divisor = parse(selector.divisor or 1).nanos or ONE.nanos
    return str(-(-parse(quantity).nanos // divisor))
