"""policy/v1: only Eviction so far, the body of the pods/eviction subresource."""

from proa.api.policy_v1.types import Eviction

__all__ = ["Eviction"]
