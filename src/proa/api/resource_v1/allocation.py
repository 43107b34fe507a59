"""resource/v1 declarations: what a claim was given."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.placement import NodeSelector
from proa.api.resource_v1.device_class import OpaqueDeviceConfiguration
from proa.api.resource_v1.request import DeviceToleration
from proa.machinery.declare import Field, Object, always, no_items
from proa.machinery.meta import Condition
from proa.machinery.scalars import Quantity, RawExtension, Time


class DeviceAllocationConfiguration(Object):
    source: Annotated[str, Field(1, required=True, enum=("FromClass", "FromClaim"))] = always(str)
    requests: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceRequestAllocationResult(Object):
    request: Annotated[str, Field(1, required=True)] = always(str)
    driver: Annotated[str, Field(2, required=True)] = always(str)
    pool: Annotated[str, Field(3, required=True)] = always(str)
    device: Annotated[str, Field(4, required=True)] = always(str)
    adminAccess: Annotated[bool | None, Field(5)] = None
    tolerations: Annotated[tuple[DeviceToleration, ...], Field(6, list="atomic")] = ()
    bindingConditions: Annotated[tuple[str, ...], Field(7, list="atomic")] = ()
    bindingFailureConditions: Annotated[tuple[str, ...], Field(8, list="atomic")] = ()
    shareID: Annotated[str | None, Field(9)] = None
    consumedCapacity: Annotated[Mapping[str, Quantity], Field(10)] = {}


class DeviceAllocationResult(Object):
    results: Annotated[tuple[DeviceRequestAllocationResult, ...], Field(1, list="atomic")] = ()
    config: Annotated[tuple[DeviceAllocationConfiguration, ...], Field(2, list="atomic")] = ()


class AllocationResult(Object):
    devices: Annotated[DeviceAllocationResult, Field(1)] = always(DeviceAllocationResult)
    nodeSelector: Annotated[NodeSelector | None, Field(3)] = None
    allocationTimestamp: Annotated[Time | None, Field(5)] = None


class NetworkDeviceData(Object):
    interfaceName: Annotated[str, Field(1)] = ""
    ips: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()
    hardwareAddress: Annotated[str, Field(3)] = ""


class AllocatedDeviceStatus(Object):
    driver: Annotated[str, Field(1, required=True)] = always(str)
    pool: Annotated[str, Field(2, required=True)] = always(str)
    device: Annotated[str, Field(3, required=True)] = always(str)
    shareID: Annotated[str | None, Field(7)] = None
    conditions: Annotated[tuple[Condition, ...], Field(4, list="map", keys=("type",))] = always(no_items)
    data: Annotated[RawExtension | None, Field(5)] = None
    networkData: Annotated[NetworkDeviceData | None, Field(6)] = None
