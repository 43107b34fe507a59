"""The resources of discovery.k8s.io/v1."""

from typing import Any

from proa.api.discovery_v1 import EndpointSlice, EndpointSliceList, columns
from proa.api.discovery_v1.strategies import EndpointSliceStrategy
from proa.machinery.resource import Resource

ENDPOINT_SLICES = Resource(
    group="discovery.k8s.io",
    version="v1",
    plural="endpointslices",
    type=EndpointSlice,
    list_type=EndpointSliceList,
    singular="endpointslice",
    has_generation=True,
    columns=columns.ENDPOINT_SLICES,
    strategy=EndpointSliceStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (ENDPOINT_SLICES,)
