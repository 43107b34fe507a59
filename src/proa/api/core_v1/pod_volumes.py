"""What makes the volumes of a pod wrong.

Source: the API reference of core/v1 Volume. Not here: persistent volumes, whose sources are checked alike where they are
the same (`volume_validation`); where containers want them (`pod_mounts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec.structs import astuple

from proa.api.core_v1.pod_checks import (
    at,
    check,
    check_given,
    check_mode,
    descending_path,
    file_path,
    report,
    without_steps_back,
)
from proa.api.core_v1.pod_environment import IN_FILES, validate_field_reference, validate_resource_reference
from proa.api.core_v1.storage_strategies import validate_claim_spec
from proa.api.core_v1.volume import (
    ClusterTrustBundleProjection,
    ConfigMapProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    KeyToPath,
    PodCertificateProjection,
    ProjectedVolumeSource,
    SecretProjection,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from proa.api.core_v1.volume_validation import check_driver_name, check_initiator, validate_source
from proa.machinery.checks import check_domain_prefixed_key, check_signer_name
from proa.machinery.fields import ROOT, ErrorList, FieldError, Path, quoted
from proa.machinery.names import dns1123_label, dns1123_subdomain
from proa.machinery.object_meta import validate_annotations, validate_label_selector, validate_labels
from proa.machinery.quantity import parse

_COMMON = ("projected", "configMap", "secret", "emptyDir", "persistentVolumeClaim", "hostPath")  # they are met first
_SOURCES = (*_COMMON, *(name for name in Volume.__struct_fields__ if name not in (*_COMMON, "name")))
_FIRST = ("emptyDir", "hostPath", "gitRepo")  # of several sources one of these counts, else the first declared one
_PLACES = {name: ROOT.child(name) for name in _SOURCES}
_NAME = ROOT.child("name")
_NOTHING = parse(0)
_TOKEN_SECONDS = (10 * 60, 2**32)
_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")


def validate_volumes(volumes: Sequence[Volume], pod_name: str, errors: ErrorList) -> dict[str, Volume]:
    """Those with nothing wrong, by name: what containers may mount. pod_name: '' in a template."""
    known: dict[str, Volume] = {}
    found = ErrorList()
    for index, volume in enumerate(volumes):
        name = volume.name
        if astuple(volume).count(None) == len(_SOURCES) - 1:
            for field in _SOURCES:
                source = getattr(volume, field)
                if source is not None:
                    _validate_source(field, source, found)
                    break
            if volume.iscsi is not None:
                check_initiator(volume.iscsi, name, _NAME, name, found)
        else:
            _explain_sources(volume, found)
        if not name:
            found.required(_NAME)
        else:  # not remembered: that of the token's volume is another one in every pod
            for problem in dns1123_label(name):
                found.invalid(_NAME, name, problem)
        if name in known:
            found.duplicate(_NAME, name)
        if volume.ephemeral is not None and pod_name and name:
            for problem in dns1123_subdomain(f"{pod_name}-{name}"):
                found.invalid(_NAME, name, f"PVC name {quoted(f'{pod_name}-{name}')}: {problem}")
        if found:
            report(errors, at(ROOT, "volumes", index), found)
            found.clear()
        else:
            known[name] = volume
        if volume.persistentVolumeClaim is not None and pod_name:
            _check_not_made(volume.persistentVolumeClaim.claimName, volumes, pod_name, index, errors)
    return known


def _check_not_made(claim: str, volumes: Sequence[Volume], pod_name: str, index: int, errors: ErrorList) -> None:
    """That nobody's claim is one which a pod gets for an ephemeral volume. index: of the volume that names it."""
    if any(each.ephemeral is not None and claim == f"{pod_name}-{each.name}" for each in volumes):
        detail = "must not reference a PVC that gets created for an ephemeral volume"
        errors.invalid(at(ROOT, "volumes", index, "persistentVolumeClaim", "claimName"), claim, detail)


def _explain_sources(volume: Volume, errors: ErrorList) -> None:
    """Of a volume that has not just one source."""
    names = (*_FIRST, *(name for name in Volume.__struct_fields__ if name not in (*_FIRST, "name")))
    chosen = [name for name in names if getattr(volume, name) is not None]
    if not chosen:
        errors.required(ROOT, "must specify a volume type")
        return
    _validate_source(chosen[0], getattr(volume, chosen[0]), errors)
    for extra in chosen[1:]:
        errors.forbidden(ROOT.child(extra), "may not specify more than 1 volume type")


def _validate_source(field: str, source: Any, errors: ErrorList) -> None:
    rule = _RULES.get(field)
    if rule is not None:
        rule(source, _PLACES[field], errors)
    else:
        validate_source(field, source, _PLACES[field], errors)


