"""Approves kubelets' requests for client certificates where who asks may have one (a SubjectAccessReview says so)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from proa.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Trigger
from proa.pki.requests import parse
from proa.rules.certificates import KUBELET_CLIENT, kubelet_client_fault

_PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class CertificateApprover(Controller):
    name = "certificatesigningrequest-approving"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._requests = context.informer(CERTIFICATE_SIGNING_REQUESTS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(CERTIFICATE_SIGNING_REQUESTS),)

    async def reconcile(self, key: str) -> Outcome:
        request = self._requests.get(key)
        if request is None or request.status.certificate:
            return DONE
        if any(each.type in ("Approved", "Denied") for each in request.status.conditions):
            return DONE
        for permission, message in _permissions(request):
            if await self._may(request, permission):
                await self._approve(request, message)
                break
        return DONE

    async def _may(self, request: CertificateSigningRequest, permission: str) -> bool:
        spec = request.spec
        asked = {
            "group": "certificates.k8s.io",
            "resource": "certificatesigningrequests",
            "subresource": permission,
            "verb": "create",
            "version": "*",
        }
        review = {
            "user": spec.username,
            "uid": spec.uid,
            "groups": list(spec.groups),
            "extra": {name: list(values) for name, values in spec.extra.items()},
            "resourceAttributes": asked,
        }
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": review}
        answer = await self.client.document("POST", _REVIEWS, body)
        return bool(answer["status"].get("allowed"))

    async def _approve(self, request: CertificateSigningRequest, message: str) -> None:
        approved = CertificateSigningRequestCondition(
            type="Approved", status="True", reason="AutoApproved", message=message
        )
        status = msgspec.structs.replace(request.status, conditions=(*request.status.conditions, approved))
        changed = msgspec.structs.replace(request, status=status)
        await self.client.document("PUT", f"{_PATH}/{request.metadata.name}/approval", changed)


def _permissions(request: CertificateSigningRequest) -> Iterator[tuple[str, str]]:
    """What lets somebody have what is asked for, and what to say then."""
    spec = request.spec
    if spec.signerName != KUBELET_CLIENT:
        return
    wanted = parse(spec.request)
    if kubelet_client_fault(wanted, spec.usages):
        return
    if spec.username == wanted.common_name:
        yield "selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."
    yield "nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."
