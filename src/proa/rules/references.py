"""What a pod spec (a document) refers to in the API: anything at all, and which secrets.

A mirror pod may refer to nothing, or its kubelet could read whatever it likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_KINDS = dict(zip(_CONTAINERS, ("init container", "container", "ephemeral container"), strict=True))
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


def secret_references(spec: Document, parts: Sequence[str] = _CONTAINERS) -> Iterator[tuple[str, str]]:
    """Who refers to a secret, in words, and its name: volumes first, then the containers of these parts."""
    for volume in spec.get("volumes") or ():
        if volume.get("secret") is not None:
            name = volume["secret"].get("secretName") or ""
            yield f'volume with secret.secretName="{name}"', name
    for part in parts:
        for container in spec.get(part) or ():
            who = f"{_KINDS[part]} {container.get('name', '')}"
            for env in container.get("env") or ():
                reference = (env.get("valueFrom") or {}).get("secretKeyRef")
                if reference is not None:
                    name = reference.get("name") or ""
                    yield f'{who} with envVar {env.get("name", "")} referencing secret.secretName="{name}"', name
            for source in container.get("envFrom") or ():
                if source.get("secretRef") is not None:
                    name = source["secretRef"].get("name") or ""
                    yield f'{who} with envFrom referencing secret.secretName="{name}"', name


def projects_token(spec: Document) -> bool:
    """Whether a volume has a token of the service account."""
    projected = (volume.get("projected") or {} for volume in spec.get("volumes") or ())
    return any(
        source.get("serviceAccountToken") is not None for each in projected for source in each.get("sources") or ()
    )


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
