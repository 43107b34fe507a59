"""How persistent volumes and claims to them differ from the generic registry: what they need and what may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from proa.api.core_v1.claim import PersistentVolumeClaim, PersistentVolumeClaimSpec
from proa.api.core_v1.persistent_volume import PersistentVolume, PersistentVolumeSpec
from proa.api.core_v1.reference import TypedLocalObjectReference, TypedObjectReference
from proa.api.core_v1.volume_validation import SOURCES, check_positive, validate_access_modes, validate_volume_spec
from proa.api.core_v1.volume_warnings import claim_warnings, persistent_volume_warnings
from proa.machinery.checks import check_names, check_quantity, check_unchanged
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label, dns1123_subdomain, qualified_name
from proa.machinery.object_meta import validate_label_selector
from proa.machinery.quantity import parse
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_SPEC, _STATUS = Path("spec"), Path("status")
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_RESIZING = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizePending",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
)


class PersistentVolumeStrategy(DefaultStrategy):
    def prepare_for_create(self, document: Document) -> None:
        created = (document.get("metadata") or {}).get("creationTimestamp")
        document["status"] = {"phase": "Pending", **({"lastPhaseTransitionTime": created} if created else {})}

    def validate(self, new: PersistentVolume, errors: ErrorList) -> None:
        validate_volume_spec(new.spec, new.metadata.name, _SPEC, errors)

    def validate_update(self, new: PersistentVolume, old: PersistentVolume, errors: ErrorList) -> None:
        after, before = new.spec, old.spec
        if _without_new_secret(after, before) != _sources(before):
            detail = "spec.persistentvolumesource is immutable after creation"
            errors.forbidden(_SPEC.child("persistentvolumesource"), detail)
        check_unchanged(errors, Path("volumeMode"), after.volumeMode, before.volumeMode)
        if before.nodeAffinity is not None and after.nodeAffinity != before.nodeAffinity:
            detail = "field is immutable, except for updating from beta label to GA"
            errors.invalid(Path("nodeAffinity"), after.nodeAffinity, detail)
        if before.volumeAttributesClassName is not None and after.volumeAttributesClassName is None:
            detail = "update from non-nil value to nil is forbidden"
            errors.forbidden(_SPEC.child("volumeAttributesClassName"), detail)

    def warnings(self, new: PersistentVolume, old: PersistentVolume | None) -> list[str]:
        return persistent_volume_warnings(new)


def _sources(spec: PersistentVolumeSpec) -> dict[str, Any]:
    return {field: getattr(spec, field) for field in SOURCES}


def _without_new_secret(after: PersistentVolumeSpec, before: PersistentVolumeSpec) -> dict[str, Any]:
    """The sources of the new spec; the secret for growing a volume may still be given."""
    found = _sources(after)
    if after.csi is not None and before.csi is not None and before.csi.controllerExpandSecretRef is None:
        found["csi"] = replace(after.csi, controllerExpandSecretRef=None)
    return found


class PersistentVolumeClaimStrategy(DefaultStrategy):
    def prepare_for_create(self, document: Document) -> None:
        document["status"] = {"phase": "Pending"}
        _complete_sources(document.get("spec") or {})

    def prepare_for_update(self, document: Document, old: Mapping[str, Any]) -> None:
        super().prepare_for_update(document, old)
        _complete_sources(document.get("spec") or {})

    def validate(self, new: PersistentVolumeClaim, errors: ErrorList) -> None:
        validate_claim_spec(new.spec, _SPEC, errors)

    def validate_update(self, new: PersistentVolumeClaim, old: PersistentVolumeClaim, errors: ErrorList) -> None:
        _validate_claim_update(new, old, errors)
        if new.status != old.status:
            _validate_claim_status(new, errors)

    def warnings(self, new: PersistentVolumeClaim, old: PersistentVolumeClaim | None) -> list[str]:
        return claim_warnings(new)


def _complete_sources(spec: Document) -> None:
    """dataSource and dataSourceRef say the same; clients know one or the other.

    Anything but claims and snapshots was always dropped from the older field.
    """
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source and reference is None and not _is_known_source(source):
        source = None
        spec.pop("dataSource")
    if reference and not source and not reference.get("namespace"):
        spec["dataSource"] = {name: reference[name] for name in ("apiGroup", "kind", "name") if name in reference}
    elif source and not reference:
        spec["dataSourceRef"] = dict(source)


def _is_known_source(source: Document) -> bool:
    known = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
    return (source.get("apiGroup") or "", source.get("kind")) in known


def validate_claim_spec(spec: PersistentVolumeClaimSpec, path: Path, errors: ErrorList) -> None:
    """The spec of a claim, or of a template of one."""
    validate_access_modes(spec.accessModes, path.child("accessModes"), errors, "at least 1 access mode is required")
    validate_label_selector(spec.selector, errors, path.child("selector"))
    at = path.child("resources").key("storage")
    if "storage" in spec.resources.requests:
        check_positive(errors, at, spec.resources.requests["storage"])
    else:
        errors.required(at)
    for field in ("storageClassName", "volumeAttributesClassName"):
        name = getattr(spec, field)
        if name:
            check_names(errors, path.child(field), name, dns1123_subdomain(name))
    source, reference = spec.dataSource, spec.dataSourceRef
    if source is not None:
        _validate_data_source(source, path.child("dataSource"), errors)
    if reference is not None:
        _validate_data_source(reference, path.child("dataSourceRef"), errors)
        if reference.namespace:
            namespace = reference.namespace
            check_names(errors, path.child("dataSourceRef", "namespace"), namespace, dns1123_label(namespace))
    if source is not None and reference is not None:
        shown = str(path.child("dataSource"))
        if reference.namespace:
            errors.invalid(path, shown, "may not be specified when dataSourceRef.namespace is specified")
        elif (source.apiGroup, source.kind, source.name) != (reference.apiGroup, reference.kind, reference.name):
            errors.invalid(path, shown, "must match dataSourceRef")


def _validate_data_source(
    source: TypedLocalObjectReference | TypedObjectReference, path: Path, errors: ErrorList
) -> None:
    for field in ("name", "kind"):
        if not getattr(source, field):
            errors.required(path.child(field))
    if source.apiGroup:
        check_names(errors, path.child("apiGroup"), source.apiGroup, dns1123_subdomain(source.apiGroup))
    elif source.kind != "PersistentVolumeClaim":
        errors.invalid(path, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")


def _validate_claim_update(new: PersistentVolumeClaim, old: PersistentVolumeClaim, errors: ErrorList) -> None:
    after, before = new.spec, old.spec
    bound = new.status.phase == "Bound"
    allowed = replace(
        before,
        volumeName=before.volumeName or after.volumeName,
        storageClassName=_allowed_class(new, old),
        resources=after.resources if bound and _only_storage_differs(after, before) else before.resources,
        volumeAttributesClassName=(after if bound else before).volumeAttributesClassName,
    )
    if after != allowed:
        detail = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        errors.forbidden(_SPEC, detail)
    wanted, had = (each.resources.requests.get("storage", "0") for each in (after, before))
    if parse(wanted) < parse(had) and parse(wanted) <= parse(old.status.capacity.get("storage", "0")):
        # A claim that cannot grow may ask for less again, but never for less than it has.
        errors.forbidden(_SPEC.child("resources", "requests", "storage"), "field can not be less than status.capacity")
    if new.metadata.annotations.get(_OLD_CLASS) != old.metadata.annotations.get(_OLD_CLASS) and not _upgraded(new, old):
        at = Path("metadata", "annotations").key(_OLD_CLASS)
        errors.immutable(at, new.metadata.annotations.get(_OLD_CLASS, ""))
    check_unchanged(errors, Path("volumeMode"), after.volumeMode, before.volumeMode)
    taken_away = (
        not after.volumeAttributesClassName and after.volumeAttributesClassName != before.volumeAttributesClassName
    )
    if taken_away and old.status.currentVolumeAttributesClassName is not None:
        what = "nil" if after.volumeAttributesClassName is None else "empty string"
        detail = f"update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil"
        errors.forbidden(_SPEC.child("volumeAttributesClassName"), detail)


def _only_storage_differs(after: PersistentVolumeClaimSpec, before: PersistentVolumeClaimSpec) -> bool:
    def others(spec: PersistentVolumeClaimSpec) -> tuple[dict[str, Any], Mapping[str, Any]]:
        requests = {name: each for name, each in spec.resources.requests.items() if name != "storage"}
        return requests, spec.resources.limits

    return others(after) == others(before)


def _upgraded(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> bool:
    """Whether the class moved from the old annotation to its field."""
    named, annotated = new.spec.storageClassName, old.metadata.annotations.get(_OLD_CLASS)
    kept = new.metadata.annotations.get(_OLD_CLASS, annotated) == annotated
    return annotated is not None and old.spec.storageClassName is None and named == annotated and kept


def _allowed_class(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> str | None:
    """A claim without a class may be given one, unless its annotation says another."""
    named, before = new.spec.storageClassName, old.spec.storageClassName
    if before is not None or named is None:
        return before
    return named if old.metadata.annotations.get(_OLD_CLASS, named) == named else None


def _validate_claim_status(new: PersistentVolumeClaim, errors: ErrorList) -> None:
    status = new.status
    for name, quantity in status.capacity.items():
        check_quantity(errors, _STATUS.child("capacity").key(name), quantity)
    for name, state in status.allocatedResourceStatuses.items():
        at = _STATUS.child("allocatedResourceStatuses")
        _validate_resource(name, at, errors)
        if state not in _RESIZING:
            errors.unsupported(at, name, sorted(_RESIZING))
    for name, quantity in status.allocatedResources.items():
        at = _STATUS.child("allocatedResources")
        _validate_resource(name, at, errors)
        check_quantity(errors, at.key(name), quantity)


def _validate_resource(name: str, path: Path, errors: ErrorList) -> None:
    problems = qualified_name(name)
    check_names(errors, path, name, problems)
    native = "/" not in name or name.partition("/")[0].endswith("kubernetes.io")
    if not problems and native and name != "storage":
        errors.unsupported(path, name, ("storage",))
