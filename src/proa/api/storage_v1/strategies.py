"""How storage classes, drivers and attachments differ from the generic registry: what they say and what stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from proa.api.core_v1.node_label_warnings import selector_warnings, topology_warnings
from proa.api.core_v1.placement_validation import validate_topology_terms
from proa.api.core_v1.volume_validation import check_driver_name, validate_inline_volume_spec
from proa.api.storage_v1.csi import CSIDriver, CSINode, CSINodeDriver, CSIStorageCapacity, TokenRequest
from proa.api.storage_v1.storage_class import StorageClass, VolumeAttributesClass
from proa.api.storage_v1.volume_attachment import VolumeAttachment, VolumeAttachmentSource, VolumeError
from proa.machinery.checks import check_names, check_not_negative, check_quantity, check_unchanged
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain, in_range, qualified_name
from proa.machinery.object_meta import validate_label_selector
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_SPEC, _STATUS = Path("spec"), Path("status")
_PARAMETERS = Path("parameters")
_MOST_PARAMETERS = 512
_LARGEST_PARAMETERS = 256 * 1024
_LARGEST_METADATA = 256 * 1024
_LONGEST_ERROR = 1024
_LONGEST_NODE_ID = 256
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 2**32
_SHORTEST_PERIOD = 10


class StorageClassStrategy(DefaultStrategy):
    def validate(self, new: StorageClass, errors: ErrorList) -> None:
        _validate_driver(new.provisioner, Path("provisioner"), errors)
        _validate_parameters(new.parameters, errors)
        validate_topology_terms(new.allowedTopologies, Path("allowedTopologies"), errors)

    def validate_update(self, new: StorageClass, old: StorageClass, errors: ErrorList) -> None:
        for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
            check_unchanged(errors, Path(field), getattr(new, field), getattr(old, field))

    def warnings(self, new: StorageClass, old: StorageClass | None) -> list[str]:
        return topology_warnings(new.allowedTopologies, Path("allowedTopologies"))


class VolumeAttributesClassStrategy(DefaultStrategy):
    def validate(self, new: VolumeAttributesClass, errors: ErrorList) -> None:
        _validate_driver(new.driverName, Path("driverName"), errors)
        _validate_parameters(new.parameters, errors)
        if not new.parameters:
            errors.required(_PARAMETERS, "must contain at least one key/value pair")

    def validate_update(self, new: VolumeAttributesClass, old: VolumeAttributesClass, errors: ErrorList) -> None:
        for field in ("driverName", "parameters"):
            if getattr(new, field) != getattr(old, field):
                errors.forbidden(Path(field), f"updates to {field} are forbidden.")


def _validate_driver(name: str, path: Path, errors: ErrorList) -> None:
    if name:
        lower = name.lower()
        check_names(errors, path, lower, qualified_name(lower))
    else:
        errors.required(path)


def _validate_parameters(parameters: Mapping[str, str], errors: ErrorList) -> None:
    if len(parameters) > _MOST_PARAMETERS:
        errors.too_long(_PARAMETERS, _MOST_PARAMETERS)
        return
    if "" in parameters:
        errors.invalid(_PARAMETERS, "", "field can not be empty.")
    if _size(parameters) > _LARGEST_PARAMETERS:
        errors.too_long(_PARAMETERS, _LARGEST_PARAMETERS)


def _size(texts: Mapping[str, str]) -> int:
    return sum(len(each.encode()) for pair in texts.items() for each in pair)


class CSIDriverStrategy(DefaultStrategy):
    unconditional_update = False

    def prepare_for_create(self, document: Document) -> None:
        super().prepare_for_create(document)
        _drop_alpha(document, {})

    def prepare_for_update(self, document: Document, old: Mapping[str, Any]) -> None:
        super().prepare_for_update(document, old)
        _drop_alpha(document, old)

    def validate(self, new: CSIDriver, errors: ErrorList) -> None:
        spec = new.spec
        _validate_tokens(spec.tokenRequests, errors)
        period, at = spec.nodeAllocatableUpdatePeriodSeconds, _SPEC.child("nodeAllocatableUpdatePeriodSeconds")
        if period is not None and period < _SHORTEST_PERIOD:
            errors.invalid(at, period, f"must be greater than or equal to {_SHORTEST_PERIOD} seconds")
        secret = spec.serviceAccountTokenInSecrets
        if secret is not None and not spec.tokenRequests:
            detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
            errors.invalid(_SPEC.child("serviceAccountTokenInSecrets"), secret, detail)

    def validate_update(self, new: CSIDriver, old: CSIDriver, errors: ErrorList) -> None:
        # Clients know the first field by this spelling.
        for field, spelled in (
            ("attachRequired", "attachedRequired"),
            ("volumeLifecycleModes", "volumeLifecycleModes"),
        ):
            check_unchanged(errors, _SPEC.child(spelled), getattr(new.spec, field), getattr(old.spec, field))

    def warnings(self, new: CSIDriver, old: CSIDriver | None) -> list[str]:
        """Of tokens that are not among secrets, when that is decided."""
        spec = new.spec
        decided = old is None or spec.tokenRequests != old.spec.tokenRequests
        if not spec.tokenRequests or spec.serviceAccountTokenInSecrets is not None or not decided:
            return []
        why = "set to true to prevent possible logging of tokens in volume attributes"
        return [f"spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, {why}"]


def _drop_alpha(document: Document, old: Mapping[str, Any]) -> None:
    """What is alpha in 1.36 is not kept, unless it is there already."""
    field = "preventPodSchedulingIfMissing"
    if (old.get("spec") or {}).get(field) is None:
        (document.get("spec") or {}).pop(field, None)


def _validate_tokens(requests: tuple[TokenRequest, ...], errors: ErrorList) -> None:
    seen: set[str] = set()
    for position, request in enumerate(requests):
        at, seconds = _SPEC.child("tokenRequests").index(position), request.expirationSeconds
        if request.audience in seen:
            errors.duplicate(at.child("audience"), request.audience)
            continue
        seen.add(request.audience)
        if seconds is None:
            continue
        if seconds < _SHORTEST_TOKEN:
            errors.invalid(at.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes")
        if seconds > _LONGEST_TOKEN:
            detail = "may not specify a duration larger than 2^32 seconds"
            errors.invalid(at.child("expirationSeconds"), seconds, detail)


class CSINodeStrategy(DefaultStrategy):
    unconditional_update = False

    def validate(self, new: CSINode, errors: ErrorList) -> None:
        seen: set[str] = set()
        for position, driver in enumerate(new.spec.drivers):
            at = _SPEC.child("drivers").index(position)
            _validate_node_driver(driver, at, errors)
            if driver.name in seen:
                errors.duplicate(at.child("name"), driver.name)
            seen.add(driver.name)

    def validate_update(self, new: CSINode, old: CSINode, errors: ErrorList) -> None:
        """A driver may come and go and learn how many volumes there is room for; else it is what it was."""
        before = {each.name: replace(each, allocatable=None) for each in old.spec.drivers}
        for driver in new.spec.drivers:
            known = before.get(driver.name)
            if known is not None:
                check_unchanged(errors, _SPEC.child("drivers"), replace(driver, allocatable=None), known)


def _validate_node_driver(driver: CSINodeDriver, path: Path, errors: ErrorList) -> None:
    check_driver_name(errors, path.child("name"), driver.name)
    if not driver.nodeID:
        errors.required(path.child("nodeID"))
    if len(driver.nodeID) > _LONGEST_NODE_ID:
        errors.invalid(path.child("nodeID"), driver.nodeID, f"must be {_LONGEST_NODE_ID} characters or less")
    if driver.allocatable is not None:
        check_not_negative(errors, path.child("allocatable", "count"), driver.allocatable.count)
    for position, key in enumerate(driver.topologyKeys):
        if not key:
            errors.required(path)
        if key in driver.topologyKeys[:position]:
            errors.duplicate(path, key)
        check_names(errors, path, key, qualified_name(key))


class CSIStorageCapacityStrategy(DefaultStrategy):
    unconditional_update = False

    def validate(self, new: CSIStorageCapacity, errors: ErrorList) -> None:
        name = new.storageClassName
        validate_label_selector(new.nodeTopology, errors, Path("nodeTopology"))
        check_names(errors, Path("storageClassName"), name, dns1123_subdomain(name))
        check_quantity(errors, Path("capacity"), new.capacity)

    def validate_update(self, new: CSIStorageCapacity, old: CSIStorageCapacity, errors: ErrorList) -> None:
        for field in ("nodeTopology", "storageClassName"):
            check_unchanged(errors, Path(field), getattr(new, field), getattr(old, field))

    def warnings(self, new: CSIStorageCapacity, old: CSIStorageCapacity | None) -> list[str]:
        topology = new.nodeTopology
        return selector_warnings(topology, Path("nodeTopology")) if topology is not None else []


class VolumeAttachmentStrategy(DefaultStrategy):
    unconditional_update = False

    def validate(self, new: VolumeAttachment, errors: ErrorList) -> None:
        spec, status = new.spec, new.status
        check_driver_name(errors, _SPEC.child("attacher"), spec.attacher)
        _validate_attached(spec.source, _SPEC.child("source"), errors)
        check_names(errors, _SPEC.child("nodeName"), spec.nodeName, dns1123_subdomain(spec.nodeName))
        if _size(status.attachmentMetadata) > _LARGEST_METADATA:
            errors.too_long(_STATUS.child("attachmentMetadata"), _LARGEST_METADATA)
        _validate_error(status.attachError, _STATUS.child("attachError"), errors)
        _validate_error(status.detachError, _STATUS.child("detachError"), errors)

    def validate_update(self, new: VolumeAttachment, old: VolumeAttachment, errors: ErrorList) -> None:
        check_unchanged(errors, _SPEC, new.spec, old.spec)


def _validate_attached(source: VolumeAttachmentSource, path: Path, errors: ErrorList) -> None:
    name, inline = source.persistentVolumeName, source.inlineVolumeSpec
    if name is None and inline is None:
        errors.required(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif name is not None and inline is not None:
        errors.forbidden(path, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif name == "":
        errors.required(path.child("persistentVolumeName"), "must specify non empty persistentVolumeName")
    elif inline is not None:
        validate_inline_volume_spec(inline, path.child("inlineVolumeSpec"), errors)
    if name:
        check_names(errors, path.child("persistentVolumeName"), name, dns1123_subdomain(name))


def _validate_error(error: VolumeError | None, path: Path, errors: ErrorList) -> None:
    if error is None:
        return
    if len(error.message.encode()) > _LONGEST_ERROR:
        errors.too_long(path.child("message"), _LONGEST_ERROR)
    if error.errorCode is not None and error.errorCode < 0:
        errors.invalid(path.child("errorCode"), error.errorCode, in_range(0, 2**31 - 1))
