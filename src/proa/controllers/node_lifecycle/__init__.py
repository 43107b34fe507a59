"""Node lifecycle: notices that a node is silent, says so in its conditions and taints, and evicts what ran there."""

from proa.controllers.node_lifecycle.controller import NodeLifecycleController
from proa.controllers.node_lifecycle.eviction import TaintEvictionController

__all__ = ["NodeLifecycleController", "TaintEvictionController"]
