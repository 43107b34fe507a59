"""What clients are told of valid volumes: kinds that nothing serves any more, and files that overwrite one another.

Volumes of pods, persistent volumes and claims to them. Not here: what makes them invalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from proa.api.core_v1.amount_warnings import fraction_warnings
from proa.api.core_v1.claim import PersistentVolumeClaim, PersistentVolumeClaimSpec
from proa.api.core_v1.node_label_warnings import term_warnings
from proa.api.core_v1.persistent_volume import PersistentVolume
from proa.api.core_v1.volume import ProjectedVolumeSource, Volume, VolumeProjection
from proa.machinery.fields import Path, quoted

_NEVER_AGAIN = "deprecated in v1.22, non-functional in v1.25+"
_RETIRED: Mapping[str, str] = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": _NEVER_AGAIN,
    "storageos": _NEVER_AGAIN,
    "quobyte": _NEVER_AGAIN,
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_retired = attrgetter(*_RETIRED)
_NONE = (None,) * len(_RETIRED)
_OLD_ANNOTATIONS: Mapping[str, str] = {
    "volume.beta.kubernetes.io/storage-class": 'deprecated since v1.8; use "storageClassName" attribute instead',
    "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
}
_ANNOTATIONS = Path("metadata", "annotations")
_SPEC = Path("spec")

File = tuple[str, str, str | None]
"""A path within a volume, the kind of what it comes from ('' where the volume says that), and its name if it has one."""


def volume_warnings(volumes: Iterable[Volume], path: Path) -> list[str]:
    """Of the volumes of a pod."""
    found = []
    for position, volume in enumerate(volumes):
        if _retired(volume) != _NONE:
            at = path.index(position)
            found += [
                f"{at.child(field)}: {text}" for field, text in _RETIRED.items() if getattr(volume, field) is not None
            ]
        elif volume.ephemeral is not None and volume.ephemeral.volumeClaimTemplate is not None:
            at = path.index(position).child("ephemeral", "volumeClaimTemplate", "spec")
            found += claim_spec_warnings(volume.ephemeral.volumeClaimTemplate.spec, at)
        elif volume.projected is not None:
            found += _projected_warnings(volume.name, volume.projected)
        elif volume.configMap is not None and volume.configMap.items:
            origin = f"ConfigMap {quoted(volume.configMap.name)}"
            found += _overlaps(volume.name, origin, [(each.path, "", None) for each in volume.configMap.items])
        elif volume.secret is not None and volume.secret.items:
            origin = f"Secret {quoted(volume.secret.secretName)}"
            found += _overlaps(volume.name, origin, [(each.path, "", None) for each in volume.secret.items])
        elif volume.downwardAPI is not None and volume.downwardAPI.items:
            found += _overlaps(volume.name, "DownwardAPI", [(each.path, "", None) for each in volume.downwardAPI.items])
    return found


def _projected_warnings(name: str, projected: ProjectedVolumeSource) -> list[str]:
    files: list[File] = []
    found = []
    for source in projected.sources:
        provided = _projected_files(source)
        if provided is None:
            found.append(f"volume {quoted(name)} (Projected) has no sources provided")
        else:
            files += provided
    return found + _overlaps(name, "Projected", files)


def _projected_files(source: VolumeProjection) -> list[File] | None:
    """None: there is no source at all."""
    token, mapped, facts = source.serviceAccountToken, source.configMap or source.secret, source.downwardAPI
    if token is not None:
        return [(token.path, "ServiceAccountToken", None)]
    if mapped is not None:
        kind = "ConfigMap" if source.configMap is not None else "Secret"
        return [(each.path, kind, mapped.name) for each in mapped.items]
    if facts is not None:
        return [(each.path, "DownwardAPI", None) for each in facts.items]
    bundle, certificate = source.clusterTrustBundle, source.podCertificate
    if bundle is not None:
        called = bundle.name if bundle.name is not None else bundle.signerName or ""
        return [(bundle.path, "ClusterTrustBundle", called)]
    if certificate is None:
        return None
    parts: tuple[File, ...] = (
        (certificate.certificateChainPath, "PodCertificate chain", None),
        (certificate.keyPath, "PodCertificate key", None),
        (certificate.credentialBundlePath, "PodCertificate credential bundle", None),
    )
    return [each for each in parts if each[0]]


def _overlaps(volume: str, origin: str, files: Sequence[File]) -> list[str]:
    """Files of one volume of which one is at, or below, another's path."""
    if len({each[0].partition("/")[0] for each in files}) == len(files):
        return []  # all of them in places of their own
    found = []
    seen: list[File] = []
    for path, kind, name in files:
        file = path.rstrip("/"), kind, name
        for other in seen:
            if _within(file[0], other[0]) or _within(other[0], file[0]):
                what = f"{_shown(file)} with {_shown(other)}"
                found.append(f"volume {quoted(volume)} ({origin}): overlapping paths: {what}")
        seen.append(file)
    return found


def _within(inner: str, outer: str) -> bool:
    return bool(inner and outer) and f"{inner}/".startswith(f"{outer}/")


def _shown(file: File) -> str:
    path, kind, name = file
    origin = kind if name is None else f"{kind} {quoted(name)}"
    return f"{quoted(path)} ({origin})" if origin else quoted(path)


def persistent_volume_warnings(volume: PersistentVolume) -> list[str]:
    spec = volume.spec
    found = [
        f"{_ANNOTATIONS.key(key)}: {text}"
        for key, text in _OLD_ANNOTATIONS.items()
        if key in volume.metadata.annotations
    ]
    if spec.persistentVolumeReclaimPolicy == "Recycle":
        at = _SPEC.child("persistentVolumeReclaimPolicy")
        found.append(
            f"{at}: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic "
            "provisioning."
        )
    if spec.nodeAffinity is not None and spec.nodeAffinity.required is not None:
        at = _SPEC.child("nodeAffinity", "required", "nodeSelectorTerms")
        for position, term in enumerate(spec.nodeAffinity.required.nodeSelectorTerms):
            found += term_warnings(term, at.index(position))
    return found + [
        f"{_SPEC.child(field)}: {text}" for field, text in _RETIRED.items() if getattr(spec, field, None) is not None
    ]


def claim_warnings(claim: PersistentVolumeClaim) -> list[str]:
    key = "volume.beta.kubernetes.io/storage-class"
    old = [f"{_ANNOTATIONS.key(key)}: {_OLD_ANNOTATIONS[key]}"] if key in claim.metadata.annotations else []
    return old + claim_spec_warnings(claim.spec, _SPEC)


def claim_spec_warnings(spec: PersistentVolumeClaimSpec, path: Path) -> list[str]:
    """The spec of a claim, or of a template of one."""
    at = path.child("resources")
    return fraction_warnings(spec.resources.requests, ("storage",), at.child("requests")) + fraction_warnings(
        spec.resources.limits, ("storage",), at.child("limits")
    )
