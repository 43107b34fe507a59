from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.resource_v1.resources import DEVICE_CLASSES, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, RESOURCE_SLICES
from tests.unit.api.writing import create_errors, created, defaulted, update_errors

Document = dict[str, Any]


def named(spec: Document, **fields: Any) -> Document:
    return {
        "metadata": {"name": "a", "namespace": "d", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
        **fields,
    }


def check(found: list[str], error: str) -> None:
    """The first error has this in it; none where there is nothing to say."""
    assert [error in each for each in found[:1]] == ([True] if error else []), found


# --- claims ---

OPAQUE = {"opaque": {"driver": "example.com", "parameters": {"a": 1}}}


def request(name: str = "gpu", **exactly: Any) -> Document:
    return {"name": name, "exactly": {"deviceClassName": "gpu.example.com", **exactly}}


def claim(*requests: Document, **devices: Any) -> Document:
    return named({"devices": {"requests": list(requests or (request(),)), **devices}})


def alternatives(*names: str) -> Document:
    return {"name": "any", "firstAvailable": [{"name": each, "deviceClassName": "a"} for each in names]}


def test_a_claim_is_for_one_device_by_default() -> None:
    found = defaulted(RESOURCE_CLAIMS, claim(request(tolerations=[{"key": "a"}]), request("all", allocationMode="All")))
    first, second = (each["exactly"] for each in found["spec"]["devices"]["requests"])
    assert (first["allocationMode"], first["count"]) == ("ExactCount", 1)
    assert first["tolerations"] == [{"key": "a", "operator": "Equal"}]
    assert "count" not in second
    template = defaulted(RESOURCE_CLAIM_TEMPLATES, named({"spec": claim(alternatives("a"))["spec"]}))
    assert template["spec"]["spec"]["devices"]["requests"][0]["firstAvailable"][0]["count"] == 1


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (claim(), ""),
        (claim(alternatives("a", "b"), config=[{"requests": ["any/a"], **OPAQUE}]), ""),
        (claim(constraints=[{"requests": ["gpu"], "matchAttribute": "example.com/numa"}]), ""),
        (
            claim({"name": "a"}),
            "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable`",
        ),
        (claim({**request(), **alternatives("a")}), "but multiple fields are set"),
        (claim(request(), request()), 'spec.devices.requests[1]: Duplicate value: "gpu"'),
        (
            claim(*(request(f"r{at}") for at in range(33))),
            "spec.devices.requests: Too many: 33: must have at most 32 items",
        ),
        (claim(request("A")), 'spec.devices.requests[0].name: Invalid value: "A"'),
        (claim(request(deviceClassName="")), "spec.devices.requests[0].exactly.deviceClassName: Required value"),
        (claim(request(allocationMode="All", count=1)), "must not be specified when allocationMode is 'All'"),
        (
            claim(request(count=-1)),
            "spec.devices.requests[0].exactly.count: Invalid value: -1: must be greater than zero",
        ),
        (claim(request(selectors=[{}])), "spec.devices.requests[0].exactly.selectors[0].cel: Required value"),
        (
            claim(request(selectors=[{"cel": {"expression": "x" * 10241}}])),
            "selectors[0].cel.expression: Too long: may not be more than 10240 bytes",
        ),
        (
            claim(request(tolerations=[{"operator": "Exists", "value": "a"}])),
            'tolerations[0].value: Invalid value: "a": must be empty for operator `Exists`',
        ),
        (claim(alternatives("a", "a")), 'firstAvailable[1]: Duplicate value: "a"'),
        (claim(constraints=[{"requests": ["other"], "matchAttribute": "a/b"}]), "must be the name of a request in the"),
        (claim(constraints=[{"matchAttribute": "numa"}]), "a fully qualified name must be a domain and a name"),
        (claim(constraints=[{"matchAttribute": "a/1b"}]), "a valid C identifier must start with"),
        (claim(constraints=[{}]), 'exactly one of "matchAttribute" or "distinctAttribute" is required'),
        (claim(config=[{}]), "spec.devices.config[0].opaque: Required value"),
        (
            claim(config=[{"opaque": {"driver": "a", "parameters": []}}]),
            'config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
        ),
        (
            claim(config=[{"opaque": {"driver": "a", "parameters": {"a": "x" * 10240}}}]),
            "config[0].opaque.parameters: Too long: may not be more than 10240 bytes",
        ),
    ],
)
def test_a_claim(document: Document, error: str) -> None:
    check(create_errors(RESOURCE_CLAIMS, deepcopy(document)), error)
    template = named({"spec": deepcopy(document["spec"])})
    check(create_errors(RESOURCE_CLAIM_TEMPLATES, template), error.replace("spec.devices", "spec.spec.devices"))


