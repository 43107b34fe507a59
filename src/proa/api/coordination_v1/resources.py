"""The resources of coordination.k8s.io/v1."""

from typing import Any

from proa.api.coordination_v1 import Lease, LeaseList, columns
from proa.api.coordination_v1.strategies import LeaseStrategy
from proa.machinery.resource import Resource

LEASES = Resource(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    type=Lease,
    list_type=LeaseList,
    singular="lease",
    columns=columns.LEASES,
    strategy=LeaseStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (LEASES,)
