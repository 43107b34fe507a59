"""Whether a pod needs anything else of the API: a mirror pod may not, or its kubelet could read whatever it likes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
# By volume source; a source that is not here asks the API for nothing.
_VOLUMES = {
    "configMap": "configmaps (via configmap volumes)",
    "secret": "secrets (via secret volumes)",
    "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "azureFile": "secrets (via azureFile volumes)",
}
_PROJECTED = {
    "configMap": "configmaps (via projected volumes)",
    "secret": "secrets (via projected volumes)",
    "serviceAccountToken": "serviceaccounts (via projected volumes)",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}


def api_reference(spec: Document) -> str:
    """The first kind of object that a pod spec refers to, '' for none."""
    if spec.get("serviceAccountName"):
        return "serviceaccounts"
    if spec.get("imagePullSecrets"):
        return "secrets"
    environment = tuple(_environment(spec))
    for kind in ("secrets", "configmaps"):
        if kind in environment:
            return kind
    if spec.get("resourceClaims"):
        return "resourceclaims"
    return next(_of_volumes(spec.get("volumes") or ()), "")


def _environment(spec: Document) -> Iterator[str]:
    for container in (each for part in _CONTAINERS for each in spec.get(part) or ()):
        sources = [each.get("valueFrom") or {} for each in container.get("env") or ()]
        for source in sources:
            yield from ("secrets",) if source.get("secretKeyRef") else ()
            yield from ("configmaps",) if source.get("configMapKeyRef") else ()
        for source in container.get("envFrom") or ():
            yield from ("secrets",) if source.get("secretRef") else ()
            yield from ("configmaps",) if source.get("configMapRef") else ()


def _of_volumes(volumes: Sequence[Document]) -> Iterator[str]:
    for volume in volumes:
        yield from (what for source, what in _VOLUMES.items() if volume.get(source) is not None)
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from (what for kind, what in _PROJECTED.items() if source.get(kind) is not None)
