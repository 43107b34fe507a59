"""apiregistration.k8s.io/v1: which group versions other API servers answer."""

from proa.api.apiregistration_v1.types import (
    APIService,
    APIServiceCondition,
    APIServiceList,
    APIServiceSpec,
    APIServiceStatus,
    ServiceReference,
)

__all__ = [
    "APIService",
    "APIServiceCondition",
    "APIServiceList",
    "APIServiceSpec",
    "APIServiceStatus",
    "ServiceReference",
]
