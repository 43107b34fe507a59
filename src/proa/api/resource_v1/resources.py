"""The resources of resource.k8s.io/v1."""

from typing import Any

from proa.api.resource_v1 import (
    DeviceClass,
    DeviceClassList,
    ResourceClaim,
    ResourceClaimList,
    ResourceClaimTemplate,
    ResourceClaimTemplateList,
    ResourceSlice,
    ResourceSliceList,
    columns,
)
from proa.api.resource_v1.strategies import (
    DeviceClassStrategy,
    ResourceClaimStrategy,
    ResourceClaimTemplateStrategy,
    ResourceSliceStrategy,
)
from proa.machinery.resource import STATUS, Resource

DEVICE_CLASSES = Resource(
    group="resource.k8s.io",
    version="v1",
    plural="deviceclasses",
    type=DeviceClass,
    list_type=DeviceClassList,
    singular="deviceclass",
    namespaced=False,
    has_generation=True,
    columns=columns.DEVICE_CLASSES,
    strategy=DeviceClassStrategy(),
)

RESOURCE_CLAIMS = Resource(
    group="resource.k8s.io",
    version="v1",
    plural="resourceclaims",
    type=ResourceClaim,
    list_type=ResourceClaimList,
    singular="resourceclaim",
    subresources=(STATUS,),
    columns=columns.RESOURCE_CLAIMS,
    strategy=ResourceClaimStrategy(),
)

RESOURCE_CLAIM_TEMPLATES = Resource(
    group="resource.k8s.io",
    version="v1",
    plural="resourceclaimtemplates",
    type=ResourceClaimTemplate,
    list_type=ResourceClaimTemplateList,
    singular="resourceclaimtemplate",
    columns=columns.RESOURCE_CLAIM_TEMPLATES,
    strategy=ResourceClaimTemplateStrategy(),
)

RESOURCE_SLICES = Resource(
    group="resource.k8s.io",
    version="v1",
    plural="resourceslices",
    type=ResourceSlice,
    list_type=ResourceSliceList,
    singular="resourceslice",
    namespaced=False,
    fields=("spec.nodeName", "spec.driver"),
    has_generation=True,
    columns=columns.RESOURCE_SLICES,
    strategy=ResourceSliceStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (DEVICE_CLASSES, RESOURCE_CLAIMS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_SLICES)
