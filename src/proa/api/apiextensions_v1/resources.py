"""The resources of apiextensions.k8s.io/v1."""

from typing import Any

from proa.api.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionList, columns
from proa.api.apiextensions_v1.strategies import CustomResourceDefinitionStrategy
from proa.machinery.resource import STATUS, Resource

CUSTOM_RESOURCE_DEFINITIONS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    type=CustomResourceDefinition,
    list_type=CustomResourceDefinitionList,
    singular="customresourcedefinition",
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    namespaced=False,
    subresources=(STATUS,),
    has_generation=True,
    columns=columns.CUSTOM_RESOURCE_DEFINITIONS,
    strategy=CustomResourceDefinitionStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (CUSTOM_RESOURCE_DEFINITIONS,)
