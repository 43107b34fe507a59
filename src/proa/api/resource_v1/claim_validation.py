"""What makes a claim to devices wrong beyond what its fields declare: what it asks for, and what it was given."""

from __future__ import annotations

from collections.abc import Mapping, Set
from ipaddress import ip_interface

from proa.api.core_v1.placement_validation import validate_node_selector
from proa.api.core_v1.volume_validation import check_driver_name
from proa.api.resource_v1.allocation import (
    AllocatedDeviceStatus,
    AllocationResult,
    DeviceAllocationConfiguration,
    DeviceRequestAllocationResult,
    NetworkDeviceData,
)
from proa.api.resource_v1.checks import (
    MOST_CONFIGURATIONS,
    MOST_CONSTRAINTS,
    MOST_REQUESTS,
    MOST_RESULTS,
    check_attribute_name,
    check_binding_conditions,
    check_configuration,
    check_each,
    check_label,
    check_pool_name,
    check_raw,
    check_selectors,
    check_uid,
)
from proa.api.resource_v1.request import (
    DeviceClaim,
    DeviceClaimConfiguration,
    DeviceConstraint,
    DeviceRequest,
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
)
from proa.api.resource_v1.resource_claim import ResourceClaim, ResourceClaimConsumerReference
from proa.machinery.checks import check_names, check_required, check_unchanged
from proa.machinery.declare import UNSET
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain, label_value, qualified_name
from proa.machinery.object_meta import validate_conditions

_STATUS = Path("status")
_MOST_ALTERNATIVES = 8
_MOST_CONSUMERS = 256
_MOST_CONDITIONS = 8
_MOST_ADDRESSES = 16
_LONGEST_INTERFACE, _LONGEST_HARDWARE_ADDRESS = 256, 128
_ONE_OF = "exactly one of `exactly` or `firstAvailable` is required"
_NO_REQUEST = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

_Names = Mapping[str, Set[str]]
_Identity = tuple[str, str, str, str | None]


def validate_device_claim(claim: DeviceClaim, path: Path, errors: ErrorList) -> None:
    names = _request_names(claim)

    def constraint(each: DeviceConstraint, at: Path) -> None:
        _check_references(each.requests, at.child("requests"), names, errors)
        if each.matchAttribute is not None:
            check_attribute_name(errors, at.child("matchAttribute"), each.matchAttribute, full=True)
        elif each.distinctAttribute is not None:
            check_attribute_name(errors, at.child("distinctAttribute"), each.distinctAttribute, full=True)
        else:
            errors.required(at, 'exactly one of "matchAttribute" or "distinctAttribute" is required')

    def configuration(each: DeviceClaimConfiguration, at: Path) -> None:
        _check_references(each.requests, at.child("requests"), names, errors)
        check_configuration(errors, at, each.opaque)

    def request(each: DeviceRequest, at: Path) -> None:
        _validate_request(each, at, errors)

    check_each(errors, path.child("requests"), claim.requests, MOST_REQUESTS, request, lambda each: each.name)
    check_each(errors, path.child("constraints"), claim.constraints, MOST_CONSTRAINTS, constraint)
    check_each(errors, path.child("config"), claim.config, MOST_CONFIGURATIONS, configuration)


def _request_names(claim: DeviceClaim) -> _Names:
    """The names of requests, and of their alternatives."""
    return {each.name: {one.name for one in each.firstAvailable} for each in claim.requests}


def _check_references(requests: tuple[str, ...], path: Path, names: _Names, errors: ErrorList) -> None:
    def check(name: str, at: Path) -> None:
        _check_reference(name, at, names, errors)

    check_each(errors, path, requests, MOST_REQUESTS, check, lambda each: each)


def _check_reference(name: str, path: Path, names: _Names, errors: ErrorList) -> None:
    """The name of a request, or of one of its alternatives behind a slash."""
    request, slash, alternative = name.partition("/")
    if "/" not in alternative:
        for part in (request, alternative) if slash else (request,):
            check_label(errors, path, part)
    if request not in names or (slash and alternative not in names[request]):
        errors.invalid(path, name, _NO_REQUEST)


def _validate_request(request: DeviceRequest, path: Path, errors: ErrorList) -> None:
    check_label(errors, path.child("name"), request.name)
    if request.exactly is None and not request.firstAvailable:
        errors.required(path, _ONE_OF)
    elif request.exactly is not None and request.firstAvailable:
        errors.invalid(path, UNSET, f"{_ONE_OF}, but multiple fields are set")
    elif request.exactly is not None:
        _validate_exact(request.exactly, path.child("exactly"), errors)

    def alternative(each: DeviceSubRequest, at: Path) -> None:
        check_label(errors, at.child("name"), each.name)
        _validate_exact(each, at, errors)

    at = path.child("firstAvailable")
    check_each(errors, at, request.firstAvailable, _MOST_ALTERNATIVES, alternative, lambda each: each.name)


def _validate_exact(request: ExactDeviceRequest | DeviceSubRequest, path: Path, errors: ErrorList) -> None:
    name, at = request.deviceClassName, path.child("deviceClassName")
    if name:
        check_names(errors, at, name, dns1123_subdomain(name))
    else:
        errors.required(at)
    check_selectors(errors, path.child("selectors"), request.selectors)
    if request.allocationMode == "All" and request.count != 0:
        detail = "must not be specified when allocationMode is 'All'"
        errors.invalid(path.child("count"), request.count, detail)
    elif request.allocationMode == "ExactCount" and request.count <= 0:
        errors.invalid(path.child("count"), request.count, "must be greater than zero")
    for position, toleration in enumerate(request.tolerations):
        _validate_toleration(toleration, path.child("tolerations").index(position), errors)


