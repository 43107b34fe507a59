"""resource/v1 declarations: devices."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from proa.api.core_v1.placement import NodeSelector
from proa.machinery.declare import Field, Object, always
from proa.machinery.scalars import Int64, Quantity, Time


class DeviceAttribute(Object):
    int_: Annotated[Int64 | None, Field(2)] = field(default=None, name="int")
    bool_: Annotated[bool | None, Field(3)] = field(default=None, name="bool")
    string: Annotated[str | None, Field(4)] = None
    version: Annotated[str | None, Field(5)] = None
    ints: Annotated[tuple[Int64, ...], Field(6, list="atomic")] = ()
    bools: Annotated[tuple[bool, ...], Field(7, list="atomic")] = ()
    strings: Annotated[tuple[str, ...], Field(8, list="atomic")] = ()
    versions: Annotated[tuple[str, ...], Field(9, list="atomic")] = ()


class CapacityRequestPolicyRange(Object):
    min: Annotated[Quantity | None, Field(1, required=True)] = None
    max: Annotated[Quantity | None, Field(2)] = None
    step: Annotated[Quantity | None, Field(3)] = None


class CapacityRequestPolicy(Object):
    default: Annotated[Quantity | None, Field(1)] = None
    validValues: Annotated[tuple[Quantity, ...], Field(3, list="atomic")] = ()
    validRange: Annotated[CapacityRequestPolicyRange | None, Field(4)] = None


class DeviceCapacity(Object):
    value: Annotated[Quantity | None, Field(1, required=True)] = None
    requestPolicy: Annotated[CapacityRequestPolicy | None, Field(2)] = None


class Counter(Object):
    value: Annotated[Quantity | None, Field(1, required=True)] = None


class CounterSet(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    counters: Annotated[Mapping[str, Counter], Field(2, required=True)] = {}


class DeviceCounterConsumption(Object):
    counterSet: Annotated[str, Field(1, required=True)] = always(str)
    counters: Annotated[Mapping[str, Counter], Field(2, required=True)] = {}


class DeviceTaint(Object):
    key: Annotated[str, Field(1, required=True)] = always(str)
    value: Annotated[str, Field(2)] = ""
    effect: Annotated[str, Field(3, required=True, enum=("None", "NoSchedule", "NoExecute"))] = always(str)
    timeAdded: Annotated[Time | None, Field(4)] = None


class NodeAllocatableResourceMapping(Object):
    capacityKey: Annotated[str | None, Field(1)] = None
    allocationMultiplier: Annotated[Quantity | None, Field(2, default="1")] = None


class Device(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    attributes: Annotated[Mapping[str, DeviceAttribute], Field(2)] = {}
    capacity: Annotated[Mapping[str, DeviceCapacity], Field(3)] = {}
    consumesCounters: Annotated[tuple[DeviceCounterConsumption, ...], Field(4, list="atomic")] = ()
    nodeName: Annotated[str | None, Field(5)] = None
    nodeSelector: Annotated[NodeSelector | None, Field(6)] = None
    allNodes: Annotated[bool | None, Field(7)] = None
    taints: Annotated[tuple[DeviceTaint, ...], Field(8, list="atomic")] = ()
    bindsToNode: Annotated[bool | None, Field(9)] = None
    bindingConditions: Annotated[tuple[str, ...], Field(10, list="atomic")] = ()
    bindingFailureConditions: Annotated[tuple[str, ...], Field(11, list="atomic")] = ()
    allowMultipleAllocations: Annotated[bool | None, Field(12)] = None
    nodeAllocatableResourceMappings: Annotated[Mapping[str, NodeAllocatableResourceMapping], Field(13)] = {}
