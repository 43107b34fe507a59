"""Step: the pod's volumes are there before its first container, and gone after its last."""

from __future__ import annotations

from proa.api.core_v1 import Pod
from proa.kubelet.context import Node
from proa.kubelet.services import Outcome
from proa.kubelet.state import PodState, SetUpVolumes, TearDownVolumes


async def set_up(node: Node, pod: Pod, state: PodState, instruction: SetUpVolumes) -> Outcome:
    await node.services.volumes.set_up(pod)
    return Outcome()


async def tear_down(node: Node, pod: Pod, state: PodState, instruction: TearDownVolumes) -> Outcome:
    node.services.objects.release(pod.metadata.uid)
    await node.services.volumes.tear_down(pod.metadata.uid)
    return Outcome()
