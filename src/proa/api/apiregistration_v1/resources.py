"""The resources of apiregistration.k8s.io/v1."""

from typing import Any

from proa.api.apiregistration_v1 import APIService, APIServiceList, columns
from proa.api.apiregistration_v1.strategies import APIServiceStrategy
from proa.machinery.resource import STATUS, Resource

API_SERVICES = Resource(
    group="apiregistration.k8s.io",
    version="v1",
    plural="apiservices",
    type=APIService,
    list_type=APIServiceList,
    singular="apiservice",
    categories=("api-extensions",),
    namespaced=False,
    subresources=(STATUS,),
    name_rule="path",
    columns=columns.API_SERVICES,
    strategy=APIServiceStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (API_SERVICES,)