# --- volumes that the kubelet fills ---


def _empty_dir(source: EmptyDirVolumeSource, path: Path, errors: ErrorList) -> None:
    if source.sizeLimit is not None and parse(source.sizeLimit) < _NOTHING:
        errors.forbidden(path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity")


def _config_map(source: Any, path: Path, errors: ErrorList) -> None:
    _data(source.name, "name", source, path, errors)


def _secret(source: Any, path: Path, errors: ErrorList) -> None:
    _data(source.secretName, "secretName", source, path, errors)


def _data(name: str, field: str, source: Any, path: Path, errors: ErrorList) -> None:
    """field: which says whose data it is."""
    if not name:
        errors.required(path.child(field))
    check_mode(errors, source.defaultMode, path.child("defaultMode"))
    _validate_items(source.items, path.child("items"), errors)


def _validate_items(items: Sequence[KeyToPath], path: Path, errors: ErrorList) -> None:
    for index, item in enumerate(items):
        if not item.key:
            errors.required(at(path, index, "key"))
        check_given(errors, file_path, item.path, path, index, "path")
        check_mode(errors, item.mode, at(path, index, "mode"))


def _downward_api(source: DownwardAPIVolumeSource, path: Path, errors: ErrorList) -> None:
    check_mode(errors, source.defaultMode, path.child("defaultMode"))
    for file in source.items:
        _validate_file(file, path, errors)


def _validate_file(file: DownwardAPIVolumeFile, path: Path, errors: ErrorList) -> None:
    """path: the source's; which of its files it is, nobody says."""
    check_given(errors, file_path, file.path, path, "path")
    if file.fieldRef is not None:
        validate_field_reference(file.fieldRef, IN_FILES, path.child("fieldRef"), errors)
        if file.resourceFieldRef is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.invalid(path, "resource", detail)
    elif file.resourceFieldRef is not None:
        validate_resource_reference(file.resourceFieldRef, path.child("resourceFieldRef"), errors)
    else:
        errors.required(path, "one of fieldRef and resourceFieldRef is required")
    check_mode(errors, file.mode, path.child("mode"))


def _projected(source: ProjectedVolumeSource, path: Path, errors: ErrorList) -> None:
    for each in source.sources:
        if each.clusterTrustBundle is not None or each.podCertificate is not None:  # there are mappings in them
            found = _projected_problems.__wrapped__(source)
            break
    else:
        found = _projected_problems(source)
    if found:
        report(errors, path, found)


@lru_cache(1024)
def _projected_problems(source: ProjectedVolumeSource) -> tuple[FieldError, ...]:
    errors, path = ErrorList(), ROOT
    check_mode(errors, source.defaultMode, path.child("defaultMode"))
    taken: set[str] = set()
    for index, each in enumerate(source.sources):
        chosen = 0
        for kind, rule in _PROJECTIONS.items():
            part = getattr(each, kind)
            if part is not None:
                chosen += 1
                rule(part, path, at(path, "sources", index, kind), errors)
        for name in _paths_of(each):
            if name in taken:
                errors.invalid(path, name, "conflicting duplicate paths")
            taken.add(name)
        if chosen > 1:
            errors.forbidden(at(path, "sources", index), "may not specify more than 1 volume type per source")
    return tuple(errors)


def _paths_of(each: VolumeProjection) -> list[str]:
    """The files it makes that no other source may make, too."""
    found = [item.path for part in (each.secret, each.configMap, each.downwardAPI) if part for item in part.items]
    if each.clusterTrustBundle is not None:
        found.append(each.clusterTrustBundle.path)
    if each.podCertificate is not None:
        certificate = each.podCertificate
        found += (certificate.credentialBundlePath, certificate.keyPath, certificate.certificateChainPath)
    return [path for path in found if path]


def _project_data(part: SecretProjection | ConfigMapProjection, _: Path, path: Path, errors: ErrorList) -> None:
    if not part.name:
        errors.required(path.child("name"))
    if part.items:
        _validate_items(part.items, path.child("items"), errors)


def _project_fields(part: Any, _: Path, path: Path, errors: ErrorList) -> None:
    for file in part.items:
        _validate_file(file, path, errors)


def _project_token(part: ServiceAccountTokenProjection, volume: Path, path: Path, errors: ErrorList) -> None:
    seconds, (least, most) = part.expirationSeconds, _TOKEN_SECONDS
    if seconds is not None and seconds < least:
        detail = "may not specify a duration less than 10 minutes"
        errors.invalid(path.child("expirationSeconds"), seconds, detail)
    if seconds is not None and seconds > most:
        detail = "may not specify a duration larger than 2^32 seconds"
        errors.invalid(path.child("expirationSeconds"), seconds, detail)
    check_given(errors, file_path, part.path, volume, "path")


def _project_bundle(part: ClusterTrustBundleProjection, _: Path, path: Path, errors: ErrorList) -> None:
    if part.name is not None and part.signerName is not None:
        errors.invalid(path, part, "only one of name and signerName may be used")
    elif part.name is not None:
        _check_bundle_name(part.name, path.child("name"), errors)
        if part.labelSelector is not None:
            detail = "labelSelector must be unset if name is specified"
            errors.invalid(path.child("labelSelector"), part.labelSelector, detail)
    elif part.signerName is not None:
        if not part.signerName:
            errors.required(path.child("signerName"), "must be a valid signer name")
        check_signer_name(errors, path.child("signerName"), part.signerName)
        validate_label_selector(part.labelSelector, errors, path.child("labelSelector"))
    else:
        errors.required(path, "either name or signerName must be specified")
    check_given(errors, file_path, part.path, path, "path")


def _check_bundle_name(name: str, path: Path, errors: ErrorList) -> None:
    """`signer.domain:path:name`, or one that is of no signer."""
    if not name:
        errors.required(path, "must be a valid object name")
    for problem in dns1123_subdomain(name.rpartition(":")[2]):
        errors.invalid(path, name, f"not a valid clustertrustbundlename: {problem}")


def _project_certificate(part: PodCertificateProjection, _: Path, path: Path, errors: ErrorList) -> None:
    check_signer_name(errors, path.child("signerName"), part.signerName)
    for key in part.userAnnotations:
        check_domain_prefixed_key(errors, path.child("userAnnotations"), key.lower())
    if part.keyType not in _KEY_TYPES:
        errors.unsupported(path.child("keyType"), part.keyType, _KEY_TYPES)
    if part.maxExpirationSeconds is not None and part.maxExpirationSeconds < 3600:
        detail = "if provided, maxExpirationSeconds must be >= 3600"
        errors.invalid(path.child("maxExpirationSeconds"), part.maxExpirationSeconds, detail)
    domain = part.signerName.partition("/")[0]
    most = 24 * 3600 if f".{domain}".endswith(".kubernetes.io") else 91 * 24 * 3600
    if part.maxExpirationSeconds is not None and part.maxExpirationSeconds > most:
        detail = f"if provided, maxExpirationSeconds must be <= {most}"
        errors.invalid(path.child("maxExpirationSeconds"), part.maxExpirationSeconds, detail)
    fields = ("credentialBundlePath", "keyPath", "certificateChainPath")
    for field in fields:
        check(errors, file_path, getattr(part, field), path, field)
    if not any(getattr(part, field) for field in fields):
        errors.required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath")


_PROJECTIONS: Mapping[str, Callable[[Any, Path, Path, ErrorList], None]] = {
    "secret": _project_data,
    "configMap": _project_data,
    "downwardAPI": _project_fields,
    "serviceAccountToken": _project_token,
    "clusterTrustBundle": _project_bundle,
    "podCertificate": _project_certificate,
}
"""What each checks: (the projection, the volume's path, its own path, errors)."""


# --- volumes from elsewhere ---


def _ephemeral(source: EphemeralVolumeSource, path: Path, errors: ErrorList) -> None:
    template, where = source.volumeClaimTemplate, path.child("volumeClaimTemplate")
    if template is None:
        errors.required(where)
        return
    meta = template.metadata
    validate_annotations(meta.annotations, errors, where.child("metadata", "annotations"))
    validate_labels(meta.labels, errors, where.child("metadata", "labels"))
    for field in meta.__struct_fields__:
        if field not in ("annotations", "labels") and getattr(meta, field):
            errors.forbidden(where.child("metadata", field), "cannot be set")
    validate_claim_spec(template.spec, where.child("spec"), errors)


def _csi(source: Any, path: Path, errors: ErrorList) -> None:
    check_driver_name(errors, path.child("driver"), source.driver)
    secret = source.nodePublishSecretRef
    if secret is not None:
        check_given(errors, dns1123_subdomain, secret.name, path, "nodePublishSecretRef", "name")


def _git_repo(source: Any, path: Path, errors: ErrorList) -> None:
    if not source.repository:
        errors.required(path.child("repository"))
    check(errors, descending_path, source.directory, path, "directory")


def _host_path(source: Any, path: Path, errors: ErrorList) -> None:
    check_given(errors, without_steps_back, source.path, path, "path")


_RULES: Mapping[str, Callable[[Any, Path, ErrorList], None]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "configMap": _config_map,
    "secret": _secret,
    "downwardAPI": _downward_api,
    "projected": _projected,
    "ephemeral": _ephemeral,
    "csi": _csi,
    "gitRepo": _git_repo,
}
