"""The plugins, one module each. `default_profile` is their order, which is upstream's.

Inter-pod affinity, topology spread, volumes and preemption will be modules of their own here.
"""

from __future__ import annotations

from proa.scheduler.framework import Profile
from proa.scheduler.plugins.image_locality import ImageLocality
from proa.scheduler.plugins.node_affinity import NodeAffinity
from proa.scheduler.plugins.node_name import NodeName
from proa.scheduler.plugins.node_ports import NodePorts
from proa.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from proa.scheduler.plugins.node_resources_fit import NodeResourcesFit
from proa.scheduler.plugins.node_unschedulable import NodeUnschedulable
from proa.scheduler.plugins.scheduling_gates import SchedulingGates
from proa.scheduler.plugins.taint_toleration import TaintToleration


def default_profile(scheduler_name: str = "default-scheduler") -> Profile:
    affinity, fit, taints = NodeAffinity(), NodeResourcesFit(), TaintToleration()
    return Profile(
        scheduler_name,
        pre_enqueue=(SchedulingGates(),),
        filters=(NodeUnschedulable(), NodeName(), taints, affinity, NodePorts(), fit),
        scores=(taints, affinity, fit, NodeResourcesBalancedAllocation(), ImageLocality()),
    )
