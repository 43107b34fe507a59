"""Making pods from templates: what every workload controller creates is made here, the same way."""

from __future__ import annotations

from typing import Any

from proa.api.core_v1 import Pod, PodTemplateSpec
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError, is_forbidden
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
