"""How classes, claims and slices of devices differ from the generic registry: counts, taints and what stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proa.api.resource_v1.checks import MOST_CONFIGURATIONS, check_configuration, check_each, check_selectors
from proa.api.resource_v1.claim_validation import validate_claim_status, validate_device_claim
from proa.api.resource_v1.device_class import DeviceClass, DeviceClassConfiguration
from proa.api.resource_v1.resource_claim import ResourceClaim, ResourceClaimTemplate
from proa.api.resource_v1.resource_slice import ResourceSlice
from proa.api.resource_v1.slice_validation import validate_slice
from proa.machinery.checks import check_unchanged
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.names import qualified_name
from proa.machinery.object_meta import validate_annotations, validate_labels
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_SPEC = Path("spec")


class DeviceClassStrategy(DefaultStrategy):
    def validate(self, new: DeviceClass, errors: ErrorList) -> None:
        spec = new.spec

        def configuration(each: DeviceClassConfiguration, at: Path) -> None:
            check_configuration(errors, at, each.opaque)

        check_selectors(errors, _SPEC.child("selectors"), spec.selectors)
        check_each(errors, _SPEC.child("config"), spec.config, MOST_CONFIGURATIONS, configuration)
        name = spec.extendedResourceName
        if name is not None and not _is_extended_resource(name):
            errors.invalid(_SPEC.child("extendedResourceName"), name, "must be a valid extended resource name")


def _is_extended_resource(name: str) -> bool:
    """The name of a resource that is no part of Kubernetes and can be counted in a quota."""
    domain, slash, _ = name.partition("/")
    native = not slash or domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    return not native and not name.startswith("requests.") and not qualified_name(f"requests.{name}")


class ResourceClaimStrategy(DefaultStrategy):
    def default(self, document: Document) -> None:
        _default_counts(document.get("spec") or {})

    def prepare_for_status_update(self, document: Document, old: Mapping[str, Any]) -> None:
        super().prepare_for_status_update(document, old)
        _drop_deallocated(document.get("status") or {}, old.get("status") or {})

    def validate_create(self, new: ResourceClaim, errors: ErrorList) -> None:
        validate_device_claim(new.spec.devices, _SPEC.child("devices"), errors)

    def validate_update(self, new: ResourceClaim, old: ResourceClaim, errors: ErrorList) -> None:
        check_unchanged(errors, _SPEC, new.spec, old.spec)
        if new.status != old.status:
            validate_claim_status(new, old, errors)


class ResourceClaimTemplateStrategy(DefaultStrategy):
    def default(self, document: Document) -> None:
        _default_counts((document.get("spec") or {}).get("spec") or {})

    def validate_create(self, new: ResourceClaimTemplate, errors: ErrorList) -> None:
        metadata, at = new.spec.metadata, _SPEC.child("metadata")
        validate_labels(metadata.labels, errors, at.child("labels"))
        validate_annotations(metadata.annotations, errors, at.child("annotations"))
        validate_device_claim(new.spec.spec.devices, _SPEC.child("spec", "devices"), errors)

    def validate_update(self, new: ResourceClaimTemplate, old: ResourceClaimTemplate, errors: ErrorList) -> None:
        check_unchanged(errors, _SPEC, new.spec, old.spec)


def _default_counts(spec: Document) -> None:
    """One device, unless all of them are asked for."""
    for request in _requests(spec):
        if request.get("allocationMode") == "ExactCount" and not request.get("count"):
            request["count"] = 1


def _requests(spec: Document) -> Iterator[Document]:
    for request in (spec.get("devices") or {}).get("requests") or ():
        if request.get("exactly") is not None:
            yield request["exactly"]
        yield from request.get("firstAvailable") or ()


def _drop_deallocated(status: Document, old: Mapping[str, Any]) -> None:
    """What a driver said about a device goes with the device: a scheduler need not know about it."""
    before, after = _allocated(old), _allocated(status)
    devices = status.get("devices")
    if devices and before - after:
        kept = [each for each in devices if _identity(each) not in before - after]
        if kept:
            status["devices"] = kept
        else:
            del status["devices"]


def _allocated(status: Mapping[str, Any]) -> set[tuple[Any, ...]]:
    devices = (status.get("allocation") or {}).get("devices") or {}
    return {_identity(each) for each in devices.get("results") or ()}


def _identity(device: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(device.get(field) for field in ("driver", "pool", "device", "shareID"))


class ResourceSliceStrategy(DefaultStrategy):
    def prepare_for_create(self, document: Document) -> None:
        """A taint is as old as the slice it came with."""
        super().prepare_for_create(document)
        created = (document.get("metadata") or {}).get("creationTimestamp")
        for device in (document.get("spec") or {}).get("devices") or ():
            for taint in device.get("taints") or ():
                if created and not taint.get("timeAdded"):
                    taint["timeAdded"] = created

    def validate(self, new: ResourceSlice, errors: ErrorList) -> None:
        validate_slice(new.spec, _SPEC, errors)

    def validate_update(self, new: ResourceSlice, old: ResourceSlice, errors: ErrorList) -> None:
        check_unchanged(errors, _SPEC.child("pool", "name"), new.spec.pool.name, old.spec.pool.name)
        for field in ("driver", "nodeName"):
            check_unchanged(errors, _SPEC.child(field), getattr(new.spec, field), getattr(old.spec, field))

    def warnings(self, new: ResourceSlice, old: ResourceSlice | None) -> list[str]:
        driver = new.spec.driver
        if driver == driver.lower():
            return []
        return [f"spec.driver: driver names should be lowercase; {quoted(driver)} contains uppercase characters"]