def _validate_toleration(toleration: DeviceToleration, path: Path, errors: ErrorList) -> None:
    if toleration.key:
        check_names(errors, path.child("key"), toleration.key, qualified_name(toleration.key))
    if toleration.operator == "Equal":
        check_names(errors, path.child("value"), toleration.value, label_value(toleration.value))
    elif toleration.value:
        errors.invalid(path.child("value"), toleration.value, "must be empty for operator `Exists`")


# --- status ---


def validate_claim_status(new: ResourceClaim, old: ResourceClaim, errors: ErrorList) -> None:
    status, before = new.status, old.status
    reserved = _STATUS.child("reservedFor")

    def consumer(each: ResourceClaimConsumerReference, at: Path) -> None:
        check_required(errors, at, each)

    check_each(errors, reserved, status.reservedFor, _MOST_CONSUMERS, consumer, lambda each: each.uid)
    if status.reservedFor and status.allocation is None:
        errors.forbidden(reserved, "may not be specified when `allocated` is not set")
    elif new.metadata.deletionTimestamp and any(each not in before.reservedFor for each in status.reservedFor):
        detail = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        errors.forbidden(reserved, detail)
    if status.allocation is not None and before.allocation is not None:
        check_unchanged(errors, _STATUS.child("allocation"), status.allocation, before.allocation)
    elif status.allocation is not None:
        names = _request_names(new.spec.devices)
        _validate_allocation(status.allocation, names, _STATUS.child("allocation"), errors)
    results = status.allocation.devices.results if status.allocation is not None else ()
    allocated = {_identity(each) for each in results}

    def device(each: AllocatedDeviceStatus, at: Path) -> None:
        _validate_device(each, allocated, at, errors)

    at = _STATUS.child("devices")
    check_each(errors, at, status.devices, len(status.devices), device, _identity)


def _identity(device: AllocatedDeviceStatus | DeviceRequestAllocationResult) -> _Identity:
    return device.driver, device.pool, device.device, device.shareID


def _validate_allocation(allocation: AllocationResult, names: _Names, path: Path, errors: ErrorList) -> None:
    def result(each: DeviceRequestAllocationResult, at: Path) -> None:
        _check_reference(each.request, at.child("request"), names, errors)
        _check_device(each, at, errors)
        check_binding_conditions(errors, at, each.bindingConditions, each.bindingFailureConditions)

    def configuration(each: DeviceAllocationConfiguration, at: Path) -> None:
        if not each.source:
            errors.required(at.child("source"))
        _check_references(each.requests, at.child("requests"), names, errors)
        check_configuration(errors, at, each.opaque)

    devices, at = allocation.devices, path.child("devices")
    check_each(errors, at.child("results"), devices.results, MOST_RESULTS, result)
    # Those of the classes, and those of the claim.
    check_each(errors, at.child("config"), devices.config, 2 * MOST_CONFIGURATIONS, configuration)
    if allocation.nodeSelector is not None:
        validate_node_selector(allocation.nodeSelector, path.child("nodeSelector"), errors)


def _check_device(device: AllocatedDeviceStatus | DeviceRequestAllocationResult, path: Path, errors: ErrorList) -> None:
    check_driver_name(errors, path.child("driver"), device.driver)
    check_pool_name(errors, path.child("pool"), device.pool)
    check_label(errors, path.child("device"), device.device)
    if device.shareID is not None:
        check_uid(errors, path.child("shareID"), device.shareID)


def _validate_device(device: AllocatedDeviceStatus, allocated: Set[_Identity], path: Path, errors: ErrorList) -> None:
    _check_device(device, path, errors)
    if _identity(device) not in allocated:
        shown = "/".join(filter(None, _identity(device)))
        errors.invalid(path, shown, "must be an allocated device in the claim")
    if len(device.conditions) > _MOST_CONDITIONS:
        errors.too_many(path.child("conditions"), len(device.conditions), _MOST_CONDITIONS)
    validate_conditions(device.conditions, errors, path.child("conditions"))
    if device.data is not None:
        check_raw(errors, path.child("data"), device.data)
    if device.networkData is not None:
        _validate_network(device.networkData, path.child("networkData"), errors)


def _validate_network(data: NetworkDeviceData, path: Path, errors: ErrorList) -> None:
    if len(data.interfaceName) > _LONGEST_INTERFACE:
        errors.too_long(path.child("interfaceName"), _LONGEST_INTERFACE)
    if len(data.hardwareAddress) > _LONGEST_HARDWARE_ADDRESS:
        errors.too_long(path.child("hardwareAddress"), _LONGEST_HARDWARE_ADDRESS)

    def address(text: str, at: Path) -> None:
        try:
            canonical = str(ip_interface(text))
        except ValueError:
            canonical = ""
        if not canonical or "/" not in text:
            errors.invalid(at, text, "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)")
        elif canonical != text:
            errors.invalid(at, text, f'must be in canonical form ("{canonical}")')

    check_each(errors, path.child("ips"), data.ips, _MOST_ADDRESSES, address, lambda each: each)
