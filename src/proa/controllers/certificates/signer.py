"""Signs approved requests to the cluster's own signers with the cluster's authority."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from proa.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Trigger
from proa.machinery.timestamps import format_time
from proa.pki.certificates import LEAF_LIFETIME, KeyPair
from proa.pki.requests import parse, sign
from proa.rules.certificates import fault

_SHORTEST = timedelta(minutes=10)


class CertificateSigner(Controller):
    """authority: who signs; None: nobody."""

    name = "certificatesigningrequest-signing"
    workers = 1

    def __init__(self, context: Context, authority: KeyPair | None) -> None:
        super().__init__(context)
        self._authority = authority
        self._requests = context.informer(CERTIFICATE_SIGNING_REQUESTS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(CERTIFICATE_SIGNING_REQUESTS),) if self._authority is not None else ()

    async def reconcile(self, key: str) -> Outcome:
        request = self._requests.get(key)
        if request is None or self._authority is None or not _is_to_be_signed(request):
            return DONE
        spec, status, now = request.spec, request.status, self.now()
        why = fault(spec.signerName, parse(spec.request), spec.usages)
        if why is None:
            return DONE
        if why:
            time = format_time(now)
            failed = CertificateSigningRequestCondition(
                type="Failed",
                status="True",
                reason="SignerValidationFailure",
                message=why,
                lastUpdateTime=time,
                lastTransitionTime=time,
            )
            status = msgspec.structs.replace(status, conditions=(*status.conditions, failed))
        else:
            certificate = sign(self._authority, spec.request, spec.usages, _lifetime(request), now)
            status = msgspec.structs.replace(status, certificate=certificate)
        changed = msgspec.structs.replace(request, status=status)
        await self.client.update(CERTIFICATE_SIGNING_REQUESTS, changed, subresource="status")
        return DONE


def _is_to_be_signed(request: CertificateSigningRequest) -> bool:
    types = {each.type for each in request.status.conditions if each.status == "True"}
    return "Approved" in types and not types & {"Denied", "Failed"} and not request.status.certificate


def _lifetime(request: CertificateSigningRequest) -> timedelta:
    """As long as asked, within bounds."""
    seconds = request.spec.expirationSeconds
    return LEAF_LIFETIME if seconds is None else min(max(timedelta(seconds=seconds), _SHORTEST), LEAF_LIFETIME)
