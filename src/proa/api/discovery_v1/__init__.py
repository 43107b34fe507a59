"""discovery.k8s.io/v1: endpoint slices."""

from proa.api.discovery_v1.types import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    EndpointSliceList,
    ForNode,
    ForZone,
)

__all__ = [
    "Endpoint",
    "EndpointConditions",
    "EndpointHints",
    "EndpointPort",
    "EndpointSlice",
    "EndpointSliceList",
    "ForNode",
    "ForZone",
]
