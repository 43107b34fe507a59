"""ReplicaSets (apps/v1): keep so many pods of one template."""

from proa.controllers.replicaset.controller import ReplicaSetController

__all__ = ["ReplicaSetController"]
