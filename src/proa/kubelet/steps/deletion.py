"""Step: the API object goes for good once nothing of the pod is left on the node."""

from __future__ import annotations

from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import PODS
from proa.kubelet.context import Node
from proa.kubelet.services import Outcome
from proa.kubelet.state import FinishDeletion, PodState
from proa.machinery.status import StatusError, is_conflict, is_not_found


async def finish(node: Node, pod: Pod, state: PodState, instruction: FinishDeletion) -> Outcome:
    """Write how it ended, then delete with grace 0, guarded by the uid."""
    meta = pod.metadata
    node.services.volumes.remove_logs(pod)
    if state.gone:
        return Outcome()
    await node.statuses.flush(meta.uid)
    try:
        await node.services.client.delete(PODS, meta.name, meta.namespace, grace_period_seconds=0, uid=meta.uid)
    except StatusError as error:
        if not is_not_found(error) and not is_conflict(error):
            raise
    return Outcome()