def test_what_is_claimed_stays() -> None:
    (error,) = update_errors(RESOURCE_CLAIMS, claim(), claim(request("other")))
    assert error.startswith("spec: Invalid value:")
    assert error.endswith("field is immutable")


RESULT = {"request": "gpu", "driver": "example.com", "pool": "n1", "device": "gpu-0"}
DEVICE = {"driver": "example.com", "pool": "n1", "device": "gpu-0"}
CONSUMER = {"resource": "pods", "name": "p", "uid": "u"}


def allocated(*results: Document, **status: Any) -> Document:
    return {"allocation": {"devices": {"results": list(results or (RESULT,))}}, **status}


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ({}, allocated(reservedFor=[CONSUMER], devices=[DEVICE]), ""),
        ({}, allocated({**RESULT, "request": "other"}), "allocation.devices.results[0].request: Invalid value:"),
        ({}, allocated({**RESULT, "pool": ""}), "allocation.devices.results[0].pool: Required value"),
        ({}, allocated({**RESULT, "shareID": "x"}), "uid must be in RFC 4122 normalized form"),
        ({}, allocated({**RESULT, "bindingConditions": ["a"]}), "bindingFailureConditions are required to use"),
        (
            {},
            {"reservedFor": [CONSUMER]},
            "status.reservedFor: Forbidden: may not be specified when `allocated` is not",
        ),
        ({}, allocated(reservedFor=[CONSUMER, CONSUMER]), 'status.reservedFor[1]: Duplicate value: "u"'),
        ({}, allocated(reservedFor=[{**CONSUMER, "name": ""}]), "status.reservedFor[0].name: Required value"),
        ({}, allocated(devices=[{**DEVICE, "device": "gpu-1"}]), "must be an allocated device in the claim"),
        (
            {},
            allocated(devices=[{**DEVICE, "networkData": {"ips": ["10.0.0.1"]}}]),
            "must be a valid address in CIDR form",
        ),
        (
            {},
            allocated(devices=[{**DEVICE, "networkData": {"ips": ["2001:DB8::1/64"]}}]),
            'must be in canonical form ("2001:db8::1/64")',
        ),
        (allocated(), allocated({**RESULT, "device": "gpu-1"}), "status.allocation: Invalid value:"),
        (allocated(), {}, ""),
    ],
)
def test_what_a_claim_is_given(before: Document, after: Document, error: str) -> None:
    old, new = ({**claim(), "status": deepcopy(each)} for each in (before, after))
    check(update_errors(RESOURCE_CLAIMS, old, new), error)


def test_nobody_new_may_use_a_claim_that_goes() -> None:
    old = {**claim(), "status": allocated()}
    new = {**claim(), "status": allocated(reservedFor=[CONSUMER])}
    new["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    check(update_errors(RESOURCE_CLAIMS, old, new), "new entries may not be added while")


def test_the_status_of_a_device_goes_with_the_device() -> None:
    old = {**claim(), "status": allocated(devices=[DEVICE])}
    new = {**claim(), "status": {"devices": [DEVICE]}}
    assert RESOURCE_CLAIMS.strategy is not None
    RESOURCE_CLAIMS.strategy.prepare_for_status_update(new, old)
    assert new["status"] == {}


# --- classes ---


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"selectors": [{"cel": {"expression": "true"}}], "config": [OPAQUE]}, ""),
        ({"extendedResourceName": "example.com/gpu"}, ""),
        ({"extendedResourceName": "cpu"}, "must be a valid extended resource name"),
        ({"extendedResourceName": "kubernetes.io/gpu"}, "must be a valid extended resource name"),
        ({"config": [{}]}, "spec.config[0].opaque: Required value"),
    ],
)
def test_a_class_of_devices(spec: Document, error: str) -> None:
    check(create_errors(DEVICE_CLASSES, named(spec)), error)


# --- slices ---


def device(name: str = "gpu-0", **fields: Any) -> Document:
    return {"name": name, **fields}


def published(*devices: Document, **spec: Any) -> Document:
    pool = {"name": "n1", "generation": 1, "resourceSliceCount": 1}
    return named({"driver": "example.com", "pool": pool, "nodeName": "n1", "devices": list(devices), **spec})


