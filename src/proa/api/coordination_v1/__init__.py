"""coordination.k8s.io/v1: leases."""

from proa.api.coordination_v1.types import Lease, LeaseList, LeaseSpec

__all__ = ["Lease", "LeaseList", "LeaseSpec"]
