"""resource/v1 declarations: what a claim asks for."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.resource_v1.device_class import DeviceSelector, OpaqueDeviceConfiguration
from proa.machinery.declare import Field, Object, always, no_items
from proa.machinery.scalars import Int64, Quantity


class CapacityRequirements(Object):
    requests: Annotated[Mapping[str, Quantity], Field(1)] = {}


class DeviceToleration(Object):
    key: Annotated[str, Field(1)] = ""
    operator: Annotated[str, Field(2, default="Equal", enum=("Exists", "Equal"))] = ""
    value: Annotated[str, Field(3)] = ""
    effect: Annotated[str, Field(4, enum=("None", "NoSchedule", "NoExecute"))] = ""
    tolerationSeconds: Annotated[Int64 | None, Field(5)] = None


class DeviceSubRequest(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    deviceClassName: Annotated[str, Field(2, required=True)] = always(str)
    selectors: Annotated[tuple[DeviceSelector, ...], Field(3, list="atomic")] = ()
    allocationMode: Annotated[str, Field(4, default="ExactCount", enum=("ExactCount", "All"))] = ""
    count: Annotated[Int64, Field(5)] = 0
    tolerations: Annotated[tuple[DeviceToleration, ...], Field(6, list="atomic")] = ()
    capacity: Annotated[CapacityRequirements | None, Field(7)] = None


class ExactDeviceRequest(Object):
    deviceClassName: Annotated[str, Field(1, required=True)] = always(str)
    selectors: Annotated[tuple[DeviceSelector, ...], Field(2, list="atomic")] = ()
    allocationMode: Annotated[str, Field(3, default="ExactCount", enum=("ExactCount", "All"))] = ""
    count: Annotated[Int64, Field(4)] = 0
    adminAccess: Annotated[bool | None, Field(5)] = None
    tolerations: Annotated[tuple[DeviceToleration, ...], Field(6, list="atomic")] = ()
    capacity: Annotated[CapacityRequirements | None, Field(7)] = None


class DeviceRequest(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    exactly: Annotated[ExactDeviceRequest | None, Field(2)] = None
    firstAvailable: Annotated[tuple[DeviceSubRequest, ...], Field(3, list="atomic")] = ()


class DeviceConstraint(Object):
    requests: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()
    matchAttribute: Annotated[str | None, Field(2)] = None
    distinctAttribute: Annotated[str | None, Field(3)] = None


class DeviceClaimConfiguration(Object):
    requests: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClaim(Object):
    requests: Annotated[tuple[DeviceRequest, ...], Field(1, list="atomic")] = always(no_items)
    constraints: Annotated[tuple[DeviceConstraint, ...], Field(2, list="atomic")] = ()
    config: Annotated[tuple[DeviceClaimConfiguration, ...], Field(3, list="atomic")] = ()
