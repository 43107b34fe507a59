"""Making pods from templates, and creating and deleting them: what every workload controller does, the same way."""

from __future__ import annotations

from typing import Any

from proa.api.core_v1 import Pod, PodTemplateSpec
from proa.api.core_v1.resources import PODS
from proa.base.errors import ProaError
from proa.client.events import EventRecorder
from proa.client.protocol import Client
from proa.control.freshness import OwnWrites
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError, is_forbidden, is_not_found
from proa.rules.owners import controller_reference

# The API server adds five characters to generateName, and a pod's name is at most 253.
GENERATE_NAME_LIMIT = 253 - 5


def pod_from_template(owner: Any, template: PodTemplateSpec, *, name: str = "") -> Pod:
    """A pod of `owner` (its controller): named `name`, or after the owner with a random end."""
    return Pod(
        metadata=ObjectMeta(
            name=name,
            generateName="" if name else f"{owner.metadata.name}-"[:GENERATE_NAME_LIMIT],
            namespace=owner.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            ownerReferences=(controller_reference(owner),),
        ),
        spec=template.spec,
    )


def says_namespace_terminates(error: BaseException) -> bool:
    """Whether creation failed because the namespace is going away: trying again is pointless."""
    if not isinstance(error, StatusError) or not is_forbidden(error):
        return False
    details = error.status.details
    return details is not None and any(cause.reason == "NamespaceTerminating" for cause in details.causes)


class PodControl:
    """Creates and deletes pods of owners, tells it as events of the owner, and notes it among the key's own writes."""

    def __init__(self, client: Client, writes: OwnWrites, events: EventRecorder) -> None:
        self._client = client
        self._writes = writes
        self._events = events

    async def create(self, key: str, owner: Any, pod: Pod) -> Pod:
        """What the API made of `pod`. Raises StatusError; a namespace that goes away is no news."""
        try:
            created = await self._client.create(PODS, pod)
        except ProaError as error:
            if not says_namespace_terminates(error):
                self._events.warning(owner, "FailedCreate", f"Error creating: {error}")
            raise
        self._writes.wrote(key, created)
        self._events.normal(owner, "SuccessfulCreate", f"Created pod: {created.metadata.name}")
        return created

    async def delete(self, key: str, owner: Any, pod: Pod) -> None:
        """Delete exactly this pod; one that is gone already is as good. Raises StatusError."""
        meta = pod.metadata
        try:
            await self._client.delete(PODS, meta.name, meta.namespace, uid=meta.uid)
        except ProaError as error:
            if is_not_found(error):
                return
            self._events.warning(owner, "FailedDelete", f"Error deleting: {error}")
            raise
        self._writes.deleted(key, pod)
        self._events.normal(owner, "SuccessfulDelete", f"Deleted pod: {meta.name}")
