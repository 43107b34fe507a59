"""What makes a slice of devices wrong beyond what its fields declare: where its devices are, and what they are like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from proa.api.core_v1.placement_validation import validate_node_selector
from proa.api.core_v1.volume_validation import check_driver_name
from proa.api.resource_v1.checks import (
    check_attribute_name,
    check_binding_conditions,
    check_each,
    check_label,
    check_pool_name,
)
from proa.api.resource_v1.device import (
    CapacityRequestPolicy,
    CapacityRequestPolicyRange,
    Counter,
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceCounterConsumption,
    DeviceTaint,
)
from proa.api.resource_v1.resource_slice import ResourceSliceSpec
from proa.machinery.checks import check_names
from proa.machinery.declare import UNSET
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain, label_value, qualified_name
from proa.machinery.quantity import canonical, parse
from proa.machinery.scalars import Quantity

_MOST_DEVICES, _MOST_ELABORATE_DEVICES = 128, 64
_MOST_COUNTER_SETS = 8
_MOST_COUNTERS = 32
_MOST_CONSUMPTIONS = 2
_MOST_PROPERTIES = 32
_MOST_VALUES = 48
_MOST_TAINTS = 16
_MOST_OPTIONS = 10
_LONGEST_VALUE = 64
_LISTS = ("bools", "ints", "strings", "versions")
_PLACES = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_DEVICE_PLACES = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in"
    " the ResourceSlice spec"
)
_NUMBER = r"(0|[1-9]\d*)"
_PART = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
)


def validate_slice(spec: ResourceSliceSpec, path: Path, errors: ErrorList) -> None:
    check_driver_name(errors, path.child("driver"), spec.driver)
    pool = path.child("pool")
    check_pool_name(errors, pool.child("name"), spec.pool.name)
    if spec.pool.resourceSliceCount <= 0:
        errors.invalid(pool.child("resourceSliceCount"), spec.pool.resourceSliceCount, "must be greater than zero")
    if spec.pool.generation < 0:
        errors.invalid(pool.child("generation"), spec.pool.generation, "must be greater than or equal to zero")
    places = _validate_places(spec, path, errors)
    if spec.nodeSelector is not None and len(spec.nodeSelector.nodeSelectorTerms) != 1:
        terms = spec.nodeSelector.nodeSelectorTerms
        errors.invalid(
            path.child("nodeSelector", "nodeSelectorTerms"), terms, "must have exactly one node selector term"
        )
    if spec.perDeviceNodeSelection:
        places.append("`perDeviceNodeSelection`")
    elif spec.perDeviceNodeSelection is False:
        errors.invalid(path.child("perDeviceNodeSelection"), False, "must be either unset or set to true")
    if not places:
        errors.required(path, _PLACES)
    elif len(places) > 1:
        errors.invalid(path, f"{{{', '.join(places)}}}", f"{_PLACES}, but multiple fields are set")
    if spec.sharedCounters and spec.devices:
        errors.invalid(path, "", "only one of `sharedCounters` or `devices` is allowed")
    _validate_contents(spec, path, errors)


def _validate_contents(spec: ResourceSliceSpec, path: Path, errors: ErrorList) -> None:
    chosen = bool(spec.perDeviceNodeSelection)

    def device(each: Device, at: Path) -> None:
        _validate_device(each, at, errors)
        _validate_device_places(each, chosen, at, errors)

    def counter_set(each: CounterSet, at: Path) -> None:
        check_label(errors, at.child("name"), each.name)
        _validate_counters(each.counters, at.child("counters"), errors)

    elaborate = any(
        each.taints or each.consumesCounters or any(_list_of(one) for one in each.attributes.values())
        for each in spec.devices
    )
    most = _MOST_ELABORATE_DEVICES if elaborate else _MOST_DEVICES
    check_each(errors, path.child("devices"), spec.devices, most, device, lambda each: each.name)
    at = path.child("sharedCounters")
    check_each(errors, at, spec.sharedCounters, _MOST_COUNTER_SETS, counter_set, lambda each: each.name)


def _validate_places(where: ResourceSliceSpec | Device, path: Path, errors: ErrorList) -> list[str]:
    """Which of the three ways to say where devices are is used."""
    places = []
    if where.nodeName:
        places.append("`nodeName`")
        check_names(errors, path.child("nodeName"), where.nodeName, dns1123_subdomain(where.nodeName))
    elif where.nodeName is not None:
        errors.invalid(path.child("nodeName"), "", "must be either unset or set to a non-empty string")
    if where.nodeSelector is not None:
        places.append("`nodeSelector`")
        validate_node_selector(where.nodeSelector, path.child("nodeSelector"), errors)
    if where.allNodes:
        places.append("`allNodes`")
    elif where.allNodes is not None:
        errors.invalid(path.child("allNodes"), False, "must be either unset or set to true")
    return places


def _validate_device_places(device: Device, chosen: bool, path: Path, errors: ErrorList) -> None:
    if chosen:
        places = _validate_places(device, path, errors)
        if not places:
            errors.required(path, _DEVICE_PLACES)
        elif len(places) > 1:
            errors.invalid(path, f"{{{', '.join(places)}}}", _DEVICE_PLACES)
    elif device.nodeName is not None or device.nodeSelector is not None or device.allNodes is not None:
        detail = (
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the"
            " ResourceSlice spec"
        )
        errors.invalid(path, UNSET, detail)


def _validate_device(device: Device, path: Path, errors: ErrorList) -> None:
    check_label(errors, path.child("name"), device.name)
    properties = len(device.attributes) + len(device.capacity)
    if properties > _MOST_PROPERTIES:
        detail = f"the total number of attributes and capacities must not exceed {_MOST_PROPERTIES}"
        errors.invalid(path, properties, detail)
    values = sum(len(_list_of(each)) or 1 for each in device.attributes.values())
    if values > _MOST_VALUES:
        errors.invalid(path, values, f"the total number of attribute values must not exceed {_MOST_VALUES}")
    for name, attribute in device.attributes.items():
        check_attribute_name(errors, path.child("attributes"), name)
        _validate_attribute(attribute, path.child("attributes").key(name), errors)
    for name, capacity in device.capacity.items():
        check_attribute_name(errors, path.child("capacity"), name)
        shared = bool(device.allowMultipleAllocations)
        _validate_capacity(capacity, shared, path.child("capacity").key(name), errors)

    def taint(each: DeviceTaint, at: Path) -> None:
        check_names(errors, at.child("key"), each.key, qualified_name(each.key))
        check_names(errors, at.child("value"), each.value, label_value(each.value))
        if not each.effect:
            errors.required(at.child("effect"))

    def consumption(each: DeviceCounterConsumption, at: Path) -> None:
        check_label(errors, at.child("counterSet"), each.counterSet)
        _validate_counters(each.counters, at.child("counters"), errors)

    check_each(errors, path.child("taints"), device.taints, _MOST_TAINTS, taint)
    at = path.child("consumesCounters")
    check_each(errors, at, device.consumesCounters, _MOST_CONSUMPTIONS, consumption, lambda each: each.counterSet)
    check_binding_conditions(errors, path, device.bindingConditions, device.bindingFailureConditions)


def _validate_counters(counters: Mapping[str, Counter], path: Path, errors: ErrorList) -> None:
    if not counters:
        errors.required(path)
    elif len(counters) > _MOST_COUNTERS:
        errors.too_many(path, len(counters), _MOST_COUNTERS)
    else:
        for name in counters:
            check_label(errors, path, name)


def _list_of(attribute: DeviceAttribute) -> Sequence[object]:
    """Its values, where it has several."""
    return next((getattr(attribute, field) for field in _LISTS if getattr(attribute, field)), ())


def _validate_attribute(attribute: DeviceAttribute, path: Path, errors: ErrorList) -> None:
    single = (attribute.bool_, attribute.int_, attribute.string, attribute.version)
    given = sum(each is not None for each in single) + sum(bool(getattr(attribute, field)) for field in _LISTS)
    for text, at in (
        *_texts(attribute.string, attribute.strings, path, "string"),
        *_texts(attribute.version, attribute.versions, path, "version"),
    ):
        if len(text) > _LONGEST_VALUE:
            errors.too_long(at, _LONGEST_VALUE)
    for text, at in _texts(attribute.version, attribute.versions, path, "version"):
        if not _SEMVER.fullmatch(text):
            errors.invalid(at, text, "must be a string compatible with semver.org spec 2.0.0")
    if given != 1:
        errors.invalid(path, attribute if given else "", "exactly one value must be specified")


def _texts(one: str | None, several: tuple[str, ...], path: Path, field: str) -> list[tuple[str, Path]]:
    single = [] if one is None else [(one, path.child(field))]
    return single + [(each, path.child(field + "s").index(at)) for at, each in enumerate(several)]


# --- capacity that several claims may share ---


def _validate_capacity(capacity: DeviceCapacity, shared: bool, path: Path, errors: ErrorList) -> None:
    policy, at = capacity.requestPolicy, path.child("requestPolicy")
    if policy is None:
        return
    if not shared:
        errors.forbidden(at, "allowMultipleAllocations must be true")
    elif policy.validValues and policy.validRange is not None:
        detail = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        errors.forbidden(at, detail)
    elif policy.validValues:
        if policy.default is None:
            errors.required(at.child("default"), "required when validValues is defined")
        else:
            _validate_options(policy, policy.default, capacity.value or "0", at.child("validValues"), errors)
    elif policy.validRange is not None:
        if policy.default is None:
            errors.required(at.child("default"), "required when validRange is defined")
        else:
            _validate_range(policy.validRange, policy.default, capacity.value or "0", at.child("validRange"), errors)


def _validate_options(
    policy: CapacityRequestPolicy, default: Quantity, most: Quantity, path: Path, errors: ErrorList
) -> None:
    values = policy.validValues
    for position in range(1, len(values)):
        if parse(values[position]) < parse(values[position - 1]):
            shown = canonical(values[position])
            errors.invalid(path.index(position), shown, "values must be sorted in ascending order")

    def option(value: Quantity, at: Path) -> None:
        if parse(value) > parse(most):
            errors.invalid(at, canonical(value), f"option is larger than capacity value: {canonical(most)}")

    check_each(errors, path, values, _MOST_OPTIONS, option, canonical)
    if all(parse(each) != parse(default) for each in values):
        errors.invalid(path, canonical(default), "default value is not valid according to the requestPolicy")


def _validate_range(
    limits: CapacityRequestPolicyRange, default: Quantity, most: Quantity, path: Path, errors: ErrorList
) -> None:
    low, high, step = limits.min, limits.max, limits.step
    if low is None:
        errors.required(path.child("min"), "required when validRange is defined")
        return

    def refuse(field: str, shown: Quantity, detail: str, other: Quantity) -> None:
        errors.invalid(path.child(field), canonical(shown), f"{detail}: {canonical(other)}")

    if parse(low) > parse(most):
        refuse("min", low, "min is larger than capacity value", most)
    if parse(default) < parse(low):
        refuse("min", default, "default is less than min", low)
    if high is not None:
        if parse(low) > parse(high):
            refuse("max", low, "min is larger than max", high)
        if parse(high) > parse(most):
            refuse("max", high, "max is larger than capacity value", most)
        if parse(default) > parse(high):
            refuse("max", default, "default is more than max", high)
    if step is not None:
        _validate_step(limits, step, (default,) if high is None else (default, high), most, path.child("step"), errors)


def _validate_step(
    limits: CapacityRequestPolicyRange,
    step: Quantity,
    values: tuple[Quantity, ...],
    most: Quantity,
    path: Path,
    errors: ErrorList,
) -> None:
    low = limits.min or "0"
    size, start = _value(step), _value(low)
    if size <= 0:
        errors.invalid(path, canonical(step), "must be greater than zero")
        return
    if start + size > _value(most):
        detail = f"one step {canonical(start + size)} is larger than capacity value: {canonical(most)}"
        errors.invalid(path, canonical(step), detail)
    for value in values:
        if (_value(value) - start) % size:
            detail = f"value is not a multiple of a given step ({canonical(step)}) from ({canonical(low)})"
            errors.invalid(path, canonical(value), detail)


def _value(quantity: Quantity) -> int:
    """In whole units, as devices count."""
    return parse(quantity).value
