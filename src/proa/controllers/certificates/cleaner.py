"""Deletes certificate signing requests that nobody needs any more: answered long ago, never answered, or expired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from proa.api.certificates_v1 import CertificateSigningRequest
from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Trigger
from proa.machinery import timestamps
from proa.pki.certificates import expires_at

ANSWERED = timedelta(hours=1)
PENDING = timedelta(hours=24)


class CertificateCleaner(Controller):
    name = "certificatesigningrequest-cleaner"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._requests = context.informer(CERTIFICATE_SIGNING_REQUESTS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(CERTIFICATE_SIGNING_REQUESTS),)

    async def reconcile(self, key: str) -> Outcome:
        request = self._requests.get(key)
        if request is None:
            return DONE
        ends = min(_ends(request), default=None)
        if ends is None:
            return DONE
        left = (ends - self.now()).total_seconds()
        if left > 0:
            return Outcome(requeue_after=left)
        await delete_exactly(self.client, CERTIFICATE_SIGNING_REQUESTS, request)
        return DONE


def _ends(request: CertificateSigningRequest) -> Iterator[datetime]:
    """When there is a reason to delete it, each reason."""
    created, status = request.metadata.creationTimestamp, request.status
    if not status.conditions and created is not None:
        yield timestamps.parse(created) + PENDING
    for each in status.conditions:
        if each.lastUpdateTime is None:
            continue
        since = timestamps.parse(each.lastUpdateTime)
        if each.type in ("Denied", "Failed"):
            yield since + ANSWERED
        elif each.type == "Approved":
            yield since + (ANSWERED if status.certificate else PENDING)
            if status.certificate:
                yield expires_at(status.certificate)
