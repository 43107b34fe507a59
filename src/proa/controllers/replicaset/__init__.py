"""ReplicaSets (apps/v1) and ReplicationControllers (core/v1): keep so many pods of one template."""

from proa.controllers.replicaset.controller import REPLICATION_CONTROLLER, ReplicaSetController

__all__ = ["REPLICATION_CONTROLLER", "ReplicaSetController"]
