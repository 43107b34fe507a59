"""Taking from a pod the finalizer that holds it until its Job has counted it."""

from __future__ import annotations

from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import PODS
from proa.client.protocol import Client
from proa.controllers.job.tally import TRACKING
from proa.machinery.status import StatusError, is_invalid, is_not_found


async def release(client: Client, pod: Pod) -> Pod | None:
    """The pod without it; None when the pod is gone, or is another one by now."""
    meta = pod.metadata
    patch = {"metadata": {"uid": meta.uid, "$deleteFromPrimitiveList/finalizers": [TRACKING]}}
    try:
        return await client.patch(PODS, meta.name, meta.namespace, patch, type="strategic")
    except StatusError as error:
        if is_not_found(error) or is_invalid(error):
            return None
        raise