def shared(**policy: Any) -> Document:
    capacity = {"memory": {"value": "10Gi", "requestPolicy": policy}}
    return published(device(capacity=capacity, allowMultipleAllocations=True))


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (published(device(attributes={"model": {"string": "x"}, "a.b/v": {"version": "1.2.3-rc.1+build"}})), ""),
        (published(device(taints=[{"key": "a", "effect": "NoSchedule"}])), ""),
        (published(device(nodeName="n2"), nodeName=None, perDeviceNodeSelection=True), ""),
        (shared(default="1Gi", validValues=["1Gi", "2Gi"]), ""),
        (shared(default="2Gi", validRange={"min": "1Gi", "max": "4Gi", "step": "1Gi"}), ""),
        (published(driver=""), "spec.driver: Required value"),
        (published(nodeName=None), "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`"),
        (published(allNodes=True), 'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of'),
        (published(allNodes=False), "spec.allNodes: Invalid value: false: must be either unset or set to true"),
        (published(nodeName=""), 'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string'),
        (published(device(), device()), 'spec.devices[1]: Duplicate value: "gpu-0"'),
        (
            published(*(device(f"d{at}") for at in range(129))),
            "spec.devices: Too many: 129: must have at most 128 items",
        ),
        (
            published(*(device(f"d{at}", taints=[{"key": "a", "effect": "None"}]) for at in range(65))),
            "spec.devices: Too many: 65: must have at most 64 items",
        ),
        (published(device(attributes={"a": {}})), "exactly one value must be specified"),
        (published(device(attributes={"a": {"int": 1, "bool": True}})), "exactly one value must be specified"),
        (published(device(attributes={"a": {"version": "1.2"}})), "must be a string compatible with semver.org spec"),
        (published(device(attributes={"a": {"string": "x" * 65}})), "Too long: may not be more than 64 bytes"),
        (published(device(attributes={"/a": {"int": 1}})), "the domain must not be empty"),
        (published(device(attributes={"a-b": {"int": 1}})), "a valid C identifier must start with"),
        (published(device(nodeName="n2")), "can only be set if `perDeviceNodeSelection` is set to true"),
        (
            published(device(), nodeName=None, perDeviceNodeSelection=True),
            "spec.devices[0]: Required value: exactly one",
        ),
        (published(device(taints=[{"key": "", "effect": "None"}])), "spec.devices[0].taints[0].key: Invalid value:"),
        (published(device(consumesCounters=[{"counterSet": "a"}])), "consumesCounters[0].counters: Required value"),
        (
            published(device(), sharedCounters=[{"name": "a", "counters": {"m": {"value": "1"}}}]),
            "only one of `sharedCounters` or `devices` is allowed",
        ),
        (
            published(device(capacity={"m": {"value": "1", "requestPolicy": {"default": "1"}}})),
            "requestPolicy: Forbidden: allowMultipleAllocations must be true",
        ),
        (shared(validValues=["1"]), "default: Required value: required when validValues is defined"),
        (shared(default="1", validValues=["2", "1"]), "values must be sorted in ascending order"),
        (shared(default="3", validValues=["1", "2"]), "default value is not valid according to the requestPolicy"),
        (shared(default="20Gi", validValues=["20Gi"]), "option is larger than capacity value: 10Gi"),
        (shared(default="1", validRange={"min": "2"}), "default is less than min: 2"),
        (shared(default="5", validRange={"min": "1", "max": "4"}), "default is more than max: 4"),
        (
            shared(default="4", validRange={"min": "1", "step": "2"}),
            "value is not a multiple of a given step (2) from (1)",
        ),
        (shared(default="1", validRange={"min": "1", "step": "0"}), "must be greater than zero"),
    ],
)
def test_a_slice_of_devices(document: Document, error: str) -> None:
    check(create_errors(RESOURCE_SLICES, deepcopy(document)), error)


def test_a_taint_is_as_old_as_the_slice_it_came_with() -> None:
    found = created(RESOURCE_SLICES, published(device(taints=[{"key": "a", "effect": "None"}])))
    assert found["spec"]["devices"][0]["taints"][0]["timeAdded"] == "2026-01-01T00:00:00Z"


def test_whose_devices_they_are_stays() -> None:
    assert update_errors(RESOURCE_SLICES, published(), published(device())) == []
    found = update_errors(RESOURCE_SLICES, published(), published(driver="b.io", nodeName="n2"))
    assert found == [
        'spec.driver: Invalid value: "b.io": field is immutable',
        'spec.nodeName: Invalid value: "n2": field is immutable',
    ]
