from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.apiserver.identity import ALLOW, NO_OPINION, AccessAttributes, Decision, User
from proa.apiserver.plugins.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
)
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.status import StatusError

from .conftest import passed, write

SIGNER = "example.com/mine"


class Signers:
    """Who may do what with which signer: (verb, name)."""

    generation = 0

    def __init__(self, *rights: tuple[str, str]) -> None:
        self._rights = rights

    def authorize(self, attributes: AccessAttributes) -> Decision:
        signer = (attributes.group, attributes.resource) == ("certificates.k8s.io", "signers")
        return ALLOW if signer and (attributes.verb, attributes.name) in self._rights else NO_OPINION

    async def decide(self, attributes: AccessAttributes) -> Decision:
        return self.authorize(attributes)

    def rules_for(self, user: User, namespace: str) -> Any:
        raise NotImplementedError


def request(signer: str = SIGNER, *organizations: str, **status: Any) -> dict[str, Any]:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    pem = csr.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    spec = {"signerName": signer, "request": b64encode(pem).decode()}
    return {"metadata": {"name": "csr"}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("rights", "allowed"),
    [
        ((("approve", SIGNER),), True),
        ((("approve", "example.com/*"),), True),
        ((("approve", "example.com/other"), ("sign", SIGNER)), False),
    ],
)
async def test_only_those_with_the_right_to_its_signer_approve_a_request(
    context: PluginContext, rights: Any, allowed: bool
) -> None:
    plugin = CertificateApproval(replace(context, authorizer=Signers(*rights)))
    # What the request says now counts for nothing: it was made for the signer it had.
    new = request("example.com/other")
    attributes = write(CERTIFICATE_SIGNING_REQUESTS, new, "UPDATE", old=request(), subresource="approval")
    assert plugin.handles(CERTIFICATE_SIGNING_REQUESTS, "approval", "UPDATE")
    if allowed:
        await passed(plugin.validate(attributes))
    else:
        with pytest.raises(StatusError, match=f'user not permitted to approve requests with signerName "{SIGNER}"'):
            await passed(plugin.validate(attributes))


async def test_only_those_with_the_right_to_its_signer_sign_a_request(context: PluginContext) -> None:
    plugin = CertificateSigning(replace(context, authorizer=Signers()))
    old = request()
    same = write(CERTIFICATE_SIGNING_REQUESTS, old, "UPDATE", old=old, subresource="status")
    await passed(plugin.validate(same))
    signed = {**old, "status": {"certificate": "x"}}
    with pytest.raises(StatusError, match="user not permitted to sign requests with signerName"):
        await passed(
            plugin.validate(write(CERTIFICATE_SIGNING_REQUESTS, signed, "UPDATE", old=old, subresource="status"))
        )


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (request("kubernetes.io/kube-apiserver-client", "system:masters", "other"), "with system:masters group is not"),
        (request("kubernetes.io/kube-apiserver-client", "other"), ""),
        (request(SIGNER, "system:masters"), ""),
        ({"spec": {"signerName": "kubernetes.io/kube-apiserver-client", "request": "eA=="}}, "failed to parse CSR"),
    ],
)
async def test_nobody_is_certified_as_an_administrator(document: dict[str, Any], said: str) -> None:
    attributes = write(CERTIFICATE_SIGNING_REQUESTS, document)
    if said:
        with pytest.raises(StatusError, match=said):
            await passed(CertificateSubjectRestriction().validate(attributes))
    else:
        await passed(CertificateSubjectRestriction().validate(attributes))
