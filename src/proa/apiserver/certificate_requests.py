"""What the API server itself writes into certificate signing requests: who asks, and when a condition came.

It has the form of an admission plugin that runs after all others, because upstream writes who asks after admission.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.aio.clock import Clock
from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.identity import User
from proa.machinery.resource import Resource
from proa.machinery.timestamps import format_time

_ASKING = ("username", "uid", "groups", "extra")


class CertificateRequestMarks:
    name = "CertificateRequestMarks"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        marked = (subresource, operation) in (("", "CREATE"), ("status", "UPDATE"))
        return resource.qualified == CERTIFICATE_SIGNING_REQUESTS.qualified and marked

    def mutate(self, attributes: Attributes) -> None:
        document = attributes.document
        assert document is not None
        if attributes.operation == "CREATE":
            document["spec"] = _asked_by(attributes.user, document.get("spec") or {})
        else:
            before = ((attributes.old or {}).get("status") or {}).get("conditions") or ()
            now = format_time(self._clock.now())
            for each in (document.get("status") or {}).get("conditions") or ():
                _time(each, before, now)


def _asked_by(user: User, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with nobody in it but who asks."""
    asking = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    rest = {name: value for name, value in spec.items() if name not in _ASKING}
    return rest | {name: value for name, value in asking.items() if value}


def _time(condition: dict[str, Any], before: Any, now: str) -> None:
    """Give a condition the times it lacks: a transition is when its status last changed."""
    if not condition.get("lastUpdateTime"):
        condition["lastUpdateTime"] = now
    if not condition.get("lastTransitionTime"):
        same = (
            each["lastTransitionTime"]
            for each in before
            if (each.get("type"), each.get("status")) == (condition.get("type"), condition.get("status"))
            and each.get("lastTransitionTime")
        )
        condition["lastTransitionTime"] = next(same, now)
